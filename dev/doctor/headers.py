"""What the headers of an answer must say. Sources: RFC 6265bis §4.1.3.2 (__Host-), RFC 6797 (HSTS), CSP3."""

import re
from collections.abc import Iterator, Mapping

from requests import Response

from dev.doctor.report import Check, ok, problem, warning

_PROXY = (
    "tgauth sends them, so something on the way takes them out or puts its own in their place: look at"
    " vercel.json and at what stands in front of the deployment"
)
_HALF_A_YEAR = 15_552_000
_TRANSACTION = "tgauth-tx-"


def check_cookie(cookie: str, *, https: bool) -> Iterator[Check]:
    """The transaction's cookie, as POST /telegram/start sets it; the session's has the same attributes."""
    pair, *parts = (part.strip() for part in cookie.split(";"))
    name = pair.partition("=")[0]
    attributes = {part.partition("=")[0].lower(): part.partition("=")[2] for part in parts}
    expected = f"__Host-{_TRANSACTION}" if https else _TRANSACTION
    faults = {
        f"its name does not begin with {expected}": not name.startswith(expected),
        "it is not HttpOnly": "httponly" not in attributes,
        "it is not Secure": https and "secure" not in attributes,
        "it is not SameSite=Lax": attributes.get("samesite", "").lower() != "lax",
        "its Path is not /": attributes.get("path") != "/",
        "it has a Domain": "domain" in attributes,
    }
    if wrong := [text for text, is_so in faults.items() if is_so]:
        yield problem(
            "cookie",
            f"the login's cookie is not as tgauth sets it: {', '.join(wrong)}",
            "something in front of the deployment rewrites cookies: let it pass Set-Cookie on unchanged",
        )
    else:
        more = ", Secure, __Host-" if https else " (on http://localhost without Secure)"
        yield ok("cookie", f"HttpOnly, SameSite=Lax, Path=/, no Domain{more}")


def check_api_headers(headers: Mapping[str, str], *, https: bool) -> Iterator[Check]:
    """The headers that every answer of the API carries."""
    policy = _policy(headers)
    faults = {
        "Cache-Control: no-store": "no-store" not in headers.get("Cache-Control", "").lower(),
        "Content-Security-Policy: default-src 'none'": policy.get("default-src") != ["'none'"],
        "Content-Security-Policy: frame-ancestors": not policy.get("frame-ancestors"),
        "Referrer-Policy: no-referrer": not _says_referrer(headers, "no-referrer")
        and not _says_referrer(headers, "strict-origin-when-cross-origin"),
        "X-Content-Type-Options: nosniff": not _nosniff(headers),
        "Strict-Transport-Security": https and _hsts_seconds(headers) < _HALF_A_YEAR,
    }
    if missing := [text for text, is_so in faults.items() if is_so]:
        yield problem("headers", f"the API's answers lack {', '.join(missing)}", _PROXY)
    else:
        yield ok("headers", "the API's answers carry CSP, no-store, nosniff, Referrer-Policy and HSTS")


def check_page(answer: Response, *, https: bool) -> Iterator[Check]:
    """The page at /, which is tgauth's login page or one of the owner's."""
    headers, policy = answer.headers, _policy(answer.headers)
    scripts = policy.get("script-src", policy.get("default-src", []))
    styles = policy.get("style-src", policy.get("default-src", []))
    faults = {
        "it has no Content-Security-Policy": not policy,
        "its Content-Security-Policy lets scripts be 'unsafe-inline'": "'unsafe-inline'" in scripts,
        "its Content-Security-Policy lets scripts be 'unsafe-eval'": "'unsafe-eval'" in scripts,
        "its Content-Security-Policy lets styles be 'unsafe-inline'": "'unsafe-inline'" in styles,
        "it has no X-Content-Type-Options: nosniff": not _nosniff(headers),
        "it has no Strict-Transport-Security": https and not _hsts_seconds(headers),
        "its Referrer-Policy is no-referrer, with which Telegram's widget is reported to fail": (
            _says_referrer(headers, "no-referrer")
        ),
        "its Cross-Origin-Opener-Policy is same-origin, which cuts Telegram's popup off": (
            headers.get("Cross-Origin-Opener-Policy", "").lower() == "same-origin"
        ),
    }
    if wrong := [text for text, is_so in faults.items() if is_so]:
        yield warning(
            "page",
            f"the page at /: {'; '.join(wrong)}",
            "take the headers over that vercel.json has for /, or, where the page is your own, its like:"
            " docs/API.md#a-popup",
        )
    else:
        yield ok("page", "the page at / has a Content-Security-Policy without unsafe-inline and unsafe-eval")


def _policy(headers: Mapping[str, str]) -> dict[str, list[str]]:
    """The directives of a Content-Security-Policy; the first of a name counts (CSP3 §2.2.1)."""
    found: dict[str, list[str]] = {}
    for directive in headers.get("Content-Security-Policy", "").lower().split(";"):
        if words := directive.split():
            found.setdefault(words[0], words[1:])
    return found


def _says_referrer(headers: Mapping[str, str], policy: str) -> bool:
    """Whether this is the policy that counts: the last in the list."""
    return headers.get("Referrer-Policy", "").lower().rpartition(",")[2].strip() == policy


def _nosniff(headers: Mapping[str, str]) -> bool:
    return headers.get("X-Content-Type-Options", "").strip().lower() == "nosniff"


def _hsts_seconds(headers: Mapping[str, str]) -> int:
    match = re.search(r"max-age=\"?([0-9]{1,12})", headers.get("Strict-Transport-Security", "").lower())
    return int(match[1]) if match else 0
