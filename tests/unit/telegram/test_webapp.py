"""A Mini App's initData (lib/tgauth/telegram/webapp.py), by the bot's token and by Telegram's public key."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dev.telegram.signing import sign_init_data, sign_widget
from lib.tgauth.errors import LoginRejected, LoginStale, MalformedRequest, Problem
from lib.tgauth.telegram.webapp import (
    MAX_AGE,
    TELEGRAM_PUBLIC_KEY,
    secret_key,
    verify_webapp,
    verify_webapp_signature,
)
from lib.tgauth.user import TelegramUser
from tests.unit.telegram.proofs import (
    BOT_ID,
    BOT_TOKEN,
    JSON,
    NOW,
    PERSON,
    PUBLIC_KEY,
    TEXT,
    VECTORS,
    WIDGET,
    auth_date,
    init_data,
    signed_init_data,
    vectors,
)


def by_token(text, *, now=NOW, **options):
    return verify_webapp(text, bot_token=BOT_TOKEN, now=now, **options)


def by_signature(text, *, now=NOW, bot_id=BOT_ID, **options):
    return verify_webapp_signature(text, bot_id=bot_id, now=now, public_key=PUBLIC_KEY, **options)


BOTH = pytest.mark.parametrize("verify", [by_token, by_signature])


def without(text, name):
    return "&".join(part for part in text.split("&") if not part.startswith(f"{name}="))


def replaced(text, name, value):
    return f"{without(text, name)}&{name}={value}"


# The published vectors


@pytest.mark.parametrize("vector", vectors("webapp_initdata_hmac"))
def test_published_vector(vector):
    """Every published vector gives its published result, among them data that Telegram itself signed."""
    text = vector["init_data"]

    def check():
        return verify_webapp(text, bot_token=vector["token"], now=auth_date(text) + 1)

    if vector["expect"]:
        user, proof = check()
        expected = json.loads(dict(parse_qsl(text))["user"])
        assert user.id == int(expected["id"])
        assert user.first_name == expected["first_name"]
        assert user.username == expected.get("username")
        assert proof.issued_at == auth_date(text)
    else:
        with pytest.raises(LoginRejected):
            check()


@pytest.mark.parametrize("vector", vectors("webapp_initdata_ed25519"))
def test_published_signature(vector):
    """Every published third-party signature gives its published result."""
    text = vector["init_data"]

    def check():
        return verify_webapp_signature(
            text,
            bot_id=vector["bot_id"],
            now=auth_date(text) + 1,
            public_key=bytes.fromhex(vector["public_key_hex"]),
        )

    if vector["expect"]:
        user, _ = check()
        assert user.id == json.loads(dict(parse_qsl(text))["user"])["id"]
    else:
        with pytest.raises(LoginRejected):
            check()


def test_telegrams_key_is_the_default():
    """What Telegram really signed verifies without naming a key, and not with Telegram's test key."""
    vector = next(v for v in VECTORS if v["id"] == "ed25519-golang-real")
    text, now = vector["init_data"], auth_date(vector["init_data"])
    assert vector["public_key_hex"] == TELEGRAM_PUBLIC_KEY.hex()
    user, _ = verify_webapp_signature(text, bot_id=vector["bot_id"], now=now)
    assert user.first_name == "Vladislav + - ? /"
    test_key = bytes.fromhex("40055058a4ee38156a06562e52eece92a771bcd8346a8c4615cb7376eddf72ec")
    with pytest.raises(LoginRejected):
        verify_webapp_signature(text, bot_id=vector["bot_id"], now=now, public_key=test_key)


@pytest.mark.parametrize("vector", vectors("webapp_initdata_ed25519_malleability"))
def test_published_malleability(vector):
    """Another spelling of a genuine signature, though a lax decoder reads the same bytes, is refused."""
    genuine = next(v for v in VECTORS if v["id"] == vector["init_data_of"])["init_data"]
    signature = dict(parse_qsl(genuine))["signature"]
    alternatives = vector["alternative_signatures_that_still_verify"]
    assert len(alternatives) == 15
    for alternative in alternatives:
        assert urlsafe_b64decode(alternative + "==") == urlsafe_b64decode(signature + "==")
        with pytest.raises(LoginRejected):
            verify_webapp_signature(
                replaced(genuine, "signature", alternative),
                bot_id=vector["bot_id"],
                now=auth_date(genuine),
            )


