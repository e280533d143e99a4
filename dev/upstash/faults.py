"""What can go wrong between a client and Upstash, for dev/upstash/server.py to do on demand."""

import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Literal

FaultKind = Literal[
    "drop",  # the connection closes without an answer
    "reset",  # the connection is reset in the middle of the body
    "hang",  # no answer for longer than anybody waits
    "drip",  # a byte a second
    "huge",  # a body of 10 MB
    "truncated",  # a body that stops early
    "wrong shape",  # JSON, but not what was asked for
    "error with 200",  # {"error": …} under 200
    "full",  # the database has no room to write
    "401",  # the token was refused
    "429",  # the month's commands are used up
    "500",  # nothing in the body
    "502",  # a proxy's HTML
    "302",  # to somewhere else
]

_HANG_SECONDS = 60
_MISSING = 64
# A linger time of zero (struct linger: on, 0 s) makes closing send RST instead of FIN.
_NO_LINGER = b"\x01\0\0\0\0\0\0\0"

REFUSED = b'{"error":"WRONGPASS invalid or missing auth token"}'

ANSWERS = {
    "full": (400, b'{"error":"ERR DB capacity quota exceeded"}'),
    "401": (401, REFUSED),
    "429": (429, b'{"error":"ERR max requests limit exceeded. Limit: 500000, Usage: 500000."}'),
    "500": (500, b""),
    "502": (502, b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    "302": (302, b""),
    "error with 200": (200, b'{"error":"ERR internal"}'),
    "wrong shape": (200, b'{"result":{"unexpected":[1.5]}}'),
}
"""Status and body of each kind of answer."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request: `after` it has taken effect, or in its place."""

    kind: FaultKind
    after: bool = False


class Faulty(BaseHTTPRequestHandler):
    """A handler that can answer, and that can fail to."""

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def inflict(self, fault: Fault, answer: bytes, released: threading.Event) -> None:
        """Do what `fault` says with the `answer` that there would be; waits end when `released` is set."""
        if fault.kind in ANSWERS:
            status, body = ANSWERS[fault.kind]
            self.answer(status, body, {"Location": "/elsewhere"} if status == 302 else {})
        elif fault.kind == "huge":
            self.answer(200, b'{"result":"' + b"A" * 10_000_000 + b'"}')
        else:
            self.close_connection = True
            if fault.kind == "hang":
                released.wait(_HANG_SECONDS)
            elif fault.kind != "drop":
                self._partly(fault.kind, answer, released)

    def _partly(self, kind: FaultKind, answer: bytes, released: threading.Event) -> None:
        """Announce more than will come, so that no part of the answer looks whole."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer) + _MISSING))
        self.end_headers()
        if kind == "drip":
            for byte in answer + b" " * _MISSING:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if released.wait(1):
                    return
            return
        self.wfile.write(answer[: len(answer) // 2])
        self.wfile.flush()
        if kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.connection.close()
