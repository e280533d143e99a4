"""The Login Widget's proof (lib/tgauth/telegram/widget.py)."""

import hashlib
import hmac
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dev.telegram.signing import sign_widget, web_app_key
from lib.tgauth.errors import LoginRejected, LoginStale, MalformedRequest, Problem
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram.widget import FIELDS, MAX_AGE, authorization_url, verify_widget
from lib.tgauth.user import TelegramUser
from tests.unit.telegram.proofs import BOT_TOKEN, JSON, NOT_NUMBERS, NOW, TEXT, WIDGET, vectors, widget


def verify(fields, *, now=NOW, **options):
    return verify_widget(fields, bot_token=BOT_TOKEN, now=now, **options)


@pytest.mark.parametrize("vector", vectors("login_widget_hmac"))
def test_published_vector(vector):
    """Every published vector gives its published result; an empty bot token is refused whatever it says."""
    fields, token = vector["fields"], vector["token"]

    def check():
        return verify_widget(fields, bot_token=token, now=int(fields["auth_date"]) + 1)

    if not token:
        with pytest.raises(ValueError, match="empty or malformed"):
            check()
    elif vector["expect"]:
        user, proof = check()
        assert user.id == int(fields["id"])
        assert (user.first_name, user.last_name) == (fields["first_name"], fields["last_name"])
        assert (user.username, user.photo_url) == (fields["username"], fields["photo_url"])
        assert proof.issued_at == int(fields["auth_date"])
    else:
        with pytest.raises(LoginRejected):
            check()


def test_whose_it_is():
    """A genuine answer gives the user it names, and a proof that logs in once."""
    user, proof = verify(widget())
    assert user == TelegramUser(
        id=WIDGET["id"],
        first_name="Анна",
        last_name="O'Neil & Sons",
        username="anna_n",
        photo_url="https://t.me/i/userpic/320/anna.jpg",
    )
    assert (proof.method, proof.issued_at, proof.one_time) == ("widget", NOW - 10, True)
    assert proof.check_string == "\n".join(f"{key}={WIDGET[key]}" for key in sorted(WIDGET))


@pytest.mark.parametrize("address", [None, "http://localhost:9000"])
def test_where_the_browser_is_sent(address):
    """To /auth of Telegram, or of the simulated one, with the bot, our origin and the way back."""
    env = {"TELEGRAM_BOT_TOKEN": BOT_TOKEN, "VERCEL_ENV": "development"}
    settings = read_settings(env | ({"TELEGRAM_OAUTH_URL": address} if address else {}))
    back = "https://tgauth.example/?state=a+b&x=ё"
    url = authorization_url(settings, origin="https://tgauth.example", return_to=back)
    start, _, query = url.partition("?")
    assert start == f"{address or 'https://oauth.telegram.org'}/auth"
    assert parse_qsl(query, strict_parsing=True) == [
        ("bot_id", BOT_TOKEN.partition(":")[0]),
        ("origin", "https://tgauth.example"),
        ("return_to", back),
    ]


def test_window_outlasts_the_proof():
    """The proof is remembered for longer than it can be presented, even when it is from the future."""
    _, proof = verify(widget(auth_date=NOW + 60))
    last_accepted = NOW + 60 + MAX_AGE
    assert NOW + proof.window >= last_accepted
    assert proof.window == MAX_AGE + 120


def test_numbers_and_digits_are_one():
    """The JavaScript callback's numbers and the redirect's text are the same login, and one proof."""
    as_text = {name: str(value) for name, value in widget().items()}
    assert verify(as_text) == verify(widget())


@given(
    user_id=st.integers(1, 2**52 - 1),
    first_name=TEXT,
    last_name=st.none() | TEXT,
    username=st.none() | TEXT,
    photo_url=st.none() | TEXT,
    age=st.integers(-60, MAX_AGE),
)
@example(1, "a=b\u2028c", "hash=x", "\ufeff", "&%0a+", 0)
@example(1, "", "\u3164", "\x7f\x80\x85\x9f\r\t", "\x1f", 0)
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_profile_comes_back_as_it_was(user_id, first_name, last_name, username, photo_url, age):
    """Whatever people call themselves, a genuine answer is accepted and gives back the same names."""
    names = {"first_name": first_name, "last_name": last_name, "username": username, "photo_url": photo_url}
    user, proof = verify(
        widget(id=user_id, auth_date=NOW - age, **{k: ... if v is None else v for k, v in names.items()})
    )
    # What is empty is not known.
    assert user == TelegramUser(
        id=user_id, **{k: v or None for k, v in names.items()} | {"first_name": first_name}
    )
    assert proof.issued_at == NOW - age


