"""Telegram's id_token (telegram/id_token.py), signed here with keys and code of this file alone."""

import hmac
import json
import traceback
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jwt import PyJWK, PyJWS
from jwt.exceptions import InvalidTokenError

from lib.tgauth.errors import LoginRejected
from lib.tgauth.telegram.id_token import MAX_AGE, verify_id_token
from lib.tgauth.telegram.jwk import Key, read_key
from lib.tgauth.user import TelegramUser
from tests.unit.telegram.proofs import JSON, NOW, changed

ISSUER = "https://oauth.telegram.org"
CLIENT = "123456789"
NONCE = "canary-nonce-0123456789"
CLAIMS = {
    "iss": ISSUER,
    "aud": CLIENT,
    "sub": "1234123412341234123",
    "iat": NOW - 10,
    "exp": NOW + 3590,
    "id": 987654321,
    "name": "John Canary Doe",
    "preferred_username": "canary_johndoe",
    "picture": "https://cdn4.telesco.pe/file/canary",
}

RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
OTHER_P256 = ec.generate_private_key(ec.SECP256R1())


def encode(data):
    """base64url without padding, of bytes, text, or anything else as JSON."""
    if not isinstance(data, bytes):
        data = (data if isinstance(data, str) else json.dumps(data)).encode("utf-8", "surrogatepass")
    return urlsafe_b64encode(data).decode().rstrip("=")


def number(value):
    return encode(value.to_bytes((value.bit_length() + 7) // 8))


def rsa_jwk(key):
    public = key.public_key().public_numbers()
    return {"kty": "RSA", "n": number(public.n), "e": number(public.e)}


def ec_jwk(key, curve):
    public = key.public_key().public_numbers()
    return {"kty": "EC", "crv": curve, "x": encode(public.x.to_bytes(32)), "y": encode(public.y.to_bytes(32))}


KEYS = {
    "rsa": Key("rsa", "RS256", RSA.public_key()),
    "p256": Key("p256", "ES256", P256.public_key()),
}
HEADERS = {
    "rsa": {"alg": "RS256", "kid": "rsa", "typ": "JWT"},
    "p256": {"alg": "ES256", "kid": "p256", "typ": "JWT"},
}
PRIVATE = {"rsa": RSA, "p256": P256}
BOTH = pytest.mark.parametrize("key", ["rsa", "p256"])


def signature(message, key, digest=None):
    """The JWS signature of `message` by a private key, or with bytes as HMAC."""
    digest = digest or hashes.SHA256()
    if isinstance(key, bytes):
        return hmac.digest(key, message, "sha256")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), digest)
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
    return r.to_bytes(32) + s.to_bytes(32)


def sign(header, payload, key, digest=None):
    """A JWT with exactly this header and payload, JSON text or what becomes it."""
    message = f"{encode(header)}.{encode(payload)}"
    return f"{message}.{encode(signature(message.encode(), key, digest))}"


def token(*, key="rsa", header=None, **changes):
    """A genuine token with claims and header fields changed; the ellipsis takes one away."""
    return sign(changed(HEADERS[key], header or {}), changed(CLAIMS, changes), PRIVATE[key])


def find(kid, algorithm, instead_of=None):
    """The key of this name, as lib.tgauth.telegram.jwks finds it where Telegram has no other."""
    if kid not in KEYS:
        raise LoginRejected("id_token names a key that Telegram does not have")
    return KEYS[kid]


def nobody_asks(kid, algorithm, instead_of):
    raise AssertionError("a key was asked for")


def verify(text, *, find_key=find, nonces=(NONCE,), required=False, now=NOW):
    return verify_id_token(
        text,
        find_key=find_key,
        expected_issuer=ISSUER,
        expected_audience=CLIENT,
        expected_nonces=nonces,
        nonce_required=required,
        now=now,
    )


def refused(text, **options):
    """Refused, and neither the error nor what a log would print of it holds any of the token; the reason."""
    with pytest.raises(LoginRejected) as caught:
        verify(text, **options)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    shown = "".join(traceback.format_exception_only(caught.value))
    parts = [text[start : start + 12] for start in range(0, min(len(text), 2000), 12)] if text else []
    for secret in (
        *parts,
        NONCE,
        CLAIMS["sub"],
        "canary_johndoe",
        "Canary",
        "oauth.telegram.org",
        "987654321",
    ):
        assert len(secret.strip()) < 8 or secret not in shown
    return caught.value.reason


