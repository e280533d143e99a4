"""What the store keeps of a session (lib/tgauth/sessions/record.py)."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib.tgauth.sessions.record import _USER_KEYS, Record, load
from lib.tgauth.user import TelegramUser

NOW = 1_800_000_000
USER = TelegramUser(
    279058397, "Анна", "O'Neil", "anna_n", "https://t.me/a.svg", "ru", True, False, "12341234", "88800000001"
)
RECORD = Record(USER, NOW, "widget", "cookie", "Firefox", "DE", NOW - 5, "AAAAAAAAAAAAAAAAAAAAAAA")

# A login leaves neither in a name.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\n\0")
TEXT = st.text(CHARACTERS, max_size=70)
OPTIONAL = st.none() | st.text(CHARACTERS, min_size=1, max_size=70)
USERS = st.builds(
    TelegramUser,
    st.integers(1, 2**52 - 1),
    TEXT,
    OPTIONAL,
    OPTIONAL,
    OPTIONAL,
    OPTIONAL,
    st.none() | st.booleans(),
    st.none() | st.booleans(),
    OPTIONAL,
    OPTIONAL,
)
RECORDS = st.builds(
    Record,
    USERS,
    st.integers(0, 2**40 - 1),
    st.sampled_from(["widget", "webapp", "oidc"]),
    st.sampled_from(["cookie", "bearer"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.sampled_from(["", "DE", "RU"]),
    st.integers(0, 2**40 - 1),
    st.text("AZaz09-_", min_size=23, max_size=23),
)


@given(RECORDS)
@example(RECORD)
@hypothesis_settings(max_examples=60, deadline=None)
def test_a_record_comes_back_as_it_was(record):
    """Every record that we write is read back exactly."""
    assert load(record.dump(), record.user.id) == record


def test_what_is_written():
    """The store gets short keys, no white space and plain UTF-8, in particular no id and no token."""
    assert RECORD.dump() == (
        '{"f":"Анна","l":"O\'Neil","u":"anna_n","p":"https://t.me/a.svg","g":"ru","v":true,"w":false,'
        '"s":"12341234","h":"88800000001","c":1800000000,"m":"widget","t":"cookie","a":"Firefox","y":"DE","at":1799999995,'
        '"n":"AAAAAAAAAAAAAAAAAAAAAAA"}'
    )


def test_what_is_empty_is_left_out():
    """What is not known takes no room; false and zero are known."""
    user = TelegramUser(1, "", last_name="", is_premium=False)
    record = RECORD._replace(user=user, user_agent="", country="", proof_at=0)
    held = json.loads(record.dump())
    assert held == {"v": False, "c": NOW, "m": "widget", "t": "cookie", "at": 0, "n": RECORD.n}
    assert load(record.dump(), 1) == record._replace(user=replace(user, last_name=None))


def test_the_user_agent_is_cut():
    """A user agent is kept to 200 characters, however long the header was."""
    long = RECORD._replace(user_agent="x" * 100_000)
    assert load(long.dump(), USER.id).user_agent == "x" * 200


def test_the_owner_is_whom_the_key_names():
    """The id comes from the key that the record was found under, whatever the record says."""
    text = json.dumps({**json.loads(RECORD.dump()), "id": 1, "i": 2})
    assert load(text, 42).user.id == 42


@given(RECORDS.map(lambda record: record._replace(user_agent=record.user_agent * 3)))
@hypothesis_settings(max_examples=60, deadline=None)
def test_shortened_is_bounded_and_settles(record):
    """A shortened record keeps who and when, has no photo, bounded text, and cannot get any shorter."""
    short = record.shortened()
    assert short.shortened() == short
    assert short.user.photo_url is None
    assert len(short.user.first_name) <= 64
    assert len(short.user.last_name or "") <= 64
    assert len(short.user.username or "") <= 32
    assert len(short.user_agent) <= 80
    assert record.user.first_name.startswith(short.user.first_name)
    for name in ("created_at", "method", "transport", "proof_at", "n"):
        assert getattr(short, name) == getattr(record, name)
    assert (short.user.id, short.user.is_premium) == (record.user.id, record.user.is_premium)


def test_records_from_before_there_was_a_subject():
    """A record that an earlier version wrote, without subject and phone number, is still a session."""
    held = {key: value for key, value in json.loads(RECORD.dump()).items() if key not in ("s", "h")}
    assert load(json.dumps(held), USER.id) == RECORD._replace(user=replace(USER, sub=None, phone_number=None))


def test_shortened_leaves_what_telegram_allows():
    """Names, subject and phone number of Telegram's own length come through whole."""
    user = replace(USER, first_name="я" * 64, last_name="😀" * 64, username="u" * 32)
    user = replace(user, sub="9" * 20, phone_number="9" * 15)
    short = RECORD._replace(user=user).shortened()
    assert short.user == replace(user, photo_url=None)


