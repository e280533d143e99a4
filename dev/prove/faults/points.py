"""Where faults happen: a server in front of each thing that a function asks.

What is asked is passed on and answered as it is, unless `fault` says otherwise. `asked` counts the requests
since `expect`, `injected` the faults done. The servers serve one case at a time.
"""

import socket
import threading
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from dev.prove.faults.kinds import ANSWERS, CHANGES, FULL, Fault, changed

HANG_SECONDS, DRIP_SECONDS = 30, 9
"""Longer than anybody may wait."""

_HUGE = 10_000_000
_MISSING = 64
# A linger time of zero (struct linger: on, 0 s) makes closing send RST instead of FIN.
_NO_LINGER = b"\x01\0\0\0\0\0\0\0"


class Reply(NamedTuple):
    """An answer over HTTP."""

    status: int
    body: bytes


Ask = Callable[[str, str, Mapping[str, str], bytes], Reply]


class Point:
    """What is the same for HTTP and for Redis over TCP."""

    def __init__(self, late: float) -> None:
        self.late = late
        """Seconds that a `late` answer takes, which is less than a deadline."""
        self.injected = 0
        self.asked = 0
        self._fault: Fault | None = None
        self._ending = ""
        self._released = threading.Event()
        self._lock = threading.Lock()

    def expect(self, fault: Fault | None, ending: str = "") -> None:
        """From now on let this go wrong, with requests whose path ends so; what still waits is let go."""
        with self._lock:
            self._released.set()
            self._released = threading.Event()
            self._fault, self._ending, self.asked = fault, ending, 0

    def next(self, path: str = "") -> tuple[Fault | None, threading.Event]:
        """What happens to the request that has come, and what ends its waits."""
        with self._lock:
            if not path.partition("?")[0].endswith(self._ending):
                return None, self._released
            self.asked += 1
            fault = self._fault if self._fault and self._fault.strikes(self.asked) else None
            self.injected += fault is not None
            return fault, self._released


class HttpPoint(Point):
    """Answers HTTP at `url` with what `ask` gives."""

    def __init__(self, ask: Ask, late: float) -> None:
        super().__init__(late)
        self.ask = ask
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.point = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.expect(None)
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    point: HttpPoint

    def handle_error(self, *_: Any) -> None:
        """Connections that a fault has ended are no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        point = self.server.point
        fault, released = point.next(self.path)
        if fault is None:
            self._answer(*point.ask(self.command, self.path, self.headers, body))
            return
        real = point.ask(self.command, self.path, self.headers, body) if fault.after else Reply(200, b"{}")
        other = {**ANSWERS, **FULL}.get(fault.kind)
        if other:
            self._answer(*other)
        elif fault.kind in CHANGES:
            self._answer(real.status, changed(fault.kind, real.body))
        elif fault.kind == "huge":
            self._answer(200, b'{"result":"' + b"A" * _HUGE + b'"}')
        elif fault.kind == "late":
            released.wait(point.late)
            self._answer(*(real if fault.after else point.ask(self.command, self.path, self.headers, body)))
        else:
            self.close_connection = True
            if fault.kind == "hang":
                released.wait(HANG_SECONDS)
            elif fault.kind != "drop":
                self._partly(fault.kind, real, released)

    do_GET = do_POST

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def _partly(self, kind: str, real: Reply, released: threading.Event) -> None:
        """Announce more than will come, so that no part of the answer looks whole."""
        self.send_response(real.status)
        self.send_header("Content-Length", str(len(real.body) + _MISSING))
        self.end_headers()
        if kind == "drip":
            self.wfile.flush()
            drip(self.connection, real.body + b" " * _MISSING, released)
            return
        self.wfile.write(real.body[: len(real.body) // 2])
        self.wfile.flush()
        if kind == "reset":
            reset(self.connection)

    def log_message(self, *_: object) -> None:
        """Silent."""


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


def forward(url: str) -> Ask:
    """Ask the server at `url`, on a connection for each thread."""
    local = threading.local()
    address = urlsplit(url)

    def ask(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        for last in (False, True):
            if not hasattr(local, "connection"):
                local.connection = HTTPConnection(address.hostname or "", address.port, timeout=10)
            try:
                local.connection.request(method, path, body, dict(headers))
                response = local.connection.getresponse()
                return Reply(response.status, response.read())
            except (HTTPException, ConnectionError):
                local.connection.close()
                del local.connection
                if last:
                    raise
        raise AssertionError

    return ask


def closed_port() -> tuple[socket.socket, int]:
    """A port on which nobody listens while the socket is there."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound, bound.getsockname()[1]