def refused_unasked(text, **options):
    """Refused without asking for any key, which could take a request to Telegram."""
    return refused(text, find_key=nobody_asks, **options)


REASONS = [
    ("x", "is not a signed JWT"),
    (sign("[]", CLAIMS, RSA), "lacks a header or the claims it must have"),
    (sign("{", CLAIMS, RSA), "lacks a header or the claims it must have"),
    (token(header={"jwk": {}}), "brings a key of its own, or extensions"),
    (token(header={"alg": "none"}), "is not signed with RS256 or ES256; choose RS256 at @BotFather"),
    (token(header={"kid": ...}), "does not name its key"),
    (token(iss="https://other.example"), "is from another issuer"),
    (token(aud="1"), "is for another client"),
    (token(exp=NOW - 60), "has expired"),
    (token(iat=NOW + 61), "is from the future"),
    (token(iat=NOW - 601), "was issued too long ago"),
    (token(id=...), "without id: the login must ask for the scope profile"),
    (token(id="x"), "has an id that is not a Telegram id"),
]


@pytest.mark.parametrize(("text", "reason"), REASONS)
def test_the_log_says_why(text, reason):
    """The owner's log names what was wrong, in words that the guides explain."""
    assert refused_unasked(text) == f"id_token {reason}"


def test_the_log_says_why_of_nonces_and_signatures():
    """What comes last is named like all else."""
    wanted = "id_token without nonce: pass Telegram.Login the nonce from POST /telegram/start"
    assert refused_unasked(token(), required=True) == wanted
    foreign = token(nonce="another-nonce-of-another-browser-000000")
    assert refused_unasked(foreign) == "nonce does not belong to a login that this browser began"
    forged = token(nonce=NONCE)[:-8] + "AAAAAAAA"
    assert refused(forged) == "the signature of id_token does not match"


# What is accepted


@BOTH
def test_whose_it_is(key):
    """A genuine token gives the user it names, a proof that works once, and the nonce it carries."""
    text = token(key=key, nonce=NONCE)
    user, proof, nonce = verify(text)
    assert user == TelegramUser(
        id=987654321,
        first_name="John Canary Doe",
        username="canary_johndoe",
        photo_url="https://cdn4.telesco.pe/file/canary",
        sub="1234123412341234123",
    )
    assert nonce == NONCE
    assert (proof.method, proof.issued_at, proof.one_time) == ("oidc", NOW - 10, True)
    # As long as the token is taken by clocks that differ by a minute each way.
    assert proof.window == MAX_AGE + 120
    assert proof.check_string == text.rpartition(".")[0]


@pytest.mark.parametrize(
    ("changes", "first_name", "last_name"),
    [
        ({}, "John Canary Doe", None),
        ({"given_name": "John", "family_name": "Doe"}, "John", "Doe"),
        ({"given_name": "John"}, "John", None),
        ({"family_name": "Doe"}, "John Canary Doe", None),
        ({"given_name": "", "name": "J"}, "J", None),
        ({"given_name": None, "family_name": None}, "John Canary Doe", None),
        ({"name": ..., "given_name": "Мария"}, "Мария", None),
        ({"name": ...}, "", None),
        ({"name": None}, "", None),
        ({"name": ""}, "", None),
        ({"name": 5}, "", None),
        ({"name": ..., "given_name": "", "family_name": "Doe"}, "", "Doe"),
        ({"given_name": ["John"], "family_name": "Doe"}, "John Canary Doe", None),
        ({"given_name": "\ud800", "family_name": "Doe"}, "John Canary Doe", None),
        ({"given_name": "John", "family_name": ""}, "John", None),
        ({"given_name": "John", "family_name": 5}, "John", None),
        ({"given_name": "Jo\nhn", "family_name": "D\x00oe"}, "Jo hn", "D oe"),
        ({"name": "Ann\x9ca\x7f\x85\u2028"}, "Ann\x9ca\x7f\x85\u2028", None),
        ({"name": "\u3164"}, "\u3164", None),
    ],
    ids=str,
)
def test_names(changes, first_name, last_name):
    """First and last name are the parts that Telegram tells apart, else the whole name is the first."""
    user, _, _ = verify(token(**changes))
    assert (user.first_name, user.last_name) == (first_name, last_name)


