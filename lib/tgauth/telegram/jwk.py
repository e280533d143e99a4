"""One of Telegram's public keys, and checking what it signed.

Sources: RFC 7517 §4 (keys), RFC 7518 §3.3, §3.4 and §6 (RS256, ES256, and a key's numbers).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

type Algorithm = Literal["RS256", "ES256"]

_MIN_RSA_BITS = 2048
_P256_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, bound to the one algorithm that it is for, whatever a token's header says."""

    id: str
    algorithm: Algorithm
    public: RSAPublicKey | EllipticCurvePublicKey

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made `signature` for `message`."""
        try:
            if isinstance(self.public, RSAPublicKey):
                self.public.verify(signature, message, PKCS1v15(), SHA256())
            else:
                self.public.verify(_der(signature), message, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def read_key(entry: object) -> Key | None:
    """The key in an entry of a JWKS; None if we cannot use it, or if it has a private part."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str) or "d" in entry:
        return None
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(entry.get("kty")))
    if algorithm is None or entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
        return None
    try:
        if algorithm == "ES256":
            return Key(entry["kid"], "ES256", _p256(entry))
        public = RSAPublicNumbers(_number(entry["e"]), _number(entry["n"])).public_key()
    except (ValueError, TypeError, KeyError):
        return None
    return Key(entry["kid"], "RS256", public) if public.key_size >= _MIN_RSA_BITS else None


def decode(text: str) -> bytes:
    """Decode unpadded base64url in canonical form (RFC 7515 §2, RFC 4648 §3.5); raises ValueError."""
    if not text.isascii():
        raise ValueError
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if urlsafe_b64encode(data).rstrip(b"=") != text.encode():
        raise ValueError
    return data


def _p256(entry: dict[str, object]) -> EllipticCurvePublicKey:
    if entry["crv"] != "P-256":
        raise ValueError
    x, y = (_number(entry[name], _P256_BYTES) for name in ("x", "y"))
    # Raises ValueError for a point that is not on the curve.
    return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()


def _number(text: object, size: int | None = None) -> int:
    """A number of a key, of exactly `size` bytes if that is given."""
    if not isinstance(text, str):
        raise TypeError
    data = decode(text)
    if size is not None and len(data) != size:
        raise ValueError
    return int.from_bytes(data)


def _der(signature: bytes) -> bytes:
    """An ES256 signature in the form that cryptography takes; raises InvalidSignature."""
    if len(signature) != 2 * _P256_BYTES:
        raise InvalidSignature
    halves = signature[:_P256_BYTES], signature[_P256_BYTES:]
    return encode_dss_signature(*map(int.from_bytes, halves))
