"""The keys in use: one of each purpose for every entry of AUTH_SECRET.

Each is HKDF (RFC 5869, SHA-256) of the entry with the environment, the bot and the purpose in its info, so
a signature made for one of them is worth nothing for another.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

from .settings import Settings

Purpose = Literal[
    "session",
    "degraded session",
    "mask",
    "log",
    "transaction",
    "finished transaction",
    "transaction secret",
    "relay code",
    "relay user",
]


# The last character of 32 bytes in base64url has two spare bits; only spellings with zeros there pass.
SIGNATURE = r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
"""What a signature looks like, as a regular expression."""


class Signed(NamedTuple):
    """A signed text, and the number of the key that signed it: 0 is the newest."""

    text: str
    key: int


class Signer:
    """HMAC-SHA256 (RFC 2104) with the keys of one purpose: the first, newest one signs, each verifies."""

    def __init__(self, *keys: bytes) -> None:
        self.keys = keys

    def sign(self, text: str) -> str:
        """`text`, a dot, and its signature in base64url."""
        return f"{text}.{_signature(self.keys[0], text).decode('ascii')}"

    def unsign(self, signed: str) -> Signed | None:
        """The signed text if one of the keys signed it, else None; compared in constant time."""
        text, dot, signature = signed.rpartition(".")
        # Half of a surrogate pair, which cannot be encoded otherwise, matches no signature.
        given = signature.encode(errors="surrogatepass")
        for number, key in enumerate(self.keys):
            if dot and hmac.compare_digest(_signature(key, text), given):
                return Signed(text, number)
        return None


class Keys:
    """All keys of a deployment; `of` derives those of a purpose, one for each entry of AUTH_SECRET."""

    def __init__(self, of: Callable[[Purpose], tuple[bytes, ...]]) -> None:
        self.session = Signer(*of("session"))
        self.degraded = Signer(*of("degraded session"))
        self.masks = of("mask")
        self.log = of("log")[0]
        self.transaction = Signer(*of("transaction"))
        self.finished_transaction = Signer(*of("finished transaction"))
        self.transaction_secrets = of("transaction secret")
        self.relay_code = Signer(*of("relay code"))
        self.relay_user = Signer(*of("relay user"))


@lru_cache(maxsize=4)
def keys_of(settings: Settings) -> Keys:
    """The keys of this deployment."""

    def of(purpose: Purpose) -> tuple[bytes, ...]:
        info = "\0".join(("tgauth/1", settings.environment, str(settings.bot_id), purpose)).encode()
        return tuple(hkdf(secret.encode(), info) for secret in settings.secrets)

    return Keys(of)


def _signature(key: bytes, text: str) -> bytes:
    digest = hmac.digest(key, text.encode(errors="surrogatepass"), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=")


def hkdf(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 without salt, 32 bytes: extract, then the one block of expand that this takes."""
    pseudorandom = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")
