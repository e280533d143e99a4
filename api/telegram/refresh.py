"""POST /telegram/refresh: as verify, and a cookie session's cookie is renewed."""

from lib.web.endpoint import Response, endpoint
from lib.web.request import Request
from lib.web.respond import keep_session, session_response


def refresh(request: Request) -> Response:
    """200 with user and session, or 401."""
    token, transport = request.require_token(own_page=True)
    session = request.service.refresh_session(token, transport)
    request.note_session(session)
    request.notes["event"] = "session_renewed"
    return keep_session(request, session_response(session), session)


app = endpoint(POST=refresh)
