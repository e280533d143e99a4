"""Each function in Vercel's runtime, a process of its own: a session made in one is known in the others."""

import json
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dev.telegram.signing import sign_init_data, sign_widget
from dev.vercel.proxy import CLIENT_IP, HOST, Response
from dev.vercel.runtime import Function
from tests.wire.conftest import AUTH_SECRET, BOT_TOKEN, COOKIE, ENV, ORIGIN, StartFunction

PAGE = {"sec-fetch-site": "same-origin", "origin": ORIGIN}
JSON = {"content-type": "application/json"}
FUNCTIONS = {
    "health": "GET",
    "telegram/start": "POST",
    "telegram/callback": "GET",
    "telegram/login": "POST",
    "telegram/verify": "GET",
    "telegram/refresh": "POST",
    "telegram/logout": "POST",
    "telegram/relay": "POST",
    "telegram/sessions": "GET",
    "stats": "GET",
}
SECURITY = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=63072000",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
}


class Deployment:
    """All functions of one deployment; each is started when it is first asked."""

    def __init__(self, start: StartFunction) -> None:
        self._start = start

    def function(self, name: str) -> Function:
        file = "status" if name in ("health", "stats") else name
        return self._start(f"api/{file}.py", ENV)

    def send(
        self,
        name: str,
        method: str | None = None,
        *,
        body: bytes = b"",
        data: Any = None,
        headers: Mapping[str, str] = PAGE,
        cookie: str | None = None,
        bearer: str | None = None,
    ) -> Response:
        sent = dict(headers)
        if data is not None:
            body, sent = json.dumps(data).encode(), sent | JSON
        if cookie is not None:
            sent["cookie"] = f"theme=dark; {COOKIE}={cookie}; é=1".encode().decode("latin-1")
        if bearer is not None:
            sent["authorization"] = f"Bearer {bearer}"
        return self.function(name).request(method or FUNCTIONS[name], address(name), sent, body)

    def login(self) -> str:
        """Log a new session in by the widget, and give the token in its cookie."""
        answer = self.send("telegram/login", data=widget())
        assert answer.status == 200, answer.body
        return token_of(answer)


def address(name: str) -> str:
    """As Vercel hands it on, from before a rewrite: one function tells /health and /stats apart by that."""
    return f"/{name}" if name in ("health", "stats") else f"/api/{name}"


counter = iter(range(10_000))


def widget(**changes: Any) -> dict[str, Any]:
    user = {
        "id": 42,
        "first_name": "Жук",
        "last_name": f"Canary{next(counter)}",
        "auth_date": int(time.time()),
    }
    return dict(sign_widget(user | changes, BOT_TOKEN))


def init_data() -> str:
    user = {"id": 42, "first_name": "🦊 CanaryFox", "username": "canary_fox"}
    return sign_init_data(
        {"query_id": f"canary{next(counter)}", "user": user, "auth_date": int(time.time())}, BOT_TOKEN
    )


def token_of(answer: Response) -> str:
    (cookie,) = answer.all("set-cookie")
    name, _, rest = cookie.partition("=")
    token, _, attributes = rest.partition("; ")
    assert name == COOKIE
    match = re.fullmatch(r"Path=/; Max-Age=(\d+); HttpOnly; SameSite=Lax; Secure", attributes)
    assert match
    assert 86_000 < int(match[1]) <= 86_400  # what is left of the session
    return token


def check_headers(answer: Response) -> None:
    for name, value in SECURITY.items():
        assert answer.all(name) == [value]
    if answer.status == 204:
        assert answer.body == b""
        assert answer.all("content-type") == []


@pytest.fixture(scope="module")
def deployment(function: StartFunction) -> Deployment:
    """A production deployment without a store."""
    return Deployment(function)


