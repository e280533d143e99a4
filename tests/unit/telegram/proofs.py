"""What the tests of the verifiers share: one bot, one person, one moment, and the published vectors."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st
from werkzeug.wrappers import Request, Response

from dev.telegram.signing import sign_init_data, sign_widget

BOT_TOKEN = "123456789:AAE-test_token-of-no-bot"
BOT_ID = 123456789
CLIENT_SECRET = "canary-client-secret-0123456789"
ORIGIN = "https://tgauth.example"
NOW = 1_800_000_000
PRIVATE_KEY = bytes(range(32))
PUBLIC_KEY = Ed25519PrivateKey.from_private_bytes(PRIVATE_KEY).public_key().public_bytes_raw()

WIDGET: dict[str, Any] = {
    "id": 279058397,
    "first_name": "Анна",
    "last_name": "O'Neil & Sons",
    "username": "anna_n",
    "photo_url": "https://t.me/i/userpic/320/anna.jpg",
    "auth_date": NOW - 10,
}
PERSON: dict[str, Any] = {
    "id": 279058397,
    "first_name": "Анна + / ?",
    "last_name": "O'Neil & Sons",
    "username": "anna_n",
    "language_code": "ru",
    "is_premium": True,
    "allows_write_to_pm": False,
    "photo_url": "https://t.me/i/userpic/320/anna.svg",
}

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\0"), max_size=64)
"""Names as Telegram signs them, and as they are kept."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NOT_NUMBERS = {
    "empty": "",
    "zero": "0",
    "leading zero": "017",
    "plus": "+17",
    "minus": "-17",
    "underscore": "1_7",
    "space before": " 17",
    "space after": "17 ",
    "no-break space": "17\u00a0",
    "hexadecimal": "0x11",
    "exponent": "1e3",
    "fraction": "17.0",
    "words": "NaN",
    "Arabic digits": "١٧",
    "full-width digits": "１７",
    "superscript": "1²",
    "17 digits": "1" * 17,
    "5000 digits": "1" * 5000,
}
NO_ANSWERS = {
    "nothing": (200, b""),
    "HTML": (200, b"<html>canary</html>"),
    "not UTF-8": (200, b'{"canary": "\xff"}'),
    "cut": (200, b'{"canary": ""'),
    "deep": (200, b"[" * 60_000),
    "long number": (200, b"9" * 60_000),
    "null": (200, b"null"),
    "true": (200, b"true"),
    "number": (200, b"5"),
    "text": (200, b'"canary"'),
    "empty list": (200, b"[]"),
    "empty object": (200, b"{}"),
    "204": (204, b""),
    "304": (304, b""),
    "500": (500, b'{"canary": 1}'),
    "502 HTML": (502, b"<html>canary</html>"),
}
"""Status and body of what nobody answers who was asked for JSON."""


def base64url(data: bytes) -> str:
    """Without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def reset(_: Request) -> Response:
    """A fault of the simulated Telegram: the connection ends without an answer."""
    raise ConnectionResetError


def answering(body: bytes, status: int = 200) -> Callable[[Request], Response]:
    """A fault of the simulated Telegram: it answers this."""
    return lambda _: Response(body, status, mimetype="application/json")


def json_of(value: object, status: int = 200) -> Callable[[Request], Response]:
    """As `answering`."""
    return answering(json.dumps(value).encode(), status)


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`; the ellipsis takes a field away."""
    return {name: value for name, value in {**base, **changes}.items() if value is not ...}


def widget(**changes: Any) -> dict[str, Any]:
    """The widget's answer with a genuine hash, also over values that Telegram would never send."""
    return sign_widget(changed(WIDGET, changes), BOT_TOKEN)


def init_data(**changes: Any) -> str:
    """A Mini App's initData with a genuine hash; `user` is JSON text as it stands, or a mapping."""
    base = {"query_id": "AAHdF6IQ", "user": PERSON, "auth_date": NOW - 10}
    return sign_init_data(changed(base, changes), BOT_TOKEN)


def signed_init_data(**changes: Any) -> str:
    """As `init_data`, with a third-party signature of the test key."""
    base = {"query_id": "AAHdF6IQ", "user": PERSON, "auth_date": NOW - 10}
    return sign_init_data(changed(base, changes), BOT_TOKEN, PRIVATE_KEY)


VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "telegram.json").read_text(encoding="utf-8")
)["vectors"]


def vectors(kind: str) -> list[Any]:
    """The published vectors of one kind, as parameters named after them."""
    found = [pytest.param(vector, id=vector["id"]) for vector in VECTORS if vector["kind"] == kind]
    assert found, f"no vector of kind {kind}"
    return found


def auth_date(text: str) -> int:
    """The `auth_date` of initData, or 0 where it has none."""
    return int(dict(parse_qsl(text)).get("auth_date", "0"))
