"""Requests to every address, each nearly right: without a genuine token or proof they get nothing."""

import json
from typing import Any
from urllib.parse import urlencode

from ada_url import URL

import lib.tgauth.sessions.service
import lib.tgauth.settings
from dev.prove.faults.client import COOKIE, HOST, NAVIGATION, ORIGIN, OWN_PAGE, Answer, call, environ_of
from dev.prove.faults.judge import DOCUMENTED
from dev.prove.fuzz import material as m
from dev.prove.fuzz.mutate import Mutator
from dev.prove.fuzz.targets import ServerError, Target, Wrong, require
from lib.tgauth.sessions.base import SESSION
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.settings import Settings
from lib.tgauth.store.memory import MemoryStore

JSON = {"Content-Type": "application/json"}
_OTHER_BOT = "555555555:AAsomebodyElsesBotTokenabcdefghijk"
_TX = f"{COOKIE}-tx-{m.STATE[:8]}={m.TRANSACTION}"
_HEADERS = (
    *(
        "Cookie",
        "Authorization",
        "Origin",
        "Sec-Fetch-Site",
        "Sec-Fetch-Mode",
        "Content-Type",
        "Content-Length",
    ),
    *("Host", "X-Vercel-Id", "X-Real-IP", "User-Agent", "X-Vercel-IP-Country", "Accept", "X-Forwarded-Host"),
    *("Access-Control-Request-Method", "Purpose", "Sec-Purpose", "Transfer-Encoding", "Expect", "Range"),
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "")
_FETCHED = {**JSON, **OWN_PAGE}
# What there is none of here: a store that functions share, and a Telegram that answers.
_NO_FAULT = ("shared_store_required", "identity_provider_unavailable")