def test_a_cookie_session_across_four_processes(deployment: Deployment) -> None:
    """Login, verify, refresh and logout are four processes, and the session goes through all of them."""
    login = deployment.send("telegram/login", data=widget())
    check_headers(login)
    token = token_of(login)
    verified = deployment.send("telegram/verify", cookie=token)
    check_headers(verified)
    assert (verified.status, verified.json()) == (200, login.json())
    assert verified.header("content-type") == "application/json"
    refreshed = deployment.send("telegram/refresh", cookie=token)
    assert (refreshed.status, refreshed.json(), token_of(refreshed)) == (200, login.json(), token)
    gone = deployment.send("telegram/logout", cookie=token)
    check_headers(gone)
    assert (gone.status, gone.body) == (204, b"")
    assert gone.all("set-cookie") == [f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"]


def test_a_bearer_session_across_four_processes(deployment: Deployment) -> None:
    """The same for a Mini App, without any cookie."""
    data = {"init_data": init_data()}
    login = deployment.send("telegram/login", data=data, headers={})
    token = login.json()["token"]
    assert (login.status, login.all("set-cookie")) == (200, [])
    assert deployment.send("telegram/login", data=data, headers={}).json()["token"] == token
    for name in ("telegram/verify", "telegram/refresh"):
        answer = deployment.send(name, bearer=token, headers={})
        assert (answer.status, answer.all("set-cookie")) == (200, [])
        assert answer.json()["user"] == {"id": 42, "first_name": "🦊 CanaryFox", "username": "canary_fox"}
    assert deployment.send("telegram/verify", cookie=token).status == 401
    assert deployment.send("telegram/logout", bearer=token, headers={}).status == 204
    again = deployment.send("telegram/login", data=data, headers={}).json()["token"]
    assert deployment.send("telegram/verify", bearer=again, headers={}).status == 200


def test_parallel_requests(deployment: Deployment) -> None:
    """One process serves many requests at once, each for its own user."""
    tokens = {user: token_of(deployment.send("telegram/login", data=widget(id=user))) for user in range(1, 9)}

    def verify(number: int) -> bool:
        user = 1 + number % 8
        answer = deployment.send("telegram/verify", cookie=tokens[user])
        return bool(answer.status == 200 and answer.json()["user"]["id"] == user)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(verify, range(80)))


def test_sessions(deployment: Deployment) -> None:
    """A device is listed by a process that never saw its login; ending others needs a store, and says so."""
    token = deployment.login()
    answer = deployment.send("telegram/sessions", cookie=token)
    check_headers(answer)
    (device,) = answer.json()["sessions"]
    assert (answer.status, device["method"], device["current"]) == (200, "widget", True)
    function = deployment.function("telegram/sessions")
    cookie = {**PAGE, "cookie": f"{COOKIE}={token}"}
    # Vercel gives the function the path that the client asked for, before the rewrite.
    for path in ("/telegram/sessions", f"/telegram/sessions/{device['id']}", "/api/telegram/sessions"):
        ended = function.request("DELETE", path, cookie)
        assert (ended.status, ended.json()["code"]) == (503, "shared_store_required")
        assert ended.header("retry-after") == "5"
    assert function.request("GET", f"/telegram/sessions/{device['id']}", cookie).status == 404
    assert deployment.send("telegram/verify", cookie=token).status == 200


