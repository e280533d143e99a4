"""Redis over TCP, for REDIS_URL: Redis Cloud, Railway, a server of one's own.

Needs hash-field expiry with HSETEX and HGETEX: Redis 8 or Valkey 9. Nothing asks for the version on the way
(Valkey reports an old `redis_version`): a server that is too old says that it does not know the command.
"""

from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.retry import Retry

from lib.credentials import StoreKind
from lib.errors import StoreUnavailable
from lib.store.base import Unanswered
from lib.store.hashes import Command, HashStore, StoreFull

WAIT_SECONDS = 1.4
"""For connecting, and for every answer; an operation takes two attempts at most."""


class RedisStore(HashStore):
    """See `Store`. `url` is `redis://…` or, encrypted, `rediss://…`."""

    kind: StoreKind = "redis"
    _longest_wait = WAIT_SECONDS

    def __init__(self, url: str) -> None:
        super().__init__()
        self._redis: Any = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=WAIT_SECONDS,
            socket_connect_timeout=WAIT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    def _send(self, command: Command) -> object:
        return self._redis.execute_command(*command)

    def _send_all(self, commands: Sequence[Command], *, atomic: bool) -> object:
        pipeline = self._redis.pipeline(transaction=atomic)
        for command in commands:
            pipeline.execute_command(*command)
        return pipeline.execute()

    def _explain(self, error: Exception) -> StoreUnavailable:
        match error:
            case AuthenticationError() | NoPermissionError():
                return StoreUnavailable("REDIS_URL: its user or password was refused; copy it again")
            case OutOfMemoryError():
                return StoreFull("the server is full; give it more memory or delete keys")
            case ReadOnlyError():
                return StoreFull("REDIS_URL: is a replica's, which only reads; set the primary's")
            case ResponseError() if "unknown command" in str(error).lower():
                return StoreUnavailable("REDIS_URL: the server is too old; use Redis 8 or Valkey 9.1")
            case ResponseError():
                return StoreUnavailable("the server answered with an error")
        return Unanswered(f"no usable answer from Redis ({type(error).__name__})")
