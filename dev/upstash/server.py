"""A local Upstash: its REST protocol in front of a real Valkey, with counters, faults and a lagging replica.

Source: https://upstash.com/docs/redis/features/restapi. `POST /`, `/pipeline` and `/multi-exec`, a bearer
token, base64 answers, and the documented statuses and errors. Where real Upstash is documented to differ:

- it takes commands in the path too, by GET, HEAD and PUT, and the token in the query
  (`/set/k/v?_token=…`): not here, because both end up in logs; those methods are 405 as all others are;
- it answers `Upstash-Response-Format: resp2` and server-sent events: here there is JSON alone;
- it bills, throttles, and limits requests, records and the database: here commands are only counted;
- it runs scripts and functions, which tgauth does without: refused here, as blocking reads and what
  changes a connection are refused there;
- it reads from any replica: here from the primary unless `replica_lag` is set; and then a field whose
  time to live was set lives on the replica that much longer;
- it answers `Upstash-Sync-Token` and waits for a replica that is behind: here the header is absent.

What it is not documented to do (facts that a live database would have to tell): the status of a pipeline in
which a command failed (200 here), the exact words for a body that is no command, and whether `//pipeline`
is `/pipeline` (it is here).
"""

import json
import socket
import sys
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any, Self

from dev.upstash.data import Data, Words
from dev.upstash.faults import REFUSED, Answer, Fault, Faulty
from dev.upstash.resp import Reply, ReplyError, Status

TOKEN = "local-upstash-token"

_PATHS = frozenset({"/", "/pipeline", "/multi-exec"})
_REMEMBERED = 1000


class Upstash:
    """The server, from construction to `close`; `url` and `token` are its credentials.

    `requests` counts what came with the right token, `unauthorized` what did not, and `commands` all that
    was in the requests which no fault kept away; `seen` holds the last thousand of them. `latency` seconds
    pass before anything else does; `released` ends every wait. `clock` is what `replica_lag` is measured by.
    """

    def __init__(
        self, valkey_port: int, *, token: str = TOKEN, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.token = token
        self.latency = 0.0
        self.requests = self.commands = self.unauthorized = 0
        self.seen: list[list[str]] = []
        self._faults: deque[Fault] = deque()
        self._data = Data(valkey_port, clock)
        self._lock = threading.Lock()
        self.released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def env(self) -> dict[str, str]:
        """The credentials as a deployment has them."""
        return {"UPSTASH_REDIS_REST_URL": self.url, "UPSTASH_REDIS_REST_TOKEN": self.token}

    def close(self) -> None:
        """Stop: whatever waits is let go, every connection is closed and every thread has ended."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._data.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def replica_lag(self) -> float:
        """Seconds that a replica is behind, which then serves all reads outside transactions; 0: no replica.

        A pipeline with a write in it goes to the primary as a whole.
        """
        return self._data.replica_lag

    @replica_lag.setter
    def replica_lag(self, seconds: float) -> None:
        self._data.replica_lag = seconds

    def fail(self, *faults: Fault) -> None:
        """Let the next requests that have the right token go wrong, one fault each."""
        with self._lock:
            self._faults.extend(faults)

    def reset(self) -> None:
        """Forget counters, faults, delays and what was seen, and let go what waits; the data stays."""
        self.replica_lag = self.latency = 0.0
        with self._lock:
            self.requests = self.commands = self.unauthorized = 0
            self.seen.clear()
            self._faults.clear()
            self.released.set()
            self.released = threading.Event()

    def flush(self) -> None:
        """Delete all data, here and on the replica."""
        self._data.flush()

    def admit(self, authorization: str | None) -> bool:
        """Count a request and say whether its token is right."""
        with self._lock:
            admitted = authorization == f"Bearer {self.token}"
            self.requests += admitted
            self.unauthorized += not admitted
            return admitted

    def next_fault(self) -> Fault | None:
        """The fault whose turn it is; it does not come again."""
        with self._lock:
            return self._faults.popleft() if self._faults else None

    def run(self, path: str, commands: list[Words]) -> Any:
        """The JSON value that answers `commands` on `path`, with strings still as bytes."""
        with self._lock:
            self.commands += len(commands)
            self.seen += commands
            del self.seen[:-_REMEMBERED]
        if path == "/multi-exec":
            done = self._data.transaction(commands)
            return [_element(reply) for reply in done] if isinstance(done, list) else _element(done)
        elements = [_element(reply) for reply in self._data.pipeline(commands)]
        return elements if path == "/pipeline" else elements[0]


class _Server(ThreadingHTTPServer):
    """Knows its connections, so that none outlives it: clients keep theirs open between requests."""

    daemon_threads = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], upstash: Upstash) -> None:
        self.upstash = upstash
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up is no error here.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(Faulty):
    server: _Server

    def do_POST(self) -> None:
        """One request of the REST protocol."""
        upstash = self.server.upstash
        # Read in any case: on a connection that is kept, the next request follows it.
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command != "POST":
            self.answer(405, b'{"error":"ERR method not allowed"}')
            return
        if not upstash.admit(self.headers.get("Authorization")):
            self.answer(*REFUSED)
            return
        released, fault = upstash.released, upstash.next_fault()
        if upstash.latency:
            released.wait(upstash.latency)
        self.respond(lambda: self._run(body), fault, released)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_POST

    def _run(self, body: bytes) -> Answer:
        try:
            commands = _parse(self.path, body)
        except (ValueError, RecursionError):
            return 400, b'{"error":"ERR failed to parse command"}'
        answer = self.server.upstash.run(self.path, commands)
        as_base64 = self.headers.get("Upstash-Encoding") == "base64"
        status = 400 if isinstance(answer, dict) and "error" in answer else 200
        return status, json.dumps(_encoded(answer, as_base64)).encode()


def _parse(path: str, body: bytes) -> list[Words]:
    """The commands of a body; raises ValueError for what is none."""
    # Numbers stay as they were written: 1e3 is not 1000.0.
    value = json.loads(body, parse_float=str, parse_int=str)
    commands = [value] if path == "/" else value
    if path not in _PATHS or not isinstance(commands, list) or not commands:
        raise ValueError
    for command in commands:
        if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
            raise ValueError
        # JSON can spell half a character, which no text has; that is a ValueError too.
        " ".join(command).encode()
    return commands


def _element(reply: Reply) -> dict[str, Any]:
    return {"error": str(reply)} if isinstance(reply, ReplyError) else {"result": reply}


def _encoded(value: Any, as_base64: bool) -> Any:
    """As JSON can hold it; errors and the simple reply OK are plain text in any case, as documented."""
    match value:
        case dict():
            return {name: _encoded(item, as_base64) for name, item in value.items()}
        case list():
            return [_encoded(item, as_base64) for item in value]
        case Status() if value != "OK" and as_base64:
            return b64encode(value.encode()).decode()
        case bytes():
            return b64encode(value).decode() if as_base64 else value.decode("utf-8", "replace")
    return value
