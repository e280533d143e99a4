"""The simulated Telegram on its own socket, for tests of code that talks to it over HTTP."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from dev.telegram.app import Telegram
from dev.telegram.bot_api import BotApi
from dev.telegram.oidc import Provider


class Serving:
    """A simulated Telegram at `url`, which is its issuer too, until `close`; its Bot API is there as well."""

    def __init__(
        self,
        redirect_origin: str,
        client_id: str,
        client_secret: str,
        clock: Callable[[], float],
        bot_token: str,
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
            self.bot_api = BotApi(bot_token)
            self._server = make_server(
                "127.0.0.1",
                0,
                Telegram(redirect_origin, self.provider, self.bot_api),
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
    bot_token: str = "",
) -> Iterator[Serving]:
    """A simulated Telegram with one OpenID client and one bot, while the block runs; without a token no bot.

    One of its faults, the provider's or the Bot API's, that raises ConnectionError drops the connection
    without an answer.
    """
    running = Serving(redirect_origin, client_id, client_secret, clock, bot_token)
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