@pytest.mark.parametrize("vector", vectors("webapp_secret_key"))
def test_published_key_derivation(vector):
    """The HMAC key is HMAC of the token under the constant, as published, and not the other way round."""
    key = secret_key(vector["token"].encode())
    assert key.hex() == vector["secret_key_hex"]
    assert hmac.digest(key, vector["data"].encode(), "sha256").hex() == vector["hmac_hex"]


# What is accepted


@BOTH
def test_whose_it_is(verify):
    """Genuine initData gives the user it names, and a proof that may come again."""
    user, proof = verify(signed_init_data())
    assert user == TelegramUser(**PERSON)
    assert (proof.method, proof.issued_at, proof.one_time) == ("webapp", NOW - 10, False)
    assert "hash=" not in proof.check_string


@BOTH
def test_window_outlasts_the_proof(verify):
    """The proof is remembered for longer than it can be presented, even when it is from the future."""
    _, proof = verify(signed_init_data(auth_date=NOW + 60))
    assert NOW + proof.window >= NOW + 60 + MAX_AGE
    assert proof.window == MAX_AGE + 120


def test_signature_is_signed_too():
    """The bot's own MAC covers `signature`: without it, or with another, the hash does not match."""
    text = signed_init_data()
    assert by_token(text)[0].id == PERSON["id"]
    for changed in (without(text, "signature"), replaced(text, "signature", "A" * 86)):
        with pytest.raises(LoginRejected):
            by_token(changed)


def test_blank_fields_are_signed_too():
    """An empty `signature=` or `start_param=` is part of what is signed and cannot be left out."""
    text = init_data(signature="", start_param="")
    assert "signature=\n" in by_token(text)[1].check_string
    for name in ("signature", "start_param"):
        with pytest.raises(LoginRejected):
            by_token(without(text, name))


def test_older_data_without_signature():
    """initData from before third-party signatures is accepted by token, and not by public key."""
    assert by_token(init_data())[0].id == PERSON["id"]
    with pytest.raises(LoginRejected):
        by_signature(init_data())


def test_public_key_leaves_the_hash_out():
    """The third-party check covers neither hash nor signature, and needs no hash."""
    text = signed_init_data()
    _, proof = by_signature(text)
    assert by_signature(without(text, "hash"))[1] == proof
    assert by_signature(replaced(text, "hash", "whatever"))[1] == proof
    assert "signature=" not in proof.check_string


@BOTH
def test_order_and_escapes_do_not_make_another_proof(verify):
    """However the same fields are ordered and escaped, they are one proof: a repetition is seen as one."""
    text = signed_init_data()
    _, proof = verify(text)
    fields = parse_qsl(text, keep_blank_values=True)
    for spelling in (
        urlencode(fields[::-1]),
        urlencode(fields, quote_via=quote),
        "&".join(f"{name}={''.join(f'%{byte:02x}' for byte in value.encode())}" for name, value in fields),
    ):
        assert verify(spelling)[1] == proof


def test_plus_and_percent_2b():
    """`+` is a space and `%2B` a plus, as in every form."""
    text = init_data(user=json.dumps({"id": 1, "first_name": "a+b c"}))
    assert "%2B" in text
    assert by_token(text.replace("%20", "+"))[0].first_name == "a+b c"
    with pytest.raises(LoginRejected):
        by_token(text.replace("%2B", "+"))


def test_up_to_32_fields():
    """32 fields are read, 33 are refused before anything is checked."""
    for count, accepted in ((32, True), (33, False)):
        text = init_data(**{f"f{number}": "1" for number in range(count - 4)})
        assert text.count("&") == count - 1
        if accepted:
            by_token(text)
        else:
            with pytest.raises(MalformedRequest):
                by_token(text)


