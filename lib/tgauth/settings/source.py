"""Which Redis the owner named, from the variables that Upstash, Vercel's Marketplace and others set.

Nothing here is guessed: half a pair, or a URL that is not valid, is a problem that names the variable,
and never a reason to keep sessions in memory.
"""

import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from .hosts import HOST, LOOPBACK

StoreKind = Literal["memory", "upstash", "redis"]
Problem = Callable[[str, str], None]

# REDIS_URL's host. Docker Compose names have underscores; urlsplit has checked what was in brackets.
_HOST = r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|[0-9a-f.:]*:[0-9a-f.:]*"
_TOKEN = r"[\x21-\x7e]+"  # noqa: S105 (a pattern, not a token)
_DATABASE = r"/?[0-9]{0,4}"
# Hosts that only machines on one network know, and Upstash's hosts inside Fly.
_PRIVATE_HOST = re.compile(
    r"[^.:]*|.*\.(internal|local|flycast|localhost)|fly-.*\.upstash\.io"
    r"|127\..*|10\..*|192\.168\..*|172\.(1[6-9]|2[0-9]|3[01])\..*|::1|f[cd][0-9a-f]*:.*|fe80:.*"
)

# Vercel's Marketplace sets the second pair. Each also comes with a read-only token, which is never read.
_PAIRS = (
    ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
    ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
)
_REDIS_FORM = "set redis://user:password@host:port or rediss://…"


class Source(NamedTuple):
    """Where sessions are kept: the REST pair of `upstash`, the whole REDIS_URL of `redis`, or nothing.

    `variable` is the one that holds the URL.
    """

    kind: StoreKind = "memory"
    url: str = ""
    token: str = ""
    variable: str = ""

    def __repr__(self) -> str:
        return f"Source(kind={self.kind!r})"

    @property
    def exposed(self) -> bool:
        """Whether traffic can be read on the way: it is unencrypted, and the host is not private."""
        parts = urlsplit(self.url)
        return parts.scheme == "redis" and not _PRIVATE_HOST.fullmatch(parts.hostname or "")


def read_source(text: Callable[[str], str], problem: Problem) -> Source:
    """The first complete source among the two REST pairs and REDIS_URL; `problem` gets name and fix."""
    for url_name, token_name in _PAIRS:
        url, token = text(url_name), text(token_name)
        if url and token:
            return _rest(url_name, url.rstrip("/"), token_name, token, problem)
        if url or token:
            problem(token_name if url else url_name, "is missing from the pair; set both")
            return Source("upstash")
    return _redis(text("REDIS_URL"), problem)


def prefixed(names: Iterable[str]) -> tuple[str, ...]:
    """The `names` that are a URL variable's behind a prefix, which Vercel's Marketplace can add."""
    known = ("_KV_REST_API_URL", "_UPSTASH_REDIS_REST_URL", "_REDIS_URL")
    return tuple(sorted(name for name in names if name.endswith(known)))


def _rest(url_name: str, url: str, token_name: str, token: str, problem: Problem) -> Source:
    scheme, _, host = url.lower().partition("://")
    parts = _parts(f"{scheme}://{host}")
    if (
        not HOST.fullmatch(host)
        or scheme not in ("http", "https")
        or not parts
        or not _is_name(parts.hostname)
    ):
        problem(url_name, "is not a valid REST URL; copy https://….upstash.io from Upstash's console")
    elif scheme == "http" and not LOOPBACK.fullmatch(host):
        problem(url_name, "is not encrypted; use https")
    if not re.fullmatch(_TOKEN, token):
        problem(token_name, "has white space or other characters that no token has; copy it again")
    return Source("upstash", f"{scheme}://{host}", token, url_name)


def _redis(url: str, problem: Problem) -> Source:
    if not url:
        return Source()
    # Railway advises this for ioredis; redis-py tries both families anyway.
    url = url.removesuffix("?family=0")
    parts = _parts(url)
    if wrong := _wrong(url, parts):
        problem("REDIS_URL", wrong)
    if wrong or parts is None:
        return Source("redis")
    host = parts.hostname or ""
    if not host.endswith(".upstash.io") or host.startswith("fly-"):
        # Upstash on Fly has no REST API.
        return Source("redis", url, variable="REDIS_URL")
    # Upstash's password is its REST token, on the same host, for its default user.
    if parts.username not in ("default", "", None):
        problem("REDIS_URL", "names a user other than Upstash's default; copy the URL of the user default")
    elif not parts.password:
        problem("REDIS_URL", "has no password; copy the whole URL from Upstash's console")
    else:
        return _rest("REDIS_URL", f"https://{host}", "REDIS_URL", unquote(parts.password), problem)
    return Source("upstash")


def _parts(url: str) -> SplitResult | None:
    """The URL's parts; None if it cannot be parsed."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_name(host: str | None) -> bool:
    """Whether no label of it is empty, or too long for DNS (RFC 1035 §2.3.4)."""
    return all(0 < len(label) < 64 for label in (host or "").split("."))


def _wrong(url: str, parts: SplitResult | None) -> str:
    """What is wrong with REDIS_URL, and the fix; empty if nothing is."""
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    if scheme.lower() in ("http", "https") and separator:
        return "is a REST URL; set it as UPSTASH_REDIS_REST_URL, and its token as UPSTASH_REDIS_REST_TOKEN"
    if scheme not in ("redis", "rediss") or not separator:
        return f"does not begin with redis:// or rediss://; {_REDIS_FORM}"
    if at and re.search(r"[/?#\[\]]|[^\x21-\x7e]", user):
        return (
            "has a character in its user or password that a URL cannot hold;"
            " percent-encode it (# is %23, / is %2F, ? is %3F)"
        )
    if not re.fullmatch(_TOKEN, url):
        return "has white space or other characters that no URL has; copy it again, on one line"
    if "ssl_cert_reqs" in place:
        return (
            "turns certificates off with ssl_cert_reqs, which would let anybody pose as the server;"
            " remove what follows the ?, and for an authority of your own set SSL_CERT_FILE"
        )
    if "?" in place or "#" in place:
        return "has options after its ? or #; remove them, tgauth needs none"
    if parts is None or not re.fullmatch(_HOST, parts.hostname or "") or not _is_name(parts.hostname):
        return f"has no valid host and port; {_REDIS_FORM}"
    if not re.fullmatch(_DATABASE, parts.path):
        return "has something after its slash that is not a database's number; remove it"
    return ""