def test_what_is_not_there_is_none():
    """Who only grants `profile` and has neither username nor photo has no phone number either."""
    user, _, nonce = verify(token(preferred_username=..., picture=...))
    assert (user.username, user.photo_url, user.phone_number, nonce) == (None, None, None, None)
    assert (user.language_code, user.is_premium, user.allows_write_to_pm) == (None, None, None)
    for number_ in ("88800000001", "971577777777", "+971577777777"):
        assert verify(token(phone_number=number_))[0].phone_number == number_


@pytest.mark.parametrize(
    "number_",
    [
        *(1, 1.5, True, ["971577777777"], {}, None, "", " ", "+", "12", "1" * 33, "971577777777\n"),
        *("971 CANARY", "97157777\ud8007777", "٩٧١٥٧٧٧٧٧٧٧٧", "97157777\x007777"),
    ],
    ids=repr,
)
def test_a_phone_number_that_is_none_is_left_out(number_):
    """The login is genuine all the same; what is no number in plain digits goes nowhere."""
    assert verify(token(phone_number=number_))[0].phone_number is None


def test_an_optional_claim_of_another_type_is_left_out():
    """What is not text where text should be costs nobody the login; the rest of the token counts."""
    user, _, _ = verify(token(preferred_username=1, picture=False))
    assert (user.id, user.username, user.photo_url) == (987654321, None, None)


def test_unknown_claims_and_headers_do_no_harm():
    """Telegram may add claims of any kind, and headers that bring no key."""
    extra = {"ton": {"a": [1, None, 2.5]}, "auth_date": "x", "hash": 5, "user": [], "email": None}
    assert verify(token(**extra, header={"typ": ..., "cty": "x", "zip": 1}))[0].id == 987654321


def test_id_is_a_number_or_its_digits():
    """The `id` claim is the account as a JSON number or as text, up to 52 bits, and exact."""
    for value in (1, 2**52 - 1):
        assert verify(token(id=value))[0].id == verify(token(id=str(value)))[0].id == value


def test_the_account_is_never_the_subject():
    """`sub` has no part in whose account it is, whatever it looks like."""
    for sub in ("1", "100000001", "x" * 255):
        user, _, _ = verify(token(sub=sub))
        assert (user.id, user.sub) == (987654321, sub)


def test_audience_in_a_list():
    """A list of just us is the same audience (OpenID Connect Core §2)."""
    assert verify(token(aud=[CLIENT]))[0].id == 987654321
    assert verify(token(aud=CLIENT, azp=CLIENT))[0].id == 987654321


def test_which_nonce_it_carries():
    """Of several logins that this browser began, the token says which one it belongs to."""
    for nonce in ("one", "two"):
        assert verify(token(nonce=nonce), nonces=["one", "two"], required=True)[2] == nonce
    # A mapping is a collection of its keys, which is how the web layer holds them.
    assert verify(token(nonce="two"), nonces={"one": 1, "two": 2}.keys(), required=True)[2] == "two"


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"exp": NOW - 59}, True),
        ({"exp": NOW - 60}, False),
        ({"exp": NOW - 61}, False),
        ({"iat": NOW - MAX_AGE + 1}, True),
        ({"iat": NOW - MAX_AGE}, True),
        ({"iat": NOW - MAX_AGE - 1}, False),
        ({"iat": NOW + 59}, True),
        ({"iat": NOW + 60}, True),
        ({"iat": NOW + 61}, False),
        ({"nbf": NOW + 60}, True),
        ({"nbf": NOW + 61}, False),
        ({"nbf": NOW - 10**6}, True),
        ({"nbf": 0}, True),
    ],
    ids=str,
)
@BOTH
def test_times_to_the_second(changes, accepted, key):
    """exp may be just past and nbf and iat just ahead, by a minute; iat is at most ten minutes old."""
    assert MAX_AGE == 600
    text = token(key=key, **changes)
    if accepted:
        verify(text)
    else:
        refused_unasked(text)


