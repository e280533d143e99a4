"""The keys in use: one of each purpose for every entry of AUTH_SECRET.

Each is HKDF (RFC 5869, SHA-256) of the entry with the environment, the bot and the purpose in its info, so
what is signed for one of them is worth nothing for another.
"""

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from itsdangerous import BadSignature, Signer

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


@dataclass(frozen=True, slots=True)
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
            session=signer(key(secret, "session")),
            degraded=signer(key(secret, "degraded session")),
            mask=key(secret, "mask"),
            init_data_slot=key(secret, "init data slot"),
            log=key(secret, "log"),
            transaction=signer(key(secret, "transaction")),
            transaction_secret=key(secret, "transaction secret"),
            relay_code=signer(key(secret, "relay code")),
            relay_user=signer(key(secret, "relay user")),
        )
        for secret in settings.secrets
    )


def unsign(signer: Signer, signed: str) -> str | None:
    """What `signer` signed, or None when it did not; compared in constant time by itsdangerous."""
    try:
        return signer.unsign(signed).decode("ascii")
    except BadSignature:
        return None


def hkdf(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 without salt, 32 bytes: extract, then the one block of expand that this takes."""
    pseudorandom = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")


def signer(key: bytes) -> Signer:
    """What signs with a key that was derived for one purpose."""
    # The key is derived for this purpose alone, so itsdangerous need not derive another one.
    return Signer(key, key_derivation="none", digest_method=hashlib.sha256)