@given(
    user_id=st.integers(1, 2**52 - 1),
    first_name=TEXT,
    last_name=st.none() | TEXT,
    username=st.none() | TEXT,
    is_premium=st.none() | st.booleans(),
    age=st.integers(-60, MAX_AGE),
)
@example(1, '"\\/\u2028', "%2B+&=#", "\ufeff", None, 0)
@hypothesis_settings(max_examples=120, deadline=None)
def test_any_profile_comes_back_as_it_was(user_id, first_name, last_name, username, is_premium, age):
    """Whatever people call themselves, genuine initData is accepted and gives back the same names."""
    user = {"first_name": first_name, "last_name": last_name, "username": username, "is_premium": is_premium}
    present = {name: value for name, value in user.items() if value is not None}
    text = signed_init_data(user={"id": user_id, **present}, auth_date=NOW - age)
    for verify in (by_token, by_signature):
        found, proof = verify(text)
        # What is empty is not known.
        assert found == TelegramUser(
            id=user_id,
            first_name=first_name,
            last_name=last_name or None,
            username=username or None,
            is_premium=is_premium,
        )
        assert proof.issued_at == NOW - age


# What is refused


@BOTH
@given(data=st.data())
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_changed_character_is_refused(verify, data):
    """One character changed is refused, unless it only spells the same fields differently."""
    text = signed_init_data()
    proof = verify(text)
    position = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.sampled_from("&=%+0aFé\n\x00") | st.characters())
    try:
        found = verify(text[:position] + character + text[position + 1 :])
    except Problem:
        return
    assert found == proof


def test_every_character_of_the_signature_counts():
    """A signature with one character changed is refused."""
    text = signed_init_data()
    genuine = dict(parse_qsl(text))["signature"]
    for position in range(86):
        for character in set("AQgwB-_9") - {genuine[position]}:
            changed = genuine[:position] + character + genuine[position + 1 :]
            with pytest.raises(LoginRejected):
                by_signature(replaced(text, "signature", changed))