def test_the_proof_outlasts_the_token():
    """The proof is remembered for longer than the token logs in, even when it is from the future."""
    _, proof, _ = verify(token(iat=NOW + 60, exp=NOW + 10**6))
    assert proof.issued_at == NOW + 60
    assert NOW + proof.window >= NOW + 60 + MAX_AGE


def test_another_spelling_of_the_signature_is_the_same_proof():
    """ES256 has two signatures for each (r, n - s): both verify, and the second is a replay of the first."""
    text = token(key="p256")
    message, _, presented = text.rpartition(".")
    raw = urlsafe_b64decode(presented + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    s = order - int.from_bytes(raw[32:])
    other = f"{message}.{encode(raw[:32] + s.to_bytes(32))}"
    assert other != text
    assert verify(other)[1] == verify(text)[1]


def test_a_claim_that_is_there_twice():
    """The token is read once: what was checked is what is used, whichever of two claims that is."""
    body = json.dumps(CLAIMS)[1:-1]
    for first, last in (("1", "2"), ("2", "1")):
        user, _, _ = verify(sign(HEADERS["rsa"], f'{{{body},"id":{first},"id":{last}}}', RSA))
        assert user.id == int(last)
    for name, evil in (("iss", "https://evil.example"), ("aud", "1"), ("exp", 1), ("iat", 1)):
        bad, good = json.dumps(evil), json.dumps(CLAIMS[name])
        refused_unasked(sign(HEADERS["rsa"], f'{{{body},"{name}":{good},"{name}":{bad}}}', RSA))
        verify(sign(HEADERS["rsa"], f'{{{body},"{name}":{bad},"{name}":{good}}}', RSA))


# What is refused, and asks nobody for a key

FORGED_HEADERS = {
    "alg none": {"alg": "none"},
    "alg None": {"alg": "None"},
    "alg empty": {"alg": ""},
    "alg missing": {"alg": ...},
    "alg null": {"alg": None},
    "alg list": {"alg": ["RS256"]},
    "alg object": {"alg": {"RS256": 1}},
    "alg number": {"alg": 256},
    "alg lower case": {"alg": "rs256"},
    "alg with a space": {"alg": "RS256 "},
    "HS256": {"alg": "HS256"},
    "RS384": {"alg": "RS384"},
    "PS256": {"alg": "PS256"},
    "ES384": {"alg": "ES384"},
    "ES256K": {"alg": "ES256K"},
    "EdDSA": {"alg": "EdDSA"},
    "RSA-OAEP": {"alg": "RSA-OAEP", "enc": "A256GCM"},
    "kid missing": {"kid": ...},
    "kid null": {"kid": None},
    "kid number": {"kid": 1},
    "kid list": {"kid": ["rsa"]},
    "kid object": {"kid": {"rsa": 1}},
    "kid bool": {"kid": True},
    "jku": {"jku": "https://oauth.telegram.org/.well-known/jwks.json"},
    "jku null": {"jku": None},
    "jwk": {"jwk": rsa_jwk(OTHER_RSA)},
    "jwk null": {"jwk": None},
    "x5u": {"x5u": "https://evil.example/jwks.json"},
    "x5c": {"x5c": ["MIIB"]},
    "crit": {"crit": ["exp"], "exp": NOW},
    "crit b64": {"crit": ["b64"], "b64": True},
    "crit empty": {"crit": []},
    "crit null": {"crit": None},
    "b64 false": {"b64": False},
    "b64 null": {"b64": None},
}


@pytest.mark.parametrize("name", FORGED_HEADERS)
@BOTH
def test_header_is_refused(name, key):
    """A header with another algorithm, no key's name, a key of its own or extensions asks for nothing."""
    refused_unasked(token(key=key, header=FORGED_HEADERS[name]))


def test_header_claims_are_read_once():
    """A header that names two algorithms has the one that both the check and the verification read."""
    for header, accepted in (
        ('{"alg":"none","kid":"rsa","alg":"RS256"}', True),
        ('{"alg":"RS256","kid":"rsa","alg":"none"}', False),
        ('{"alg":"RS256","kid":"rsa","alg":"HS256"}', False),
    ):
        text = sign(header, CLAIMS, RSA)
        if accepted:
            verify(text)
        else:
            refused_unasked(text)


PUBLIC = RSA.public_key()
PUBLIC_SPELLINGS = {
    "PEM": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "PEM without line feed": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
    "PEM PKCS1": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
    "DER": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "JWK": json.dumps(rsa_jwk(RSA)).encode(),
    "JWK with kid": json.dumps({**rsa_jwk(RSA), "kid": "rsa", "alg": "RS256"}).encode(),
    "n": rsa_jwk(RSA)["n"].encode(),
    "empty": b"",
}


@pytest.mark.parametrize("spelling", PUBLIC_SPELLINGS)
def test_the_public_key_is_no_shared_secret(spelling):
    """HMAC under the public key, however it is written, signs nothing, whatever the header calls it."""
    secret = PUBLIC_SPELLINGS[spelling]
    refused_unasked(sign({**HEADERS["rsa"], "alg": "HS256"}, CLAIMS, secret))
    refused(sign(HEADERS["rsa"], CLAIMS, secret))


CLAIM_REFUSALS = {
    **{f"no {name}": {name: ...} for name in ("iss", "aud", "sub", "iat", "exp", "id")},
    **{f"{name} null": {name: None} for name in ("iss", "aud", "sub", "iat", "exp", "id")},
    "iss with a slash": {"iss": ISSUER + "/"},
    "iss http": {"iss": "http://oauth.telegram.org"},
    "iss with a port": {"iss": ISSUER + ":443"},
    "iss other host": {"iss": "https://oauth.telegram.org.evil.example"},
    "iss line feed": {"iss": ISSUER + "\n"},
    "iss space": {"iss": " " + ISSUER},
    "iss empty": {"iss": ""},
    "iss list": {"iss": [ISSUER]},
    "iss number": {"iss": 1},
    "aud other": {"aud": "987654321"},
    "aud number": {"aud": 123456789},
    "aud float": {"aud": 123456789.0},
    "aud empty": {"aud": ""},
    "aud space": {"aud": "123456789 "},
    "aud prefix": {"aud": "12345678"},
    "aud empty list": {"aud": []},
    "aud list of another": {"aud": ["987654321"]},
    "aud list with extra": {"aud": [CLIENT, "987654321"]},
    "aud list extra first": {"aud": ["987654321", CLIENT]},
    "aud list twice": {"aud": [CLIENT, CLIENT]},
    "aud list of number": {"aud": [123456789]},
    "aud nested list": {"aud": [[CLIENT]]},
    "aud object": {"aud": {CLIENT: 1}},
    "aud bool": {"aud": True},
    "azp other": {"azp": "987654321"},
    "azp empty": {"azp": ""},
    "azp list": {"azp": [CLIENT]},
    "azp number": {"azp": 123456789},
    "azp other, aud list": {"aud": [CLIENT], "azp": "987654321"},
    "sub empty": {"sub": ""},
    "sub too long": {"sub": "1" * 256},
    "sub line feed": {"sub": "1234123412341234123\n"},
    "sub space": {"sub": "1234 1234"},
    "sub control": {"sub": "1234\x001234"},
    "sub DEL": {"sub": "1234\x7f"},
    "sub not ASCII": {"sub": "１２３４"},
    "sub number": {"sub": 1234123412341234123},
    "sub list": {"sub": ["1"]},
    "sub bool": {"sub": True},
    "nonce empty": {"nonce": ""},
    "nonce not ours": {"nonce": "x" * 43},
    "nonce prefix": {"nonce": NONCE[:-1]},
    "nonce number": {"nonce": 1},
    "nonce bool": {"nonce": True},
    "nonce list": {"nonce": [NONCE]},
    "nonce object": {"nonce": {NONCE: 1}},
    **{
        f"{name} {kind}": {name: value}
        for name in ("iat", "exp", "nbf")
        for kind, value in {
            "float": float(NOW),
            "fraction": NOW + 0.5,
            "bool": True,
            "text": str(NOW),
            "empty": "",
            "list": [NOW],
            "object": {},
        }.items()
    },
    **{
        f"{name} {kind}": {name: value}
        for name in ("iat", "exp")
        for kind, value in {"-1": -1, "0": 0}.items()
    },
    "iat huge": {"iat": 10**400},
    "iat -huge": {"iat": -(10**400)},
    "exp -huge": {"exp": -(10**400)},
    "nbf huge": {"nbf": 10**400},
    "id text": {"id": " 987654321"},
    "id true": {"id": True},
    "id 2**52": {"id": 2**52},
    **{f"{name} half a character": {name: "\ud800"} for name in ("iss", "aud", "azp", "sub", "nonce")},
}


@pytest.mark.parametrize("name", CLAIM_REFUSALS)
def test_claims_are_refused_though_signed(name):
    """A genuine signature over claims that are not for us, now, about somebody, asks for no key."""
    refused_unasked(token(**CLAIM_REFUSALS[name]))


STRANGE = ["NaN", "Infinity", "-Infinity", "1e400", "1e9", "-0", "9" * 5000, "0x10", "1_0"]
# The epoch and the far future are true of a good token.
TRUE = [("nbf", "-0"), ("exp", "9" * 5000)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(name, text, id=f"{name} {text[:9]}")
        for name in ("iat", "exp", "nbf", "id")
        for text in STRANGE
        if (name, text) not in TRUE
    ],
)
def test_numbers_that_json_has_not(name, text):
    """A number that is none in JSON, is no whole one, or is too long for anybody is refused."""
    body = json.dumps(changed(CLAIMS, {name: ...}))[1:-1]
    refused_unasked(sign(HEADERS["rsa"], f'{{{body},"{name}":{text}}}', RSA))


