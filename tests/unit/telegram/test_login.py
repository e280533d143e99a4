"""What a login's body asks for, and which check goes with it (lib/tgauth/telegram/login.py)."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib.tgauth.errors import LoginRejected, MalformedRequest, Misconfigured, Problem
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram.login import Login, read_login, verify_login
from tests.unit.telegram.proofs import (
    BOT_ID,
    BOT_TOKEN,
    JSON,
    NOW,
    PERSON,
    VECTORS,
    WIDGET,
    auth_date,
    init_data,
    widget,
)

WITH_TOKEN = read_settings({"TELEGRAM_BOT_TOKEN": BOT_TOKEN})
ID_ONLY = read_settings({"TELEGRAM_BOT_ID": str(BOT_ID), "AUTH_SECRET": "s" * 32})
BAD_TOKEN = read_settings(
    {"TELEGRAM_BOT_ID": str(BOT_ID), "TELEGRAM_BOT_TOKEN": "malformed", "AUTH_SECRET": "s" * 32}
)

KEYS = ["widget", "init_data", "id_token", "transport", "state", *sorted(WIDGET), "hash"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"id": 1, "hash": "x"}, Login("cookie", widget={"id": 1, "hash": "x"})),
        ({"id": 1, "hash": "x", "transport": "bearer"}, Login("bearer", widget={"id": 1, "hash": "x"})),
        ({"id": 1, "hash": "x", "transport": "cookie"}, Login("cookie", widget={"id": 1, "hash": "x"})),
        ({"widget": {"id": 1}}, Login("cookie", widget={"id": 1})),
        ({"widget": {"id": 1}, "transport": "bearer"}, Login("bearer", widget={"id": 1})),
        ({"init_data": "a=1"}, Login("bearer", init_data="a=1")),
        ({"init_data": "a=1", "transport": "cookie"}, Login("cookie", init_data="a=1")),
        ({"init_data": "a=1", "transport": "bearer"}, Login("bearer", init_data="a=1")),
        ({"init_data": ""}, Login("bearer", init_data="")),
        ({"widget": {}}, Login("cookie", widget={})),
        ({"id_token": "a.b.c"}, Login("cookie", id_token="a.b.c")),
        ({"id_token": "a.b.c", "transport": "cookie"}, Login("cookie", id_token="a.b.c")),
        ({"id_token": "a.b.c", "transport": "bearer"}, Login("bearer", id_token="a.b.c")),
        ({"id_token": ""}, Login("cookie", id_token="")),
        ({"widget": {"id": 1}, "state": "s"}, Login("cookie", widget={"id": 1}, state="s")),
        (
            {"id": 1, "hash": "x", "state": "s", "transport": "bearer"},
            Login("bearer", widget={"id": 1, "hash": "x"}, state="s"),
        ),
        # An empty state is one that no login has, and not the absence of one.
        ({"id": 1, "hash": "x", "state": ""}, Login("cookie", widget={"id": 1, "hash": "x"}, state="")),
    ],
)
def test_the_documented_forms(body, expected):
    """A body is the widget's object or one named proof; the transport follows from it or is named."""
    before = dict(body)
    assert read_login(body) == expected
    assert body == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"transport": "cookie"},
        {"id": 1, "auth_date": 2},
        {"widget": {"id": 1}, "init_data": "a=1"},
        {"widget": {"id": 1}, "extra": 1},
        {"widget": {"state": 1}},
        {"widget": {"id": 1, "return_to": "/"}},
        {"init_data": "a=1", "extra": 1},
        {"widget": []},
        {"widget": None},
        {"init_data": None},
        {"init_data": 5},
        {"id_token": None},
        {"id_token": 5},
        {"id_token": {"id_token": "a.b.c"}},
        {"id_token": "a.b.c", "extra": 1},
        {"id_token": "a.b.c", "state": "s"},
        {"id_token": "a.b.c", "nonce": "n"},
        {"id_token": "a.b.c", "init_data": "a=1"},
        {"id_token": "a.b.c", "widget": {"id": 1}},
        {"init_data": "a=1", "state": "s"},
        {"state": "s"},
        {"widget": {"id": 1}, "state": 1},
        {"widget": {"id": 1}, "state": ["s"]},
        {"id": 1, "hash": "x", "state": None},
        {"widget": {"id": 1}, "state": None},
        {"Widget": {"id": 1}},
    ],
    ids=str,
)
def test_any_other_form_is_malformed(body):
    """A body without a proof, with two of them, or with one of another type is malformed."""
    with pytest.raises(MalformedRequest):
        read_login(body)


@pytest.mark.parametrize("transport", [None, "", "Cookie", "cookie ", "header", True, 1, [], {}, ["cookie"]])
@pytest.mark.parametrize(
    "proof", [{"id": 1, "hash": "x"}, {"widget": {}}, {"init_data": ""}, {"id_token": ""}], ids=str
)
def test_transport_is_one_of_two(proof, transport):
    """A transport that is neither `cookie` nor `bearer` is malformed, null included."""
    with pytest.raises(MalformedRequest):
        read_login({**proof, "transport": transport})


