"""POST /telegram/login: what logs in, what does not, and what the session is then."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import lib.tgauth.telegram.webapp
from lib.tgauth.settings import read_settings
from tests.site import (
    AUTH_SECRET,
    BOT_ID,
    BOT_TOKEN,
    COOKIE,
    DAY,
    ENV,
    NOW,
    ORIGIN,
    OTHER_BOT_TOKEN,
    OWN_PAGE,
    USER,
    Answer,
    Clock,
    Site,
    in_parallel,
    send,
)

KEY = bytes(range(32))


def known(site: Site, user: dict[str, Any]) -> dict[str, Any]:
    """What a session keeps of a user: a token that carries its record has no room for the photo's address."""
    return (
        user if site.settings.store.kind != "memory" else {k: v for k, v in user.items() if k != "photo_url"}
    )


def test_widget_logs_in_with_a_cookie(both: Site) -> None:
    """The widget's object as it is makes a cookie session, whose token no script gets to see."""
    answer = both.login(both.widget(last_name="Last"))
    lifetime = DAY if both.settings.store.kind == "memory" else 30 * DAY
    assert answer.json() == {
        "user": known(both, {**USER, "last_name": "Last"}),
        "session": {
            "id": answer.json()["session"]["id"],
            "created_at": NOW,
            "expires_at": NOW + lifetime,
            "method": "widget",
            "transport": "cookie",
        },
    }
    assert len(answer.all("Set-Cookie")) == 1
    assert answer.token.encode() not in answer.body


def test_widget_logs_in_with_a_bearer_token(both: Site) -> None:
    """`"transport": "bearer"` gives the token in the body, and never a cookie, even to one who has one."""
    for cookie in (None, "x", both.login().token):
        answer = both.login({**both.widget(), "transport": "bearer"}, cookie=cookie)
        assert answer.json()["session"]["transport"] == "bearer"
        assert answer.all("Set-Cookie") == []
        assert both.verify(bearer=answer.json()["token"]).status == 200


def test_init_data_logs_in_with_a_bearer_token(both: Site) -> None:
    """initData makes a bearer session by itself."""
    user = {**USER, "language_code": "ru", "is_premium": True, "allows_write_to_pm": True, "added_later": 1}
    answer = both.login({"init_data": both.init_data(user=user)}, headers={})
    value = answer.json()
    assert value["user"] == known(both, {n: given for n, given in user.items() if n != "added_later"})
    assert (value["session"]["method"], value["session"]["transport"]) == ("webapp", "bearer")
    assert answer.all("Set-Cookie") == []
    assert both.verify(bearer=value["token"]).json()["session"] == value["session"]


def test_init_data_logs_in_with_a_cookie(both: Site) -> None:
    """`"transport": "cookie"` keeps a Mini App's token out of the body."""
    answer = both.login({"init_data": both.init_data(), "transport": "cookie"})
    assert "token" not in answer.json()
    assert both.verify(cookie=answer.token).status == 200
    assert answer.token.encode() not in answer.body


@pytest.mark.parametrize("wrap", [lambda w: w, lambda w: {"widget": w}], ids=["flat", "wrapped"])
@pytest.mark.parametrize("numbers", [int, str])
def test_forms_of_the_widget(both: Site, wrap: Callable[[Any], Any], numbers: Callable[[int], Any]) -> None:
    """The object may stand alone or under `widget`, its numbers be numbers or text."""
    widget = both.widget()
    widget |= {"id": numbers(widget["id"]), "auth_date": numbers(widget["auth_date"])}
    answer = both.login(wrap(widget))
    assert answer.json()["user"]["id"] == USER["id"]


def test_only_what_telegram_sent_is_answered(both: Site) -> None:
    """A user without last name, username and photo has none in the answer."""
    answer = both.login(both.widget(last_name=None, username=None, photo_url=None))
    assert answer.json()["user"] == {"id": USER["id"], "first_name": USER["first_name"]}


