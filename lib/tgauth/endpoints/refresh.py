"""POST /telegram/refresh: like verify, and renews the cookie of a cookie session."""

from ..web.endpoint import Response, endpoint
from ..web.membership import recheck_member
from ..web.request import Request
from ..web.respond import keep_session, session_response


def refresh(request: Request) -> Response:
    """200 with user and session, or 401; a user who has left TELEGRAM_REQUIRE_CHAT is logged out."""
    token, transport = request.require_token(own_page=True)
    session = request.service.refresh_session(token, transport)
    request.note_session(session)
    recheck_member(request, session)
    request.notes["event"] = "session_renewed"
    return keep_session(request, session_response(session), session)


app = endpoint("/telegram/refresh", POST=refresh)
