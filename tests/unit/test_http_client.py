"""Requests over connections that are kept (http_client.py, http_connection.py), and over TLS.

What broken answers mean is in store/test_upstash.py and in telegram/test_provider.py and test_membership.py.
"""

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import certifi
import pytest

from lib.tgauth import budget, http_client, http_connection
from lib.tgauth.http_client import AnswerCompressed, HttpClient
from lib.tgauth.http_connection import AnswerTooLong
from tests.certificates import Authority
from tests.sockets import dripping, full, resolving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """A server that says what it is told, whatever it is asked; `heard` is by connection."""

    def __init__(self, listener: socket.socket, wrap: Callable[[socket.socket], socket.socket]) -> None:
        self.listener, self._wrap = listener, wrap
        self.port = listener.getsockname()[1]
        self.heard: list[list[bytes]] = []
        self.says: list[bytes] = [OK]
        self.closes = False
        self.connections: list[socket.socket] = []
        self.ended = threading.Semaphore(0)

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=(self.listener.accept()[0],), daemon=True).start()

    def _answer(self, plain: socket.socket) -> None:
        with suppress(OSError), self._wrap(plain) as connection:
            heard: list[bytes] = []
            self.heard.append(heard)
            self.connections.append(connection)
            while asked := connection.recv(65_536):
                heard.append(asked)
                says = self.says.pop(0) if len(self.says) > 1 else self.says[0]
                connection.sendall(says)
                if self.closes:
                    break
        self.ended.release()


@contextmanager
def peer(
    wrap: Callable[[socket.socket], socket.socket] = lambda plain: plain,
    at: tuple[str, int] = ("127.0.0.1", 0),
) -> Iterator[Peer]:
    with socket.create_server(at) as listener:
        found = Peer(listener, wrap)
        thread = threading.Thread(target=found.serve, daemon=True)
        thread.start()
        yield found
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.fixture
def server() -> Iterator[Peer]:
    with peer() as found:
        yield found


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(seconds=2, max_bytes=10_000)
    yield made
    made.close()


def get(client: HttpClient, server: Peer, path: str = "/") -> tuple[int, bytes]:
    return client.send("GET", f"http://127.0.0.1:{server.port}{path}", {})


def test_what_is_sent(client: HttpClient, server: Peer) -> None:
    """A request is one piece, with the headers that were given and those that it needs, and no other."""
    url = f"http://127.0.0.1:{server.port}/path?query=1"
    assert client.send("POST", url, {"Authorization": "Bearer x"}, b"{}") == (200, b"ok")
    assert client.send("GET", f"http://127.0.0.1:{server.port}", {}) == (200, b"ok")
    ((posted, asked),) = server.heard
    head, _, body = posted.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    assert (first, body) == ("POST /path?query=1 HTTP/1.1", "{}")
    assert sorted(lines) == [
        "Accept-Encoding: identity",
        "Authorization: Bearer x",
        "Content-Length: 2",
        f"Host: 127.0.0.1:{server.port}",
        "User-Agent: tgauth",
    ]
    assert asked.startswith(b"GET / HTTP/1.1\r\n")


def test_nothing_of_the_machines_is_sent(
    client: HttpClient, server: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A proxy would see the secrets; a .netrc or an earlier answer's cookie would be somebody else's."""
    get(client, server)
    client.close()
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login canary password canary\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.says = [OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: canary=1; Path=/\r\n\r\n")]
    with peer() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        get(client, server)
        get(client, server)
        assert proxy.heard == []
    (plain,), again = server.heard
    assert again == [plain, plain]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(client: HttpClient, server: Peer, status: int) -> None:
    """Where a redirect leads nothing is sent: it is the answer, and has no meaning here."""
    head = b"HTTP/1.1 %d Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n"
    with peer() as other:
        server.says = [head % (status, other.port)]
        assert get(client, server) == (status, b"")
        assert [other.heard, len(server.heard[0])] == [[], 1]


def test_nobody_listens(client: HttpClient) -> None:
    """A connection that is refused is told at once."""
    with peer() as server:
        pass
    with pytest.raises(ConnectionRefusedError):
        get(client, server)


def test_a_connection_is_kept(client: HttpClient, server: Peer) -> None:
    """One thread after another uses one connection; two at once have two."""
    for _ in range(3):
        assert get(client, server) == (200, b"ok")
    assert [len(each) for each in server.heard] == [3]
    together = threading.Barrier(2)

    def ask(_: int) -> object:
        connection = client._take(http_connection.Server(False, "127.0.0.1", server.port))
        together.wait(5)
        client._give_back(http_connection.Server(False, "127.0.0.1", server.port), connection)
        return connection

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(ask, range(2)))) == 2


def test_an_old_connection_is_not_used(
    client: HttpClient, server: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After five idle seconds there is a new one, and those that waited longer are closed."""
    get(client, server)
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + http_client.IDLE_SECONDS - 1)
    get(client, server)
    assert len(server.heard) == 1
    monkeypatch.setattr(time, "monotonic", lambda: real() + 2 * http_client.IDLE_SECONDS)
    get(client, server)
    assert len(server.heard) == 2
    assert server.ended.acquire(timeout=5)


