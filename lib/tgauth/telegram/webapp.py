"""A Mini App's `initData`: signed with the bot's token (HMAC), and by Telegram for third parties (Ed25519).

Source: https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app
"""

import hmac
import re
from base64 import urlsafe_b64decode
from urllib.parse import parse_qsl

from ..clock import CLOCK_SKEW
from ..errors import LoginRejected, MalformedRequest
from ..user import Proof, TelegramUser
from .checks import data_check_string, require_bot_token, require_fresh, require_mac
from .webapp_user import parse_user

MAX_AGE = 24 * 3600
"""Seconds for which initData logs in: Telegram Desktop hands out the same one for up to a day."""

TELEGRAM_PUBLIC_KEY = bytes.fromhex("e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d")
"""Telegram's production key (https://core.telegram.org/bots/webapps#validating-data-for-third-party-use)."""

_MAX_FIELDS = 32
# 64 bytes fill 85 characters and two bits of the next; we accept only the spelling whose other bits are zero.
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{85}[AQgw]")


def verify_webapp(
    init_data: str, *, bot_token: str, now: float, max_age: int = MAX_AGE
) -> tuple[TelegramUser, Proof]:
    """Check `Telegram.WebApp.initData` with the bot's own token.

    Raises `MalformedRequest`, `LoginRejected` or `LoginStale` (see tgauth.errors), and ValueError for a
    malformed bot token.
    """
    key = secret_key(require_bot_token(bot_token))
    fields = _fields(init_data)
    presented = fields.pop("hash", "")
    check_string = require_mac(key, [data_check_string(fields)], presented)
    return _accept(fields, check_string, now=now, max_age=max_age)


def verify_webapp_signature(
    init_data: str,
    *,
    bot_id: int,
    now: float,
    max_age: int = MAX_AGE,
    public_key: bytes = TELEGRAM_PUBLIC_KEY,
) -> tuple[TelegramUser, Proof]:
    """Check `initData` with Telegram's public key, for deployments that know only the bot's id.

    This check string leaves out both `hash` and `signature`. Raises the same as `verify_webapp`.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    fields = _fields(init_data)
    fields.pop("hash", None)
    signature = fields.pop("signature", "")
    if not _SIGNATURE.fullmatch(signature):
        raise LoginRejected("signature is not 64 bytes in base64url")
    check_string = data_check_string(fields)
    message = f"{bot_id}:WebAppData\n{check_string}".encode()
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(urlsafe_b64decode(signature + "=="), message)
    except InvalidSignature:
        raise LoginRejected("signature does not match (another bot's id, or changed data)") from None
    return _accept(fields, check_string, now=now, max_age=max_age)


def secret_key(bot_token: bytes) -> bytes:
    """The HMAC key for initData; note that here the constant is the key and the token is the message."""
    return hmac.digest(b"WebAppData", bot_token, "sha256")


def _fields(init_data: str) -> dict[str, str]:
    """The decoded fields, blank ones included: an empty `signature=` is part of what is signed."""
    if not init_data:
        raise LoginRejected("initData is empty (opened from a keyboard button or inline mode)")
    try:
        pairs = parse_qsl(
            init_data,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise MalformedRequest("initData is not a query string") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise MalformedRequest("a field of initData appears twice")
    return fields


def _accept(
    fields: dict[str, str], check_string: str, *, now: float, max_age: int
) -> tuple[TelegramUser, Proof]:
    issued_at = require_fresh(fields.get("auth_date", ""), now=now, max_age=max_age)
    if "user" not in fields:
        raise LoginRejected("initData without user")
    proof = Proof("webapp", check_string, issued_at, window=max_age + 2 * CLOCK_SKEW, one_time=False)
    return parse_user(fields["user"]), proof
