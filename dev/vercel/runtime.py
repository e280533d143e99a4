"""Start one function in Vercel's own Python runtime and send it real HTTP requests.

On the platform a function is a process: the `vercel-runtime` package imports the entrypoint, listens on a
loopback port, and reports over a unix socket in NUL-terminated JSON messages (`server-started`, `log`,
`end`, ...). This module plays the platform's part, so a test sees what a deployed function answers.

    with Function.from_source("api/telegram/verify.py", env={"TELEGRAM_BOT_TOKEN": token}) as verify:
        assert verify.request("GET", "/telegram/verify").status == 401
"""

import base64
import http.client
import itertools
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dev.vercel.proxy import Headers, Response, decode_response, encode_request

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0
STOP_SECONDS = 5.0

# The builder's trampoline, for a source tree: note when the process began, then hand over.
SOURCE_BOOT = (
    "import os, time; os.environ['__VC_PY_BOOT_START_MS'] = str(int(time.monotonic() * 1000)); "
    "import vercel_runtime.vc_init"
)
BUNDLE_BOOT = "import vc__handler__python"


class FunctionError(RuntimeError):
    """The function did not start or broke off an answer; the text ends with what it logged."""


@dataclass(frozen=True)
class LogLine:
    """One `log` message: its text, the stream or level it came by, and the request's number (0: none)."""

    text: str
    source: str
    request_id: int


