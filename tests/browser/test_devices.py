"""The page that shows where somebody is logged in, with two browsers of the same person at once."""

import json
import re
import time
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from dev.serve.process import Server
from dev.telegram.proofs import widget
from dev.telegram.users import User
from tests.browser.conftest import OpenPage
from tests.browser.states import SESSION, TROUBLE
from tests.browser.steps import cookie_login, pick, session_cookies, start, user_id
from tests.site import OWN_PAGE

pytestmark = pytest.mark.browser

WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
BLINK = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = "Chrome/150.0.0.0 Safari/537.36"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {BLINK} {CHROME}"
IOS = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {WEBKIT}"
IPHONE = f"{IOS} Version/18.1 Mobile/15E148 Safari/604.1"
ANDROID = (
    f"Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) {BLINK} Version/4.0 Chrome/150.0 Mobile Safari/537.36"
)
SESSIONS, VERIFY = "**/telegram/sessions*", "**/telegram/verify"

_ids = count(200_000_001)
_confirmed: set[tuple[int, int]] = set()


@pytest.fixture
def user() -> User:
    """Somebody who has never logged in before."""
    return {"id": next(_ids), "first_name": "Ada", "last_name": "Lovelace", "username": "ada"}


@pytest.fixture
def here(open_page: OpenPage, redis_server: Server, user: User) -> Page:
    """The browser of that person which looks at the page: Chrome on Windows."""
    return logged_in(open_page(base_url=redis_server.origin, user_agent=WINDOWS), user)


@pytest.fixture
def there(open_page: OpenPage, redis_server: Server, user: User) -> Page:
    """Another browser of theirs: Safari on an iPhone."""
    return logged_in(open_page(base_url=redis_server.origin, user_agent=IPHONE), user)


def confirmed(user: User) -> dict[str, str | int]:
    """What Telegram says of them, each time of another second: the same works once."""
    now = int(time.time())
    unused = next(at for at in range(now, 0, -1) if (user["id"], at) not in _confirmed)
    _confirmed.add((user["id"], unused))
    return widget(user, unused)


def logged_in(page: Page, user: User) -> Page:
    """This browser, with a session of its own."""
    headers = {**OWN_PAGE, "X-Vercel-IP-Country": "DE"}
    assert page.request.post("/telegram/login", data=confirmed(user), headers=headers).ok
    return page


