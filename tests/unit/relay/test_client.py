"""A preview asks production whose login a code is (relay/client.py), on a server of our own."""

import gzip
import json
import socket
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lib.tgauth import budget, log
from lib.tgauth.errors import IdentityProviderUnavailable, LoginRejected, Misconfigured
from lib.tgauth.relay import client as relay_client
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram import http
from lib.tgauth.telegram.transaction import begin
from lib.tgauth.user import TelegramUser

NOW = 1_800_000_000
HOST = "myapp-1x2y3z-myteam.vercel.app"
CODE = f"{HOST}~canary-code"
SECRET = "canary-relay-secret-0123456789-01"
USER = {"id": 77123456, "first_name": "CanaryFirst"}
WHOLE = {
    "id": (1 << 52) - 1,
    "first_name": "Иван «Ваня» 🦊",
    "last_name": "O'Neil & Sons <b>",
    "username": "canary_username",
    "photo_url": "https://t.me/i/userpic/320/canary_photo.jpg",
    "language_code": "ru",
    "is_premium": True,
    "allows_write_to_pm": False,
    "sub": "1234567890123456789",
    "phone_number": "8880007123456",
}


class Handler(BaseHTTPRequestHandler):
    """Answers with what the server is told to."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.command, self.path, self.headers, body))
        reply = self.server.reply
        if callable(reply):
            self.close_connection = True
            reply(self)
            return
        status, value, headers = (*reply, {})[:3]
        sent = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Length": str(len(sent)), **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST

    def log_message(self, *_):
        """Stay silent."""


class Server(ThreadingHTTPServer):
    """Production, as far as a preview sees it."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        self.reply = (200, {"user": USER})

    def handle_error(self, *_):
        """A client that hangs up is no news."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


def served():
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


@pytest.fixture(scope="module")
def running():
    server = served()
    yield server
    server.shutdown()
    server.server_close()
    http._client.close()


@pytest.fixture
def production(running):
    """The server, which says that everybody is `USER`."""
    running.seen.clear()
    running.reply = (200, {"user": USER})
    yield running
    budget.stop()


@pytest.fixture
def soon(monkeypatch):
    """A login's time is short."""
    monkeypatch.setattr(http._client, "seconds", 0.3)


def preview(url, **env):
    return read_settings(
        {
            "TELEGRAM_BOT_TOKEN": "123456789:AAE-test",
            "AUTH_SECRET": "s" * 32,
            "AUTH_RELAY_SECRET": SECRET,
            "AUTH_RELAY_URL": url,
            "VERCEL_ENV": "preview",
            **env,
        }
    )


def redeemed(url, transaction=None, origin=f"https://{HOST}", **env):
    settings = preview(url, **env)
    transaction = transaction or begin(settings, return_to="/", now=NOW)[0]
    return relay_client.ask_production(CODE, transaction, settings=settings, origin=origin)


def unavailable(url):
    """Why it counts as no answer."""
    with pytest.raises(IdentityProviderUnavailable) as caught:
        redeemed(url)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    for secret in ("canary", "127.0.0.1", HOST, SECRET):
        assert secret not in caught.value.reason
    return caught.value.reason


def test_what_is_asked(production):
    """One POST to production's relay with code, verifier and our host, and with nothing else of ours."""
    transaction, _ = begin(preview(production.url), return_to="/", now=NOW)
    redeemed(production.url, transaction)
    ((method, path, headers, body),) = production.seen
    assert (method, path) == ("POST", "/telegram/relay")
    assert json.loads(body) == {"code": CODE, "verifier": transaction.verifier, "host": HOST}
    assert headers["Content-Type"] == "application/json"
    assert headers["Accept-Encoding"] == "identity"
    assert not {"cookie", "authorization", "origin", "referer"} & {name.lower() for name in headers}
    assert SECRET not in str(headers) + body.decode()


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://a.example.com:8443", "a.example.com:8443"),
        ("http://preview.localhost:3001", "preview.localhost:3001"),
    ],
)
def test_the_host_is_the_origins(production, origin, host):
    """What production compares with the ticket: the port belongs to it, the scheme does not."""
    redeemed(production.url, origin=origin)
    assert json.loads(production.seen[0][3])["host"] == host


