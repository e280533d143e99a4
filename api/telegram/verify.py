"""GET /telegram/verify: who is logged in. HEAD asks the same without renewing the session."""

from lib.web.endpoint import Response, endpoint
from lib.web.request import Request
from lib.web.respond import session_response


def verify(request: Request) -> Response:
    """200 with user and session, or 401."""
    return session_response(request.session(renew=request.method == "GET"))


app = endpoint(GET=verify)
