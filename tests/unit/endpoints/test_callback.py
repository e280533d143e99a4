"""Logging in with Telegram's OpenID Connect, against a provider on a socket: what works and what fails."""

import json
import re
import socket
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
        failing(
            "error=access_denied&error_description=canary&error_uri=https://canary.example",
            "login_cancelled",
            401,
        ),
        failing("error=server_error", "identity_provider_unavailable", 503),
        failing("error=invalid_request", "misconfigured", 503),
        failing("error=canary1", "login_rejected", 401),
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


def test_a_token_endpoint_out_of_order(telegram: Telegram, lines: Lines) -> None:
    """The login is 503 after one request, nobody is logged in and nothing is spent; the next one works."""
    site = telegram.site()
    telegram.fault("canary", 500)
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


def test_two_tabs(telegram: Telegram) -> None:
    """Logins in two tabs do not disturb each other, in whichever order they end."""
    browser = Browser(telegram.site())
    first, second = browser.begin("return_to=/first"), browser.begin("return_to=/second")
    assert len(browser.transactions) == 2
    for location, path in ((second, "/second"), (first, "/first")):
        assert browser.back(telegram.agree(location)).header("Location") == path
    assert browser.transactions == []


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
