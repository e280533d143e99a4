"""A Redis connection that returns raw replies: errors as values, status replies distinct from strings.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/ (RESP2)
"""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_SECONDS = 10


class ReplyError(str):
    """An error reply, with its code: `ERR unknown command …`."""

    __slots__ = ()


class Status(str):
    """A status reply such as OK."""

    __slots__ = ()


type Reply = int | bytes | ReplyError | Status | list[Reply] | None
type Command = Sequence[str | int | float | bytes]


class Connection:
    """One TCP connection to this machine; not for use by two threads at once.

    Raises OSError when the server is not there or says nothing for ten seconds.
    """

    def __init__(self, port: int, database: int = 0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")
        if database:
            self.run([["SELECT", database]])

    def run(self, commands: Sequence[Command]) -> list[Reply]:
        """Send all commands at once and read as many replies."""
        self._socket.sendall(b"".join(map(_pack, commands)))
        return [self._read() for _ in commands]

    def close(self) -> None:
        """Give the connection up."""
        self._reader.close()
        self._socket.close()

    def _read(self) -> Reply:
        line = self._reader.readline()
        kind, rest = line[:1], self._whole(line, len(line))
        match kind:
            case b"+":
                return Status(rest[1:].decode())
            case b"-":
                return ReplyError(rest[1:].decode("utf-8", "replace"))
            case b":":
                return int(rest[1:])
            case b"$":
                size = int(rest[1:]) + 2
                return None if size < 2 else self._whole(self._reader.read(size), size)
            case b"*":
                length = int(rest[1:])
                return None if length < 0 else [self._read() for _ in range(length)]
        raise ConnectionError(f"not RESP2: {kind!r}")

    def _whole(self, data: bytes, size: int) -> bytes:
        if len(data) != size or not data.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        return data[:-2]


class Pool:
    """Connections to lend out, as many as are in use at once; safe to use from several threads."""

    def __init__(self, port: int, database: int = 0) -> None:
        self._port = port
        self._database = database
        self._idle: list[Connection] = []
        self._closed = False
        self._lock = threading.Lock()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for one caller; it is dropped when the caller fails."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or Connection(self._port, self._database)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()


def _pack(command: Command) -> bytes:
    parts = [part if isinstance(part, bytes) else str(part).encode() for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
