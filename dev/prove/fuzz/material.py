"""Valid inputs to start from. Time, keys and random parts are fixed, so that findings can be repeated."""

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from dev.prove.faults import client
from dev.prove.faults.client import BOT_ID, BOT_TOKEN, PREVIEW
from dev.telegram.signing import Field, sign_init_data, sign_widget
from lib.tgauth.keys import keys_of
from lib.tgauth.relay import tickets
from lib.tgauth.relay.tickets import Ticket
from lib.tgauth.sessions import degraded
from lib.tgauth.sessions.record import Record
from lib.tgauth.sessions.token import Claims, seal
from lib.tgauth.settings import read_settings
from lib.tgauth.user import TelegramUser

NOW = 1_800_000_000
ISSUER = "http://127.0.0.1:1"
"""Nobody listens there: no request that is made up leaves this machine."""

ENV = client.ENV | {
    "TELEGRAM_API_URL": "http://127.0.0.1:9",
    "TELEGRAM_OAUTH_URL": ISSUER,
    "ALLOWED_ORIGINS": "https://app.example",
}
SETTINGS = read_settings(ENV)
SHARED = read_settings(
    ENV | {"UPSTASH_REDIS_REST_URL": "https://canary.upstash.io", "UPSTASH_REDIS_REST_TOKEN": "canary"}
)
KEYS = keys_of(SETTINGS)

USER = TelegramUser(
    77123456, "Canary Имя", "Last", "canary_u", "https://t.me/i/userpic/320/c.jpg", "ru", True
)
SLOTS = {"cookie": "AbCdEfGhIjKlMnOp", "bearer": "Qbcdefghijklmnop"}
N = "n" * 22 + "k"
"""17 bytes: of the last character's six bits two are none."""

RECORDS = {
    transport: Record(USER, NOW - 100, "widget", transport, "Mozilla/5.0", "DE", NOW - 110, N)
    for transport in ("cookie", "bearer")
}
TOKENS = {
    transport: seal(Claims(USER.id, SLOTS[transport], record.created_at, record.n), KEYS)
    for transport, record in RECORDS.items()
}
CARRYING = {
    transport: degraded.seal(USER.id, SLOTS[transport], record, KEYS) for transport, record in RECORDS.items()
}

PROFILE: dict[str, Any] = {"id": USER.id, "first_name": "Canary", "last_name": "Имя", "username": "canary_u"}


def widgets(bot_token: str = BOT_TOKEN) -> list[dict[str, Any]]:
    """The Login Widget's answers: with everything, with little, and with a field that is not known."""
    full = {**PROFILE, "photo_url": "https://t.me/i/userpic/320/c.jpg", "auth_date": NOW - 10}
    texts = {name: str(value) for name, value in full.items()}
    small = {"id": USER.id, "first_name": "", "auth_date": NOW}
    more = {**small, "auth_date": NOW - 20, "allows_write_to_pm": "true"}
    return [dict(sign_widget(fields, bot_token)) for fields in (full, texts, small, more)]


def init_data(bot_token: str = BOT_TOKEN, key: bytes = b"k" * 32) -> list[str]:
    """A Mini App's launch data, with and without a signature of Telegram's."""
    fields: dict[str, Field] = {
        "query_id": "AAHdF6IQAAAAAN0XohDhrOrc",
        "user": {**PROFILE, "language_code": "ru", "is_premium": True},
        "auth_date": NOW - 1000,
        "start_param": "a b+c&d=%20",
    }
    return [sign_init_data(fields, bot_token), sign_init_data({**fields, "chat_type": ""}, bot_token, key)]


SCALAR = ec.derive_private_key(int.from_bytes(hashlib.sha256(b"fuzz").digest()), ec.SECP256R1())


def encode(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def jwks() -> dict[str, Any]:
    """The public half of the key, and keys of other kinds."""
    numbers = SCALAR.public_key().public_numbers()
    own = {"kty": "EC", "crv": "P-256", "kid": "es", "alg": "ES256", "use": "sig"}
    point = {"x": encode(numbers.x.to_bytes(32)), "y": encode(numbers.y.to_bytes(32))}
    rsa = {"kty": "RSA", "kid": "rs", "alg": "RS256", "n": encode(bytes([200] + [7] * 255)), "e": "AQAB"}
    other = {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA", "x": encode(b"x" * 32)}
    return {"keys": [{**own, **point}, rsa, other, {"kty": "oct", "k": "AAAA", "kid": "es"}]}


def id_token(**changes: Any) -> str:
    """An id_token under that key; its signature has no random part (RFC 6979)."""
    header = {"alg": "ES256", "kid": "es", "typ": "JWT"}
    claims = {
        "iss": ISSUER,
        "aud": str(BOT_ID),
        "sub": "1234567890123456789",
        "iat": NOW - 5,
        "exp": NOW + 3600,
    }
    claims |= {"id": USER.id, "name": "Canary Имя", "preferred_username": "canary_u"} | changes
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    signature = SCALAR.sign(signed.encode(), ec.ECDSA(SHA256(), deterministic_signing=True))
    r, s = utils.decode_dss_signature(signature)
    return f"{signed}.{encode(r.to_bytes(32) + s.to_bytes(32))}"


STATE = "AbCdEfGhIjKlMnOpQrStUv-_"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
TICKET = Ticket(PREVIEW, STATE, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", NOW - 5)
SIGNED_TICKET = TICKET.sign(tickets._ticket_signer(SETTINGS))
CODE = tickets.code_for(TICKET, SETTINGS, now=NOW)
TRANSACTION = KEYS.transaction.sign(f"{STATE}.{NOW - 5}./account?a=b")
