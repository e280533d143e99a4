"""Which sessions a request to /telegram/sessions is about, and which user they must belong to."""

import re
from typing import Any

from ..errors import MalformedRequest, NotFound
from ..sessions.devices import Device
from ..sessions.token import SLOT
from ..user import is_user_id
from .navigation import query_fields
from .request import Request

_PATH = re.compile(r"(?:/api)?/telegram/sessions(?:/(.*))?")


def named_session(request: Request) -> str | None:
    """The id of the one session that is meant, from the path or the body; None for all of them.

    Raises `NotFound` for a malformed id, and `MalformedRequest` for a body that says anything else: a
    misspelt request must not mean all.
    """
    match = _PATH.fullmatch(request.environ.get("PATH_INFO", ""))
    if not match:
        raise NotFound("path")
    slot = match[1]
    if request.body and request.method == "DELETE":
        body = request.json()
        if slot is not None or body.keys() != {"id"}:
            raise MalformedRequest("the body may name one id, if the path names none")
        slot = body["id"] if body["id"] is not None else ""
    if slot is not None and not (isinstance(slot, str) and SLOT.fullmatch(slot)):
        raise NotFound("no session has such an id")
    return slot


def ending_query(request: Request, slot: str | None) -> tuple[bool, int | None]:
    """Whether to keep the caller's own session, and the id of the user it must belong to, if that is given.

    Raises `MalformedRequest` for other fields in the query, except the path's `id`, which Vercel adds.
    """
    fields = query_fields(request)
    keep, user, named = fields.pop("keep", None), fields.pop("user", None), fields.pop("id", slot)
    if fields or named != slot or keep not in (None, "current") or not (user is None or is_user_id(user)):
        raise MalformedRequest("the query may hold only keep=current and a user's id")
    return keep is not None, int(user) if user is not None else None


def device_list(devices: list[Device]) -> dict[str, Any]:
    """The body of the answer that lists `devices`."""
    return {"sessions": [device._asdict() for device in devices]}
