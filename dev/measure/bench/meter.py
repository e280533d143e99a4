"""A relay in front of a server that counts the bytes of what it passes on."""

import contextlib
import socket
import threading
from typing import Any, Self


class Meter:
    """Listens on `port` until `close`. `sent` are bytes to the server, `received` those that came back.

    What is counted is HTTP: without TLS and without TCP's own headers.
    """

    def __init__(self, server_port: int) -> None:
        self.sent = self.received = 0
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Break off everything."""
        for connection in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._sockets |= {client, server}
                for pair in ((client, server, "sent"), (server, client, "received")):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, name: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                # Before it goes on: who has the answer finds it counted.
                setattr(self, name, getattr(self, name) + len(data))
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