@given(st.data())
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_changed_character_is_refused(data):
    """One character of any field changed, added or taken away is refused."""
    fields = {name: str(value) for name, value in widget().items()}
    name = data.draw(st.sampled_from(sorted(fields)))
    start = data.draw(st.integers(0, len(fields[name])))
    end = data.draw(st.integers(start, min(start + 1, len(fields[name]))))
    text = fields[name][:start] + data.draw(st.text(max_size=2)) + fields[name][end:]
    if text == fields[name]:
        verify({**fields, name: text})
    else:
        with pytest.raises((LoginRejected, MalformedRequest)):
            verify({**fields, name: text})


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_any_field_taken_away_is_refused(name):
    """A field that was signed cannot be left out, nor can the hash."""
    fields = widget()
    del fields[name]
    with pytest.raises(LoginRejected):
        verify(fields)


@pytest.mark.parametrize("name", ["last_name", "username", "photo_url"])
def test_any_field_added_is_refused(name):
    """A known field that was not signed cannot be added, not even an empty one."""
    with pytest.raises(LoginRejected):
        verify({**widget(**{name: ...}), name: ""})


@pytest.mark.parametrize(
    ("name", "value"), [("first_name", ""), ("last_name", None), ("username", None), ("photo_url", None)]
)
def test_what_telegram_left_out_is_not_known(name, value):
    """Without a field that Telegram does not always send the rest is there; a first name is always text."""
    user, _ = verify(widget(**{name: ...}))
    assert getattr(user, name) == value
    assert user.id == WIDGET["id"]


NAMES = pytest.mark.parametrize(
    "name", ["state", "return_to", "Id", "HASH", "user", "auth_date ", "", "signature", "phone_number", "sub"]
)


@NAMES
def test_unknown_field_that_is_signed(name):
    """Telegram signs every field that it sends: a new one is part of the proof and of nothing else."""
    fields = widget(**{name: "1"})
    user, proof = verify(fields)
    assert user == verify(widget())[0]
    assert f"{name}=1" in proof.check_string.split("\n")
    for changes in ({name: "2"}, {name: None}, {f"{name}x": "1"}, {"first_name": "Eve"}, {"id": 5}):
        with pytest.raises(LoginRejected):
            verify({**fields, **changes})
    with pytest.raises(LoginRejected):
        verify({key: value for key, value in fields.items() if key != name})


@NAMES
def test_unknown_field_that_is_not_signed(name):
    """Beside a genuine hash over the known fields anything may stand, and makes no other proof."""
    for value in ("1", "a\nid=5", "\ud800", None, ["x"], 1.5):
        assert verify({**widget(), name: value}) == verify(widget()), ascii(value)
        assert verify({**widget(), f"{name}=": value}) == verify(widget()), ascii(value)


@pytest.mark.parametrize("fields", [{"x": "1\nz=2"}, {"x\nz": "1"}, {"x=1\nz": "2"}, {"x=1": "2"}], ids=str)
def test_unknown_fields_have_one_check_string(fields):
    """What could be read as other fields under the same hash is refused, though signed."""
    with pytest.raises(MalformedRequest):
        verify(widget(**fields))


def test_thousands_of_unknown_fields_cost_two_macs(monkeypatch):
    """However many fields come, they are tried twice: without the unknown ones, and with all of them."""
    fields = {**widget(), "id": 6, **{f"x{number}": "1" for number in range(4000)}}
    made, genuine = [], hmac.digest
    monkeypatch.setattr(hmac, "digest", lambda *args: made.append(1) or genuine(*args))
    with pytest.raises(LoginRejected):
        verify(fields)
    assert len(made) == 2


def test_a_line_feed_cannot_move_between_fields():
    """Two sets of fields that a line feed gives one check string, and so one hash, are both refused."""
    one = widget(first_name="X\nid=999", id="111", last_name=..., username=..., photo_url=...)
    other = {**one, "first_name": "X", "id": "999\nid=111"}
    assert sign_widget(other, BOT_TOKEN)["hash"] == one["hash"]
    for fields in (one, other):
        with pytest.raises(MalformedRequest):
            verify(fields)


VALUES = {
    "true": True,
    "false": False,
    "null": None,
    "float": 17.0,
    "not a number": float("nan"),
    "infinity": float("inf"),
    "list": [17],
    "object": {"id": 17},
    "bytes": b"17",
    "2**63": 2**63,
    "-2**63": -(2**63),
    "5000 digits": 10**4000,
}


@pytest.mark.parametrize("name", ["id", "auth_date"])
@pytest.mark.parametrize("kind", VALUES)
def test_value_of_another_type_is_refused_though_signed(name, kind):
    """Only text and whole numbers are values, even under a genuine hash of how Python would spell them."""
    with pytest.raises(MalformedRequest):
        verify(widget(**{name: VALUES[kind]}))


