"""Sign what Telegram signs, for the simulated Telegram and for tests, as the other side.

Written from Telegram's own pages (core.telegram.org/widgets/login-legacy and core.telegram.org/bots/webapps)
and sharing no code with lib/, so that a mistake there is not repeated here.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import quote, urlencode

type Field = str | int | Mapping[str, object]


def sign_widget(fields: Mapping[str, str | int], bot_token: str) -> dict[str, str | int]:
    """Return a Login Widget's fields with their `hash`; a `hash` already there is replaced."""
    unsigned = {name: value for name, value in fields.items() if name != "hash"}
    key = hashlib.sha256(bot_token.encode()).digest()
    return {**unsigned, "hash": _hmac_hex(key, _check_string(unsigned))}


def sign_init_data(fields: Mapping[str, Field], bot_token: str, private_key: bytes | None = None) -> str:
    """Return a Mini App's `initData`, the query string with its `hash`.

    A value that is a mapping (`user`, `chat`) is written as JSON, the way Telegram writes it. With
    `private_key` (the 32 bytes of an Ed25519 key) there is a `signature` too: it covers everything else,
    and the hash covers it.
    """
    signed = {name: _text(value) for name, value in fields.items() if name != "hash"}
    if private_key is not None:
        signed.pop("signature", None)
        signed["signature"] = _ed25519(
            private_key, f"{bot_id(bot_token)}:WebAppData\n{_check_string(signed)}"
        )
    signed["hash"] = _hmac_hex(web_app_key(bot_token), _check_string(signed))
    return urlencode(signed, quote_via=quote, safe="")


def tg_auth_result(widget: Mapping[str, str | int] | bool) -> str:
    """Encode what follows `#tgAuthResult=`: the widget object, or a bare `False` when the user cancels."""
    body = widget if isinstance(widget, bool) else dict(widget)
    return _base64url(json.dumps(body, separators=(",", ":")).encode())


def bot_id(bot_token: str) -> int:
    """The bot's id is the part of its token before the colon."""
    return int(bot_token.partition(":")[0])


def web_app_key(bot_token: str) -> bytes:
    """The HMAC key for `initData`. The constant is the key and the token the message, not the reverse."""
    return hmac.digest(b"WebAppData", bot_token.encode(), "sha256")


def _check_string(fields: Mapping[str, str | int]) -> str:
    return "\n".join(f"{name}={value}" for name, value in sorted(fields.items()))


def _hmac_hex(key: bytes, message: str) -> str:
    return hmac.digest(key, message.encode(), "sha256").hex()


def _text(value: Field) -> str:
    if isinstance(value, Mapping):
        # Telegram escapes slashes inside its JSON; a verifier that re-serialises it would notice here.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
    return str(value)


def _ed25519(private_key: bytes, message: str) -> str:
    # Imported here: few callers need it, and it is slow to load.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _base64url(Ed25519PrivateKey.from_private_bytes(private_key).sign(message.encode()))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
