"""Sign what Telegram signs, for the simulated Telegram and for tests, as the other side.

Written from Telegram's own pages (core.telegram.org/widgets/login-legacy, core.telegram.org/bots/webapps and
core.telegram.org/bots/telegram-login) and sharing no code with lib/, nor a JWT library with it, so that a
mistake there is not repeated here.
"""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from typing import Any
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


class Keys:
    """The four keys that Telegram's OpenID Connect has, under its names; made when first used.

    Anything a header says can be changed, but the signature is always the one of the key.
    """

    ALGORITHMS: Mapping[str, str] = {
        "oidc-1": "RS256",
        "oidc-es256-1": "ES256",
        "oidc-eddsa-1": "EdDSA",
        "oidc-es256k-1": "ES256K",
    }

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, Any] = {}

    def sign(
        self, claims: Mapping[str, object], kid: str, headers: Mapping[str, object] | None = None
    ) -> str:
        """A JWT of these claims; `headers` replaces or adds fields of its header, and None removes one."""
        header = {"alg": self.ALGORITHMS[kid], "kid": kid, "typ": "JWT", **(headers or {})}
        parts = ({name: value for name, value in header.items() if value is not None}, claims)
        signed = ".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        return f"{signed}.{_base64url(_signature(self._key(kid), self.ALGORITHMS[kid], signed.encode()))}"

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public halves, as a JSON Web Key Set."""
        return {
            "keys": [
                # Telegram's RSA key has been seen without its use, the others with it.
                {**_public_jwk(self._key(kid)), "kid": kid, "alg": algorithm}
                | ({} if algorithm == "RS256" else {"use": "sig"})
                for kid, algorithm in self.ALGORITHMS.items()
            ]
        }

    def _key(self, kid: str) -> Any:
        with self._lock:
            if kid not in self._keys:
                self._keys[kid] = _new_key(self.ALGORITHMS[kid])
            return self._keys[kid]


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


def _new_key(algorithm: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1() if algorithm == "ES256" else ec.SECP256K1())


def _signature(key: Any, algorithm: str, message: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    if algorithm == "RS256":
        signature: bytes = key.sign(message, padding.PKCS1v15(), SHA256())
    elif algorithm == "EdDSA":
        signature = key.sign(message)
    else:
        # JWS writes the two numbers side by side (RFC 7518 §3.4), not as ASN.1.
        r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
        signature = r.to_bytes(32) + s.to_bytes(32)
    return signature


def _public_jwk(key: Any) -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(public.public_bytes_raw())}
    numbers = public.public_numbers()
    if isinstance(public, rsa.RSAPublicKey):
        return {
            "kty": "RSA",
            "n": _base64url(numbers.n.to_bytes(256)),
            "e": _base64url(numbers.e.to_bytes(3)),
        }
    return {
        "kty": "EC",
        "crv": "P-256" if public.curve.name == "secp256r1" else "secp256k1",
        "x": _base64url(numbers.x.to_bytes(32)),
        "y": _base64url(numbers.y.to_bytes(32)),
    }


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
