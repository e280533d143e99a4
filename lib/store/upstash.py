"""Upstash Redis over REST: the store for production.

Uses upstash-redis for the protocol, with requests of our own: a deadline for every attempt, no hidden retry
after three seconds, a look at the status. Only name resolution is outside the deadline.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lib.credentials import StoreKind
from lib.deferred import deferred
from lib.errors import StoreUnavailable
from lib.http_client import HttpClient
from lib.store.base import StoreFull, Unanswered
from lib.store.hashes import Command, HashStore

with deferred("httpx"):  # A third of a cold start, and `_Requests` below sends in its place.
    from upstash_redis import Redis
    from upstash_redis.errors import UpstashError
    from upstash_redis.http import format_response, make_headers

ATTEMPT_SECONDS = 1.2
"""For one HTTP request, from connecting to the last byte; an operation takes two at most."""

MAX_ANSWER = 1 << 20
"""Bytes of one answer; SESSION_LIMIT of the largest records stay far below."""

_TOKEN_REFUSED = "the token was refused; copy UPSTASH_REDIS_REST_URL and _TOKEN from one database again"  # noqa: S105
_TOO_OLD = "the server lacks a command; tgauth needs Upstash, Redis 8 or Valkey 9.1 behind the URL"
# What Upstash answers, and what its owner does about it (https://upstash.com/docs/redis/troubleshooting).
_KNOWN = {
    "WRONGPASS": _TOKEN_REFUSED,
    "Unauthorized": _TOKEN_REFUSED,
    "NOPERM": "the token is read-only; set the standard token",
    "max requests limit": "the database has used up its month's commands; raise its plan",
    "max daily request": "the database has used up its day's commands; raise its plan",
    "not available": _TOO_OLD,
    "unknown command": _TOO_OLD,
}
_FULL = ("capacity quota", "OOM")

_ENCODING: Final = "base64"


class UpstashStore(HashStore):
    """See `Store`. `url` and `token` are the database's REST credentials."""

    kind: StoreKind = "upstash"

    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        self._http = _Requests(seconds=ATTEMPT_SECONDS, max_bytes=MAX_ANSWER)
        self._redis = _Redis(url, token, self._http)

    def _send(self, command: Command) -> object:
        return self._redis.execute(command)

    def _send_all(self, commands: Sequence[Command], *, atomic: bool) -> object:
        batch = self._redis.multi() if atomic else self._redis.pipeline()
        for command in commands:
            batch.execute(command)
        return batch.exec()

    def _explain(self, error: Exception) -> StoreUnavailable:
        if isinstance(error, StoreUnavailable):
            return error
        if not isinstance(error, UpstashError):
            return Unanswered(f"no usable answer from Upstash ({type(error).__name__})")
        text = str(error)
        if any(sign in text for sign in _FULL):
            return StoreFull("the database is full; raise its plan or delete keys")
        fixes = (fix for sign, fix in _KNOWN.items() if sign in text)
        return StoreUnavailable(next(fixes, "Upstash answered with an error"))


class _Redis(Redis):
    """upstash-redis's client, without telemetry, over requests of ours.

    Not begun as its own `__init__` does, which makes an HTTP client of httpx.
    """

    def __init__(self, url: str, token: str, http: "_Requests") -> None:
        self._url = url
        self._headers = make_headers(token, _ENCODING, allow_telemetry=False)
        self._http: Any = http
        # Threads share the client, so a read-your-writes token would be whoever's answered last.
        self._read_your_writes = False


class _Requests(HttpClient):
    """Commands as HTTP requests, as upstash-redis asks its own client for them."""

    def execute(
        self, url: str, headers: Mapping[str, str], command: Sequence[Any], from_pipeline: bool = False
    ) -> object:
        """What the server says; raises `UpstashError` for an error of its own, `Unanswered` for no answer."""
        headers = {**headers, "Content-Type": "application/json"}
        text = json.dumps(command, ensure_ascii=False, separators=(",", ":"))
        status, body = self.send("POST", url, headers, text.encode())
        if status >= 500:
            raise Unanswered(f"Upstash answered {status}")
        answer = json.loads(body)
        if status != 200:
            parts = answer if isinstance(answer, list) else [answer]
            errors = [part["error"] for part in parts if "error" in part]
            raise UpstashError(str(errors[0])) if errors else Unanswered(f"Upstash answered {status}")
        if from_pipeline:
            return [format_response(part, _ENCODING) for part in answer]
        return format_response(answer, _ENCODING)
