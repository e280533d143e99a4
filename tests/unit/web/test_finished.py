"""A login that comes back twice: the second visit ends where the first one led, and changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from urllib.parse import urlencode

import pytest

from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.sessions import login
from lib.tgauth.sessions.service import SessionService
from tests.site import COOKIE, NOW, OWN_PAGE, Answer, Site
from tests.unit.web.telegram import (
    ALICE,
    MARIA,
    PAGE,
    TX,
    Browser,
    Telegram,
    fixtures,
    parameter,
)

running, telegram = fixtures


CASE = Path(__file__).parents[2] / "cases/telegram/10-callback-comes-twice.json"


def come_back(telegram: Telegram, browser: Browser, way: str) -> tuple[str, str]:
    """Path and query with which a login of this browser, which leads to /x, is finished."""
    if way == "callback":
        return "/telegram/callback", telegram.agree(browser.begin("return_to=/x"))
    state = browser.start(return_to="/x")["state"]
    return "/telegram/login", urlencode({**browser.site.widget(), "state": state})


def test_a_callback_that_somebody_met_twice(telegram: Telegram) -> None:
    """The steps of the case: the second answer leads where the first one led, and the session lives."""
    case = json.loads(CASE.read_text(encoding="utf-8"))
    begin, *visits = case["steps"]
    path, _, rest = begin.removeprefix("GET ").partition("?")
    browser = Browser(telegram.site())
    query = telegram.agree(browser.go(path, rest.partition(",")[0]).header("Location") or "")
    answers = [browser.back(query) for _ in visits]
    assert [(answer.status, answer.header("Location")) for answer in answers] == [(303, "/x")] * 2
    assert case["expected"].startswith("303 to where the first one led")
    assert browser.verify().status == 200


@pytest.mark.parametrize("way", ["callback", "login"])
def test_twice(telegram: Telegram, way: str) -> None:
    """303 to the same place, without a word to Telegram or the store, and with no cookie set or removed."""
    browser = Browser(telegram.site())
    path, query = come_back(telegram, browser, way)
    first = browser.go(path, query, headers=PAGE)
    (name,) = browser.finished
    (header,) = [header for header in first.all("Set-Cookie") if header.startswith(TX)]
    assert header.startswith(f"{name}=")
    assert header.endswith("; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure")
    session, held = browser.cookies[COOKIE], browser.site.store.fields()
    telegram.forget()
    browser.site.store.calls.clear()
    for _ in range(3):
        again = browser.go(path, query, headers=PAGE)
        assert (again.status, again.header("Location"), again.all("Set-Cookie")) == (303, "/x", [])
    assert (telegram.received(), browser.site.store.calls) == ([], [])
    assert (browser.cookies[COOKIE], browser.site.store.fields()) == (session, held)
    assert browser.verify().status == 200


def test_another_answer_to_a_finished_login(telegram: Telegram) -> None:
    """Who goes back to Telegram and comes as somebody else is not taken for who came first."""
    browser = Browser(telegram.site())
    location = browser.begin("return_to=/x")
    first, second = telegram.agree(location), telegram.agree(location, MARIA)
    saved = browser.copy()
    assert browser.back(first).header("Location") == "/x"
    for other in (browser, saved):
        assert other.back(second).code == "login_rejected"
    assert browser.back(first).header("Location") == "/x"
    assert browser.verify().json()["user"]["id"] == ALICE["id"]


@pytest.mark.parametrize("way", ["callback", "login"])
def test_the_life_of_a_finished_login_is_exact(telegram: Telegram, way: str) -> None:
    """A minute, whatever the browser makes of Max-Age; clocks may differ by another one."""
    for seconds, known in ((0, True), (59, True), (60, False), (-60, True), (-61, False)):
        telegram.clock.time = NOW
        browser = Browser(telegram.site())
        path, query = come_back(telegram, browser, way)
        assert browser.go(path, query).status == 303
        # Another instance, which has only the cookie to go by.
        browser.site = telegram.site()
        telegram.clock.time += seconds
        assert (browser.go(path, query).header("Location") == "/x") is known, seconds


@pytest.mark.parametrize("way", ["callback", "login"])
def test_a_finished_login_finishes_no_other(telegram: Telegram, way: str) -> None:
    """Its cookie is for no state, nonce or popup, on this instance and on another."""
    browser = Browser(telegram.site())
    browser.go(*come_back(telegram, browser, way))
    (name,) = browser.finished
    state = browser.cookies[name].split(".")[1]
    for site in (browser.site, telegram.site()):
        browser.site = site
        site.store.calls.clear()
        posted = browser.login({"widget": site.widget(), "state": state})
        assert (posted.code, posted.all("Set-Cookie")) == ("login_rejected", [])
        other = browser.back(f"code=x&state={state[:8]}{'A' * 16}")
        assert (other.code, other.all("Set-Cookie")) == ("login_rejected", [])
        assert site.store.calls == []
    location = browser.begin()
    token = telegram.token(nonce=parameter(location, "nonce"))
    stranger = Browser(browser.site, {name: browser.cookies[name]})
    assert stranger.login({"id_token": token}).code == "login_rejected"
    assert browser.login({"id_token": token}).status == 200


def test_the_nonce_of_a_finished_login_is_gone(telegram: Telegram) -> None:
    """An id_token with the nonce of a login that a visit has finished logs nobody in."""
    browser = Browser(telegram.site())
    location = browser.begin()
    browser.back(telegram.agree(location))
    for site in (browser.site, telegram.site()):
        browser.site = site
        assert browser.login({"id_token": telegram.token(nonce=parameter(location, "nonce"))}).status == 401


def test_a_cookie_of_either_kind_is_nothing_as_the_other(telegram: Telegram) -> None:
    """A pending login's value is no finished one, and a changed value is none at all."""
    browser = Browser(telegram.site())
    pending = browser.begin("return_to=/x")
    ((name, value),) = browser.cookies.items()
    browser.back(telegram.agree(pending))
    finished = browser.cookies[name]
    assert finished.startswith("done." + value.partition(".")[0])
    state = parameter(pending, "state")
    for changed in (
        finished.replace("./x.", "./y."),
        finished.replace(f".{NOW}.", f".{NOW + 1}."),
        finished.rpartition(".")[0] + "." + value.rpartition(".")[2],
        finished[:-1] + ("A" if finished[-1] != "A" else "E"),
        finished.removeprefix("done."),
        f"done.{value}",
    ):
        stranger = Browser(telegram.site(), {name: changed})
        assert stranger.back(f"code=x&state={state}").code == "login_rejected"
    # Begun a moment ago, it would lead somewhere without an answer of Telegram's if it passed for finished.
    assert Browser(telegram.site(), {name: value}).back(f"code=junk&state={state}").code == "login_rejected"


