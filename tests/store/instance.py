"""One instance of a deployment, as a process: `python -m tests.store.instance [--asks]`.

All functions behind a threaded server on a free loopback port, which the line `port …` names. With `--asks`
/health remembers nothing and asks the store every time.
"""

import os
import sys
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from lib.tgauth.store import pulse
from lib.tgauth.wsgi import app


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True

    def log(self, *_: Any, **__: Any) -> None:
        """Silent: what is printed is lib's own."""


def main() -> None:
    """Serve until the process is told to end."""
    # Its own line, where that of an application's log belongs to lib.
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler)
    if "--asks" in sys.argv:
        pulse._ALIVE_SECONDS = pulse._LOGIN_SECONDS = pulse._FAILURE_SECONDS = 0.0
        pulse._MOST = 1e9
    os.write(1, f"port {server.port}\n".encode())
    server.serve_forever()


if __name__ == "__main__":
    main()
