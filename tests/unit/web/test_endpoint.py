"""lib.tgauth.web.endpoint: what every answer of every endpoint has in common."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.parse import urlencode
from wsgiref.validate import validator

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

import lib.tgauth.errors
from lib.tgauth import budget
from lib.tgauth.errors import Problem, StoreUnavailable
from lib.tgauth.web.endpoint import endpoint
from lib.tgauth.web.request import Request
from lib.tgauth.web.response import Response
from tests.site import (
    APPS,
    COOKIE,
    DAY,
    ENV,
    METHODS,
    ORIGIN,
    OWN_PAGE,
    USER,
    Answer,
    Clock,
    Site,
    named,
    send,
)

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Origin, Sec-Fetch-Site",
}
CHALLENGE = 'Bearer realm="tgauth"'
CHALLENGE_INVALID = 'Bearer realm="tgauth", error="invalid_token"'
ALLOW = {path: "GET, HEAD, OPTIONS" if METHODS[path] == "GET" else "OPTIONS, POST" for path in APPS}
ALLOW["/telegram/sessions"] = "DELETE, GET, HEAD, OPTIONS"
for _path in ("/telegram/start", "/telegram/login", "/telegram/relay"):
    ALLOW[_path] = "GET, HEAD, OPTIONS, POST"
# Without its secret there is nothing at such an address.
HIDDEN = ("/stats", "/telegram/relay")
ADMIN_TOKEN = "canary-admin-token-0123456789-0123456789"


def failing(site: Site) -> Site:
    site.store.error = StoreUnavailable("down")
    return site


def crashing(site: Site) -> Site:
    site.store.error = RuntimeError("canary-in-exception")
    return site


def for_admins(site: Site) -> Site:
    """The same instance, once its owner has set ADMIN_TOKEN."""
    site.settings = replace(site.settings, admin_token=ADMIN_TOKEN)
    return site


def sixty_one_times(site: Site) -> Answer:
    body = {"init_data": site.init_data()}
    for _ in range(60):
        assert site.login(body, headers={}).status == 200
    return site.login(body, headers={})


def used(site: Site) -> dict[str, Any]:
    body = site.widget()
    assert site.login(body).status == 200
    return body


def bad(site: Site, path: str, **request: Any) -> Answer:
    """A request to `path` with its own method."""
    return site.send(METHODS[path], path, headers={**OWN_PAGE, **request.pop("headers", {})}, **request)


Case = tuple[Callable[[Site], Answer], int, str | None]

SUCCESSES: dict[str, Case] = {
    "login cookie": (lambda s: s.login(), 200, None),
    "login bearer": (lambda s: s.bearer_login(), 200, None),
    "verify cookie": (lambda s: s.verify(cookie=s.login().token), 200, None),
    "verify bearer": (lambda s: s.verify(bearer=s.bearer_login().token), 200, None),
    "refresh cookie": (lambda s: s.refresh(cookie=s.login().token), 200, None),
    "refresh bearer": (lambda s: s.refresh(bearer=s.bearer_login().token, headers={}), 200, None),
    "logout cookie": (lambda s: s.logout(cookie=s.login().token), 204, None),
    "logout bearer": (lambda s: s.logout(bearer=s.bearer_login().token, headers={}), 204, None),
    "logout nobody": (lambda s: s.logout(), 204, None),
    "start": (lambda s: s.start(), 200, None),
    "start, going there": (lambda s: s.go("/telegram/start"), 303, None),
    "a button's link": (lambda s: s.go("/telegram/login", urlencode(s.widget())), 303, None),
    "sessions cookie": (lambda s: s.devices(cookie=s.login().token), 200, None),
    "sessions bearer": (lambda s: s.devices(bearer=s.bearer_login().token), 200, None),
    "stats": (lambda s: for_admins(s).send("GET", "/stats", bearer=ADMIN_TOKEN), 200, None),
    "health": (lambda s: s.send("GET", "/health"), 200, None),
    "health down": (lambda s: failing(s).send("GET", "/health"), 503, None),
    **{f"OPTIONS {path}": (lambda s, path=path: s.send("OPTIONS", path), 204, None) for path in APPS},  # type: ignore[misc]
}

ERRORS: dict[str, Case] = {
    "callback without a login": (lambda s: s.go("/telegram/callback"), 401, "login_rejected"),
    "callback in a frame": (
        lambda s: s.go("/telegram/callback", headers={"Sec-Fetch-Dest": "iframe"}),
        403,
        "cross_site_blocked",
    ),
    "start astray": (lambda s: s.go("/telegram/start", "return_to=//x"), 400, "malformed_request"),
    "verify nobody": (lambda s: s.verify(), 401, "unauthenticated"),
    "verify invalid": (lambda s: s.verify(cookie="x"), 401, "invalid_session"),
    "refresh nobody": (lambda s: s.refresh(), 401, "unauthenticated"),
    "refresh invalid": (lambda s: s.refresh(bearer="x"), 401, "invalid_session"),
    "login rejected": (lambda s: s.login(s.widget() | {"hash": "0" * 64}), 401, "login_rejected"),
    "login stale": (lambda s: s.login(s.widget(auth_date=1)), 401, "login_stale"),
    "login replayed": (lambda s: s.login(used(s)), 401, "login_stale"),
    "login 61 times a minute": (sixty_one_times, 429, "rate_limited"),
    "sessions nobody": (lambda s: s.devices(), 401, "unauthenticated"),
    "sessions invalid": (lambda s: s.devices(cookie="x"), 401, "invalid_session"),
    "sessions no id": (lambda s: s.end("x", cookie=s.login().token), 404, "not_found"),
    "end sessions nobody": (lambda s: s.end(), 401, "unauthenticated"),
    "end sessions cross-site": (
        lambda s: s.end(headers={}, cookie=s.login().token),
        403,
        "cross_site_blocked",
    ),
    "end sessions malformed": (
        lambda s: s.end(query="keep=x", cookie=s.login().token),
        400,
        "malformed_request",
    ),
    "stats nobody": (lambda s: s.send("GET", "/stats"), 404, "not_found"),
    "stats wrong token": (lambda s: for_admins(s).send("GET", "/stats", bearer="x"), 404, "not_found"),
    "login empty": (lambda s: s.send("POST", "/telegram/login", json={}), 400, "malformed_request"),
    "login no JSON": (
        lambda s: s.login(headers={"Content-Type": "text/plain"}),
        415,
        "unsupported_media_type",
    ),
    "start no JSON": (
        lambda s: s.start(headers={"Content-Type": "text/plain"}),
        415,
        "unsupported_media_type",
    ),
    **{
        f"cross-site {path}": (  # type: ignore[misc]
            lambda s, path=path: s.send(
                "POST", path, headers={}, json=s.widget() if path.endswith("login") else {}
            ),
            403,
            "cross_site_blocked",
        )
        for path in APPS
        if METHODS[path] == "POST" and path != "/telegram/relay"
    },
    **{
        f"{method} {path}": (  # type: ignore[misc]
            lambda s, path=path, method=method: s.send(method, path),
            405,
            "method_not_allowed",
        )
        for path in APPS
        for method in ("PUT", "TRACE", "BREW", "GET", "POST")
        if method not in ALLOW[path]
    },
    **{
        f"large {path}": (lambda s, path=path: bad(s, path, json="x" * 16_384), 413, "body_too_large")  # type: ignore[misc]
        for path in APPS
    },
    **{
        f"long {path}": (lambda s, path=path: bad(s, path, query="x" * 8192), 414, "uri_too_long")  # type: ignore[misc]
        for path in APPS
    },
    **{
        f"many fields {path}": (  # type: ignore[misc]
            lambda s, path=path: bad(s, path, query="&" * 64),
            400,
            "malformed_request",
        )
        for path in APPS
    },
    **{
        f"{name}, {break_.__name__}": (lambda s, ask=ask, break_=break_: ask(s, break_), status, code)  # type: ignore[misc]
        for break_, status, code in ((failing, 503, "store_unavailable"), (crashing, 500, "internal"))
        for name, ask in {
            "login": lambda s, break_: break_(s).login(),
            "verify": lambda s, break_: s.verify(cookie=broken_after_login(s, break_)),
            "refresh": lambda s, break_: s.refresh(cookie=broken_after_login(s, break_)),
            "logout": lambda s, break_: s.logout(cookie=broken_after_login(s, break_)),
            "sessions": lambda s, break_: s.devices(cookie=broken_after_login(s, break_)),
            "stats": lambda s, break_: for_admins(break_(s)).send("GET", "/stats", bearer=ADMIN_TOKEN),
        }.items()
    },
    "health, crashing": (lambda s: crashing(s).send("GET", "/health"), 500, "internal"),
}


def broken_after_login(site: Site, break_: Callable[[Site], Site]) -> str:
    token = site.login().token
    break_(site)
    return token


def check_common(answer: Answer, *, head: bool = False) -> None:
    """What holds for every answer there is."""
    for name, value in HEADERS.items():
        assert answer.header(name) == value
    known = {
        *HEADERS,
        "Content-Type",
        "Content-Length",
        "Set-Cookie",
        "Allow",
        "Location",
        "WWW-Authenticate",
        "Retry-After",
    }
    assert {name for name, _ in answer.headers} <= known
    if answer.status == 204:
        assert answer.body == b""
        assert answer.header("Content-Length") is None
        assert answer.header("Content-Type") is None
    else:
        assert answer.header("Content-Length") is not None
        assert head or answer.header("Content-Length") == str(len(answer.body))
    challenge = answer.header("WWW-Authenticate")
    if head and answer.status == 401:
        assert challenge in (CHALLENGE, CHALLENGE_INVALID)
    else:
        invalid = CHALLENGE_INVALID if answer.code == "invalid_session" else CHALLENGE
        assert challenge == (invalid if answer.status == 401 else None)
    assert answer.status < 400 or not any(answer.cookies.values())
    assert (answer.header("Location") is not None) == (answer.status == 303)
    if answer.status == 405:
        assert answer.header("Allow")


def check_problem(answer: Answer, status: int, code: str | None) -> None:
    """RFC 9457, and the two members of ours."""
    assert answer.header("Content-Type") == "application/problem+json"
    problem = answer.json()
    assert list(problem) == ["type", "title", "status", "detail", "code", "request_id"]
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, f"/error.html?code={code}")
    assert all(isinstance(problem[name], str) and problem[name] for name in ("title", "detail", "request_id"))
    assert answer.header("Retry-After") == {429: "60", 503: "5"}.get(status)


def test_success(both: Site) -> None:
    """Every answer that is no error is JSON, or nothing, under the common headers."""
    for name, (request, status, _) in SUCCESSES.items():
        with named(name):
            answer = request(Site(Clock(), shared=both.shared))
            assert answer.status == status, answer.body
            check_common(answer)
            if status == 303:
                assert answer.body == b""
            elif status != 204:
                assert answer.header("Content-Type") == "application/json"
                assert isinstance(answer.json(), dict)
                assert answer.code is None


def test_error(both: Site) -> None:
    """Every error is a problem document with its status, code and headers, and sets no cookie."""
    for name, (request, status, code) in ERRORS.items():
        with named(name):
            answer = request(Site(Clock(), shared=both.shared))
            assert answer.status == status, answer.body
            check_common(answer)
            check_problem(answer, status, code)
            assert answer.header("Set-Cookie") is None


def test_without_a_shared_store_no_other_device_is_logged_out(clock: Clock) -> None:
    """Where every function has a memory of its own, ending sessions is refused, and ends none of them."""
    site = Site(clock)
    token, other = site.login().token, site.login().json()["session"]["id"]
    for answer in (
        site.end(cookie=token),
        site.end(other, cookie=token),
        site.end(query="keep=current", cookie=token),
    ):
        check_common(answer)
        check_problem(answer, 503, "shared_store_required")
    assert len(site.store.sessions()) == 2
    assert site.verify(cookie=token).status == 200


def test_every_problem_has_been_seen() -> None:
    """The cases above meet every code that lib.tgauth.errors has and this version can answer."""
    kinds = [
        kind
        for kind in vars(lib.tgauth.errors).values()
        if isinstance(kind, type) and issubclass(kind, Problem)
    ]
    codes = {kind.code for kind in kinds if hasattr(kind, "code")}
    elsewhere = {
        "misconfigured",
        "shared_store_required",
        "login_cancelled",
        "identity_provider_unavailable",
        "invalid_grant",
        "relay_required",
        "membership_required",
        "not_allowed",
    }
    assert codes - elsewhere == {code for _, _, code in ERRORS.values()}


GET_CASES = {
    "health": lambda _: ("/health", {}),
    "health down": lambda s: (failing(s) and "/health", {}),
    "verify nobody": lambda _: ("/telegram/verify", {}),
    "verify invalid": lambda _: ("/telegram/verify", {"cookie": "x"}),
    "verify malformed": lambda _: ("/telegram/verify", {"headers": {"Authorization": "Basic x"}}),
    "verify cookie": lambda s: ("/telegram/verify", {"cookie": s.login().token}),
    "verify bearer": lambda s: ("/telegram/verify", {"bearer": s.bearer_login().token}),
    "verify long": lambda _: ("/telegram/verify", {"query": "x" * 9000}),
    "verify large": lambda _: ("/telegram/verify", {"body": b"x" * 20_000}),
    "sessions nobody": lambda _: ("/telegram/sessions", {}),
    "sessions cookie": lambda s: ("/telegram/sessions", {"cookie": s.login().token}),
    "sessions bearer": lambda s: ("/telegram/sessions", {"bearer": s.bearer_login().token}),
    "sessions crash": lambda s: ("/telegram/sessions", {"cookie": broken_after_login(s, crashing)}),
    "sessions store down": lambda s: ("/telegram/sessions", {"cookie": broken_after_login(s, failing)}),
    "stats": lambda _: ("/stats", {}),
    "stats admin": lambda s: (for_admins(s) and "/stats", {"bearer": ADMIN_TOKEN}),
}
# Without a shared store the token carries its session, so HEAD has nothing to ask of a store that fails.
SHARED_GET_CASES = {
    "verify crash": lambda s: ("/telegram/verify", {"cookie": broken_after_login(s, crashing)}),
    "verify store down": lambda s: ("/telegram/verify", {"cookie": broken_after_login(s, failing)}),
}


def test_head_is_get_without_the_body(both: Site) -> None:
    """HEAD answers with the status and headers of GET, Content-Length too, and no body."""
    for name, case in GET_CASES.items():
        with named(name):
            compare_head_with_get(Site(Clock(), shared=both.shared), case)


def test_head_fails_as_get_does() -> None:
    """HEAD reads the store where there is one, so it fails as GET would."""
    for name, case in SHARED_GET_CASES.items():
        with named(name):
            compare_head_with_get(Site(Clock(), shared=True), case)


@pytest.mark.parametrize("break_", [failing, crashing])
def test_head_without_a_shared_store_asks_nobody(site: Site, break_: Callable[[Site], Site]) -> None:
    """The token says all that HEAD needs, so it answers 200 whatever memory is like."""
    token = site.login().token
    assert break_(site).send("HEAD", "/telegram/verify", cookie=token).status == 200
    assert site.verify(cookie=token).status in (500, 503)


def compare_head_with_get(site: Site, case: Callable[[Site], tuple[str, dict[str, Any]]]) -> None:
    path, request = case(site)
    request.setdefault("headers", {}).setdefault("X-Vercel-Id", "fra1::abc-1")
    head, get = site.send("HEAD", path, **request), site.send("GET", path, **request)
    assert (head.status, head.headers) == (get.status, get.headers)
    assert head.body == b""
    assert get.body
    check_common(head, head=True)


def test_head_changes_nothing(both: Site) -> None:
    """HEAD on verify neither renews the session nor writes to the store; GET does."""
    token = both.login().token
    before = both.store.fields()
    both.store.calls.clear()
    both.clock.time += 50
    assert both.send("HEAD", "/telegram/verify", cookie=token).status == 200
    assert both.store.calls == (["read"] if both.shared else [])
    assert both.store.fields() == before
    both.store.calls.clear()
    assert both.verify(cookie=token).status == 200
    assert both.store.calls == ["renew"]


def test_head_on_an_instance_that_has_not_seen_the_session(clock: Clock) -> None:
    """HEAD does not take a session of another instance in, yet answers as GET does."""
    token = Site(clock).login().token
    other = Site(clock)
    assert other.send("HEAD", "/telegram/verify", cookie=token).status == 200
    assert other.store.fields() == {}


METHOD_NAMES = [
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "BREW", "QUERY"),
    *("OPTION", "GETT", "POST ", " POST", "X" * 300, "", "<script>alert(1)</script>", "GET\r\nX-Evil: 1"),
    *("\xff", "*"),
]


@pytest.mark.parametrize("path", APPS)
def test_other_methods(both: Site, path: str) -> None:
    """Every method that an endpoint does not have is answered 405 with those it has, and asks no store."""
    token = both.login().token
    both.store.calls.clear()
    for method in METHOD_NAMES:
        if method in ALLOW[path].split(", "):
            continue
        answer = both.send(method, path, cookie=token, headers=OWN_PAGE, environ={"CONTENT_LENGTH": "999999"})
        assert (answer.status, answer.header("Allow")) == (405, ALLOW[path]), method
        check_common(answer, head=method == "HEAD")
        if method == "HEAD":
            assert answer.body == b""
        else:
            check_problem(answer, 405, "method_not_allowed")
            assert b"script" not in answer.body
    assert both.store.calls == []


def test_options(both: Site) -> None:
    """OPTIONS says which methods there are, to anybody, without a body and without asking the store."""
    headers = {"Content-Length": "3", "Origin": "https://evil.example"}
    for path in APPS:
        answer = both.send("OPTIONS", path, cookie="x", headers=headers)
        assert (answer.status, answer.header("Allow"), answer.body) == (204, ALLOW[path], b"")
    assert both.store.calls == []


GOOD_IDS = ["fra1::iad1::abcde-1700000000000-0123456789ab", "a", "A-Z_a.z:0", "x" * 128]
HOSTILE_IDS = [
    *(
        "",
        " ",
        "x" * 129,
        "a b",
        "a\nb",
        "a\r\nSet-Cookie: x=y",
        "fra1::1\n",
        '"},{"',
        "<b>",
        "é",
        "a;b",
        "a,b",
    ),
    *("%0a", "${jndi:ldap://x}", "a/b", "\x00", "\x1b[31m", "\u0669"),
]


def test_request_id_is_vercels(site: Site) -> None:
    """A problem names the request as Vercel's own log does."""
    for given in GOOD_IDS:
        assert site.verify(headers={"X-Vercel-Id": given}).json()["request_id"] == given


