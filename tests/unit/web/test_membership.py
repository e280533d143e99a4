"""TELEGRAM_REQUIRE_CHAT through the real functions: members of the chat get in, and stay while they are."""

import json
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.wrappers import Request, Response

from dev.telegram.bot_api import CHAT_ID, METHOD_PATH, BotApi, chat_member, refusal, success
from dev.telegram.oidc import TOKEN_PATH
from lib.tgauth import budget
from lib.tgauth.auth import authenticate
from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.http_client import HttpClient
from lib.tgauth.sessions import login
from tests.site import (
    BOT_ID,
    BOT_TOKEN,
    COOKIE,
    HOST,
    NOW,
    USER,
    Answer,
    Clock,
    Site,
    in_parallel,
)
from tests.unit.web.telegram import PAGE, Browser, Telegram, parameter, session_cookies, with_chat

running, telegram, chat = with_chat

TTL = 600
GATE = {"TELEGRAM_REQUIRE_CHAT": str(CHAT_ID), "TELEGRAM_REQUIRE_CHAT_TTL": str(TTL)}
SECRET = BOT_TOKEN.partition(":")[2]

Send = Callable[[], Answer]


def gated(telegram: Telegram, *, shared: bool = True, **env: str) -> Site:
    """A deployment that lets members of the chat in."""
    return telegram.site({**GATE, "TELEGRAM_API_URL": telegram.url, **env}, shared=shared)


@pytest.fixture(params=["degraded", "shared"])
def site(request: pytest.FixtureRequest, telegram: Telegram, chat: BotApi) -> Site:
    """What holds for one kind of token must hold for the other."""
    return gated(telegram, shared=request.param == "shared")


def twin(telegram: Telegram, site: Site) -> Site:
    """Another instance of the same deployment: its own memory, the same store."""
    other = gated(telegram, shared=site.shared)
    other.store = site.store
    other.service.store = site.store  # type: ignore[assignment]
    return other


@pytest.fixture
def another(telegram: Telegram, site: Site) -> Site:
    return twin(telegram, site)


PERSON: Any = USER


def widget_post(telegram: Telegram, site: Site) -> Send:
    body = site.widget()
    return lambda: site.login(body)


def widget_get(telegram: Telegram, site: Site) -> Send:
    browser = Browser(site)
    query = urlencode({**site.widget(), "state": browser.start()["state"]})
    return lambda: browser.copy().go("/telegram/login", query)


def init_data(telegram: Telegram, site: Site) -> Send:
    body = {"init_data": site.init_data()}
    return lambda: site.login(body, headers={})


def code(telegram: Telegram, site: Site) -> Send:
    browser = Browser(site)
    location = browser.begin()
    state = parameter(location, "state")
    return lambda: browser.copy().back(f"code={telegram.code(location, PERSON)}&state={state}")


def id_token_cookie(telegram: Telegram, site: Site) -> Send:
    browser = Browser(site)
    token = telegram.token(PERSON, nonce=browser.start()["nonce"])
    return lambda: browser.copy().login({"id_token": token})


def id_token_bearer(telegram: Telegram, site: Site) -> Send:
    body = {"id_token": telegram.token(PERSON), "transport": "bearer"}
    return lambda: site.login(body, headers={})


WAYS = {
    way.__name__: way for way in (widget_post, widget_get, init_data, code, id_token_cookie, id_token_bearer)
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)
# These belong to a transaction of the browser, which is over with the first answer to it, whatever that is.
BOUND = ("widget_get", "code", "id_token_cookie")
FREE_WAYS = pytest.mark.parametrize("way", [way for way in WAYS if way not in BOUND])


def gate_asked(chat: BotApi) -> int:
    return len(chat.requests)


def refused(answer: Answer, site: Site, status: int, problem: str) -> None:
    """A problem, without a session in the answer or in the store, and without a command."""
    assert (answer.status, answer.code) == (status, problem)
    assert session_cookies(answer) == []
    assert site.store.calls == []
    assert site.store.sessions() == {}
    assert SECRET not in f"{answer.headers}{answer.body.decode()}"


# Logging in


