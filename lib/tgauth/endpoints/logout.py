"""POST /telegram/logout: end the session that was presented."""

from ..web.cookies import set_session_cookie
from ..web.endpoint import Response, endpoint
from ..web.request import Request
from ..web.respond import no_content


def logout(request: Request) -> Response:
    """204 and the cookie removed, even if the token was not valid; 503 keeps the cookie for another try."""
    token, transport = request.presented()
    if transport == "cookie":
        request.require_own_page()
    if token is not None and request.service.delete_session(token):
        request.notes["event"] = "authn_token_revoked"
    response = no_content()
    if transport == "cookie":
        set_session_cookie(response, "", max_age=0, origin=request.own_origin)
    return response


app = endpoint("/telegram/logout", POST=logout)
