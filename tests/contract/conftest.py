"""Every store there is, behind one fixture: the suite is written once."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from lib.tgauth.store.base import Store
from lib.tgauth.store.memory import MemoryStore
from lib.tgauth.store.redis import RedisStore
from lib.tgauth.store.upstash import UpstashStore
from tests.clock import Clock
from tests.contract.tools import start_valkey


@dataclass(frozen=True)
class Subject:
    """A store under test, how to let its time pass (seconds), and a way to have it without data again."""

    store: Store
    advance: Callable[[float], None]
    fresh: Callable[[], Store]


class _YieldingClock(Clock):
    """Lets another thread run whenever it is read, or a missing lock in memory would hardly ever show."""

    def __call__(self) -> float:
        time.sleep(0)
        return super().__call__()


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[Valkey]:
    with start_valkey(faked_time=True) as server:
        yield server


@pytest.fixture
def valkey(shared_valkey: Valkey) -> Valkey:
    """A Valkey without data, whose time only tests move."""
    shared_valkey.flush()
    return shared_valkey


@pytest.fixture(scope="session")
def upstash(shared_valkey: Valkey) -> Iterator[Upstash]:
    """The REST server that `upstash_store` uses."""
    with Upstash(shared_valkey.port) as server:
        yield server


@pytest.fixture(scope="session")
def upstash_store(upstash: Upstash) -> Iterator[UpstashStore]:
    store = UpstashStore(upstash.url, upstash.token)
    yield store
    store.close()


@pytest.fixture(scope="session")
def redis_store(shared_valkey: Valkey) -> Iterator[RedisStore]:
    store = RedisStore(shared_valkey.url)
    yield store
    store.close()


@pytest.fixture(params=["upstash_store", "redis_store"], ids=["upstash", "redis"])
def remote(request: pytest.FixtureRequest, valkey: Valkey) -> Store:
    """An empty store behind a network; `valkey` is what it keeps its data in."""
    return _alive(request.getfixturevalue(request.param))


@pytest.fixture(params=["memory", "upstash", "redis"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """An empty store of each kind in turn."""
    if request.param == "memory":
        clock = _YieldingClock()
        return Subject(MemoryStore(clock), clock.advance, lambda: MemoryStore(clock))
    valkey: Valkey = request.getfixturevalue("valkey")
    store = _alive(request.getfixturevalue(f"{request.param}_store"))

    def fresh() -> Store:
        valkey.flush()
        return store

    return Subject(store, valkey.advance, fresh)


def _alive(store: Store) -> Store:
    """A store remembers for a while that a call has failed; no test is to see that of another one."""
    store.read("-", "-")
    return store
