"""The OpenAPI document: what the applications say about themselves, and what endpoints.py says about them."""

import contextlib
import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from werkzeug.test import Client

from dev.openapi import answers, bodies
from dev.openapi.endpoints import OPERATIONS, Operation
from dev.openapi.examples import examples
from dev.openapi.forms import Schema, ref
from dev.openapi.responses import HEADERS, Responses, preflight
from lib.tgauth.sessions.degraded import _PREFIX as DEGRADED
from lib.tgauth.sessions.token import _PREFIX as SHARED
from lib.tgauth.web.cookies import cookie_name
from lib.tgauth.web.request import MAX_BODY, MAX_QUERY_FIELDS, MAX_URI

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs/openapi.json"

_ABOUT = f"""\
Log in with Telegram, and sessions that last. docs/API.md explains it; this says it to programs.

- A session travels as a cookie or as a bearer token, whichever it was made for. With both, the token \
counts; `Authorization` of another scheme is ignored.
- What changes something with a cookie must come from the site's own pages: `Sec-Fetch-Site: same-origin`, \
or without that header `Origin` with the site's own origin. Otherwise it is 403 `cross_site_blocked`.
- Origins in `ALLOWED_ORIGINS` may ask with a bearer token; `OPTIONS` answers their preflights.
- A body may have {MAX_BODY} bytes, path and query {MAX_URI} together, a query {MAX_QUERY_FIELDS} fields.
- A method that an address does not list is answered with the response `method_not_allowed`.
- On http://localhost the cookie is `{cookie_name("http://localhost")}`.
"""

_PARAMETERS: dict[str, Schema] = {
    "Sec-Fetch-Site": {
        "in": "header",
        "description": "Browsers set it. With a cookie it must be `same-origin`, or missing.",
        "schema": {"type": "string"},
        "example": "same-origin",
    },
    "Origin": {
        "in": "header",
        "description": "With a cookie and without Sec-Fetch-Site it must be the site's own origin.",
        "schema": {"type": "string"},
    },
    "Sec-Fetch-Mode": {
        "in": "header",
        "description": "Browsers set it; anything else is no visit.",
        "schema": {"type": "string", "enum": ["navigate"]},
    },
    "Sec-Fetch-Dest": {
        "in": "header",
        "description": (
            "Browsers set it; anything else is no visit. A service worker that passes one on sends `empty`,"
            " with `Sec-Fetch-Mode: navigate`."
        ),
        "schema": {"type": "string", "enum": ["document"]},
    },
    "id": {"in": "path", "required": True, "schema": ref("SessionId")},
}
_GUARDED, _NAVIGATION = ("Sec-Fetch-Site", "Origin"), ("Sec-Fetch-Mode", "Sec-Fetch-Dest")


def document() -> dict[str, Any]:
    """The whole of it; raises ValueError where endpoints.py and the applications differ."""
    allowed = {path: _allowed(path) for path in _paths()}
    listed = {(method, path) for path, allow in allowed.items() for method in _methods(allow)}
    written = {(method, path) for method, path in listed if method not in ("HEAD", "OPTIONS")}
    if written != OPERATIONS.keys():
        raise ValueError(
            f"dev/openapi/endpoints.py: {sorted(written ^ OPERATIONS.keys())} is in one place alone"
        )
    responses = Responses()
    paths = {
        path: _shared(path)
        | {
            method.lower(): _preflight(path, allow)
            if method == "OPTIONS"
            else _operation(method, path, responses)
            for method in _methods(allow)
        }
        for path, allow in allowed.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "tgauth", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(found.tag for found in OPERATIONS.values())],
        "paths": paths,
        "components": {
            "schemas": {**answers.schemas(), **bodies.schemas()},
            "responses": dict(sorted(responses.shared.items())),
            "headers": HEADERS,
            "parameters": {name: {"name": name, **form} for name, form in _PARAMETERS.items()},
            "securitySchemes": _security(),
        },
    }


def text() -> str:
    """The document as the file holds it."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def _paths() -> Iterable[str]:
    """The public addresses of vercel.json, with their parameters as OpenAPI writes them."""
    rewrites = json.loads((ROOT / "vercel.json").read_bytes())["rewrites"]
    return [re.sub(r":(\w+)", r"{\1}", rewrite["source"]) for rewrite in rewrites]


def _allowed(path: str) -> str:
    """What the application at this address says that it answers."""
    # Cold starts and requests are logged, which nobody who makes a document wants to read.
    with contextlib.redirect_stdout(io.StringIO()):
        from lib.tgauth.wsgi import app

        return Client(app, use_cookies=False).options(path).headers["Allow"]


def _methods(allow: str) -> list[str]:
    return allow.split(", ")


def _shared(path: str) -> Schema:
    """What the methods of an address have in common."""
    return {"parameters": [ref(name, "parameters") for name in _named(path)]} if _named(path) else {}


def _named(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)


def _operation(method: str, path: str, responses: Responses) -> Schema:
    operation = OPERATIONS["GET" if method == "HEAD" else method, path]
    found: Schema = {
        "operationId": _id(method, path),
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": _parameters(method, operation),
        "requestBody": _body(operation),
        "responses": responses.of(method, operation),
        "security": operation.security,
    }
    return {name: value for name, value in found.items() if value or name == "security"}


def _parameters(method: str, operation: Operation) -> list[Schema]:
    if method == "HEAD" and operation.navigation:
        return []
    headers = [*(_NAVIGATION if operation.navigation else ()), *(_GUARDED if operation.guarded else ())]
    fields = [{"name": name, "in": "query", "schema": form} for name, form in operation.fields.items()]
    return [*(ref(name, "parameters") for name in headers), *fields]


def _body(operation: Operation) -> Schema | None:
    if not operation.bodies:
        return None
    forms = [ref(name) for name in operation.bodies]
    known = examples()
    content: Schema = {"schema": forms[0] if len(forms) == 1 else {"oneOf": forms}}
    if shown := {name: {"value": known[name]} for name in operation.bodies if name in known}:
        content["examples"] = shown
    return {"required": operation.body_required, "content": {"application/json": content}}


def _preflight(path: str, allow: str) -> Schema:
    # Whatever they are: a preflight looks at nothing but the method.
    anything = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _named(path)
    ]
    return {
        "operationId": _id("OPTIONS", path),
        "tags": ["operation"],
        "summary": "What the address answers",
        **({"parameters": anything} if anything else {}),
        "responses": preflight(allow),
        "security": [],
    }


def _id(method: str, path: str) -> str:
    """A name for the operation: `delete_telegram_sessions_id`."""
    return re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_")


def _security() -> Schema:
    return {
        "cookie": {"type": "apiKey", "in": "cookie", "name": cookie_name(None)},
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": f"{SHARED}…, or {DEGRADED}… where sessions are in memory",
        },
        "admin": {"type": "http", "scheme": "bearer", "bearerFormat": "ADMIN_TOKEN"},
    }