def test_request_id_is_never_hostile(site: Site) -> None:
    """Anything that is no such id is replaced by a random one."""
    for given in HOSTILE_IDS:
        environ = {"HTTP_X_VERCEL_ID": given}
        one, two = (site.verify(environ=environ).json()["request_id"] for _ in range(2))
        assert re.fullmatch("[0-9a-f]{16}", one), given
        assert re.fullmatch("[0-9a-f]{16}", two), given
        assert one != two


def test_crash_answers_internal_and_leaves_the_app_working(site: Site) -> None:
    """After a defect of ours the next request is served; the answer says nothing of what broke."""
    token = broken_after_login(site, crashing)
    answer = site.verify(cookie=token)
    check_problem(answer, 500, "internal")
    assert b"canary" not in answer.body
    assert b"RuntimeError" not in answer.body
    site.store.error = None
    assert site.verify(cookie=token).status == 200


@pytest.mark.parametrize(
    "error", [RecursionError, MemoryError, KeyError, UnicodeError, AssertionError, OSError]
)
def test_any_exception_is_answered(
    site: Site, error: type[Exception], lines: Callable[[], list[Any]]
) -> None:
    """Whatever a handler raises, the client gets a problem and the log one line with the kind of error."""

    def handler(request: Request) -> Response:
        raise error("canary-in-exception")

    site.verify()
    app = endpoint("/telegram/broken", GET=handler)
    lines()
    chunks, status, headers = run_wsgi_app(app, EnvironBuilder().get_environ())
    assert (status, b"".join(chunks).count(b'"code":"internal"')) == ("500 Internal Server Error", 1)
    assert headers["Cache-Control"] == "no-store"
    (line,) = lines()
    assert (line["event"], line["reason"], line["route"]) == ("sys_crash", error.__name__, "/telegram/broken")


