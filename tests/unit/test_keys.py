"""The keys in use (lib/tgauth/keys.py)."""

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

from lib.tgauth.keys import Purpose, Signed, Signer, hkdf, keys_of
from lib.tgauth.settings import read_settings

TOKEN = "123456789:AAE-test_token-of-no-bot"
OLD = "o" * 32
NEW = "n" * 32


def made(**env):
    return keys_of(read_settings({"TELEGRAM_BOT_TOKEN": TOKEN, "AUTH_SECRET": NEW, **env}))


def by_purpose(keys, entry=0):
    """Every key of one entry of AUTH_SECRET, by its purpose; a signer's is what it was given."""
    return {
        "session": keys.session.keys[entry],
        "degraded session": keys.degraded.keys[entry],
        "mask": keys.masks[entry],
        "log": keys.log,
        "transaction": keys.transaction.keys[entry],
        "finished transaction": keys.finished_transaction.keys[entry],
        "transaction secret": keys.transaction_secrets[entry],
        "relay code": keys.relay_code.keys[entry],
        "relay user": keys.relay_user.keys[entry],
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
    for purpose, key in by_purpose(made(VERCEL_ENV="preview")).items():
        info = b"\0".join((b"tgauth/1", b"preview", b"123456789", purpose.encode()))
        assert key == reference(NEW.encode(), info)


def test_the_default_secret_is_the_bot_token():
    """Without AUTH_SECRET the keys come from the bot token, and are never the token itself."""
    keys = made(AUTH_SECRET="")
    assert keys.masks == (reference(TOKEN.encode(), b"tgauth/1\0production\x00123456789\0mask"),)
    assert all(TOKEN.encode() not in key for key in by_purpose(keys).values())


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
    found = [key for env in variants for key in by_purpose(made(**env)).values()]
    assert len(found) == 9 * len(variants)
    assert len(set(found)) == len(found)
    assert {len(key) for key in found} == {32}


def test_other_settings_do_not_change_keys():
    """Sessions survive a change of any setting that is not a key's, the bot token included."""
    for env in (
        {"SESSION_TTL": "5"},
        {"TELEGRAM_DENY": "1"},
        {"VERCEL": "1"},
        {"TELEGRAM_BOT_TOKEN": "123456789:AAE-new_token-of-the-same-bot"},
    ):
        assert by_purpose(made(**env)) == by_purpose(made())


def test_each_entry_has_its_keys():
    """AUTH_SECRET's entries have keys of their own, newest first, the same wherever they stand."""
    both = made(AUTH_SECRET=f"{NEW},{OLD}")
    assert by_purpose(both, 0) == by_purpose(made(AUTH_SECRET=NEW))
    assert by_purpose(both, 1) | {"log": b""} == by_purpose(made(AUTH_SECRET=OLD)) | {"log": b""}


def test_unsign_gives_back_what_was_signed():
    """What a signer signed is given back without its signature, with the number of the key."""
    old, new = made(AUTH_SECRET=OLD).session, made(AUTH_SECRET=f"{NEW},{OLD}").session
    assert new.unsign(new.sign("tg1_abc")) == Signed("tg1_abc", 0)
    assert new.unsign(old.sign("tg1_abc")) == Signed("tg1_abc", 1)
    assert old.unsign(new.sign("tg1_abc")) is None


@given(st.binary(min_size=1, max_size=100), st.text(max_size=50))
@hypothesis_settings(max_examples=100, deadline=None)
def test_signatures_agree_with_another_implementation(key, text):
    """What is signed is what itsdangerous signs with the same key, and each takes the other's."""
    reference = Itsdangerous(key, key_derivation="none", digest_method=sha256)
    signed = Signer(key).sign(text)
    assert signed == reference.sign(text).decode()
    assert (Signer(key).unsign(signed), reference.unsign(signed).decode()) == ((text, 0), text)
    last = "B" if signed[-1] == "A" else "A"
    assert Signer(key).unsign(signed[:-1] + last) is None


def test_no_key_is_shown():
    """Signers and keys in an error message or a log say nothing of what they are."""
    keys = made()
    shown = f"{keys} {keys!r} {keys.session} {keys.session!r}"
    for key in by_purpose(keys).values():
        assert repr(key)[2:-1] not in shown
        assert key.hex() not in shown


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "abc", "a.b", "a.b.c", "é.é", "a" * 100_000, "a.\x00", "\ud800.a", "a.\udfff"],
)
def test_unsign_refuses_what_was_not(text):
    """What no signer signed is None, whatever it looks like."""
    assert made().session.unsign(text) is None


def test_half_a_surrogate_pair_is_signed_as_it_is():
    """No text at all is told from a text all the same: neither signing nor unsigning breaks down."""
    signer = made().session
    for text in ("\ud800", "\udfff", "?", "\ufffd"):
        signed = signer.sign(text)
        assert signer.unsign(signed) == (text, 0)
        assert [signer.unsign(other + signed[1:]) for other in "\ud800\udfff?\ufffd" if other != text] == [
            None
        ] * 3


def test_no_signer_verifies_for_another():
    """A signature holds for one purpose of one entry, in one environment, of one bot."""
    signers = [
        signer
        for env in ({}, {"AUTH_SECRET": OLD}, {"VERCEL_ENV": "preview"}, {"TELEGRAM_BOT_TOKEN": "1:A"})
        for signer in (made(**env).session, made(**env).degraded, made(**env).transaction)
    ]
    for one, other in combinations(signers, 2):
        assert one.unsign(other.sign("x")) is None
        assert other.unsign(one.sign("x")) is None


def test_every_purpose_has_its_key():
    """A purpose that is declared has a key, and every field of the keys is one of them."""
    assert set(by_purpose(made())) == set(get_args(Purpose))
    assert len(vars(made())) == len(by_purpose(made()))


@pytest.mark.parametrize("key", ["", NEW, OLD, TOKEN])
def test_secrets_do_not_sign_as_they_are(key):
    """A signature made with the secret itself, or with an empty key, is refused."""
    keys = made()
    for digest in ({}, {"digest_method": sha256}):
        signed = Itsdangerous(key, key_derivation="none", **digest).sign("x").decode()
        for signer in (keys.session, keys.degraded, keys.transaction):
            assert signer.unsign(signed) is None
