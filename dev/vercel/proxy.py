"""What Vercel's proxy sends to a function, and what comes back: an answer, as everything in dev/ has it."""

import http.client
import io
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from werkzeug import datastructures

HOST = "tgauth.example"
CLIENT_IP = "203.0.113.7"

type Headers = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Response:
    """An HTTP answer, its headers in the order they came and as often as they came."""

    status: int
    headers: datastructures.Headers
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a header; names are compared without case."""
        return self.headers.getlist(name)

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return self.headers.get(name)

    def json(self) -> Any:
        """The body read as JSON; ValueError if it is not."""
        return json.loads(self.body)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that this answer sets, by name; "" for those that it removes."""
        pairs = (header.partition(";")[0].partition("=") for header in self.all("Set-Cookie"))
        return {name: value for name, _, value in pairs}


def encode_request(method: str, target: str, headers: Headers, body: bytes, number: int) -> bytes:
    """The bytes of a function's `number`-th request: `headers`, and what the proxy adds where they have none.

    The host, also as x-forwarded-host, is HOST unless `headers` names one.
    """
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    given = {name.lower(): value for name, value in pairs}
    host = given.get("host", HOST)
    added = {
        "host": host,
        "x-forwarded-host": host,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
        **dict.fromkeys(("x-forwarded-for", "x-real-ip", "x-vercel-forwarded-for"), CLIENT_IP),
        "x-vercel-id": f"fra1::{number:05d}-1700000000000-0123456789ab",
        "x-vercel-internal-invocation-id": f"invocation-{number}",
        "x-vercel-internal-request-id": str(number),
    }
    if "transfer-encoding" not in given and (body or method in {"POST", "PUT", "PATCH"}):
        added["content-length"] = str(len(body))
    pairs = [pair for pair in added.items() if pair[0] not in given] + pairs
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs), "\r\n"]
    return "\r\n".join(lines).encode("latin-1") + body


def decode_response(data: bytes, method: str = "GET") -> Response:
    """Parse one whole HTTP answer to `method`; http.client.HTTPException if it is none or cut short."""

    class Received:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(data)

    answer = http.client.HTTPResponse(cast(socket.socket, Received()), method=method)
    answer.begin()
    return Response(answer.status, datastructures.Headers(answer.getheaders()), answer.read())


def exchange(port: int, data: bytes, seconds: float = 15.0) -> bytes:
    """Send a request's bytes on a connection of its own; what comes back until that is closed."""
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(data)
        while chunk := connection.recv(65536):
            answer += chunk
    return bytes(answer)
