"""One deadline and one size limit for a whole HTTP request.

httpx's timeouts are per phase and start anew with every byte that arrives, so a slow or endless answer would
hold a function for as long as it likes. Here every wait of a request gets what is left of its time. Name
resolution is not included: the system's resolver cannot be given a time.
"""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpcore
import httpx

from lib import budget


class Deadline(httpcore.NetworkBackend):
    """A network backend that keeps time and counts bytes for the request of the calling thread.

    `seconds` and `max_bytes` are for one request; call `start` before each.
    """

    def __init__(self, network: httpcore.NetworkBackend, *, seconds: float, max_bytes: int) -> None:
        self._network = network
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._request = threading.local()

    def start(self) -> None:
        """A new request begins in this thread; it gets no more than the client's has left."""
        self._request.ends_at = time.monotonic() + min(self._seconds, budget.remaining())
        self._request.bytes_left = self._max_bytes

    def remaining(self) -> float:
        """Seconds left; raises httpcore.ReadTimeout when none are."""
        left: float = self._request.ends_at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the request's time is up")
        return left

    def count(self, data: bytes) -> bytes:
        """Raises httpcore.ReadError when the answer is longer than it may be."""
        self._request.bytes_left -= len(data)
        if self._request.bytes_left < 0:
            raise httpcore.ReadError("the answer is too long")
        return data

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 (the deadline decides)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect in the time that is left; each of the host's addresses but the last gets half of it."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        *others, last = [str(address[0]) for *_, address in found]
        for other in others:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return self._connect(other, port, self.remaining() / 2, local_address, socket_options)
        return self._connect(last, port, self.remaining(), local_address, socket_options)

    def _connect(self, address: str, port: int, seconds: float, *more: Any) -> httpcore.NetworkStream:
        return _Stream(self._network.connect_tcp(address, port, seconds, *more), self)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._deadline.count(self._stream.read(max_bytes, self._deadline.remaining()))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, self._deadline.remaining())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        secure = self._stream.start_tls(ssl_context, server_hostname, self._deadline.remaining())
        return _Stream(secure, self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def install(client: httpx.Client, *, seconds: float, max_bytes: int) -> Deadline:
    """Put a deadline under `client`, which has no option for it, and take no answer that is compressed."""
    transport = client._transport
    assert isinstance(transport, httpx.HTTPTransport)  # noqa: S101 (what the next line relies on)
    pool = transport._pool
    deadline = Deadline(pool._network_backend, seconds=seconds, max_bytes=max_bytes)
    pool._network_backend = deadline
    # Proxies from the environment have pools of their own, which would go round the deadline.
    client._mounts = {}
    client.timeout = httpx.Timeout(seconds)
    # An answer that is decompressed can be any size.
    client.headers["Accept-Encoding"] = "identity"
    client.event_hooks = {"response": [_refuse_encoding]}
    # What an answer sets in one person's request must not go out with another's.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # It logs every request's address, which Vercel's runtime shows; the Bot API's has the token in it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return deadline


def _refuse_encoding(response: httpx.Response) -> None:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise httpx.DecodingError(response.headers["Content-Encoding"])