def test_a_connection_that_the_server_closed(client: HttpClient, server: Peer) -> None:
    """Whether it says so or not, the next request has a connection of its own and is not lost."""
    server.closes = True
    assert get(client, server) == (200, b"ok")
    assert server.ended.acquire(timeout=5)
    assert get(client, server) == (200, b"ok")
    assert server.ended.acquire(timeout=5)
    server.closes = False
    server.says = [OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")]
    assert get(client, server) == (200, b"ok")
    assert get(client, server) == (200, b"ok")
    assert [len(each) for each in server.heard] == [1, 1, 1, 1]


def test_without_a_length(client: HttpClient, server: Peer) -> None:
    """An answer may be as long as the connection, or in chunks."""
    server.closes = True
    server.says = [b"HTTP/1.1 200 OK\r\n\r\nto the end"]
    assert get(client, server) == (200, b"to the end")
    server.closes = False
    server.says = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]
    assert get(client, server) == (200, b"abc")
    assert get(client, server) == (200, b"abc")
    assert [len(each) for each in server.heard] == [1, 2]


@pytest.mark.parametrize("size", [1, 100, 20_000])
def test_what_nobody_asked_for_is_nobodys_answer(client: HttpClient, server: Peer, size: int) -> None:
    """When more comes than an answer, at once or a little later, the connection is given up."""
    stray = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray".ljust(size, b"x")[:size]
    server.says = [OK + stray, OK]
    assert get(client, server) == (200, b"ok")
    assert get(client, server) == (200, b"ok")
    assert [len(each) for each in server.heard] == [1, 1]
    server.connections[1].sendall(stray)
    assert get(client, server) == (200, b"ok")
    assert [len(each) for each in server.heard] == [1, 1, 1]


@pytest.mark.parametrize(
    "says",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nok\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/1.1",
        b"no HTTP\r\n\r\n",
        b"",
    ],
)
def test_half_an_answer_is_none(client: HttpClient, server: Peer, says: bytes) -> None:
    """What breaks off is an error, and the next request is not answered with the rest."""
    server.closes = True
    server.says = [says, OK]
    with pytest.raises((OSError, http_client.HTTPException)):
        get(client, server)
    assert get(client, server) == (200, b"ok")


def test_half_of_the_headers(client: HttpClient, server: Peer) -> None:
    """Python's client takes them for all, but no body comes with them, and no empty body is an answer."""
    server.closes = True
    server.says = [b"HTTP/1.1 200 OK\r\nContent-"]
    assert get(client, server) == (200, b"")


def test_limits(client: HttpClient, server: Peer) -> None:
    """Headers count, too; one byte more than the limit is too many, and the limit is each answer's."""
    server.says = [b"HTTP/1.1 200 OK\r\nX: %s\r\nContent-Length: 2\r\n\r\nok" % (b"x" * 9_955)]
    assert len(server.says[0]) == 10_000
    for _ in range(2):
        assert get(client, server) == (200, b"ok")
    client.max_bytes = 9_999
    with pytest.raises(AnswerTooLong):
        get(client, server)
    client.max_bytes = 10_000
    for encoding in (b"gzip", b"deflate", b"br", b"x-unknown", b"gzip, gzip"):
        server.says = [b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: 2\r\n\r\nok" % encoding]
        with pytest.raises(AnswerCompressed):
            get(client, server)
    server.says = [b"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\nok"]
    assert get(client, server) == (200, b"ok")


@pytest.mark.parametrize("length", [10_001, 10**17, 10**30])
def test_an_announced_length_over_the_limit(client: HttpClient, server: Peer, length: int) -> None:
    """It is refused before memory is asked for; as much as is taken may be announced."""
    server.says = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nok" % length]
    with pytest.raises(AnswerTooLong):
        get(client, server)


def test_an_endless_answer_is_cut(client: HttpClient) -> None:
    """It is refused when the limit is reached, and not when it is over."""
    with dripping(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000) as port, pytest.raises(AnswerTooLong):
        client.send("GET", f"http://127.0.0.1:{port}/", {})


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
    ],
    ids=["status", "headers", "body", "body of a length"],
)
def test_the_deadline_is_for_the_whole_answer(client: HttpClient, beginning: bytes) -> None:
    """Bytes that keep coming do not prolong the wait, whatever they are part of."""
    client.seconds = 0.3
    started = time.monotonic()
    with dripping(beginning) as port, pytest.raises(TimeoutError):
        client.send("GET", f"http://127.0.0.1:{port}/", {})
    assert 0.29 < time.monotonic() - started < 1


