"""lib/tgauth/auth.py: who is logged in, for functions of the owner's own, in any framework."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

import pytest
from werkzeug.datastructures import EnvironHeaders, Headers
from werkzeug.test import Client

import lib.tgauth.sessions.service
import lib.tgauth.settings
from lib.tgauth import budget
from lib.tgauth.auth import authenticate, require_session
from lib.tgauth.errors import Misconfigured, RateLimited, StoreUnavailable
from lib.tgauth.sessions.base import Session
from lib.tgauth.web.endpoint import Response, endpoint
from lib.tgauth.web.request import Request
from lib.tgauth.web.respond import json_response
from tests.site import (
    COOKIE,
    DAY,
    ENV,
    HOST,
    LOCAL_ENV,
    NOW,
    ORIGIN,
    OWN_PAGE,
    USER,
    Clock,
    Site,
    in_parallel,
)

ROOT = Path(__file__).resolve().parents[2]
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}
UNSAFE = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "WHATEVER"]


@pytest.fixture(autouse=True)
def _no_limit() -> Iterator[None]:
    """Every test begins without a limit of time, and leaves none behind."""
    budget.stop()
    yield
    budget.stop()


@pytest.fixture
def site(both: Site) -> Site:
    """The deployment that the functions belong to, with either kind of token."""
    return both


@pytest.fixture
def cookie(site: Site) -> str:
    """A cookie session's token."""
    return site.login().token


@pytest.fixture
def bearer(site: Site) -> str:
    """A bearer session's token."""
    return site.bearer_login().token


def carried(token: str, **more: str) -> dict[str, str]:
    """The headers of a browser that has this cookie."""
    return {"Host": HOST, "Cookie": f"{COOKIE}={token}", **{n.replace("_", "-"): v for n, v in more.items()}}


def as_message(pairs: list[tuple[str, str]]) -> Message:
    """What http.server and email parse, and Lambda adapters use."""
    message = Message()
    for name, value in pairs:
        message[name] = value
    return message


def as_http_message(pairs: list[tuple[str, str]]) -> HTTPMessage:
    message = HTTPMessage()
    for name, value in pairs:
        message.add_header(name, value)
    return message


def as_environ(pairs: list[tuple[str, str]]) -> EnvironHeaders:
    """What Flask has; a server has joined what came twice, as Vercel's runtime and werkzeug do."""
    environ: dict[str, str] = {}
    for name, value in pairs:
        key = f"HTTP_{name.upper().replace('-', '_')}"
        separator = "; " if name.lower() == "cookie" else ","
        environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
    return EnvironHeaders(environ)


