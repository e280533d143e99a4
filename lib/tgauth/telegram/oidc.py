"""Telegram's OpenID Connect login as the browser sees it: where it is sent, and what it brings back.

Sources: https://core.telegram.org/bots/telegram-login, RFC 6749 §4.1.1 and §4.1.2, RFC 9207 (iss).
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from ..errors import IdentityProviderUnavailable, LoginCancelled, LoginRejected, Misconfigured
from ..settings import Settings
from .transaction import Transaction

SCOPE = "openid profile"
"""`profile` adds the `id` claim, which is the only key of a user."""

_CODE = re.compile(r"[\x21-\x7e]{1,1024}")
_DECLINED = ("access_denied", "user_cancelled", "user_canceled", "user_denied", "cancelled", "canceled")
"""RFC 6749 defines the first; other providers use the rest for the same thing."""
_ERROR = re.compile(r"[a-z_]{1,40}")
_SETUP = ("invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type")
_TROUBLE = ("server_error", "temporarily_unavailable")
_LOOK_AT = (
    "at @BotFather > Bot Settings > Web Login, turn on OpenID Connect and add this site's /telegram/callback"
    " to the Allowed URLs"
)


def redirect_uri(origin: str) -> str:
    """Where Telegram sends the browser back to; the owner registers exactly this at @BotFather."""
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
    Telegram says that it cannot go on, `LoginRejected` for every other error and for anything that is not an
    answer. An error arrives in the browser's address, where anyone can write it, so the log has it as a
    warning and blames no setting.
    """
    if answer.get("iss", expected_issuer) != expected_issuer:
        raise LoginRejected("iss names another issuer")
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
        raise LoginRejected("no code, or not one that Telegram would make")
    return code


def refused(error: str) -> str:
    """What the owner does when Telegram refuses this deployment's request; `error` is one of RFC 6749's."""
    return f"TELEGRAM_CLIENT_SECRET: Telegram answered {error}; {_LOOK_AT}"


def _came_back(error: str) -> str:
    """What the log says about an error in the address, and what to check if Telegram did write it."""
    name = error if _ERROR.fullmatch(error) else "something that is not the name of an error"
    if error in _SETUP:
        advice = _LOOK_AT
    elif error in _TROUBLE:
        advice = "it is having trouble, so try again later"
    else:
        advice = "look the name up in RFC 6749, section 4.1.2.1"
    return f"the browser came back with error={name}, which anybody can write; if it was Telegram: {advice}"
