"""Redis over TCP, for REDIS_URL: Redis Cloud, Railway, a server of one's own.

Needs hash-field expiry with HSETEX and HGETEX: Redis 8 or Valkey 9. Nothing asks for the version on the way
(Valkey reports an old `redis_version`): a server that is too old says that it does not know the command.
"""

import socket
from collections.abc import Sequence
from typing import Any

from redis import Connection, ConnectionPool, Redis, SSLConnection
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse, RedisError
from redis.exceptions import TimeoutError as TimedOut
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from .. import budget
from . import reasons
from .hashes import Command, HashStore
from .reasons import Reason

WAIT_SECONDS = 1.2
"""For connecting, and for each part of an answer; together they may take what `tgauth.budget` leaves."""


class RedisStore(HashStore):
    """The store over TCP; `url` is `redis://…` or, encrypted, `rediss://…`."""

    kind = "redis"

    def __init__(self, url: str, variable: str = "REDIS_URL") -> None:
        super().__init__(url, variable)
        self._secure = url.startswith("rediss:")
        pool: Any = ConnectionPool.from_url(
            url,
            decode_responses=True,
            socket_timeout=WAIT_SECONDS,
            socket_connect_timeout=WAIT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            # One for each thread at most, and the number of threads is not limited.
            max_connections=2**16,
            # With them on, redis-py can reuse a connection that still holds an unread reply, and return that.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        # Of its own accord `from_url` takes a class for `redis://` alone.
        pool.connection_class = _InTimeTLS if pool.connection_class is SSLConnection else _InTime
        self._redis: Any = Redis(connection_pool=pool)

    def close(self) -> None:
        self._redis.connection_pool.disconnect()

    def _send(self, command: Command) -> object:
        return self._redis.execute_command(*command)

    def _send_all(self, commands: Sequence[Command], *, atomic: bool) -> object:
        pipeline = self._redis.pipeline(transaction=atomic)
        # It would put the command, with text that people chose, in front of the server's words.
        pipeline.annotate_exception = lambda *_: None
        for command in commands:
            pipeline.execute_command(*command)
        return pipeline.execute()

    def _explain(self, error: Exception) -> tuple[Reason, bool]:
        text = str(error)
        # redis-py removes the word that names the kind of error, and keeps it here.
        word = getattr(error, "status_code", None)
        if word or (isinstance(error, RedisError) and not isinstance(error, _OWN)):
            return reasons.said(f"{word} {text}" if word else text, reasons.REDIS), True
        match error:
            case InvalidResponse():
                # A TLS alert begins so.
                is_tls = "\\x15\\x03" in text and not self._secure
                return (reasons.TLS_ONLY if is_tls else reasons.ANOTHER_PROTOCOL), False
            case TimedOut() if text == "Timeout connecting to server":
                return reasons.NO_CONNECTION, False
        hung_up = reasons.HUNG_UP if self._secure else reasons.TLS_ONLY
        default = hung_up if isinstance(error, Disconnected) else None
        return reasons.unanswered(error, secure=self._secure, default=default), False


_OWN = (Disconnected, TimedOut, InvalidResponse)
"""Errors of redis-py itself; those of servers have other types, or a `status_code`."""


class _InTime(Connection):
    """A connection that never holds a request up longer than its budget of time.

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

    def connect(self) -> None:
        """As redis-py's; a server that turns people away says why before it is asked."""
        is_new = self._sock is None
        super().connect()  # type: ignore[no-untyped-call]
        if is_new and self.can_read():
            said = self.read_response()
            self.disconnect()  # type: ignore[no-untyped-call]
            raise InvalidResponse(f"Protocol Error: {said!r}")

    def _connect(self) -> "_Socket":
        connected: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        return _Socket(connected, self._socket_timeout)


class _InTimeTLS(_InTime, SSLConnection):
    """The same, encrypted."""


class _Socket:
    """A connected socket whose calls wait at most `seconds`, and no longer than the request has left."""

    def __init__(self, connected: socket.socket, seconds: float | None) -> None:
        self._socket = connected
        self._seconds = seconds
        self._looks_only = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def settimeout(self, seconds: float) -> None:
        """As a socket's. redis-py sets 0 to look whether something has arrived, and otherwise a time."""
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
