"""Telegram's OpenID Connect login as the browser sees it: where it is sent, and what it comes back with.

Sources: https://core.telegram.org/bots/telegram-login, RFC 6749 §4.1.1 and §4.1.2, RFC 9207 (iss).
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from lib.errors import IdentityProviderUnavailable, LoginCancelled, LoginRejected, Misconfigured
from lib.settings import Settings
from lib.telegram.transaction import Transaction

SCOPE = "openid profile"
"""`profile` brings the `id` claim, which alone is a user's key."""

_CODE = re.compile(r"[\x21-\x7e]{1,1024}")
_OWNERS_FAULT = ("invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type")
_TELEGRAMS_FAULT = ("server_error", "temporarily_unavailable")


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
    Telegram cannot, `LoginRejected` for what is no answer.
    """
    if answer.get("iss", expected_issuer) != expected_issuer:
        raise LoginRejected("iss is another issuer")
    match answer.get("error"):
        case None:
            pass
        case "access_denied":
            raise LoginCancelled("access_denied")
        case str(error) if error in _OWNERS_FAULT:
            raise Misconfigured(refused(error))
        case str(error) if error in _TELEGRAMS_FAULT:
            raise IdentityProviderUnavailable(f"Telegram answered {error}")
        case _:
            raise LoginRejected("Telegram answered with an unknown error")
    code = answer.get("code", "")
    if not _CODE.fullmatch(code):
        raise LoginRejected("no code, or none that Telegram would make")
    return code


def refused(error: str) -> str:
    """What the owner does when Telegram refuses what this deployment asks; `error` is one of RFC 6749's."""
    return (
        f"TELEGRAM_CLIENT_SECRET: Telegram answered {error}; at @BotFather > Bot Settings > Web Login,"
        " turn on OpenID Connect and add this site's /telegram/callback to the Allowed URLs"
    )