@pytest.mark.parametrize(
    "name",
    [
        *("Жук 🦊", '<b>"Bobby"</b>', "O'Tables & Co; --", "=;|.%00", " ", "\\n", "\u202eevil", "x" * 64),
        *("\x7f", "Ann\x9ca\x85", "\r\t\x1f", "\u3164", "\u2800"),
    ],
)
def test_names_of_all_kinds(both: Site, name: str) -> None:
    """Names pass through unchanged, and the session's token is the same length class for all."""
    answer = both.login(both.widget(first_name=name, last_name=name))
    assert answer.json()["user"]["first_name"] == name
    again = both.verify(cookie=answer.token)
    assert again.json()["user"]["last_name"] == name


def test_the_longest_names_fit_into_a_cookie(site: Site) -> None:
    """Whatever names Telegram allows, a token that carries its record is within what a cookie may hold."""
    user = {
        **USER,
        "first_name": "\x01" * 64,
        "last_name": "🦊" * 64,
        "username": "\x02" * 32,
        "language_code": "\x03" * 35,
        "photo_url": "https://t.me/" + "x" * 2000,
    }
    agent = "\xff" * 500
    login = site.login(
        {"init_data": site.init_data(user=user), "transport": "cookie"},
        headers={**OWN_PAGE, "User-Agent": agent, "X-Vercel-IP-Country": "XX" * 200},
    )
    assert len(login.token) <= 3500
    assert len(login.header("Set-Cookie") or "") < 4096
    assert site.verify(cookie=login.token).json()["user"]["last_name"] == "🦊" * 64


BODIES_MALFORMED: dict[str, Callable[[Site], Any]] = {
    "empty": lambda _: {},
    "only transport": lambda _: {"transport": "cookie"},
    "unknown transport": lambda s: {**s.widget(), "transport": "query"},
    "transport null": lambda s: {**s.widget(), "transport": None},
    "transport list": lambda s: {**s.widget(), "transport": ["cookie"]},
    "transport in case": lambda s: {**s.widget(), "transport": "Cookie"},
    "both kinds": lambda s: {**s.widget(), "init_data": s.init_data()},
    "both kinds, wrapped": lambda s: {"widget": s.widget(), "init_data": s.init_data()},
    "wrapped and flat": lambda s: {**s.widget(), "widget": s.widget()},
    "widget list": lambda s: {"widget": [s.widget()]},
    "widget text": lambda s: {"widget": json.dumps(s.widget())},
    "widget null": lambda _: {"widget": None},
    "init_data object": lambda s: {"init_data": s.widget()},
    "init_data null": lambda _: {"init_data": None},
    "init_data no query": lambda _: {"init_data": "x"},
    "init_data with two hashes": lambda s: {"init_data": s.init_data() + "&hash=" + "0" * 64},
    "init_data with two users": lambda s: {"init_data": s.init_data() + "&user=%7B%7D"},
    "init_data with 33 fields": lambda s: {"init_data": s.init_data() + "&a=1" * 33},
    "init_data and more": lambda s: {"init_data": s.init_data(), "state": "x"},
    "unknown field with a line feed": lambda s: {**s.widget(id=5), "id": 6, "next": "x\nid=6"},
    "three kinds": lambda s: {**s.widget(), "id_token": "x.y.z"},
    "state that is no text": lambda s: {**s.widget(), "state": 1},
    "id_token that is no text": lambda _: {"id_token": ["x.y.z"]},
    "id_token with a state": lambda _: {"id_token": "x.y.z", "state": "x"},
    "without hash": lambda s: {k: v for k, v in s.widget().items() if k != "hash"},
    "id bool": lambda s: {**s.widget(), "id": True},
    "id float": lambda s: {**s.widget(), "id": 77123456.0},
    "id null": lambda s: {**s.widget(), "id": None},
    "id list": lambda s: {**s.widget(), "id": [USER["id"]]},
    "id negative": lambda s: {**s.widget(), "id": -5},
    "id zero": lambda s: {**s.widget(), "id": 0},
    "id with underscore": lambda s: {**s.widget(), "id": "7_7"},
    "id with line feed": lambda s: {**s.widget(), "id": "77\n"},
    "id with space": lambda s: {**s.widget(), "id": " 77"},
    "id in Arabic digits": lambda s: {**s.widget(), "id": "\u0661\u0662"},
    "id too long": lambda s: {**s.widget(), "id": 10**17},
    "id huge": lambda s: {**s.widget(), "id": 10**4000},
    "auth_date with sign": lambda s: {**s.widget(), "auth_date": "+1800000000"},
    "auth_date float": lambda s: {**s.widget(), "auth_date": 1.8e9},
    "name with line feed": lambda s: s.widget(first_name="X\nid=999"),
    "hash list": lambda s: {**s.widget(), "hash": ["0" * 64]},
}