@pytest.mark.parametrize("name", ["first_name", "last_name", "username", "photo_url"])
@pytest.mark.parametrize("kind", VALUES)
def test_optional_field_of_another_type_counts_as_absent(name, kind):
    """As null in place of no name: the login is as it is without the field, which cannot have been signed."""
    without = widget(**{name: ...})
    assert verify({**without, name: VALUES[kind]}) == verify(without)
    with pytest.raises(LoginRejected):
        verify(widget(**{name: VALUES[kind]}))


@pytest.mark.parametrize("kind", VALUES)
def test_hash_of_another_type_is_refused(kind):
    """A hash that is no text is refused."""
    with pytest.raises(MalformedRequest):
        verify({**widget(), "hash": VALUES[kind]})


@pytest.mark.parametrize("name", ["id", "auth_date"])
@pytest.mark.parametrize("number", NOT_NUMBERS)
def test_number_is_plain_digits_though_signed(name, number):
    """An id or time that is not plain digits is refused, even under a genuine hash."""
    with pytest.raises(MalformedRequest):
        verify(widget(**{name: NOT_NUMBERS[number]}), now=NOW)


def test_forged_and_stale_is_forged():
    """Only a genuine answer learns that it is too old."""
    with pytest.raises(LoginRejected):
        verify({**widget(auth_date=NOW - 10_000), "first_name": "Eve"})


def test_max_age_is_five_minutes():
    """The widget's answer logs in for five minutes, unless the caller asks for less."""
    assert MAX_AGE == 300
    assert verify(widget(auth_date=NOW - MAX_AGE))[1].issued_at == NOW - MAX_AGE
    for auth_date, options in ((NOW - MAX_AGE - 1, {}), (NOW - 10, {"max_age": 9})):
        with pytest.raises(LoginStale):
            verify(widget(auth_date=auth_date), **options)


def test_another_bots_answer_is_refused():
    """What another bot's token signed is refused, also that of a bot with the same id."""
    for token in ("987654321:AAE-test_token-of-no-bot", BOT_TOKEN + "A", BOT_TOKEN[:-1]):
        with pytest.raises(LoginRejected):
            verify(sign_widget(WIDGET, token))


@pytest.mark.parametrize("key", [web_app_key(BOT_TOKEN), BOT_TOKEN.encode(), b"", hashlib.sha256().digest()])
def test_other_keys_are_refused(key):
    """The key of initData, the bare token, and the key of an empty token sign nothing here."""
    check_string = "\n".join(f"{name}={WIDGET[name]}" for name in sorted(WIDGET))
    presented = hmac.digest(key, check_string.encode(), "sha256").hex()
    with pytest.raises(LoginRejected):
        verify({**WIDGET, "hash": presented})


@pytest.mark.parametrize("token", ["", " ", "123456789", BOT_TOKEN + "\n", " " + BOT_TOKEN])
def test_no_bot_token_no_login(token):
    """Without a well-formed bot token nothing is verified, not even what was signed with it."""
    with pytest.raises(ValueError, match="empty or malformed"):
        verify_widget(sign_widget(WIDGET, token), bot_token=token, now=NOW)


def test_a_signed_answer_without_id_is_nobody():
    """A genuine hash over fields without an id logs nobody in."""
    with pytest.raises(LoginRejected):
        verify(widget(id=...))


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)) | st.text(max_size=12), JSON, max_size=8))
@hypothesis_settings(max_examples=100, deadline=None)
def test_junk_is_a_problem_and_nothing_else(fields):
    """Whatever JSON stands where the widget's object should, the answer is a problem of the API."""
    with pytest.raises(Problem):
        verify(fields)


@given(
    st.dictionaries(
        st.sampled_from([*sorted(FIELDS - {"hash"}), "new", "="]), st.text(max_size=20) | st.integers()
    )
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_signed_junk_is_a_problem_or_a_login(fields):
    """Under a genuine hash too, any text or number gives a problem of the API or the user it names."""
    try:
        signed = sign_widget(fields, BOT_TOKEN)
    except UnicodeEncodeError:
        signed = {**fields, "hash": "0" * 64}
    try:
        user, _ = verify(signed)
    except Problem:
        return
    assert user.id == int(fields["id"])


def test_problems_do_not_quote_what_was_sent():
    """The owner's log learns which check failed, not what was in the fields or the bot token."""
    for fields, reason in (
        (widget(id="canary"), "id is not a Telegram id"),
        (widget(auth_date="canary"), "auth_date is not a Unix time"),
        ({**widget(), "id": ["canary"]}, "id is neither text nor an integer"),
        ({**widget(), "auth_date": {"canary": 1}}, "auth_date is neither text nor an integer"),
        (widget(first_name="canary", id=...), "no id"),
    ):
        with pytest.raises(Problem) as caught:
            verify(fields)
        assert caught.value.reason == reason
        assert caught.value.__cause__ is None