def test_a_nonce_is_required_where_a_cookie_is_asked_for():
    """A browser's token must carry the nonce of a login that this browser began; none at all is refused."""
    assert verify(token(nonce=NONCE), required=True)[2] == NONCE
    assert "nonce" in refused_unasked(token(), required=True)
    refused_unasked(token(nonce=None), required=True)
    for required in (False, True):
        refused_unasked(token(nonce=NONCE), nonces=(), required=required)
        refused_unasked(token(nonce="other"), nonces=[NONCE], required=required)
        refused_unasked(token(nonce=""), nonces=[NONCE], required=required)
    # Part of one of ours is not one of ours.
    refused_unasked(token(nonce="canary"), nonces=[NONCE], required=True)


PAYLOADS = {
    "empty": "",
    "null": "null",
    "list": "[]",
    "list of claims": json.dumps([CLAIMS]),
    "text": json.dumps(json.dumps(CLAIMS)),
    "number": "1",
    "not JSON": "{'iss': 1}",
    "cut": json.dumps(CLAIMS)[:-1],
    "more after": json.dumps(CLAIMS) + "{}",
    "not UTF-8": json.dumps(CLAIMS).encode().replace(b"John", b"\xff\xfe\xff\xfe"),
    "UTF-16": json.dumps(CLAIMS).encode("utf-16"),
    "NUL after": json.dumps(CLAIMS) + "\x00",
    "nested in a key": json.dumps({"claims": CLAIMS}),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_that_is_no_claims_is_refused(name):
    """Anything but one JSON object of claims is refused, though signed, and asks for no key."""
    refused_unasked(sign(HEADERS["rsa"], PAYLOADS[name], RSA))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "null",
        "[]",
        "1",
        '"RS256"',
        "{",
        "{}",
        b"\xff",
        '{"alg":"RS256","kid":"rsa"',
        "\x00",
        '{"alg":' * 50,
    ],
    ids=ascii,
)
def test_a_header_that_is_none_is_refused(header):
    """Anything but one JSON object with the right fields is no header."""
    refused_unasked(sign(header, CLAIMS, RSA))


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [300, 5_000, 100_000])
def test_deep_nesting_is_refused(opening, depth):
    """Nesting of any depth, closed or not, in header or payload, is refused and exhausts no stack."""
    closing = "]" if opening == "[" else "}"
    unclosed, closed = opening * depth, opening * depth + "1" + closing * depth
    # What is closed and not too deep for Python's parser is read, and not used.
    for deep in (unclosed, closed) if depth == 100_000 else (unclosed,):
        refused_unasked(sign(HEADERS["rsa"], json.dumps(CLAIMS)[:-1] + f',"x":{deep}}}', RSA))
        refused_unasked(sign(f'{{"alg":"RS256","kid":"rsa","x":{deep}}}', CLAIMS, RSA))


