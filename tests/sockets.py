"""Servers that do what networks do on a bad day."""

import socket
import ssl
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
def _served(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where each connection is given to `serve`, in a thread of its own."""

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


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

    with _served(drip) as port:
        yield port


@contextmanager
def answering_twice() -> Iterator[int]:
    """A port where Redis answers HGET with the field's name, and then with "stray" though nobody asked."""

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while asked := connection.recv(4096):
                if b"HGET" in asked:
                    *_, field, _ = asked.split(b"\r\n")
                    connection.sendall(b"$%d\r\n%s\r\n$5\r\nstray\r\n" % (len(field), field))
                elif b"HELLO" in asked:
                    connection.sendall(b"%1\r\n$5\r\nproto\r\n:3\r\n")
                else:
                    connection.sendall(b"+OK\r\n" * asked.count(b"*"))

    with _served(answer) as port:
        yield port


@contextmanager
def saying(words: bytes) -> Iterator[int]:
    """A port where every connection hears these words at once, and that is all."""

    def say(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(words)

    with _served(say) as port:
        yield port


@contextmanager
def redis_over_tls(context: ssl.SSLContext) -> Iterator[int]:
    """A port where a Redis, encrypted so, says PONG to whoever trusts its certificate."""

    def answer(plain: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
            while asked := connection.recv(4096):
                if b"HELLO" in asked:
                    connection.sendall(b"%1\r\n$5\r\nproto\r\n:3\r\n")
                else:
                    connection.sendall(b"+PONG\r\n" if b"PING" in asked else b"+OK\r\n" * asked.count(b"*"))

    with _served(answer) as port:
        yield port


def resolving(port: int, *hosts: str) -> Callable[..., list[Any]]:
    """In place of `socket.getaddrinfo`: every name, if it is no address itself, has these addresses."""

    def getaddrinfo(host: str, *_: object, **__: object) -> list[Any]:
        found = [host] if host in hosts else hosts
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    return getaddrinfo
