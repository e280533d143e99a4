"""What an owner reads when a Redis does not do what it is asked, of real servers and of bad ones."""

from collections.abc import Iterator

import pytest

from dev.upstash.valkey import Valkey
from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.store import reasons
from lib.tgauth.store.reasons import Reason
from lib.tgauth.store.redis import RedisStore
from tests.contract.tools import start_valkey
from tests.sockets import saying


@pytest.fixture(scope="module")
def changed() -> Iterator[Valkey]:
    """A server of these tests alone, whose settings they change."""
    with start_valkey() as valkey:
        valkey.run(
            "ACL", "SETUSER", "lacking", "on", ">pw", "~tgauth:*", "+hsetex", "+hgetex", "+multi", "+exec"
        )
        yield valkey


def refused(url: str) -> str:
    """Why /health is down there; the second time it is a connection that was there before."""
    store = RedisStore(url)
    try:
        for _ in range(2):
            with pytest.raises(StoreUnavailable) as caught:
                store.create("tgauth:test:1:h:x", {"h": "1"}, window=1, renew="h", ttl=1)
    finally:
        store._redis.close()
    return caught.value.reason


def said(reason: Reason, port: int, detail: str = "") -> str:
    return f"REDIS_URL: {reason.fill(f'127.0.0.1:{port}', detail).text}"


@pytest.mark.parametrize(
    ("setting", "address", "reason"),
    [
        ("", "{}/9", reasons.NO_DATABASE_NUMBER),
        ("", "nobody:pw@{}", reasons.PASSWORD_REFUSED),
        ("", "lacking:pw@{}", reasons.NO_RIGHT),
        ("requirepass pw", "{}", reasons.NO_PASSWORD),
        ("requirepass pw", "default:another@{}", reasons.PASSWORD_REFUSED),
        ("maxmemory 1", "{}", reasons.FULL),
        ("maxclients 1", "{}", reasons.CROWDED),
        ("maxclients 1", "default:pw@{}/1", reasons.CROWDED),
    ],
)
def test_a_real_server(changed: Valkey, setting: str, address: str, reason: Reason) -> None:
    """Each cause of a real server has words of its own, also where it hangs up afterwards."""
    name, _, value = setting.partition(" ")
    before = changed.run("CONFIG", "GET", name)[1] if name else b""
    if name:
        changed.run("CONFIG", "SET", name, value)
    try:
        found = refused(f"redis://{address.format(f'127.0.0.1:{changed.port}')}")
    finally:
        if name:
            changed.run("CONFIG", "SET", name, before)
    assert found == said(reason, changed.port)


def test_what_people_choose_steers_no_reason(changed: Valkey) -> None:
    """Of an error in a transaction the server's words count, and not the command's values beside them."""
    changed.run("SET", "tgauth:test:1:u:1", "mine")
    store = RedisStore(changed.url)
    with pytest.raises(StoreUnavailable) as caught:
        store.create("tgauth:test:1:u:1", {"s:a": "x caused error: OOM"}, window=1, renew="s:a", ttl=1)
    store._redis.close()
    assert caught.value.reason == said(reasons.FAILED, changed.port, "WRONGTYPE")


def test_a_replica(changed: Valkey) -> None:
    """A replica that only reads is told by what it says of itself."""
    changed.run("REPLICAOF", "127.0.0.1", "1")
    try:
        assert refused(changed.url) == said(reasons.REPLICA, changed.port)
    finally:
        changed.run("REPLICAOF", "NO", "ONE")


def test_a_server_without_tls(changed: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis without TLS waits for the rest of what it takes for a command: no connection in time."""
    monkeypatch.setattr("lib.tgauth.store.redis.WAIT_SECONDS", 0.2)
    assert refused(f"rediss://127.0.0.1:{changed.port}") == said(reasons.NO_CONNECTION, changed.port)


@pytest.mark.parametrize("start", ["redis://127.0.0.1:{}", "redis://default:pw@127.0.0.1:{}/1"])
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", reasons.LOADING),
        (b"-DENIED Redis is running in protected mode because\r\n", reasons.PROTECTED),
        (b"-ERR max number of clients reached\r\n", reasons.CROWDED),
        (b"-ERR nobody expected this\r\n", reasons.FAILED.fill(detail="ERR")),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", reasons.ANOTHER_PROTOCOL),
        (b"SSH-2.0-OpenSSH_9.2\r\n", reasons.ANOTHER_PROTOCOL),
        (b"", reasons.TLS_ONLY),
    ],
)
def test_what_is_said_before_hanging_up(words: bytes, reason: Reason, start: str) -> None:
    """A server that talks unasked and hangs up is quoted, whichever command was on the way."""
    with saying(words) as port:
        assert refused(start.format(port)) == said(reason, port)


@pytest.mark.parametrize("words", [b"-ERR canary\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_tls_to_a_port_without_it(words: bytes) -> None:
    """`rediss://` to what answers in plain text says so."""
    with saying(words) as port:
        assert refused(f"rediss://127.0.0.1:{port}") == said(reasons.NO_TLS, port)
