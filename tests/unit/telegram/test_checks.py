"""What the proofs have in common (lib/tgauth/telegram/checks.py)."""

import hmac

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib.tgauth.clock import CLOCK_SKEW
from lib.tgauth.errors import LoginRejected, LoginStale, MalformedRequest
from lib.tgauth.telegram.checks import data_check_string, require_bot_token, require_fresh, require_mac
from lib.tgauth.user import is_user_id, read_user_id
from tests.unit.telegram.proofs import BOT_TOKEN, NOT_NUMBERS, NOW

KEY = b"k" * 32
MESSAGE = "auth_date=1\nid=2"
MAC = hmac.new(KEY, MESSAGE.encode(), "sha256").hexdigest()


@pytest.mark.parametrize(
    "token",
    [
        "",
        " ",
        ":",
        "123456",
        "123456:",
        ":AAE",
        "0123:AAE",
        "123456:AAE\n",
        " 123456:AAE",
        "123456:AA E",
        "123456:AAÉ",
        "١٢٣:AAE",
        "1" * 21 + ":AAE",
        "123456:AAE:AAE",
    ],
)
def test_no_bot_token_no_key(token):
    """What is no bot token, the empty one above all, is never made a key of."""
    with pytest.raises(ValueError, match=r"^the bot token is empty or malformed$"):
        require_bot_token(token)


def test_bot_token_is_its_bytes():
    """A bot token is the key material exactly as @BotFather gave it."""
    assert require_bot_token(BOT_TOKEN) == BOT_TOKEN.encode()


@pytest.mark.parametrize("name", NOT_NUMBERS)
def test_ids_are_plain_digits(name):
    """Only ASCII digits without sign, space or leading zero are an id, whatever int() takes."""
    assert not is_user_id(NOT_NUMBERS[name])
    assert read_user_id(NOT_NUMBERS[name]) is None


@pytest.mark.parametrize(
    "value",
    [0, -1, 2**52, 2**64, 10**5000, 17.0, 1e3, True, False, None, [17], {}, "17\n", str(2**52)],
    ids=type,
)
def test_an_id_in_json_is_a_number_or_its_digits(value):
    """A number of at most 52 bits and its plain digits are an id, and nothing else in JSON is."""
    assert read_user_id(value) is None
    for found in (1, 17, 2**31, 2**32, 2**52 - 1):
        assert read_user_id(found) == read_user_id(str(found)) == found


def test_check_string_is_sorted_lines():
    """The check string is the fields as `key=value`, by key, between line feeds, with none at the end."""
    assert data_check_string({"id": "1", "auth_date": "2", "a": "", "hash_": "é=é"}) == (
        "a=\nauth_date=2\nhash_=é=é\nid=1"
    )
    assert data_check_string({}) == ""


@pytest.mark.parametrize("character", [*"\0\t\n\r\x1f\x7f\x80\x85\x9f", "\udfff", "=", "\u2028"], ids=ascii)
@pytest.mark.parametrize("place", ["key", "value"])
def test_check_string_refuses_what_would_make_it_ambiguous(character, place):
    """A line feed, half a surrogate pair, and "=" in a key are refused; all other characters are names."""
    text = f"x{character}y"
    fields = {text: "1"} if place == "key" else {"b": text}
    if character in "\n\udfff" or (place, character) == ("key", "="):
        with pytest.raises(MalformedRequest):
            data_check_string({"a": "1", **fields})
    else:
        line = f"{text}=1" if place == "key" else f"b={text}"
        assert data_check_string({"a": "1", **fields}) == f"a=1\n{line}"


AMBIGUOUS = st.dictionaries(
    st.text("ab=\n", max_size=3), st.text("ab=\n", max_size=4), min_size=1, max_size=3
)


@given(AMBIGUOUS, AMBIGUOUS)
@example({"a": "=b"}, {"a=": "b"})
@example({"": "a"}, {"=a": ""})
@example({"a": "1\nb=2"}, {"a": "1", "b": "2"})
@hypothesis_settings(max_examples=200, deadline=None)
def test_two_sets_of_fields_have_two_check_strings(one, other):
    """No two sets of fields share a check string, so a MAC vouches for one of them only."""
    try:
        same = data_check_string(one) == data_check_string(other)
    except MalformedRequest:
        assert "\n" in "".join([*one.values(), *other.values()]) or {"=", "\n"} & set("".join([*one, *other]))
    else:
        assert same == (one == other)


