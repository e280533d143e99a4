"""Upstash over REST (lib/tgauth/store/upstash.py), against a server of a few lines."""

import inspect
import itertools
import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from upstash_redis import Redis

from lib.tgauth import log
from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.store import reasons
from lib.tgauth.store.base import Count, StoreFull, Unanswered
from lib.tgauth.store.pulse import Pulse
from lib.tgauth.store.reasons import Reason
from lib.tgauth.store.upstash import ATTEMPT_SECONDS, MAX_ANSWER, UpstashStore
from tests.sockets import full, resolving

TOKEN = "canary-rest-token"

Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]] | Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with the server's replies in turn; the last one is repeated."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.seen.append((self.command, self.path, dict(self.headers), json.loads(body)))
            replies = self.server.replies
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if callable(reply):
            reply(self)
            return
        status, value, headers = (*reply, {})[:3]
        sent = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Length": str(len(sent)), **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    replies: list[Reply]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []

    def reply(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.seen.clear()

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def encode(value: Any) -> Any:
    """As Upstash does with `Upstash-Encoding: base64`."""
    if isinstance(value, str):
        return b64encode(value.encode()).decode()
    return [encode(item) for item in value] if isinstance(value, list) else value


def result(value: Any) -> Reply:
    return 200, {"result": encode(value)}


def results(*values: Any) -> Reply:
    return 200, [{"result": encode(value)} for value in values]


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server(running: Server) -> Server:
    """The server, which answers PONG until it is told otherwise."""
    running.reply(result("PONG"))
    return running


@pytest.fixture(scope="module")
def client(running: Server) -> Iterator[UpstashStore]:
    store = UpstashStore(running.url, TOKEN)
    yield store
    store._http.close()


@pytest.fixture
def store(client: UpstashStore, server: Server) -> UpstashStore:
    """A store on the server, with its usual limits and nothing known of the server's health."""
    client._pulse = Pulse()
    client._http.seconds, client._http.max_bytes = ATTEMPT_SECONDS, MAX_ANSWER
    return client


def create(store: UpstashStore) -> Any:
    return store.create("k", {"s:a": "1"}, window=60, renew="s:a", ttl=900)


WAYS: dict[str, tuple[Callable[[UpstashStore], Any], list[str], list[Reply]]] = {
    "a command": (lambda s: s.renew("k", "s:a", 900), ["/"], [result(["Жук 🦊"])]),
    "a transaction": (create, ["/multi-exec"], [results(1, ["1"], ["s:a", "1"])]),
    "a pipeline": (
        lambda s: s.count("u:", "s:", "x:"),
        ["/", "/", "/pipeline"],
        [result(2), result(["0", ["u:1", "u:2"]]), results(["s:a", "r"], ["s:b", "s:c"])],
    ),
}


@pytest.mark.parametrize(("call", "paths", "replies"), WAYS.values(), ids=WAYS)
def test_requests(
    server: Server,
    store: UpstashStore,
    call: Callable[[UpstashStore], Any],
    paths: list[str],
    replies: list[Reply],
) -> None:
    """Whatever is sent is a POST to one of three addresses, with the token in its header alone."""
    server.reply(*replies)
    assert call(store) in ("Жук 🦊", (True, {"s:a": "1"}), Count(2, 3, exact=True))
    assert [asked for _, asked, _, _ in server.seen] == paths
    for method, asked, headers, body in server.seen:
        assert method == "POST"
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        assert headers["Upstash-Encoding"] == "base64"
        assert headers["Accept-Encoding"] == "identity"
        assert not [name for name in headers if "telemetry" in name.lower() or "sync" in name.lower()]
        assert TOKEN not in asked + json.dumps(body)


def test_no_byte_too_many(server: Server, store: UpstashStore) -> None:
    """What is sent is the shortest JSON: names in Cyrillic are not spelled out."""
    server.reply(result(1))
    store.put("k", {"s:a": "Жук"}, 900)
    ((_, _, headers, body),) = server.seen
    assert int(headers["Content-Length"]) == len('["HSETEX","k","EX",900,"FIELDS",1,"s:a","Жук"]'.encode())
    assert body[-1] == "Жук"


ERRORS = [
    (401, "WRONGPASS invalid or missing auth token", reasons.TOKEN_REFUSED),
    (401, "WRONGPASS invalid username-password pair or user is disabled", reasons.TOKEN_REFUSED),
    (401, "Unauthorized", reasons.TOKEN_REFUSED),
    (
        400,
        "NOPERM this user has no permissions to run the 'hsetex' command or its subcommand",
        reasons.READ_ONLY_TOKEN,
    ),
    (400, "ERR max requests limit exceeded. Limit: 500000, Usage: 500000.", reasons.MONTH),
    (400, "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.", reasons.DAY),
    (400, "ERR Command is not available: 'HSETEX'.", reasons.TOO_OLD),
    (400, "ERR unknown command 'HSETEX', with args beginning with: 'canary'", reasons.TOO_OLD),
    (400, "ERR DB capacity quota exceeded", reasons.FULL),
    (400, "OOM command not allowed when used memory > 'maxmemory'.", reasons.FULL),
    (
        400,
        "ERR DB connection timed-out or wrong username-password given. Please try again",
        reasons.STALE,
    ),
    (400, "ERR canary something else", reasons.FAILED.fill(detail="ERR")),
    (400, "ERR unknown command 'HSETEX', with args beginning with: 'OOM WRONGPASS'", reasons.TOO_OLD),
]


@pytest.mark.parametrize(("status", "text", "reason"), ERRORS)
def test_errors_say_what_to_do(
    server: Server, store: UpstashStore, status: int, text: str, reason: Reason
) -> None:
    """Upstash's errors, with their status or under 200, one or several, become the owner's fix."""
    error = {"error": text}
    whole = ((status, error), (200, error))
    for call, replies in ((create, (*whole, (200, [error] * 3))), (lambda s: s.read("k", "s:a"), whole)):
        for reply in replies:
            server.reply(reply)
            with pytest.raises(StoreUnavailable) as caught:
                call(store)
            assert caught.value.reason == f"UPSTASH_REDIS_REST_URL: {reason.text}"
            assert caught.value.cause == reason.cause
            assert isinstance(caught.value, StoreFull) == (reason is reasons.FULL)
            assert not isinstance(caught.value, Unanswered)
            assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, reasons.TOKEN_REFUSED),
        (403, reasons.FORBIDDEN),
        (404, reasons.NO_PAGE),
        (429, reasons.TOO_MANY),
        (500, reasons.TROUBLE.fill(detail="500")),
    ],
)
@pytest.mark.parametrize("body", [{"error": "canary"}, {"message": "canary"}, b"canary"], ids=repr)
def test_what_a_status_means_alone(
    server: Server, store: UpstashStore, status: int, reason: Reason, body: Any
) -> None:
    """Where the words that come with a status are not known, the status tells what to do."""
    server.reply((status, body))
    for call in (create, lambda s: s.read("k", "s:a")):
        with pytest.raises(StoreUnavailable) as caught:
            call(store)
        assert caught.value.reason == f"UPSTASH_REDIS_REST_URL: {reason.text}"


