"""How a request's path, query and headers are read: Authorization, Origin, Host, Fetch Metadata."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import lib.tgauth.settings
from dev.prove.faults.client import HOST, ORIGIN, environ_of
from dev.prove.fuzz import material as m
from dev.prove.fuzz.mutate import Mutator
from dev.prove.fuzz.targets import Target, refused, require
from lib.tgauth.errors import CrossSiteBlocked, MalformedRequest, NotFound
from lib.tgauth.settings import read_settings
from lib.tgauth.web.devices import named_session
from lib.tgauth.web.navigation import query_fields
from lib.tgauth.web.request import Request

_TOKEN = m.TOKENS["bearer"]
_BEARERS = (f"Bearer {_TOKEN}", f"bearer   {_TOKEN}", "Basic dTpw", f"Bearer {_TOKEN}, Bearer x")
_TOKEN68 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/")
_ORIGINS = (
    ORIGIN,
    "null",
    "https://tgauth.example.evil.com",
    "http://tgauth.example",
    "https://TGAUTH.example",
)
_SITES = ("same-origin", "same-site", "cross-site", "none", "")
_PREVIEW = read_settings(
    m.ENV | {"AUTH_ORIGIN": "", "VERCEL_ENV": "preview", "VERCEL_URL": m.PREVIEW, "VERCEL_BRANCH_URL": ""}
)
_PRODUCTION = read_settings(m.ENV | {"AUTH_ORIGIN": "", "VERCEL_PROJECT_PRODUCTION_URL": HOST})
_DEVELOPMENT = read_settings(m.ENV | {"AUTH_ORIGIN": "", "VERCEL_ENV": "development"})
_QUERIES = (
    "return_to=%2Faccount%3Fa%3Db&redirected=1",
    f"state={m.STATE}&code=abc&iss=https%3A%2F%2Foauth.telegram.org",
    f"ticket={m.SIGNED_TICKET}",
    "keep=current",
    "a=%D0%98+b&a%5B%5D=&=&&c",
)


def _request(headers: dict[str, str], query: str = "", method: str = "GET", path: str = "/") -> Request:
    lib.tgauth.settings._settings = m.SHARED
    return Request(environ_of(method, path, query, headers))


def check_authorization(header: str) -> None:
    """RFC 6750 §2.1: the scheme in any case, spaces, one token68; another scheme leaves it to the cookie."""
    found = refused(lambda: _request({"Authorization": header}).presented(), MalformedRequest)
    scheme, _, rest = header.partition(" ")
    token = rest.lstrip(" ")
    body = token.rstrip("=")
    good = scheme.isascii() and scheme.lower() == "bearer" and body and set(body) <= _TOKEN68
    schemes = [part.strip().lower() for part in header.split(",")]
    other = not header or (scheme and rest and not any(part.startswith("bearer") for part in schemes))
    allowed = [(token, "bearer")] if good else [None, (None, "cookie")] if other else [None]
    require(found in allowed, f"taken for {found}")


def check_own_page(pair: list[str]) -> None:
    """Only our own pages pass: Fetch Metadata says so, or where it says nothing that is known, Origin."""
    site, origin = pair
    request = _request({"Sec-Fetch-Site": site, "Origin": origin}, method="POST")
    passed = refused(lambda: request.require_own_page() or True, CrossSiteBlocked)
    known = site in ("same-origin", "same-site", "cross-site", "none")
    require(bool(passed) == (site == "same-origin" if known else origin == ORIGIN), "another site's page")


def check_host(host: str) -> None:
    """A host is never believed: the origin is the owner's, or in a preview what Vercel calls it."""
    require(m.SETTINGS.origin(host) == ORIGIN, "production has another origin")
    own = f"https://www.{HOST}" if host.lower() == f"www.{HOST}" else ORIGIN
    require(
        _PRODUCTION.origin(host) == own, "production has an origin that is neither its own nor its twin's"
    )
    expected = f"https://{m.PREVIEW}" if host.lower() == m.PREVIEW else None
    require(_PREVIEW.origin(host) == expected, "a preview takes another's name")
    local = _DEVELOPMENT.origin(host)
    if local is not None:
        name = local.removeprefix("http://").partition(":")[0]
        good = name in ("localhost", "127.0.0.1") or name.endswith(".localhost")
        require(good and local == f"http://{host}", "development has a name of the internet")


def check_query(query: str) -> None:
    """Each field is there once, as UTF-8, in the one way to decode it."""
    fields = refused(lambda: query_fields(_request({}, query)), MalformedRequest)
    if fields is None:
        return
    pairs = [part.partition("=") for part in query.split("&") if part]
    decoded = [(_decode(name), _decode(value)) for name, _, value in pairs]
    require(len(dict(decoded)) == len(decoded), "a field is there twice")
    require(dict(decoded) == fields, "fields are read as others")


def _decode(text: str) -> str:
    # The runtime gives a query's bytes as latin-1 text, which is what the parser is given, too.
    spaced = text.replace("+", " ")
    return unquote_to_bytes(spaced).decode() if spaced.isascii() else _decode_mixed(spaced)


def _decode_mixed(text: str) -> str:
    """Runs of ASCII are decoded by themselves, and all else stays."""
    out, run = "", ""
    for character in [*text, ""]:
        if character and character.isascii():
            run += character
            continue
        out += unquote_to_bytes(run).decode() + character
        run = ""
    return out


def check_path(path: str) -> None:
    """A path names one session by its 16 characters, none, or is not found."""
    slot = refused(lambda: [named_session(_request({}, path=path))], NotFound)
    if slot is None:
        return
    stems = ("/telegram/sessions", "/api/telegram/sessions")
    good = path in stems if slot == [None] else path in [f"{stem}/{slot[0]}" for stem in stems]
    require(good and (slot == [None] or len(slot[0] or "") == 16), "another session than named")


def _latin(*seeds: str) -> Callable[[Mutator], str]:
    return lambda mutator: mutator.text(mutator.random.choice(seeds), latin=True)


def _pages(mutator: Mutator) -> Any:
    pick = mutator.random
    pair = [pick.choice(_SITES), pick.choice(_ORIGINS)]
    at = pick.randrange(2)
    pair[at] = mutator.text(pair[at], latin=True)
    return pair


HEADERS = (
    Target("Authorization", _latin(*_BEARERS), check_authorization),
    Target("Origin", _pages, check_own_page),
    Target(
        "Host",
        _latin(HOST, f"www.{HOST}", m.PREVIEW, "localhost:3000", "a.localhost", "127.0.0.1"),
        check_host,
    ),
    Target("query", _latin(*_QUERIES), check_query),
    Target("path", _latin(f"/telegram/sessions/{m.SLOTS['cookie']}", "/api/telegram/sessions"), check_path),
)