@pytest.mark.parametrize("body", BODIES_MALFORMED.values(), ids=BODIES_MALFORMED.keys())
def test_malformed(site: Site, body: Callable[[Site], Any]) -> None:
    """A body that is not one of the documented forms is 400, before any key or store is used."""
    answer = site.send("POST", "/telegram/login", json=body(site), headers=OWN_PAGE)
    assert (answer.status, answer.code) == (400, "malformed_request")
    assert answer.header("Set-Cookie") is None
    assert site.store.calls == []


def flipped(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


GROUP_B: dict[str, Callable[[Site], dict[str, Any]]] = {
    "bad MAC": lambda s: (w := s.widget()) | {"hash": flipped(str(w["hash"]))},
    "other data": lambda s: s.widget() | {"first_name": "Mallory"},
    "other id": lambda s: s.widget() | {"id": 1},
    "other date": lambda s: s.widget() | {"auth_date": NOW + 1},
    "unknown field put in, other data": lambda s: s.widget() | {"first_name": "Mallory", "next": "x"},
    "signed unknown field changed": lambda s: s.widget(next="x") | {"next": "y"},
    "name object": lambda s: s.widget() | {"first_name": {}},
    "field taken out": lambda s: {k: v for k, v in s.widget().items() if k != "last_name"},
    "field put in": lambda s: s.widget(photo_url=None) | {"photo_url": ""},
    "upper-case MAC": lambda s: (w := s.widget()) | {"hash": str(w["hash"]).upper()},
    "MAC with line feed": lambda s: (w := s.widget()) | {"hash": str(w["hash"]) + "\n"},
    "MAC cut": lambda s: (w := s.widget()) | {"hash": str(w["hash"])[:-1]},
    "MAC empty": lambda s: s.widget() | {"hash": ""},
    "MAC of other letters": lambda s: s.widget() | {"hash": "é" * 64},
    "MAC in Arabic digits": lambda s: s.widget() | {"hash": "\u0661" * 64},
    "no MAC": lambda s: {"widget": {k: v for k, v in s.widget().items() if k != "hash"}},
    "other bot": lambda s: s.widget(OTHER_BOT_TOKEN),
    "from the future": lambda s: s.widget(auth_date=int(s.clock()) + 61),
    "without id": lambda s: s.widget(id=None),
    "without date": lambda s: s.widget(auth_date=None),
    "empty widget": lambda _: {"widget": {}},
    "initData: empty": lambda _: {"init_data": ""},
    "initData: bad MAC": lambda s: {"init_data": flipped(s.init_data())},
    "initData: other bot": lambda s: {"init_data": s.init_data(OTHER_BOT_TOKEN)},
    "initData: other data": lambda s: {"init_data": s.init_data().replace("CanaryFirst", "Mallory")},
    "initData: from the future": lambda s: {"init_data": s.init_data(auth_date=int(s.clock()) + 61)},
    "initData: without user": lambda s: {
        "init_data": s.init_data(user={}, receiver=USER).replace("user=%7B%7D&", "")
    },
    "initData: user is none": lambda s: {"init_data": s.init_data(user={})},
    "initData: user id is text": lambda s: {"init_data": s.init_data(user={**USER, "id": "x"})},
    "initData: user id is true": lambda s: {"init_data": s.init_data(user={**USER, "id": True})},
    "initData: without date": lambda s: {"init_data": s.init_data(auth_date=None)},
    "initData: date is none": lambda s: {"init_data": s.init_data(auth_date="x")},
    "initData: no hash": lambda s: {"init_data": s.init_data().rpartition("&hash=")[0]},
    "initData: empty hash": lambda s: {"init_data": s.init_data().rpartition("=")[0] + "="},
    "a widget's fields as initData": lambda s: {
        "init_data": "&".join(f"{k}={v}" for k, v in s.widget().items())
    },
}


def test_rejected_logins_look_alike(site: Site) -> None:
    """Group B: all that is no proof is refused with the same bytes, whatever was wrong, and asks no store."""
    answers = {}
    for number, (name, body) in enumerate(GROUP_B.items()):
        headers = {**OWN_PAGE, "X-Vercel-Id": f"fra1::{number:04}"}
        answers[name] = site.login(body(site), headers=headers)
        assert answers[name].json()["request_id"] == f"fra1::{number:04}"
    assert {answer.code for answer in answers.values()} == {"login_rejected"}, answers
    first = answers["bad MAC"].without_id()
    assert first[0] == 401
    for name, answer in answers.items():
        assert answer.without_id() == first, name
    assert site.store.calls == []


def test_every_flipped_character_is_noticed(site: Site) -> None:
    """No character of a signed field or of its hash can be another."""
    widget = site.widget()
    for name, value in widget.items():
        text = str(value)
        for index in range(len(text)):
            other = "1" if text[index] != "1" else "2"
            changed = text[:index] + other + text[index + 1 :]
            assert site.login(widget | {name: changed}).status in (400, 401)
    assert site.login(widget).status == 200


def test_one_kinds_hash_is_no_other_kinds(site: Site) -> None:
    """The widget's key and the Mini App's differ, so a hash over the same lines does not carry over."""
    fields = {"auth_date": NOW, "id": 5, "first_name": "X"}
    from dev.telegram.signing import sign_init_data, sign_widget

    as_widget = dict(p.split("=") for p in sign_init_data(fields, BOT_TOKEN).split("&"))
    assert site.login(as_widget).code == "login_rejected"
    assert site.login(
        {"init_data": "&".join(f"{k}={v}" for k, v in sign_widget(fields, BOT_TOKEN).items())}
    ).code == ("login_rejected")


@pytest.mark.parametrize(
    ("kind", "age", "code"),
    [
        ("widget", -61, "login_rejected"),
        ("widget", -60, None),
        ("widget", 0, None),
        ("widget", 300, None),
        ("widget", 301, "login_stale"),
        ("widget", DAY * 3000, "login_stale"),
        ("init_data", -61, "login_rejected"),
        ("init_data", -60, None),
        ("init_data", DAY, None),
        ("init_data", DAY + 1, "login_stale"),
    ],
)
def test_windows_are_exact(both: Site, kind: str, age: int, code: str | None) -> None:
    """A widget's answer logs in for five minutes, initData for a day, both up to a minute ahead of time."""
    make = both.widget if kind == "widget" else both.init_data
    assert both.login({kind: make(auth_date=NOW - age)}).code == code


def test_stale_and_replayed_look_alike(both: Site) -> None:
    """Whether a genuine proof is too old or was used before, the answer has the same bytes."""
    body = both.widget()
    assert both.login(body).status == 200
    replayed = both.login(body, headers={**OWN_PAGE, "X-Vercel-Id": "a::1"})
    old = both.login(both.widget(auth_date=1), headers={**OWN_PAGE, "X-Vercel-Id": "a::2"})
    assert (replayed.status, replayed.code) == (401, "login_stale")
    assert replayed.without_id() == old.without_id()


@pytest.mark.parametrize("change", [lambda w: {"widget": w}, lambda w: {k: str(v) for k, v in w.items()}])
@pytest.mark.parametrize("transport", ["cookie", "bearer"])
def test_a_widget_logs_in_once_however_it_is_spelled(
    both: Site, change: Callable[[Any], Any], transport: str
) -> None:
    """The proof is what was signed: another spelling or transport is the same proof."""
    widget = both.widget()
    assert both.login(widget).status == 200
    for wait in (0, 200, 100):
        both.clock.time += wait
        assert both.login({**change(widget), "transport": transport}).code == "login_stale"


def test_a_widget_logs_in_once_in_parallel(both: Site) -> None:
    """Of fifty logins at once with one proof exactly one succeeds."""
    body = both.widget()
    answers = in_parallel(50, lambda _: both.login(body))
    codes = sorted(str(answer.code) for answer in answers)
    assert codes == ["None"] + ["login_stale"] * 49
    assert len(both.store.sessions()) == 1


def test_a_rejected_login_leaves_nothing(both: Site) -> None:
    """What does not log in neither writes nor harms the session that was presented."""
    token = both.login().token
    before = both.store.fields()
    for body in (
        both.widget(OTHER_BOT_TOKEN),
        both.widget(auth_date=1),
        {"init_data": both.init_data(OTHER_BOT_TOKEN)},
    ):
        assert both.login(body, cookie=token).status == 401
    assert both.store.fields() == before
    assert both.verify(cookie=token).status == 200


def test_every_login_has_a_token_of_its_own(both: Site) -> None:
    """A hundred logins of one user give a hundred tokens and session ids."""
    answers = [both.login() for _ in range(100)]
    assert len({answer.token for answer in answers}) == 100
    assert len({answer.json()["session"]["id"] for answer in answers}) == 100


def test_the_presented_session_ends(both: Site) -> None:
    """Logging in anew ends the session that the browser had, and no other one."""
    old, elsewhere = both.login().token, both.login().token
    new = both.login(cookie=old).token
    assert both.verify(cookie=old).code == "invalid_session"
    assert both.verify(cookie=new).status == 200
    assert both.verify(cookie=elsewhere).status == 200


def test_the_presented_session_ends_for_another_user_too(both: Site) -> None:
    """When somebody else logs in at the same browser, the first one's session ends there."""
    old = both.login().token
    new = both.login(both.widget(id=99), cookie=old)
    assert new.json()["user"]["id"] == 99
    assert both.verify(cookie=old).code == "invalid_session"
    assert both.verify(cookie=new.token).json()["user"]["id"] == 99


def test_the_presented_bearer_session_ends(both: Site) -> None:
    """The same for bearer tokens."""
    old = both.bearer_login().token
    new = both.bearer_login(bearer=old).token
    assert both.verify(bearer=old).status == 401
    assert both.verify(bearer=new).status == 200


def test_a_session_of_another_transport_stays(both: Site) -> None:
    """A cookie login does not end a bearer session that comes along, nor a bearer login the cookie's."""
    cookie, bearer = both.login().token, both.bearer_login().token
    assert both.login(bearer=bearer).status == 200
    assert both.bearer_login(cookie=cookie).status == 200
    assert both.verify(cookie=cookie).status == 200
    assert both.verify(bearer=bearer).status == 200


def planted(site: Site) -> list[str]:
    """Tokens that an attacker could put into a victim's browser before a login."""
    foreign = Site(site.clock, {**ENV, "AUTH_SECRET": "x" * 40}, shared=site.settings.store.kind != "memory")
    return ["", "x", "tg0_", "tg1_" + "A" * 56 + "." + "A" * 43, foreign.login().token, site.login().token]


def test_planted_tokens_are_never_adopted(both: Site) -> None:
    """Whatever token is in the browser before, the session has another one afterwards (fixation)."""
    for token in planted(both):
        answer = both.login(cookie=f"{COOKIE}={token}")
        assert answer.token != token
        assert both.verify(cookie=f"{COOKIE}={token}").status == 401
        assert both.verify(cookie=answer.token).status == 200


def test_the_oldest_session_over_the_limit_ends(clock: Clock) -> None:
    """SESSION_LIMIT holds per user, and the oldest session makes room."""
    for shared in (False, True):
        site = Site(clock, {**ENV, "SESSION_LIMIT": "3"}, shared=shared)
        other = site.login(site.widget(id=99)).token
        tokens = []
        for _ in range(5):
            clock.time += 1
            tokens.append(site.login().token)
        assert [site.verify(cookie=token).status for token in tokens] == [401, 401, 200, 200, 200]
        assert site.verify(cookie=other).status == 200
        assert len(site.store.sessions()) == 4


def test_use_saves_a_session(clock: Clock) -> None:
    """The one used longest ago makes room, and never a Mini App; its initData sent again counts once."""
    site = Site(clock, {**ENV, "SESSION_LIMIT": "2", "MINI_APP_LIMIT": "1"}, shared=True)
    first, second = site.login().token, site.login().token
    body = {"init_data": site.init_data()}
    mini = site.login(body).token
    clock.time += 10
    assert {site.login(body).token for _ in range(5)} == {mini}
    assert site.verify(cookie=first).status == 200
    clock.time += 10
    site.login()
    assert [site.verify(cookie=token).status for token in (first, second)] == [200, 401]
    assert site.verify(bearer=mini).status == 200


def test_the_same_init_data_leads_to_the_same_session(both: Site) -> None:
    """Mini Apps present their initData at every load: the token stays the same, on each transport its own."""
    body = {"init_data": both.init_data()}
    bearer = both.login(body).token
    both.clock.time += 100
    assert both.login(body).token == bearer
    cookie = both.login({**body, "transport": "cookie"}).token
    assert cookie != bearer
    assert both.login({**body, "transport": "cookie"}).token == cookie
    assert both.verify(bearer=bearer).status == 200
    assert both.verify(cookie=cookie).status == 200
    assert len(both.store.sessions()) == 2


def test_presenting_its_token_with_the_same_init_data_keeps_the_session(both: Site) -> None:
    """A Mini App that logs in again with its token at hand does not log itself out."""
    body = {"init_data": both.init_data()}
    token = both.login(body).token
    assert both.login(body, bearer=token).token == token
    assert both.verify(bearer=token).status == 200


def test_after_logout_the_same_init_data_is_stale(both: Site) -> None:
    """Logging out of a Mini App ends its launch: the same initData is refused, and the next one logs in."""
    body = {"init_data": both.init_data()}
    dead = both.login(body).token
    assert both.logout(bearer=dead).status == 204
    for transport in ("bearer", "cookie"):
        assert both.login({**body, "transport": transport}).code == "login_stale"
    assert both.verify(bearer=dead).status == 401
    assert both.verify(bearer=both.login({"init_data": both.init_data()}).token).status == 200


def test_the_same_init_data_in_parallel(both: Site) -> None:
    """Sixty loads at once get one token, and one more within the minute is too many."""
    body = {"init_data": both.init_data()}
    assert len({answer.token for answer in in_parallel(60, lambda _: both.login(body))}) == 1
    refused = both.login(body)
    assert (refused.code, refused.header("Retry-After")) == ("rate_limited", "60")
    assert both.login({"init_data": both.init_data()}).status == 200
    both.clock.time += 60
    assert both.login(body).status == 200


ALLOWING = {"TELEGRAM_ALLOW": f"{USER['id']}, 5"}


def test_only_the_allowed_log_in(clock: Clock) -> None:
    """TELEGRAM_ALLOW lets in those it names and nobody else."""
    site = Site(clock, {**ENV, **ALLOWING})
    assert site.login().status == 200
    assert site.login(site.widget(id=6)).code == "not_allowed"
    assert site.login({"init_data": site.init_data(user={**USER, "id": 6})}).code == "not_allowed"


def test_a_login_of_the_denied_spends_nothing(clock: Clock) -> None:
    """Once the owner lets a user in again, the proof that was refused still works."""
    denied, open_ = Site(clock, {**ENV, "TELEGRAM_DENY": str(USER["id"])}), Site(clock)
    open_.store = denied.store
    body = denied.widget()
    assert denied.login(body).status == 403
    assert denied.store.calls == []
    assert open_.login(body).status == 200


def test_store_failure_is_never_a_login_or_a_401(both: Site) -> None:
    """With the store down a login is 503 without cookie and can be repeated with the same proof."""
    from lib.tgauth.errors import StoreUnavailable

    body = both.widget()
    both.store.error = StoreUnavailable("down")
    answer = both.login(body)
    assert (answer.status, answer.code, answer.header("Retry-After")) == (503, "store_unavailable", "5")
    assert answer.header("Set-Cookie") is None
    both.store.error = None
    assert both.login(body).status == 200


@pytest.fixture
def telegrams_key(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A key of ours in the place of Telegram's; the function's default is bound, so it is put there."""
    public = Ed25519PrivateKey.from_private_bytes(KEY).public_key().public_bytes_raw()
    defaults = lib.tgauth.telegram.webapp.verify_webapp_signature.__kwdefaults__
    monkeypatch.setitem(defaults, "public_key", public)
    return KEY


BOT_ID_ONLY = {"TELEGRAM_BOT_ID": str(BOT_ID), "AUTH_SECRET": AUTH_SECRET, "AUTH_ORIGIN": ORIGIN}


def test_the_bots_id_alone_is_enough_for_init_data(clock: Clock, telegrams_key: bytes) -> None:
    """Without the token, initData logs in by Telegram's Ed25519 signature, the same session each time."""
    site = Site(clock, BOT_ID_ONLY)
    body = {"init_data": site.init_data(key=telegrams_key)}
    token = site.login(body).token
    assert site.login(body).token == token
    assert site.verify(bearer=token).json()["user"]["id"] == USER["id"]
    assert site.logout(bearer=token).status == 204
    assert site.login(body).code == "login_stale"
    assert site.login().code == "misconfigured"


@pytest.mark.parametrize(
    "forge",
    [
        lambda s: s.init_data(),
        lambda s: s.init_data(key=bytes(32)),
        lambda s: s.init_data(OTHER_BOT_TOKEN, key=KEY),
        lambda s: s.init_data(key=KEY).replace("CanaryFirst", "Mallory"),
        lambda s: s.init_data(key=KEY).replace("&signature=", "&signature=A"),
        lambda s: s.init_data(key=KEY).replace("&hash=", "%3D&hash="),
        lambda s: s.init_data(key=KEY, auth_date=NOW + 61),
        lambda s: s.init_data(key=KEY) + "&extra=1",
    ],
    ids=["HMAC only", "other key", "other bot", "changed", "longer", "padded", "future", "field added"],
)
def test_forged_signatures(clock: Clock, telegrams_key: bytes, forge: Callable[[Site], str]) -> None:
    """Without the token nothing but Telegram's signature over this bot's data logs in."""
    site = Site(clock, BOT_ID_ONLY)
    answer = site.login({"init_data": forge(site)})
    assert (answer.code, site.store.calls) == ("login_rejected", [])


def test_with_the_token_the_ed25519_signature_is_not_asked(clock: Clock) -> None:
    """Where the token is known its HMAC decides, over `signature` too."""
    site = Site(clock)
    assert site.login({"init_data": site.init_data(key=bytes(32))}).status == 200
    tampered = site.init_data(key=bytes(32)).replace("&signature=", "&signature=A")
    assert site.login({"init_data": tampered}).code == "login_rejected"


@pytest.mark.parametrize("bot_token", ["nonsense", "0:abc", "123:", f"{BOT_ID}:a b", f"{BOT_ID}:ж"])
def test_a_malformed_bot_token_stops_logins_only(clock: Clock, bot_token: str, telegrams_key: bytes) -> None:
    """With id and secret set, a malformed token fails every login closed, and sessions go on."""
    before = Site(clock)
    site = Site(clock, {**BOT_ID_ONLY, "TELEGRAM_BOT_TOKEN": bot_token})
    assert site.login().code == "misconfigured"
    assert site.login({"init_data": site.init_data()}).code == "misconfigured"
    assert site.login({"init_data": site.init_data(key=telegrams_key)}).code == "misconfigured"
    assert site.verify().code == "unauthenticated"
    assert site.verify(cookie=before.login().token).status == 200
    # Nobody can log in.
    assert site.send("GET", "/health").json()["problem"] == "settings"


def without_origin(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.code


@pytest.mark.parametrize(
    "redis",
    [
        {"UPSTASH_REDIS_REST_URL": "https://x.upstash.io"},
        {"UPSTASH_REDIS_REST_TOKEN": "canary-upstash"},
        {"KV_REST_API_TOKEN": "canary-upstash"},
        {"REDIS_URL": "redis://default_ro:canary-upstash@x.upstash.io:6379"},
        {"REDIS_URL": "https://canary-upstash.upstash.io"},
    ],
    ids=lambda env: "+".join(env),
)
def test_redis_credentials_never_mean_memory(
    environment: Callable[[dict[str, str]], None], clock: Clock, redis: dict[str, str]
) -> None:
    """Credentials that cannot be used fail closed: no login, no session, and the reason only in the log."""
    site = Site(clock)
    clock.time = time.time()
    token, body = site.login().token, site.widget()
    environment({**ENV, **redis})
    headers = {**OWN_PAGE, "Host": "tgauth.example"}
    login = send("POST", "/telegram/login", json_body=body, headers=headers)
    assert without_origin(login) == (503, "misconfigured")
    cookie = f"{COOKIE}={token}"
    assert without_origin(send("GET", "/telegram/verify", cookie=cookie, headers=headers)) == (
        503,
        "misconfigured",
    )
    assert without_origin(send("POST", "/telegram/refresh", cookie=cookie, headers=headers)) == (
        503,
        "misconfigured",
    )
    logout = send("POST", "/telegram/logout", cookie=cookie, headers=headers)
    assert (*without_origin(logout), logout.header("Set-Cookie")) == (503, "misconfigured", None)
    health = send("GET", "/health")
    assert (health.status, health.json()["status"]) == (503, "down")
    for answer in (login, logout, health):
        assert b"canary" not in answer.body
        assert b"upstash" not in answer.body.lower()


def test_settings_of_these_tests_are_production() -> None:
    """What is not said to be preview or development fails closed as production."""
    assert read_settings(ENV).environment == "production"


@pytest.mark.parametrize(
    "variables",
    [
        {"UPSTASH_REDIS_REST_URL": "http://127.0.0.1:{}", "UPSTASH_REDIS_REST_TOKEN": "canary-upstash"},
        {"KV_REST_API_URL": "http://127.0.0.1:{}", "KV_REST_API_TOKEN": "canary-upstash"},
        {"REDIS_URL": "redis://default:canary-upstash@127.0.0.1:{}"},
    ],
    ids=lambda env: "+".join(env),
)
def test_a_redis_that_is_not_there_never_means_memory(
    environment: Callable[[dict[str, str]], None],
    lines: Callable[[], list[dict[str, Any]]],
    clock: Clock,
    variables: dict[str, str],
) -> None:
    """With Redis unreachable nobody logs in or out: 503; a token that carries its session is 401."""
    clock.time = time.time()
    site, memory = Site(clock, shared=True), Site(clock)
    token, body, carried = site.login().token, site.widget(), memory.login().token
    environment({**ENV, **{name: text.format(unused_port()) for name, text in variables.items()}})
    lines()
    headers = {**OWN_PAGE, "Host": "tgauth.example"}
    cookie = f"{COOKIE}={token}"
    answers = [
        send("POST", "/telegram/login", json_body=body, headers=headers),
        send("GET", "/telegram/verify", cookie=cookie, headers=headers),
        send("HEAD", "/telegram/verify", cookie=cookie, headers=headers),
        send("POST", "/telegram/refresh", cookie=cookie, headers=headers),
        send("POST", "/telegram/logout", cookie=cookie, headers=headers),
        send("GET", "/telegram/sessions", cookie=cookie, headers=headers),
        send("DELETE", "/telegram/sessions", cookie=cookie, headers=headers),
        send("GET", "/health"),
    ]
    for answer in answers:
        assert (answer.status, answer.header("Set-Cookie")) == (503, None)
        assert answer.code in ("store_unavailable", None)
        assert b"canary" not in answer.body
    assert [answer.code for answer in answers].count(None) == 2  # HEAD has no body, and health is no problem
    assert answers[-1].json() == {"status": "down", "store": None, "problem": "store_unreachable"}
    refused = send("GET", "/telegram/verify", cookie=f"{COOKIE}={carried}", headers=headers)
    assert refused.code == "invalid_session"
    *others, _ = told = lines()
    # Nothing says that Redis is connected, nor that it is not used.
    assert {line["event"] for line in others} == {"store_unavailable"}
    assert "canary" not in str(told)


def unused_port() -> int:
    """A port of this machine where nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