@EVERY_WAY
def test_a_member_logs_in(telegram: Telegram, chat: BotApi, site: Site, way: str) -> None:
    """Whichever way: Telegram is asked once about this very user, and the session is made."""
    chat.members[USER["id"]] = "member"
    answer = WAYS[way](telegram, site)()
    assert answer.status in (200, 303)
    assert len(site.store.sessions()) == 1
    (asked,) = chat.requests
    assert json.loads(asked.body) == {"chat_id": str(CHAT_ID), "user_id": USER["id"]}


@EVERY_WAY
@pytest.mark.parametrize("state", ["left", None], ids=str)
def test_others_do_not(telegram: Telegram, chat: BotApi, site: Site, way: str, state: Any) -> None:
    """Who is not in the chat, or never was, is told so, and the store is not asked."""
    if state is not None:
        chat.members[USER["id"]] = state
    refused(WAYS[way](telegram, site)(), site, 403, "membership_required")
    assert gate_asked(chat) == 1


@FREE_WAYS
def test_join_then_log_in_with_the_same_proof(
    telegram: Telegram, chat: BotApi, site: Site, clock: Clock, way: str
) -> None:
    """A refusal spends nothing: after joining, the same proof logs in, and once where that is its rule."""
    send = WAYS[way](telegram, site)
    refused(send(), site, 403, "membership_required")
    chat.members[USER["id"]] = "member"
    telegram.clock.time += 10
    assert send().status == 200
    again = send()
    assert (again.status, again.code) == ((200, None) if way == "init_data" else (401, "login_stale"))


def test_join_then_log_in_by_the_widgets_redirect(telegram: Telegram, chat: BotApi, site: Site) -> None:
    """Opened again after joining, the address leads to the page that asks, where the same proof logs in."""
    browser, widget = Browser(site), site.widget()
    query = urlencode({**widget, "state": browser.start()["state"]})
    refused(browser.go("/telegram/login", query), site, 403, "membership_required")
    chat.members[USER["id"]] = "member"
    telegram.clock.time += 10
    again = browser.go("/telegram/login", query)
    assert (again.status, (again.header("Location") or "").partition("#")[0]) == (303, "/confirm.html")
    assert browser.login(widget).status == 200
    assert browser.login(widget).code == "login_stale"


@pytest.mark.parametrize("way", BOUND)
def test_join_then_begin_again(telegram: Telegram, chat: BotApi, site: Site, way: str) -> None:
    """A login that Telegram has answered is over; the next one works as soon as the no is forgotten."""
    send = WAYS[way](telegram, site)
    refused(send(), site, 403, "membership_required")
    chat.members[USER["id"]] = "member"
    telegram.clock.time += 10
    assert send().code == "login_rejected"
    assert WAYS[way](telegram, site)().status in (200, 303)
    assert len(site.store.sessions()) == 1


@pytest.mark.parametrize(
    ("chat_name", "link"), [("@tgauth_dev_chat", "https://t.me/tgauth_dev_chat"), ("", None)]
)
def test_a_refusal_leads_to_the_chat(
    telegram: Telegram, chat: BotApi, lines: Any, chat_name: str, link: str | None
) -> None:
    """By a page or a problem, which links to a chat with a public name; the log says who was refused."""
    site = gated(telegram, **({"TELEGRAM_REQUIRE_CHAT": chat_name} if chat_name else {}))
    answer = site.login()
    assert (answer.code, answer.json().get("link")) == ("membership_required", link)
    refused = lines()[-1]
    assert (refused["code"], refused["event"]) == ("membership_required", "authz_fail")
    browser = Browser(site)
    browser.navigation = PAGE
    page = browser.back(telegram.agree(browser.begin()))
    assert (page.header("Location") or "").startswith("/error.html?code=membership_required&reference=")
    assert session_cookies(page) == []
    assert ("__Host-tgauth-told" in page.cookies) is (link is not None)
    chat.members[USER["id"]] = "member"
    telegram.clock.time += 10
    site.login()
    assert refused["user_ref"] == lines()[-1]["user_ref"]


