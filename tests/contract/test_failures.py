"""What could not be carried out is `StoreUnavailable`, and never looks like a miss."""

import socket
from collections.abc import Callable, Iterator

import pytest

from dev.upstash.faults import Fault, FaultKind
from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.store.base import Store, Unanswered
from lib.tgauth.store.redis import RedisStore
from lib.tgauth.store.upstash import UpstashStore

KEY = "tgauth:test:1:u:42"

OPERATIONS: dict[str, Callable[[Store], object]] = {
    "create": lambda store: store.create(KEY, {"s:b": "1"}, window=10, renew="s:b", ttl=100),
    "renew": lambda store: store.renew(KEY, "s:a", 100),
    "read": lambda store: store.read(KEY, "s:a"),
    "put": lambda store: store.put(KEY, {"s:a": "2"}, 100),
    "take": lambda store: store.take(KEY, "s:a"),
    "delete": lambda store: store.delete(KEY, "s:a"),
    "show": lambda store: store.show(KEY, "s:a", 100),
    "remaining": lambda store: store.remaining(KEY, "s:a"),
    "revoke": lambda store: store.revoke(KEY, "s:a", mark="r", value="1", window=10),
    "count": lambda store: store.count("tgauth:test:1:u:", "s:", "x:"),
}

each = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


@pytest.fixture(scope="module", params=["upstash", "redis"])
def gone(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store whose server does not listen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    if request.param == "upstash":
        store: UpstashStore | RedisStore = UpstashStore(f"http://127.0.0.1:{port}", "token")
    else:
        store = RedisStore(f"redis://127.0.0.1:{port}/0")
    yield store
    store.close()


@pytest.fixture
def full(valkey: Valkey) -> Iterator[Valkey]:
    """A server that has no room to write once `CONFIG SET maxmemory 1` is run on it."""
    yield valkey
    valkey.run("CONFIG", "SET", "maxmemory", "0")


@each
def test_no_server(gone: Store, operation: Callable[[Store], object]) -> None:
    """Nobody answers, so nobody knows."""
    with pytest.raises(Unanswered):
        operation(gone)


@each
def test_somebody_elses_key(remote: Store, valkey: Valkey, operation: Callable[[Store], object]) -> None:
    """A key that is no hash is an error of every operation, and stays as it is."""
    valkey.run("SET", KEY, "mine")
    with pytest.raises(StoreUnavailable):
        operation(remote)
    assert valkey.run("GET", KEY) == b"mine"


def test_a_full_server_still_verifies_and_logs_out(remote: Store, full: Valkey) -> None:
    """Without room nothing is made or changed, but sessions are read and deleted."""
    assert remote.create(KEY, {"s:a": "1"}, window=10, renew="s:a", ttl=100)[0]
    full.run("CONFIG", "SET", "maxmemory", "1")
    for name in ("create", "put", "revoke"):
        with pytest.raises(StoreUnavailable, match="full"):
            OPERATIONS[name](remote)
    assert remote.renew(KEY, "s:a", 100) == "1"
    assert remote.read(KEY, "s:a") == "1"
    assert remote.remaining(KEY, "s:a") == [100]
    assert remote.delete(KEY, "s:a") == 1
    assert remote.renew(KEY, "s:a", 100) is None


def test_a_full_server_still_gives_what_it_has(remote: Store, full: Valkey) -> None:
    """Without room a value can be taken, and only once."""
    assert remote.create(KEY, {"code": "1"}, window=10, renew="code", ttl=100)[0]
    full.run("CONFIG", "SET", "maxmemory", "1")
    assert remote.take(KEY, "code") == "1"
    assert remote.take(KEY, "code") is None


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", ["500", "drop", "truncated"])
def test_a_value_is_asked_for_once(
    upstash_store: UpstashStore, upstash: Upstash, valkey: Valkey, kind: FaultKind, after: bool
) -> None:
    """Where the answer is lost nobody asks again: what was taken would then look as if it never was."""
    OPERATIONS["create"](upstash_store)
    upstash.fail(Fault(kind, after=after))
    before = upstash.requests
    with pytest.raises(Unanswered):
        upstash_store.take(KEY, "s:b")
    assert upstash.requests == before + 1
    assert upstash_store.take(KEY, "s:b") == (None if after else "1")


def test_a_replica_does_not_decide(redis_store: RedisStore, valkey: Valkey) -> None:
    """With a replica's URL everything says what is wrong: one that lags does not know who is logged in."""
    OPERATIONS["create"](redis_store)
    valkey.run("REPLICAOF", "127.0.0.1", "1")
    try:
        for name in ("create", "renew", "put", "take", "delete", "revoke"):
            with pytest.raises(StoreUnavailable, match="replica"):
                OPERATIONS[name](redis_store)
    finally:
        valkey.run("REPLICAOF", "NO", "ONE")


def test_a_closed_connection_is_made_anew(redis_store: RedisStore, valkey: Valkey) -> None:
    """What the server has closed since the last call costs nobody a login, which is sent only once."""
    for name in ("create", "show"):
        redis_store.read(KEY, "s:a")
        assert valkey.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        OPERATIONS[name](redis_store)