def add_session(server: Server, user: User, user_agent: str, country: str = "DE") -> None:
    """One more session of theirs, of no browser here."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": user_agent,
        "X-Vercel-IP-Country": country,
    }
    body = {"widget": confirmed(user), "transport": "bearer"}
    assert server.request("POST", "/telegram/login", headers, json.dumps(body).encode()).status == 200


def device(**values: Any) -> dict[str, Any]:
    """One session as the API lists it."""
    now = int(time.time())
    known = {
        "id": "s" * 16,
        "created_at": now - 86_400,
        "last_seen": now - 7_300,
        "expires_at": now + 86_400,
        "method": "oidc",
        "user_agent": IPHONE,
        "country": "DE",
        "current": False,
    }
    return {**known, **values}


def listed(page: Page, *devices: dict[str, Any], name: str = "Ada") -> Page:
    """The page with this list, whatever the API has."""
    person = {"user": {"id": 1, "first_name": name}, "session": SESSION}
    page.route(VERIFY, lambda route: route.fulfill(json=person))
    page.route(SESSIONS, lambda route: route.fulfill(json={"sessions": list(devices)}))
    page.goto("/devices.html")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def rows(page: Page) -> Locator:
    return page.get_by_role("listitem")


def open_devices(page: Page, sessions: int = 2) -> Page:
    page.goto("/devices.html")
    expect(rows(page)).to_have_count(sessions)
    return page


def is_logged_out(page: Page) -> bool:
    """Whether this browser, cookie and all, has no session any more."""
    assert session_cookies(page) != []
    return user_id(page) is None


def answer_once(page: Page, pattern: str, method: str) -> None:
    """Have the API answer the next request of this kind with a problem."""
    status, problem = TROUBLE
    waiting = [problem]

    def answer(route: Route) -> None:
        if route.request.method == method and waiting:
            route.fulfill(status=status, json=waiting.pop())
        else:
            route.fallback()

    page.route(pattern, answer)


def test_what_it_shows(here: Page, there: Page) -> None:
    """Each session says which browser, where, since when and how; the one that asks comes first."""
    open_devices(here)
    expect(here.get_by_role("heading", level=1)).to_have_text("Where you are logged in")
    expect(here.locator("#whose")).to_contain_text("Ada Lovelace, here are your sessions")
    assert here.title() == "Where you are logged in · localhost"
    first, second = rows(here).nth(0), rows(here).nth(1)
    expect(first.get_by_role("heading")).to_have_text("Chrome on Windows")
    expect(first).to_contain_text("This device")
    expect(second.get_by_role("heading")).to_have_text("Safari on iPhone")
    expect(second).not_to_contain_text("This device")
    for row in (first, second):
        expect(row).to_contain_text("Germany")
        expect(row).to_contain_text("Last active: now")
        expect(row).to_contain_text("Logged in with Telegram’s widget")
        assert row.locator("time").first.get_attribute("datetime").endswith("Z")  # type: ignore[union-attr]
        expect(row.locator("time").first).to_have_attribute("title", re.compile(r"\d at \d"))


def test_end_one(here: Page, there: Page) -> None:
    """Ending a session logs out that browser, and the list goes on without it."""
    open_devices(here)
    here.get_by_role("button", name="End Safari on iPhone").click()
    dialog = here.get_by_role("alertdialog", name="End this session?")
    expect(dialog).to_contain_text("Safari on iPhone: you will have to log in again there.")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    assert user_id(there) is not None
    dialog.get_by_role("button", name="End session").click()
    expect(rows(here)).to_have_count(1)
    expect(dialog).to_be_hidden()
    expect(here.get_by_role("status").last).to_have_text("Session ended: Safari on iPhone.")
    expect(here.get_by_role("heading", level=1)).to_be_focused()
    expect(here.get_by_text("You are logged in nowhere else.")).to_be_visible()
    expect(here.get_by_role("button", name="everywhere")).to_be_hidden()
    assert (is_logged_out(there), user_id(here) is not None) == (True, True)


def test_end_others(here: Page, there: Page, redis_server: Server, user: User) -> None:
    """All others end at once, and this one stays."""
    add_session(redis_server, user, "curl/8.5.0")
    open_devices(here, 3)
    here.get_by_role("button", name="End all other sessions").click()
    here.get_by_role("alertdialog").get_by_role("button", name="End all other sessions").click()
    expect(rows(here)).to_have_count(1)
    expect(rows(here)).to_contain_text("This device")
    expect(here.get_by_role("status").last).to_have_text("All other sessions have ended.")
    assert (is_logged_out(there), user_id(here)) == (True, user["id"])


def test_end_all(here: Page, there: Page) -> None:
    """Everywhere is here, too: the page says so, and there is nothing left of the list."""
    open_devices(here)
    here.get_by_role("button", name="Log out everywhere").click()
    here.get_by_role("alertdialog").get_by_role("button", name="Log out everywhere").click()
    expect(here.get_by_role("heading", name="You are logged out everywhere.")).to_be_focused()
    expect(here.get_by_text("Chrome on Windows")).to_be_hidden()
    assert (is_logged_out(there), session_cookies(here), user_id(here)) == (True, [], None)
    here.get_by_role("link", name="Go to the login page").click()
    expect(here.get_by_role("button", name="Log in with Telegram")).to_be_visible()


def test_log_out_here(here: Page, there: Page) -> None:
    """This device's own button logs out here alone."""
    open_devices(here)
    here.get_by_role("button", name="Log out Chrome on Windows").click()
    here.get_by_role("alertdialog", name="Log out on this device?").get_by_role(
        "button", name="Log out"
    ).click()
    expect(here.get_by_role("heading", name="You are logged out.")).to_be_focused()
    assert (session_cookies(here), user_id(there) is not None) == ([], True)


def test_ended_elsewhere_meanwhile(here: Page, there: Page) -> None:
    """A session that was there when the list came, and is not any more, is what was wanted: no error."""
    open_devices(here)
    assert there.request.post("/telegram/logout", data={}, headers=OWN_PAGE).ok
    here.get_by_role("button", name="End Safari on iPhone").click()
    with here.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        here.get_by_role("button", name="End session").click()
    assert deleted.value.status == 404
    expect(rows(here)).to_have_count(1)
    expect(here.get_by_role("alert")).to_be_hidden()


def test_focus_goes_on_in_the_list(here: Page, there: Page, redis_server: Server, user: User) -> None:
    """Who ends several, one after the other, need not go through the whole list each time."""
    add_session(redis_server, user, "curl/8.5.0")
    open_devices(here, 3)
    rows(here).nth(1).get_by_role("button").click()
    here.get_by_role("button", name="End session").click()
    expect(rows(here)).to_have_count(2)
    expect(rows(here).nth(1).get_by_role("button")).to_be_focused()