class Function:
    """A running function. Requests may be sent from several threads at once."""

    def __init__(self, command: Sequence[str], root: Path, env: Mapping[str, str], name: str) -> None:
        """Run `command` in `root` with exactly `env` (and a default PATH), and wait until it listens.

        Raises FunctionError when it ends, reports a failed import, or takes longer than START_SECONDS.
        """
        self.name = name
        self.port = 0
        self.init_ms = 0
        self.logs: list[LogLine] = []
        self._request_ids = itertools.count(1)
        self._lock = threading.Lock()
        self._partial = b""
        self._failed = False
        self._output = b""
        self._scratch = tempfile.TemporaryDirectory()
        socket_path, self._output_path = (Path(self._scratch.name, part) for part in ("ipc.sock", "output"))
        environ = {"PATH": os.defpath, **env, "VERCEL_IPC_PATH": str(socket_path)}
        with socket.socket(socket.AF_UNIX) as server, self._output_path.open("wb") as output:
            server.bind(str(socket_path))
            server.listen(1)
            self._process = subprocess.Popen(
                command, cwd=root, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            try:
                self._ipc = self._wait_until_started(server)
            except BaseException:
                self._stop()
                raise
        self._reader = threading.Thread(target=self._read_messages, daemon=True)
        self._reader.start()

    @classmethod
    def from_source(cls, entrypoint: str, env: Mapping[str, str] | None = None, root: Path = ROOT) -> Self:
        """Start the `app` of `entrypoint`, a path below `root`, with the packages of this interpreter."""
        handler = {
            "__VC_HANDLER_MODULE_NAME": entrypoint.removesuffix(".py").replace("/", "."),
            "__VC_HANDLER_ENTRYPOINT": entrypoint,
            "__VC_HANDLER_ENTRYPOINT_ABS": str((root / entrypoint).resolve()),
            "__VC_HANDLER_VARIABLE_NAME": "app",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return cls([sys.executable, "-s", "-c", SOURCE_BOOT], root, {**(env or {}), **handler}, entrypoint)

    @classmethod
    def from_bundle(cls, root: Path, python: str, env: Mapping[str, str] | None = None) -> Self:
        """Start a materialised `.func` directory; `-S` leaves it nothing to import but its own files."""
        configured = json.loads((root / ".vc-config.json").read_bytes())["environment"]
        return cls([python, "-S", "-s", "-c", BUNDLE_BOOT], root, {**(env or {}), **configured}, root.name)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """What the process wrote to its real stdout and stderr, past the runtime's log messages."""
        written = self._output_path.read_bytes() if self._output_path.exists() else self._output
        return written.decode(errors="replace")

    @property
    def log_text(self) -> str:
        """Everything the function logged, in one string: the log messages, then `output`."""
        return "".join(line.text for line in list(self.logs)) + self.output

    def request(
        self, method: str, target: str, headers: Headers = (), body: bytes = b"", timeout: float = 15.0
    ) -> Response:
        """Send one request, adding the headers that Vercel's proxy sends where `headers` has none.

        What the function logged for it is in `logs` when this returns. Raises FunctionError when the
        connection closes without a whole answer, as it does after an uncaught exception.
        """
        data = encode_request(method, target, headers, body, next(self._request_ids))
        answer = self.raw(data, timeout)
        try:
            return decode_response(answer, method)
        except http.client.HTTPException as error:
            raise FunctionError(f"{self.name}: {method} {target}: {error!r}\n{self.log_text}") from error

    def raw(self, data: bytes, timeout: float = 15.0, half_close: bool = False) -> bytes:
        """Send bytes as they are and return all that comes back until the connection closes.

        `half_close` ends our side first, so that a body announced longer than it is ends too. Raises
        TimeoutError after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        answer = bytearray()
        with socket.create_connection(("127.0.0.1", self.port), timeout) as connection:
            try:
                connection.sendall(data)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    answer += chunk
                    connection.settimeout(max(deadline - time.monotonic(), 0.001))
            except (BrokenPipeError, ConnectionResetError):
                pass  # It answered without reading all we sent; what it said before counts.
        # The runtime reports on a request before it closes the connection: the messages are here by now.
        self._drain(self._ipc)
        return bytes(answer)

    def close(self) -> int:
        """End the process with SIGTERM, as the platform does, and return its exit code. Logs stay."""
        code = self._stop()
        self._reader.join()
        self._ipc.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stop(self) -> int:
        self._process.terminate()
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._output_path.exists():
            self._output = self._output_path.read_bytes()
            self._scratch.cleanup()
        return code

    def _wait_until_started(self, server: socket.socket) -> socket.socket:
        """Accept the function's connection and read it up to `server-started`."""
        deadline = time.monotonic() + START_SECONDS
        ipc: socket.socket | None = None
        connected = True
        while connected and not self.port and not self._failed:
            if time.monotonic() > deadline:
                connected = False
            elif select.select([ipc or server], [], [], 0.05)[0]:
                if ipc is None:
                    ipc, _ = server.accept()
                    ipc.setblocking(False)
                else:
                    connected = self._drain(ipc)
            elif ipc is None:
                connected = self.alive
        if ipc is not None and self.port:
            return ipc
        if ipc is not None:
            ipc.close()
        waited = START_SECONDS + time.monotonic() - deadline
        self._stop()
        raise FunctionError(f"{self.name} did not start, waited {waited:.1f} s:\n{self.log_text}")

    def _read_messages(self) -> None:
        # Somebody has to read while no request waits: a full socket would block the function.
        connected = True
        while connected:
            select.select([self._ipc], [], [])
            connected = self._drain(self._ipc)

    def _drain(self, ipc: socket.socket) -> bool:
        """Take in every message that has arrived; False once the function's side is closed."""
        with self._lock:
            try:
                while chunk := ipc.recv(65536):
                    *messages, self._partial = (self._partial + chunk).split(b"\0")
                    for message in messages:
                        self._take(json.loads(message))
            except BlockingIOError:
                return True
            return False

    def _take(self, message: dict[str, Any]) -> None:
        payload = message["payload"]
        match message["type"]:
            case "server-started":
                self.init_ms = payload["initDuration"]
                self.port = payload["httpPort"]
            case "unrecoverable-error":
                self._failed = True
            case "log":
                text = base64.b64decode(payload["message"]).decode(errors="replace")
                source = payload.get("stream") or payload["level"]
                self.logs.append(LogLine(text, source, payload["context"]["requestId"]))
