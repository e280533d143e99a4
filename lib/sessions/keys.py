"""The keys in use: one of each purpose for every entry of AUTH_SECRET.

Each is HKDF (RFC 5869, SHA-256) of the entry with the environment, the bot and the purpose in its info, so
what is signed for one of them is worth nothing for another.
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from lib.settings import Settings

Purpose = Literal[
    "session",
    "degraded session",
    "mask",
    "init data slot",
    "log",
    "transaction",
    "transaction secret",
    "relay code",
    "relay user",
]


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """HMAC-SHA256 (RFC 2104) with a key that was derived for one purpose."""

    key: bytes

    def sign(self, text: str) -> str:
        """`text`, a dot, and its signature in base64url."""
        return f"{text}.{self._signature(text).decode('ascii')}"

    def unsign(self, signed: str) -> str | None:
        """What was signed, or None when it was not with this key; compared in constant time."""
        text, dot, signature = signed.rpartition(".")
        if not dot or not hmac.compare_digest(self._signature(text), signature.encode()):
            return None
        return text

    def _signature(self, text: str) -> bytes:
        return urlsafe_b64encode(hmac.digest(self.key, text.encode(), "sha256")).rstrip(b"=")


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """One entry of AUTH_SECRET with all its keys."""

    session: Signer
    degraded: Signer
    mask: bytes
    init_data_slot: bytes
    log: bytes
    transaction: Signer
    transaction_secret: bytes
    relay_code: Signer
    relay_user: Signer


@lru_cache(maxsize=4)
def keyrings(settings: Settings) -> tuple[Keyring, ...]:
    """A keyring for every entry, newest first: the first one signs, each of them verifies."""

    def key(secret: str, purpose: Purpose) -> bytes:
        info = "\0".join(("tgauth/1", settings.environment, str(settings.bot_id), purpose))
        return hkdf(secret.encode(), info.encode())

    return tuple(
        Keyring(
            session=Signer(key(secret, "session")),
            degraded=Signer(key(secret, "degraded session")),
            mask=key(secret, "mask"),
            init_data_slot=key(secret, "init data slot"),
            log=key(secret, "log"),
            transaction=Signer(key(secret, "transaction")),
            transaction_secret=key(secret, "transaction secret"),
            relay_code=Signer(key(secret, "relay code")),
            relay_user=Signer(key(secret, "relay user")),
        )
        for secret in settings.secrets
    )


def hkdf(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 without salt, 32 bytes: extract, then the one block of expand that this takes."""
    pseudorandom = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")
