"""Where all peers keep sessions: one Valkey, also behind a local Upstash; both count what they are sent."""

import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal, Self

from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey

_CALLS = re.compile(rb"^cmdstat_([^:]+):calls=(\d+)", re.MULTILINE)
_READS = re.compile(rb"^total_reads_processed:(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Count:
    """Round trips, and the commands that were in them."""

    trips: int
    commands: tuple[str, ...]


class Stores:
    """Both ways to the data, from `with` to its end; `rest` and `tcp` are the variables that name them."""

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._valkey = self._stack.enter_context(Valkey())
        self._upstash = self._stack.enter_context(Upstash(self._valkey.port))
        self.rest = self._upstash.env
        self.tcp = {"REDIS_URL": self._valkey.url}
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def restart(self) -> None:
        """Forget what was counted."""
        self._upstash.reset()
        self._valkey.run("CONFIG", "RESETSTAT")

    def counted(self, store: Literal["REST", "TCP"]) -> Count:
        """What has come since `restart`."""
        if store == "REST":
            sent = (str(command[0]).upper() for command in self._upstash.seen)
            return Count(self._upstash.requests, tuple(sent))
        info = self._valkey.run("INFO", "stats", "commandstats")
        return tcp_count(info if isinstance(info, bytes) else b"")


def tcp_count(info: bytes) -> Count:
    """What a server's INFO says since CONFIG RESETSTAT, but for the question itself.

    A round trip is a read that had something in it: a client that waits for its answer sends all that goes
    together in one packet, and the connections are open before the count begins.
    """
    reads = _READS.search(info)
    if not reads:
        raise ValueError("INFO has no total_reads_processed")
    calls = [(name.decode().upper(), int(number)) for name, number in _CALLS.findall(info)]
    own = ("INFO", "CONFIG|RESETSTAT")
    commands = [name for name, number in calls for _ in range(number) if name not in own]
    return Count(int(reads[1]) - 1, tuple(sorted(commands)))