def test_logins_by_post_leave_nothing(telegram: Telegram) -> None:
    """A page that posts a proof knows itself where it goes on, so the transaction's cookie is removed."""
    browser = Browser(telegram.site())
    state = browser.start()["state"]
    body = {"widget": browser.site.widget(), "state": state}
    assert browser.login(body).status == 200
    assert browser.login({"id_token": telegram.token(nonce=browser.start()["nonce"])}).status == 200
    assert list(browser.cookies) == [COOKIE]
    assert browser.login(body).code == "login_rejected"


@pytest.mark.parametrize("way", ["callback", "login"])
def test_a_failed_login_leads_nowhere(telegram: Telegram, way: str) -> None:
    """Its second visit is refused like the first, whether its cookie is gone or was kept."""
    browser = Browser(telegram.site())
    path, query = come_back(telegram, browser, way)
    query = query.replace("code=", "code=x").replace("hash=", "hash=x")
    saved = browser.copy()
    assert browser.go(path, query).code == "login_rejected"
    assert browser.cookies == {}
    if way == "callback":
        assert browser.go(path, query).code == "login_rejected"
    assert saved.go(path, query).code == "login_rejected"


def test_finished_logins_do_not_count_among_the_three(telegram: Telegram) -> None:
    """A login that is begun afterwards leaves them alone, and they make no other one go."""
    browser = Browser(telegram.site())
    for _ in range(4):
        browser.back(telegram.agree(browser.begin()))
        assert len(browser.transactions) == 0
    assert len(browser.finished) == 4
    names = []
    for _ in range(4):
        telegram.clock.time += 1
        names.append(TX + browser.start()["state"][:8])
        assert browser.transactions == names[-3:]
    assert browser.finished <= browser.cookies.keys()


def come_meanwhile(service: SessionService, visit: Callable[[], None]) -> None:
    """Have another thread visit, and return once it waits for the one visit under way."""
    (under_way,) = service.visits._under_way.values()
    waits, wait = Event(), under_way.over.wait

    def tell(timeout: float | None = None) -> bool:
        waits.set()
        return wait(timeout)

    under_way.over.wait = tell  # type: ignore[method-assign]
    Thread(target=visit).start()
    assert waits.wait(10)


def test_a_login_that_another_visit_is_finishing(telegram: Telegram, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with the cookie as it was before waits for the first one, and has its session."""
    browser = Browser(telegram.site())
    query = telegram.agree(browser.begin("return_to=/x"))
    early = browser.copy()
    service, seen = browser.site.service, Queue[Answer]()
    original = login.log_in

    def second_visit(*args: object, **options: object) -> object:
        come_meanwhile(service, lambda: seen.put(early.back(query)))
        return original(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(login, "log_in", second_visit)
    first = browser.back(query)
    second = seen.get(timeout=10)
    assert {(answer.status, answer.header("Location")) for answer in (first, second)} == {(303, "/x")}
    assert early.cookies[COOKIE] == browser.cookies[COOKIE]
    assert early.verify().status == 200
    assert (len(telegram.received()), len(browser.site.store.sessions())) == (1, 1)


def test_a_login_that_another_visit_fails_to_finish(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for a visit that fails is refused like it."""
    browser = Browser(telegram.site())
    query = telegram.agree(browser.begin("return_to=/x"))
    early, seen = browser.copy(), Queue[Answer]()
    service = browser.site.service

    def fail(*_: object, **__: object) -> object:
        come_meanwhile(service, lambda: seen.put(early.back(query)))
        raise StoreUnavailable("as the test wants it")

    monkeypatch.setattr(login, "log_in", fail)
    assert browser.back(query).code == "store_unavailable"
    assert seen.get(timeout=10).code == "login_rejected"
    assert COOKIE not in early.cookies


def test_the_session_need_not_live(site: Site) -> None:
    """Who logged out since goes to the same place, logged out: nothing asks the store who they are."""
    browser = Browser(site)
    state = browser.start(return_to="/x")["state"]
    query = urlencode({**site.widget(), "state": state})
    assert browser.go("/telegram/login", query).status == 303
    assert browser.send("POST", "/telegram/logout", headers=OWN_PAGE).status == 204
    again = browser.go("/telegram/login", query)
    assert (again.header("Location"), again.all("Set-Cookie")) == ("/x", [])
    assert browser.verify().code == "unauthenticated"
