"""What the proofs have in common: exact digits, no control characters, a MAC in constant time, freshness."""

import hmac
import re

from lib.environment import BOT_TOKEN
from lib.errors import LoginRejected, LoginStale, MalformedRequest

CLOCK_SKEW = 60
"""Seconds that Telegram's clock may be ahead of ours."""

UNIX_TIME = re.compile(r"[1-9][0-9]{0,11}")
_USER_ID = re.compile(r"[1-9][0-9]{0,15}")
_MAC = re.compile(r"[0-9a-f]{64}")
# Surrogates too: half a pair, which JSON can spell, has no UTF-8 to sign.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def is_user_id(text: str) -> bool:
    """Whether `text` is a Telegram id: at most 52 significant bits (https://core.telegram.org/bots/api#user).

    In plain digits: int() alone would take '1_7', ' 17' and Arabic digits too.
    """
    return bool(_USER_ID.fullmatch(text)) and int(text) < 1 << 52


def require_bot_token(bot_token: str) -> bytes:
    """The token as bytes; raises ValueError for anything that is none.

    An empty token is a key that everybody knows, so no proof is ever checked with one.
    """
    if not BOT_TOKEN.fullmatch(bot_token):
        raise ValueError("the bot token is empty or malformed")
    return bot_token.encode("ascii")


def data_check_string(fields: dict[str, str]) -> str:
    """The sorted `key=value` lines that Telegram signs.

    Raises `MalformedRequest` for a control character: a line feed inside a value would let two different
    sets of fields have one check string, and so one MAC.
    """
    if any(_CONTROL.search(text) for pair in fields.items() for text in pair):
        raise MalformedRequest("control character in a field")
    return "\n".join(f"{key}={fields[key]}" for key in sorted(fields))


def require_mac(key: bytes, message: str, presented: str) -> None:
    """Raises `LoginRejected` unless `presented` is the lower-case hex HMAC-SHA256 of `message`."""
    if not _MAC.fullmatch(presented):
        raise LoginRejected("hash is not 64 lower-case hex digits")
    if not hmac.compare_digest(hmac.digest(key, message.encode(), "sha256"), bytes.fromhex(presented)):
        raise LoginRejected("hash does not match (another bot's token, or changed data)")


def require_fresh(auth_date: str, *, now: float, max_age: int) -> int:
    """`auth_date` in Unix seconds, not older than `max_age` seconds and not from the future.

    Raises `LoginRejected` for what is no time or lies ahead, `LoginStale` for what is too old.
    """
    if not UNIX_TIME.fullmatch(auth_date):
        raise LoginRejected("auth_date is not a Unix time")
    issued_at = int(auth_date)
    if issued_at > now + CLOCK_SKEW:
        raise LoginRejected("auth_date lies in the future")
    if now - issued_at > max_age:
        raise LoginStale("auth_date is too old")
    return issued_at
