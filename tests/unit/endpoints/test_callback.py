"""Logging in with Telegram's OpenID Connect, against a provider on a socket: what works and what fails."""

import base64
import gzip
import hashlib
import json
import re
import socket
import string
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from werkzeug.wrappers import Request, Response

from dev.telegram.serving import serving
from lib.tgauth import budget
from lib.tgauth.errors import StoreUnavailable
from tests.site import (
    BOT_ID,
    CLIENT_SECRET,
    COOKIE,
    DAY,
    ENV,
    LOCAL_ENV,
    NOW,
    ORIGIN,
    OWN_PAGE,
    Answer,
    Clock,
    Site,
    in_parallel,
)
from tests.unit.web.telegram import (
    ALICE,
    KEYS,
    MARIA,
    PAGE,
    Browser,
    Telegram,
    fixtures,
    parameter,
    session_cookies,
)

running, telegram = fixtures

Lines = Callable[[], list[dict[str, Any]]]


def by_code(
    telegram: Telegram, browser: Browser, user: Any = ALICE, *, query: str = "", **grant: Any
) -> Answer:
    """Log in by authorization code, from the start to the end."""
    location = browser.begin(query)
    code = telegram.code(location, user, **grant)
    return browser.back(f"code={code}&state={parameter(location, 'state')}")


def by_token(telegram: Telegram, browser: Browser, user: Any = ALICE, **claims: Any) -> Answer:
    """Log in by the popup, for a cookie."""
    return browser.login({"id_token": telegram.token(user, nonce=browser.start()["nonce"], **claims)})


WAYS = {"code": by_code, "id_token": by_token}


@pytest.mark.parametrize("shared", [False, True], ids=["degraded", "shared"])
def test_code_flow(telegram: Telegram, shared: bool) -> None:
    """From GET /telegram/start over Telegram's page to a session, and to the page where it all began."""
    browser = Browser(telegram.site(shared=shared))
    answer = browser.back(telegram.agree(browser.begin("return_to=/orders?x=1")))
    assert (answer.status, answer.header("Location"), answer.body) == (303, "/orders?x=1", b"")
    lifetime = 90 * DAY if shared else DAY
    (cookie,) = session_cookies(answer)
    assert cookie.endswith(f"; Path=/; Max-Age={lifetime}; HttpOnly; SameSite=Lax; Secure")
    assert browser.cookies.keys() - browser.finished == {COOKIE}
    value = browser.verify().json()
    assert re.fullmatch(r"[0-9]{19}", value["user"].pop("sub"))
    assert value["user"] == ALICE
    assert (value["session"]["method"], value["session"]["transport"]) == ("oidc", "cookie")


def test_the_authorization_request(telegram: Telegram) -> None:
    """It goes to Telegram's exact address, with PKCE, a state and a nonce, and asks for little."""
    browser = Browser(telegram.site())
    locations = [browser.begin(), browser.begin(), browser.start()["oidc_url"]]
    for location in locations:
        url = urlsplit(location)
        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{telegram.url}/auth"
        assert "+" not in url.query
        query = {name: values[0] for name, values in parse_qs(url.query, strict_parsing=True).items()}
        for name, form in (
            ("state", r"[\w-]{22,}"),
            ("nonce", r"[\w-]{22,}"),
            ("code_challenge", r"[\w-]{43}"),
        ):
            assert re.fullmatch(form, query.pop(name), re.ASCII)
        assert query == {
            "client_id": str(BOT_ID),
            "redirect_uri": f"{ORIGIN}/telegram/callback",
            "response_type": "code",
            "scope": "openid profile",
            "code_challenge_method": "S256",
        }
    for name in ("state", "nonce", "code_challenge"):
        assert len({parameter(location, name) for location in locations}) == 3


