"""GET /telegram/callback: Telegram, or the relay, sends the browser back here with a code for who it was."""

from lib.errors import LoginRejected, MalformedRequest
from lib.telegram.oidc import authorization_code
from lib.telegram.transaction import Transaction
from lib.telegram.user import Proof, TelegramUser
from lib.web.endpoint import Response, endpoint
from lib.web.login import finish_login, redeem
from lib.web.navigation import navigation, query_fields
from lib.web.request import Request


def callback(request: Request) -> Response:
    """303 to where the login began, with the session cookie; nothing is asked of Telegram for a bad state."""
    try:
        answer = query_fields(request)
    except MalformedRequest as problem:
        raise LoginRejected(problem.reason) from None

    def prove(transaction: Transaction) -> tuple[TelegramUser, Proof]:
        code = authorization_code(answer, expected_issuer=request.settings.oauth_url)
        return redeem(request, code, transaction)

    return finish_login(request, answer.get("state"), prove)


app = endpoint(GET=navigation(callback))