# What is refused by its form

FORMS = {
    "empty": lambda _: "",
    "one part": lambda text: text.split(".")[0],
    "two parts": lambda text: text.rpartition(".")[0],
    "no signature": lambda text: text.rpartition(".")[0] + ".",
    "no payload": lambda text: text.split(".")[0] + ".." + text.split(".")[2],
    "no header": lambda text: text[text.index(".") :],
    "four parts": lambda text: text + ".AAAA",
    "dot before": lambda text: "." + text,
    "JWE": lambda _: ".".join([encode({"alg": "dir", "enc": "A256GCM"}), "", "AAAA", "AAAA", "AAAA"]),
    "JSON serialization": lambda text: json.dumps(
        dict(zip(("protected", "payload", "signature"), text.split("."), strict=True))
    ),
    "padded": lambda text: text + "=",
    "header padded": lambda text: text.replace(".", "==.", 1),
    "line feed after": lambda text: text + "\n",
    "space before": lambda text: " " + text,
    "line feed inside": lambda text: text[:50] + "\n" + text[50:],
    "not ASCII": lambda text: "é" + text[1:],
    "full-width dots": lambda text: text.replace(".", "．"),
    "Arabic digit": lambda text: text[:-1] + "١",
    "half a surrogate pair": lambda text: text[:-1] + "\ud800",
    "standard alphabet": lambda text: text[:-2] + "+/",
    "Bearer": lambda text: "Bearer " + text,
    "one character less": lambda text: text[:-1],
    "half": lambda text: text[: len(text) // 2],
    "one character more": lambda text: text + "A",
    "signature empty bytes": lambda text: text.rpartition(".")[0] + ".AA",
    "signature of zeros": lambda text: text.rpartition(".")[0] + "." + "A" * 86,
    "a megabyte": lambda text: text.rpartition(".")[0] + "." + "A" * 2**20,
    "a megabyte of dots": lambda _: "." * 2**20,
}


@pytest.mark.parametrize("name", FORMS)
@BOTH
def test_any_other_form_is_refused(name, key):
    """Whatever is not the one compact spelling of the token is refused, and breaks nothing."""
    text = FORMS[name](token(key=key))
    assert refused(text)


@BOTH
def test_every_changed_character_is_refused(key):
    """A token with any one character changed to another is refused, the last of each part included."""
    text = token(key=key)
    for position, genuine in enumerate(text):
        # Neighbours in the alphabet differ in the lowest bit, which at the end of a part is a spare one.
        for character in {"A", "_", chr(ord(genuine) + 1), chr(ord(genuine) ^ 1)} - {genuine, "."}:
            with pytest.raises(LoginRejected):
                verify(text[:position] + character + text[position + 1 :])


# What is refused by its signature


def test_right_header_wrong_key():
    """A token that is right in everything but who signed it is refused, for either algorithm."""
    for key, other in (("rsa", OTHER_RSA), ("p256", OTHER_P256)):
        assert "signature" in refused(sign(HEADERS[key], CLAIMS, other))


def test_a_key_is_bound_to_its_algorithm():
    """A header that names another key's algorithm is refused, whoever signed and whatever it is called."""
    for alg, kid, private in (
        ("ES256", "rsa", RSA),
        ("ES256", "rsa", P256),
        ("RS256", "p256", P256),
        ("RS256", "p256", RSA),
    ):
        refused(sign({"alg": alg, "kid": kid}, CLAIMS, private))


def test_another_digest_or_padding_is_refused():
    """RS256 is PKCS #1 v1.5 with SHA-256, and ES256 is SHA-256: another signature of the key is none."""
    for name, digest in (("rsa", hashes.SHA384()), ("rsa", hashes.SHA512()), ("p256", hashes.SHA384())):
        refused(sign(HEADERS[name], CLAIMS, PRIVATE[name], digest))
    message = f"{encode(HEADERS['rsa'])}.{encode(CLAIMS)}"
    pss = RSA.sign(message.encode(), padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    refused(f"{message}.{encode(pss)}")


def test_es256_is_64_bytes():
    """An ES256 signature is r and s side by side (RFC 7518 §3.4): ASN.1, zeros and other lengths are none."""
    message = f"{encode(HEADERS['p256'])}.{encode(CLAIMS)}"
    raw = signature(message.encode(), P256)
    asn1 = P256.sign(message.encode(), ec.ECDSA(hashes.SHA256()))
    for forged in (
        asn1,
        raw[:63],
        raw + b"\0",
        b"\0" + raw,
        bytes(64),
        bytes(32) + raw[32:],
        raw[:32] + bytes(32),
    ):
        refused(f"{message}.{encode(forged)}")


def test_one_key_is_asked_for_once():
    """For a good token the key it names, and no other, is asked for once."""
    asked = []
    verify(token(key="p256"), find_key=lambda *name: asked.append(name) or KEYS[name[0]])
    assert asked == [("p256", "ES256", None)]


def test_a_key_that_was_replaced_under_its_name():
    """Where the key at hand did not sign, another one is asked for, once; what that signed is a login."""
    old, new = Key("rsa", "RS256", OTHER_RSA.public_key()), KEYS["rsa"]
    asked = []

    def replaced(kid, algorithm, instead_of):
        asked.append((kid, algorithm, instead_of))
        return old if instead_of is None else new

    assert verify(token(), find_key=replaced)[0].id == 987654321
    assert asked == [("rsa", "RS256", None), ("rsa", "RS256", old)]
    forged = sign(HEADERS["rsa"], CLAIMS, rsa.generate_private_key(65537, 2048))
    asked.clear()
    assert refused(forged, find_key=replaced) == "the signature of id_token does not match"
    assert len(asked) == 2


@given(
    claims=st.dictionaries(
        st.sampled_from([*CLAIMS, "azp", "nbf", "nonce", "phone_number"]), JSON, max_size=3
    ),
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "x"]), JSON, max_size=2),
)
@example(claims={}, header={"typ": None})
@hypothesis_settings(max_examples=80, deadline=None)
def test_any_signed_claims_are_a_login_or_refused(claims, header):
    """Whatever JSON is signed, it is one exact user or it is refused, and nothing else happens."""
    text = sign({**HEADERS["p256"], **header}, {**CLAIMS, **claims}, P256)
    try:
        user, proof, nonce = verify(text)
    except LoginRejected:
        return
    said = {**CLAIMS, **claims}
    assert str(user.id) == str(said["id"])
    assert user.sub == said["sub"]
    assert said["aud"] in (CLIENT, [CLIENT])
    assert proof.issued_at == said["iat"]
    assert nonce in (None, NONCE)