def test_names_are_text(open_page: OpenPage, redis_server: Server) -> None:
    """Markup in a name or a user agent is shown and not interpreted, and no direction gets out of its own."""
    nasty = '<img src=x onerror=alert(1)> "\u202eevil'
    user = {"id": next(_ids), "first_name": f"<script>alert(1)</script>{nasty}"}
    page = logged_in(open_page(base_url=redis_server.origin), user)
    # Headers have no letters beyond Latin-1; the API could have such all the same.
    add_session(redis_server, user, "<b>bold</b><img src=x onerror=alert(2)>")
    open_devices(page)
    expect(page.locator("#whose bdi")).to_have_text(user["first_name"])
    expect(page.locator(".agent bdi")).to_have_text("<b>bold</b><img src=x onerror=alert(2)>")
    listed(page, device(user_agent=nasty, country="\u202eDE", method="<b>", current=True), name=nasty)
    expect(page.locator(".agent bdi")).to_have_text(nasty)
    expect(page.locator("#whose bdi")).to_have_text(nasty)
    expect(rows(page)).to_contain_text("Logged in ·")
    expect(page.locator("#list img, #list script, #list b, #whose img")).to_have_count(0)


AGENTS = {
    WINDOWS: "Chrome on Windows",
    IPHONE: "Safari on iPhone",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox on Linux",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/18.0 Safari/605.1": "Safari on Mac",
    f"{WINDOWS} Edg/150.0.0.0": "Edge on Windows",
    f"{WINDOWS} OPR/120.0.0.0": "Opera on Windows",
    f"Mozilla/5.0 (Windows NT 10.0) {BLINK} YaBrowser/26.1 {CHROME}": "Yandex Browser on Windows",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {BLINK} {CHROME}": "Chrome on ChromeOS",
    f"Mozilla/5.0 (Linux; Android 10; K) {BLINK} SamsungBrowser/28.0 {CHROME}": "Samsung Internet on Android",
    f"Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) {WEBKIT} CriOS/150.0 Safari/604": "Chrome on iPad",
    f"{ANDROID} Telegram-Android/11.3.3 (Google Pixel 8; Android 14; SDK 34; HIGH)": "Telegram on Android",
    ANDROID: "App on Android",
    f"{IOS} Mobile/15E148": "App on iPhone",
    # As memory mode keeps it: its first 80 characters.
    WINDOWS[:80]: "Browser on Windows",
    "curl/8.5.0": "Unknown device",
    "": "Unknown device",
    "\u202e": "Unknown device",
}


def test_what_devices_are_called(page: Page) -> None:
    """Browsers and systems have the names that people know; what is not known is not guessed."""
    listed(page, *(device(user_agent=agent, last_seen=2_000_000_000 - n) for n, agent in enumerate(AGENTS)))
    assert page.locator(".device h2").all_text_contents() == list(AGENTS.values())
    assert page.locator(".agent").all_text_contents() == ["curl/8.5.0", "\u202e"]


SINCE = {
    0: ("now", "сейчас"),
    59: ("now", "сейчас"),
    60: ("1 minute ago", "1 минуту назад"),
    5 * 60: ("5 minutes ago", "5 минут назад"),
    3 * 3600: ("3 hours ago", "3 часа назад"),
    86_400: ("yesterday", "вчера"),
    3 * 86_400: ("3 days ago", "3 дня назад"),
    15 * 86_400: ("2 weeks ago", "2 недели назад"),
    65 * 86_400: ("2 months ago", "2 месяца назад"),
}


@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_last_seen_in_words(open_page: OpenPage, locale: str) -> None:
    """Times and places are named as people do; none lies in the future, though a device's clock is slow."""
    page = open_page(locale=locale)
    seen = [device(last_seen=1_790_000_000 - age) for age in SINCE]
    page.clock.set_fixed_time(datetime.fromtimestamp(1_790_000_000, UTC))
    listed(page, *seen)
    words = [text.split(": ")[1] for text in page.locator(".device p:has-text(':')").all_text_contents()]
    assert words == [pair[locale == "ru-RU"] for pair in SINCE.values()]
    page.clock.set_fixed_time(datetime.fromtimestamp(1_789_000_000, UTC))
    listed(page, *seen)
    last_seen = rows(page).first.locator("time").first
    expect(last_seen).to_have_text(SINCE[0][locale == "ru-RU"])
    month = "сентября" if locale == "ru-RU" else "September"
    expect(last_seen).to_have_attribute("title", re.compile(month))
    where = re.compile("Safari на iPhone.*Германия" if locale == "ru-RU" else "Safari on iPhone.*Germany")
    expect(rows(page).first).to_contain_text(where)


