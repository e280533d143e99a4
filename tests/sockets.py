"""Servers that do what networks do on a bad day."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any


@contextmanager
def full() -> Iterator[int]:
    """A port where connecting takes forever: the system drops what a full queue has no room for."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextmanager
def dripping(beginning: bytes) -> Iterator[int]:
    """A port where every answer begins like this, goes on byte by byte, and never ends."""

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(4096)
            connection.sendall(beginning)
            while True:
                connection.sendall(b"1")
                time.sleep(0.02)

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def resolving(port: int, *hosts: str) -> Callable[..., list[Any]]:
    """In place of `socket.getaddrinfo`: every name, if it is no address itself, has these addresses."""

    def getaddrinfo(host: str, *_: object, **__: object) -> list[Any]:
        found = [host] if host in hosts else hosts
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    return getaddrinfo
