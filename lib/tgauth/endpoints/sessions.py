"""GET /telegram/sessions: where the caller is logged in. DELETE ends one session, all others, or all."""

from ..errors import NotFound
from ..sessions import devices
from ..web.cookies import set_session_cookie
from ..web.devices import device_list, ending_query, named_session
from ..web.endpoint import Response, endpoint
from ..web.request import Request
from ..web.respond import json_response, no_content


def list_sessions(request: Request) -> Response:
    """200 with the sessions, newest first."""
    if named_session(request) is not None:
        raise NotFound("a single session cannot be read")
    token, transport = request.require_token()
    return json_response(
        device_list(devices.list_sessions(request.service, token, transport, renew=request.method == "GET"))
    )


def end_sessions(request: Request) -> Response:
    """204; 404 for an id that names none of the caller's sessions. Ending all clears the cookie too.

    A request that names its user is refused if somebody else has logged in since the page was loaded.
    """
    slot = named_session(request)
    keep_current, user_id = ending_query(request, slot)
    token, transport = request.require_token(own_page=True)
    if user_id is not None:
        devices.require_user(request.service, token, user_id)
    request.notes["event"] = "authn_token_revoked"
    if slot is None:
        devices.revoke_sessions(request.service, token, transport, keep_current=keep_current)
    elif not devices.end_session(request.service, token, slot, transport):
        raise NotFound("the user has no session with this id")
    response = no_content()
    if transport == "cookie" and slot is None and not keep_current:
        set_session_cookie(response, "", max_age=0, origin=request.own_origin)
    return response


app = endpoint("/telegram/sessions", GET=list_sessions, DELETE=end_sessions)
