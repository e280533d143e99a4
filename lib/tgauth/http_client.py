"""HTTP requests to addresses that the owner configured, each with one deadline and one size limit.

No redirect is followed, no proxy of the environment asked, no cookie kept, nothing retried. It is not httpx,
which upstash-redis brings: that one's times are for one phase and start anew with every byte that arrives, it
costs a verify 0.4 ms of the processor, and a start a third of its time.
"""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPException
from typing import NamedTuple
from urllib.parse import urlsplit

from . import budget
from .http_connection import AnswerTooLong, Connection, Server

IDLE_SECONDS = 5.0
"""A connection that nobody used for longer is not used again: the server may be about to close it."""


class AnswerCompressed(HTTPException):
    """Nobody asked for that; what is decompressed can be any size."""


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes


class HttpClient:
    """Sends requests and keeps connections. Safe to share between threads.

    A request takes `seconds` at most, from connecting to the last byte, and no more than the client's has
    left (`tgauth.budget`); its answer has `max_bytes` at most, headers included.
    """

    def __init__(self, *, seconds: float, max_bytes: int) -> None:
        self.seconds = seconds
        self.max_bytes = max_bytes
        self._idle: defaultdict[Server, deque[Connection]] = defaultdict(deque)
        self._lock = threading.Lock()

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """What is answered, whatever its status.

        Raises OSError, `http.client.HTTPException` or ValueError where no whole answer came in time; their
        texts can hold the URL and more.
        """
        server, target = _address(url)
        connection = self._take(server)
        connection.limits.begin(min(self.seconds, budget.remaining()), self.max_bytes)
        try:
            connection.request(method, target, body, {"User-Agent": "tgauth", **headers})
            with connection.getresponse() as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise AnswerCompressed
                # Memory for all that is announced would be asked for before the first byte of it is read.
                if response.length is not None and response.length > self.max_bytes:
                    raise AnswerTooLong
                answer = Answer(response.status, response.read())
        except BaseException:
            connection.close()
            raise
        self._give_back(server, connection)
        return answer

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._lock:
            for connection in (each for idle in self._idle.values() for each in idle):
                connection.close()
            self._idle.clear()

    def _take(self, server: Server) -> Connection:
        """A connection that is in order, or will be made when it is used."""
        with self._lock:
            idle = self._idle[server]
            while idle and time.monotonic() - idle[0].idle_since > IDLE_SECONDS:
                idle.popleft().close()
            connection = idle.pop() if idle else Connection(server)
        if connection.is_disturbed():
            connection.close()
        return connection

    def _give_back(self, server: Server, connection: Connection) -> None:
        # If the server has closed it, it connects again.
        with self._lock:
            connection.idle_since = time.monotonic()
            self._idle[server].append(connection)


@lru_cache(maxsize=16)
def _address(url: str) -> tuple[Server, str]:
    """The server and what to ask it for; raises ValueError for what is no http(s) URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("no URL")
    secure = parts.scheme == "https"
    server = Server(secure, parts.hostname, parts.port or (443 if secure else 80))
    return server, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