def test_who_it_is(production):
    """The user as production knows them, every field of it, and the proof of a login by relay, used once."""
    production.reply = (200, {"user": WHOLE})
    settings = preview(production.url)
    transaction, _ = begin(settings, return_to="/", now=NOW)
    user, proof = relay_client.ask_production(CODE, transaction, settings=settings, origin=f"https://{HOST}")
    assert user == TelegramUser(**WHOLE)
    assert user.to_json() == WHOLE
    assert (proof.method, proof.one_time, proof.issued_at) == ("relay", True, NOW)
    assert proof.check_string == transaction.proof.check_string
    assert proof.window == transaction.proof.window


def test_a_newer_production_may_say_more(production):
    """Previews of an older version go on working: what they do not know is left out."""
    production.reply = (200, {"user": {**USER, "stars": 5}, "canary": [1]})
    assert redeemed(production.url)[0] == TelegramUser(**USER)


WRONG_USERS = {
    "nobody": None,
    "a list": [USER],
    "text": "canary",
    "a number": 77123456,
    "nothing in it": {},
    "no id": {"first_name": "canary"},
    "id is text": {**USER, "id": "77123456"},
    "id is true": {**USER, "id": True},
    "id is a fraction": {**USER, "id": 77123456.0},
    "id is null": {**USER, "id": None},
    "id is zero": {**USER, "id": 0},
    "id is negative": {**USER, "id": -77123456},
    "id has over 52 bits": {**USER, "id": 1 << 52},
    "id has over 64 bits": {**USER, "id": 1 << 64},
}


@pytest.mark.parametrize("user", WRONG_USERS.values(), ids=WRONG_USERS)
def test_what_is_no_user_is_nobody(production, user):
    """Nothing is coerced, and no id that Telegram does not have gets any further."""
    production.reply = (200, {"user": user})
    unavailable(production.url)


@pytest.mark.parametrize(
    "said",
    [
        *({}, {"first_name": ""}, {"first_name": None}, {"first_name": 5}, {"first_name": "\ud83e"}),
        *({"last_name": 5}, {"username": {}}, {"photo_url": True}, {"language_code": ["ru"]}),
        *({"is_premium": "true"}, {"allows_write_to_pm": 1}, {"sub": 5}, {"phone_number": 8880007123456}),
    ],
    ids=str,
)
def test_what_is_not_known_of_a_user(production, said):
    """Whom production names logs in with what is known; a value of another type counts as absent."""
    production.reply = (200, {"user": {"id": 77123456, **said}})
    assert redeemed(production.url)[0] == TelegramUser(77123456, "")