def test_countries_and_ways(page: Page) -> None:
    """A country has its name, what is none is left out, and every way to log in has its words."""
    codes = ["FR", "GB", "ZZ", "", "fr", "T1", "QX"]
    methods = ["oidc", "widget", "webapp", "relay", "other", "toString", "oidc"]
    listed(
        page,
        *(
            device(country=c, method=m, last_seen=100 - n)
            for n, (c, m) in enumerate(zip(codes, methods, strict=True))
        ),
    )
    shown = rows(page).all_inner_texts()
    assert ["France" in row for row in shown] == [True] + [False] * 6
    assert "United Kingdom" in shown[1]
    said = [re.search(r"Logged in[^·]*(?= ·)", row)[0] for row in shown]  # type: ignore[index]
    assert said == [
        "Logged in with Telegram",
        "Logged in with Telegram’s widget",
        "Logged in from the Mini App",
        "Logged in through the main site",
        "Logged in",
        "Logged in",
        "Logged in with Telegram",
    ]


def test_nobody_logged_in(page: Page) -> None:
    """Who is not logged in does that first, and comes back."""
    page.goto("/devices.html")
    page.wait_for_url("**/?return_to=%2Fdevices.html")
    page.get_by_role("button", name="Log in with Telegram").click()
    page.get_by_role("link", name="Log in as Alice").click()
    page.wait_for_url("**/devices.html")
    expect(rows(page).first).to_contain_text("This device")


def test_the_login_page_links_to_it(page: Page) -> None:
    """From one's account it is one click, and one back."""
    cookie_login(page)
    page.goto("/")
    page.get_by_role("link", name="Where you are logged in").click()
    expect(rows(page).first).to_contain_text("This device")
    page.get_by_role("link", name="Back to your account").click()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()


def test_without_redis(page: Page, server: Server, user: User) -> None:
    """In memory no other device can be reached: the page says what to do instead, and offers it no more."""
    logged_in(page, user)
    add_session(server, user, IPHONE)
    open_devices(page)
    page.get_by_role("button", name="End Browser on iPhone").click()
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_role("button", name="End session").click()
    expect(dialog.get_by_role("alert")).to_contain_text("This site cannot reach other devices")
    expect(dialog.get_by_role("alert")).to_contain_text("Log out on the device itself.")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    expect(dialog.get_by_role("button")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="End Browser on iPhone")).to_be_focused()
    expect(page.get_by_role("alert")).to_be_hidden()
    page.get_by_role("button", name="Log out ").first.click()
    page.get_by_role("alertdialog").get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="You are logged out.")).to_be_focused()


def test_trouble_at_the_click(here: Page, there: Page) -> None:
    """What goes wrong is said in the dialog, where the same click tries it again."""
    open_devices(here)
    answer_once(here, SESSIONS, "DELETE")
    here.get_by_role("button", name="End Safari on iPhone").click()
    dialog = here.get_by_role("alertdialog")
    dialog.get_by_role("button", name="End session").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Reference: dev1::42")
    expect(dialog.get_by_role("button", name="Try again")).to_be_focused()
    here.keyboard.press("Enter")
    expect(rows(here)).to_have_count(1)
    expect(here.get_by_role("alert")).to_be_hidden()
    assert is_logged_out(there)


def test_closing_the_dialog_drops_its_trouble(here: Page, there: Page) -> None:
    """Who gives up after an error finds the list as it was, and no error at the next question."""
    open_devices(here)
    answer_once(here, SESSIONS, "DELETE")
    here.get_by_role("button", name="End all other sessions").click()
    here.get_by_role("alertdialog").get_by_role("button", name="End all other sessions").click()
    expect(here.get_by_role("alert")).to_contain_text("neither show nor end your sessions just now")
    here.get_by_role("button", name="Cancel").click()
    expect(here.get_by_role("alert")).to_be_hidden()
    expect(here.get_by_role("button", name="End all other sessions")).to_be_focused()
    here.get_by_role("button", name="Log out everywhere").click()
    expect(here.get_by_role("alert")).to_be_hidden()
    expect(here.get_by_role("alertdialog").get_by_role("button", name="Log out everywhere")).to_be_enabled()