@given(st.text() | st.lists(st.binary(min_size=1).map(encode), min_size=3, max_size=3).map(".".join))
@hypothesis_settings(max_examples=150, deadline=None)
def test_no_text_breaks_anything(text):
    """Any text at all is refused, and asks for no key."""
    refused_unasked(text)


@given(st.integers(0, 63), st.integers(1, 255), st.booleans())
@hypothesis_settings(max_examples=50, deadline=None)
def test_signatures_agree_with_another_implementation(place, change, is_rsa):
    """What a key signed, and what only almost is, PyJWT judges as we do."""
    name, jwk = ("rsa", rsa_jwk(RSA)) if is_rsa else ("p256", ec_jwk(P256, "P-256"))
    key = read_key(jwk | {"kid": name})
    message = f"{encode(json.dumps(HEADERS[name]).encode())}.{encode(b'{}')}"
    genuine = signature(message.encode(), PRIVATE[name])
    spoilt = bytearray(genuine)
    spoilt[place] ^= change
    for made in (genuine, bytes(spoilt), genuine + b"\0", genuine[:-1], b""):
        try:
            PyJWS().decode(f"{message}.{encode(made)}", PyJWK(jwk, key.algorithm), [key.algorithm])
            expected = True
        except InvalidTokenError:
            expected = False
        assert key.signed(message.encode(), made) is expected
    assert key.signed(message.encode(), genuine)
