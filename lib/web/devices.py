"""Which sessions a request to /telegram/sessions is about."""

import re
from typing import Any
from urllib.parse import parse_qsl

from lib.errors import MalformedRequest, NotFound
from lib.sessions.devices import Device
from lib.web.request import Request

_PATH = re.compile(r"(?:/api)?/telegram/sessions(?:/(.*))?")
_SLOT = re.compile(r"[A-Za-z0-9_-]{16}")


def named_session(request: Request) -> str | None:
    """The id of the one session that is meant, from the path or the body; None for all of them.

    Raises `NotFound` for what is no id, `MalformedRequest` for a body or query that says anything else: what
    is misspelt must not mean all.
    """
    match = _PATH.fullmatch(request.environ.get("PATH_INFO", ""))
    if not match:
        raise NotFound("path")
    slot = match[1]
    if request.body and request.method == "DELETE":
        body = request.json()
        if slot is not None or body.keys() != {"id"}:
            raise MalformedRequest("the body may name one id, where the path does not")
        keeps_current(request)
        slot = body["id"] if body["id"] is not None else ""
    if slot is not None and not (isinstance(slot, str) and _SLOT.fullmatch(slot)):
        raise NotFound("no session has such an id")
    return slot


def keeps_current(request: Request) -> bool:
    """Whether the query asks to keep the caller's own session; raises `MalformedRequest` for others."""
    match parse_qsl(request.environ.get("QUERY_STRING", ""), keep_blank_values=True):
        case []:
            return False
        case [("keep", "current")]:
            return True
    raise MalformedRequest("the query may only be keep=current")


def device_list(devices: list[Device]) -> dict[str, Any]:
    """The answer that lists them."""
    return {"sessions": [device._asdict() for device in devices]}
