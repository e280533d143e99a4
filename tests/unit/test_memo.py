"""What one process remembers for a while (lib/tgauth/memo.py)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.tgauth.memo import Tally
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    """Time that stands still."""
    return Clock()


def test_a_name_is_known_for_its_time(clock: Clock) -> None:
    """A name is known until its seconds are over, and not at that second."""
    memo = Tally(clock)
    assert not memo.knows("a")
    memo.remember("a", 1, 60)
    assert memo.knows("a")
    assert not memo.knows("b")
    clock.advance(59.9)
    assert memo.knows("a")
    clock.advance(0.1)
    assert not memo.knows("a")


def test_names_have_times_of_their_own(clock: Clock) -> None:
    """A short-lived name that is remembered later goes before a long-lived one."""
    memo = Tally(clock)
    memo.remember("long", 1, 100)
    memo.remember("short", 1, 10)
    clock.advance(10)
    assert memo.knows("long")
    assert not memo.knows("short")


def test_remembering_again_begins_anew(clock: Clock) -> None:
    """The last `remember` decides how long."""
    memo = Tally(clock)
    memo.remember("a", 1, 10)
    clock.advance(9)
    memo.remember("a", 1, 10)
    clock.advance(9)
    assert memo.knows("a")
    clock.advance(1)
    assert not memo.knows("a")


def test_over_the_limit_the_oldest_goes(clock: Clock) -> None:
    """Memory is bounded; what was remembered longest ago, and not since, is forgotten first."""
    memo = Tally(clock, limit=3)
    for name in "abc":
        memo.remember(name, 1, 1000)
    memo.remember("a", 1, 1000)
    memo.remember("d", 1, 1000)
    assert [name for name in "abcd" if memo.knows(name)] == ["a", "c", "d"]
    for number in range(1000):
        memo.remember(str(number), 1, 1000)
    assert len(memo._held) == 3


def test_what_is_over_takes_no_room(clock: Clock) -> None:
    """With the next name everything goes whose time is over, so memory is what a lifetime brings."""
    memo = Tally(clock)
    for number in range(1000):
        memo.remember(f"a{number}", 1, 60)
        clock.advance(1)
    assert len(memo._held) <= 60
    clock.advance(60)
    memo.remember("b", 1, 0)
    assert len(memo._held) == 0
    memo.remember("c", 1, 60)
    assert memo.knows("c")


def test_the_default_limit(clock: Clock) -> None:
    """4,096 names fit, as documented."""
    memo = Tally(clock)
    for number in range(4097):
        memo.remember(str(number), 1, 1000)
    assert not memo.knows("0")
    assert memo.knows("1")
    assert memo.knows("4096")


def test_counting_within_a_window(clock: Clock) -> None:
    """The count includes this time, and the window begins with the first one and does not slide."""
    memo = Tally(clock)
    assert [memo.count("a", 60) for _ in range(3)] == [1, 2, 3]
    assert memo.count("b", 60) == 1
    clock.advance(59)
    assert memo.count("a", 60) == 4
    clock.advance(1)
    assert memo.count("a", 60) == 1


def test_the_first_of_many(clock: Clock) -> None:
    """A name is new once in its time, which begins with that once and does not slide; then again."""
    memo = Tally(clock)
    assert memo.first("a", 60)
    assert memo.first("b", 60)
    assert memo.knows("a")
    clock.advance(59)
    assert not memo.first("a", 60)
    clock.advance(0.9)
    assert not memo.first("a", 60)
    clock.advance(0.1)
    assert not memo.knows("a")
    assert memo.first("a", 60)
    assert not memo.first("a", 60)


def test_what_was_remembered_is_not_first(clock: Clock) -> None:
    """A name that is known from elsewhere is not new, until that time is over."""
    memo = Tally(clock)
    memo.remember("a", 1, 10)
    assert not memo.first("a", 600)
    clock.advance(10)
    assert memo.first("a", 600)


def test_of_many_at_once_one_is_first(clock: Clock) -> None:
    """Of a thousand who ask in sixteen threads, one hears that it is the first."""
    memo = Tally(clock)
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: memo.first("a", 60), range(1000))) == 1


def test_parallel_counts_lose_none(clock: Clock) -> None:
    """A thousand counts in sixteen threads are all the numbers from 1 to 1,000."""
    memo = Tally(clock)
    with ThreadPoolExecutor(16) as pool:
        counts = list(pool.map(lambda _: memo.count("a", 60), range(1000)))
    assert sorted(counts) == list(range(1, 1001))
