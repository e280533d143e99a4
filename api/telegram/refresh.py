"""POST /telegram/refresh: as verify, and a cookie session's cookie is renewed."""

from lib.errors import InvalidSession, MembershipRequired
from lib.web.endpoint import Response, endpoint
from lib.web.membership import require_member
from lib.web.request import Request
from lib.web.respond import keep_session, session_response


def refresh(request: Request) -> Response:
    """200 with user and session, or 401; who has left TELEGRAM_REQUIRE_CHAT is logged out here."""
    token, transport = request.require_token(own_page=True)
    session = request.service.refresh_session(token, transport)
    request.note_session(session)
    try:
        require_member(request, session.user.id, known_at=session.created_at)
    except MembershipRequired as problem:
        request.service.delete_session(token)
        raise InvalidSession(problem.reason) from None
    request.notes["event"] = "session_renewed"
    return keep_session(request, session_response(session), session)


app = endpoint(POST=refresh)
