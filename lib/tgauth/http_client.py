"""HTTP requests to addresses that the owner configured, each with one deadline and one size limit.

It follows no redirects, uses no proxy from the environment, keeps no cookies and retries nothing. httpx, a
dependency of upstash-redis, would not do: its timeouts cover one phase each and start again with every byte
that arrives, and it costs a verify 0.4 ms of CPU and a cold start a third of its time.
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
"""A connection that has been idle for longer is not reused: the server may be about to close it."""


class AnswerCompressed(HTTPException):
    """The answer is compressed although nothing asked for it, and could decompress to any size."""


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes


class HttpClient:
    """Sends requests and keeps connections. Safe to share between threads.

    A request takes at most `seconds`, from connecting to the last byte, and no more than is left of the
    request being served (`tgauth.budget`); its answer has at most `max_bytes`, headers included.
    """

    def __init__(self, *, seconds: float, max_bytes: int) -> None:
        self.seconds = seconds
        self.max_bytes = max_bytes
        self._idle: defaultdict[Server, deque[Connection]] = defaultdict(deque)
        self._lock = threading.Lock()

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """The answer, whatever its status.

        Raises OSError, `http.client.HTTPException` or ValueError if no whole answer came in time; their
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
                # http.client would allocate the announced length before it reads the first byte.
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
        """A connection that is fit for use, or that will be made when it is used."""
        with self._lock:
            idle = self._idle[server]
            while idle and time.monotonic() - idle[0].idle_since > IDLE_SECONDS:
                idle.popleft().close()
            connection = idle.pop() if idle else Connection(server)
        if connection.is_disturbed():
            connection.close()
        return connection

    def _give_back(self, server: Server, connection: Connection) -> None:
        # A connection that the server has closed connects again.
        with self._lock:
            connection.idle_since = time.monotonic()
            self._idle[server].append(connection)


@lru_cache(maxsize=16)
def _address(url: str) -> tuple[Server, str]:
    """The server and what to ask it for; raises ValueError for anything but an http(s) URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http(s) URL")
    secure = parts.scheme == "https"
    server = Server(secure, parts.hostname, parts.port or (443 if secure else 80))
    return server, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
