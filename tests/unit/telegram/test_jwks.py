"""Telegram's keys, and when they are fetched (lib/tgauth/telegram/jwks.py)."""

import functools
import json
import threading
import time
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dev.telegram.signing import Keys as TelegramsKeys
from lib.tgauth import budget
from lib.tgauth.clock import DAY, HOUR
from lib.tgauth.errors import IdentityProviderUnavailable, LoginRejected
from lib.tgauth.telegram.jwk import decode
from lib.tgauth.telegram.jwks import COOL_DOWN, FRESH, STALE, Keys, parse
from tests.unit.telegram.proofs import JSON, NO_ANSWERS, base64url

NOW = 1_800_000_000.0
RETRY = 10

# Telegram's own, as published (core.telegram.org/bots/telegram-login names the address).
PUBLISHED = {
    "keys": [
        {
            "alg": "RS256",
            "e": "AQAB",
            "ext": True,
            "key_ops": ["verify"],
            "kty": "RSA",
            "n": (
                "5RneLtsKvVcxdv6gu6gxEQu30Cru5NiMQnY6SNr9ZyZFZ4ya-pfHNuaZXJ6QPG0JSFwoxeOkEO2-eZN_REVPm448Pvjj"
                "sR1eQdZ5QpEkNxnItFcmxkHH91v5cgf52_EI9BGO-MT6f1vaBSg3uWHFlDxI7J2AYxNvd1_Nf3TkgrrR7gyJFTmEIai5"
                "RefGnA0KGNYDlRIGUzrz2F05n6gTaHFT_iHL5UHatTZA4GCiUSjIOuwqu5pE5uZge20TFv3cxXMQaFw_xv1pgQt_Rq8e"
                "oCN7TS0RQ0zjWKiad-W286BcFectXsUm03p5Nq_kY4mf_7rqwX_B8yy_bBreyKn7RQ"
            ),
            "kid": "oidc-1",
        },
        {
            "alg": "ES256",
            "kty": "EC",
            "x": "ahVYrohhX6YA7w0P2gUNSwMFbaabCgBZFkeq9bWdmwU",
            "y": "Ea8nKJ34VQMA7zv8aYDfzcBhXEjnWQ9C06jVke_eUV0",
            "crv": "P-256",
            "kid": "oidc-es256-1",
            "use": "sig",
        },
        {
            "alg": "EdDSA",
            "crv": "Ed25519",
            "x": "i6BEafXMEe4osXgUTffpKAm6Cn6F2bhqPZoclunTAV4",
            "kty": "OKP",
            "kid": "oidc-eddsa-1",
            "use": "sig",
        },
        {
            "alg": "ES256K",
            "kty": "EC",
            "x": "vsk5i5YJu8H_VPL7DWTgVGXBPrqgkyNmYvfgOrVut38",
            "y": "Mrg56tBhVeorHPXK1LbTX2jP7rEqOHIatM96HFzVMIU",
            "crv": "secp256k1",
            "kid": "oidc-es256k-1",
            "use": "sig",
        },
    ]
}
RSA_KEY, EC_KEY = PUBLISHED["keys"][:2]
BOTH = {RSA := ("oidc-1", "RS256"), EC := ("oidc-es256-1", "ES256")}


def document(*keys):
    return json.dumps({"keys": list(keys)}).encode()


def without(key, *names):
    return {name: value for name, value in key.items() if name not in names}


