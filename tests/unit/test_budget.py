"""The time of a request (lib/budget.py)."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib import budget


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


def test_outside_a_request_there_is_no_limit() -> None:
    """A thread that serves nobody, before or after, may take its time."""
    budget.start()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(budget.remaining).result() == float("inf")
    budget.stop()
    assert budget.remaining() == float("inf")