class AsStarlette(Mapping[str, str]):
    """What Starlette and FastAPI have: lower case, and `items` with every header as often as it came."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = [(name.lower(), value) for name, value in pairs]

    def __getitem__(self, name: str) -> str:
        return next(value for key, value in self._pairs if key == name.lower())

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._pairs])

    def __len__(self) -> int:
        return len(dict(self._pairs))

    def items(self) -> Any:
        return list(self._pairs)


KINDS: dict[str, Callable[[list[tuple[str, str]]], Any]] = {
    "dict": dict,
    "lower-case dict": lambda pairs: {name.lower(): value for name, value in pairs},
    "upper-case dict": lambda pairs: {name.upper(): value for name, value in pairs},
    "werkzeug": Headers,
    "environ": as_environ,
    "email": as_message,
    "http": as_http_message,
    "starlette": AsStarlette,
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
KEEP_DUPLICATES = pytest.mark.parametrize("kind", ["werkzeug", "environ", "email", "http", "starlette"])


# Who it is


@EVERY_KIND
def test_a_cookie_session(site: Site, cookie: str, kind: str) -> None:
    """The session of the cookie, whatever a framework calls its headers, and as /telegram/verify has it."""
    session = authenticate(KINDS[kind](list(carried(cookie).items())))
    assert isinstance(session, Session)
    assert (session.user.id, session.transport, session.token) == (USER["id"], "cookie", "")
    shown = site.verify(cookie=cookie).json()["session"]
    assert (session.id, session.created_at, session.expires_at, session.method) == tuple(
        shown[name] for name in ("id", "created_at", "expires_at", "method")
    )


@EVERY_KIND
def test_a_bearer_session(site: Site, bearer: str, kind: str) -> None:
    """The session of the Authorization header."""
    session = authenticate(KINDS[kind]([("Authorization", f"Bearer {bearer}"), ("Host", HOST)]))
    assert session is not None
    assert (session.user.id, session.transport) == (USER["id"], "bearer")


@EVERY_KIND
def test_nobody(site: Site, kind: str) -> None:
    """No headers, or none of ours, are nobody."""
    site.verify()
    for pairs in ([], [("Host", HOST), ("Accept", "*/*"), ("X-Cookie", f"{COOKIE}=x")]):
        assert authenticate(KINDS[kind](pairs)) is None
    assert site.store.calls == []


def test_neighbours_of_the_cookie(site: Site, cookie: str) -> None:
    """Other cookies, however broken, do not hide ours."""
    headers = {"cookie": f'theme=dark; bad="\x7f; {COOKIE}={cookie}; =; x', "host": HOST}
    assert authenticate(headers) is not None


@KEEP_DUPLICATES
def test_cookies_in_two_headers(site: Site, cookie: str, kind: str) -> None:
    """HTTP/2 lets a browser split its cookies over headers."""
    pairs = [("Cookie", "a=1"), ("Host", HOST), ("cookie", f"{COOKIE}={cookie}"), ("Cookie", "b=2")]
    assert authenticate(KINDS[kind](pairs)) is not None


@KEEP_DUPLICATES
def test_two_of_our_cookies_are_none(site: Site, cookie: str, kind: str) -> None:
    """No rule says which of the two is ours, in one header or in two."""
    other = site.login().token
    for pairs in (
        [("Cookie", f"{COOKIE}={cookie}"), ("Cookie", f"{COOKIE}={other}")],
        [("Cookie", f"{COOKIE}={cookie}; {COOKIE}={other}")],
        [("Cookie", f"{COOKIE}={cookie}"), ("Cookie", f"{COOKIE}={cookie}")],
    ):
        assert authenticate(KINDS[kind](pairs)) is None


@KEEP_DUPLICATES
def test_two_authorizations_are_none(site: Site, bearer: str, kind: str) -> None:
    """Neither counts, and the cookie beside them does not either."""
    cookie = site.login().token
    for second in (bearer, "x"):
        pairs = [("Authorization", f"Bearer {bearer}"), ("Authorization", f"Bearer {second}")]
        assert authenticate(KINDS[kind]([*pairs, ("Cookie", f"{COOKIE}={cookie}")])) is None


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", "Basic", "Bearer a b", "Bearer x", "Bearer {}, x", "Basic x, Bearer {}", "{}"],
)
def test_authorization_that_is_none(site: Site, cookie: str, bearer: str, authorization: str) -> None:
    """With a bearer token, or what may be meant for one, the cookie does not count."""
    assert authenticate({**carried(cookie), "Authorization": authorization.format(bearer)}) is None


def test_after_logout(site: Site, cookie: str) -> None:
    """A session that has ended is nobody's."""
    site.logout(cookie=cookie)
    assert authenticate(carried(cookie)) is None


def test_names_on_localhost(clock: Clock) -> None:
    """In development the host decides the cookie's name, as in the functions of tgauth."""
    site = Site(clock, LOCAL_ENV)
    site.host = "localhost:3000"
    token = site.login().token
    assert authenticate({"Host": "localhost:3000", "Cookie": f"tgauth={token}"}) is not None
    assert authenticate({"Host": "localhost:3000", "Cookie": f"{COOKIE}={token}"}) is None


# Requests that change something


@pytest.mark.parametrize("method", UNSAFE)
def test_a_cookie_from_another_site(site: Site, cookie: str, method: str) -> None:
    """What another site made the browser send counts as nobody's, and does not reach the store."""
    site.store.calls.clear()
    for headers in (
        {},
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-origin, cross-site", "Origin": "https://evil.example"},
    ):
        assert authenticate({**carried(cookie), **headers}, method) is None, headers
    assert site.store.calls == []


