"""The cookies of logins under way: what they look like, how many there are, and what they open."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.site import (
    AUTH_SECRET,
    CLIENT_SECRET,
    ENV,
    LOCAL_ENV,
    NOW,
    OWN_PAGE,
    Answer,
    Clock,
    Site,
    named,
)
from tests.unit.web.telegram import TX, Browser, Telegram, fixtures, parameter

running, telegram = fixtures

JUNK = [
    *("", "x", "a.b.c", "A" * 24, "A" * 24 + ".1800000000./." + "A" * 43, "A" * 3000, '"x"', "é", "=", "=.="),
    "A" * 24 + ".1800000000.//evil.example." + "A" * 43,
]


def start(browser: Browser, way: str) -> Answer:
    """Begin a login by GET or by POST."""
    if way == "GET":
        return browser.go("/telegram/start")
    return browser.send("POST", "/telegram/start", json={}, headers=OWN_PAGE)


def state_of(answer: Answer) -> str:
    if answer.status == 303:
        return parameter(answer.header("Location") or "", "state")
    state: str = answer.json()["state"]
    return state


def finish(telegram: Telegram, browser: Browser, location: str) -> Answer:
    """The way back from Telegram, where the user agreed."""
    return browser.back(f"code={telegram.code(location)}&state={parameter(location, 'state')}")


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_attributes(telegram: Telegram, way: str) -> None:
    """One host-only cookie that no script reads, sent on the way back from Telegram, for ten minutes."""
    browser = Browser(telegram.site())
    answer = start(browser, way)
    (header,) = answer.all("Set-Cookie")
    pair, _, attributes = header.partition("; ")
    name, _, value = pair.partition("=")
    state = state_of(answer)
    assert name == f"__Host-tgauth-tx-{state[:8]}"
    assert attributes == "Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
    assert re.fullmatch(r"[!#-+\--:<-\[\]-~]+", value), "RFC 6265 section 4.1.1, cookie-octet"
    assert len(header) < 4096


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_attributes_on_loopback(clock: Clock, way: str) -> None:
    """http://localhost has no Secure cookies and no prefix, as for sessions."""
    site = Site(clock, {**LOCAL_ENV, "TELEGRAM_CLIENT_SECRET": CLIENT_SECRET})
    site.host = "localhost:3000"
    browser = Browser(site)
    (header,) = start(browser, way).all("Set-Cookie")
    assert re.fullmatch(r"tgauth-tx-[\w-]{8}=[^;]+; Path=/; Max-Age=600; HttpOnly; SameSite=Lax", header)


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_the_newest_three_are_kept(telegram: Telegram, way: str) -> None:
    """Each start over three ends the oldest transaction of this browser, by removing its cookie."""
    browser = Browser(telegram.site())
    names = []
    for number in range(8):
        telegram.clock.time += 1
        answer = start(browser, way)
        names.append(TX + state_of(answer)[:8])
        assert browser.transactions == names[-3:]
        assert len(answer.all("Set-Cookie")) == (1 if number < 3 else 2)


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_the_newest_three_of_one_second_are_kept(telegram: Telegram, way: str) -> None:
    """Also when all began in the same second, as when a browser restores its tabs: the first one goes.

    Browsers send cookies of one path in the order in which they were made (RFC 6265 section 5.4).
    """
    browser = Browser(telegram.site())
    names = [TX + state_of(start(browser, way))[:8] for _ in range(5)]
    assert browser.transactions == names[-3:]