@pytest.mark.parametrize("name", ["health", "telegram/verify", "telegram/sessions", "stats"])
def test_head(deployment: Deployment, name: str) -> None:
    """HEAD sends the headers of GET and not one byte of a body."""
    token = deployment.login()
    for cookie in (token, "x", None):
        identified = {**PAGE, "x-vercel-id": "fra1::wire-1"}
        get = deployment.send(name, cookie=cookie, headers=identified)
        head = deployment.send(name, "HEAD", cookie=cookie, headers=identified)
        skipped = {"date", "x-vercel-internal-timing"}
        assert [h for h in head.headers if h[0].lower() not in skipped] == [
            h for h in get.headers if h[0].lower() not in skipped
        ]
        assert (head.status, head.body, head.header("content-length")) == (
            get.status,
            b"",
            str(len(get.body)),
        )
    raw = deployment.function(name).raw(f"HEAD {address(name)} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    assert raw.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_options_and_other_methods(deployment: Deployment, name: str) -> None:
    """OPTIONS and 405 say which methods there are."""
    allow = "GET, HEAD, OPTIONS" if FUNCTIONS[name] == "GET" else "OPTIONS, POST"
    allow = {
        "telegram/sessions": "DELETE, GET, HEAD, OPTIONS",
        "telegram/start": "GET, HEAD, OPTIONS, POST",
        "telegram/login": "GET, HEAD, OPTIONS, POST",
        "telegram/relay": "GET, HEAD, OPTIONS, POST",
    }.get(name, allow)
    options = deployment.send(name, "OPTIONS")
    check_headers(options)
    assert (options.status, options.header("allow")) == (204, allow)
    for method in {"PUT", "TRACE", "BREW", "GET", "POST"} - set(allow.split(", ")):
        answer = deployment.send(name, method)
        check_headers(answer)
        assert (answer.status, answer.header("allow")) == (405, allow)
        assert answer.json()["code"] == "method_not_allowed"
        assert int(answer.header("content-length") or 0) == len(answer.body)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_large_bodies_and_addresses(deployment: Deployment, name: str) -> None:
    """Over 16 KiB is 413 with a problem, and an address over 8 KiB is 414, on every function."""
    large = deployment.send(name, body=b"x" * 16_385, headers={**PAGE, **JSON})
    check_headers(large)
    assert (large.status, large.json()["code"]) == (413, "body_too_large")
    long = deployment.function(name).request(FUNCTIONS[name], f"/api/{name}?{'x' * 8192}", PAGE)
    assert (long.status, long.json()["code"]) == (414, "uri_too_long")


def test_chunked_bodies(deployment: Deployment) -> None:
    """A body without Content-Length is read in its chunks, and measured."""
    function = deployment.function("telegram/login")
    data = json.dumps(widget()).encode()

    def chunked(body: bytes) -> Response:
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        return function.request(
            "POST", "/api/telegram/login", {**PAGE, **JSON, "transfer-encoding": "chunked"}, chunks
        )

    assert chunked(data).status == 200
    assert chunked(b"x" * 16_385).status == 413


def json_lines(function: Function) -> list[dict[str, Any]]:
    """The function's own log lines, without the runtime's of each request; anything else fails here."""
    text = "".join(line.text for line in function.logs if line.source == "stdout")
    runtimes = re.compile(r'127\.0\.0\.1 - - \[[^]]+\] "[^"]*" [0-9]{3} -')
    return [json.loads(line) for line in text.splitlines() if line and not runtimes.fullmatch(line)]


def test_two_log_lines(function: StartFunction) -> None:
    """A fresh process logs where it keeps sessions, one line for the request, and nothing else."""
    fresh = function("api/telegram/verify.py", {**ENV, "VERCEL_DEPLOYMENT_ID": "dpl_lines"})
    answer = fresh.request("GET", "/api/telegram/verify?canary=1", {"authorization": "Bearer x"})
    assert answer.status == 401
    selected, request = json_lines(fresh)
    assert selected["event"] == "store_selected"
    assert selected["message"] == "⚠️ Sessions are kept in memory (Redis is not configured)"
    assert {
        key: request[key] for key in ("event", "route", "method", "status", "code", "env", "deployment")
    } == {
        "event": "session_invalid",
        "route": "/telegram/verify",
        "method": "GET",
        "status": 401,
        "code": "invalid_session",
        "env": "production",
        "deployment": "dpl_lines",
    }
    assert request["request_id"] == answer.json()["request_id"]
    assert fresh.output == ""
    assert [line for line in fresh.logs if line.source == "stderr"] == []


def test_logs_hold_no_canary(deployment: Deployment) -> None:
    """After all of that no function has logged a token, a proof, a name, an address or a secret."""
    token = deployment.login()
    deployment.send("telegram/verify", cookie=token)
    canaries = [
        token,
        token[10:60],
        BOT_TOKEN,
        AUTH_SECRET,
        CLIENT_IP,
        "Canary",
        "canary",
        "Жук",
        "🦊",
    ]
    # The id of a device, which the log has, is as random as a token, and can look like the beginning of one.
    secret = re.compile("|".join([r"tg[01]_[A-Za-z0-9_-]{13}", *map(re.escape, canaries)]))
    for name in FUNCTIONS:
        function = deployment.function(name)
        assert [line for line in function.log_text.splitlines() if secret.search(line)] == []
        assert function.output == ""
        assert json_lines(function)


def test_misconfigured(function: StartFunction) -> None:
    """Without a bot token the function starts all the same, answers 503, and its log says what to set."""
    fresh = function("api/telegram/verify.py", {"VERCEL": "1"})
    answer = fresh.request("GET", "/api/telegram/verify")
    assert (answer.status, answer.json()["code"], answer.header("retry-after")) == (503, "misconfigured", "5")
    assert b"TELEGRAM" not in answer.body
    for line in json_lines(fresh):
        assert line["event"] == "misconfigured"
        assert line["reason"].startswith("TELEGRAM_BOT_TOKEN: is not set; set the token")