def _template(method: str, path: str, body: Any = None, query: str = "", **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        named = {**_FETCHED, **named}
    text = "" if body is None else json.dumps(body)
    return {"method": method, "path": path, "query": query, "headers": named, "body": text}


def _templates(tokens: dict[str, str]) -> list[dict[str, Any]]:
    """A request of each kind. Proofs are another bot's: what is signed for us would log in rightly."""
    widget, launch = m.widgets(_OTHER_BOT)[0], m.init_data(_OTHER_BOT)[1]
    token, bearer = tokens["cookie"], tokens["bearer"]
    cookie = {"Cookie": f"{COOKIE}={token}; {_TX}"}
    own = {**cookie, **OWN_PAGE}
    go = {**NAVIGATION, **cookie}
    look = {**go, "Accept": "text/html"}
    return [
        _template("GET", "/telegram/verify", **cookie),
        _template("GET", "/telegram/verify", Authorization=f"Bearer {bearer}"),
        _template("POST", "/telegram/refresh", **own),
        _template("POST", "/telegram/logout", **own),
        _template("GET", "/telegram/sessions", **cookie),
        _template("DELETE", f"/telegram/sessions/{m.SLOTS['bearer']}", **own),
        _template("DELETE", "/telegram/sessions", {"id": m.SLOTS["bearer"]}, **own),
        _template("DELETE", "/telegram/sessions", query="keep=current", **own),
        _template("POST", "/telegram/login", widget),
        _template(
            "POST", "/telegram/login", {"widget": widget, "state": m.STATE, "transport": "bearer"}, **own
        ),
        _template("POST", "/telegram/login", {"init_data": launch}),
        _template("POST", "/telegram/login", {"id_token": m.id_token(aud="1"), "transport": "bearer"}),
        _template("GET", "/telegram/login", query=urlencode(widget), **go),
        _template("GET", "/telegram/login", query=urlencode({**widget, "state": m.STATE}), **look),
        _template("GET", "/telegram/start", query="return_to=%2Faccount", **go),
        _template("GET", "/telegram/start", query="return_to=/&redirected=1", **look),
        _template("POST", "/telegram/start", {"return_to": "/account"}, **own),
        _template("GET", "/telegram/callback", query="error=access_denied&state=x", **go),
        _template("GET", "/telegram/callback", query=f"code=&state={m.STATE}", **look),
        _template("GET", "/telegram/relay", query=f"ticket={m.SIGNED_TICKET}x", **go),
        _template("POST", "/telegram/relay", {"ticket": m.SIGNED_TICKET, "user": 1}, **own),
        _template("POST", "/telegram/relay", {"code": m.CODE, "verifier": "x", "host": m.PREVIEW}),
        _template("GET", "/health"),
        _template("GET", "/stats", Authorization="Bearer canary"),
        _template("GET", "/telegram/nowhere"),
    ]


TEMPLATES = [
    {**template, "shared": shared}
    for shared, tokens in ((True, m.TOKENS), (False, m.CARRYING))
    for template in _templates(tokens)
]
"""For a deployment whose functions share a store, and for one whose tokens carry the record."""


class Site:
    """A deployment whose two sessions are those of the fixed tokens, in memory; new for every request."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tokens = m.TOKENS if settings is m.SHARED else m.CARRYING
        self.service = SessionService(settings, MemoryStore(lambda: m.NOW), lambda: m.NOW)
        for transport, record in m.RECORDS.items():
            name = f"{SESSION}{m.SLOTS[transport]}"
            key = f"tgauth:production:{m.BOT_ID}:u:{m.USER.id}"
            self.service.store.create(key, {name: record.dump()}, window=10**9, renew=name, ttl=10**9)


def make(mutator: Mutator) -> dict[str, Any]:
    """A request with something changed in it."""
    pick = mutator.random
    template = pick.choice(TEMPLATES)
    request = {**template, "headers": dict(template["headers"])}
    for _ in range(pick.choice((1, 1, 1, 2, 2, 3))):
        _change(request, mutator)
    return request


def _change(request: dict[str, Any], mutator: Mutator) -> None:
    pick, headers = mutator.random, request["headers"]
    part = pick.choice(
        ("path", "query", "headers", "headers", "header", "body", "body", "value", "method", "site")
    )
    if part == "method":
        request["method"] = (
            pick.choice(_METHODS) if pick.random() < 0.9 else mutator.text(request["method"], latin=True)
        )
    elif part == "headers" and headers:
        name = pick.choice(list(headers))
        headers[name] = mutator.text(headers[name], latin=True)
    elif part == "site":
        headers["Sec-Fetch-Site"] = pick.choice(("same-origin", "same-site", "cross-site", "none", ""))
    elif part in ("headers", "header"):
        name = pick.choice(_HEADERS if pick.random() < 0.7 else ("Host", "Origin", "Cookie"))
        headers[name] = mutator.text(
            pick.choice([HOST, ORIGIN, "9", "text/html", f"{COOKIE}={m.TOKENS['cookie']}"]), latin=True
        )
    elif part == "value" and request["body"]:
        try:
            request["body"] = json.dumps(mutator.value(json.loads(request["body"])))
        except (ValueError, RecursionError):
            request["body"] = mutator.text(request["body"], latin=True)
    elif part == "value":
        request["query"] = mutator.text(request["query"] or "a=b", latin=True)
    else:
        request[part] = mutator.text(request[part], latin=True)


def check(request: dict[str, Any]) -> Answer:
    """Send it to the functions, hold the answer to what every answer must be, and give it."""
    from lib.tgauth.wsgi import app

    site = Site(m.SHARED if request["shared"] else m.SETTINGS)
    lib.tgauth.settings._settings, lib.tgauth.sessions.service._service = site.settings, site.service
    headers = {"Host": HOST, **request["headers"]}
    body = request["body"].encode("latin-1", "replace")
    environ = environ_of(request["method"], request["path"], request["query"], headers, body)
    answer = call(app, environ)
    # What is shown as a page is answered 303.
    status = DOCUMENTED.get(answer.code or "", answer.status)
    if status >= 500 and not (status == 503 and answer.code in _NO_FAULT):
        raise ServerError(f"{status} {answer.headers} {answer.body[:300]!r}")
    try:
        _form(answer, request["method"])
        _nobody(answer, environ, site)
    except (ValueError, KeyError, TypeError) as error:
        raise Wrong(f"{answer.status} {answer.headers} {answer.body[:300]!r}") from error
    return answer


def _form(answer: Answer, method: str) -> None:
    """The form of every answer, as docs/API.md has it."""
    names = [name.lower() for name, _ in answer.headers if name != "Set-Cookie"]
    require(len(names) == len(set(names)), "a header is there twice")
    require(answer.header("cache-control") == "no-store", "an answer that may be stored")
    require(answer.header("x-content-type-options") == "nosniff", "an answer without its headers")
    if answer.status >= 400 and method != "HEAD":
        problem = answer.json()
        require(
            DOCUMENTED.get(problem["code"]) == answer.status == problem["status"], "no documented problem"
        )
    elif answer.status not in (204, 303) and answer.body:
        require(answer.header("content-type") == "application/json" and answer.json(), "no JSON")
    if location := answer.header("location"):
        address = URL(location, base=f"{ORIGIN}/telegram/login")
        require(address.origin == ORIGIN or location.startswith(f"{m.ISSUER}/auth?"), f"leads to {location}")


def _nobody(answer: Answer, environ: dict[str, Any], site: Site) -> None:
    """Who is told of a session holds its token, to the letter; nobody is given a new one here.

    And what a browser sends for a page of another site does nothing.
    """
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    bearer = authorization.partition(" ")[2].strip(" ")
    # An empty header, or one of another scheme, leaves it to the cookie.
    by_cookie = not any(part.strip().lower().startswith("bearer") for part in authorization.split(","))
    # The cookies of ours, in a reading of its own.
    pairs = [part.strip(" \t").partition("=") for part in environ.get("HTTP_COOKIE", "").split(";")]
    cookies = [value for name, separator, value in pairs if separator and name == COOKIE]
    holds = cookies == [site.tokens["cookie"]] if by_cookie else bearer == site.tokens["bearer"]
    if b'"user"' in answer.body or b'"sessions"' in answer.body or answer.header("content-type") is None:
        told = answer.status == 200
        require(not told or holds, "somebody without a token is told of a session")
    for name, value in answer.cookies.items():
        if name == COOKIE:
            require(value in ("", site.tokens["cookie"]), "a new session")
            require(value == "" or holds, "a cookie for who does not hold it")
        else:
            require(name.startswith(f"{COOKIE}-tx-"), f"a cookie {name}")
    require(not (answer.status == 200 and b'"token"' in answer.body), "a token")
    changes = environ["REQUEST_METHOD"] in ("POST", "DELETE") and by_cookie
    elsewhere = environ.get("HTTP_SEC_FETCH_SITE") in ("same-site", "cross-site", "none")
    require(
        not (changes and elsewhere and holds) or answer.status >= 400, "another site's page does something"
    )


HTTP = (Target("HTTP", make, check),)