@pytest.mark.parametrize("pattern", [SESSIONS, VERIFY], ids=["sessions", "verify"])
def test_trouble_with_the_list(here: Page, there: Page, pattern: str) -> None:
    """Where the list cannot be had, the page says so and tries again at a click; nobody is logged out."""
    answer_once(here, pattern, "GET")
    here.goto("/devices.html")
    expect(here.get_by_role("alert")).to_contain_text("neither show nor end your sessions just now")
    expect(here.get_by_role("list")).to_be_hidden()
    here.get_by_role("button", name="Try again").click()
    expect(rows(here)).to_have_count(2)


def test_ended_while_the_page_was_open(here: Page, user: User, redis_server: Server) -> None:
    """Who was logged out meanwhile, and ends something, is led to the login page."""
    add_session(redis_server, user, IPHONE)
    open_devices(here)
    assert here.request.post("/telegram/logout", data={}, headers=OWN_PAGE).ok
    here.get_by_role("button", name="End Safari on iPhone").click()
    here.get_by_role("button", name="End session").click()
    here.wait_for_url("**/?return_to=%2Fdevices.html")


def test_closed_while_it_ends(here: Page, there: Page) -> None:
    """Who closes the dialog before the answer comes does not stop what was asked for."""
    held: list[Route] = []
    here.route(
        SESSIONS, lambda route: held.append(route) if route.request.method == "DELETE" else route.fallback()
    )
    open_devices(here)
    here.get_by_role("button", name="End Safari on iPhone").click()
    here.get_by_role("button", name="End session").click()
    expect(here.get_by_role("button", name="Ending…")).to_be_disabled()
    here.keyboard.press("Escape")
    expect(here.get_by_role("alertdialog")).to_be_hidden()
    (route,) = held
    route.continue_()
    expect(rows(here)).to_have_count(1)
    assert is_logged_out(there)


@pytest.mark.whole_browser
def test_back_to_a_page_that_was_left(here: Page, there: Page) -> None:
    """Who logs out elsewhere on the site and goes back is not shown the list that the browser kept."""
    open_devices(here)
    here.goto("/")
    here.get_by_role("button", name="Log out").click()
    expect(here.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    here.go_back()
    here.wait_for_url("**/?return_to=%2Fdevices.html")


def test_cookies(open_page: OpenPage, redis_server: Server) -> None:
    """No script and no other site's request has them; a login's last minutes, a session's 90 days."""
    page = open_page(base_url=redis_server.origin)
    page.goto("/")
    start(page)
    (transaction,) = page.context.cookies()
    pick(page, "Иван")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    session, finished = sorted(page.context.cookies(), key=lambda cookie: cookie["name"])
    assert re.fullmatch("tgauth-tx-[A-Za-z0-9_-]{8}", transaction["name"])
    assert (session["name"], finished["name"]) == ("tgauth", transaction["name"])
    for cookie, lasts in ((transaction, 600), (session, 90 * 86_400), (finished, 60)):
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Lax", False)
        assert (cookie["domain"], cookie["path"]) == ("localhost", "/")
        assert 0 < time.time() + lasts - cookie["expires"] + 2 < 60


ENDING = [
    "End Safari on iPhone",
    "End all other sessions",
    "Log out everywhere",
    "Log out Chrome on Windows",
]


@pytest.mark.parametrize("button", ENDING)
def test_somebody_else_logs_in_from_another_tab(
    here: Page, there: Page, open_page: OpenPage, redis_server: Server, button: str
) -> None:
    """The page acts for the person it names alone: else it ends nothing, says so, and shows the new one's."""
    bob: User = {"id": next(_ids), "first_name": "Bob"}
    elsewhere = logged_in(open_page(base_url=redis_server.origin, user_agent=IPHONE), bob)
    open_devices(here)
    logged_in(here.context.new_page(), bob)
    here.get_by_role("button", name=button).click()
    here.get_by_role("alertdialog").get_by_role("button").first.click()
    expect(here.get_by_role("alert")).to_contain_text("Nothing was ended")
    expect(here.get_by_role("alertdialog")).to_be_hidden()
    expect(here.locator("#whose")).to_contain_text("Bob, here are your sessions")
    expect(rows(here)).to_have_count(2)
    expect(here.get_by_role("heading", level=1)).to_be_focused()
    assert (user_id(here), user_id(elsewhere), user_id(there) is not None) == (bob["id"], bob["id"], True)
    here.get_by_role("button", name="End all other sessions").click()
    expect(here.get_by_role("alert")).to_be_hidden()
    here.get_by_role("alertdialog").get_by_role("button", name="End all other sessions").click()
    expect(rows(here)).to_have_count(1)
    assert (is_logged_out(elsewhere), user_id(there) is not None) == (True, True)