@pytest.mark.parametrize("method", UNSAFE)
def test_a_cookie_from_our_own_page(site: Site, cookie: str, method: str) -> None:
    """Fetch Metadata or Origin say that it came from here."""
    for headers in (OWN_PAGE, {"Origin": ORIGIN}):
        assert authenticate({**carried(cookie), **headers}, method) is not None, headers


@pytest.mark.parametrize("method", UNSAFE)
def test_a_bearer_token_from_anywhere(site: Site, bearer: str, method: str) -> None:
    """No browser adds a bearer token by itself, so where it comes from does not matter."""
    headers = {"authorization": f"bearer {bearer}", "origin": "https://app.example", **CROSS_SITE}
    assert authenticate(headers, method) is not None


def test_reading_from_another_site(site: Site, cookie: str) -> None:
    """A link from elsewhere finds its reader logged in: GET and HEAD change nothing."""
    for method in ("GET", "get", "HEAD"):
        assert authenticate({**carried(cookie), **CROSS_SITE}, method) is not None


@pytest.mark.parametrize("kind", ["werkzeug", "email", "http", "starlette"])
def test_contradicting_headers_are_no_page_of_ours(site: Site, cookie: str, kind: str) -> None:
    """Two origins, of which one is ours, are none."""
    for name, values in (
        ("Origin", (ORIGIN, "https://evil.example")),
        ("Sec-Fetch-Site", ("same-origin", "cross-site")),
    ):
        pairs = [("Cookie", f"{COOKIE}={cookie}"), *((name, value) for value in values)]
        for headers in (pairs, pairs[::-1]):
            assert authenticate(KINDS[kind](headers), "POST") is None


# What it does to the session


def test_it_renews(clock: Clock) -> None:
    """As /telegram/verify: a session that is used goes on; HEAD does not use it."""
    site = Site(clock, {**ENV, "SESSION_TTL": str(DAY)}, shared=True)
    token = site.login().token
    clock.time = NOW + DAY - 1
    assert authenticate(carried(token), "HEAD") is not None
    assert list(site.store.sessions().values()) == [NOW + DAY]
    found = authenticate(carried(token))
    assert found is not None
    assert found.expires_at == NOW + 2 * DAY - 1
    assert list(site.store.sessions().values()) == [NOW + 2 * DAY - 1]
    clock.time = NOW + 2 * DAY - 1
    assert authenticate(carried(token), "HEAD") is None


def test_the_token_goes_nowhere(site: Site, cookie: str, bearer: str) -> None:
    """Neither what a function gets holds it, nor does a session show it that is printed by mistake."""
    for headers in (carried(cookie), {"Authorization": f"Bearer {bearer}"}):
        session = authenticate(headers)
        assert session is not None
        assert json.dumps({**session._asdict(), "user": session.user.to_json()}).find("tg1_") == -1
    whole = site.service.get_session(cookie)
    assert whole.token == cookie
    assert cookie not in f"{whole!r}{whole}"


def test_it_costs_one_command(clock: Clock) -> None:
    """Like the functions of tgauth."""
    site = Site(clock, shared=True)
    token = site.login().token
    for method, headers in (("GET", {}), ("POST", OWN_PAGE), ("HEAD", {})):
        site.store.calls.clear()
        assert authenticate({**carried(token), **headers}, method) is not None
        assert len(site.store.calls) == 1


# When it cannot be known


def test_a_store_that_is_down(clock: Clock) -> None:
    """Then nobody is logged out: it raises, for every method, and is None for junk alone."""
    site = Site(clock, shared=True)
    token = site.login().token
    site.store.error = StoreUnavailable("down")
    for method in ("GET", "HEAD", "POST"):
        with pytest.raises(StoreUnavailable):
            authenticate({**carried(token), **OWN_PAGE}, method)
    assert authenticate(carried("junk")) is None
    site.store.error = None
    assert authenticate(carried(token)) is not None


@pytest.mark.parametrize("headers", [{}, {"Cookie": f"{COOKIE}=x"}, {"Authorization": "Bearer x"}], ids=str)
@pytest.mark.parametrize(
    "env",
    [{}, {**ENV, "SESSION_TTL": "canary"}, {**ENV, "UPSTASH_REDIS_REST_URL": "https://x.upstash.io"}],
    ids=["nothing set", "a bad value", "half a pair"],
)
def test_a_deployment_that_is_not_set_up(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], headers: dict[str, str]
) -> None:
    """It raises for whoever asks, and names the variable without its value."""
    monkeypatch.setattr(os, "environ", env)
    with pytest.raises(Misconfigured, match=r"[A-Z]+_[A-Z]+: ") as caught:
        authenticate(headers)
    assert "canary" not in caught.value.reason


