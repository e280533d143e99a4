"""GET /telegram/callback: Telegram, or the relay, sends the browser back here with a code for who it was."""

from lib.errors import LoginRejected, MalformedRequest
from lib.telegram.oidc import authorization_code
from lib.web.endpoint import Response, endpoint
from lib.web.login import log_in, redeem
from lib.web.navigation import navigation, query_fields
from lib.web.request import Request
from lib.web.respond import keep_session, see_other
from lib.web.transactions import take_transaction


def callback(request: Request) -> Response:
    """303 to where the login began, with the session cookie; nothing is asked of Telegram for a bad state."""
    try:
        answer = query_fields(request)
    except MalformedRequest as problem:
        raise LoginRejected(problem.reason) from None
    transaction = take_transaction(request, answer.get("state"))
    code = authorization_code(answer, expected_issuer=request.settings.oauth_url)
    user, proof = redeem(request, code, transaction)
    session = log_in(request, user, proof, "cookie")
    return keep_session(request, see_other(transaction.return_to), session)


app = endpoint(GET=navigation(callback))