def test_known_words_count_under_500(server: Server, store: UpstashStore) -> None:
    """What the database says of a transaction is told, although Upstash calls it trouble of its own."""
    server.reply((500, {"error": "NOPERM canary"}))
    with pytest.raises(StoreUnavailable) as caught:
        create(store)
    assert caught.value.cause == "store_rights"


def test_one_error_in_a_transaction_is_an_error(server: Server, store: UpstashStore) -> None:
    """Where one command of several failed, nothing of the answer is used."""
    good = [{"result": 1}, {"result": [encode("1")]}, {"result": [encode("s:a"), encode("1")]}]
    for at in range(3):
        server.reply((200, [*good[:at], {"error": "WRONGTYPE canary"}, *good[at + 1 :]]))
        with pytest.raises(StoreUnavailable):
            create(store)


CASES = json.loads((Path(__file__).parents[2] / "cases/platform/13_upstash_4xx.json").read_text("utf-8"))[
    "cases"
]
SAID = {
    "Too Many Requests": "Upstash answered 429; wait, or raise the database's plan",
    "404 page not found": "Upstash answered 404; there is no REST at this address, copy the REST URL",
    "<html>blocked</html>": (
        "Upstash answered 403; look at the database's allowed addresses, and copy the REST URL again"
    ),
    '{"error":"ERR DB connection timed-out or wrong username-password given. Please try again"}': (
        "Upstash itself cannot log in to the database; reset its credentials in Upstash's console and set"
        " the new token"
    ),
    '{"error":"DB connection refused"}': (
        "Upstash cannot reach the database; wait, and look at the database's page at Upstash"
    ),
}


