"""Redis over TCP (lib/tgauth/store/redis.py): what its client's errors mean to the owner."""

import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from redis import SSLConnection, exceptions
from redis._parsers.base import BaseParser

from lib.tgauth import budget, log
from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.store import reasons
from lib.tgauth.store.base import StoreFull, Unanswered
from lib.tgauth.store.reasons import Reason
from lib.tgauth.store.redis import WAIT_SECONDS, RedisStore
from tests.certificates import Authority
from tests.contract.tools import lacks
from tests.docs.markdown import blocks
from tests.sockets import answering_twice, dripping, full, redis_over_tls, resolving

ROOT = Path(__file__).parents[3]

URL = "redis://canary-user:canary-password@127.0.0.1:6379"


class Client:
    """In place of redis-py's: raises, and remembers what it was asked."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.sent: list[Any] = []

    def _outcome(self, answer: Any) -> Any:
        error = self.errors.pop(0) if len(self.errors) > 1 else self.errors[0]
        if error:
            raise error
        return answer

    def execute_command(self, *command: Any) -> Any:
        self.sent.append(command)
        listed = command[0] in ("HGETEX", "HGETDEL")
        return self._outcome(["1"] if listed else 1 if command[0] == "HDEL" else "1")

    def pipeline(self, *, transaction: bool) -> "Pipeline":
        return Pipeline(self, transaction)


class Pipeline:
    """Collects commands as redis-py's does."""

    def __init__(self, client: Client, transaction: bool) -> None:
        self.client = client
        self.commands: list[Any] = ["MULTI" if transaction else "PIPELINE"]

    def execute_command(self, *command: Any) -> None:
        self.commands.append(command)

    def execute(self) -> Any:
        self.client.sent.append(self.commands)
        return self.client._outcome([1, ["1"], {"s:a": "1"}][4 - len(self.commands) :])


def store_with(*errors: Exception | None) -> tuple[RedisStore, Client]:
    """A store whose client meets these outcomes in turn; None is a good answer."""
    store, client = RedisStore(URL), Client(*errors)
    store.close()
    store._redis = client
    return store, client


def create(store: RedisStore) -> Any:
    return store.create("k", {"s:a": "1"}, window=60, renew="s:a", ttl=900)


def told(text: str) -> Exception:
    """What redis-py raises for an error that a server answers."""
    error: Exception = BaseParser.parse_error(text)
    return error


SAID = {
    "WRONGPASS invalid username-password pair or user is disabled.": reasons.PASSWORD_REFUSED,
    "ERR invalid password": reasons.PASSWORD_REFUSED,
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
    "configuration is correct?": reasons.NEEDLESS_PASSWORD,
    "ERR Client sent AUTH, but no password is set": reasons.NEEDLESS_PASSWORD,
    "NOAUTH Authentication required.": reasons.NO_PASSWORD,
    "NOPERM this user has no permissions to run the 'hsetex' command": reasons.NO_RIGHT,
    "NOPERM No permissions to access a key": reasons.NO_RIGHT,
    "READONLY You can't write against a read only replica.": reasons.REPLICA,
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.": reasons.ORPHAN,
    "OOM command not allowed when used memory > 'maxmemory'.": reasons.FULL,
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist on disk.":
        reasons.NO_DISK,
    "LOADING Redis is loading the dataset in memory": reasons.LOADING,
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.": reasons.BUSY,
    "NOREPLICAS Not enough good replicas to write.": reasons.FEW_REPLICAS,
    "ERR DB index is out of range": reasons.NO_DATABASE_NUMBER,
    "ERR SELECT is not allowed in cluster mode": reasons.NO_DATABASE_NUMBER,
    "ERR max number of clients reached": reasons.CROWDED,
    "DENIED Redis is running in protected mode because protected mode is enabled": reasons.PROTECTED,
    "MOVED 3999 127.0.0.1:6381": reasons.CLUSTER,
    "ASK 3999 127.0.0.1:6381": reasons.CLUSTER,
    "CLUSTERDOWN Hash slot not served": reasons.CLUSTER,
    "CROSSSLOT Keys in request don't hash to the same slot": reasons.CLUSTER,
    "ERR unknown command 'HGETEX', with args beginning with: 'canary'": reasons.TOO_OLD,
    "WRONGTYPE canary": reasons.FAILED.fill(detail="WRONGTYPE"),
    "EXECABORT canary": reasons.FAILED.fill(detail="EXECABORT"),
    "ERR canary": reasons.FAILED.fill(detail="ERR"),
    "canary: what is this": reasons.FAILED.fill(detail="ERR"),
}  # fmt: skip
"""Errors as Redis and Valkey write them."""


