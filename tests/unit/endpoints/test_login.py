"""POST /telegram/login: what logs in, what does not, and what the session is then."""

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import lib.tgauth.telegram.webapp
from tests.site import (
    AUTH_SECRET,
    BOT_ID,
    COOKIE,
    DAY,
    ENV,
    NOW,
    ORIGIN,
    OWN_PAGE,
    USER,
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
    """Names come back unchanged, at the login and afterwards."""
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


def test_the_presented_session_ends(both: Site) -> None:
    """Logging in anew ends the session that the browser had, and no other one."""
    old, elsewhere = both.login().token, both.login().token
    new = both.login(cookie=old).token
    assert both.verify(cookie=old).code == "invalid_session"
    assert both.verify(cookie=new).status == 200
    assert both.verify(cookie=elsewhere).status == 200


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


def test_the_same_init_data_in_parallel(both: Site) -> None:
    """Sixty loads at once get one token, and one more within the minute is too many."""
    body = {"init_data": both.init_data()}
    assert len({answer.token for answer in in_parallel(60, lambda _: both.login(body))}) == 1
    refused = both.login(body)
    assert (refused.code, refused.header("Retry-After")) == ("rate_limited", "60")
    assert both.login({"init_data": both.init_data()}).status == 200
    both.clock.time += 60
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
    request: dict[str, Any] = {
        "cookie": f"{COOKIE}={token}",
        "headers": {**OWN_PAGE, "Host": "tgauth.example"},
    }
    answers = [
        send("POST", "/telegram/login", json_body=body, headers=request["headers"]),
        send("GET", "/telegram/verify", **request),
        send("POST", "/telegram/refresh", **request),
        send("POST", "/telegram/logout", **request),
    ]
    for answer in answers:
        assert (answer.status, answer.code, answer.header("Set-Cookie")) == (503, "misconfigured", None)
    health = send("GET", "/health")
    assert (health.status, health.json()["status"]) == (503, "down")
    for answer in (*answers, health):
        assert b"canary" not in answer.body
        assert b"upstash" not in answer.body.lower()


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
