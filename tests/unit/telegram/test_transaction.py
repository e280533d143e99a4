"""A login's transaction, as its cookie keeps it (lib/tgauth/telegram/transaction.py)."""

import base64
import hashlib
import hmac
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib.tgauth.clock import CLOCK_SKEW
from lib.tgauth.errors import MalformedRequest
from lib.tgauth.keys import Signer, keys_of
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram.transaction import LIFETIME, Transaction, begin, resume
from lib.tgauth.web.return_to import MAX_LENGTH, require_return_to
from tests.unit.telegram.proofs import NOW, base64url

OLD, NEW = "o" * 32, "n" * 32
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def settings(secret=NEW, **env):
    return read_settings({"TELEGRAM_BOT_TOKEN": "123456789:AAE-test", "AUTH_SECRET": secret, **env})


HERE = settings()


def begun(return_to="/", *, now=NOW, at=HERE):
    return begin(at, return_to=return_to, now=now)


def resumed(value, *, now=NOW, at=HERE):
    return resume(value, at, now=now)


def signed(value, *, at=HERE):
    """A cookie of any content under the genuine signature."""
    return keys_of(at).transaction.sign(value)


TRANSACTION, COOKIE = begun("/account?tab=1")


def test_what_was_begun_is_resumed():
    """The cookie gives back the same transaction: state, time, way back, verifier and nonce."""
    found = resumed(COOKIE)
    assert found == TRANSACTION
    assert (found.started_at, found.return_to) == (NOW, "/account?tab=1")
    assert (found.verifier, found.challenge, found.nonce) == (
        TRANSACTION.verifier,
        TRANSACTION.challenge,
        TRANSACTION.nonce,
    )


def test_the_cookie_has_one_form():
    """State, whole seconds, the path as it is and a signature of one spelling, all fit for a cookie."""
    transaction, cookie = begun("/a?b=c&d=%2F", now=NOW + 0.9)
    state, started_at, rest = cookie.split(".", 2)
    assert (state, started_at) == (transaction.state, str(NOW))
    assert re.fullmatch(r"/a\?b=c&d=%2F\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", rest)
    assert transaction.started_at == NOW


def test_the_state_cannot_be_guessed():
    """A state has 144 random bits, and no two logins share one or anything derived from it."""
    found = [begun()[0] for _ in range(300)]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{24}", transaction.state) for transaction in found)
    for name in ("state", "verifier", "challenge", "nonce"):
        assert len({getattr(transaction, name) for transaction in found}) == 300
    # Every one of the 24 places is random, to the last.
    assert all(len({transaction.state[place] for transaction in found}) > 40 for place in range(24))


def test_verifier_and_nonce_are_the_servers_secret():
    """The verifier is PKCE's 43 unreserved characters; who sees cookie, nonce or challenge has no other."""
    transaction, cookie = begun()
    for text in (transaction.verifier, transaction.challenge, transaction.nonce):
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", text)
    parts = [transaction.state, transaction.verifier, transaction.challenge, transaction.nonce]
    assert len(set(parts)) == 4
    assert not any(part in cookie for part in parts[1:])
    # None of them follows from what the browser has.
    for known in (transaction.state, transaction.nonce, cookie, cookie.rpartition(".")[2]):
        digest = base64url(hashlib.sha256(known.encode()).digest())
        assert digest not in (transaction.verifier, transaction.challenge, transaction.nonce)


def test_the_challenge_is_s256_of_the_verifier(monkeypatch):
    """BASE64URL(SHA-256(verifier)), as RFC 7636 §4.2 says and its appendix B calculates."""
    digest = hashlib.sha256(TRANSACTION.verifier.encode("ascii")).digest()
    assert base64.urlsafe_b64decode(TRANSACTION.challenge + "=") == digest
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    monkeypatch.setattr(Transaction, "verifier", property(lambda _: verifier))
    assert TRANSACTION.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_how_the_secrets_are_derived():
    """HMAC-SHA256 of purpose and state; another form would end the logins that are under way at a deploy."""
    key = keys_of(HERE).transaction_secrets[0]
    for purpose in ("verifier", "nonce"):
        digest = hmac.digest(key, f"{purpose}|{TRANSACTION.state}".encode(), "sha256")
        expected = base64url(digest)
        assert getattr(TRANSACTION, purpose) == expected


@pytest.mark.parametrize(
    ("age", "good"),
    [
        (-3600, False),
        (-CLOCK_SKEW - 1, False),
        (-CLOCK_SKEW, True),
        (-CLOCK_SKEW + 1, True),
        (0, True),
        (599, True),
        (599.9, True),
        (600, False),
        (601, False),
        (10**9, False),
    ],
)
def test_age(age, good):
    """A login can be finished for ten minutes, and by an instance whose clock is up to a minute behind."""
    assert LIFETIME == 600
    assert (resumed(COOKIE, now=NOW + age) is not None) == good


def test_the_proof_is_of_the_time_it_began():
    """A login by code is remembered by its state, once, for longer than its cookie can come back."""
    proof = TRANSACTION.proof
    assert (proof.method, proof.check_string) == ("oidc", f"state={TRANSACTION.state}")
    assert (proof.issued_at, proof.one_time) == (NOW, True)
    assert begun()[0].proof.check_string != proof.check_string
    # From wherever in its life it is spent, at the instance whose clock is most behind.
    assert proof.window >= LIFETIME + CLOCK_SKEW


def test_every_changed_character_is_refused():
    """A cookie with one character changed, added or taken away, wherever it is, resumes nothing."""
    for position, genuine in enumerate(COOKIE):
        assert resumed(COOKIE[:position] + COOKIE[position + 1 :]) is None
        for character in "AZaz059-_./?=+ \n\x00é\u0661\uff11\ud800":
            if character != genuine:
                assert resumed(COOKIE[:position] + character + COOKIE[position + 1 :]) is None
            assert resumed(COOKIE[:position] + character + COOKIE[position:]) is None