Meant = tuple[Exception, type[StoreUnavailable], Reason]
ERRORS: list[Meant] = [
    *(
        (told(text), StoreFull if reason.cause == "store_full" else StoreUnavailable, reason)
        for text, reason in SAID.items()
    ),
    (exceptions.ConnectionError("canary"), Unanswered, reasons.TLS_ONLY),
    (exceptions.TimeoutError("Timeout connecting to server"), Unanswered, reasons.NO_CONNECTION),
    (
        exceptions.InvalidResponse("Protocol Error: b'HTTP/1.1 400 canary'"),
        Unanswered,
        reasons.ANOTHER_PROTOCOL,
    ),
    (exceptions.InvalidResponse("Protocol Error: b'\\x15\\x03\\x03'"), Unanswered, reasons.TLS_ONLY),
    (OSError("canary"), Unanswered, reasons.UNUSABLE.fill(detail="OSError")),
    (
        UnicodeDecodeError("utf-8", b"canary", 0, 1, "canary"),
        Unanswered,
        reasons.UNUSABLE.fill(detail="UnicodeDecodeError"),
    ),
    (RuntimeError("canary"), Unanswered, reasons.UNUSABLE.fill(detail="RuntimeError")),
]
EACH = pytest.mark.parametrize(("error", "kind", "reason"), ERRORS, ids=lambda value: type(value).__name__)


@EACH
def test_errors_say_what_to_do(error: Exception, kind: type[StoreUnavailable], reason: Reason) -> None:
    """Each of redis-py's errors is of one kind and names the fix, in our words only."""
    for call in (create, lambda s: s.delete("k", "s:a"), lambda s: s.take("k", "s:a")):
        store, _ = store_with(error)
        with pytest.raises(StoreUnavailable) as caught:
            call(store)
        assert type(caught.value) is kind
        assert caught.value.reason == f"REDIS_URL: {reason.fill('127.0.0.1:6379').text}"
        assert caught.value.cause == reason.cause
        assert "canary" not in f"{caught.value} {caught.value!r} {log.stack(caught.value.__traceback__)}"
        assert caught.value.__suppress_context__


@EACH
def test_what_is_repeated(error: Exception, kind: type[StoreUnavailable], reason: Reason) -> None:
    """A single command without an answer is sent once more, a transaction and what was refused are not."""
    store, client = store_with(error, None)
    if kind is Unanswered:
        assert store.delete("k", "s:a") == 1
        assert client.sent == [("HDEL", "k", "s:a")] * 2
    else:
        with pytest.raises(kind):
            store.delete("k", "s:a")
        assert len(client.sent) == 1
    for once, command in ((create, "MULTI"), (lambda s: s.take("k", "s:a"), "HGETDEL")):
        store, client = store_with(error, None)
        with pytest.raises(kind):
            once(store)
        assert len(client.sent) == 1
        assert client.sent[0][0] == command


def refusing_port() -> int:
    """A port of this machine where nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_nobody_listens() -> None:
    """A server that is not there is told by host and port, without user and password, and at once."""
    store = RedisStore(f"redis://canary-user:canary-password@127.0.0.1:{refusing_port()}")
    calls: list[Callable[[], Any]] = [
        lambda: create(store),
        lambda: store.read("k", "s:a"),
        lambda: store.check("k"),
    ]
    started = time.monotonic()
    for call in calls:
        with pytest.raises(StoreUnavailable) as caught:
            call()
        shown = [f"{caught.value} {caught.value!r}"]
        behind: BaseException | None = caught.value
        while behind is not None:
            shown += log.stack(behind.__traceback__)
            behind = behind.__context__
        assert not [text for text in shown if "canary" in text]
        assert "127.0.0.1" in caught.value.reason
        assert caught.value.cause == "store_unreachable"
    assert time.monotonic() - started < 1
    assert "canary" not in f"{store} {store!r}"


def test_a_server_that_says_nothing() -> None:
    """A connection that is taken and never answered ends after the wait, once for a create."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = RedisStore(f"redis://127.0.0.1:{silent.getsockname()[1]}?socket_timeout=0.2")
        started = time.monotonic()
        with pytest.raises(Unanswered, match="did not answer in time"):
            create(store)
        assert 0.15 < time.monotonic() - started < 1
        store.close()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """A request that may take so long, and takes it, and fails."""
    budget.start(seconds)
    started = time.monotonic()
    try:
        with pytest.raises(StoreUnavailable):
            yield
    finally:
        budget.stop()
    # It ends: a machine under load may be late, and without the limit it would not end at all.
    assert seconds - 0.05 < time.monotonic() - started < seconds + 1.5


@pytest.mark.parametrize(("scheme", "beginning"), [("redis", b"$"), ("rediss", b"\x16\x03\x03\x10\x00")])
def test_a_server_that_drips(scheme: str, beginning: bytes) -> None:
    """Bytes that keep coming prolong no wait; a request has its time and no more."""
    with dripping(beginning) as port:
        store = RedisStore(f"{scheme}://127.0.0.1:{port}")
        for call in (create, lambda store: store.renew("k", "s:a", 60)):
            with within(0.3):
                call(store)
        store.close()


