"""Sessions without a shared store (lib/tgauth/sessions/degraded.py)."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib.tgauth.clock import DAY
from lib.tgauth.errors import InvalidSession
from lib.tgauth.keys import keys_of
from lib.tgauth.sessions.degraded import MAX_TOKEN, Ended, lifetime, seal, unseal
from lib.tgauth.sessions.issuer import Issuer
from lib.tgauth.sessions.record import Record
from lib.tgauth.sessions.token import Claims, derived_slot, random_n, random_slot
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram import id_token
from lib.tgauth.user import TelegramUser

NOW = 1_800_000_000
OLD, NEW = "o" * 32, "n" * 32
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# A login leaves neither in a name.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\0"), max_size=64)


def settings(secret=NEW, **env):
    """The settings of a deployment without a store."""
    return read_settings({"TELEGRAM_BOT_TOKEN": "1:AAE", "AUTH_SECRET": secret, **env})


KEYS = keys_of(settings())
USER = TelegramUser(279058397, "Анна", "O'Neil", "anna_n", language_code="ru", is_premium=True)
RECORD = Record(USER, NOW, "widget", "cookie", "Firefox", "DE", NOW - 5, random_n())
SLOT = random_slot("cookie")
TOKEN = seal(USER.id, SLOT, RECORD, KEYS)


def encoded(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_token_is_the_session():
    """The token alone gives back owner, slot and record."""
    assert unseal(TOKEN, KEYS) == (Claims(USER.id, SLOT, NOW, RECORD.n), RECORD)
    assert re.fullmatch(r"tg0_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", TOKEN)
    assert seal(USER.id, SLOT, RECORD, KEYS) == TOKEN


@given(
    user_id=st.integers(1, 2**52 - 1),
    names=st.tuples(TEXT, TEXT, TEXT),
    agent=st.text(st.characters(max_codepoint=255), max_size=400),
    transport=st.sampled_from(["cookie", "bearer"]),
)
@example(1, ("|", "a|b|c", ""), "|", "cookie")
@example(1, ("\x01", "\u2028", "😀" * 64), "\xff" * 400, "bearer")
@hypothesis_settings(max_examples=50, deadline=None)
def test_any_profile_comes_back_as_it_was(user_id, names, agent, transport):
    """Whatever is in names and user agent, the shortened record comes back as the store would hold it."""
    first, last, username = names
    user = TelegramUser(user_id, first, last or None, username[:32] or None)
    record = Record(user, NOW, "webapp", transport, agent, "DE", NOW, random_n()).shortened()
    found = unseal(seal(user_id, SLOT, record, KEYS), KEYS)
    assert found == (Claims(user_id, SLOT, NOW, record.n), record)


CHARACTERS = ['"', "\\", "\x01", "\x1f", "\x7f", "я", "\u2028", "\uffff", "😀", "|"]
"""What takes much room in JSON, or means something in a token."""


@pytest.mark.parametrize("length", [64, 10_000])
def test_the_longest_token(length):
    """The worst profile that Telegram or a browser can send makes a token that a cookie holds and we take."""
    issuer = Issuer(settings())
    for character in (*CHARACTERS, "e\u0301"):
        text = character * length
        user = TelegramUser(2**52 - 1, text, text, text, f"https://t.me/{text}", text, is_premium=True)
        user = replace(user, allows_write_to_pm=False)
        record = Record(user, NOW, "webapp", "bearer", text, text, NOW, random_n()).shortened()
        sealed = issuer.issue(SLOT, record)
        assert len(sealed.encode()) <= MAX_TOKEN, ascii(character)
        claims, carried = issuer.open(sealed, NOW)
        assert (claims.user_id, carried) == (2**52 - 1, record)
        assert carried.user.photo_url is None


def claimed(sub, phone_number):
    """Subject and phone number as an id_token can bring them, or None where it is refused for them."""
    claims = {
        "iss": "x",
        "aud": "1",
        "iat": NOW,
        "exp": NOW,
        "id": 1,
        "sub": sub,
        "phone_number": phone_number,
    }
    try:
        found = id_token.read_claims(json.dumps(claims).encode())
    except ValueError:
        return None
    return found["sub"], found["phone_number"]


@pytest.mark.parametrize("character", ["1", "x", *CHARACTERS], ids=ascii)
def test_the_longest_token_of_an_openid_login(character):
    """The largest subject and phone number that an id_token may have leave a token that a cookie holds."""
    found = claimed((character * 255)[:255], f"+{'9' * 32}")
    if found is None:
        assert not 0x20 < ord(character[0]) < 0x7F, "a subject that OpenID Connect allows"
        return
    issuer = Issuer(settings())
    for name in ("\x01", '"', "😀"):
        # OpenID Connect says neither language nor Premium.
        user = TelegramUser(2**52 - 1, name * 64, name * 64, name * 32, sub=found[0], phone_number=found[1])
        record = Record(user, NOW, "oidc", "bearer", name * 200, "DE", NOW, random_n()).shortened()
        sealed = issuer.issue(SLOT, record)
        assert len(sealed.encode()) <= MAX_TOKEN, ascii(name)
        assert issuer.open(sealed, NOW)[1] == record


def test_every_changed_character_is_refused():
    """A token with one character changed, wherever it is, opens nothing."""
    for position, genuine in enumerate(TOKEN):
        for character in "AZaz059-_.=+ \n\x00é":
            if character != genuine:
                changed = TOKEN[:position] + character + TOKEN[position + 1 :]
                assert unseal(changed, KEYS) is None, ascii(changed)


def test_other_spellings_are_refused():
    """Other base64 tails of payload and signature, padding, line feeds and prefixes open nothing."""
    payload, _, signature = TOKEN[4:].partition(".")
    for tail in ALPHABET:
        for changed in (f"tg0_{payload[:-1]}{tail}.{signature}", TOKEN[:-1] + tail):
            assert changed == TOKEN or unseal(changed, KEYS) is None
    for changed in (
        f"tg0_{payload}=.{signature}",
        f"tg0_{payload}==.{signature}",
        TOKEN + "=",
        TOKEN + "\n",
        " " + TOKEN,
        "tg1_" + TOKEN[4:],
        "TG0_" + TOKEN[4:],
        TOKEN[4:],
        f"tg0_.{signature}",
        f"tg0_{payload}.",
        f"tg0_{payload}",
        "",
        "tg0_",
        "tg0_" + "A" * 10**6,
        "\ud800",
    ):
        assert unseal(changed, KEYS) is None


def test_too_long_is_refused_unread():
    """A token over the limit opens nothing, though it is signed."""
    for extra in (MAX_TOKEN - 47, 10**5):
        assert unseal(KEYS.degraded.sign("tg0_" + "A" * extra), KEYS) is None


def in_form(payload, signature):
    """A text of a token's form."""
    return f"tg0_{encoded(payload)}.{encoded(signature)}"


