"""Every store there is, behind one fixture: the suite is written once."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lib.store.base import Store
from lib.store.memory import MemoryStore
from tests.clock import Clock


@dataclass(frozen=True)
class Subject:
    """A store under test, and how to let its time pass (seconds)."""

    store: Store
    advance: Callable[[float], None]


@pytest.fixture(params=["memory"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """An empty store of each kind in turn."""
    clock = Clock()
    return Subject(MemoryStore(clock), clock.advance)
