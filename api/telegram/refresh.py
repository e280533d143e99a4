"""POST /telegram/refresh: as verify, and a cookie session's cookie is renewed."""

from lib.web.endpoint import Response, endpoint
from lib.web.request import Request
from lib.web.respond import session_response


def refresh(request: Request) -> Response:
    """200 with user and session, or 401."""
    _, transport = request.credentials()
    if transport == "cookie":
        request.require_own_page()
    session = request.session()
    request.notes["event"] = "session_renewed"
    return session_response(request, session, token=transport == "cookie")


app = endpoint(POST=refresh)