@given(st.text() | st.builds(in_form, st.binary(min_size=1), st.binary(min_size=32, max_size=32)))
@hypothesis_settings(max_examples=50, deadline=None)
def test_a_token_cannot_be_made_up(text):
    """No text opens anything, even of the right form."""
    assert unseal(text, KEYS) is None


def test_a_signature_of_another_purpose_is_refused():
    """The same payload signed for shared sessions, or with the raw secret as key, opens nothing."""
    value = TOKEN.partition(".")[0]
    for signer in (KEYS.session, type(KEYS.session)(NEW.encode())):
        assert unseal(signer.sign(value), KEYS) is None


@pytest.mark.parametrize("held", ["{}", "[]", "", "null", '{"c":1}', '{"m":"other"}'])
def test_a_signed_token_without_record_is_none(held):
    """A genuine signature over something that is no record opens nothing."""
    value = encoded(f"1|{SLOT}|{held}".encode())
    assert unseal(KEYS.degraded.sign(f"tg0_{value}"), KEYS) is None


@pytest.mark.parametrize("env", [{"VERCEL_ENV": "preview"}, {"TELEGRAM_BOT_TOKEN": "2:AAE"}], ids=str)
def test_a_token_is_of_one_environment_and_bot(env):
    """A token of another environment or bot opens nothing here, with the same secret."""
    assert unseal(TOKEN, keys_of(settings(**env))) is None


def test_rotation():
    """While the old secret is still listed its tokens work; the newest signs; then they are gone."""
    old = seal(USER.id, SLOT, RECORD, keys_of(settings(OLD)))
    during = Issuer(settings(f"{NEW},{OLD}"))
    assert during.open(old, NOW) == during.open(TOKEN, NOW)
    assert during.issue(SLOT, RECORD) == TOKEN
    with pytest.raises(InvalidSession):
        Issuer(settings(NEW)).open(old, NOW)