@EVERY_WAY
def test_a_bad_proof_asks_nobody(telegram: Telegram, chat: BotApi, site: Site, way: str) -> None:
    """Telegram is asked about people who proved who they are, so nobody can spend our requests for us."""
    send = WAYS[way](telegram, site)
    telegram.clock.time += 86_400 + 3600
    answer = send()
    # Without a transaction the widget's redirect is not looked at.
    assert answer.status == 401 or (answer.header("Location") or "").startswith("/confirm.html")
    assert gate_asked(chat) == 0
    assert site.store.calls == []


def test_denied_users_are_not_asked_about(telegram: Telegram, chat: BotApi) -> None:
    """TELEGRAM_DENY holds for members, too."""
    chat.members[USER["id"]] = "member"
    site = gated(telegram, TELEGRAM_DENY=str(USER["id"]))
    assert site.login().code == "not_allowed"
    assert site.store.sessions() == {}
    assert gate_asked(chat) == 0


@pytest.mark.parametrize("way", ["widget_post", "id_token_bearer"])
def test_a_used_proof_asks_nobody(telegram: Telegram, chat: BotApi, site: Site, way: str) -> None:
    """Nor does who has logged in once make us ask as often as they like, with what works no more."""
    chat.members[USER["id"]] = "member"
    send = WAYS[way](telegram, site)
    assert send().status == 200
    site.store.calls.clear()
    assert [send().code for _ in range(3)] == ["login_stale"] * 3
    assert (gate_asked(chat), site.store.calls) == (1, [])


@pytest.mark.parametrize("fault", ["none", "dropped"])
def test_init_data_asks_sixty_times_a_minute(
    telegram: Telegram, chat: BotApi, site: Site, fault: str
) -> None:
    """Then it is limited, whether Telegram answered or not, before anybody is asked."""
    chat.members[USER["id"]] = "member"
    if fault in FAULTS:
        chat.faults[METHOD_PATH] = FAULTS[fault]
    send = init_data(telegram, site)
    statuses = [send().status for _ in range(62)]
    assert statuses == [503 if fault in FAULTS else 200] * 60 + [429] * 2
    assert gate_asked(chat) == 60


FAULTS: dict[str, Callable[[Request], Response]] = {
    "502 HTML": lambda _: Response("<html>", 502, mimetype="text/html"),
    "dropped": lambda _: dropped(),
}


def dropped() -> Response:
    raise ConnectionError


@EVERY_WAY
@pytest.mark.parametrize("fault", FAULTS)
def test_nobody_gets_in_while_telegram_is_away(
    telegram: Telegram, chat: BotApi, site: Site, way: str, fault: str, lines: Any
) -> None:
    """Not even members: 503 with Retry-After, an error in the log, nothing spent and nothing remembered."""
    chat.members[USER["id"]] = "member"
    chat.faults[METHOD_PATH] = FAULTS[fault]
    send = WAYS[way](telegram, site)
    answer = send()
    refused(answer, site, 503, "identity_provider_unavailable")
    assert answer.header("Retry-After") == "5"
    line = lines()[-1]
    assert (line["level"], line["event"]) == ("error", "identity_provider_unavailable")
    chat.faults.clear()
    again = WAYS[way](telegram, site) if way in BOUND else send
    assert again().status in (200, 303)


def test_what_the_owner_must_mend(telegram: Telegram, chat: BotApi, lines: Any) -> None:
    """A bot without a view of the chat lets nobody in, and the log names the variable."""
    chat.bot_status = "kicked"
    site = gated(telegram)
    refused(site.login(), site, 503, "misconfigured")
    (line,) = lines()
    assert line["reason"].startswith("TELEGRAM_REQUIRE_CHAT: ")


# What is remembered, and for how long


def test_every_login_asks(telegram: Telegram, chat: BotApi, site: Site) -> None:
    """A yes that is remembered lets nobody in: the new session would begin another TTL with an old answer."""
    chat.members[USER["id"]] = "member"
    for asked, seconds in enumerate((0, 1, TTL - 1, TTL), 1):
        telegram.clock.time = NOW + seconds
        assert site.login().status == 200
        assert gate_asked(chat) == asked
    chat.members[USER["id"]] = "left"
    refused_now = site.login()
    assert (refused_now.status, refused_now.code) == (403, "membership_required")