def test_forwarding_headers_change_nothing(both: Site) -> None:
    """Host names and schemes that a client claims reach no answer, cookie or check."""
    claims = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Port": "81",
        "Forwarded": "host=evil.example;proto=http",
        "X-Original-URL": "/evil",
        "X-Rewrite-URL": "/evil",
        "X-HTTP-Method-Override": "DELETE",
        "X-Forwarded-Prefix": "/evil",
        "Host": "evil.example",
    }
    body = both.widget(id=1)
    plain, claimed = both.login(body), both.login(both.widget(id=1), headers={**OWN_PAGE, **claims})
    assert [name for name, _ in plain.headers] == [name for name, _ in claimed.headers]
    assert "Secure" in (claimed.header("Set-Cookie") or "")
    started = both.start(headers={**OWN_PAGE, **claims})
    assert b"evil" not in started.body
    assert started.json().keys() == both.start().json().keys()
    refused = both.logout(cookie=claimed.token, headers={**claims, "Origin": "https://evil.example"})
    assert refused.code == "cross_site_blocked"
    assert both.logout(cookie=claimed.token, headers={**claims, "Origin": ORIGIN}).status == 204


def environ_for(path: str, **changes: Any) -> dict[str, Any]:
    builder = EnvironBuilder(path, base_url=ORIGIN, method=METHODS[path], headers=OWN_PAGE)
    return builder.get_environ() | changes