def test_other_browsers_are_not_counted(telegram: Telegram) -> None:
    """Starts in one browser end nothing in another."""
    site = telegram.site()
    victim, attacker = Browser(site), Browser(site)
    location = victim.begin()
    for _ in range(10):
        telegram.clock.time += 1
        attacker.begin()
    assert finish(telegram, victim, location).status == 303


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_those_that_are_over_are_removed(telegram: Telegram, way: str) -> None:
    """A start removes what is of no use any more and keeps what is."""
    browser = Browser(telegram.site())
    old = TX + state_of(start(browser, way))[:8]
    telegram.clock.time += 599
    mid = TX + state_of(start(browser, way))[:8]
    assert browser.transactions == [old, mid]
    telegram.clock.time += 1
    new = TX + state_of(start(browser, way))[:8]
    assert browser.transactions == [mid, new]


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_junk_is_ignored_and_removed(telegram: Telegram, way: str) -> None:
    """A cookie of our name that we did not make opens nothing, is no error, and goes at the next start."""
    removed = f"{TX}AAAAAAAA=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
    site = telegram.site()
    for value in JUNK:
        with named(value):
            browser = Browser(site, {f"{TX}AAAAAAAA": value})
            assert browser.back(f"code=x&state={'A' * 24}").code == "login_rejected"
            assert browser.login({"widget": site.widget(), "state": "A" * 24}).code == "login_rejected"
            answer = start(browser, way)
            assert answer.status in (200, 303)
            assert removed in answer.all("Set-Cookie")
            assert browser.transactions == [TX + state_of(answer)[:8]]


NAMES = [
    "",
    "A",
    "AAAAAAA",
    "AAAAAAAAA",
    "AAAA AAA",
    "AAAA\tAAA",
    "AAAAAAAé",
    "AAAA,AAA",
    "AAAA(AAA",
    "A" * 200,
]


def test_names_that_we_do_not_make_are_not_set(telegram: Telegram) -> None:
    """Nothing of a name that a client made up gets into Set-Cookie."""
    browser = Browser(telegram.site())
    for name in NAMES:
        answer = browser.go("/telegram/start", environ={"HTTP_COOKIE": f"{TX}{name}=x"}, cookie=None)
        (header,) = answer.all("Set-Cookie")
        assert header.startswith(f"{TX}{state_of(answer)[:8]}="), name


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_fifty_junk_cookies_are_no_error(telegram: Telegram, way: str) -> None:
    """A browser full of junk logs in as any other, and is rid of it, ten cookies at a time."""
    browser = Browser(telegram.site(), {f"{TX}{number:08}": "junk" for number in range(50)})
    for _ in range(7):
        answer = start(browser, way)
        assert answer.status in (200, 303)
        assert len(answer.all("Set-Cookie")) <= 11
    assert len(browser.transactions) == 3
    assert "junk" not in browser.cookies.values()
    browser.cookies |= {f"{TX}{number:08}": "junk" for number in range(50)}
    location = browser.begin()
    browser.cookies |= {f"{TX}{number:08}": "junk" for number in range(50)}
    assert finish(telegram, browser, location).status == 303
    assert browser.verify().status == 200


@pytest.mark.parametrize("path", ["/telegram/start", "/telegram/callback", "/telegram/login"])
def test_a_header_full_of_junk_costs_little(telegram: Telegram, path: str) -> None:
    """The work grows with the length of the Cookie header, not with its square: four times, not sixteen."""
    site = telegram.site()
    times = []
    for count in (200, 800):
        cookie = "; ".join(f"{TX}{number:08}=x" for number in range(count))
        spent = []
        for _ in range(5):
            started = time.thread_time()
            site.go(path, "state=x&hash=1&code=1", cookie=cookie)
            spent.append(time.thread_time() - started)
        times.append(min(spent))
    assert times[1] < 10 * times[0], times


def test_a_name_that_is_there_twice_opens_nothing(telegram: Telegram) -> None:
    """Nobody can tell which of two cookies is ours, so neither is, equal or not, in either order."""
    browser = Browser(telegram.site())
    location = browser.begin()
    query = f"code={telegram.code(location)}&state={parameter(location, 'state')}"
    ((name, value),) = browser.cookies.items()
    telegram.forget()
    for other in (value, "", "x"):
        for pair in ((value, other), (other, value)):
            header = "; ".join(f"{name}={text}" for text in pair)
            assert browser.copy().back(query, cookie=header).code == "login_rejected"
    assert telegram.received() == []
    assert browser.back(query).status == 303


def exchanged(telegram: Telegram, one: Browser, two: Browser) -> dict[str, Callable[[], Answer]]:
    """One browser's state with another's cookie, in every way that a state can come."""
    location = one.begin()
    state, nonce = parameter(location, "state"), parameter(location, "nonce")
    two.begin()
    code = telegram.code(location)
    return {
        "callback": lambda: two.back(f"code={code}&state={state}"),
        "post": lambda: two.login({"widget": two.site.widget(), "state": state}),
        "id_token": lambda: two.login({"id_token": telegram.token(nonce=nonce)}),
        "id_token, bearer": lambda: two.login(
            {"id_token": telegram.token(nonce=nonce), "transport": "bearer"}
        ),
    }


