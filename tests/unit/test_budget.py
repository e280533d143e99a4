"""The time of a request (lib/tgauth/budget.py)."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.tgauth import budget
from lib.tgauth.errors import StoreUnavailable


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, in a list of one."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_request_has_what_is_left_of_its_time(clock: list[float]) -> None:
    """Waiting uses it up, and it never goes below nothing."""
    budget.start()
    assert budget.remaining() == pytest.approx(budget.SECONDS)
    clock[0] += 2
    assert budget.remaining() == pytest.approx(budget.SECONDS - 2)
    clock[0] += 2
    assert budget.remaining() == 0
    budget.stop()


def test_a_part_of_a_request_may_have_a_time_of_its_own(clock: list[float]) -> None:
    """What takes longer, or comes after something else, begins anew with the seconds that it is given."""
    budget.start()
    clock[0] += 2
    budget.start(5)
    assert budget.remaining() == pytest.approx(5)
    clock[0] += 4.5
    assert budget.remaining() == pytest.approx(0.5)
    clock[0] += 1
    assert budget.remaining() == 0
    budget.start()
    assert budget.remaining() == pytest.approx(budget.SECONDS)
    budget.stop()


def test_threads_have_budgets_of_their_own(clock: list[float]) -> None:
    """A request that begins in one thread takes nothing from another's."""
    budget.start(1)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(budget.start, 5).result()
        assert pool.submit(budget.remaining).result() == pytest.approx(5)
    assert budget.remaining() == pytest.approx(1)
    budget.stop()


def test_outside_a_request_there_is_no_limit() -> None:
    """A thread that serves nobody, before or after, may take its time."""
    budget.start()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(budget.remaining).result() == float("inf")
    budget.stop()
    assert budget.remaining() == float("inf")


def test_a_request_has_its_time_and_no_longer(clock: list[float]) -> None:
    """It begins with it, and after it, or an error, there is no limit again."""

    def fails() -> None:
        with budget.request():
            assert budget.remaining() == pytest.approx(budget.SECONDS)
            raise StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        fails()
    assert budget.remaining() == float("inf")


def test_a_request_inside_of_another_has_what_is_left_of_that(clock: list[float]) -> None:
    """It neither gets more time, nor ends the other's."""
    with budget.request():
        clock[0] += 2
        with budget.request():
            assert budget.remaining() == pytest.approx(budget.SECONDS - 2)
        assert budget.remaining() == pytest.approx(budget.SECONDS - 2)
    assert budget.remaining() == float("inf")
