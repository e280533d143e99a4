"""All functions as one WSGI application, for hosts that keep a process: `gunicorn lib.web.app:app`.

vercel.json stays the one list of addresses: a rewrite's destination names the function that answers.
"""

import importlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lib.errors import NotFound
from lib.web.endpoint import Response, endpoint
from lib.web.request import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

_CONFIG = Path(__file__).resolve().parents[2] / "vercel.json"


def routes() -> list[tuple[re.Pattern[str], "WSGIApplication"]]:
    """What answers which path, in the order of vercel.json; rewrites to other sites are no functions."""
    rewrites: list[dict[str, str]] = json.loads(_CONFIG.read_bytes())["rewrites"]
    found = []
    for rewrite in rewrites:
        if rewrite["destination"].startswith("/api/"):
            module = importlib.import_module(rewrite["destination"].strip("/").replace("/", "."))
            found.append((_pattern(rewrite["source"]), cast("WSGIApplication", module.app)))
    return found


def _pattern(source: str) -> re.Pattern[str]:
    """`/:name` is a segment, `/:name*` any number of them, `/:name+` one or more."""
    parts = re.split(r"(/):\w+([*+]?)", source)
    out = [re.escape(parts[0])]
    for slash, modifier, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        out += [f"(?:{slash}[^/]+){modifier}", re.escape(text)]
    return re.compile("".join(out))


def _missing(_: Request) -> Response:
    raise NotFound("no such address")


_not_found = endpoint(**dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), _missing))
_routes = routes()


def app(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
    """Answer one request, as the function of its own would."""
    path: str = environ.get("PATH_INFO", "")
    answering = next((found for pattern, found in _routes if pattern.fullmatch(path)), _not_found)
    return answering(environ, start_response)