@pytest.mark.parametrize("case", CASES, ids=[case["body"] for case in CASES])
def test_what_upstash_says_without_json(server: Server, store: UpstashStore, case: dict[str, Any]) -> None:
    """A status without a word of the database's is said; what Upstash cannot do just now is asked again."""
    server.reply((case["status"], case["body"].encode()))
    with pytest.raises(StoreUnavailable) as caught:
        store.read("k", "s:a")
    assert caught.value.reason == f"UPSTASH_REDIS_REST_URL: {SAID[case['body']]}"
    assert len(server.seen) == (1 if "wrong username" in case["body"] else 2)


@pytest.mark.parametrize(
    "value", ["canary", "abcd=", "{}", '{"f":"Ivan"}', "YWJj ZGVm", "YWJj\n", "YQ", "/w=="]
)
def test_what_is_not_base64_is_no_miss(server: Server, store: UpstashStore, value: str) -> None:
    """Text in another form than was asked for is 503: read as something else, it would log somebody out."""
    for call, reply in (
        (lambda s: s.renew("k", "s:a", 900), (200, {"result": [value]})),
        (lambda s: s.read("k", "s:a"), (200, {"result": value})),
        (create, (200, [{"result": 1}, {"result": [encode("1")]}, {"result": [encode("s:a"), value]}])),
    ):
        server.reply(reply)
        with pytest.raises(StoreUnavailable, match="not of the form"):
            call(store)


UNUSABLE: dict[str, Reply] = {
    "500": (500, {"error": "canary"}),
    "500 with a result": (500, {"result": None}),
    "502 HTML": (502, b"<html>canary</html>"),
    "503 list": (503, [{"result": 1}]),
    "404 HTML": (404, b"<html>canary</html>"),
    "429 text": (429, b"Too many requests"),
    "401 no error": (401, {"message": "canary"}),
    "200 HTML": (200, b"<html>canary</html>"),
    "200 nothing": (200, b""),
    "200 null": (200, None),
    "200 number": (200, 5),
    "200 text": (200, "canary"),
    "200 no result": (200, {}),
    "200 message": (200, {"message": "canary"}),
    "no base64": (200, {"result": "canary!!!"}),
    "no UTF-8": (200, {"result": "//8="}),
    "an object": (200, {"result": {"a": "b"}}),
    "a fraction": (200, {"result": 1.5}),
    "204": (204, b""),
    "not UTF-8": (200, b'{"result": "\xff"}'),
    "cut": (200, b'{"result": ', {}),
    "deep": (200, b"[" * 100_000),
    "gzip that is none": (200, b"canary", {"Content-Encoding": "gzip"}),
    "hangs up": lambda handler: handler.connection.shutdown(socket.SHUT_RDWR),
    "hangs up in the body": lambda handler: (
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"result":'),
        handler.wfile.flush(),
        handler.connection.shutdown(socket.SHUT_RDWR),
        None,
    )[-1],
    "no HTTP": lambda handler: (handler.wfile.write(b"canary\r\n\r\n"), None)[1],
}