@pytest.mark.parametrize(
    "body",
    [
        {**widget(), "init_data": init_data()},
        {**widget(), "widget": widget()},
        {**widget(), "id_token": "x"},
        {"widget": widget(), "id_token": "x"},
        {"widget": widget(state="x")},
        {"widget": {**widget(), "state": "x"}},
        {"widget": {**widget(), "transport": "cookie"}},
        {"widget": {**widget(), "init_data": init_data()}},
        {**widget(), "return_to": "/"},
    ],
    ids=[
        *("initData", "widget", "id_token", "id_token beside", "state inside, signed", "state inside"),
        *("transport inside", "initData inside", "return_to"),
    ],
)
def test_two_proofs_in_one_body_log_nobody_in(body):
    """A genuine widget answer with anything of ours in it is refused, so no two readers see two users."""
    with pytest.raises(MalformedRequest):
        verify_login(read_login(body), settings=WITH_TOKEN, now=NOW)


def test_a_state_is_not_what_telegram_signed():
    """The state beside a widget's answer is ours: it is taken out before the hash is checked, and kept."""
    for body in ({**widget(), "state": "s"}, {"widget": widget(), "state": "s"}):
        login = read_login(body)
        assert login.state == "s"
        assert verify_login(login, settings=WITH_TOKEN, now=NOW)[0].id == WIDGET["id"]


@pytest.mark.parametrize("text", ["", "a.b.c", init_data()])
def test_an_id_token_is_nobody_here(text):
    """An id_token, which needs Telegram's keys, is not checked here and so is never anybody's login."""
    with pytest.raises(LoginRejected):
        verify_login(read_login({"id_token": text}), settings=WITH_TOKEN, now=NOW)


def test_each_kind_goes_to_its_verifier():
    """Widget data and initData are each verified as what they are, and are the same person."""
    by_widget, widget_proof = verify_login(read_login(widget()), settings=WITH_TOKEN, now=NOW)
    by_app, app_proof = verify_login(read_login({"init_data": init_data()}), settings=WITH_TOKEN, now=NOW)
    assert by_widget.id == by_app.id == PERSON["id"]
    assert (widget_proof.method, app_proof.method) == ("widget", "webapp")


def test_windows_are_the_defaults():
    """A login by the API gets no more time than the verifiers give: five minutes, and a day."""
    for body, age in (
        (widget(auth_date=NOW - 301), 301),
        ({"init_data": init_data(auth_date=NOW - 86401)}, 86401),
    ):
        with pytest.raises(Problem, match="too old"):
            verify_login(read_login(body), settings=WITH_TOKEN, now=NOW)
        verify_login(read_login(body), settings=WITH_TOKEN, now=NOW - age)


def test_bot_id_alone_takes_telegrams_signature():
    """With the bot's id and no token, initData is checked with Telegram's own key."""
    vector = next(v for v in VECTORS if v["id"] == "ed25519-golang-real")
    env = {"TELEGRAM_BOT_ID": str(vector["bot_id"]), "AUTH_SECRET": "s" * 32}
    login = read_login({"init_data": vector["init_data"]})
    user, _ = verify_login(login, settings=read_settings(env), now=auth_date(vector["init_data"]))
    assert user.id == 279058397
    with pytest.raises(LoginRejected):
        verify_login(login, settings=ID_ONLY, now=auth_date(vector["init_data"]))


def test_a_token_is_not_bypassed_by_the_signature():
    """Where the bot's token is set, data with only a third-party signature is refused."""
    vector = next(v for v in VECTORS if v["id"] == "ed25519-aiogram-1")
    settings = read_settings({"TELEGRAM_BOT_TOKEN": "42:TEST"})
    with pytest.raises(LoginRejected):
        verify_login(read_login({"init_data": vector["init_data"]}), settings=settings, now=1650385342)


@pytest.mark.parametrize(
    ("settings", "body", "names"),
    [
        (ID_ONLY, widget(), "TELEGRAM_BOT_TOKEN"),
        (BAD_TOKEN, widget(), "TELEGRAM_BOT_TOKEN"),
        (BAD_TOKEN, {"init_data": init_data()}, "TELEGRAM_BOT_TOKEN"),
    ],
    ids=["widget without token", "widget with a bad token", "initData with a bad token"],
)
def test_without_a_key_it_is_the_owners_fault(settings, body, names):
    """A login that nothing could verify is answered 503 and names the variable; never an empty key."""
    with pytest.raises(Misconfigured) as caught:
        verify_login(read_login(body), settings=settings, now=NOW)
    assert caught.value.reason.startswith(names)


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), JSON, max_size=4))
@hypothesis_settings(max_examples=100, deadline=None)
def test_junk_is_a_problem_and_nothing_else(body):
    """Whatever JSON object is posted, the answer is a problem of the API."""
    with pytest.raises(Problem):
        verify_login(read_login(body), settings=WITH_TOKEN, now=NOW)