def test_a_no_ends_an_older_yes(telegram: Telegram, chat: BotApi, site: Site) -> None:
    """What an instance heard last counts, also when that is forgotten before what it heard first."""
    token = logged_in(site, chat)
    telegram.clock.time = NOW + TTL
    assert site.refresh(cookie=token).status == 200
    chat.members[USER["id"]] = "left"
    assert site.login().code == "membership_required"
    telegram.clock.time += 11
    assert site.refresh(cookie=token).code == "invalid_session"


def test_a_no_is_remembered_for_ten_seconds(telegram: Telegram, chat: BotApi, site: Site) -> None:
    """So that trying again and again costs nothing, and joining helps soon."""
    for seconds, asked in ((0, 1), (9, 1), (10, 2)):
        telegram.clock.time = NOW + seconds
        assert site.login().code == "membership_required"
        assert gate_asked(chat) == asked
    chat.members[USER["id"]] = "member"
    telegram.clock.time = NOW + 19
    assert site.login().code == "membership_required"
    telegram.clock.time = NOW + 20
    assert site.login().status == 200


def test_what_is_known_of_one_is_not_of_another(telegram: Telegram, chat: BotApi, site: Site) -> None:
    """Everybody is asked about."""
    chat.members[USER["id"]] = "member"
    assert site.login().status == 200
    assert site.login(site.widget(id=USER["id"] + 1)).code == "membership_required"
    assert site.login().status == 200
    assert gate_asked(chat) == 3


# Staying


def logged_in(site: Site, chat: BotApi) -> str:
    chat.members[USER["id"]] = "member"
    token = site.login().token
    chat.requests.clear()
    site.store.calls.clear()
    return token


REFRESH_AND_VERIFY = pytest.mark.parametrize("use", [Site.refresh, Site.verify])


@REFRESH_AND_VERIFY
def test_a_member_stays(telegram: Telegram, chat: BotApi, site: Site, use: Callable[..., Answer]) -> None:
    """Until the TTL neither asks anybody; after it once, at one command, and the session goes on."""
    token = logged_in(site, chat)
    for seconds, asked in ((TTL - 1, 0), (TTL, 1), (TTL + 1, 1), (2 * TTL - 1, 1), (2 * TTL, 2)):
        telegram.clock.time = NOW + seconds
        site.store.calls.clear()
        assert use(site, cookie=token).status == 200
        assert gate_asked(chat) == asked, seconds
        assert len(site.store.calls) <= 1


@REFRESH_AND_VERIFY
@pytest.mark.parametrize("transport", ["cookie", "bearer"])
def test_who_left_is_logged_out(
    telegram: Telegram, chat: BotApi, site: Site, use: Callable[..., Answer], transport: str
) -> None:
    """After the TTL the next of either ends the session, for good: 401 as for any session that is none."""
    logged_in(site, chat)
    token = site.login({**site.widget(), "transport": transport}).token
    carried: dict[str, Any] = {transport: token}
    chat.members[USER["id"]] = "left"
    telegram.clock.time = NOW + TTL - 1
    assert use(site, **carried).status == 200
    telegram.clock.time = NOW + TTL
    answer = use(site, **carried)
    assert (answer.status, answer.code) == (401, "invalid_session")
    assert session_cookies(answer) == []
    assert len(site.store.sessions()) == 1
    chat.members[USER["id"]] = "member"
    telegram.clock.time += 3600
    for again in (site.refresh, site.verify):
        assert again(**carried).code == "invalid_session"


def test_who_left_is_logged_out_on_every_instance(telegram: Telegram, chat: BotApi) -> None:
    """With a store the session has ended everywhere, also where the user is remembered as a member."""
    site = gated(telegram)
    other = twin(telegram, site)
    token = logged_in(site, chat)
    telegram.clock.time = NOW + TTL - 1
    assert other.login().status == 200
    chat.members[USER["id"]] = "left"
    telegram.clock.time = NOW + TTL
    assert other.refresh(cookie=token).status == 200
    assert site.refresh(cookie=token).code == "invalid_session"
    for instance in (site, other):
        assert instance.verify(cookie=token).code == "invalid_session"
        assert instance.refresh(cookie=token).code == "invalid_session"


