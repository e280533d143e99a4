"""Whether a store is alive (lib/store/pulse.py)."""

import threading
from collections.abc import Callable

import pytest

from lib.errors import StoreUnavailable
from lib.store.pulse import Pulse
from tests.clock import Clock


class Server:
    """Something to ask, which notes its own outcome as a store's call does, and counts how often."""

    def __init__(self, pulse: Pulse, *, works: bool = True) -> None:
        self.pulse = pulse
        self.works = works
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1
        self.pulse.note(worked=self.works)
        if not self.works:
            raise StoreUnavailable("no answer")


@pytest.fixture
def clock() -> Clock:
    """Time that stands still."""
    return Clock()


def checked(pulse: Pulse, ask: Callable[[], object]) -> bool:
    """What `check` says; an error of the question itself is a no."""
    try:
        return pulse.check(ask)
    except StoreUnavailable:
        return False


def test_nothing_is_known_at_first(clock: Clock) -> None:
    """A fresh pulse asks, whatever the clock says."""
    for now in (clock.now, 0.0, -5.0):
        clock.now = now
        pulse = Pulse(clock)
        server = Server(pulse)
        assert pulse.check(server)
        assert server.asked == 1


@pytest.mark.parametrize(("works", "seconds"), [(True, 60), (False, 10)])
def test_an_outcome_is_news_for_its_time(clock: Clock, works: bool, seconds: int) -> None:
    """A success tells for 60 seconds and a failure for 10, without asking; then the store is asked again."""
    pulse = Pulse(clock)
    server = Server(pulse, works=not works)
    pulse.note(worked=works)
    clock.advance(seconds - 0.1)
    assert checked(pulse, server) is works
    assert server.asked == 0
    clock.advance(0.1)
    assert checked(pulse, server) is not works
    assert server.asked == 1


def test_the_last_outcome_counts(clock: Clock) -> None:
    """A failure after a success is bad news at once, and the reverse good news."""
    pulse = Pulse(clock)
    server = Server(pulse)
    pulse.note(worked=True)
    pulse.note(worked=False)
    assert pulse.check(server) is False
    pulse.note(worked=True)
    clock.advance(59)
    assert pulse.check(server) is True
    assert server.asked == 0


def test_what_asking_raises_is_raised_once(clock: Clock) -> None:
    """The error of the question goes to who asked; within 10 seconds nobody asks again."""
    pulse = Pulse(clock)
    server = Server(pulse, works=False)
    with pytest.raises(StoreUnavailable, match="no answer"):
        pulse.check(server)
    assert pulse.check(server) is False
    assert server.asked == 1
    clock.advance(10)
    server.works = True
    assert pulse.check(server) is True
    assert server.asked == 2


def test_an_error_leaves_no_lock_behind(clock: Clock) -> None:
    """After a question that failed without a word, the next one is asked."""
    pulse = Pulse(clock)

    def crash() -> None:
        raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            pulse.check(crash)


@pytest.mark.parametrize("works", [True, False])
def test_twenty_at_once_ask_once(clock: Clock, works: bool) -> None:
    """While one thread asks, the others wait for its answer instead of asking too."""
    pulse = Pulse(clock)
    server = Server(pulse, works=works)
    asking, answered, results = threading.Event(), threading.Event(), []

    def ask() -> None:
        asking.set()
        assert answered.wait(10)
        server()

    threads = [threading.Thread(target=lambda: results.append(checked(pulse, ask))) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert asking.wait(10)
    assert results == []
    answered.set()
    for thread in threads:
        thread.join(10)
    assert results == [works] * 20
    assert server.asked == 1


def test_the_default_clock_never_goes_back() -> None:
    """Without an argument it is the monotonic clock, which setting the time of day does not move."""
    pulse = Pulse()
    pulse.note(worked=True)
    server = Server(pulse)
    assert pulse.check(server)
    assert server.asked == 0
