"""POST /telegram/login: from a proof of who somebody is on Telegram to a session."""

from lib.telegram.login import read_login, verify_login
from lib.web.endpoint import Response, endpoint
from lib.web.request import Request
from lib.web.respond import keep_session, session_response


def login(request: Request) -> Response:
    """200 with user and session; the token is in the cookie, or in the body for bearer sessions."""
    attempt = read_login(request.json())
    presented, transport = request.credentials()
    if attempt.transport == "cookie":
        request.require_own_page()
    service = request.service
    user, proof = verify_login(attempt, settings=request.settings, now=service.now())
    session = service.create_session(
        user,
        proof,
        transport=attempt.transport,
        user_agent=request.user_agent.string,
        country=request.headers.get("X-Vercel-IP-Country", ""),
        replaces=presented if transport == attempt.transport else None,
    )
    request.note_session(session)
    request.notes["event"] = "authn_login_success"
    response = session_response(session, with_token=session.transport == "bearer")
    return keep_session(request, response, session)


app = endpoint(POST=login)