OPTIONAL = [
    *("CONTENT_LENGTH", "CONTENT_TYPE", "QUERY_STRING", "REMOTE_ADDR", "HTTP_HOST", "SERVER_PORT"),
    "HTTP_USER_AGENT",
]


@pytest.mark.parametrize("path", APPS)
def test_environ_may_lack_what_wsgi_lets_it_lack(site: Site, path: str) -> None:
    """A server that leaves an optional variable out, or REMOTE_ADDR as None, gets a whole answer."""
    site.verify()
    environs = {"REMOTE_ADDR is None": environ_for(path, REMOTE_ADDR=None)}
    for missing in OPTIONAL:
        environs[missing] = environ_for(path)
        environs[missing].pop(missing, None)
    for name, environ in environs.items():
        with named(name):
            chunks, status, headers = run_wsgi_app(APPS[path], environ)
            assert status[:3] in ("200", "204", "401", "415") or (status[:3] == "404" and path in HIDDEN)
            check_common(Answer(int(status[:3]), list(headers), b"".join(chunks)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("path", APPS)
def test_apps_speak_wsgi(site: Site, path: str) -> None:
    """The standard library's validator finds nothing wrong with how an app speaks WSGI."""
    site.verify()
    for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE"):
        builder = EnvironBuilder(method=method, base_url=ORIGIN, headers=OWN_PAGE, json={"a": 1})
        environ = {key: value for key, value in builder.get_environ().items() if key[:8] != "werkzeug"}
        started: list[Any] = []

        def start_response(*start: Any, started: list[Any] = started) -> Callable[[bytes], None]:
            started.append(start)
            return lambda _: None

        with named(method):
            chunks = validator(APPS[path])(environ, start_response)
            body = b"".join(chunks)
            chunks.close()  # type: ignore[attr-defined]
            check_common(Answer(int(started[0][0][:3]), started[0][1], body), head=method == "HEAD")


def test_misconfigured_everywhere(environment: Callable[[dict[str, str]], None]) -> None:
    """Without a bot token every endpoint but /health answers 503, and none of them says what is missing."""
    environment({})
    bodies = {"/telegram/login": {"hash": "0" * 64, **USER, "auth_date": 1}, "/telegram/start": {}}
    for path in APPS:
        answer = send(METHODS[path], path, json_body=bodies.get(path), headers=OWN_PAGE, cookie=f"{COOKIE}=x")
        check_common(answer)
        assert answer.status == 503
        assert b"TOKEN" not in answer.body.upper().replace(b"INVALID_TOKEN", b"")
        if path == "/health":
            assert answer.json()["status"] == "down"
        else:
            check_problem(answer, 503, "misconfigured")


def test_bodies_on_get(both: Site) -> None:
    """A body that comes with GET has no meaning and does no harm, within 16 KiB."""
    token = both.login().token
    for body, status in ((b"x", 200), (b"[" * 16_384, 200), (b"x" * 16_385, 413)):
        for content_type in ("text/plain", "application/json", ""):
            headers = {"Content-Type": content_type}
            assert both.verify(cookie=token, body=body, headers=headers).status == status
    assert both.verify(body=f'{{"token":"{token}"}}'.encode()).code == "unauthenticated"


def test_ttl_is_a_day_without_a_store() -> None:
    """The tests' picture of a degraded session's life is the settings' own."""
    clock = Clock()
    answer = Site(clock, {**ENV, "SESSION_TTL": str(5 * DAY)}).login()
    assert answer.json()["session"]["expires_at"] == clock.time + DAY


def test_a_slow_body_takes_no_time_from_the_store(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """However late the last byte of a body comes, what the store needs afterwards has its whole time."""
    started: list[float] = []
    monkeypatch.setattr(budget, "start", lambda seconds=budget.SECONDS: started.append(seconds))
    read: list[int] = []

    class Late(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            read.append(len(started))
            return super().read(size)

    body = json.dumps({"return_to": "/"}).encode()
    environ = {"wsgi.input": Late(body), "CONTENT_LENGTH": str(len(body))}
    site.send(
        "POST", "/telegram/start", headers={**OWN_PAGE, "Content-Type": "application/json"}, environ=environ
    )
    assert read == [1]
    assert len(started) >= 2
