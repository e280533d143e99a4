"""GET /telegram/verify: who is logged in. HEAD asks the same without renewing the session."""

from ..web.endpoint import Response, endpoint
from ..web.membership import recheck_in_passing
from ..web.request import Request
from ..web.respond import session_response


def verify(request: Request) -> Response:
    """200 with user and session, or 401; a user who has left TELEGRAM_REQUIRE_CHAT is logged out."""
    session = request.session(renew=request.method == "GET")
    recheck_in_passing(request, session)
    return session_response(session)


app = endpoint("/telegram/verify", GET=verify)