def test_addresses_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses a name has, connecting takes no longer than the request has time."""
    with full() as port:
        monkeypatch.setattr(socket, "getaddrinfo", resolving(port, *["127.0.0.1"] * 20))
        store = RedisStore("redis://canary.example?socket_connect_timeout=0.15")
        with within(0.4):
            create(store)
        store.close()


def test_an_answer_that_is_left_over_is_nobodys() -> None:
    """A connection on which a server said more than it was asked serves no other request."""
    with answering_twice() as port:
        store = RedisStore(f"redis://127.0.0.1:{port}")
        assert [store.read("k", field) for field in ("one", "two", "three")] == ["one", "two", "three"]
        store.close()


def test_waits() -> None:
    """A wait is limited so that a second attempt has time, within the request's; nothing else retries."""
    assert 2 * WAIT_SECONDS <= budget.SECONDS < 3
    store = RedisStore(URL)
    options = store._redis.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (WAIT_SECONDS, WAIT_SECONDS)
    assert options["retry"].get_retries() == 0
    assert options["decode_responses"] is True


@pytest.mark.parametrize(("scheme", "encrypted"), [("redis", False), ("rediss", True)])
def test_rediss_is_encrypted_and_checked(scheme: str, encrypted: bool) -> None:
    """`rediss://` is TLS with the certificate and its host name checked, which a URL's query cannot undo."""
    store = RedisStore(f"{scheme}://:p@redis.example:6380")
    connection = store._redis.connection_pool.make_connection()
    assert isinstance(connection, SSLConnection) is encrypted
    if encrypted:
        assert connection.check_hostname is True
        assert connection.cert_reqs.name == "CERT_REQUIRED"


def private(folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Authority:
    """An authority that nobody trusts but this process, by SSL_CERT_FILE."""
    authority = Authority(folder, **options)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


def checked(port: int) -> None:
    """Ask this server as a new instance does."""
    store = RedisStore(f"rediss://127.0.0.1:{port}")
    try:
        store.read("k", "s:a")
    finally:
        store.close()


def test_a_private_authority_is_trusted_by_ssl_cert_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authority in SSL_CERT_FILE is trusted, for the certificate's host alone; without it, nobody is."""
    authority = private(tmp_path, monkeypatch)
    refusal = pytest.raises(Unanswered, match=r"the certificate of 127\.0\.0\.1:[0-9]+ is not accepted")
    with redis_over_tls(authority.context("127.0.0.2")) as port, refusal:
        checked(port)
    with redis_over_tls(authority.context("127.0.0.1")) as port:
        checked(port)
        monkeypatch.delenv("SSL_CERT_FILE")
        with refusal:
            checked(port)


STRICT = {
    "Missing Authority Key Identifier": x509.AuthorityKeyIdentifier,
    "Missing Subject Key Identifier": x509.SubjectKeyIdentifier,
    "CA cert does not include key usage extension": x509.KeyUsage,
    "invalid CA certificate": x509.BasicConstraints,
}
"""What OpenSSL says where a certificate lacks this; docs/REDIS_SETUP.md quotes it."""


@pytest.mark.parametrize("said", STRICT)
def test_what_python_3_13_asks_of_certificates(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of these extensions must be there from 3.13 on; the guides quote what OpenSSL says otherwise."""
    authority = private(tmp_path, monkeypatch, without=[STRICT[said]])
    with redis_over_tls(authority.context("127.0.0.1")) as port:
        if sys.version_info < (3, 13):
            checked(port)
        else:
            with pytest.raises(Unanswered, match=said):
                checked(port)
        strict = ssl.create_default_context()
        strict.verify_flags |= ssl.VERIFY_X509_STRICT
        with socket.create_connection(("127.0.0.1", port)) as plain, pytest.raises(ssl.SSLError) as caught:
            strict.wrap_socket(plain, server_hostname="127.0.0.1")
        assert said in str(caught.value)
    for document in ("docs/REDIS_SETUP.md", "docs/ru/REDIS_SETUP.md"):
        assert f"`{said}`" in (ROOT / document).read_text("utf-8"), document


def test_the_guides_certificates_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority and a certificate made by the guide's commands pass as strict a look as Python 3.13's."""
    if not shutil.which("openssl"):
        lacks("openssl is not installed")
    text = (ROOT / "docs/REDIS_SETUP.md").read_text("utf-8")
    (script,) = [block for language, block in blocks(text) if language == "sh" and "-x509_strict" in block]
    done = subprocess.run(["sh", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "redis.pem: OK\n"), done.stderr
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "redis.pem", tmp_path / "redis.key")
    with redis_over_tls(context) as port:
        monkeypatch.setattr(socket, "getaddrinfo", resolving(port, "127.0.0.1"))
        store = RedisStore(f"rediss://redis.example.com:{port}")
        store.read("k", "s:a")
        store.close()
