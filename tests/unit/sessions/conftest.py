"""A deployment's sessions on a store that counts, in a time that the test moves."""

import pytest

from lib.tgauth.sessions.service import SessionService
from tests.clock import Clock
from tests.unit.sessions.logins import WatchedStore, service


@pytest.fixture
def clock() -> Clock:
    """Time that stands still."""
    return Clock()


@pytest.fixture
def store(clock: Clock) -> WatchedStore:
    """The store that all instances share."""
    return WatchedStore(clock)


@pytest.fixture
def sessions(clock: Clock, store: WatchedStore) -> SessionService:
    """One instance of a deployment with a shared store."""
    return service(clock, store)