def test_a_token_that_is_used_too_often(site: Site, cookie: str) -> None:
    """The owner's function answers 429, which is not "nobody"."""
    for _ in range(600):
        assert authenticate(carried(cookie)) is not None
    with pytest.raises(RateLimited) as caught:
        authenticate(carried(cookie))
    assert caught.value.status == 429
    assert problem(call(site, Cookie=f"{COOKIE}={cookie}")) == (429, "rate_limited")


def test_an_unexpected_error_comes_through(clock: Clock) -> None:
    """A defect is no reason to say that nobody is logged in."""
    site = Site(clock, shared=True)
    token = site.login().token
    site.store.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        authenticate(carried(token))


def test_the_budget(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call has the time of one request, and leaves no limit behind."""
    site = Site(clock, shared=True)
    token = site.login().token
    left: list[float] = []
    get_session = site.service.get_session

    def measured(*args: Any, **kwargs: Any) -> Session:
        left.append(budget.remaining())
        return get_session(*args, **kwargs)

    monkeypatch.setattr(site.service, "get_session", measured)
    assert authenticate(carried(token)) is not None
    assert budget.SECONDS - 1 < left[0] <= budget.SECONDS
    assert budget.remaining() == float("inf")
    assert authenticate(carried("x")) is None
    assert budget.remaining() == float("inf")
    site.store.error = StoreUnavailable("down")
    with pytest.raises(StoreUnavailable):
        authenticate(carried(token))
    assert budget.remaining() == float("inf")


def test_inside_of_an_endpoint_it_is_part_of_that_request(clock: Clock) -> None:
    """The request's time goes on, so that its answer is out in time whatever else it waits for."""
    site = Site(clock, shared=True)
    token = site.login().token
    with budget.request():
        budget.start(1)
        assert authenticate(carried(token)) is not None
        assert 0 < budget.remaining() <= 1


def test_it_says_nothing(site: Site, cookie: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The log is the owner's own: who asks writes the line."""
    capsys.readouterr()
    for token in (cookie, "junk"):
        authenticate(carried(token))
    assert capsys.readouterr() == ("", "")


def test_twenty_at_once(site: Site, cookie: str) -> None:
    """Threads share nothing: members and strangers each get their own answer."""
    other = site.login(site.widget(id=USER["id"] + 1)).token
    tokens = [(cookie, other, "x")[number % 3] for number in range(20)]
    found = in_parallel(20, lambda number: authenticate(carried(tokens[number])))
    ids = [session and session.user.id for session in found]
    assert ids == [(USER["id"], USER["id"] + 1, None)[number % 3] for number in range(20)]


# In a function of the owner's own


def hello(request: Request, session: Session) -> Response:
    """Says who it is."""
    return json_response({"hello": session.user.first_name, "method": request.method})


hello.__module__ = "api.hello"
app = endpoint("/hello", GET=require_session(hello), POST=require_session(hello))


def call(site: Site, method: str = "GET", **headers: str) -> Any:
    lib.tgauth.settings._settings, lib.tgauth.sessions.service._service = site.settings, site.service
    sent = {"Host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Client(app, use_cookies=False).open("/hello", method=method, base_url=ORIGIN, headers=sent)


def problem(answer: Any) -> tuple[int, str]:
    """Status and code of a problem+json answer."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.get_json()["code"]


def test_require_session(site: Site, cookie: str, bearer: str) -> None:
    """The handler gets request and session, by cookie or bearer token."""
    for headers in ({"Cookie": f"{COOKIE}={cookie}"}, {"Authorization": f"Bearer {bearer}"}):
        answer = call(site, **headers)
        assert (answer.status_code, answer.get_json()["method"]) == (200, "GET")
        assert answer.headers["Cache-Control"] == "no-store"
    answer = call(site, "POST", Cookie=f"{COOKIE}={cookie}", Sec_Fetch_Site="same-origin")
    assert answer.get_json()["method"] == "POST"


def test_require_session_refuses(site: Site, cookie: str) -> None:
    """401 for nobody and for dead sessions, with a challenge; 403 across sites; 400 for a broken header."""
    nobody = call(site)
    assert problem(nobody) == (401, "unauthenticated")
    assert nobody.headers["WWW-Authenticate"] == 'Bearer realm="tgauth"'
    assert problem(call(site, Cookie=f"{COOKIE}=x")) == (401, "invalid_session")
    assert problem(call(site, Authorization="Bearer x")) == (401, "invalid_session")
    assert problem(call(site, Authorization="Basic x")) == (401, "unauthenticated")
    assert problem(call(site, Authorization="Bearer a b")) == (400, "malformed_request")
    assert problem(call(site, "POST", Cookie=f"{COOKIE}={cookie}")) == (403, "cross_site_blocked")
    assert problem(call(site, "DELETE", Cookie=f"{COOKIE}={cookie}")) == (405, "method_not_allowed")
    site.logout(cookie=cookie)
    assert problem(call(site, Cookie=f"{COOKIE}={cookie}")) == (401, "invalid_session")


def test_require_session_without_a_store(clock: Clock) -> None:
    """503 while sessions cannot be reached; the cookie stays."""
    site = Site(clock, shared=True)
    token = site.login().token
    site.store.error = StoreUnavailable("down")
    answer = call(site, Cookie=f"{COOKIE}={token}")
    assert problem(answer) == (503, "store_unavailable")
    assert (answer.headers["Retry-After"], answer.headers.get("Set-Cookie")) == ("5", None)


def test_the_line_says_whose_request_it_was(
    site: Site, cookie: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the name that tgauth's own lines have for this user, under the function's own path."""
    site.verify(cookie=cookie)
    call(site, Cookie=f"{COOKIE}={cookie}")
    call(site)
    verify, mine, nobody = (json.loads(line) for line in capsys.readouterr().out.splitlines()[-3:])
    assert (mine["route"], mine["status"]) == ("/hello", 200)
    for name in ("user_ref", "session_ref", "device_id", "auth_path"):
        assert mine[name] == verify[name]
    assert (nobody["status"], nobody["level"]) == (401, "info")
    assert "user_ref" not in nobody


def test_require_session_keeps_the_handlers_name() -> None:
    """So that the log has the function's path."""
    guarded = require_session(hello)
    assert (guarded.__name__, guarded.__module__, guarded.__doc__) == (
        "hello",
        "api.hello",
        "Says who it is.",
    )


def test_authenticate_inside_an_endpoint(site: Site, cookie: str) -> None:
    """A handler that serves strangers and members alike may ask who it is."""

    def welcome(request: Request) -> Response:
        session = authenticate(request.headers, request.method)
        return json_response({"id": session.user.id if session else None})

    both = Client(endpoint("/hello", GET=welcome), use_cookies=False)
    lib.tgauth.settings._settings, lib.tgauth.sessions.service._service = site.settings, site.service
    for headers, found in ((carried(cookie), USER["id"]), ({}, None)):
        assert both.get("/", base_url=ORIGIN, headers=headers).get_json() == {"id": found}


def test_a_thread_of_a_pool_is_left_as_it_was(site: Site, cookie: str) -> None:
    """A framework's worker thread waits for other things next, without our limit."""
    left: list[float] = []

    def work() -> None:
        authenticate(carried(cookie))
        left.append(budget.remaining())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert left == [float("inf")]


def test_it_is_light() -> None:
    """Importing and using it loads nothing that verify does without."""
    program = (
        "import sys; from lib.tgauth.auth import authenticate; authenticate({'Cookie': '__Host-tgauth=x'});"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    heavy = {
        "pydantic",
        "jwt",
        "cryptography",
        "redis",
        "httpx",
        "httpcore",
        "upstash_redis",
        "werkzeug",
        "dev",
        "api",
    }
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", **ENV},
        check=True,
        timeout=30,
    )
    modules = set(json.loads(found.stdout.splitlines()[-1].replace("'", '"')))
    assert modules & heavy == set()
    assert "lib" in modules
