"""The table of addresses and what answers them. vercel.json tells Vercel the same; a test compares them."""

import importlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from .errors import NotFound
from .web.endpoint import Response, endpoint
from .web.request import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

ROUTES = {
    "/telegram/start": "start",
    "/telegram/callback": "callback",
    "/telegram/relay": "relay",
    "/telegram/login": "login",
    "/telegram/verify": "verify",
    "/telegram/refresh": "refresh",
    "/telegram/logout": "logout",
    "/telegram/sessions": "sessions",
    "/telegram/sessions/{id}": "sessions",
    "/health": "health",
    "/stats": "stats",
}
"""The module of `endpoints` that answers each address; `{id}` is one segment of a path."""

MOUNT = "/telegram"
"""Where another application may mount this one; pages and the redirect URI are absolute."""


def serve(*names: str) -> "WSGIApplication":
    """These endpoints as one application; everything else is 404."""
    table = [(_pattern(path), _app(name)) for path, name in ROUTES.items() if name in names]
    missing = endpoint("", **dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), _missing))

    def app(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        path = _path(environ)
        answering = next((found for pattern, found in table if pattern.fullmatch(path)), missing)
        # Endpoints see the same path wherever this application is mounted.
        return answering({**environ, "SCRIPT_NAME": "", "PATH_INFO": path}, start_response)

    return app


def _path(environ: dict[str, Any]) -> str:
    """The path from the site's root, without a trailing slash; empty if mounted anywhere but at MOUNT."""
    mount, path = environ.get("SCRIPT_NAME", ""), str(environ.get("PATH_INFO", ""))
    if mount not in ("", MOUNT):
        return ""
    return f"{mount}{path}".removesuffix("/")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.escape(path).replace(re.escape("{id}"), "[^/]+"))


def _app(name: str) -> "WSGIApplication":
    return cast("WSGIApplication", importlib.import_module(f".endpoints.{name}", __package__).app)


def _missing(_: Request) -> Response:
    raise NotFound("no such address")
