"""Which Redis the owner named, from the variables that Upstash, Vercel's Marketplace and others set.

A leaf that only `lib.settings` uses. Nothing here is ever guessed: half a pair, a URL that is none, or one
without encryption is a problem that names the variable, and never a reason to keep sessions in memory.
"""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

StoreKind = Literal["memory", "upstash", "redis"]

LOOPBACK = re.compile(r"(localhost|[a-z0-9.-]+\.localhost|127\.0\.0\.1)(:[0-9]{1,5})?")
HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
_TOKEN = r"[\x21-\x7e]+"  # noqa: S105 (a form, no token)

_DATABASE = r"(/[0-9]{0,4})?"

# Vercel's Marketplace sets the second pair. Each has a read-only token besides, which is never looked at.
_PAIRS = (
    ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
    ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
)


class Credentials(NamedTuple):
    """Where sessions are kept: the REST pair of `upstash`, the whole REDIS_URL of `redis`, or nothing."""

    kind: StoreKind = "memory"
    url: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return f"Credentials(kind={self.kind!r})"


def read_credentials(text: Callable[[str], str], problem: Callable[[str, str], None]) -> Credentials:
    """The first complete source, of the two REST pairs and REDIS_URL; `problem` gets name and fix."""
    for url_name, token_name in _PAIRS:
        url, token = text(url_name), text(token_name)
        if url and token:
            return _rest(url_name, url.rstrip("/"), token_name, token, problem)
        if url or token:
            problem(token_name if url else url_name, "is missing from the pair; set both")
            return Credentials("upstash")
    return _redis(text("REDIS_URL"), problem)


def _rest(
    url_name: str, url: str, token_name: str, token: str, problem: Callable[[str, str], None]
) -> Credentials:
    scheme, _, host = url.lower().partition("://")
    if not HOST.fullmatch(host) or scheme not in ("http", "https"):
        problem(url_name, "is no REST URL; copy https://….upstash.io from Upstash's console")
    elif scheme == "http" and not LOOPBACK.fullmatch(host):
        problem(url_name, "is not encrypted; use https")
    if not re.fullmatch(_TOKEN, token):
        problem(token_name, "has white space or other characters that no token has; copy it again")
    return Credentials("upstash", f"{scheme}://{host}", token)


def _redis(url: str, problem: Callable[[str, str], None]) -> Credentials:
    if not url:
        return Credentials()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    form = re.fullmatch(_TOKEN, url) and url.startswith(("redis://", "rediss://"))
    if not form or not HOST.fullmatch(host) or not re.fullmatch(_DATABASE, parts.path) or "?" in url:
        problem("REDIS_URL", "is no Redis URL; set redis://user:password@host:port or rediss://…")
        return Credentials("redis")
    if not host.endswith(".upstash.io"):
        return Credentials("redis", url)
    # Upstash's password is its REST token, on the same host, for its default user.
    if parts.scheme != "rediss" or parts.username not in ("default", "", None) or not parts.password:
        problem("REDIS_URL", "is Upstash's, but not rediss://default:password@host:port; copy it again")
        return Credentials("upstash")
    return _rest("REDIS_URL", f"https://{host}", "REDIS_URL", unquote(parts.password or ""), problem)