@functools.cache
def rsa_key(bits):
    public = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    return {"kty": "RSA", "n": base64url(public.n.to_bytes(bits // 8)), "e": "AQAB"}


def ec_key(curve, name):
    public = ec.generate_private_key(curve).public_key().public_numbers()
    x, y = (base64url(value.to_bytes((curve.key_size + 7) // 8)) for value in (public.x, public.y))
    return {"kty": "EC", "crv": name, "x": x, "y": y}


def longer(number):
    """The same number, a byte longer."""
    return base64url(b"\0" + urlsafe_b64decode(number + "="))


# Parsing


def test_telegrams_four_keys():
    """Of what Telegram publishes, the RSA and the P-256 key are used, each for its one algorithm."""
    keys = parse(json.dumps(PUBLISHED).encode())
    assert set(keys) == BOTH
    assert isinstance(keys[RSA].public, RSAPublicKey)
    assert isinstance(keys[EC].public, EllipticCurvePublicKey)
    assert keys[RSA].public.key_size == 2048


def test_the_simulated_keys_are_alike():
    """The simulated Telegram's keys are four too, and the same two are used."""
    assert set(parse(json.dumps(TelegramsKeys().jwks()).encode())) == BOTH


@pytest.mark.parametrize("absent", ["alg", "use", "ext", "key_ops"])
def test_what_a_key_need_not_say(absent):
    """Without `alg` a key is for the algorithm of its type, and without `use` for signatures."""
    keys = parse(document(without(RSA_KEY, absent), without(EC_KEY, absent)))
    assert set(keys) == BOTH


UNUSABLE = {
    "null": None,
    "number": 1,
    "empty": {},
    "no kid": without(RSA_KEY, "kid"),
    "kid null": {**RSA_KEY, "kid": None},
    "kid number": {**RSA_KEY, "kid": 1},
    "kid list": {**RSA_KEY, "kid": ["x"]},
    "kid empty": {**RSA_KEY, "kid": ""},
    "no kty": without(RSA_KEY, "kty"),
    "kty null": {**RSA_KEY, "kty": None},
    "kty list": {**RSA_KEY, "kty": ["RSA"]},
    "kty lower case": {**RSA_KEY, "kty": "rsa"},
    "kty of the other": {**RSA_KEY, "kty": "EC", "alg": "ES256"},
    "kty new": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
    "oct": {"kty": "oct", "k": "AAAA", "alg": "HS256"},
    "oct for RS256": {"kty": "oct", "k": "AAAA", "alg": "RS256"},
    "Ed25519": PUBLISHED["keys"][2],
    "secp256k1": PUBLISHED["keys"][3],
    "secp256k1 without alg": without(PUBLISHED["keys"][3], "alg"),
    "secp256k1 for ES256": {**PUBLISHED["keys"][3], "alg": "ES256"},
    "P-384": ec_key(ec.SECP384R1(), "P-384"),
    "P-521": ec_key(ec.SECP521R1(), "P-521"),
    "P-256, a byte before x": {**EC_KEY, "x": longer(EC_KEY["x"])},
    "P-256, a byte before y": {**EC_KEY, "y": longer(EC_KEY["y"])},
    "RSA 1024": rsa_key(1024),
    "use enc": {**RSA_KEY, "use": "enc"},
    "use empty": {**RSA_KEY, "use": ""},
    "use null": {**RSA_KEY, "use": None},
    "use list": {**RSA_KEY, "use": ["sig"]},
    "alg other": {**RSA_KEY, "alg": "RS512"},
    "alg PS256": {**RSA_KEY, "alg": "PS256"},
    "alg none": {**RSA_KEY, "alg": "none"},
    "alg null": {**RSA_KEY, "alg": None},
    "alg list": {**RSA_KEY, "alg": ["RS256"]},
    "alg of the other": {**RSA_KEY, "alg": "ES256"},
    "EC alg of the other": {**EC_KEY, "alg": "RS256"},
    "EC alg HS256": {**EC_KEY, "alg": "HS256"},
    **{f"RSA no {name}": without(RSA_KEY, name) for name in ("n", "e")},
    **{f"EC no {name}": without(EC_KEY, name) for name in ("x", "y", "crv")},
    **{
        f"RSA {name} {value!r}": {**RSA_KEY, name: value}
        for name in ("n", "e")
        for value in ("", None, 1, True, [], {}, "!!!", "é", "\ud800", "AA", "AQ", "Ag")
    },
    **{
        f"EC {name} {value!r}": {**EC_KEY, name: value}
        for name in ("x", "y", "crv")
        for value in ("", None, 1, True, [], {}, "!!!", "é", "\ud800", "AAAA")
    },
    "EC not on the curve": {**EC_KEY, "y": EC_KEY["x"]},
    "EC of zeros": {**EC_KEY, "x": "A" * 43, "y": "A" * 43},
    "EC too long": {**EC_KEY, "x": "A" + EC_KEY["x"], "y": "A" + EC_KEY["y"]},
    "RSA private": {**RSA_KEY, "d": "AQAB"},
    "EC private": {**EC_KEY, "d": "AQAB"},
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_key_disturbs_no_other(name):
    """A key that cannot be used is skipped, wherever it stands, and alone it is no key at all."""
    entry = UNUSABLE[name]
    if isinstance(entry, dict) and not name.startswith(("no kid", "kid", "empty")):
        entry = {**entry, "kid": "other"}
    for keys in ((entry, RSA_KEY, EC_KEY), (RSA_KEY, entry, EC_KEY), (RSA_KEY, EC_KEY, entry)):
        assert set(parse(document(*keys))) == BOTH
    with pytest.raises(IdentityProviderUnavailable):
        parse(document(entry))


def test_an_unusable_key_takes_no_name_away():
    """An entry of the same name that cannot be used leaves the one that can."""
    for other in (
        {**RSA_KEY, "use": "enc"},
        {**RSA_KEY, "n": "!!!"},
        {**PUBLISHED["keys"][3], "kid": "oidc-1"},
    ):
        for keys in ((other, RSA_KEY), (RSA_KEY, other)):
            assert parse(document(*keys))[RSA].public.key_size == 2048


def test_keys_of_two_types_may_share_a_name():
    """Each is found for its own algorithm, in whichever order they stand (RFC 7517 §4.5)."""
    both = {**EC_KEY, "kid": "oidc-1"}
    for keys in ((RSA_KEY, both), (both, RSA_KEY)):
        found = Keys(Source(document(*keys)))
        assert isinstance(found.find("oidc-1", "RS256", now=NOW).public, RSAPublicKey)
        assert isinstance(found.find("oidc-1", "ES256", now=NOW).public, EllipticCurvePublicKey)


def test_a_key_is_found_for_its_own_algorithm_alone(keys):
    """What a token says of its algorithm does not make another key of it."""
    unknown(keys, NOW, kid="oidc-1", algorithm="ES256")
    unknown(keys, NOW, kid="oidc-es256-1", algorithm="RS256")


@pytest.mark.parametrize(
    "text",
    [
        *(body for _, body in NO_ANSWERS.values()),
        b'"keys"',
        b'["keys"]',
        b'{"keys": null}',
        b'{"keys": 1}',
        b'{"keys": true}',
        b'{"keys": []}',
        b'{"keys": {}}',
        b'{"keys": "oidc-1"}',
        b'{"keys": {"oidc-1": {}}}',
        b'{"Keys": []}',
        b'{"error": "canary"}',
        b"\xff\xfe\xff",
        b"\x00" * 10,
        json.dumps(PUBLISHED).encode()[:-2],
        json.dumps(PUBLISHED).encode() + b"x",
        json.dumps(PUBLISHED["keys"]).encode(),
        json.dumps(PUBLISHED["keys"][0]).encode(),
        b'{"keys":' * 100_000,
        b'{"keys":[' + b"9" * 5000 + b"]}",
        document(PUBLISHED["keys"][2], PUBLISHED["keys"][3]),
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_what_is_no_jwks(text):
    """Anything that holds no key of ours is Telegram's fault, in our words."""
    with pytest.raises(IdentityProviderUnavailable) as caught:
        parse(text)
    assert "canary" not in caught.value.reason
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


MEMBERS = st.sampled_from(["kty", "kid", "alg", "use", "crv", "n", "e", "x", "y", "d", "k", "p", "q", "oth"])


@given(st.sampled_from(PUBLISHED["keys"]), st.dictionaries(MEMBERS, JSON, max_size=3))
@example(RSA_KEY, {"n": "A" * 20_000})
@example(RSA_KEY, {"e": "A" * 400})
@hypothesis_settings(max_examples=100, deadline=None)
def test_a_damaged_key_breaks_nothing(key, damage):
    """Whatever a key's members are replaced with, the others are there."""
    found = parse(document({**key, **damage, "kid": "damaged"}, RSA_KEY))
    assert found[RSA].public.key_size == 2048


@given(st.binary(max_size=64))
@example(b"\0\0\x17")
def test_base64url_is_decoded_in_its_one_spelling(data):
    """Whatever was encoded comes back, and with padding or another last letter it is refused."""
    text = base64url(data)
    assert decode(text) == data
    for other in (f"{text}=", f"{text}\n", f" {text}", f"{text}!", f"{text}é"):
        with pytest.raises(ValueError):  # noqa: PT011 (its text says nothing, as it could quote a token)
            decode(other)


# Fetching


class Source:
    """Telegram's address: gives what it holds, or fails, and counts."""

    def __init__(self, answer=None):
        self.answer = answer or json.dumps(PUBLISHED).encode()
        self.times = 0

    def __call__(self):
        self.times += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def fail(self):
        self.answer = IdentityProviderUnavailable("canary reason")


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def keys(source):
    return Keys(source)


def unavailable(keys, now, kid="oidc-1", algorithm="RS256"):
    with pytest.raises(IdentityProviderUnavailable):
        keys.find(kid, algorithm, now=now)


def unknown(keys, now, kid="other", algorithm="RS256"):
    with pytest.raises(LoginRejected):
        keys.find(kid, algorithm, now=now)


def events(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_limits():
    """An hour, a day and a minute."""
    assert (FRESH, STALE, COOL_DOWN) == (HOUR, DAY, 60)


def test_nothing_is_fetched_before_it_is_needed(keys, source):
    """A function that starts asks nobody; the first token does."""
    assert source.times == 0
    assert keys.find("oidc-1", "RS256", now=NOW).id == "oidc-1"
    assert source.times == 1


def test_one_fetch_an_hour(keys, source):
    """Keys are used for an hour, whichever they are, and then fetched anew."""
    for age in (0, 1, 59, 60, 61, 1800, FRESH - 1):
        keys.find("oidc-1", "RS256", now=NOW + age)
        keys.find("oidc-es256-1", "ES256", now=NOW + age)
    assert source.times == 1
    keys.find("oidc-1", "RS256", now=NOW + FRESH)
    assert source.times == 2
    keys.find("oidc-1", "RS256", now=NOW + 2 * FRESH - 1)
    assert source.times == 2


def test_unknown_names_fetch_at_most_once_a_minute(keys, source):
    """Whatever tokens name, Telegram is asked once a minute, and nobody else's login suffers."""
    keys.find("oidc-1", "RS256", now=NOW)
    for number_, age in enumerate((0, 1, 30, 59, COOL_DOWN - 0.1)):
        unknown(keys, NOW + age, kid=f"other-{number_}")
    assert source.times == 1
    unknown(keys, NOW + COOL_DOWN)
    assert source.times == 2
    for age in (0, 30, 59.9):
        unknown(keys, NOW + COOL_DOWN + age, kid=f"x{age}")
        keys.find("oidc-1", "RS256", now=NOW + COOL_DOWN + age)
    assert source.times == 2
    for minute in range(2, 60):
        unknown(keys, NOW + minute * COOL_DOWN)
    assert source.times == 60


@pytest.mark.parametrize("kid", ["", "OIDC-1", "oidc-1 ", "oidc-eddsa-1", "oidc-es256k-1", "\ud800", "é"])
def test_a_name_that_is_no_keys(keys, kid):
    """A name is looked up to the letter; a key that we cannot use has none."""
    unknown(keys, NOW, kid=kid)


def test_rotation(keys, source):
    """A new key is found when a token names it, and one that Telegram took back is gone at that moment."""
    keys.find("oidc-1", "RS256", now=NOW)
    source.answer = document({**EC_KEY, "kid": "new"})
    keys.find("oidc-1", "RS256", now=NOW + 100)  # not known to be gone
    assert keys.find("new", "ES256", now=NOW + 100).algorithm == "ES256"
    assert source.times == 2
    unknown(keys, NOW + 101, kid="oidc-1")
    unknown(keys, NOW + 101, kid="oidc-es256-1", algorithm="ES256")
    assert keys.find("new", "ES256", now=NOW + 101)


def test_a_key_that_signed_nothing_is_fetched_anew(keys, source):
    """Where a signature is not of the key at hand, Telegram may have put another under its name."""
    first = keys.find("oidc-1", "RS256", now=NOW)
    source.answer = document({**rsa_key(2048), "kid": "oidc-1"})
    assert keys.find("oidc-1", "RS256", first, now=NOW + COOL_DOWN - 1) == first
    assert source.times == 1
    second = keys.find("oidc-1", "RS256", first, now=NOW + COOL_DOWN)
    assert second != first
    assert source.times == 2
    # Who still holds the old key, from before another's login fetched, is given the new one at once.
    assert keys.find("oidc-1", "RS256", first, now=NOW + COOL_DOWN + 1) is second
    assert keys.find("oidc-1", "RS256", now=NOW + COOL_DOWN + 1) is second
    assert source.times == 2


def test_forged_signatures_fetch_at_most_once_a_minute(keys, source):
    """However many forged tokens name a known key or an unknown one, Telegram is asked once a minute."""
    held = keys.find("oidc-1", "RS256", now=NOW)
    for age in range(1, 10 * COOL_DOWN):
        assert keys.find("oidc-1", "RS256", held, now=NOW + age) == held
        unknown(keys, NOW + age)
    assert source.times == 10
    assert keys.find("oidc-1", "RS256", now=NOW + 10 * COOL_DOWN - 1) == held


def test_a_key_that_telegram_took_back_is_not_given_again(keys, source):
    """A name that stands for no key after the fetch is as unknown as any."""
    held = keys.find("oidc-1", "RS256", now=NOW)
    source.answer = document(EC_KEY)
    with pytest.raises(LoginRejected):
        keys.find("oidc-1", "RS256", held, now=NOW + COOL_DOWN)


def test_a_forged_signature_while_the_keys_cannot_be_fetched(keys, source):
    """Telegram may have another key that nobody can fetch: the token is not called forged, and keys stay."""
    held = keys.find("oidc-1", "RS256", now=NOW)
    source.fail()
    for age in (COOL_DOWN, COOL_DOWN + 1):
        with pytest.raises(IdentityProviderUnavailable):
            keys.find("oidc-1", "RS256", held, now=NOW + age)
        assert keys.find("oidc-1", "RS256", now=NOW + age) is held
    assert source.times == 2
    source.answer = json.dumps(PUBLISHED).encode()
    assert keys.find("oidc-1", "RS256", held, now=NOW + 2 * COOL_DOWN) == held


def test_of_fifty_forged_signatures_at_once_one_fetches(source):
    """All of them wait for the one fetch and take what came of it."""
    keys, together = Keys(source), threading.Barrier(50)
    held = keys.find("oidc-1", "RS256", now=NOW)
    source.answer = document({**rsa_key(2048), "kid": "oidc-1"})

    def work(_):
        together.wait(10)
        return keys.find("oidc-1", "RS256", held, now=NOW + COOL_DOWN).public.public_numbers().n

    with ThreadPoolExecutor(50) as pool:
        found = set(pool.map(work, range(50)))
    assert len(found) == 1
    assert held.public.public_numbers().n not in found
    assert source.times == 2


def test_while_fetching_fails_the_keys_of_a_day_are_used(keys, source, capsys):
    """Keys are used for up to a day when Telegram cannot be asked, which is tried once a minute; then 503."""
    keys.find("oidc-1", "RS256", now=NOW)
    source.fail()
    for age in (FRESH, FRESH + 1, FRESH + 59):
        keys.find("oidc-1", "RS256", now=NOW + age)
    assert source.times == 2
    keys.find("oidc-1", "RS256", now=NOW + FRESH + COOL_DOWN)
    assert source.times == 3
    keys.find("oidc-1", "RS256", now=NOW + STALE - 1)
    unavailable(keys, NOW + STALE)
    unavailable(keys, NOW + STALE + 1)
    found = [event["event"] for event in events(capsys)]
    assert found == ["jwks_refreshed", *["jwks_unavailable"] * (source.times - 1)]


def test_after_a_day_it_is_tried_often_again(keys, source):
    """Once nothing usable is left, a failure is tried again after ten seconds, as at the start."""
    keys.find("oidc-1", "RS256", now=NOW)
    source.fail()
    later = NOW + STALE + 100
    unavailable(keys, later)
    before = source.times
    unavailable(keys, later + RETRY - 1)
    assert source.times == before
    unavailable(keys, later + RETRY)
    assert source.times == before + 1


def test_telegram_comes_back(keys, source):
    """After a failure with old keys the new ones are fetched in a minute, and are good for an hour."""
    keys.find("oidc-1", "RS256", now=NOW)
    source.fail()
    keys.find("oidc-1", "RS256", now=NOW + FRESH)
    source.answer = document(RSA_KEY)
    keys.find("oidc-es256-1", "ES256", now=NOW + FRESH + COOL_DOWN - 1)
    unknown(keys, NOW + FRESH + COOL_DOWN, kid="oidc-es256-1")
    assert source.times == 3
    keys.find("oidc-1", "RS256", now=NOW + FRESH + COOL_DOWN + FRESH - 1)
    assert source.times == 3


def test_the_first_failure_is_retried_after_ten_seconds(keys, source):
    """A function that has no keys yet is not without them for a minute because of one hiccup."""
    source.fail()
    for age in (0, 1, RETRY - 0.1):
        unavailable(keys, NOW + age)
    assert source.times == 1
    source.answer = json.dumps(PUBLISHED).encode()
    assert keys.find("oidc-1", "RS256", now=NOW + RETRY)
    assert source.times == 2


def test_a_jwks_without_keys_replaces_none(keys, source):
    """An answer that holds nothing usable is a failure: the keys that we have stay."""
    keys.find("oidc-1", "RS256", now=NOW)
    for number_, answer in enumerate((b"{}", b"<html>", document(), document(PUBLISHED["keys"][3]))):
        source.answer = answer
        assert keys.find("oidc-1", "RS256", now=NOW + FRESH + number_ * COOL_DOWN)
        assert source.times == number_ + 2


def test_what_the_log_says(keys, source, capsys):
    """How many keys there are, and why there are none, in our own words and without the answer."""
    source.answer = b"<html>canary"
    unavailable(keys, NOW)
    source.answer = json.dumps(PUBLISHED).encode()
    keys.find("oidc-1", "RS256", now=NOW + RETRY)
    failed, refreshed = events(capsys)
    assert (failed["event"], failed["level"]) == ("jwks_unavailable", "error")
    assert failed["reason"] == "Telegram's keys are not a JWKS"
    assert (refreshed["event"], refreshed["keys"]) == ("jwks_refreshed", 2)


@pytest.mark.parametrize("fails", [False, True])
def test_of_fifty_at_once_one_fetches(source, fails):
    """At a cold start one login fetches and all use what came, or learn at once that nothing did."""
    together = threading.Barrier(50)
    if fails:
        source.fail()

    def fetch():
        time.sleep(0.05)
        return source()

    keys = Keys(fetch)

    def work(_):
        together.wait(10)
        try:
            return keys.find("oidc-1", "RS256", now=NOW).id
        except IdentityProviderUnavailable:
            return None

    started = time.monotonic()
    with ThreadPoolExecutor(50) as pool:
        found = set(pool.map(work, range(50)))
    assert found == ({None} if fails else {"oidc-1"})
    assert source.times == 1
    assert time.monotonic() - started < 2


def test_what_breaks_while_fetching_holds_nobody_up(source):
    """A defect in fetching is not swallowed, and the next login is not stuck behind it."""
    source.answer = ZeroDivisionError("a defect")
    keys = Keys(source)
    with pytest.raises(ZeroDivisionError):
        keys.find("oidc-1", "RS256", now=NOW)
    source.answer = json.dumps(PUBLISHED).encode()
    assert keys.find("oidc-1", "RS256", now=NOW + COOL_DOWN)


def test_issuers_do_not_share(source):
    """Two sets of keys are two, with fetches of their own."""
    one, other = Keys(source), Keys(Source(document(EC_KEY)))
    one.find("oidc-1", "RS256", now=NOW)
    unknown(other, NOW, kid="oidc-1")
    assert other.find("oidc-es256-1", "ES256", now=NOW)


def test_an_unknown_key_is_not_refused_while_the_keys_cannot_be_fetched(keys, source):
    """Where Telegram may have a new key that nobody can fetch, that is no reason to call a token forged."""
    keys.find("oidc-1", "RS256", now=NOW)
    unknown(keys, NOW + 1)
    source.fail()
    for age in (COOL_DOWN, COOL_DOWN + 1):
        unavailable(keys, NOW + age, kid="other")
        keys.find("oidc-1", "RS256", now=NOW + age)
    source.answer = json.dumps(PUBLISHED).encode()
    unknown(keys, NOW + 2 * COOL_DOWN)


def test_nobody_waits_for_keys_longer_than_the_request_may(source):
    """While another login fetches, one whose time is up hears that Telegram is unavailable."""
    fetching, go_on = threading.Event(), threading.Event()

    def slow():
        fetching.set()
        assert go_on.wait(10)
        return source()

    keys = Keys(slow)
    first = threading.Thread(target=lambda: keys.find("oidc-1", "RS256", now=NOW))
    first.start()
    try:
        assert fetching.wait(10)
        budget.start(0.05)
        unavailable(keys, NOW)
    finally:
        budget.stop()
        go_on.set()
        first.join()
    assert keys.find("oidc-1", "RS256", now=NOW)


def test_a_known_key_waits_for_nobody(source):
    """While a token that names an unknown key makes us fetch, a login with a fresh key goes on at once."""
    fetching, go_on = threading.Event(), threading.Event()
    keys = Keys(source)
    known = keys.find("oidc-1", "RS256", now=NOW)

    def slow():
        fetching.set()
        assert go_on.wait(10)
        return source()

    keys._fetch = slow
    stranger = threading.Thread(target=lambda: unknown(keys, NOW + COOL_DOWN))
    stranger.start()
    try:
        assert fetching.wait(10)
        budget.start(0.05)
        assert keys.find("oidc-1", "RS256", now=NOW + COOL_DOWN) is known
    finally:
        budget.stop()
        go_on.set()
        stranger.join()
