"""The development server as a separate process, for tests: start it, wait until it listens, stop it."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from werkzeug.datastructures import Headers

from dev.vercel.proxy import Response

ROOT = Path(__file__).resolve().parents[2]

_START_SECONDS = 30
_READY = re.compile(r"tgauth is running at http://[a-z0-9.-]+:(\d+)\n")


@dataclass
class Server:
    """A server that is starting, running or `ended`; `output` is what it has printed, line by line."""

    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)
    host: str = "localhost"
    port: int = 0
    ended: bool = False
    _grew: threading.Condition = field(default_factory=threading.Condition)

    @property
    def origin(self) -> str:
        """Where it listens, as a browser knows it."""
        return f"http://{self.host}:{self.port}"

    def read(self) -> None:
        """Collect the output until it ends."""
        for line in self.process.stdout or ():
            with self._grew:
                self.output.append(line)
                self._grew.notify_all()
        with self._grew:
            self.ended = True
            self._grew.notify_all()

    def prints(self, text: str, seconds: float = 10) -> bool:
        """Whether `text` is in the output, now or within so many seconds."""
        with self._grew:
            self._grew.wait_for(lambda: self.ended or text in "".join(self.output), seconds)
            return text in "".join(self.output)

    def request(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Response:
        """Send one request; the target goes out exactly as it is written here."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, target, body, {"Host": f"{self.host}:{self.port}", **(headers or {})})
            response = connection.getresponse()
            return Response(response.status, Headers(response.getheaders()), response.read())
        finally:
            connection.close()


@contextmanager
def running(
    root: Path = ROOT,
    env: Mapping[str, str] | None = None,
    *,
    host: str = "localhost",
    port: int = 0,
    store: str = "memory",
    env_files: bool = False,
) -> Iterator[Server]:
    """A server for the tree at `root`, with nothing in its environment but PATH and `env`.

    It has a name of this machine, `localhost` or one below it, and port 0 is a free one. With `env_files` it
    reads the tree's, as `make dev` does.
    """
    options = ["--host", host, "--port", str(port), "--store", store, *["--env-files"] * env_files]
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.serve", *options],
        cwd=root,
        env={"PATH": os.environ["PATH"], **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    server = Server(process, host=host)
    # A thread of its own: a pipe that nobody reads fills up and stops the server.
    reader = threading.Thread(target=server.read)
    reader.start()
    try:
        if not server.prints("Ctrl-C", _START_SECONDS):
            raise RuntimeError(f"the development server did not start:\n{''.join(server.output)}")
        match = _READY.search("".join(server.output))
        server.port = int(match[1]) if match else 0
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        if process.stdout:
            process.stdout.close()