def test_no_more_time_than_the_request_has(client: HttpClient, server: Peer) -> None:
    """What is left of the client's request is all there is, also for a connection that is there already."""
    get(client, server)
    server.says = [b""]
    budget.start(0.2)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        get(client, server)
    assert 0.19 < time.monotonic() - started < 1
    with pytest.raises(TimeoutError):
        get(client, server)
    budget.stop()
    assert len(server.heard) == 1


def test_an_address_that_does_not_answer_is_not_the_last(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has half of the time, so that there is some for the next one."""
    client.seconds = 1
    with full() as port, peer(at=("127.0.0.2", port)) as server:
        monkeypatch.setattr(socket, "getaddrinfo", resolving(port, "127.0.0.1", "127.0.0.2"))
        started = time.monotonic()
        assert client.send("GET", f"http://store.example:{port}/", {}) == (200, b"ok")
        assert time.monotonic() - started > 0.49
        assert len(server.heard) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "/path",
        "//host",
        "ftp://host",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://h:x",
        "http://h:99999",
    ],
)
def test_what_is_no_url(client: HttpClient, url: str) -> None:
    """Only http and https, with a host, lead anywhere."""
    with pytest.raises(ValueError):  # noqa: PT011 (its text is nobody's concern)
        client.send("GET", url, {})


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb"])
def test_a_header_is_one_line(client: HttpClient, server: Peer, value: str) -> None:
    """Nothing that goes into a header or a path makes two of it."""
    with pytest.raises(ValueError):  # noqa: PT011
        client.send("GET", f"http://127.0.0.1:{server.port}/", {"Authorization": value})
    with pytest.raises((ValueError, http_client.HTTPException)):
        client.send("GET", f"http://127.0.0.1:{server.port}/ {value}", {})
    assert [line for heard in server.heard for line in heard] == []


# TLS


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """The one that this test's clients trust."""
    made = Authority(tmp_path)
    monkeypatch.setattr(certifi, "where", lambda: str(made.file))
    http_connection._tls.cache_clear()
    yield made
    http_connection._tls.cache_clear()


def wrapping(context: ssl.SSLContext) -> Callable[[socket.socket], socket.socket]:
    return lambda plain: context.wrap_socket(plain, server_side=True)


def test_tls(authority: Authority, client: HttpClient) -> None:
    """An encrypted connection is made once, speaks HTTP/1.1, and is kept; a stray answer ends it."""
    with peer(wrapping(authority.context("127.0.0.1"))) as server:
        url = f"https://127.0.0.1:{server.port}/"
        for _ in range(3):
            assert client.send("POST", url, {}, b"{}") == (200, b"ok")
        assert len(server.heard) == 1
        (connection,) = server.connections
        assert isinstance(connection, ssl.SSLSocket)
        assert connection.version() == "TLSv1.3"
        assert connection.selected_alpn_protocol() == "http/1.1"
        server.says = [OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray", OK]
        assert client.send("GET", url, {}) == (200, b"ok")
        assert client.send("GET", url, {}) == (200, b"ok")
        assert len(server.heard) == 2


def test_a_large_answer_over_tls(authority: Authority, client: HttpClient) -> None:
    """Records are read to their end, and what is left of the last one is no answer either."""
    client.max_bytes = 1 << 20
    with peer(wrapping(authority.context("127.0.0.1"))) as server:
        url = f"https://127.0.0.1:{server.port}/"
        body = b"x" * 300_000
        server.says = [b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + body]
        assert client.send("GET", url, {}) == (200, body)
        # An answer as long as what is read at once: the rest of its record is decrypted and not yet read.
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
        long = b"z" * (io.DEFAULT_BUFFER_SIZE - len(head % 8000))
        for begun, (stray, answer) in enumerate(((OK, b"ok"), (head % len(long) + long, long)), 2):
            server.says = [stray + b"y" * 5_000, OK]
            assert client.send("GET", url, {}) == (200, answer)
            assert client.send("GET", url, {}) == (200, b"ok")
            assert len(server.heard) == begun


def test_a_host_of_several_addresses_over_tls(
    authority: Authority, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate is looked at for the name, not for the address that answered."""
    with peer(wrapping(authority.context("store.example"))) as server:
        monkeypatch.setattr(socket, "getaddrinfo", resolving(server.port, "127.0.0.9", "127.0.0.1"))
        assert client.send("GET", f"https://store.example:{server.port}/", {}) == (200, b"ok")
        with pytest.raises(ssl.SSLCertVerificationError):
            client.send("GET", f"https://other.example:{server.port}/", {})
        assert [line.split(b"\r\n")[1] for (line,) in server.heard] == [
            b"Host: store.example:%d" % server.port
        ]


def test_whom_nobody_vouches_for(authority: Authority, client: HttpClient, tmp_path: Path) -> None:
    """Another name, another authority, a certificate that is over: nothing is sent there."""
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other")
    for context in (
        authority.context("127.0.0.2"),
        authority.context("localhost"),
        authority.context("127.0.0.1", days=-1),
        stranger.context("127.0.0.1"),
    ):
        with peer(wrapping(context)) as server:
            with pytest.raises(ssl.SSLCertVerificationError):
                client.send("POST", f"https://127.0.0.1:{server.port}/", {}, b"secret")
            assert server.heard == []


def test_ssl_cert_file_changes_nothing(
    client: HttpClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upstash and Telegram need a public authority's certificate, whatever SSL_CERT_FILE trusts for Redis."""
    private = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(private.file))
    http_connection._tls.cache_clear()
    with peer(wrapping(private.context("127.0.0.1"))) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            client.send("POST", f"https://127.0.0.1:{server.port}/", {}, b"secret")
        assert server.heard == []


def test_the_authorities_of_a_deployment() -> None:
    """The context trusts certifi's authorities alone, looks at names, and begins with TLS 1.2."""
    http_connection._tls.cache_clear()
    context = http_connection._tls()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname is True
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) > 100
    assert http_connection._tls() is context


def test_a_handshake_that_never_ends(client: HttpClient, authority: Authority) -> None:
    """It has what is left of the request's time."""
    client.seconds = 0.3

    def silent(plain: socket.socket) -> socket.socket:
        while plain.recv(1000):
            pass
        return plain

    with peer(silent) as server:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            client.send("GET", f"https://127.0.0.1:{server.port}/", {})
        assert 0.29 < time.monotonic() - started < 1.5


def test_a_handshake_has_what_connecting_left(
    client: HttpClient, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that took long leaves a slow handshake no new time."""
    client.seconds = 1
    real = socket.create_connection

    def slow(*address: Any) -> socket.socket:
        time.sleep(0.7)
        return real(*address)

    monkeypatch.setattr(socket, "create_connection", slow)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            client.send("GET", f"https://127.0.0.1:{silent.getsockname()[1]}/", {})
        assert time.monotonic() - started < 1.6


def test_an_address_without_a_handshake_is_not_the_last(
    authority: Authority, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is connected to and then says nothing has half of the time, too."""
    client.seconds = 1
    with (
        peer(wrapping(authority.context("store.example"))) as server,
        socket.create_server(("127.0.0.2", server.port)),
    ):
        monkeypatch.setattr(socket, "getaddrinfo", resolving(server.port, "127.0.0.2", "127.0.0.1"))
        started = time.monotonic()
        assert client.send("GET", f"https://store.example:{server.port}/", {}) == (200, b"ok")
        assert time.monotonic() - started > 0.49


def test_plain_where_tls_is_asked_for(client: HttpClient, authority: Authority) -> None:
    """A server that speaks no TLS gets no request."""
    with peer() as server:
        with pytest.raises(ssl.SSLError):
            client.send("POST", f"https://127.0.0.1:{server.port}/", {}, b"secret")
        assert b"secret" not in b"".join(line for heard in server.heard for line in heard)
