"""The `user` field of initData (lib/tgauth/telegram/webapp_user.py)."""

import json

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib.tgauth.errors import LoginRejected
from lib.tgauth.telegram.webapp_user import parse_user
from lib.tgauth.user import TelegramUser


def test_every_known_field_is_read():
    """All that a session keeps of a user is read from Telegram's JSON, escapes included."""
    text = (
        '{"id":279058397,"is_bot":false,"first_name":"Vladislav + - ? \\/","last_name":"\\ud83c\\uddfa",'
        '"username":"vdkfrost","language_code":"ru","is_premium":true,"allows_write_to_pm":false,'
        '"added_to_attachment_menu":true,"photo_url":"https:\\/\\/t.me\\/i\\/userpic\\/320\\/a.svg"}'
    )
    assert parse_user(text) == TelegramUser(
        id=279058397,
        first_name="Vladislav + - ? /",
        last_name="\U0001f1fa",
        username="vdkfrost",
        photo_url="https://t.me/i/userpic/320/a.svg",
        language_code="ru",
        is_premium=True,
        allows_write_to_pm=False,
    )


def test_what_is_not_there_is_none():
    """Only the id is needed; what Telegram does not say is None and is not shown."""
    user = parse_user('{"id":1,"first_name":"A"}')
    assert user == TelegramUser(id=1, first_name="A")
    assert user.to_json() == {"id": 1, "first_name": "A"}


@pytest.mark.parametrize("name", ["", ',"first_name":""', ',"first_name":null', ',"first_name":false'])
def test_people_without_a_first_name(name):
    """Some accounts have an empty one: however Telegram's JSON says so, it is an empty text here."""
    user = parse_user(f'{{"id":1,"last_name":"B"{name}}}')
    assert user == TelegramUser(id=1, first_name="", last_name="B")
    assert user.to_json()["first_name"] == ""


def test_id_may_be_digits_in_quotes():
    """An id in quotes is the same account as the number."""
    assert parse_user('{"id":"123456789","first_name":"A"}').id == 123456789


def test_unknown_fields_do_no_harm():
    """Telegram may add fields of any type."""
    assert parse_user('{"id":1,"first_name":"A","new":{"a":[1,null,{"b":2.5}]}}').id == 1


@pytest.mark.parametrize("value", [2**52, 10**400, 1.0, float("inf"), float("nan"), " 1", "1_7", True, [1]])
def test_another_id_is_refused(value):
    """What is no whole number of 1 to 52 bits, or the plain digits of one, is nobody's id."""
    with pytest.raises(LoginRejected):
        parse_user(json.dumps({"id": value, "first_name": "A"}))


def test_id_of_more_digits_than_python_writes():
    """JSON has no end of digits, and Python writes no number of more than 4,300."""
    with pytest.raises(LoginRejected):
        parse_user('{"id":1%s,"first_name":"A"}' % ("0" * 5000))


TEXTS = pytest.mark.parametrize("name", ["first_name", "last_name", "username", "photo_url", "language_code"])
NOBODY = TelegramUser(id=1, first_name="")


@TEXTS
def test_text_is_text(name):
    """A name of another JSON type is left out, not turned into text, and is no reason to refuse the login."""
    for value in (1, 1.5, True, False, None, "", [], {}, ["a"]):
        assert parse_user(json.dumps({"id": 1, name: value})) == NOBODY, value


@pytest.mark.parametrize("name", ["is_premium", "allows_write_to_pm"])
def test_a_flag_is_true_or_false(name):
    """What is neither is left out, and is no reason to refuse the login."""
    for value in ("", "true", 1, 0, 1.0, None, [], {}, [True]):
        assert parse_user(json.dumps({"id": 1, name: value})) == NOBODY, value


@TEXTS
def test_half_a_surrogate_pair_is_left_out(name):
    """Text that has no UTF-8, which no store and no answer could carry, counts as absent."""
    for text in ("\ud800", "\udfff", "a\ud83cb", "\ude00\ud83d"):
        assert parse_user(json.dumps({"id": 1, name: text})) == NOBODY, ascii(text)


@TEXTS
def test_every_character_but_two_is_kept(name):
    """U+000A and U+0000 become spaces; all others, control and invisible characters too, come through."""
    for character in (
        *map(chr, range(1, 0xA1)),
        "\u200b",
        "\u202e",
        "\u2028",
        "\u3164",
        "\ufeff",
        "\U0001f98a",
    ):
        user = parse_user(json.dumps({"id": 1, name: f"a{character}b"}))
        assert getattr(user, name) == ("a b" if character == "\n" else f"a{character}b")
    assert getattr(parse_user(f'{{"id":1,"{name}":"a\\u0000b"}}'), name) == "a b"


def test_only_what_a_mini_app_says_of_a_user_is_taken():
    """A phone number and a subject are OpenID Connect's, and come by no other way."""
    user = parse_user('{"id":1,"first_name":"A","phone_number":"88800000001","sub":"1"}')
    assert (user.phone_number, user.sub) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "null",
        "true",
        "1",
        '"A"',
        "[]",
        "[{}]",
        "{",
        "{}}",
        "NaN",
        '{"id":1,"first_name":"A"},',
        '\ufeff{"id":1,"first_name":"A"}',
        "'a'",
    ],
)
def test_what_is_no_object_is_refused(text):
    """Anything but one JSON object is refused."""
    with pytest.raises(LoginRejected):
        parse_user(text)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [300, 5_000, 100_000])
def test_deep_nesting_is_refused(opening, depth):
    """Nesting of any depth never exhausts the stack."""
    with pytest.raises(LoginRejected):
        parse_user('{"id":1,"first_name":"A","x":' + opening * depth)
    closing = "]" if opening == "[" else "}"
    with pytest.raises(LoginRejected):
        parse_user('{"id":1,"first_name":"A","x":' + opening * 100_000 + "1" + closing * 100_000 + "}")


@given(st.text() | st.text('{}[]":,0123456789eE.-\\u truefalsn'))
@example('{"id":1,"first_name":"\\u0000"}')
@example("\x00")
@hypothesis_settings(max_examples=100, deadline=None)
def test_any_text_is_a_user_or_refused(text):
    """No text at all makes the parser raise anything but the refusal."""
    try:
        user = parse_user(text)
    except LoginRejected:
        return
    assert int(json.loads(text)["id"]) == user.id