def cut(handler):
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"user": {"id"')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


GOOD = json.dumps({"user": USER}).encode()
UNUSABLE = {
    "no user": (200, {}),
    "a list": (200, [{"user": USER}]),
    "text": (200, "canary"),
    "null": (200, None),
    "a number": (200, 5),
    "nothing": (200, b""),
    "HTML": (200, b"<html>canary</html>", {"Content-Type": "text/html"}),
    "half": (200, GOOD[:-2]),
    "two": (200, GOOD + GOOD),
    "not UTF-8": (200, b'{"user": {"id": 1, "first_name": "\xff"}}'),
    "deep": (200, b"[" * 60_000),
    "deep user": (200, b'{"user":' * 7_000),
    "NaN": (200, b'{"user": {"id": NaN, "first_name": "canary"}}'),
    "long number": (200, b'{"user": {"id": ' + b"9" * 5000 + b', "first_name": "canary"}}'),
    "huge": (200, GOOD[:-1] + b" " * (http.MAX_ANSWER + 1) + b"}"),
    "gzip": (200, gzip.compress(GOOD), {"Content-Encoding": "gzip"}),
    "gzip that is none": (200, GOOD, {"Content-Encoding": "gzip"}),
    "201": (201, {"user": USER}),
    "204": (204, b""),
    "206": (206, {"user": USER}),
    "401": (401, {"code": "unauthenticated"}),
    "401 HTML": (401, b"<html>canary: authentication required</html>"),
    "403": (403, b"<html>canary</html>"),
    "404": (404, {"code": "not_found"}),
    "405": (405, {"code": "method_not_allowed"}),
    "413": (413, {"code": "body_too_large"}),
    "429": (429, b"canary", {"Retry-After": "60"}),
    "500": (500, {"code": "internal"}),
    "500 with a user": (500, {"user": USER}),
    "502": (502, b"<html>canary</html>"),
    "503": (503, {"code": "shared_store_required"}),
    "cut": cut,
    "hangs up": lambda handler: handler.connection.shutdown(socket.SHUT_RDWR),
    "no HTTP": lambda handler: handler.wfile.write(b"canary\r\n\r\n"),
}


@pytest.mark.parametrize("reply", UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_answer(production, reply):
    """Whatever else production says, it is asked once, and nobody is logged in for it."""
    production.reply = reply
    unavailable(production.url)
    assert len(production.seen) == 1


@pytest.mark.parametrize(
    "body",
    [{"code": "invalid_grant"}, {"code": "malformed_request"}, {"user": USER}, b"<html>canary</html>", b""],
)
def test_a_refusal(production, body):
    """400, whatever it comes with, is a code that is not good."""
    production.reply = (400, body)
    with pytest.raises(LoginRejected) as caught:
        redeemed(production.url)
    assert "canary" not in caught.value.reason
    assert len(production.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(production, status):
    """A redirect would take code and verifier to somewhere else."""
    other = served()
    for body in (b"", {"user": USER}):
        production.reply = (status, body, {"Location": f"{other.url}/telegram/relay"})
        unavailable(production.url)
    assert other.seen == []
    other.shutdown()
    other.server_close()


def test_the_largest_answer(production):
    """Up to the limit an answer is read, whatever it is made of."""
    room = http.MAX_ANSWER - 1000
    production.reply = (200, GOOD[:-1] + b" " * (room - len(GOOD)) + b"}")
    assert redeemed(production.url)[0].id == USER["id"]


def drip(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD))
    for byte in GOOD:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.05)


def trickle(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(60):
        handler.wfile.write(b"X-%d: y\r\n" % number)
        handler.wfile.flush()
        time.sleep(0.05)


@pytest.mark.parametrize("slow", [drip, trickle, lambda _: time.sleep(1.5)], ids=["body", "headers", "all"])
def test_a_slow_production(production, soon, slow):
    """Bytes that keep coming do not prolong the wait."""
    production.reply = slow
    started = time.monotonic()
    unavailable(production.url)
    assert 0.25 < time.monotonic() - started < 0.7


def test_nobody_listens():
    """A production that is down is told at once."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    started = time.monotonic()
    unavailable(f"http://127.0.0.1:{port}")
    assert time.monotonic() - started < 2
    budget.stop()


def test_without_an_address():
    """The owner is told which variable is missing."""
    with pytest.raises(Misconfigured, match=r"^AUTH_RELAY_URL: "):
        redeemed("")
    budget.stop()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy(production, monkeypatch, name):
    """A proxy in the environment, which would see code and verifier, is not used."""
    http._client.close()
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        assert redeemed(production.url)[0].id == USER["id"]


def test_cookies_are_not_kept(production):
    """What production sets in one person's login does not go out with another's."""
    production.reply = (200, {"user": USER}, {"Set-Cookie": "canary=1; Path=/"})
    for _ in range(2):
        redeemed(production.url)
    assert [headers.get("Cookie") for _, _, headers, _ in production.seen] == [None, None]


def test_threads_do_not_mix(production):
    """Logins at the same moment get each their own user."""

    def by_host(handler):
        asked = json.loads(next(b for *_, h, b in production.seen[::-1] if h is handler.headers))
        sent = json.dumps({"user": {"id": int(asked["host"][1:]), "first_name": "x"}}).encode()
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        handler.wfile.write(head % len(sent) + sent)

    production.reply = by_host
    found = {}

    def work(number):
        found[number] = redeemed(production.url, origin=f"https://h{number}")[0].id

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == {number: number for number in range(1, 17)}


def test_no_traceback_shows_a_secret(production):
    """What an error tracker prints of a failure has no code, verifier, address or answer."""
    production.reply = (500, b"canary-answer")
    settings = preview(production.url)
    transaction, _ = begin(settings, return_to="/", now=NOW)
    for reply in ((500, b"canary-answer"), (200, b"canary-answer"), cut, (400, b"canary-answer")):
        production.reply = reply
        with pytest.raises((IdentityProviderUnavailable, LoginRejected)) as caught:
            relay_client.ask_production(CODE, transaction, settings=settings, origin=f"https://{HOST}")
        shown = "".join(traceback.format_exception(caught.value)) + str(log.stack(caught.value.__traceback__))
        for secret in (CODE, transaction.verifier, production.url, "canary-answer", SECRET):
            assert secret not in shown