def test_the_token_holds_no_photo_and_nothing_more_than_the_record():
    """The payload is the owner, the slot and the record, for anybody to read, and no more."""
    payload = TOKEN[4:].partition(".")[0]
    user_id, slot, held = urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode().split("|", 2)
    assert (user_id, slot) == (str(USER.id), SLOT)
    assert set(json.loads(held)) == {"f", "l", "u", "g", "v", "c", "m", "t", "a", "y", "at", "n"}


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, DAY),
        ({"SESSION_TTL": "3600"}, 3600),
        ({"SESSION_MAX_AGE": "1800"}, 1800),
        ({"SESSION_TTL": "3600", "SESSION_MAX_AGE": "1800"}, 1800),
        ({"SESSION_TTL": str(2 * DAY)}, DAY),
    ],
    ids=str,
)
def test_lifetime(env, expected):
    """A degraded token works for a day from its issue, or less if the settings say so."""
    assert lifetime(settings(**env)) == expected
    issuer = Issuer(settings(**env))
    issuer.open(TOKEN, NOW + expected - 1)
    with pytest.raises(InvalidSession):
        issuer.open(TOKEN, NOW + expected)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, DAY),
        ({"MINI_APP_TTL": "3600"}, 3600),
        ({"MINI_APP_TTL": "3600", "SESSION_TTL": "1800"}, 1800),
        ({"MINI_APP_TTL": str(2 * DAY)}, DAY),
    ],
    ids=str,
)
def test_lifetime_of_a_mini_app(env, expected):
    """A Mini App's degraded token works for MINI_APP_TTL from its issue, and no longer than others."""
    issuer = Issuer(settings(**env))
    slot = derived_slot("bearer", "init data")
    token = seal(USER.id, slot, RECORD, KEYS)
    assert issuer.idle(slot) == expected
    issuer.open(token, NOW + expected - 1)
    with pytest.raises(InvalidSession):
        issuer.open(token, NOW + expected)


def test_an_ended_token_stays_dead():
    """A token that was ended here is known until it would end by itself; others are not touched."""
    issuer = Issuer(settings())
    other = RECORD._replace(n=random_n())
    issuer.remember_end(RECORD.n, NOW)
    for now in (NOW, NOW + 3600, NOW + DAY - 1):
        assert issuer.remembers_end(RECORD.n, now)
        assert not issuer.remembers_end(other.n, now)


def test_what_has_ended_is_kept_to_the_tokens_end():
    """What has ended is kept to the token's end, and then forgotten."""
    ended = Ended()
    ended.add("a", NOW + 10)
    ended.add("b", NOW + 20)
    assert ended.covers("a", NOW + 10)
    assert not ended.covers("a", NOW + 11)
    assert ended.covers("b", NOW + 20)
    assert not ended.covers("b", NOW + 21)
    assert not ended.covers("c", NOW)


def test_ended_in_any_order():
    """A token that ends later does not lose its tombstone to one that was added before it and ends sooner."""
    ended = Ended()
    ended.add("late", NOW + 100)
    ended.add("soon", NOW + 1)
    assert not ended.covers("other", NOW + 50)
    assert ended.covers("late", NOW + 50)


def test_ended_are_bounded(capsys):
    """Over its limit the oldest goes, and the owner's log says so, without the token's secret."""
    ended = Ended(limit=3)
    for n in ("canary1", "canary2", "canary3"):
        ended.add(n, NOW + 100)
    assert capsys.readouterr().out == ""
    ended.add("canary4", NOW + 100)
    assert [n for n in "1234" if ended.covers(f"canary{n}", NOW)] == ["2", "3", "4"]
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["event"] == "ended_sessions_forgotten"
    assert "canary" not in line


def test_ending_twice_takes_one_place():
    """A token that is ended again does not push another out."""
    ended = Ended(limit=2)
    ended.add("a", NOW + 100)
    for _ in range(5):
        ended.add("b", NOW + 100)
    assert ended.covers("a", NOW)
    assert ended.covers("b", NOW)


def test_expired_ended_make_room(capsys):
    """A tombstone that nobody needs any more is not counted, so none that counts is dropped for it."""
    ended = Ended(limit=2)
    ended.add("a", NOW + 1)
    ended.add("b", NOW + 100)
    assert not ended.covers("a", NOW + 50)
    ended.add("c", NOW + 100)
    assert ended.covers("b", NOW + 50)
    assert ended.covers("c", NOW + 50)
    assert capsys.readouterr().out == ""
