"""The Login Widget's proof; also what a login_url button and `#tgAuthResult` carry.

Source: https://core.telegram.org/widgets/login-legacy#checking-authorization
"""

import hashlib
from collections.abc import Mapping
from urllib.parse import urlencode

from ..clock import CLOCK_SKEW
from ..errors import LoginRejected, MalformedRequest
from ..settings import Settings
from ..user import Proof, TelegramUser, is_user_id
from .checks import UNIX_TIME, data_check_string, require_bot_token, require_fresh, require_mac

_REQUIRED = ("id", "auth_date", "hash")
_OPTIONAL = ("first_name", "last_name", "username", "photo_url")
FIELDS = frozenset({*_REQUIRED, *_OPTIONAL})
MAX_AGE = 300
"""Seconds for which a widget's answer can log in; Telegram sets no limit, so this one is ours."""


def authorization_url(settings: Settings, *, origin: str, return_to: str) -> str:
    """Where the browser goes to log in without the widget's script; it comes back with `#tgAuthResult=`."""
    query = {"bot_id": str(settings.bot_id), "origin": origin, "return_to": return_to}
    return f"{settings.oauth_url}/auth?{urlencode(query)}"


def verify_widget(
    fields: Mapping[str, object], *, bot_token: str, now: float, max_age: int = MAX_AGE
) -> tuple[TelegramUser, Proof]:
    """Check what the widget returned and say which user it is for.

    Numbers may be int (the JavaScript callback) or str (the redirect). Unknown fields are allowed: Telegram
    signs every field that it sends and may add more, and others may add their own to a query. Raises
    `MalformedRequest` for an `id`, `auth_date` or `hash` that Telegram never sends, `LoginRejected` for data
    that it did not sign, `LoginStale` for data that it signed too long ago, and ValueError for a malformed
    bot token.
    """
    key = hashlib.sha256(require_bot_token(bot_token)).digest()
    text = {name: found for name, value in fields.items() if (found := _text(name, value)) is not None}
    if "id" in text and not is_user_id(text["id"]):
        raise MalformedRequest("id is not a Telegram id")
    if "auth_date" in text and not UNIX_TIME.fullmatch(text["auth_date"]):
        raise MalformedRequest("auth_date is not a Unix time")
    presented = text.pop("hash", "")
    known = {name: value for name, value in text.items() if name in FIELDS}
    # Tried in turn: if only the known fields were signed, the others may be anything.
    check_strings = (data_check_string(signed) for signed in ([known] if known == text else [known, text]))
    check_string = require_mac(key, check_strings, presented)

    issued_at = require_fresh(text.get("auth_date", ""), now=now, max_age=max_age)
    if "id" not in text:
        raise LoginRejected("no id")
    user = TelegramUser.read(int(text["id"]), {name: text.get(name) for name in _OPTIONAL})
    return user, Proof("widget", check_string, issued_at, window=max_age + 2 * CLOCK_SKEW, one_time=True)


def _text(name: str, value: object) -> str | None:
    """The field as Telegram signed it; None if it cannot have signed it, such as null for a missing name.

    A bool, which is an int to Python, is one of these.
    """
    if isinstance(value, str):
        return value
    if type(value) is int and abs(value) < 1 << 63:
        return str(value)
    if name in _REQUIRED:
        raise MalformedRequest(f"{name} is neither text nor an integer")
    return None
