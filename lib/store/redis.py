"""Redis over TCP, for REDIS_URL: Redis Cloud, Railway, a server of one's own.

Needs hash-field expiry with HSETEX and HGETEX: Redis 8 or Valkey 9. Nothing asks for the version on the way
(Valkey reports an old `redis_version`): a server that is too old says that it does not know the command.
"""

import socket
from collections.abc import Sequence
from typing import Any

from redis import Connection, ConnectionPool, Redis, SSLConnection
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from lib import budget
from lib.credentials import StoreKind
from lib.errors import StoreUnavailable
from lib.store.base import StoreFull, Unanswered
from lib.store.hashes import Command, HashStore

WAIT_SECONDS = 1.2
"""For connecting, and for every part of an answer; all of them together have what `lib.budget` leaves."""


class RedisStore(HashStore):
    """See `Store`. `url` is `redis://…` or, encrypted, `rediss://…`."""

    kind: StoreKind = "redis"

    def __init__(self, url: str) -> None:
        super().__init__()
        pool: Any = ConnectionPool.from_url(
            url,
            decode_responses=True,
            socket_timeout=WAIT_SECONDS,
            socket_connect_timeout=WAIT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            # With them on, redis-py takes a connection on which an answer is left over, and gives that out.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        # Of its own accord `from_url` takes a class for `redis://` alone.
        pool.connection_class = _InTimeTLS if pool.connection_class is SSLConnection else _InTime
        self._redis: Any = Redis(connection_pool=pool)

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
                # Not "full": what a replica that lags has not seen would pass for ended, and the other way.
                return StoreUnavailable("REDIS_URL: is a replica's, which only reads; set the primary's")
            case ResponseError() if "unknown command" in str(error).lower():
                return StoreUnavailable("REDIS_URL: the server is too old; use Redis 8 or Valkey 9.1")
            case ResponseError():
                return StoreUnavailable("the server answered with an error")
        return Unanswered(f"no usable answer from Redis ({type(error).__name__})")


class _InTime(Connection):
    """A connection that holds a request up no longer than that has time.

    redis-py's own times start anew with every address, and with every byte that arrives.
    """

    @property  # type: ignore[misc]
    def socket_connect_timeout(self) -> float:
        """Seconds for one of the server's addresses."""
        return _left(self._socket_connect_timeout)

    @property  # type: ignore[misc]
    def socket_timeout(self) -> float:
        """Seconds for the TLS handshake."""
        return _left(self._socket_timeout)

    def _connect(self) -> "_Socket":
        connected: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        return _Socket(connected, self._socket_timeout)


class _InTimeTLS(_InTime, SSLConnection):
    """The same, encrypted."""


class _Socket:
    """A connected socket, whose calls wait for so many seconds, and for what the request has left."""

    def __init__(self, connected: socket.socket, seconds: float | None) -> None:
        self._socket = connected
        self._seconds = seconds
        self._looks_only = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def settimeout(self, seconds: float) -> None:
        """As a socket's. The only other time that redis-py sets is 0, to look whether something is there."""
        self._looks_only = seconds == 0

    def recv(self, size: int) -> bytes:
        """As a socket's."""
        self._socket.settimeout(0 if self._looks_only else _left(self._seconds))
        return self._socket.recv(size)

    def sendall(self, data: bytes) -> None:
        """As a socket's."""
        self._socket.settimeout(_left(self._seconds))
        self._socket.sendall(data)


def _left(seconds: float | None) -> float:
    left = min(seconds or WAIT_SECONDS, budget.remaining())
    if left <= 0:
        raise TimeoutError
    return left
