"""Upstash Redis over REST: the store for production.

Uses upstash-redis for the protocol and closes what it leaves open: a deadline for every attempt, no hidden
retry after three seconds, a look at the status. Only name resolution is outside the deadline.
"""

from collections.abc import Sequence

import httpx
from upstash_redis import Redis
from upstash_redis.errors import UpstashError

from lib.credentials import StoreKind
from lib.deadline import install
from lib.errors import StoreUnavailable
from lib.store.base import Unanswered
from lib.store.hashes import Command, HashStore, StoreFull

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


class UpstashStore(HashStore):
    """See `Store`. `url` and `token` are the database's REST credentials."""

    kind: StoreKind = "upstash"

    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        # Threads share the client, so its read-your-writes token would be whoever's answered last.
        self._redis = Redis(url, token, rest_retries=0, allow_telemetry=False, read_your_writes=False)
        client = self._redis._http._client
        self._deadline = install(client, seconds=ATTEMPT_SECONDS, max_bytes=MAX_ANSWER)
        client.event_hooks["response"].append(_raise_error)

    def _send(self, command: Command) -> object:
        self._deadline.start()
        return self._redis.execute(command)

    def _send_all(self, commands: Sequence[Command], *, atomic: bool) -> object:
        batch = self._redis.multi() if atomic else self._redis.pipeline()
        for command in commands:
            batch.execute(command)
        self._deadline.start()
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


def _raise_error(response: httpx.Response) -> None:
    """Raise what came with a bad status: upstash-redis never looks, and loses a failed transaction's text."""
    if response.status_code == 200:
        return
    response.read()
    if response.status_code >= 500:
        raise Unanswered(f"Upstash answered {response.status_code}")
    body = response.json()
    errors = [part["error"] for part in (body if isinstance(body, list) else [body]) if "error" in part]
    if errors:
        raise UpstashError(str(errors[0]))
    raise Unanswered(f"Upstash answered {response.status_code}")
