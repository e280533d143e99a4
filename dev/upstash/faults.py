"""What can go wrong with an answer over HTTP: for dev/upstash/server.py, and for `make faults`.

A fault is either no answer worth the name (`BROKEN`), another answer (`ANSWERS`), or the real one with
something changed in it (`CHANGES`).
"""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

type Answer = tuple[int, bytes]
"""Status and body."""

type FaultKind = str
"""One of `BROKEN`, or a name in `ANSWERS` or `CHANGES`."""

type Target = Literal["store", "redis", "token", "keys", "bot", "relay"]

HANG_SECONDS, DRIP_SECONDS = 30, 9
"""Longer than anybody may wait."""

HUGE = 10_000_000
_MISSING = 64
# A linger time of zero (struct linger: on, 0 s) makes closing send RST instead of FIN.
_NO_LINGER = b"\x01\0\0\0\0\0\0\0"

SLOW = ("hang", "drip", "late")
"""Kinds that take as long as a deadline: no answer, a byte a second, or the real one just in time."""

BROKEN = (
    "drop",  # the connection closes without an answer
    "reset",  # the connection is reset in the middle of the body
    "truncated",  # a body that stops early
    "huge",  # a body of 10 MB
    *SLOW,
)

REFUSED = (401, b'{"error":"WRONGPASS invalid or missing auth token"}')
_HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"

ANSWERS: dict[str, Answer] = {
    # The database has no room to write: it still reads and deletes.
    "full": (400, b'{"error":"ERR DB capacity quota exceeded"}'),
    "401": REFUSED,
    "429": (429, b'{"error":"ERR max requests limit exceeded. Limit: 500000, Usage: 500000."}'),
    "500": (500, b""),
    "502": (502, _HTML),
    "302": (302, b""),
    "error with 200": (200, b'{"error":"ERR internal"}'),
    "503 JSON": (503, b'{"error":"ERR unavailable"}'),
    "403": (403, b"Forbidden"),
    "400 HTML": (400, _HTML),
    "204": (204, b""),
    "200 HTML": (200, _HTML),
    "empty": (200, b""),
    "null": (200, b"null"),
    "wrong shape": (200, b'{"result":{"unexpected":[1.5]},"keys":7,"ok":1,"user":[]}'),
    "deep": (200, b"[" * 30_000),
}


@dataclass(frozen=True)
class Fault:
    """What goes wrong, `after` the request has taken effect or in its place.

    Where requests are counted, it happens to the `nth` that the target gets, or from there `on` to all.
    """

    kind: FaultKind
    after: bool = False
    target: Target = "store"
    nth: int = 1
    on: bool = False

    def strikes(self, number: int) -> bool:
        """Whether it happens to this one of the target's requests, the first being 1."""
        return number >= self.nth if self.on else number == self.nth

    def __str__(self) -> str:
        when = f"from request {self.nth} on" if self.on else f"at request {self.nth}"
        return f"{self.target}: {self.kind} {'after' if self.after else 'before'} the effect, {when}"


class Faulty(BaseHTTPRequestHandler):
    """A handler that can answer, and that can fail to."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def answer(self, status: int, body: bytes) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def respond(
        self, ask: Callable[[], Answer], fault: Fault | None, released: threading.Event, late: float = 0.0
    ) -> None:
        """Answer what `ask` gives, or do what `fault` says; waits end when `released` is set.

        `late` is how long a late answer takes, which is less than a deadline.
        """
        if fault is None:
            self.answer(*ask())
            return
        kind = fault.kind
        status, body = ask() if fault.after else (200, b"{}")
        if kind in ANSWERS:
            self.answer(*ANSWERS[kind])
        elif kind in CHANGES:
            self.answer(status, changed(kind, body))
        elif kind == "huge":
            self.answer(200, b'{"result":"' + b"A" * HUGE + b'"}')
        elif kind == "late":
            released.wait(late)
            self.answer(*((status, body) if fault.after else ask()))
        else:
            self.close_connection = True
            if kind == "hang":
                released.wait(HANG_SECONDS)
            elif kind != "drop":
                self._partly(kind, status, body, released)

    def log_message(self, *_: object) -> None:
        """Silent."""

    def _partly(self, kind: FaultKind, status: int, body: bytes, released: threading.Event) -> None:
        """Announce more than will come, so that no part of the answer looks whole."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + _MISSING))
        self.end_headers()
        if kind == "drip":
            self.wfile.flush()
            drip(self.connection, body + b" " * _MISSING, released)
            return
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        if kind == "reset":
            reset(self.connection)


def drip(connection: socket.socket, data: bytes, released: threading.Event) -> None:
    """Send a byte a second for `DRIP_SECONDS`, until it is let go or nobody listens."""
    for byte in data[:DRIP_SECONDS]:
        connection.sendall(bytes([byte]))
        if released.wait(1):
            return


def reset(connection: socket.socket) -> None:
    """End the connection with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    connection.close()


def changed(kind: str, body: bytes) -> bytes:
    """The real answer with what `kind` changes in it; what is no JSON loses its last byte."""
    try:
        return json.dumps(CHANGES[kind](json.loads(body))).encode()
    except ValueError:
        return body[:-1]


def _leaves(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: walk(item) for name, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else change(value)

    return walk


def _wrong_type(leaf: Any) -> Any:
    return 7.5 if isinstance(leaf, str) else {"no": ["number"]}


def _nulls(value: Any) -> Any:
    """Nothing where there was something.

    Null in the place of a list of one is a real miss, as null in it is (Upstash documents both): it is empty.
    """
    if isinstance(value, list):
        return [_nulls(item) for item in value]
    if isinstance(value, dict):
        return {
            name: [] if isinstance(item, list) and len(item) == 1 else None for name, item in value.items()
        }
    return None


def _part(value: Any) -> Any:
    """Without the last element of the outermost list that there is, or without the last field."""
    if isinstance(value, list):
        return value[:-1]
    if isinstance(value, dict) and value:
        last = list(value)[-1]
        rest = {name: item for name, item in value.items() if name != last}
        return rest if not isinstance(value[last], list | dict) else {**rest, last: _part(value[last])}
    return None


def _one_fails(value: Any) -> Any:
    failed = {"error": "ERR internal"}
    return [*value[:-1], failed] if isinstance(value, list) else failed


CHANGES: dict[str, Callable[[Any], Any]] = {
    "wrong types": _leaves(_wrong_type),
    "nulls": _nulls,
    "part of it": _part,
    "one fails": _one_fails,
    "one too many": lambda value: [*value, *value[:1]] if isinstance(value, list) else [value],
    "text reversed": _leaves(lambda leaf: leaf[::-1] if isinstance(leaf, str) else leaf),
}
