"""A deployment's settings, and requests to it in this process, as Vercel's runtime hands them over."""

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from werkzeug.datastructures import Headers

from dev.vercel.proxy import HOST, Response

ORIGIN = f"https://{HOST}"
COOKIE = "__Host-tgauth"
PREVIEW = "myapp-1x2y3z-myteam.vercel.app"
BOT_ID = 987654321
BOT_TOKEN = f"{BOT_ID}:AAcanaryBotTokenabcdefghijklmnopqrs"
CLIENT_SECRET = "canary-client-secret-0123456789"
ADMIN_TOKEN = "canary-admin-token-0123456789-0123456789"
ENV = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "TELEGRAM_CLIENT_SECRET": CLIENT_SECRET,
    "AUTH_SECRET": "canary-auth-secret-0123456789-0123456789",
    "AUTH_ORIGIN": ORIGIN,
    "ADMIN_TOKEN": ADMIN_TOKEN,
    "AUTH_RELAY_SECRET": "canary-relay-secret-0123456789-01",
    "AUTH_RELAY_HOSTS": "myapp-*-myteam.vercel.app",
}
"""A deployment in which everything is on."""

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}

Environ = dict[str, Any]
App = Callable[[Environ, Any], Any]


@dataclass(frozen=True)
class Answer(Response):
    """What came back, how long it took (seconds), and which events were logged meanwhile."""

    seconds: float = 0.0
    events: tuple[str, ...] = ()

    @property
    def code(self) -> str | None:
        """The problem's code, also of one that is shown as a page; None without a problem, or to a HEAD."""
        page = urlsplit(self.header("location") or "")
        if page.path == "/error.html":
            return parse_qs(page.query)["code"][0]
        shown = self.body and self.header("content-type") == "application/problem+json"
        return self.json()["code"] if shown else None

    @property
    def worked(self) -> bool:
        """Whether it did what was asked for."""
        return self.status < 400 and not (self.header("location") or "").startswith("/error.html")


def environ_of(
    method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Environ:
    """What Vercel's runtime makes of such a request: header values are latin-1 text, the path is raw."""
    environ: Environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "198.51.100.77",
        "HTTP_HOST": HOST,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(body)),
    }
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def call(app: App, environ: Environ) -> Answer:
    """Send one request."""
    given: list[tuple[int, Headers]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> None:
        given.append((int(status[:3]), Headers(headers)))

    started = time.perf_counter()
    body = b"".join(app(environ, start_response))
    return Answer(*given[-1], body, time.perf_counter() - started)