def test_the_token_request(telegram: Telegram) -> None:
    """One request: the client by client_secret_basic, the code with the verifier of its challenge."""
    browser = Browser(telegram.site())
    location = browser.begin()
    query = telegram.agree(location)
    assert browser.back(query).status == 303
    (asked,) = telegram.received()
    assert asked.method == "POST"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    basic = base64.b64encode(f"{BOT_ID}:{CLIENT_SECRET}".encode()).decode()
    assert asked.headers["Authorization"] == f"Basic {basic}"
    form = dict(parse_qsl(asked.body.decode(), strict_parsing=True))
    digest = hashlib.sha256(form.pop("code_verifier").encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == parameter(location, "code_challenge")
    assert form == {
        "grant_type": "authorization_code",
        "code": dict(parse_qsl(query))["code"],
        "redirect_uri": f"{ORIGIN}/telegram/callback",
        "client_id": str(BOT_ID),
    }


def test_nothing_of_one_login_goes_into_the_next_ones_requests(telegram: Telegram) -> None:
    """What Telegram sets as a cookie in answer to one person's login is not sent along with another's."""
    site = telegram.site()
    telegram.fault('{"error":"invalid_grant"}', 400, Set_Cookie="stel_ssid=canary; Path=/")
    for _ in range(2):
        by_code(telegram, Browser(site))
    assert [asked.headers.get("Cookie") for asked in telegram.received()] == [None, None]


@pytest.mark.parametrize("echo", [False, True], ids=["without nonce", "with nonce"])
def test_telegram_may_echo_the_nonce(telegram: Telegram, echo: bool) -> None:
    """In the code flow Telegram has been seen to put the nonce into the id_token and to leave it out."""
    telegram.provider.echo_nonce = echo
    browser = Browser(telegram.site())
    assert browser.back(telegram.agree(browser.begin())).status == 303


@pytest.mark.parametrize("kid", ["oidc-1", "oidc-es256-1"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_both_algorithms(telegram: Telegram, way: Callable[..., Answer], kid: str) -> None:
    """RS256 and ES256 log in, beside keys of other kinds in the same key set."""
    telegram.provider.kid = kid
    browser = Browser(telegram.site())
    if way is by_code:
        assert browser.back(telegram.agree(browser.begin())).status == 303
    else:
        token = telegram.token(kid=kid, nonce=browser.start()["nonce"])
        assert browser.login({"id_token": token}).status == 200


@pytest.mark.parametrize("shared", [False, True], ids=["degraded", "shared"])
def test_popup(telegram: Telegram, shared: bool) -> None:
    """POST /telegram/start, Telegram's popup with the nonce, POST /telegram/login: a cookie, no token."""
    browser = Browser(telegram.site(shared=shared))
    started = browser.start()
    assert started["methods"] == ["oidc", "widget"]
    assert (started["client_id"], len(browser.transactions)) == (str(BOT_ID), 1)
    answer = browser.login({"id_token": telegram.token(nonce=started["nonce"])})
    assert answer.json().keys() == {"user", "session"}
    assert answer.json()["user"]["id"] == ALICE["id"]
    assert answer.token.encode() not in answer.body
    assert browser.transactions == []
    assert browser.verify().json()["session"]["method"] == "oidc"


def test_native_sdk(telegram: Telegram) -> None:
    """An id_token without a nonce makes a bearer session, once, and no cookie."""
    site = telegram.site()
    body = {"id_token": telegram.token(), "transport": "bearer"}
    answer = site.login(body, headers={})
    assert (answer.status, answer.all("Set-Cookie")) == (200, [])
    assert site.verify(bearer=answer.token).json()["session"]["transport"] == "bearer"
    assert site.login(body, headers={}).code == "login_stale"


def test_a_bearer_session_with_a_nonce(telegram: Telegram) -> None:
    """An id_token with a nonce makes a bearer session for the browser that has the transaction, once."""
    browser = Browser(telegram.site())
    body = {"id_token": telegram.token(nonce=browser.start()["nonce"]), "transport": "bearer"}
    stranger = Browser(browser.site)
    assert stranger.login(body).code == "login_rejected"
    saved = browser.copy()
    answer = browser.login(body)
    assert (answer.status, session_cookies(answer)) == (200, [])
    assert browser.site.verify(bearer=answer.json()["token"]).status == 200
    for again in (browser, saved):
        assert again.login(body).code == "login_rejected"


@pytest.mark.parametrize(
    "return_to",
    [
        "/",
        "/orders",
        "/orders?x=1&y=2",
        "/a/b/",
        "/%D0%B6",
        "/a?b=%2F%3F",
        "/map?at=55.75%2C37.61",
        "/a:b",
        "/a+b",
    ],
)
def test_return_to(telegram: Telegram, return_to: str) -> None:
    """The login ends where it was asked to, exactly; whatever the start took, the end knows."""
    browser = Browser(telegram.site())
    query = "return_to=" + "".join(f"%{byte:02X}" for byte in return_to.encode())
    answer = by_code(telegram, browser, query=query)
    assert (answer.status, answer.header("Location")) == (303, return_to)
    location = browser.start(return_to=return_to)["oidc_url"]
    answer = browser.back(telegram.agree(location))
    assert (answer.status, answer.header("Location")) == (303, return_to)


def test_every_character_that_return_to_takes_survives_the_login(telegram: Telegram) -> None:
    """There is no path that a start takes and that then makes its login fail."""
    browser = Browser(telegram.site())
    lost = []
    for number in range(0x20, 0x7F):
        path = f"/a{chr(number)}b"
        answer = browser.send("POST", "/telegram/start", json={"return_to": path}, headers=OWN_PAGE)
        if answer.status == 400:
            continue
        location = answer.json()["oidc_url"]
        query = f"code={telegram.code(location)}&state={parameter(location, 'state')}"
        if browser.back(query).header("Location") != path:
            lost.append(chr(number))
    assert lost == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_profile_changes_show_at_the_next_login(telegram: Telegram, way: Callable[..., Answer]) -> None:
    """The account stays the same when names change, and shows them as they are at its login."""
    site = telegram.site()
    one, two = Browser(site), Browser(site)
    way(telegram, one, {"id": 42, "first_name": "Old", "username": "old_name"})
    way(telegram, two, {"id": 42, "first_name": "New"})
    names = [browser.verify().json()["user"] for browser in (one, two)]
    assert [user.get("username") for user in names] == ["old_name", None]
    assert [(user["id"], user["first_name"]) for user in names] == [(42, "Old"), (42, "New")]
    assert len(site.store.memory._keys) == 1


def test_names_in_parts(telegram: Telegram) -> None:
    """Where Telegram says which part of a name is which, so does the answer."""
    browser = Browser(telegram.site())
    answer = by_token(
        telegram, browser, given_name="Alice", family_name="Johnson", picture="https://t.me/p.jpg"
    )
    user = answer.json()["user"]
    assert [user[name] for name in ("first_name", "last_name", "photo_url")] == [
        "Alice",
        "Johnson",
        "https://t.me/p.jpg",
    ]


def test_one_person_however_they_log_in(telegram: Telegram) -> None:
    """Widget, Mini App, code and id_token lead to one account: one id, one key, one list of sessions."""
    site = telegram.site()
    browsers = [Browser(site) for _ in range(4)]
    answers = [
        browsers[0].login(site.widget(id=ALICE["id"])),
        browsers[1].login({"init_data": site.init_data(user=ALICE), "transport": "cookie"}),
        by_code(telegram, browsers[2]),
        by_token(telegram, browsers[3]),
    ]
    assert [answer.status for answer in answers] == [200, 200, 303, 200]
    assert {browser.verify().json()["user"]["id"] for browser in browsers} == {ALICE["id"]}
    assert list(site.store.memory._keys) == [f"tgauth:production:{BOT_ID}:u:{ALICE['id']}"]
    for browser in browsers:
        listed = browser.send("GET", "/telegram/sessions").json()["sessions"]
        assert sorted(device["method"] for device in listed) == ["oidc", "oidc", "webapp", "widget"]
        assert len({device["id"] for device in listed}) == 4


def test_phone_number_only_where_it_was_granted(telegram: Telegram) -> None:
    """The phone number is in the answer when its scope was granted, and nowhere otherwise."""
    granted = {"scope": "openid profile phone"}
    for way in WAYS.values():
        for grant, known in ((granted, True), ({}, False)):
            browser = Browser(telegram.site())
            way(telegram, browser, **grant)
            assert ("phone_number" in browser.verify().json()["user"]) == known
    assert browser.verify().json()["user"].keys() == {*ALICE, "sub"}


@pytest.mark.parametrize(
    "value", ["8" * 33, "", "+7 (900) 1", "8\n", "<b>", 8880, True, ["8"], {}, "\u0661" * 9]
)
def test_a_phone_number_that_is_none_is_not_shown(telegram: Telegram, value: Any) -> None:
    """It is no key and no reason to keep anybody out."""
    browser = Browser(telegram.site())
    assert by_token(telegram, browser, phone_number=value).status == 200
    assert "phone_number" not in browser.verify().json()["user"]


def test_sub_is_no_key(telegram: Telegram) -> None:
    """`sub` is shown as it came and decides nothing: the account is the `id`."""
    site = telegram.site()
    users = []
    for number, sub in ((42, "17272877123451234123"), (42, "9"), (43, "9"), (44, "42")):
        browser = Browser(site)
        by_token(telegram, browser, {"id": number, "first_name": "A"}, sub=sub)
        users.append(browser.verify().json()["user"])
    assert [(user["id"], user["sub"]) for user in users] == [
        (42, "17272877123451234123"),
        (42, "9"),
        (43, "9"),
        (44, "42"),
    ]
    assert {key.rpartition(":")[2] for key in site.store.memory._keys} == {"42", "43", "44"}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_without_the_profile_scope_there_is_no_login(
    telegram: Telegram, lines: Lines, way: Callable[..., Answer]
) -> None:
    """An id_token without `id` logs nobody in, and tells the owner what to ask Telegram for."""
    site = telegram.site()
    lines()
    assert way(telegram, Browser(site), scope="openid").code == "login_rejected"
    assert "profile" in lines()[-1]["reason"]
    assert site.store.calls == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("shared", [False, True], ids=["degraded", "shared"])
def test_the_browsers_old_session_ends(telegram: Telegram, way: Callable[..., Answer], shared: bool) -> None:
    """A login in a browser that has a session ends that one, also when it was somebody else's."""
    site = telegram.site(shared=shared)
    browser = Browser(site)
    for before in (ALICE, MARIA):
        way(telegram, browser, user=before)
        old = browser.copy()
        assert old.verify().status == 200
        way(telegram, browser)
        assert old.verify().code == "invalid_session"
        assert browser.verify().json()["user"]["id"] == ALICE["id"]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("env", [{"TELEGRAM_ALLOW": "5"}, {"TELEGRAM_DENY": str(ALICE["id"])}], ids=str)
def test_allow_and_deny(telegram: Telegram, env: dict[str, str], way: Callable[..., Answer]) -> None:
    """Whom the owner keeps out does not get in this way either, and is told so by name at no command."""
    site = telegram.site(env)
    refused = way(telegram, Browser(site))
    assert (refused.status, refused.code) == (403, "not_allowed")
    assert refused.json()["user"] == {
        "id": ALICE["id"],
        "first_name": "Alice",
        "last_name": "Johnson",
        "username": "alice_dev",
    }
    assert session_cookies(refused) == []
    assert site.store.calls == []
    assert way(telegram, Browser(site), {"id": 5, "first_name": "Five"}).status in (200, 303)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_login_is_one_round_trip(telegram: Telegram, way: Callable[..., Answer]) -> None:
    """Nothing is stored for a start, and a login is one operation."""
    site = telegram.site()
    browser = Browser(site)
    browser.begin(), browser.start()
    assert site.store.calls == []
    way(telegram, browser)
    assert site.store.calls == ["create"]


def failing(query: str, code: str, status: int) -> Any:
    return pytest.param(query, code, status, id=query or "cancel")


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        failing("", "login_cancelled", 401),
        failing("error=access_denied", "login_cancelled", 401),
        failing(
            "error=access_denied&error_description=canary&error_uri=https://canary.example",
            "login_cancelled",
            401,
        ),
        failing("error=access_denied&code=x", "login_cancelled", 401),
        failing("error=user_cancelled", "login_cancelled", 401),
        failing("error=server_error", "identity_provider_unavailable", 503),
        failing("error=temporarily_unavailable", "identity_provider_unavailable", 503),
        failing("error=invalid_request", "misconfigured", 503),
        failing("error=invalid_scope", "misconfigured", 503),
        failing("error=unauthorized_client", "misconfigured", 503),
        failing("error=unsupported_response_type", "misconfigured", 503),
        failing("error=canary1", "login_rejected", 401),
        failing("error=", "login_rejected", 401),
        failing("x=1", "login_rejected", 401),
    ],
)
def test_telegrams_errors(telegram: Telegram, lines: Lines, query: str, code: str, status: int) -> None:
    """What comes back instead of a code ends the login and accuses no setting: anybody can write it."""
    site = telegram.site()
    for headers in (PAGE, PAGE | {"Accept": "*/*"}, PAGE | {"Accept": "application/json"}):
        browser = Browser(site)
        location = browser.begin()
        saved, state = browser.copy(), parameter(location, "state")
        way_back = f"{query}&state={state}" if query else telegram.agree(location, "cancel")
        lines()
        answer = browser.back(way_back, headers=headers)
        (line,) = lines()
        if headers is PAGE:
            assert (answer.status, answer.body) == (303, b"")
            assert answer.header("Location") == f"/error.html?code={code}&reference={line['request_id']}"
        else:
            assert (answer.status, answer.code) == (status, code)
            assert answer.json()["request_id"] == line["request_id"]
        assert (line["level"], line["code"]) == ("warning", code)
        assert "canary" not in str(answer) + str(line)
        assert browser.cookies == {}
        good = telegram.code(location)
        assert saved.back(f"code={good}&state={state}").code == "login_rejected"
    assert telegram.received() == site.store.calls == []


def test_a_wrong_client_secret_is_the_owners_to_mend(telegram: Telegram, lines: Lines) -> None:
    """It is 503 for everybody, and the log names the variable, what to do, and not the value."""
    site = telegram.site({"TELEGRAM_CLIENT_SECRET": "canary-wrong-secret"})
    lines()
    answer = by_code(telegram, Browser(site))
    assert (answer.status, answer.code) == (503, "misconfigured")
    line = lines()[-1]
    assert line["reason"].startswith("TELEGRAM_CLIENT_SECRET: ")
    assert "BotFather" in line["reason"]
    assert "canary" not in str(line) + str(answer)
    assert site.store.calls == []


def test_openid_connect_is_off_without_its_secret(telegram: Telegram) -> None:
    """Without TELEGRAM_CLIENT_SECRET nobody is sent to it, no code is redeemed and no id_token logs in."""
    site = Site(telegram.clock, {**ENV, "TELEGRAM_OAUTH_URL": telegram.url})
    browser = Browser(site)
    started = browser.start()
    assert (started["methods"], started["oidc_url"]) == (["widget"], None)
    assert browser.go("/telegram/start", "return_to=/x").header("Location") == "/?return_to=%2Fx"
    assert browser.go("/telegram/start").header("Location") == "/"
    answers = {
        "code": browser.back(f"code=x&state={started['state']}"),
        "cookie": browser.login({"id_token": telegram.token(nonce=browser.start()["nonce"])}),
        "bearer": site.login({"id_token": telegram.token(), "transport": "bearer"}, headers={}),
    }
    assert [way for way, answer in answers.items() if answer.status not in (401, 503)] == []
    assert telegram.received() == site.store.calls == []


def endless(_: Request) -> Response:
    return Response((b" " * 65536 for _ in range(160)), mimetype="application/json")


def cut(_: Request) -> Response:
    return Response(b'{"id_token":', headers={"Content-Length": "500"})


FAULTS: dict[str, Callable[[Request], Response]] = {
    "500": lambda _: Response("canary", 500),
    "502 of a proxy": lambda _: Response("<html>canary</html>", 502, mimetype="text/html"),
    "404": lambda _: Response("{}", 404),
    "429": lambda _: Response('{"error":"slow_down"}', 429),
    "400 and no error": lambda _: Response("{}", 400),
    "400 and an unknown error": lambda _: Response('{"error":"canary"}', 400),
    "400 and a list": lambda _: Response('{"error":["invalid_grant"]}', 400),
    "500 that says invalid_grant": lambda _: Response('{"error":"invalid_grant"}', 500),
    "nothing": lambda _: Response(b""),
    "204": lambda _: Response(status=204),
    "no JSON": lambda _: Response("canary"),
    "a list": lambda _: Response("[]"),
    "null": lambda _: Response("null"),
    "no UTF-8": lambda _: Response(b'{"id_token":"\xff"}'),
    "deep": lambda _: Response("[" * 50_000),
    "no id_token": lambda _: Response('{"access_token":"x"}'),
    "id_token null": lambda _: Response('{"id_token":null}'),
    "id_token a list": lambda _: Response('{"id_token":["x"]}'),
    "201": lambda _: Response('{"id_token":"a.b.c"}', 201),
    "redirect": lambda _: Response(status=302, headers={"Location": "/_telegram/token"}),
    "redirect that repeats": lambda _: Response(status=307, headers={"Location": "/_telegram/token"}),
    "redirect elsewhere": lambda _: Response(status=308, headers={"Location": "http://127.0.0.1:1/token"}),
    "compressed": lambda _: Response(gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}),
    "ten megabytes": endless,
    "cut": cut,
}


