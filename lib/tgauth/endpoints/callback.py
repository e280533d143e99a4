"""GET /telegram/callback: Telegram, or the relay, sends the browser back here with a code for the user."""

from ..errors import LoginRejected, MalformedRequest
from ..telegram.oidc import authorization_code
from ..telegram.transaction import Transaction
from ..user import Proof, TelegramUser
from ..web.endpoint import Response, endpoint
from ..web.login import finish_login, prove_code
from ..web.navigation import navigation, query_fields
from ..web.request import Request


def callback(request: Request) -> Response:
    """303 to the login's `return_to`, with the session cookie; a bad state never reaches Telegram."""
    try:
        answer = query_fields(request)
    except MalformedRequest as problem:
        raise LoginRejected(problem.reason) from None

    def prove(transaction: Transaction) -> tuple[TelegramUser, Proof]:
        code = authorization_code(answer, expected_issuer=request.settings.oauth_url)
        return prove_code(request, code, transaction)

    return finish_login(request, answer.get("state"), prove)


app = endpoint("/telegram/callback", GET=navigation(callback))
