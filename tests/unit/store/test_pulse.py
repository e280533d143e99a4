"""Whether people can log in, as far as the store decides it (lib/tgauth/store/pulse.py)."""

import threading
from collections.abc import Callable

import pytest

from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.store.pulse import Pulse
from tests.clock import Clock

DAY = 86400


class Server:
    """Something to ask, which notes its own outcome as a store's call does, and what it was asked."""

    def __init__(self, pulse: Pulse, *, works: bool = True, reached: bool = True) -> None:
        self.pulse = pulse
        self.works = works
        self.reached = reached
        self.asked: list[str] = []

    def login(self) -> None:
        """What a login does."""
        self._ask("login")

    def ping(self) -> None:
        """A PING."""
        self._ask("ping")

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.works:
            self.pulse.note_success(is_login=what == "login")
            return
        problem = StoreUnavailable("no answer", cause="store_rights")
        problem.reached = self.reached
        self.pulse.note_failure(problem)
        raise problem

    @property
    def commands(self) -> int:
        """How many commands these were; a PING that fails is sent twice."""
        return sum(3 if what == "login" else 1 if self.works else 2 for what in self.asked)

    def check(self) -> bool:
        """What /health would say."""
        try:
            self.pulse.check(login=self.login, ping=self.ping)
        except StoreUnavailable as error:
            if (error.reason, error.cause) != ("no answer", "store_rights"):
                raise
            return False
        return True


@pytest.fixture
def clock() -> Clock:
    """Time that stands still."""
    return Clock()


def test_nothing_is_known_at_first(clock: Clock) -> None:
    """A fresh pulse tries a login, whatever the clock says."""
    for now in (clock.now, 0.0, -5.0):
        clock.now = now
        server = Server(Pulse(clock))
        assert server.check()
        assert server.asked == ["login"]


def test_a_failure_is_news_for_ten_seconds(clock: Clock) -> None:
    """Within them nobody asks again and all hear the same; then a login is tried."""
    server = Server(Pulse(clock), works=False)
    assert [server.check(), server.check()] == [False, False]
    server.works = True
    clock.advance(9.9)
    assert not server.check()
    assert server.asked == ["login"]
    clock.advance(0.1)
    assert server.check()
    assert server.asked == ["login", "login"]


def test_the_last_failure_counts(clock: Clock) -> None:
    """A failure of any call after a login that worked is bad news at once."""
    server = Server(Pulse(clock))
    assert server.check()
    server.pulse.note_failure(StoreUnavailable("no answer", cause="store_rights"))
    assert not server.check()
    server.pulse.note_success()
    assert not server.check()
    server.pulse.note_success(is_login=True)
    assert server.check()
    assert server.asked == ["login"]


@pytest.mark.parametrize("works", [True, False])
def test_a_day_of_questions_costs_400_commands_at_most(clock: Clock, works: bool) -> None:
    """However often /health is asked, whether the store works, refuses, or does both in turn."""
    server = Server(Pulse(clock), works=works)
    for second in range(0, 2 * DAY, 5):
        server.check()
        clock.advance(5)
        if second == DAY - 5:
            first, server.asked = server.commands, []
    assert 150 < first <= 400
    assert 150 < server.commands <= 400


def test_a_store_that_comes_and_goes_costs_no_more(clock: Clock) -> None:
    """Every failure that a request meets makes /health try a login, until its day's commands are used up."""
    server = Server(Pulse(clock))
    for second in range(0, DAY, 5):
        server.check()
        if second % 15 == 0:
            server.pulse.note_failure(StoreUnavailable("no answer", cause="store_rights"))
        clock.advance(5)
    assert server.commands <= 400


def test_a_doubt_is_no_failure(clock: Clock) -> None:
    """What was refused that is no login only makes the next check try one, once in ten seconds."""
    server = Server(Pulse(clock))
    assert server.check()
    for _ in range(30):
        server.pulse.note_doubt()
        assert server.check()
        clock.advance(1)
    assert server.asked == ["login"] * 3


def test_a_failure_elsewhere_makes_no_check_free(clock: Clock) -> None:
    """Of several threads, one that reached nothing says nothing of the login that another tried."""
    server = Server(Pulse(clock))
    tried = server.login

    def login() -> None:
        unreached = StoreUnavailable("no answer", cause="store_rights")
        unreached.reached = False
        server.pulse.note_failure(unreached)
        tried()

    server.login = login  # type: ignore[method-assign]
    for _ in range(DAY // 10):
        server.check()
        server.pulse.note_failure(StoreUnavailable("no answer", cause="store_rights"))
        clock.advance(10)
    assert server.commands <= 400


def test_an_outage_is_seen_to_end(clock: Clock) -> None:
    """What never reached the store costs nothing: after hours of it, ten seconds tell that it is back."""
    server = Server(Pulse(clock), works=False, reached=False)
    for _ in range(4 * 360):
        assert not server.check()
        clock.advance(10)
    assert len(server.asked) == 4 * 360
    server.works = True
    assert server.check()


def test_an_error_leaves_no_lock_behind(clock: Clock) -> None:
    """After a question that failed without a word, the next one is asked."""
    pulse = Pulse(clock)

    def crash() -> None:
        raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            pulse.check(login=crash, ping=crash)


@pytest.mark.parametrize("works", [True, False])
def test_twenty_at_once_ask_once(clock: Clock, works: bool) -> None:
    """While one thread asks, the others wait for its answer instead of asking too."""
    server = Server(Pulse(clock), works=works)
    asking, answered, results = threading.Event(), threading.Event(), list[bool]()
    ask: Callable[[], None] = server.login

    def slowly() -> None:
        asking.set()
        assert answered.wait(10)
        ask()

    server.login = slowly  # type: ignore[method-assign]
    threads = [threading.Thread(target=lambda: results.append(server.check())) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert asking.wait(10)
    assert results == []
    answered.set()
    for thread in threads:
        thread.join(10)
    assert results == [works] * 20
    assert len(server.asked) == 1


def test_the_default_clock_never_goes_back() -> None:
    """Without an argument it is the monotonic clock, which setting the time of day does not move."""
    server = Server(Pulse())
    server.pulse.note_success(is_login=True)
    assert server.check()
    assert server.asked == []