def dropped(_: Request) -> Response:
    raise ConnectionError


FAULTS["dropped"] = dropped


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_token_endpoint_out_of_order(
    telegram: Telegram, lines: Lines, fault: Callable[[Request], Response]
) -> None:
    """Whatever it does, the login is 503 after one request, nobody is logged in and nothing is spent."""
    site = telegram.site()
    telegram.provider.faults["/token"] = fault
    browser = Browser(site)
    lines()
    answer = by_code(telegram, browser)
    assert (answer.status, answer.code) == (503, "identity_provider_unavailable")
    assert answer.header("Retry-After") == "5"
    assert "canary" not in str(answer) + str(lines())
    assert browser.cookies == {}
    assert site.store.calls == []
    assert len(telegram.received()) == 1
    telegram.provider.faults.clear()
    assert by_code(telegram, browser).status == 303


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    "fault",
    [
        *FAULTS.values(),
        lambda _: Response('{"keys":[]}'),
        lambda _: Response('{"keys":{}}'),
        lambda _: Response('{"keys":[null,1,"x",[],{"kty":"RSA","kid":"oidc-1","n":"AQ","e":"AQAB"}]}'),
    ],
    ids=[*FAULTS, "no keys", "keys no list", "garbage keys"],
)
def test_keys_out_of_order(
    telegram: Telegram, fault: Callable[[Request], Response], way: Callable[..., Answer]
) -> None:
    """Without keys nothing can be checked: 503, whatever way the id_token came, and nothing is spent."""
    site = telegram.site()
    telegram.provider.faults[KEYS] = fault
    answer = way(telegram, Browser(site))
    assert (answer.status, answer.code) == (503, "identity_provider_unavailable")
    assert site.store.calls == []
    assert session_cookies(answer) == []


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_one_bad_key_breaks_no_other(telegram: Telegram, way: Callable[..., Answer]) -> None:
    """Keys of unknown kinds and broken ones, before and after the good ones, are left out."""
    bad: list[Any] = [
        None,
        {"kty": "oct", "kid": "oct", "k": "AQ"},
        {"kty": "RSA", "kid": "small", "n": "AQ", "e": "AQAB"},
        {"kty": "EC", "kid": "curve", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AA"},
    ]
    telegram.fault(json.dumps({"keys": [*bad, *telegram.provider.jwks()["keys"], *bad]}), path=KEYS)
    assert way(telegram, Browser(telegram.site())).status in (200, 303)


def test_the_keys_are_asked_for_once(telegram: Telegram) -> None:
    """Twenty logins at a cold start fetch the keys once; an hour later they are fetched again."""
    site = telegram.site()
    bodies = [
        {"id_token": telegram.token({"id": 50 + n, "first_name": "A"}), "transport": "bearer"}
        for n in range(20)
    ]
    answers = in_parallel(20, lambda index: site.login(bodies[index], headers={}))
    assert {answer.status for answer in answers} == {200}
    assert len(telegram.received(KEYS)) == 1
    for seconds, expected in ((3599, 1), (1, 2)):
        telegram.clock.time += seconds
        assert by_token(telegram, Browser(site)).status == 200
        assert len(telegram.received(KEYS)) == expected


def test_unknown_keys_are_asked_about_once_a_minute(telegram: Telegram) -> None:
    """Fifty tokens that name keys which nobody has cost one request for keys a minute."""
    site = telegram.site()
    assert by_token(telegram, Browser(site)).status == 200
    telegram.clock.time += 60
    telegram.forget()
    for number in range(50):
        token = telegram.token(headers={"kid": f"junk-{number}"})
        assert site.login({"id_token": token, "transport": "bearer"}, headers={}).code == "login_rejected"
    assert len(telegram.received(KEYS)) == 1
    assert by_token(telegram, Browser(site)).status == 200


def test_old_keys_help_for_a_day(telegram: Telegram) -> None:
    """While the keys cannot be fetched the ones we have are used, for a day; then it is 503."""
    site = telegram.site()
    assert by_token(telegram, Browser(site)).status == 200
    telegram.drop(KEYS)
    for hours, status in ((2, 200), (23, 200), (24, 503)):
        telegram.clock.time = NOW + hours * 3600
        assert by_token(telegram, Browser(site)).status == status
    telegram.provider.faults.clear()
    telegram.clock.time += 10
    assert by_token(telegram, Browser(site)).status == 200


def test_nothing_listens_at_telegrams_address(telegram: Telegram) -> None:
    """A Telegram that cannot be reached at all is 503 with both ways, and nothing is spent."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/_telegram"
        site = telegram.site({"TELEGRAM_OAUTH_URL": url})
        browser = Browser(site)
        token = telegram.token(iss=url, nonce=browser.start()["nonce"])
        answers = [by_code(telegram, Browser(site)), browser.login({"id_token": token})]
        assert [answer.code for answer in answers] == ["identity_provider_unavailable"] * 2
        assert site.store.calls == []
        # The token and its transaction are as good as before.
        assert len(browser.transactions) == 1


def test_all_that_a_login_asks_of_telegram_shares_one_deadline(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token endpoint and keys that are slow one after the other get no more time than one that is slow."""
    monkeypatch.setattr(budget, "TELEGRAM_SECONDS", 0.4)

    def slowly(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def slow(request: Request) -> Response:
            time.sleep(0.3)
            return answer(request)

        return slow

    provider = telegram.provider
    provider.faults["/token"] = slowly(provider._token)
    provider.faults[KEYS] = slowly(lambda _: Response(json.dumps(provider.jwks())))
    started = time.perf_counter()
    answer = by_code(telegram, Browser(telegram.site()))
    took = time.perf_counter() - started
    assert (answer.code, took < 2) == ("identity_provider_unavailable", True), took


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_revocation_in_between_refuses_the_login(telegram: Telegram, way: Callable[..., Answer]) -> None:
    """Who ends all sessions while a login is under way ends that login too; the next one works."""
    site = telegram.site()
    elsewhere, browser = Browser(site), Browser(site)
    by_code(telegram, elsewhere)
    location, started = browser.begin(), browser.start()
    body = {"id_token": telegram.token(nonce=started["nonce"])}
    telegram.clock.time += 5
    assert elsewhere.send("DELETE", "/telegram/sessions", headers=OWN_PAGE).status == 204
    telegram.clock.time += 5
    answer = browser.back(telegram.agree(location)) if way is by_code else browser.login(body)
    assert answer.code == "login_stale"
    assert session_cookies(answer) == []
    assert site.store.sessions() == {}
    assert way(telegram, browser).status in (200, 303)


def test_the_store_is_down(telegram: Telegram) -> None:
    """A login that the store cannot keep is 503 without a session cookie, and the next one works."""
    site = telegram.site()
    for way in WAYS.values():
        browser = Browser(site)
        site.store.error = StoreUnavailable("down")
        answer = way(telegram, browser)
        assert (answer.status, answer.code, answer.header("Retry-After")) == (503, "store_unavailable", "5")
        assert session_cookies(answer) == []
        site.store.error = None
        assert way(telegram, browser).status in (200, 303)


def test_the_store_is_down_for_somebody_who_looks(telegram: Telegram, lines: Lines) -> None:
    """They are shown a page with the code and the reference that is in the log."""
    site = telegram.site()
    browser = Browser(site)
    query = telegram.agree(browser.begin())
    site.store.error = StoreUnavailable("down")
    lines()
    answer = browser.back(query, headers=PAGE)
    line = lines()[-1]
    assert answer.header("Location") == f"/error.html?code=store_unavailable&reference={line['request_id']}"
    assert (line["level"], line["status"], answer.status) == ("error", 303, 303)


def test_fifty_junk_codes_with_a_saved_state(telegram: Telegram) -> None:
    """Who keeps the cookie and the state of one start gets one request to Telegram out of us, no more."""
    site = telegram.site()
    browser = Browser(site)
    state = parameter(browser.begin(), "state")
    saved = browser.cookie
    for number in range(50):
        assert (
            site.go("/telegram/callback", f"code=junk{number}&state={state}", cookie=saved).code
            == "login_rejected"
        )
    assert len(telegram.received()) <= 1
    assert site.store.calls == []


def test_fifty_junk_codes_at_once(telegram: Telegram) -> None:
    """The same when they come at the same moment."""
    site = telegram.site()
    browser = Browser(site)
    state = parameter(browser.begin(), "state")
    saved = browser.cookie
    answers = in_parallel(
        50, lambda number: site.go("/telegram/callback", f"code=junk{number}&state={state}", cookie=saved)
    )
    # While the first is under way, the others go where it would lead.
    assert {answer.code for answer in answers} <= {"login_rejected", None}
    assert all(session_cookies(answer) == [] for answer in answers)
    assert len(telegram.received()) == 1
    assert site.store.calls == []


def test_one_answer_of_telegram_fifty_times_at_once(telegram: Telegram) -> None:
    """Of fifty uses of one good code and state one logs in; those that come meanwhile get its session."""
    site = telegram.site()
    browser = Browser(site)
    query = telegram.agree(browser.begin("return_to=/x"))
    saved = browser.cookie
    answers = in_parallel(50, lambda _: site.go("/telegram/callback", query, cookie=saved))
    inside = [answer for answer in answers if answer.status == 303]
    assert {(answer.header("Location"), len(session_cookies(answer))) for answer in inside} == {("/x", 1)}
    assert len({cookie for answer in answers for cookie in session_cookies(answer)}) == 1
    assert {answer.code for answer in answers if answer not in inside} <= {"login_rejected"}
    assert (len(telegram.received()), len(site.store.sessions())) == (1, 1)


def test_one_id_token_fifty_times_at_once(telegram: Telegram) -> None:
    """The same for id_tokens, with the nonce of a browser and without one."""
    site = telegram.site()
    browser = Browser(site)
    bodies = [
        {"id_token": telegram.token(nonce=browser.start()["nonce"])},
        {"id_token": telegram.token(), "transport": "bearer"},
    ]
    saved = browser.cookie
    for number, body in enumerate(bodies):
        answers = in_parallel(50, lambda _, body=body: site.login(body, cookie=saved))
        assert sorted(answer.status for answer in answers) == [200] + [401] * 49
        assert len(site.store.sessions()) == number + 1


def test_one_id_token_at_two_instances(telegram: Telegram) -> None:
    """Where the instances share a store, a token or a state works at one of them."""
    one, two = telegram.site(), telegram.site()
    two.service.store = two.store = one.store
    body = {"id_token": telegram.token(), "transport": "bearer"}
    assert [site.login(body, headers={}).code for site in (one, two)] == [None, "login_stale"]
    browser = Browser(one)
    location = browser.begin()
    saved, state = browser.cookie, parameter(location, "state")
    answers = [
        site.go("/telegram/callback", f"code={telegram.code(location)}&state={state}", cookie=saved)
        for site in (one, two)
    ]
    assert [(answer.status, answer.code) for answer in answers] == [(303, None), (401, "login_stale")]


def respelled(token: str, kid: str) -> list[str]:
    """The same claims with a signature that is as good: other spare bits, and ECDSA's other half."""
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    letters = f"{string.ascii_letters}{string.digits}-_"
    others = [f"{signed}.{signature[:-1]}{letter}" for letter in letters]
    if kid == "oidc-es256-1":
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        mirrored = raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32)
        others.append(f"{signed}.{base64.urlsafe_b64encode(mirrored).decode().rstrip('=')}")
    return [other for other in others if other != token]


@pytest.mark.parametrize("kid", ["oidc-1", "oidc-es256-1"])
def test_an_id_token_works_once_however_it_is_spelled(telegram: Telegram, kid: str) -> None:
    """What was signed is used up, not one spelling of its signature; ECDSA has two good ones for each."""
    site = telegram.site()
    token = telegram.token(kid=kid)
    codes = []
    for spelling in [token, *respelled(token, kid)]:
        # Another instance each time, so that nothing but the store remembers.
        other = telegram.site()
        other.service.store = other.store = site.store
        codes.append(other.login({"id_token": spelling, "transport": "bearer"}, headers={}).code)
    assert codes[0] is None
    assert set(codes[1:]) <= {"login_rejected", "login_stale"}
    assert len(site.store.sessions()) == 1


def test_two_tabs(telegram: Telegram) -> None:
    """Logins in two tabs do not disturb each other, in whichever order they end."""
    browser = Browser(telegram.site())
    first, second = browser.begin("return_to=/first"), browser.begin("return_to=/second")
    assert len(browser.transactions) == 2
    for location, path in ((second, "/second"), (first, "/first")):
        assert browser.back(telegram.agree(location)).header("Location") == path
    assert browser.transactions == []


def test_two_tabs_with_answers_exchanged(telegram: Telegram) -> None:
    """A code belongs to the state that it was made for, also inside one browser (PKCE)."""
    browser = Browser(telegram.site())
    first, second = browser.begin(), browser.begin()
    code = dict(parse_qsl(telegram.agree(first)))["code"]
    assert browser.back(f"code={code}&state={parameter(second, 'state')}").code == "login_rejected"


def test_a_stolen_code_is_worth_nothing(telegram: Telegram) -> None:
    """An attacker's own transaction does not redeem the code of a victim, and the reverse (login CSRF)."""
    site = telegram.site()
    victim, attacker = Browser(site), Browser(site)
    victims, attackers = victim.begin(), attacker.begin()
    code = dict(parse_qsl(telegram.agree(victims)))["code"]
    assert attacker.back(f"code={code}&state={parameter(attackers, 'state')}").code == "login_rejected"
    assert victim.back(telegram.agree(attackers, MARIA)).code == "login_rejected"
    assert victim.cookies.keys() == {name for name in victim.cookies if "-tx-" in name}


def test_a_fourth_start_ends_the_oldest(telegram: Telegram) -> None:
    """The three newest transactions of a browser are kept."""
    browser = Browser(telegram.site())
    locations = []
    for _ in range(4):
        telegram.clock.time += 1
        locations.append(browser.begin())
    assert len(browser.transactions) == 3
    answers = [browser.back(telegram.agree(location)) for location in locations]
    assert [answer.code for answer in answers] == ["login_rejected", None, None, None]
    assert len(telegram.received()) == 3


def test_starts_and_refusals_cost_the_store_nothing(telegram: Telegram) -> None:
    """Starts of both kinds, starts that are refused and callbacks that are refused: no command."""
    site = telegram.site()
    browser = Browser(site)
    browser.begin(), browser.start()
    state = browser.start()["state"]
    assert browser.go("/telegram/start", "return_to=//evil.example").code == "malformed_request"
    for query in (
        "",
        "code=x",
        f"code=x&state={state}",
        f"code=x&state={state}",
        "state=x",
        "error=access_denied",
    ):
        assert browser.back(query).code == "login_rejected"
    assert site.store.calls == []


def test_no_address_holds_a_secret(telegram: Telegram) -> None:
    """No Location has a code, state or hash, but Telegram's own address and the confirm page's fragment."""
    site = telegram.site()
    browser = Browser(site)
    start = browser.begin("return_to=/x")
    query = telegram.agree(start)
    secrets = list(dict(parse_qsl(query)).values())
    widget = site.widget()
    fields = "&".join(f"{name}={value}" for name, value in widget.items())
    secrets += [str(widget["hash"]), started := browser.start()["state"]]
    answers = [
        browser.copy().back(query, headers=PAGE),
        browser.copy().back(query, headers=PAGE),
        browser.copy().back(query + "x", headers=PAGE),
        Browser(site).back(query, headers=PAGE),
        browser.copy().go("/telegram/login", f"{fields}&state={started}", headers=PAGE),
        browser.copy().go("/telegram/login", f"{fields}&state={started}", headers=PAGE),
        browser.go("/telegram/login", f"{fields}x&state={browser.start()['state']}", headers=PAGE),
        Browser(site).go("/telegram/start", f"return_to=//{query}", headers=PAGE),
    ]
    for answer in answers:
        assert answer.status == 303
        location = answer.header("Location") or ""
        assert [secret for secret in secrets if secret in location] == []
        assert answer.body == b""
    confirm = (
        Browser(site).go("/telegram/login", f"{fields}&state={started}", headers=PAGE).header("Location")
        or ""
    )
    before, _, fragment = confirm.partition("#")
    assert (before, dict(parse_qsl(fragment))) == ("/confirm.html", {k: str(v) for k, v in widget.items()})


def test_on_loopback(telegram: Telegram) -> None:
    """In development the whole way works on http://localhost, with cookies that browsers take there."""
    clock = Clock()
    with serving(
        redirect_origin="http://localhost:3000",
        client_id=str(BOT_ID),
        client_secret=CLIENT_SECRET,
        clock=clock,
    ) as here:
        env = {**LOCAL_ENV, "TELEGRAM_CLIENT_SECRET": CLIENT_SECRET, "TELEGRAM_OAUTH_URL": here.url}
        site = Site(clock, env)
        site.host = "localhost:3000"
        browser = Browser(site)
        location = browser.begin("return_to=/x")
        assert parameter(location, "redirect_uri") == "http://localhost:3000/telegram/callback"
        code = here.provider.code_for(ALICE, challenge=parameter(location, "code_challenge"))
        answer = browser.back(f"code={code}&state={parameter(location, 'state')}")
    assert (answer.status, answer.header("Location")) == (303, "/x")
    assert browser.cookies.keys() - browser.finished == {"tgauth"}
    assert not any("Secure" in header for header in answer.all("Set-Cookie"))
    assert browser.verify().json()["user"]["id"] == ALICE["id"]


def test_a_token_for_another_transport_is_refused(telegram: Telegram) -> None:
    """A cookie session that was made this way is worth nothing as a bearer token, and the reverse."""
    site = telegram.site()
    cookie = by_code(telegram, Browser(site)).token
    bearer = site.login({"id_token": telegram.token(), "transport": "bearer"}, headers={}).token
    assert [site.verify(bearer=cookie).code, site.verify(cookie=bearer).code] == ["invalid_session"] * 2


def test_planted_sessions_are_never_adopted(telegram: Telegram) -> None:
    """Whatever session cookie is there before, the login makes another one (fixation)."""
    site = telegram.site()
    for planted in ("", "x", "tg1_" + "A" * 56 + "." + "A" * 43):
        browser = Browser(site, {COOKIE: planted})
        by_code(telegram, browser)
        assert browser.cookies[COOKIE] != planted
        assert browser.verify().status == 200
    mallory = Browser(site)
    by_code(telegram, mallory, user=MARIA)
    victim = mallory.copy()
    by_code(telegram, victim)
    assert victim.verify().json()["user"]["id"] == ALICE["id"]
    assert mallory.verify().code == "invalid_session"


def test_the_longest_names_fit_into_a_cookie(telegram: Telegram) -> None:
    """A token that carries its record opens a session, however long Telegram's claims are."""
    browser = Browser(telegram.site(shared=False))
    answer = by_token(
        telegram,
        browser,
        {"id": (1 << 52) - 1, "first_name": "🦊" * 64, "last_name": "\x01" * 64, "username": "w" * 32},
        sub="9" * 255,
        phone_number="8" * 32,
        family_name="\x02" * 64,
        picture="https://t.me/" + "x" * 2000,
    )
    assert len(answer.token) <= 3500
    assert len(session_cookies(answer)[0]) < 4096
    assert browser.verify().status == 200


def test_the_store_has_its_own_time(telegram: Telegram, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long Telegram took, what is asked of the store afterwards may take as long as ever."""
    site = telegram.site()
    left = []
    create = site.store.memory.create

    def watched(*args: Any, **kwargs: Any) -> Any:
        left.append(budget.remaining())
        return create(*args, **kwargs)

    monkeypatch.setattr(site.store.memory, "create", watched)
    monkeypatch.setattr(budget, "TELEGRAM_SECONDS", 0.5)
    assert by_code(telegram, Browser(site)).status == 303
    assert by_token(telegram, Browser(site)).status == 200
    assert [seconds > budget.SECONDS - 0.5 for seconds in left] == [True, True]