GOOD = json.loads(RECORD.dump())


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "null",
        "true",
        "1",
        '"x"',
        "[]",
        "[1]",
        "{}",
        "{",
        "\x00",
        RECORD.dump()[:-1],
        RECORD.dump() + "x",
        "[" * 200_000,
        '{"a":' * 200_000,
        "9" * 5000,
        "\ud800",
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_what_is_no_record_is_none(text):
    """What is no record is no session, and never an error."""
    assert load(text, 1) is None


@pytest.mark.parametrize("key", ["c", "m", "t", "at"])
def test_a_record_without_a_needed_value_is_none(key):
    """A record without its times, method or transport is none."""
    assert load(json.dumps({k: v for k, v in GOOD.items() if k != key}), 1) is None


@pytest.mark.parametrize("key", ["m", "t"])
@pytest.mark.parametrize("value", ["", "other", "Cookie", None, True, 1, [], {}, ["cookie"]], ids=repr)
def test_unknown_method_or_transport_is_none(key, value):
    """A record of a method or transport that this version does not know is none."""
    assert load(json.dumps({**GOOD, key: value}), 1) is None


@pytest.mark.parametrize("key", ["c", "at"])
@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN", "1e999", "null", '"x"', "[]", "9" * 5000])
def test_a_time_that_is_none(key, value):
    """A record whose time is no number, or an endless one, is none."""
    text = json.dumps({**GOOD, key: "TIME"}).replace('"TIME"', value)
    assert load(text, 1) is None


TYPES = {
    "n": str,
    "f": str,
    "a": str,
    "y": str,
    "l": str | None,
    "u": str | None,
    "p": str | None,
    "g": str | None,
    "s": str | None,
    "h": str | None,
    "v": bool | None,
    "w": bool | None,
}


@pytest.mark.parametrize("key", TYPES)
def test_values_are_of_their_types(key):
    """Whatever a damaged record holds, no list or number ever stands where the API says text."""
    names = {"n": "n", "a": "user_agent", "y": "country"}
    for value in (5, 1.5, "x", True, None, [1], {"a": 1}):
        record = load(json.dumps({**GOOD, key: value}), 1)
        if record is not None:
            found = getattr(record, names[key]) if key in names else getattr(record.user, _USER_KEYS[key])
            assert isinstance(found, TYPES[key]), value


def test_a_secret_that_cannot_be_compared():
    """A record whose `n` is not ASCII, which hmac.compare_digest does not take, is none."""
    assert load(json.dumps({**GOOD, "n": "é" * 23}), 1) is None


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["widget", "webapp", "oidc", "cookie", "bearer"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@given(st.text() | ANY_JSON.map(json.dumps))
@hypothesis_settings(max_examples=60, deadline=None)
def test_load_never_raises(text):
    """No text and no JSON makes reading a record fail."""
    assert load(text, 1) is None


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), ANY_JSON, max_size=3))
@example({"c": float("inf")})
@hypothesis_settings(max_examples=100, deadline=None)
def test_load_never_raises_on_a_damaged_record(damage):
    """A record with any of its values replaced is read, or is none; and is written again if it is read."""
    record = load(json.dumps({**GOOD, **damage}), 1)
    if record is not None:
        assert isinstance(record.n, str)
        assert isinstance(record.created_at, int)
        json.loads(record.dump())


def test_every_field_of_a_user_has_a_place():
    """A new field of TelegramUser must be kept too, or verify would forget what login said."""
    assert all(getattr(USER, field.name) is not None for field in fields(TelegramUser))
    assert load(RECORD.dump(), USER.id).user == USER
