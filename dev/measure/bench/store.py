"""The local Upstash in a separate process, so that its work takes no time from the measurement."""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.managers import BaseManager
from typing import Any

from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey


@dataclass(frozen=True)
class Address:
    """Where it is: the REST credentials as a deployment has them, the Valkey behind it, and the process."""

    env: dict[str, str]
    valkey_port: int
    pid: int


class LocalStore:
    """A Valkey and the local Upstash in front of it; lives in the other process."""

    def __init__(self) -> None:
        self._valkey = Valkey()
        self._upstash = Upstash(self._valkey.port)

    def address(self) -> Address:
        """Where it listens."""
        return Address(self._upstash.env, self._valkey.port, os.getpid())

    def counts(self) -> tuple[int, int]:
        """Commands and round trips since the start."""
        return self._upstash.commands, self._upstash.requests

    def seen(self, last: int) -> list[str]:
        """The names of the last so many commands."""
        return [command[0] for command in self._upstash.seen[-last:]] if last else []

    def delay(self, seconds: float) -> None:
        """Let every request wait so long, as the network to a real one does."""
        self._upstash.latency = seconds

    def flush(self) -> None:
        """Delete all data."""
        self._upstash.flush()

    def close(self) -> None:
        """Stop both."""
        self._upstash.close()
        self._valkey.close()


class _Manager(BaseManager):
    pass


_Manager.register("LocalStore", LocalStore)


@contextmanager
def local_store() -> Iterator[Any]:
    """A `LocalStore` that runs elsewhere, as long as the block does. Raises Unavailable."""
    manager = _Manager(ctx=multiprocessing.get_context("spawn"))
    manager.start()
    try:
        store = manager.LocalStore()  # type: ignore[attr-defined]
        try:
            yield store
        finally:
            store.close()
    finally:
        manager.shutdown()
