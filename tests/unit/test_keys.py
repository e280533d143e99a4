"""The keys in use (lib/sessions/keys.py)."""

from hashlib import sha256
from itertools import combinations
from typing import get_args

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from itsdangerous import Signer as Itsdangerous

from lib.sessions.keys import Purpose, Signer, hkdf, keyrings
from lib.settings import read_settings

TOKEN = "123456789:AAE-test_token-of-no-bot"
OLD = "o" * 32
NEW = "n" * 32


def rings(**env):
    return keyrings(read_settings({"TELEGRAM_BOT_TOKEN": TOKEN, "AUTH_SECRET": NEW, **env}))


def keys(ring):
    """Every key of a keyring, by its purpose; a signer's is what it was given."""
    return {
        "session": ring.session.key,
        "degraded session": ring.degraded.key,
        "mask": ring.mask,
        "init data slot": ring.init_data_slot,
        "log": ring.log,
        "transaction": ring.transaction.key,
        "finished transaction": ring.finished_transaction.key,
        "transaction secret": ring.transaction_secret,
        "relay code": ring.relay_code.key,
        "relay user": ring.relay_user.key,
    }


def reference(secret, info):
    """HKDF by another implementation."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(secret)


def test_rfc_5869_test_case_3():
    """RFC 5869, appendix A.3, which has no salt: the first 32 of its 42 bytes."""
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert hkdf(bytes.fromhex("0b" * 22), b"").hex() == expected


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=100))
@example(b"s" * 65, b"")
@hypothesis_settings(max_examples=60, deadline=None)
def test_hkdf_agrees_with_another_implementation(secret, info):
    """For any secret and info the key is the one that cryptography derives."""
    assert hkdf(secret, info) == reference(secret, info)


def test_keys_are_what_the_documents_say():
    """The info names version, environment, bot and purpose; another form would log everybody out."""
    (ring,) = rings(VERCEL_ENV="preview")
    for purpose, key in keys(ring).items():
        info = b"\0".join((b"tgauth/1", b"preview", b"123456789", purpose.encode()))
        assert key == reference(NEW.encode(), info)


def test_the_default_secret_is_the_bot_token():
    """Without AUTH_SECRET the keys come from the bot token, and are never the token itself."""
    (ring,) = rings(AUTH_SECRET="")
    assert ring.mask == reference(TOKEN.encode(), b"tgauth/1\0production\x00123456789\0mask")
    assert all(TOKEN.encode() not in key for key in keys(ring).values())


def test_every_key_is_another():
    """No two keys are the same across purposes, environments, bots and entries."""
    variants = [
        {},
        {"VERCEL_ENV": "preview"},
        {"VERCEL_ENV": "development"},
        {"TELEGRAM_BOT_TOKEN": "987654321:AAE-test_token-of-no-bot"},
        {"AUTH_SECRET": OLD},
        {"AUTH_SECRET": ""},
    ]
    found = [key for env in variants for key in keys(rings(**env)[0]).values()]
    assert len(found) == 10 * len(variants)
    assert len(set(found)) == len(found)
    assert {len(key) for key in found} == {32}


def test_other_settings_do_not_change_keys():
    """Sessions survive a change of any setting that is not a key's, the bot token included."""
    (ring,) = rings()
    for env in (
        {"SESSION_TTL": "5"},
        {"TELEGRAM_DENY": "1"},
        {"VERCEL": "1"},
        {"TELEGRAM_BOT_TOKEN": "123456789:AAE-new_token-of-the-same-bot"},
    ):
        assert keys(rings(**env)[0]) == keys(ring)


def test_one_keyring_an_entry():
    """AUTH_SECRET's entries each have a keyring, newest first, the same wherever they stand."""
    assert [keys(ring) for ring in rings(AUTH_SECRET=f"{NEW},{OLD}")] == [
        keys(rings(AUTH_SECRET=NEW)[0]),
        keys(rings(AUTH_SECRET=OLD)[0]),
    ]


def test_unsign_gives_back_what_was_signed():
    """What a signer signed is given back without its signature."""
    signer = rings()[0].session
    assert signer.unsign(signer.sign("tg1_abc")) == "tg1_abc"


@given(st.binary(min_size=1, max_size=100), st.text(max_size=50))
@hypothesis_settings(max_examples=100, deadline=None)
def test_signatures_agree_with_another_implementation(key, text):
    """What is signed is what itsdangerous signs with the same key, and each takes the other's."""
    reference = Itsdangerous(key, key_derivation="none", digest_method=sha256)
    signed = Signer(key).sign(text)
    assert signed == reference.sign(text).decode()
    assert (Signer(key).unsign(signed), reference.unsign(signed).decode()) == (text, text)
    last = "B" if signed[-1] == "A" else "A"
    assert Signer(key).unsign(signed[:-1] + last) is None


def test_no_key_is_shown():
    """Signers and keyrings in an error message or a log say nothing of their keys."""
    (ring,) = rings()
    shown = f"{ring} {ring!r} {ring.session} {ring.session!r}"
    for key in keys(ring).values():
        assert repr(key)[2:-1] not in shown
        assert key.hex() not in shown


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "abc", "a.b", "a.b.c", "é.é", "a" * 100_000, "a.\x00", "\ud800.a", "a.\udfff"],
)
def test_unsign_refuses_what_was_not(text):
    """What no signer signed is None, whatever it looks like."""
    assert rings()[0].session.unsign(text) is None


def test_half_a_surrogate_pair_is_signed_as_it_is():
    """No text at all is told from a text all the same: neither signing nor unsigning breaks down."""
    signer = rings()[0].session
    for text in ("\ud800", "\udfff", "?", "\ufffd"):
        signed = signer.sign(text)
        assert signer.unsign(signed) == text
        assert [signer.unsign(other + signed[1:]) for other in "\ud800\udfff?\ufffd" if other != text] == [
            None
        ] * 3


def test_no_signer_verifies_for_another():
    """A signature holds for one purpose of one entry, in one environment, of one bot."""
    signers = [
        signer
        for env in ({}, {"AUTH_SECRET": OLD}, {"VERCEL_ENV": "preview"}, {"TELEGRAM_BOT_TOKEN": "1:A"})
        for signer in (rings(**env)[0].session, rings(**env)[0].degraded, rings(**env)[0].transaction)
    ]
    for one, other in combinations(signers, 2):
        assert one.unsign(other.sign("x")) is None
        assert other.unsign(one.sign("x")) is None


def test_every_purpose_has_its_key():
    """A purpose that is declared has a key, and every field of a keyring is one of them."""
    (ring,) = rings()
    assert set(keys(ring)) == set(get_args(Purpose))
    assert len(vars(ring)) == len(keys(ring))


def test_a_derived_secret_is_no_signing_key():
    """What verifiers and nonces are derived with signs no transaction, nor the other way round."""
    (ring,) = rings()
    other = Signer(ring.transaction_secret)
    assert ring.transaction.unsign(other.sign("x")) is None
    assert other.unsign(ring.transaction.sign("x")) is None


@pytest.mark.parametrize("key", ["", NEW, OLD, TOKEN])
def test_secrets_do_not_sign_as_they_are(key):
    """A signature made with the secret itself, or with an empty key, is refused."""
    (ring,) = rings()
    for digest in ({}, {"digest_method": sha256}):
        signed = Itsdangerous(key, key_derivation="none", **digest).sign("x").decode()
        for signer in (ring.session, ring.degraded, ring.transaction):
            assert signer.unsign(signed) is None
