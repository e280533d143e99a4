"""An HTTP connection that checks the clock before every wait and counts the bytes that it reads.

This gives Python's http.client one deadline and one size limit for a whole request. Name resolution is not
covered: the system's resolver takes no timeout.
"""

import io
import select
import socket
import ssl
import time
from contextlib import suppress
from functools import lru_cache
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple


class AnswerTooLong(HTTPException):
    """The answer is larger than the limit."""


class Server(NamedTuple):
    """Where to connect, and whether with TLS."""

    secure: bool
    host: str
    port: int


class Limits:
    """What the current request may still take."""

    def begin(self, seconds: float, size: int) -> None:
        """Begin a request that may take `seconds` and be answered with `size` bytes."""
        self._ends_at = time.monotonic() + seconds
        self._bytes_left = size

    def seconds(self) -> float:
        """Seconds left; raises TimeoutError when none are."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def count(self, size: int) -> int:
        """Count `size` bytes that arrived; raises `AnswerTooLong` if that is too many."""
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise AnswerTooLong
        return size


class Connection(HTTPConnection):
    """A connection to one server, for one request at a time."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.host, server.port)
        self._secure = server.secure
        self.default_port = 443 if server.secure else 80
        self.limits = Limits()
        self.idle_since = 0.0

    def connect(self) -> None:
        """Connect in the time left, with TLS; each of the host's addresses but the last gets half of it."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        *others, last = [str(address[0]) for *_, address in found]
        for other in others:
            with suppress(OSError):
                self.sock = self._connected(other, self.limits.seconds() / 2)
                return
        self.sock = self._connected(last, self.limits.seconds())

    def is_disturbed(self) -> bool:
        """Whether the server closed it between requests, or sent something unasked."""
        connected: Any = self.sock
        return connected is not None and bool(connected.is_disturbed())

    def _connected(self, address: str, seconds: float) -> "_Socket":
        limits = Limits()
        limits.begin(seconds, 0)
        connected = socket.create_connection((address, self.port), limits.seconds())
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._secure:
            connected.settimeout(limits.seconds())
            connected = _tls().wrap_socket(connected, server_hostname=self.host)
        return _Socket(connected, self.limits)


class _Socket:
    """The part of a socket that http.client uses, with limits."""

    def __init__(self, connected: socket.socket, limits: Limits) -> None:
        self._socket = connected
        self._limits = limits
        self._unsent = b""
        self._answer: _Answered | None = None

    def sendall(self, data: bytes) -> None:
        """Keep `data` until the answer is read: a request sent in one piece wakes the server once."""
        self._unsent += data

    def makefile(self, _mode: str) -> "_Answered":
        """Send what was kept, and return the answer to it."""
        self._socket.settimeout(self._limits.seconds())
        self._socket.sendall(self._unsent)
        self._unsent = b""
        self._answer = _Answered(_Incoming(self._socket, self._limits))
        return self._answer

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def is_disturbed(self) -> bool:
        """See `Connection.is_disturbed`."""
        if self._answer is None or self._answer.left_over:
            return True
        # Bytes may be decrypted already, or still unread on the network.
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))


class _Incoming(io.RawIOBase):
    """What arrives at a socket, within the limits of time and size."""

    def __init__(self, connected: socket.socket, limits: Limits) -> None:
        self._socket = connected
        # If the server will close the connection, http.client closes its socket and then reads on.
        self._raw = connected.makefile("rb", buffering=0)
        self._limits = limits
        self.is_over = False

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As in the base class."""
        if self.is_over:
            return 0
        self._socket.settimeout(self._limits.seconds())
        return self._limits.count(self._raw.readinto(buffer) or 0)

    def close(self) -> None:
        """As in the base class."""
        self._raw.close()
        super().close()


class _Answered(io.BufferedReader):
    """One answer. http.client closes this at the answer's end; what the buffer still holds is `left_over`."""

    def __init__(self, incoming: _Incoming) -> None:
        super().__init__(incoming)
        self._incoming = incoming
        self.left_over = b""

    def close(self) -> None:
        """Close without reading from the network again."""
        if not self.closed:
            self._incoming.is_over = True
            self.left_over = self.peek()
        super().close()


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Made when first needed: reading the certificate authorities takes 20 ms.
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