def test_one_browsers_cookie_is_nothing_with_anothers_state(telegram: Telegram) -> None:
    """A state, a nonce or a code belongs to the browser that has its cookie, and to no other."""
    site = telegram.site()
    one, two = Browser(site), Browser(site)
    for way, send in exchanged(telegram, one, two).items():
        before = dict(two.cookies)
        answer = send()
        assert (answer.status, answer.code, answer.all("Set-Cookie")) == (401, "login_rejected", []), way
        assert two.cookies == before
    assert telegram.received() == site.store.calls == []
    assert finish(telegram, two, two.begin()).status == 303


def test_a_cookie_under_anothers_name(telegram: Telegram) -> None:
    """A value that is put under the name of another state opens its own state at most, never the other."""
    site = telegram.site()
    one, two = Browser(site), Browser(site)
    first, second = one.begin(), two.begin()
    (name,), (other,) = one.transactions, two.transactions
    mixed = Browser(site, {name: two.cookies[other]})
    query = f"code={telegram.code(first)}&state={parameter(first, 'state')}"
    telegram.forget()
    assert mixed.back(query).code == "login_rejected"
    assert telegram.received() == []
    assert finish(telegram, two, second).status == 303


def rotated(env: dict[str, str]) -> dict[str, str]:
    return {**env, "AUTH_SECRET": f"a-new-secret-0123456789-0123456789-012,{AUTH_SECRET}"}


def test_a_login_outlives_the_rotation_of_the_secret(telegram: Telegram) -> None:
    """What began under the old secret ends under the new one, while the old one is still listed."""
    old, new = telegram.site(), telegram.site(rotated(ENV))
    gone = telegram.site({"AUTH_SECRET": "a-new-secret-0123456789-0123456789-012"})
    for site, status in ((new, 303), (gone, 401)):
        browser = Browser(old)
        location, nonce = browser.begin(), browser.start()["nonce"]
        browser.site = site
        assert finish(telegram, browser, location).status == status
        answer = browser.login({"id_token": telegram.token(nonce=nonce)})
        assert answer.status == (200 if status == 303 else 401)


def test_the_life_of_a_transaction_is_exact(telegram: Telegram) -> None:
    """Ten minutes from its start, whatever the browser makes of Max-Age; clocks may differ by a minute."""
    for seconds, status in ((0, 303), (599, 303), (600, 401), (-60, 303), (-61, 401)):
        telegram.clock.time = NOW
        browser = Browser(telegram.site())
        location = browser.begin()
        telegram.clock.time += seconds
        assert finish(telegram, browser, location).status == status, seconds


def test_a_spent_transaction_is_removed_whatever_became_of_it(telegram: Telegram) -> None:
    """Its cookie goes with the answer, with the same attributes that set it, when it failed as well."""
    site = telegram.site()
    for query in ("code=junk", "error=access_denied", "error=x", "code=", "iss=x"):
        browser = Browser(site)
        state = parameter(browser.begin(), "state")
        answer = browser.back(f"{query}&state={state}")
        assert answer.all("Set-Cookie") == [
            f"{TX}{state[:8]}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
        ]
        assert browser.cookies == {}


MALFORMED: list[Any] = [
    *({"return_to": "//e"}, {"return_to": None}, {"return_to": 5}, {"return_to": ["/"]}),
    *({"x": 1}, {"state": "x"}, []),
]


def test_a_refused_start_begins_nothing(telegram: Telegram) -> None:
    """What is malformed, and what another page sent, sets no cookie."""
    browser = Browser(telegram.site())
    for body in MALFORMED:
        answer = browser.send("POST", "/telegram/start", json=body, headers=OWN_PAGE)
        assert (answer.status, answer.all("Set-Cookie")) == (400, []), body
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
        answer = browser.send("POST", "/telegram/start", json={}, headers=headers)
        assert (answer.status, answer.all("Set-Cookie")) == (403, []), headers
