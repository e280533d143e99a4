"""What an owner reads when a Redis does not do what it is asked, of real servers and of bad ones."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dev.upstash.valkey import Valkey
from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.store import reasons
from lib.tgauth.store.reasons import Reason
from lib.tgauth.store.redis import RedisStore
from tests.certificates import Authority
from tests.contract.tools import start_valkey
from tests.sockets import redis_over_tls, saying

CASE = Path(__file__).parents[1] / "cases/platform/06_redis_errors.json"


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
        store.close()
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
    store.close()
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


@contextmanager
def own_authority(folder: Path) -> Iterator[tuple[int, str]]:
    with redis_over_tls(Authority(folder).context("127.0.0.1")) as port:
        yield port, f"rediss://127.0.0.1:{port}"


@contextmanager
def tls_only(folder: Path) -> Iterator[tuple[int, str]]:
    with redis_over_tls(Authority(folder).context("127.0.0.1")) as port:
        yield port, f"redis://127.0.0.1:{port}"


@contextmanager
def loading(_: Path) -> Iterator[tuple[int, str]]:
    with saying(b"-LOADING Redis is loading the dataset in memory\r\n") as port:
        yield port, f"redis://127.0.0.1:{port}"


@contextmanager
def no_database(_: Path) -> Iterator[tuple[int, str]]:
    with start_valkey() as valkey:
        yield valkey.port, f"redis://127.0.0.1:{valkey.port}/9"


CASES: dict[str, tuple[Callable[..., object], Reason]] = {
    "TLS with a self-signed": (own_authority, reasons.CERTIFICATE),
    "TLS only": (tls_only, reasons.TLS_ONLY),
    "'-LOADING": (loading, reasons.LOADING),
    "'-ERR DB index": (no_database, reasons.NO_DATABASE_NUMBER),
}


@pytest.mark.parametrize(
    "case", json.loads(CASE.read_text("utf-8"))["cases"], ids=lambda case: case["server"]
)
def test_four_causes_four_texts(case: dict[str, str], tmp_path: Path) -> None:
    """What used to be one text for four causes names each, and what to do about it."""
    build, reason = next(row for start, row in CASES.items() if case["server"].startswith(start))
    with ExitStack() as stack:
        port, url = stack.enter_context(build(tmp_path))  # type: ignore[arg-type]
        found = refused(url)
    beginning, _, end = said(reason, port, "|").partition("|")
    assert found.startswith(beginning)
    assert found.endswith(end)
