"""Where faults happen: a server in front of each thing that a function asks.

What is asked is passed on and answered as it is, unless `fault` says otherwise. `asked` counts the requests
since `expect`, `injected` the faults done. The servers serve one case at a time.
"""

import socket
import threading
from collections.abc import Callable, Mapping
from http.server import ThreadingHTTPServer
from typing import Any

from dev.upstash.faults import Answer, Fault, Faulty
from lib.tgauth.http_client import HttpClient

type Ask = Callable[[str, str, Mapping[str, str], bytes], Answer]


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


class _Handler(Faulty):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        point = self.server.point
        fault, released = point.next(self.path)
        self.respond(
            lambda: point.ask(self.command, self.path, self.headers, body), fault, released, point.late
        )

    do_GET = do_POST


def forward(url: str) -> Ask:
    """Ask the server at `url`."""
    client = HttpClient(seconds=10, max_bytes=1 << 20)
    return lambda method, path, headers, body: client.send(method, f"{url}{path}", headers, body)


def closed_port() -> tuple[socket.socket, int]:
    """A port on which nobody listens while the socket is there."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound, bound.getsockname()[1]
