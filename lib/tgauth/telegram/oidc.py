"""Telegram's OpenID Connect login as the browser sees it: where it is sent, and what it comes back with.

Sources: https://core.telegram.org/bots/telegram-login, RFC 6749 §4.1.1 and §4.1.2, RFC 9207 (iss).
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from ..errors import IdentityProviderUnavailable, LoginCancelled, LoginRejected, Misconfigured
from ..settings import Settings
from .transaction import Transaction

SCOPE = "openid profile"
"""`profile` brings the `id` claim, which alone is a user's key."""

_CODE = re.compile(r"[\x21-\x7e]{1,1024}")
_DECLINED = ("access_denied", "user_cancelled", "user_canceled", "user_denied", "cancelled", "canceled")
"""RFC 6749 has the first; the others are what providers say of the same."""
_ERROR = re.compile(r"[a-z_]{1,40}")
_SETUP = ("invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type")
_TROUBLE = ("server_error", "temporarily_unavailable")
_LOOK_AT = (
    "at @BotFather > Bot Settings > Web Login, turn on OpenID Connect and add this site's /telegram/callback"
    " to the Allowed URLs"
)


def redirect_uri(origin: str) -> str:
    """Where Telegram sends the browser back to; exactly this is what the owner registers at @BotFather."""
    return f"{origin}/telegram/callback"


def authorization_url(settings: Settings, transaction: Transaction, origin: str) -> str:
    """Where the browser goes to log in."""
    query = {
        "client_id": str(settings.bot_id),
        "redirect_uri": redirect_uri(origin),
        "response_type": "code",
        "scope": SCOPE,
        "state": transaction.state,
        "nonce": transaction.nonce,
        "code_challenge": transaction.challenge,
        "code_challenge_method": "S256",
    }
    return f"{settings.oauth_url}/auth?{urlencode(query, quote_via=quote)}"


def authorization_code(answer: Mapping[str, str], *, expected_issuer: str) -> str:
    """The code in Telegram's answer to a login that this browser began.

    Raises `LoginCancelled` when the user said no, `Misconfigured` or `IdentityProviderUnavailable` when
    Telegram cannot, `LoginRejected` for every other error and for what is not an answer. An error comes by
    the browser's address, where anybody can write it: to the log it is a warning, and accuses no setting.
    """
    if answer.get("iss", expected_issuer) != expected_issuer:
        raise LoginRejected("iss is another issuer")
    error = answer.get("error")
    if error in _DECLINED:
        raise LoginCancelled(f"the browser came back with error={error}")
    if error in _SETUP:
        raise Misconfigured(_came_back(error), level="warning")
    if error in _TROUBLE:
        raise IdentityProviderUnavailable(_came_back(error), level="warning")
    if error is not None:
        raise LoginRejected(_came_back(error))
    code = answer.get("code", "")
    if not _CODE.fullmatch(code):
        raise LoginRejected("no code, or none that Telegram would make")
    return code


def refused(error: str) -> str:
    """What the owner does when Telegram refuses what this deployment asks; `error` is one of RFC 6749's."""
    return f"TELEGRAM_CLIENT_SECRET: Telegram answered {error}; {_LOOK_AT}"


def _came_back(error: str) -> str:
    """What the log says of an error in the address, and what to look at if Telegram did write it."""
    name = error if _ERROR.fullmatch(error) else "something that is not the name of an error"
    if error in _SETUP:
        advice = _LOOK_AT
    elif error in _TROUBLE:
        advice = "it has trouble of its own, so try again later"
    else:
        advice = "look the name up in RFC 6749, section 4.1.2.1"
    return f"the browser came back with error={name}, which anybody can write; if it was Telegram: {advice}"
