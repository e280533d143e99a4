"""What stands in front of a site: a proxy that passes requests on, Host and all, and answers some."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Reply(NamedTuple):
    """What the front answers in the site's place."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


type Answers = Callable[[BaseHTTPRequestHandler], Reply | None]


class Front(ThreadingHTTPServer):
    """Passes requests on to the port `to`, except those for which `answers` has a reply of its own."""

    daemon_threads = True
    to = 0

    def __init__(self, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers


class _Handler(BaseHTTPRequestHandler):
    server: Front

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if reply := self.server.answers(self):
            status, headers, content = reply.status, list(reply.headers.items()), reply.body
        else:
            site = HTTPConnection("127.0.0.1", self.server.to, timeout=20)
            site.request(self.command, self.path, body, dict(self.headers.items()))
            answer = site.getresponse()
            status, headers, content = answer.status, answer.getheaders(), answer.read()
            site.close()
        self.send_response_only(status)
        for name, value in headers:
            if name not in ("Content-Length", "Transfer-Encoding", "Connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _pass_on

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def front(answers: Answers) -> Iterator[Front]:
    """A front that runs; its site can be started afterwards, when the front's port is known."""
    with Front(answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