def test_mac_is_accepted():
    """The lower-case hex HMAC-SHA256 of a message passes, and says which of several messages it is of."""
    assert require_mac(KEY, [MESSAGE], MAC) == MESSAGE
    assert require_mac(KEY, ["other", MESSAGE, "more"], MAC) == MESSAGE


def test_no_message_is_made_for_nothing():
    """Once the message is found, those behind it are not looked at, which could be no messages at all."""

    def messages():
        yield MESSAGE
        raise AssertionError

    assert require_mac(KEY, messages(), MAC) == MESSAGE
    with pytest.raises(LoginRejected):
        require_mac(KEY, [], MAC)


def test_every_digit_of_the_mac_counts():
    """A MAC with any one digit changed to any other is refused."""
    for position, genuine in enumerate(MAC):
        for digit in set("0123456789abcdef") - {genuine}:
            with pytest.raises(LoginRejected):
                require_mac(KEY, [MESSAGE], MAC[:position] + digit + MAC[position + 1 :])


@pytest.mark.parametrize(
    "presented",
    [
        "",
        MAC[:-1],
        MAC + "0",
        MAC + "\n",
        "\n" + MAC,
        MAC + " ",
        MAC.upper(),
        "0x" + MAC[2:],
        "é" * 64,
        "\ud800" * 64,
        "١" * 64,
        MAC[:-1] + "\x00",
        "g" * 64,
        MAC * 1000,
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_mac_has_one_spelling(presented):
    """Whatever is not 64 lower-case hex digits is refused like a wrong MAC, and never breaks anything."""
    with pytest.raises(LoginRejected):
        require_mac(KEY, [MESSAGE], presented)


def test_wrong_key_and_message_are_refused():
    """A MAC under another key, or over another message, is refused."""
    with pytest.raises(LoginRejected):
        require_mac(b"K" * 32, [MESSAGE], MAC)
    with pytest.raises(LoginRejected):
        require_mac(KEY, [MESSAGE + "\n"], MAC)


@pytest.mark.parametrize(
    ("age", "refused"),
    [
        (-CLOCK_SKEW - 1, LoginRejected),
        (-CLOCK_SKEW - 0.001, LoginRejected),
        (-CLOCK_SKEW, None),
        (-CLOCK_SKEW + 1, None),
        (0, None),
        (299, None),
        (300, None),
        (300.001, LoginStale),
        (301, LoginStale),
        (10 * 365 * 86400, LoginStale),
        (-(10**10), LoginRejected),
    ],
)
def test_freshness_is_exact(age, refused):
    """A proof counts from 60 s ahead of our clock to its whole age, and not a second beyond."""
    if refused is None:
        assert require_fresh(str(NOW), now=NOW + age, max_age=300) == NOW
    else:
        with pytest.raises(refused):
            require_fresh(str(NOW), now=NOW + age, max_age=300)


def test_clock_skew_is_a_minute():
    """Telegram's clock may be ahead of ours by 60 seconds."""
    assert CLOCK_SKEW == 60


@pytest.mark.parametrize("name", NOT_NUMBERS)
def test_time_is_plain_digits(name):
    """An auth_date that is no plain number is refused, even if int() would read the present in it."""
    with pytest.raises(LoginRejected):
        require_fresh(NOT_NUMBERS[name], now=17, max_age=300)


REASONS = [
    (
        lambda: data_check_string({"a": "\n"}),
        MalformedRequest,
        "line feed or half a surrogate pair in a field",
    ),
    (lambda: data_check_string({"a=": ""}), MalformedRequest, "= in the name of a field"),
    (lambda: require_mac(KEY, [MESSAGE], "x"), LoginRejected, "hash is not 64 lower-case hex digits"),
    (
        lambda: require_mac(KEY, [MESSAGE], "0" * 64),
        LoginRejected,
        "hash does not match (another bot's token, or changed data)",
    ),
    (lambda: require_fresh("x", now=NOW, max_age=1), LoginRejected, "auth_date is not a Unix time"),
    (lambda: require_fresh("9" * 12, now=NOW, max_age=1), LoginRejected, "auth_date lies in the future"),
    (lambda: require_fresh("1", now=NOW, max_age=1), LoginStale, "auth_date is too old"),
]


@pytest.mark.parametrize(("refuse", "error", "reason"), REASONS, ids=[reason for *_, reason in REASONS])
def test_the_log_says_why(refuse, error, reason):
    """The owner's log names what was wrong, in words that the guides explain."""
    with pytest.raises(error) as caught:
        refuse()
    assert type(caught.value) is error
    assert caught.value.reason == reason
