"""What the proofs have in common: exact digits, one check string, a MAC in constant time, freshness."""

import hmac
import re
from collections.abc import Iterable

from ..clock import CLOCK_SKEW
from ..errors import LoginRejected, LoginStale, MalformedRequest
from ..settings.reader import BOT_TOKEN

UNIX_TIME = re.compile(r"[1-9][0-9]{0,11}")
_MAC = re.compile(r"[0-9a-f]{64}")
# Half a surrogate pair, which JSON can spell, cannot be encoded in UTF-8 to be signed.
_NEVER_SIGNED = re.compile(r"[\n\ud800-\udfff]")


def require_bot_token(bot_token: str) -> bytes:
    """The token as bytes; raises ValueError for anything that is not a token.

    An empty token is a key that everybody knows, so no proof is ever checked with one.
    """
    if not BOT_TOKEN.fullmatch(bot_token):
        raise ValueError("the bot token is empty or malformed")
    return bot_token.encode("ascii")


def data_check_string(fields: dict[str, str]) -> str:
    """The sorted `key=value` lines that Telegram signs.

    Raises `MalformedRequest` for a line feed, and for "=" in a key: they would give two different sets of
    fields the same check string, and so the same MAC. Any other character may be part of somebody's name.
    """
    if any(_NEVER_SIGNED.search(text) for pair in fields.items() for text in pair):
        raise MalformedRequest("line feed or half a surrogate pair in a field")
    if any("=" in key for key in fields):
        raise MalformedRequest("= in the name of a field")
    return "\n".join(f"{key}={fields[key]}" for key in sorted(fields))


def require_mac(key: bytes, messages: Iterable[str], presented: str) -> str:
    """The one of `messages` whose lower-case hex HMAC-SHA256 is `presented`; raises `LoginRejected`."""
    if not _MAC.fullmatch(presented):
        raise LoginRejected("hash is not 64 lower-case hex digits")
    for message in messages:
        if hmac.compare_digest(hmac.digest(key, message.encode(), "sha256"), bytes.fromhex(presented)):
            return message
    raise LoginRejected("hash does not match (another bot's token, or changed data)")


def require_fresh(auth_date: str, *, now: float, max_age: int) -> int:
    """`auth_date` in Unix seconds, not older than `max_age` seconds and not from the future.

    Raises `LoginRejected` if it is not a Unix time or lies in the future, `LoginStale` if it is too old.
    """
    if not UNIX_TIME.fullmatch(auth_date):
        raise LoginRejected("auth_date is not a Unix time")
    issued_at = int(auth_date)
    if issued_at > now + CLOCK_SKEW:
        raise LoginRejected("auth_date lies in the future")
    if now - issued_at > max_age:
        raise LoginStale("auth_date is too old")
    return issued_at
