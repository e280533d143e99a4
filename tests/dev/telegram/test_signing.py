"""dev/telegram/signing.py against published vectors: it must sign exactly as Telegram does."""

import base64
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dev.telegram.signing import Keys, sign_init_data, sign_widget, tg_auth_result, web_app_key

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/telegram.json").read_text("utf-8"))["vectors"]


def vectors(kind: str) -> list[Any]:
    found = [pytest.param(vector, id=vector["id"]) for vector in VECTORS if vector["kind"] == kind]
    assert found
    return found


@pytest.mark.parametrize("vector", vectors("login_widget_hmac"))
def test_widget_hash_is_telegrams(vector: dict[str, Any]) -> None:
    """Signing a widget's fields anew gives Telegram's hash where the vector is genuine, and only there."""
    signed = sign_widget(vector["fields"], vector["token"])
    assert (signed["hash"] == vector["fields"]["hash"]) is vector["expect"]


@pytest.mark.parametrize("vector", vectors("webapp_initdata_hmac"))
def test_init_data_hash_is_telegrams(vector: dict[str, Any]) -> None:
    """Signing initData's fields anew, `signature` among them, gives Telegram's hash where it is genuine."""
    fields = dict(parse_qsl(vector["init_data"], keep_blank_values=True))
    signed = dict(parse_qsl(sign_init_data(fields, vector["token"]), keep_blank_values=True))
    assert (signed["hash"] == fields["hash"]) is vector["expect"]


@pytest.mark.parametrize(
    "vector",
    [case for case in vectors("webapp_initdata_ed25519") if "test_private_key_hex" in case.values[0]],
)
def test_signature_is_telegrams(vector: dict[str, Any]) -> None:
    """With the vector's private key, the third-party signature is the vector's where that is genuine."""
    fields = dict(parse_qsl(vector["init_data"]))
    key = bytes.fromhex(vector["test_private_key_hex"])
    signed = dict(parse_qsl(sign_init_data(fields, f"{vector['bot_id']}:token", key)))
    assert (signed["signature"] == fields.get("signature")) is vector["expect"]


@pytest.mark.parametrize("vector", vectors("webapp_secret_key"))
def test_web_app_key_is_telegrams(vector: dict[str, Any]) -> None:
    """The key for initData has the constant as its key and the token as its message."""
    key = web_app_key(vector["token"])
    assert key.hex() == vector["secret_key_hex"]
    assert hmac.digest(key, vector["data"].encode(), "sha256").hex() == vector["hmac_hex"]


def test_hash_covers_the_signature() -> None:
    """The HMAC is taken over `signature` too, so initData without it has another hash."""
    key = Ed25519PrivateKey.generate().private_bytes_raw()
    fields = {"auth_date": 1, "user": {"id": 42, "photo_url": "https://t.me/x"}}
    signed = dict(parse_qsl(sign_init_data(fields, "42:TEST", key)))
    assert signed["user"] == r'{"id":42,"photo_url":"https:\/\/t.me\/x"}'
    again = dict(parse_qsl(sign_init_data(signed, "42:TEST")))
    assert again["hash"] == signed["hash"]
    del signed["signature"]
    assert dict(parse_qsl(sign_init_data(signed, "42:TEST")))["hash"] != again["hash"]


@pytest.mark.parametrize("value", [False, {"id": 42, "first_name": "Ивáн >?>?"}])
def test_auth_result_is_unpadded_base64url_of_json(value: Any) -> None:
    """What follows #tgAuthResult= is base64url without padding, and numbers in it stay numbers."""
    encoded = tg_auth_result(value)
    assert not set(encoded) & set("+/=")
    assert json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))) == value


@pytest.mark.parametrize("kid", Keys.ALGORITHMS)
def test_tokens_verify_by_their_own_key_alone(kid: str) -> None:
    """A JWT verifies, by a library that this project did not write, with its public key and with no other."""
    keys, others = Keys(), Keys()
    token = keys.sign({"sub": "Ивáн", "exp": 4_000_000_000}, kid)
    for holder in (keys, others):
        key = jwt.PyJWKSet.from_dict(holder.jwks())[kid]
        algorithm = Keys.ALGORITHMS[kid]
        if holder is keys:
            assert jwt.decode(token, key, algorithms=[algorithm])["sub"] == "Ивáн"
        else:
            with pytest.raises(jwt.InvalidSignatureError):
                jwt.decode(token, key, algorithms=[algorithm])


def test_elliptic_signatures_have_a_fixed_length() -> None:
    """JWS pads both numbers of an ECDSA signature, also the short ones that come now and then."""
    keys = Keys()
    for kid in ("oidc-es256-1", "oidc-es256k-1"):
        signatures = {len(keys.sign({"n": n}, kid).rpartition(".")[2]) for n in range(300)}
        assert signatures == {86}