SIGNATURES = {
    "empty": lambda _: "",
    "padded": lambda signature: signature + "==",
    "line feed after": lambda signature: signature + "%0A",
    "space after": lambda signature: signature + "+",
    "one more character": lambda signature: signature + "A",
    "one less": lambda signature: signature[:-1],
    "standard alphabet": lambda signature: "%2B" + signature[1:],
    "slash": lambda signature: "/" + signature[1:],
    "not ASCII": lambda signature: "é" + signature[1:],
    "half a surrogate pair": lambda signature: "\ud800" + signature[1:],
    "line feed inside": lambda signature: signature[:10] + "%0A" + signature[10:],
    "zeros": lambda _: "A" * 86,
    "hex": lambda _: "0" * 128,
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature_of_any_other_form_is_refused(name):
    """Whatever is not the one spelling of the signature is refused, and breaks nothing."""
    text = signed_init_data()
    signature = dict(parse_qsl(text))["signature"]
    with pytest.raises(LoginRejected):
        by_signature(replaced(text, "signature", SIGNATURES[name](signature)))


def test_signature_with_an_order_added_is_refused():
    """An Ed25519 signature whose second half is not reduced is another spelling, and is refused."""
    order = 2**252 + 27742317777372353535851937790883648493
    text = signed_init_data()
    raw = urlsafe_b64decode(dict(parse_qsl(text))["signature"] + "==")
    s = int.from_bytes(raw[32:], "little") + order
    changed = urlsafe_b64encode(raw[:32] + s.to_bytes(32, "little")).decode().rstrip("=")
    with pytest.raises(LoginRejected):
        by_signature(replaced(text, "signature", changed))


@pytest.mark.parametrize("bot_id", [BOT_ID + 1, 0, 1, -BOT_ID, int(f"{BOT_ID}0")])
def test_another_bots_signature_is_refused(bot_id):
    """A third-party signature for another bot is refused: the bot's id is part of what is signed."""
    with pytest.raises(LoginRejected):
        by_signature(signed_init_data(), bot_id=bot_id)


def test_another_key_is_refused():
    """A signature by anybody else's key is refused."""
    text = sign_init_data({"user": PERSON, "auth_date": NOW}, BOT_TOKEN, bytes(32))
    with pytest.raises(LoginRejected):
        by_signature(text)


def test_another_bots_hash_is_refused():
    """What another bot's token signed is refused, also that of a bot with the same id."""
    for token in ("987654321:AAE-test_token-of-no-bot", BOT_TOKEN + "A", BOT_TOKEN[:-1]):
        with pytest.raises(LoginRejected):
            by_token(sign_init_data({"user": PERSON, "auth_date": NOW}, token))


@pytest.mark.parametrize("token", ["", " ", "123456789", BOT_TOKEN + "\n", " " + BOT_TOKEN])
def test_no_bot_token_no_login(token):
    """Without a well-formed bot token nothing is verified, not even what was signed with it."""
    key = hmac.digest(b"WebAppData", token.encode(), "sha256")
    check_string = f'auth_date={NOW}\nuser={{"id":1,"first_name":"A"}}'
    presented = hmac.digest(key, check_string.encode(), "sha256").hex()
    fields = {"auth_date": NOW, "user": '{"id":1,"first_name":"A"}', "hash": presented}
    with pytest.raises(ValueError, match="empty or malformed"):
        verify_webapp(urlencode(fields), bot_token=token, now=NOW)


def test_widget_data_is_no_init_data():
    """The widget's genuine answer, as a query string, is refused."""
    for verify in (by_token, by_signature):
        with pytest.raises(LoginRejected):
            verify(urlencode(sign_widget(WIDGET, BOT_TOKEN)))


@pytest.mark.parametrize("key", [hashlib.sha256(BOT_TOKEN.encode()).digest(), BOT_TOKEN.encode(), b""])
def test_other_keys_are_refused(key):
    """The widget's key and the bare token sign nothing here, nor does the derivation the wrong way round."""
    fields = {"auth_date": str(NOW), "user": '{"id":1,"first_name":"A"}'}
    check_string = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    for used in (key, hmac.digest(BOT_TOKEN.encode(), b"WebAppData", "sha256")):
        presented = hmac.digest(used, check_string.encode(), "sha256").hex()
        with pytest.raises(LoginRejected):
            by_token(urlencode({**fields, "hash": presented}))


@BOTH
@pytest.mark.parametrize("name", ["user", "auth_date", "hash", "signature", "query_id"])
def test_duplicate_field_is_refused(verify, name):
    """A field that is there twice is refused, whether the two agree or not."""
    text = signed_init_data()
    value = quote(dict(parse_qsl(text))[name])
    for extra in (f"{name}={value}", f"{name}=", f"%{ord(name[0]):02x}{name[1:]}={value}"):
        for doubled in (f"{text}&{extra}", f"{extra}&{text}"):
            with pytest.raises(MalformedRequest):
                verify(doubled)


NO_QUERIES = {
    "a word": "initData",
    "no equals sign": "auth_date",
    "empty part": "a=1&&b=2",
    "ampersand after": "a=1&",
    "invalid UTF-8": "a=%ff",
    "cut UTF-8": "a=%C3",
    "surrogate in UTF-8": "a=%ED%A0%80",
    "overlong UTF-8": "a=%C0%AF",
    "invalid UTF-8 in a name": "%ff=1",
    "line feed": "a=%0A",
    "bare line feed": "a=1\n",
    "line feed in a name": "a%0Ab=1",
    "equals sign in a name": "a%3Db=1",
    "half a surrogate pair": "a=\ud800",
    "JSON": '{"user":{"id":1}}',
}


@BOTH
@pytest.mark.parametrize("name", NO_QUERIES)
def test_what_is_no_query_string_is_malformed(verify, name):
    """What cannot be read as fields is malformed, alone and behind genuine data."""
    with pytest.raises(MalformedRequest):
        verify(f"{signed_init_data()}&{NO_QUERIES[name]}")
    with pytest.raises(Problem):
        verify(NO_QUERIES[name])


@BOTH
def test_nothing_at_all_is_refused(verify):
    """Empty initData, as a keyboard button gives it, is no login, and the log says where it comes from."""
    with pytest.raises(LoginRejected) as caught:
        verify("")
    assert caught.value.reason == "initData is empty (opened from a keyboard button or inline mode)"


@BOTH
def test_an_equals_sign_in_the_name_of_a_field_is_refused_though_signed(verify):
    """It would let another set of fields have the same hash and signature."""
    text = signed_init_data(**{"a=b": "c"})
    other = text.replace("a%3Db=c", "a=b%3Dc")
    assert verify(other)[0].id == PERSON["id"]
    with pytest.raises(MalformedRequest):
        verify(text)


@BOTH
@pytest.mark.parametrize("user", [..., "", '{"first_name":"A"}', '{"id":true,"first_name":"A"}'])
def test_user_that_is_none_is_refused_though_signed(verify, user):
    """initData without a whole user is refused, even under a genuine hash and signature."""
    with pytest.raises(LoginRejected):
        verify(signed_init_data(user=user))


@BOTH
def test_time_is_needed(verify):
    """initData without auth_date never expires, so it is refused."""
    with pytest.raises(LoginRejected):
        verify(signed_init_data(auth_date=...))


@BOTH
def test_forged_and_stale_is_forged(verify):
    """Only genuine data learns that it is too old."""
    text = signed_init_data(auth_date=NOW - 2 * MAX_AGE)
    with pytest.raises(LoginRejected):
        verify(replaced(text, "query_id", "other"))


@BOTH
def test_max_age_is_a_day(verify):
    """initData logs in for a day, unless the caller asks for less."""
    assert MAX_AGE == 24 * 3600
    assert verify(signed_init_data(auth_date=NOW - MAX_AGE))[1].issued_at == NOW - MAX_AGE
    for issued_at, options in ((NOW - MAX_AGE - 1, {}), (NOW - 10, {"max_age": 9})):
        with pytest.raises(LoginStale):
            verify(signed_init_data(auth_date=issued_at), **options)


@BOTH
@given(text=st.text(max_size=200) | st.text("&=%+hash0aé\n", max_size=60))
@example(text="hash=")
@example(text="hash=%00")
@example(text="signature=" + "A" * 86)
@example(text="signature=" + "A" * 86 + "&a=\ud800")
@example(text="=")
@hypothesis_settings(max_examples=100, deadline=None)
def test_junk_is_a_problem_and_nothing_else(verify, text):
    """Whatever text stands where initData should, the answer is a problem of the API."""
    with pytest.raises(Problem):
        verify(text)


USER_FIELDS = ["id", "first_name", "last_name", "username", "photo_url", "language_code", "is_premium"]


@BOTH
@given(user=st.text(max_size=40) | st.dictionaries(st.sampled_from(USER_FIELDS), JSON).map(json.dumps))
@hypothesis_settings(max_examples=80, deadline=None)
def test_signed_junk_is_a_problem_or_a_login(verify, user):
    """Whatever is signed as the user gives a problem of the API, or a user of the documented types."""
    try:
        text = signed_init_data(user=user)
    except UnicodeEncodeError:
        return
    try:
        found, _ = verify(text)
    except Problem:
        return
    assert type(found.id) is int
    assert 0 < found.id < 10**16
    for name in USER_FIELDS[1:-1]:
        assert isinstance(getattr(found, name), str | None)
    assert found.is_premium in (None, True, False)


def test_problems_do_not_quote_what_was_sent():
    """The owner's log learns which check failed, not what was in the fields or the bot token."""
    signed = signed_init_data(start_param="canary")
    for verify, text, reason in (
        (by_token, "canary", "initData is not a query string"),
        (by_token, init_data() + "&user=canary", "a field of initData appears twice"),
        (by_token, init_data(user='{"id":"canary","first_name":"canary"}'), "user is not a WebAppUser"),
        (by_token, init_data(start_param="canary", user=...), "initData without user"),
        (by_signature, replaced(signed, "signature", "canary"), "signature is not 64 bytes in base64url"),
        (
            by_signature,
            replaced(signed, "signature", "A" * 86),
            "signature does not match (another bot's id, or changed data)",
        ),
    ):
        with pytest.raises(Problem) as caught:
            verify(text)
        assert caught.value.reason == reason
        assert caught.value.__cause__ is None
