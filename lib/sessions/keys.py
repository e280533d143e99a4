"""The keys in use: one of each purpose for every entry of AUTH_SECRET.

Each is HKDF (RFC 5869, SHA-256) of the entry with the environment, the bot and the purpose in its info, so
what is signed for one of them is worth nothing for another.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Literal

from lib.settings import Settings

Purpose = Literal[
    "session",
    "degraded session",
    "mask",
    "init data slot",
    "log",
    "transaction",
    "finished transaction",
    "transaction secret",
    "relay code",
    "relay user",
]


class Signer:
    """HMAC-SHA256 (RFC 2104) with a key that was derived for one purpose."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def sign(self, text: str) -> str:
        """`text`, a dot, and its signature in base64url."""
        return f"{text}.{self._signature(text).decode('ascii')}"

    def unsign(self, signed: str) -> str | None:
        """What was signed, or None when it was not with this key; compared in constant time."""
        text, dot, signature = signed.rpartition(".")
        # What is no text at all, such as half of a surrogate pair, is no signature either.
        given = signature.encode(errors="surrogatepass")
        if not dot or not hmac.compare_digest(self._signature(text), given):
            return None
        return text

    def _signature(self, text: str) -> bytes:
        digest = hmac.digest(self.key, text.encode(errors="surrogatepass"), "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=")


class Keyring:
    """One entry of AUTH_SECRET with all its keys; `key` derives the one of a purpose."""

    def __init__(self, key: Callable[[Purpose], bytes]) -> None:
        self.session = Signer(key("session"))
        self.degraded = Signer(key("degraded session"))
        self.mask = key("mask")
        self.init_data_slot = key("init data slot")
        self.log = key("log")
        self.transaction = Signer(key("transaction"))
        self.finished_transaction = Signer(key("finished transaction"))
        self.transaction_secret = key("transaction secret")
        self.relay_code = Signer(key("relay code"))
        self.relay_user = Signer(key("relay user"))


@lru_cache(maxsize=4)
def keyrings(settings: Settings) -> tuple[Keyring, ...]:
    """A keyring for every entry, newest first: the first one signs, each of them verifies."""

    def key(secret: str, purpose: Purpose) -> bytes:
        info = "\0".join(("tgauth/1", settings.environment, str(settings.bot_id), purpose))
        return hkdf(secret.encode(), info.encode())

    return tuple(Keyring(partial(key, secret)) for secret in settings.secrets)


def hkdf(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 without salt, 32 bytes: extract, then the one block of expand that this takes."""
    pseudorandom = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")