@pytest.mark.parametrize("extra", ["\n", "\r\n", " ", "=", "==", ".", "\x00", "A", "é", "\u0661", '"', ";"])
def test_nothing_stands_around_it(extra):
    """Neither before nor after a cookie may anything stand, not even a line feed."""
    assert resumed(COOKIE + extra) is None
    assert resumed(extra + COOKIE) is None


def test_the_signature_has_one_spelling():
    """Of all last characters that decode to the same bytes only one is taken."""
    assert [tail for tail in ALPHABET if resumed(COOKIE[:-1] + tail)] == [COOKIE[-1]]


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "...",
        "x",
        "A" * 24,
        f"{'A' * 24}.{NOW}",
        f"{'A' * 24}.{NOW}.",
        f"{'A' * 23}.{NOW}./",
        f"{'A' * 25}.{NOW}./",
        f"{'A' * 23}=.{NOW}./",
        f"{'A' * 23}+.{NOW}./",
        f"{'A' * 24}..{NOW}./",
        f"{'A' * 24}.0{NOW}./",
        f"{'A' * 24}.+{NOW}./",
        f"{'A' * 24}.-{NOW}./",
        f"{'A' * 24}. {NOW}./",
        f"{'A' * 24}.1_800_000_000./",
        f"{'A' * 24}.1.8e9./",
        f"{'A' * 24}.{'9' * 13}./",
        f"{'A' * 24}.{'9' * 5000}./",
        f"{'A' * 24}.0./",
        f"{'A' * 24}.{NOW}./ ",
        f"{'A' * 24}.{NOW}./\n",
        f'{"A" * 24}.{NOW}./"',
        f"{'A' * 24}.{NOW}./;a=b",
        f"{'A' * 24}.{NOW}./\\",
        f"{'A' * 24}.{NOW}./\x7f",
        # Which int() and isalnum() would take.
        f"{'A' * 24}.١٨٠٠٠٠٠٠٠٠./",
        f"{'A' * 24}.１８００００００００./",
        f"{'é' * 24}.{NOW}./",
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_signed_value_of_another_form_is_refused(value):
    """Even under the genuine signature, what `begin` would not write resumes nothing."""
    assert resumed(signed(value)) is None
    assert resumed(value) is None


def test_the_largest_cookie_is_read():
    """The longest way back that is taken at the start comes back, in far less than a cookie holds."""
    return_to = "/" + "x" * (MAX_LENGTH - 1)
    _, cookie = begun(return_to)
    assert resumed(cookie).return_to == return_to
    assert len(cookie) < 1024
    assert resumed("A" * 10**6) is None


PATH = st.text("/abcXYZ019-._~?=&+:,%2fF5cC3e", min_size=0, max_size=60).map(lambda text: "/" + text)


@given(PATH | st.text(max_size=20).map(lambda text: f"/{text}"))
@example("/")
@example("/a,b")
@example("/?q=1,2,3")
@example("/a.b?c=.1.2.")
@example("/%20")
@hypothesis_settings(max_examples=100, deadline=None)
def test_every_way_back_that_is_accepted_comes_back(return_to):
    """Whatever the start takes as `return_to` is still there, as it was, when the login ends."""
    try:
        require_return_to(return_to)
    except MalformedRequest:
        assume(False)
    transaction, cookie = begun(return_to)
    assert re.fullmatch(r"[\x21\x23-\x3a\x3c-\x5b\x5d-\x7e]+", cookie), "no text for a cookie"
    assert resumed(cookie) == transaction
    assert resumed(cookie).return_to == return_to


def test_rotation():
    """While the old entry is listed its logins go on with their own secrets; the new entry signs."""
    old = begun(at=settings(OLD))
    during = settings(f"{NEW},{OLD}")
    found = resumed(old[1], at=during)
    assert found == old[0]
    assert (found.verifier, found.nonce) == (old[0].verifier, old[0].nonce)
    transaction, cookie = begun(at=during)
    assert resumed(cookie, at=settings(NEW)) == transaction
    assert resumed(cookie, at=settings(OLD)) is None
    assert resumed(old[1], at=settings(NEW)) is None


def test_no_other_signature_is_a_transactions():
    """What is signed as a session, with the secret itself or with no key resumes nothing."""
    keys, value = keys_of(HERE), COOKIE.rpartition(".")[0]
    for signer in (
        keys.session,
        keys.degraded,
        Signer(NEW.encode()),
        Signer(b""),
        Signer(keys.transaction_secrets[0]),
        Signer(keys.masks[0]),
    ):
        assert resumed(signer.sign(value)) is None
    assert resumed(keys.transaction.sign(value)) == TRANSACTION


def test_nothing_shows_the_secrets():
    """A printed transaction, as a debugger or an error tracker shows it, has no key, verifier or nonce."""
    shown = f"{TRANSACTION!r} {TRANSACTION}"
    key = keys_of(HERE).transaction_secrets[0]
    for secret in (TRANSACTION.verifier, TRANSACTION.nonce, key.hex(), repr(key), str(key), NEW):
        assert secret not in shown


@given(
    st.text()
    | st.builds(
        lambda state, signature: f"{base64url(state)}.{NOW}./.{base64url(signature)}",
        st.binary(min_size=18, max_size=18),
        st.binary(min_size=32, max_size=32),
    )
)
@hypothesis_settings(max_examples=150, deadline=None)
def test_it_cannot_be_made_up(text):
    """No text resumes anything, even of the right form, and none breaks anything."""
    assert resumed(text) is None