@pytest.mark.parametrize("reply", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_answers(server: Server, store: UpstashStore, reply: Reply) -> None:
    """No answer, or one that is none, is StoreUnavailable in our words, and never a miss."""
    server.reply(reply)
    for call, most in (
        (create, 1),
        (lambda s: s.take("k", "s:a"), 1),
        (lambda s: s.read("k", "s:a"), 2),
        (lambda s: s.renew("k", "s", 1), 2),
    ):
        server.seen.clear()
        with pytest.raises(StoreUnavailable) as caught:
            call(store)
        assert "canary" not in str(caught.value)
        assert 1 <= len(server.seen) <= most
    server.reply(result("1"))
    assert store.read("k", "s:a") == "1"


@pytest.mark.parametrize("hiccup", [(502, b"<html>"), (500, {"error": "ERR internal"}), (503, b"")])
def test_a_read_is_tried_twice(server: Server, store: UpstashStore, hiccup: Reply) -> None:
    """One hiccup is bridged by the one retry, at once."""
    server.reply(hiccup, result("1"))
    started = time.monotonic()
    assert store.read("k", "s:a") == "1"
    assert len(server.seen) == 2
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("status", [400, 404, 307, 201, 206])
def test_a_bad_status_is_no_answer(server: Server, store: UpstashStore, status: int) -> None:
    """Whatever looks like an answer under another status than 200 is none."""
    for call, value in (
        (create, [{"result": 1}, {"result": [encode("1")]}, {"result": [encode("s:a"), encode("1")]}]),
        (lambda s: s.read("k", "s:a"), {"result": None}),
    ):
        server.reply((status, value))
        with pytest.raises(StoreUnavailable):
            call(store)


def test_redirects_are_not_followed(server: Server, store: UpstashStore) -> None:
    """A redirect would take the token to somewhere else: nothing is asked there."""
    with Server() as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        other.reply(result("1"))
        for status, body in itertools.product((301, 302, 303, 307, 308), (b"", {"result": None})):
            server.reply((status, body, {"Location": f"{other.url}/"}))
            with pytest.raises(StoreUnavailable):
                store.read("k", "s:a")
            with pytest.raises(StoreUnavailable):
                create(store)
        assert other.seen == []
        other.shutdown()


def drip(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(200):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.02)


def trickle_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(200):
        handler.wfile.write(b"X-%d: y\r\n" % number)
        handler.wfile.flush()
        time.sleep(0.02)


@pytest.mark.parametrize(
    "slow", [drip, trickle_headers, lambda _: time.sleep(2)], ids=["body", "headers", "all"]
)
def test_the_deadline_is_for_the_whole_request(
    server: Server, store: UpstashStore, slow: Callable[[Handler], None]
) -> None:
    """Bytes that keep coming do not prolong a request; a read is tried twice, a create once."""
    store._http.seconds = 0.1
    server.reply(slow)
    for call, least, most in ((create, 0.1, 0.3), (lambda s: s.read("k", "s:a"), 0.2, 0.5)):
        started = time.monotonic()
        with pytest.raises(Unanswered):
            call(store)
        assert least - 0.01 <= time.monotonic() - started < most


def test_addresses_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses a name has, connecting to them has the time of one request."""
    with full() as port:
        monkeypatch.setattr(socket, "getaddrinfo", resolving(port, *["127.0.0.1"] * 3))
        store = UpstashStore(f"http://canary.example:{port}", TOKEN)
        store._http.seconds = 0.4
        started = time.monotonic()
        with pytest.raises(Unanswered, match="did not answer in time"):
            create(store)
        assert 0.39 < time.monotonic() - started < 0.7
        store._http.close()


def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that nobody knows is a server that did not answer."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    store = UpstashStore("https://canary.example", TOKEN)
    for call in (create, lambda s: s.read("k", "s:a")):
        with pytest.raises(Unanswered):
            call(store)
    store._http.close()


def test_an_address_that_refuses_is_not_the_last(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one of a name's addresses does not answer, another one does."""
    port = server.server_address[1]
    monkeypatch.setattr(socket, "getaddrinfo", resolving(port, "127.0.0.9", "127.0.0.1"))
    store = UpstashStore(f"http://canary.example:{port}", TOKEN)
    server.reply(result("1"))
    assert store.read("k", "s:a") == "1"
    store._http.close()


def test_a_deadline_is_for_one_request(server: Server, store: UpstashStore) -> None:
    """Each request begins with its whole time and size, however long the store has been there."""
    store._http.seconds = 0.3
    server.reply(result("x" * 100))
    store._http.max_bytes = 1000
    for _ in range(20):
        assert store.read("k", "s:a") == "x" * 100
        time.sleep(0.02)


def test_an_endless_answer_is_cut(server: Server, store: UpstashStore) -> None:
    """An answer over its limit is refused when the limit is reached, not when it is over."""
    written: list[int] = []

    def flood(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for number in range(1500):
            handler.wfile.write(b" " * 65_536)
            written.append(number)

    store._http.max_bytes = 100_000
    server.reply(flood)
    with pytest.raises(Unanswered):
        create(store)
    assert len(written) < 200


def test_limits() -> None:
    """An operation takes two attempts at most and then has 3 seconds; an answer has 1 MiB."""
    assert 2 * ATTEMPT_SECONDS < 3
    assert MAX_ANSWER == 1024 * 1024
    store = UpstashStore("https://canary.upstash.io", TOKEN)
    assert (store._http.seconds, store._http.max_bytes) == (ATTEMPT_SECONDS, MAX_ANSWER)
    store._http.close()


def test_a_long_answer_within_the_limit(server: Server, store: UpstashStore) -> None:
    """A user with many large records is read whole."""
    held = {f"s:{number}": "x" * 2000 for number in range(250)}
    server.reply(results(["1"], [part for pair in held.items() for part in pair]))
    assert store.show("k", "s:1", 900) == ("1", held)


def test_threads_share_a_store(server: Server, store: UpstashStore) -> None:
    """Every thread has a deadline of its own, and connections pass from one to the other."""
    server.reply(result("1"))
    found: list[Any] = []

    def work() -> None:
        for _ in range(10):
            found.append(store.read("k", "s:a"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == ["1"] * 80


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_goes_round_the_deadline(server: Server, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A proxy in the environment, which would see the token, is not used."""
    monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    store = UpstashStore(server.url, TOKEN)
    server.reply(result("1"))
    assert store.read("k", "s:a") == "1"
    assert len(server.seen) == 1
    store._http.close()


def unused_port() -> int:
    """A port of this machine where nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


LEAKS: dict[str, tuple[str, str]] = {
    "nobody listens": ("http://127.0.0.1:{port}", TOKEN),
    "header injection": ("http://127.0.0.1:{port}", f"{TOKEN}\r\nX: y"),
    "no header value": ("http://127.0.0.1:{port}", f"{TOKEN}\x00"),
    "no ASCII": ("http://127.0.0.1:{port}", f"{TOKEN}ж"),
    "no TLS there": ("https://127.0.0.1:{port}", TOKEN),
}


@pytest.mark.parametrize(("url", "token"), LEAKS.values(), ids=LEAKS)
def test_no_error_shows_where_or_with_what(url: str, token: str) -> None:
    """Neither the reason nor what the log prints of it and of those behind it has token or whole URL."""
    url = url.format(port=unused_port())
    store = UpstashStore(url, token)
    for call in (create, lambda s: s.read("k", "s:a"), lambda s: s.check("k")):
        with pytest.raises(StoreUnavailable) as caught:
            call(store)
        shown = [str(caught.value), repr(caught.value), caught.value.reason]
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        behind: BaseException | None = caught.value
        while behind is not None:
            shown += log.stack(behind.__traceback__)
            behind = behind.__context__
        for secret in (TOKEN, url):
            assert [text for text in shown if secret in text] == []
    assert "canary" not in f"{store!r} {store}"
    store._http.close()


def test_what_is_replaced_is_there() -> None:
    """What upstash-redis's client begins with and lib/tgauth/store/upstash.py does not, no command uses."""
    own = Redis("https://canary.upstash.io", TOKEN, allow_telemetry=False, read_your_writes=False)
    ours = UpstashStore("https://canary.upstash.io", TOKEN)._redis
    assert set(vars(own)) - set(vars(ours)) == {"_allow_telemetry", "_json", "_search", "_sync_token"}
    for name in ("_url", "_headers", "_read_your_writes"):
        assert getattr(own, name) == getattr(ours, name)
    wanted = inspect.signature(type(own._http).execute)
    assert list(wanted.parameters) == list(inspect.signature(type(ours._http).execute).parameters)
    own.close()