def test_without_a_store_every_instance_asks(
    telegram: Telegram, chat: BotApi, site: Site, another: Site
) -> None:
    """A session that another instance made is checked by the time in its token."""
    token = logged_in(site, chat)
    chat.members[USER["id"]] = "left"
    telegram.clock.time = NOW + TTL - 1
    assert another.refresh(cookie=token).status == 200
    telegram.clock.time = NOW + TTL
    assert another.refresh(cookie=token).code == "invalid_session"
    assert another.verify(cookie=token).code == "invalid_session"
    assert gate_asked(chat) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_nobody_is_logged_out_while_telegram_is_away(
    telegram: Telegram, chat: BotApi, site: Site, another: Site, fault: str
) -> None:
    """A refresh that cannot ask is 503: session and cookie are kept, and work now and afterwards."""
    token = logged_in(site, chat)
    telegram.clock.time = NOW + TTL
    chat.faults[METHOD_PATH] = FAULTS[fault]
    answer = site.refresh(cookie=token)
    assert (answer.status, answer.code) == (503, "identity_provider_unavailable")
    assert answer.header("Set-Cookie") is None
    for instance in (site, another):
        assert instance.verify(cookie=token).status == 200
    chat.faults.clear()
    assert site.refresh(cookie=token).token == token
    assert another.refresh(cookie=token).token == token


def test_nobody_is_logged_out_whom_the_bot_does_not_see(
    telegram: Telegram, chat: BotApi, site: Site, lines: Any
) -> None:
    """Telegram may say so of members who are hidden from the bot: that is no reason to end a session."""
    token = logged_in(site, chat)
    telegram.clock.time = NOW + TTL
    chat.members.clear()
    lines()
    for _ in range(2):
        found = site.refresh(cookie=token)
        assert (found.status, found.code) == (503, "identity_provider_unavailable")
        assert found.header("Set-Cookie") is None
    assert gate_asked(chat) == 1
    assert "make it an administrator there" in lines()[-1]["reason"]
    assert site.login().code == "membership_required"
    chat.members[USER["id"]] = "administrator"
    telegram.clock.time += 10
    assert site.refresh(cookie=token).token == token


def test_nobody_is_logged_out_by_the_owners_mistake(telegram: Telegram, chat: BotApi, site: Site) -> None:
    """A bot that was removed from the chat is 503, and no member's fault."""
    token = logged_in(site, chat)
    telegram.clock.time = NOW + TTL
    chat.bot_status = "kicked"
    assert site.refresh(cookie=token).code == "misconfigured"
    chat.bot_status = "administrator"
    assert site.refresh(cookie=token).status == 200


def test_a_dead_token_asks_nobody(telegram: Telegram, chat: BotApi, site: Site) -> None:
    """Junk, and sessions that have ended, cost no request."""
    token = logged_in(site, chat)
    site.logout(cookie=token)
    telegram.clock.time = NOW + TTL
    for text in (token, token[:-1], "x"):
        assert site.refresh(cookie=text).status == 401
    assert site.refresh().status == 401
    assert gate_asked(chat) == 0


def test_a_store_that_is_down_asks_nobody(telegram: Telegram, chat: BotApi) -> None:
    """Then there is no session to check."""
    site = gated(telegram)
    token = logged_in(site, chat)
    telegram.clock.time = NOW + TTL
    site.store.error = StoreUnavailable("down")
    assert site.refresh(cookie=token).code == "store_unavailable"
    assert gate_asked(chat) == 0


def test_a_store_that_fails_after_the_check(telegram: Telegram, chat: BotApi) -> None:
    """A session that could not be ended is 503, and is ended by the next refresh."""
    site = gated(telegram)
    token = logged_in(site, chat)
    telegram.clock.time = NOW + TTL
    chat.members[USER["id"]] = "left"

    def down(_: Request) -> Response:
        site.store.error = StoreUnavailable("down")
        return success(chat_member(USER["id"], "left"))

    chat.faults[METHOD_PATH] = down
    assert site.refresh(cookie=token).code == "store_unavailable"
    site.store.error = None
    assert site.refresh(cookie=token).code == "invalid_session"
    assert site.verify(cookie=token).code == "invalid_session"


