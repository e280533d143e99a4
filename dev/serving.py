"""The simulated Telegram on a socket of its own, for tests of what talks to it over HTTP."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from dev.oidc import Provider
from dev.telegram import Telegram


class Serving:
    """A simulated Telegram at `url`, which is its issuer too, until `close`."""

    def __init__(
        self, redirect_origin: str, client_id: str, client_secret: str, clock: Callable[[], float]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/_telegram"
            self.provider = Provider(
                self.url,
                client_id=client_id,
                client_secret=client_secret,
                redirect_origin=redirect_origin,
                clock=clock,
            )
            self._server = make_server(
                "127.0.0.1",
                0,
                Telegram(redirect_origin, self.provider),
                threaded=True,
                request_handler=_Handler,
                fd=listener.fileno(),
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, so that connections are refused; a second time does nothing."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()


@contextmanager
def serving(
    *,
    redirect_origin: str,
    client_id: str,
    client_secret: str,
    clock: Callable[[], float] = time.time,
) -> Iterator[Serving]:
    """A simulated Telegram with one OpenID client, while the block runs.

    One of its provider's faults that raises ConnectionError drops the connection without an answer.
    """
    running = Serving(redirect_origin, client_id, client_secret, clock)
    try:
        yield running
    finally:
        running.close()


class _Handler(WSGIRequestHandler):
    """Quiet; what goes wrong in the application is still printed."""

    def connection_dropped(self, *_: Any) -> None:
        """Werkzeug would wait for the next request."""
        self.close_connection = True

    def log_request(self, *_: Any) -> None:
        pass