def test_who_joins_again_comes_with_the_same_init_data(telegram: Telegram, chat: BotApi, site: Site) -> None:
    """Who left is logged out, and their launch is not over: the next login asks about the chat anyway."""
    chat.members[USER["id"]] = "member"
    send = init_data(telegram, site)
    token = send().token
    chat.members[USER["id"]] = "left"
    telegram.clock.time = NOW + TTL
    assert site.verify(bearer=token).code == "invalid_session"
    assert send().code == "membership_required"
    chat.members[USER["id"]] = "member"
    telegram.clock.time += 10
    again = send()
    assert again.status == 200
    assert site.verify(bearer=again.token).status == 200
    assert site.verify(bearer=token).code == "invalid_session"


Wait = Callable[[float], None]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """`wait(seconds)`: so much of a request's time goes by, and nothing else takes any."""
    now = [0.0]
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


@pytest.fixture
def left(wait: Wait, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is left of the time for Telegram at each request to it, in the order of the requests."""
    found: list[float] = []
    send = HttpClient.send

    def measured(*request: Any) -> Any:
        found.append(budget.remaining())
        return send(*request)

    monkeypatch.setattr(HttpClient, "send", measured)
    return found


def test_a_slow_telegram_leaves_the_store_its_time(
    telegram: Telegram, chat: BotApi, site: Site, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the chat's answer took is neither taken from what the store gets nor added to it."""

    def late(_: Request) -> Response:
        wait(0.5)
        return success(chat_member(USER["id"], "member"))

    chat.faults[METHOD_PATH] = late
    left = []
    settle = login._settle

    def measured(*args: Any) -> Any:
        left.append(budget.remaining())
        return settle(*args)

    monkeypatch.setattr(login, "_settle", measured)
    assert site.login().status == 200
    assert left[0] == budget.SECONDS


def test_one_login_has_one_time_for_telegram(
    telegram: Telegram, chat: BotApi, site: Site, wait: Wait, left: list[float]
) -> None:
    """The chat is asked about in what code and keys have left of five seconds, not in five more."""
    chat.members[USER["id"]] = "member"
    send = code(telegram, site)

    def late(request: Request) -> Response:
        wait(0.5)
        return telegram.provider._token(request)

    telegram.provider.faults[TOKEN_PATH] = late
    assert send().status == 303
    assert left == [5, 4.5, 4.5]


@EVERY_WAY
def test_every_login_has_the_whole_time_for_telegram(
    telegram: Telegram, chat: BotApi, site: Site, way: str, left: list[float]
) -> None:
    """It is not what the store has: whichever way, the first question can take five seconds."""
    chat.members[USER["id"]] = "member"
    send = WAYS[way](telegram, site)
    left.clear()
    assert send().status in (200, 303)
    assert left[0] == budget.TELEGRAM_SECONDS == 5


def test_a_refresh_has_a_time_for_the_store_and_one_for_telegram(
    telegram: Telegram,
    chat: BotApi,
    site: Site,
    wait: Wait,
    left: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the store took before is none of Telegram's time, and is not given to the store again."""
    token = logged_in(site, chat)
    telegram.clock.time = NOW + TTL
    chat.members[USER["id"]] = "left"
    refresh, delete, at_the_store = site.service.refresh_session, site.service.end_session_alone, []

    def slow(*args: Any) -> Any:
        wait(0.5)
        return refresh(*args)

    def measured(*args: Any) -> Any:
        at_the_store.append(budget.remaining())
        return delete(*args)

    monkeypatch.setattr(site.service, "refresh_session", slow)
    monkeypatch.setattr(site.service, "end_session_alone", measured)
    left.clear()
    assert site.refresh(cookie=token).status == 401
    assert (left, at_the_store) == ([5], [budget.SECONDS - 0.5])


def test_off_it_asks_nobody(telegram: Telegram, chat: BotApi) -> None:
    """Without TELEGRAM_REQUIRE_CHAT everybody logs in, and no request goes to the Bot API."""
    site = telegram.site({"TELEGRAM_API_URL": telegram.url})
    for way in WAYS.values():
        assert way(telegram, site)().status in (200, 303)
    token = site.login().token
    telegram.clock.time += 86_400
    assert site.refresh(cookie=token).status == 200
    assert gate_asked(chat) == 0


# What /health says of the bot


def health(site: Site) -> tuple[int, str | None]:
    """The status of /health, and its problem."""
    answer = site.send("GET", "/health")
    return answer.status, answer.json().get("problem")


ANOTHER = {"TELEGRAM_BOT_TOKEN": f"{BOT_ID}:AAE-from_before_it_was_revoked"}
WITHOUT_CHAT = {"TELEGRAM_REQUIRE_CHAT": ""}
WITHOUT_OIDC = {"TELEGRAM_CLIENT_SECRET": ""}


@pytest.mark.parametrize(
    ("env", "bot_status", "said"),
    [
        ({}, "administrator", (200, None)),
        ({}, "member", (200, None)),
        ({}, "left", (200, "chat")),
        ({}, "kicked", (200, "chat")),
        ({"TELEGRAM_REQUIRE_CHAT": "-1009"}, "administrator", (200, "chat")),
        (WITHOUT_CHAT, "left", (200, None)),
        # Nor where each login asks about the chat.
        (ANOTHER, "administrator", (503, "bot_token")),
        ({**ANOTHER, **WITHOUT_CHAT}, "administrator", (200, "bot_token")),
        # Nobody can log in without OpenID Connect.
        ({**ANOTHER, **WITHOUT_OIDC}, "administrator", (503, "bot_token")),
        ({**ANOTHER, **WITHOUT_CHAT, **WITHOUT_OIDC}, "administrator", (503, "bot_token")),
        # No answer says nothing: the widget needs none.
        ({**ANOTHER, **WITHOUT_OIDC, "TELEGRAM_API_URL": "http://127.0.0.1:9"}, "left", (200, None)),
    ],
)
def test_health_asks_about_the_bot(
    telegram: Telegram,
    chat: BotApi,
    lines: Callable[[], list[dict[str, Any]]],
    env: dict[str, str],
    bot_status: str,
    said: tuple[int, str | None],
) -> None:
    """A chat that the bot cannot see is second best; a token that Telegram refuses lets nobody in alone."""
    chat.bot_status = bot_status
    site = gated(telegram, **env)
    assert health(site) == said
    line = lines()[-1]
    named = {"chat": "TELEGRAM_REQUIRE_CHAT: ", "bot_token": "TELEGRAM_BOT_TOKEN: Telegram refused it; "}
    assert line.get("reason", "").startswith(named.get(said[1] or "", ""))
    assert "AAE-" not in str(line)


def test_health_hardly_asks_about_the_bot(telegram: Telegram, chat: BotApi) -> None:
    """Once an hour, once a minute while something is wrong; of many at once one asks."""
    site = gated(telegram)
    in_parallel(20, lambda _: health(site))
    telegram.clock.time += 3599
    assert health(site) == (200, None)
    assert gate_asked(chat) == 1
    telegram.clock.time += 1
    chat.bot_status = "left"
    assert [health(site) for _ in range(3)] == [(200, "chat")] * 3
    assert gate_asked(chat) == 2
    telegram.clock.time += 59
    chat.bot_status = "administrator"
    assert health(site) == (200, "chat")
    telegram.clock.time += 1
    # Without an answer what was known stays.
    chat.faults["/getChatMember"] = lambda _: Response(status=502)
    assert health(site) == (200, "chat")
    telegram.clock.time += 60
    chat.faults.clear()
    assert health(site) == (200, None)
    assert gate_asked(chat) == 4


# The cost, and the secret


def test_it_is_imported_when_it_is_asked(
    telegram: Telegram, chat: BotApi, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What asks Telegram over HTTP is loaded where that is due, and neither before nor without the gate."""
    token = logged_in(site, chat)
    off = telegram.site()
    other = off.login().token
    for name in ("membership", "http"):
        monkeypatch.setitem(sys.modules, f"lib.tgauth.telegram.{name}", None)
    assert site.refresh(cookie=token).status == 200
    telegram.clock.time = NOW + TTL
    assert off.refresh(cookie=other).status == 200
    assert site.refresh(cookie=token).code == "misconfigured"


def told(request: Request) -> Response:
    """Everything that came, the address with the token included, as a careless server tells it."""
    return Response(f"canary-answer {request.url} {request.get_data(as_text=True)}", 500)


ECHOES: dict[str, Callable[[Request], Response]] = {
    "500": told,
    "400": lambda r: refusal(400, f"canary-answer {r.url}"),
    "dropped": lambda _: dropped(),
    "left": lambda _: success(chat_member(USER["id"], "left")),
}


@pytest.mark.parametrize("echo", ECHOES)
def test_nothing_shows_the_address(
    telegram: Telegram,
    chat: BotApi,
    site: Site,
    echo: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The token is in no answer and no line, at login and at refresh, whatever the Bot API answers."""
    token = logged_in(site, chat)
    telegram.clock.time = NOW + TTL
    chat.faults[METHOD_PATH] = ECHOES[echo]
    answers = [site.refresh(cookie=token), *(way(telegram, site)() for way in WAYS.values())]
    assert {answer.status for answer in answers} <= {401, 403, 503}
    captured = capsys.readouterr()
    shown = captured.out + captured.err + caplog.text
    shown += "".join(f"{answer.headers}{answer.body.decode()}" for answer in answers)
    for secret in (SECRET, "canary-answer", str(CHAT_ID), telegram.url):
        assert secret not in shown


# In passing: what verify and functions of the owner's own ask


@pytest.mark.parametrize("fault", [*FAULTS, "unseen", "misconfigured"])
def test_verify_goes_on_without_an_answer(
    telegram: Telegram, chat: BotApi, site: Site, lines: Any, fault: str
) -> None:
    """No answer keeps people in, is in the log, and is not asked for again for a minute."""
    token = logged_in(site, chat)
    telegram.clock.time = NOW + TTL
    if fault == "unseen":
        chat.members.clear()
    elif fault == "misconfigured":
        chat.bot_status = "kicked"
    else:
        chat.faults[METHOD_PATH] = FAULTS[fault]
    lines()
    for seconds in (0, 1, 11, 59):
        telegram.clock.time = NOW + TTL + seconds
        assert site.verify(cookie=token).status == 200
    first, *others = lines()
    assert first["level"] == "error"
    assert first["event"] in ("identity_provider_unavailable", "misconfigured")
    assert first["request_id"] == others[0]["request_id"]
    assert {line["event"] for line in others} == {"request"}
    asked = gate_asked(chat)
    telegram.clock.time = NOW + TTL + 60
    chat.faults.clear()
    chat.bot_status, chat.members[USER["id"]] = "administrator", "left"
    assert site.verify(cookie=token).code == "invalid_session"
    assert gate_asked(chat) == asked + 1


def test_verify_waits_a_second_at_most(
    telegram: Telegram, chat: BotApi, site: Site, left: list[float]
) -> None:
    """Telegram gets a second of the request's time, and the store has what was left before."""
    token = logged_in(site, chat)
    left.clear()
    telegram.clock.time = NOW + TTL
    assert site.verify(cookie=token).status == 200
    assert left == [1]


def test_of_many_verifies_one_asks(telegram: Telegram, chat: BotApi, site: Site) -> None:
    """While one waits for Telegram's answer, the others of the same user go on without it."""
    token = logged_in(site, chat)
    telegram.clock.time = NOW + TTL
    finished = threading.Semaphore(0)

    def held(_: Request) -> Response:
        for _others in range(4):
            finished.acquire(timeout=10)
        return success(chat_member(USER["id"], "member"))

    def verify(_: int) -> int:
        status = site.verify(cookie=token).status
        finished.release()
        return status

    chat.faults[METHOD_PATH] = held
    assert in_parallel(5, verify) == [200] * 5
    assert gate_asked(chat) == 1


def test_functions_of_ones_own_log_out_who_left(telegram: Telegram, chat: BotApi, site: Site) -> None:
    """`authenticate` asks as verify does, and then it is nobody's request."""
    token = logged_in(site, chat)
    headers = {"Host": HOST, "Cookie": f"{COOKIE}={token}"}
    chat.members[USER["id"]] = "left"
    telegram.clock.time = NOW + TTL - 1
    assert site.verify(cookie=token).status == 200
    assert authenticate(headers) is not None
    telegram.clock.time = NOW + TTL
    assert authenticate(headers) is None
    assert gate_asked(chat) == 1
    assert site.verify(cookie=token).code == "invalid_session"
