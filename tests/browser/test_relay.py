"""Logging in to a preview through production: what each of them shows, and what is of no use to others."""

import json
import re
import time
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from dev.serve.process import Server
from lib.tgauth.relay import tickets
from lib.tgauth.relay.tickets import TICKET_SECONDS
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram import transaction as transactions
from tests.browser.conftest import RELAY_SECRET, OpenPage, Relay
from tests.browser.steps import ALICE, LONG_NAME, MARIA, addresses, log_in, pick, start

pytestmark = pytest.mark.browser

TARGET = "/nothing/here?tab=1"
OVER = "This request to log in is over"
REFUSED = "This login was not accepted"
SMALL = {"width": 320, "height": 568}


@pytest.fixture
def tab(open_page: OpenPage, relay: Relay) -> Page:
    """A page whose relative addresses are production's."""
    return open_page(base_url=relay.production.origin)


@pytest.fixture(params=["relay", "widget_relay"], ids=["oidc-memory", "widget-redis"])
def either(request: pytest.FixtureRequest) -> Relay:
    """Each set-up: what a test says with it holds for both."""
    pair: Relay = request.getfixturevalue(request.param)
    return pair


def come(page: Page, relay: Relay, return_to: str = TARGET) -> str:
    """Press the preview's login button, which leads to production's question; the ticket."""
    page.goto(f"{relay.preview.origin}/?{urlencode({'return_to': return_to})}")
    page.get_by_role("button", name="Log in with Telegram").click()
    page.wait_for_url(f"{relay.production.origin}/relay.html?*")
    expect(page.get_by_role("heading")).to_have_text(f"Log in to {host(relay)}")
    return parse_qs(urlsplit(page.url).query)["ticket"][0]


def agree(page: Page, name: str = "Alice Johnson") -> None:
    """Say yes to production's question."""
    page.get_by_role("button", name=f"Continue as {name}").click()


def log_in_there(page: Page, relay: Relay, name: str = "Alice") -> str:
    """Log in to the preview, by way of production, to the end; the ticket that it took."""
    ticket = come(page, relay)
    if page.get_by_role("button", name="Log in with Telegram").is_visible():
        start(page)
        pick(page, name)
        page.wait_for_url("**/relay.html?*")
    agree(page, "")
    page.wait_for_url(f"{relay.preview.origin}{TARGET}")
    return ticket


def host(relay: Relay) -> str:
    return relay.preview.origin.removeprefix("http://")


def cookies(page: Page, server: Server) -> list[str]:
    """The cookies of this server that the browser has, but for those of finished logins."""
    found = page.context.cookies(server.origin)
    return sorted(
        f"{cookie['name']}={cookie['value']}" for cookie in found if not cookie["value"].startswith("done.")
    )


def session(page: Page, server: Server) -> dict[str, Any] | None:
    """Who is logged in there, as the API says for this browser's cookies."""
    answer = server.request("GET", "/telegram/verify", {"Cookie": "; ".join(cookies(page, server))})
    assert answer.status in (200, 401)
    found: dict[str, Any] = json.loads(answer.body)
    return found if answer.status == 200 else None


def user_id(page: Page, server: Server) -> int | None:
    found = session(page, server)
    return found["user"]["id"] if found else None


def requests(page: Page, method: str = "POST") -> list[str]:
    """The URLs that the tab asks for by `method` from now on."""
    sent: list[str] = []
    page.on("request", lambda made: made.method == method and sent.append(made.url))
    return sent


def caught_callback(page: Page, relay: Relay) -> str:
    """Log in to the preview as far as the address with the code, which is not gone to."""
    come(page, relay)
    page.route("**/telegram/callback?*", lambda route: route.fulfill(status=204))
    with page.expect_response("**/telegram/callback?*") as caught:
        agree(page, "")
    page.unroute("**/telegram/callback?*")
    assert caught.value.url.startswith(relay.preview.origin)
    return caught.value.url


def made_ticket(origin: str, *, secret: str = RELAY_SECRET, age: int = 0) -> str:
    """A ticket as a preview at `origin` with this relay secret made it so many seconds ago."""
    variables = {"TELEGRAM_BOT_ID": "42", "AUTH_SECRET": "x" * 32, "AUTH_RELAY_SECRET": secret}
    settings = read_settings({**variables, "AUTH_RELAY_URL": "https://x.example"})
    transaction, _ = transactions.begin(settings, return_to="/", now=time.time() - age)
    return parse_qs(urlsplit(tickets.address(settings, transaction, origin)).query)["ticket"][0]


def test_log_in_to_a_preview(open_page: OpenPage, either: Relay) -> None:
    """From the preview to production, to Telegram, to the question, and back to where one wanted to be."""
    page = open_page(base_url=either.production.origin)
    come(page, either)
    expect(page.get_by_text("First log in here.")).to_be_visible()
    expect(page.get_by_text("Continue only if you have just pressed the login button there.")).to_be_visible()
    assert page.title() == "Confirm your login · prod.localhost"
    assert cookies(page, either.production) == []
    start(page)
    pick(page, "Alice")

    page.wait_for_url("**/relay.html?*")
    expect(page.get_by_role("heading")).to_have_text(f"Log in to {host(either)}")
    expect(page.get_by_text("you are logged in there with your Telegram name")).to_be_visible()
    assert user_id(page, either.production) == ALICE
    assert user_id(page, either.preview) is None

    sent = requests(page)
    agree(page)
    page.wait_for_url(f"{either.preview.origin}{TARGET}")
    assert sent == [f"{either.production.origin}/telegram/relay"]
    assert user_id(page, either.preview) == ALICE
    held = page.context.cookies(either.preview.origin)
    (cookie,) = (cookie for cookie in held if cookie["name"] == "tgauth")
    assert (cookie["httpOnly"], cookie["domain"]) == (True, "preview.localhost")
    page.goto(f"{either.preview.origin}/")
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    expect(page.get_by_text("Logged in with Telegram")).to_be_visible()


def test_session_names_the_relay(tab: Page, relay: Relay) -> None:
    """The preview's session says that it was made through production."""
    log_in_there(tab, relay)
    there, here = session(tab, relay.preview), session(tab, relay.production)
    assert there
    assert here
    assert (there["session"]["method"], here["session"]["method"]) == ("relay", "oidc")


def test_nothing_is_left_in_addresses(open_page: OpenPage, either: Relay) -> None:
    """No code and no state is in the address bar, the history, a referrer or storage afterwards."""
    page = open_page(base_url=either.production.origin)
    asked = requests(page, "GET")
    log_in_there(page, either)
    code = next(url for url in asked if "/telegram/callback" in url and url.startswith(either.preview.origin))
    secrets = parse_qs(urlsplit(code).query)
    assert secrets.keys() == {"code", "state"}
    visited = addresses(page)
    assert visited[-1] == f"{either.preview.origin}{TARGET}"
    assert all(secrets["code"][0] not in url and "/telegram/callback" not in url for url in visited)
    assert page.evaluate("document.referrer") == ""
    for server in either:
        page.goto(f"{server.origin}/")
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
        assert (
            page.evaluate("JSON.stringify([history.state, sessionStorage, localStorage])") == "[null,{},{}]"
        )


def test_one_click(tab: Page, relay: Relay) -> None:
    """Who is logged in at production is asked at once, and nothing is posted before the click."""
    log_in(tab)
    sent, asked = requests(tab), requests(tab, "GET")
    tab.goto(f"{relay.preview.origin}/telegram/start?{urlencode({'return_to': TARGET})}")
    expect(tab.get_by_role("heading")).to_have_text(f"Log in to {host(relay)}")
    expect(tab.get_by_role("button", name="Continue as Alice Johnson")).to_be_visible()
    assert sent == []
    agree(tab)
    tab.wait_for_url(f"{relay.preview.origin}{TARGET}")
    assert (user_id(tab, relay.preview), len(sent)) == (ALICE, 1)
    assert not any("/_telegram/" in url for url in asked)


@pytest.mark.whole_browser
def test_no(tab: Page, relay: Relay) -> None:
    """Who says no is at production's own page and nowhere else logged in; going back, the question stands."""
    log_in(tab)
    come(tab, relay)
    sent = requests(tab)
    tab.get_by_role("link", name="No, go to the login page").click()
    tab.wait_for_url(f"{relay.production.origin}/")
    expect(tab.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    assert (sent, user_id(tab, relay.preview)) == ([], None)
    tab.go_back(wait_until="commit")
    agree(tab)
    tab.wait_for_url(f"{relay.preview.origin}{TARGET}")


def test_sessions_are_apart(open_page: OpenPage, either: Relay) -> None:
    """Each deployment has a session and a cookie of its own, which the other does not take and cannot end."""
    page = open_page(base_url=either.production.origin)
    log_in_there(page, either)
    here, there = (cookies(page, server) for server in either)
    assert len(here) == len(there) == 1
    assert here != there
    for server, foreign in zip(either, (there, here), strict=True):
        assert server.request("GET", "/telegram/verify", {"Cookie": foreign[0]}).status == 401

    page.goto(f"{either.preview.origin}/")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    assert (user_id(page, either.preview), user_id(page, either.production)) == (None, ALICE)

    log_in_there(page, either)
    page.goto(f"{either.production.origin}/")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    assert (user_id(page, either.preview), user_id(page, either.production)) == (ALICE, None)


def test_code_works_once(open_page: OpenPage, tab: Page, relay: Relay) -> None:
    """The address that logged somebody in leads there again in that browser, and is nothing in another."""
    asked = requests(tab, "GET")
    log_in_there(tab, relay)
    used = next(url for url in asked if url.startswith(f"{relay.preview.origin}/telegram/callback"))
    before = cookies(tab, relay.preview)
    tab.goto(used)
    assert tab.url == f"{relay.preview.origin}{TARGET}"
    assert (cookies(tab, relay.preview), user_id(tab, relay.preview)) == (before, ALICE)
    thief = open_page()
    thief.goto(used)
    expect(thief.get_by_role("heading")).to_have_text(REFUSED)
    assert thief.context.cookies() == []


def test_stolen_code(open_page: OpenPage, tab: Page, relay: Relay) -> None:
    """A code opens nothing in another browser, also in a login that was begun there, and is not used up."""
    log_in(tab)
    stolen = caught_callback(tab, relay)
    thief = open_page(base_url=relay.production.origin)
    thief.goto(stolen)
    expect(thief.get_by_role("heading")).to_have_text(REFUSED)
    assert thief.context.cookies() == []

    state = come(thief, relay).split("~")[1]
    query = parse_qs(urlsplit(stolen).query)
    thief.goto(
        f"{relay.preview.origin}/telegram/callback?{urlencode({'code': query['code'][0], 'state': state})}"
    )
    expect(thief.get_by_role("heading")).to_have_text(REFUSED)
    assert thief.context.cookies() == []

    tab.goto(stolen)
    tab.wait_for_url(f"{relay.preview.origin}{TARGET}")
    assert user_id(tab, relay.preview) == ALICE


def test_planted_ticket(open_page: OpenPage, tab: Page, relay: Relay) -> None:
    """Who agrees to a ticket of somebody else's is not logged in by it, and neither is that somebody."""
    attacker = open_page(base_url=relay.production.origin)
    planted = come(attacker, relay)
    before = cookies(attacker, relay.preview)
    log_in(tab)
    tab.goto(f"/telegram/relay?{urlencode({'ticket': planted})}")
    agree(tab)
    expect(tab.get_by_role("heading")).to_have_text(REFUSED)
    assert cookies(tab, relay.preview) == []
    assert (cookies(attacker, relay.preview), user_id(attacker, relay.preview)) == (before, None)


def test_ticket_works_once(tab: Page, relay: Relay) -> None:
    """A ticket that was agreed to is refused at the next click, after going back and from its address."""
    ticket = log_in_there(tab, relay)
    before = cookies(tab, relay.preview)
    tab.goto(f"/telegram/relay?{urlencode({'ticket': ticket})}")
    agree(tab)
    expect(tab.get_by_role("heading", name=OVER)).to_be_focused()
    expect(tab.get_by_text("Go back to the preview that you came from")).to_be_visible()
    expect(tab.get_by_text("Reference: dev1::")).to_be_visible()
    expect(tab.get_by_role("button")).to_be_hidden()
    assert tab.title() == f"{OVER} · prod.localhost"
    assert (cookies(tab, relay.preview), user_id(tab, relay.preview)) == (before, ALICE)
    tab.get_by_role("link", name="Go to the login page").click()
    expect(tab.get_by_role("heading", name="Alice Johnson")).to_be_visible()


@pytest.mark.whole_browser
def test_back_after_agreeing(tab: Page, relay: Relay) -> None:
    """Whoever goes back from the preview finds the question as it was, and it leads nowhere any more."""
    log_in(tab)
    tab.goto(f"{relay.preview.origin}/nothing")
    tab.goto(f"{relay.preview.origin}/telegram/start")
    ticket = parse_qs(urlsplit(tab.url).query)["ticket"][0]
    agree(tab)
    expect(tab.get_by_role("button", name="Log out")).to_be_visible()
    # The question's place in the history is the preview's now.
    assert all("/relay.html" not in url for url in addresses(tab))
    tab.go_back(wait_until="commit")
    tab.wait_for_url(f"{relay.preview.origin}/nothing")
    tab.goto(f"/relay.html?ticket={ticket}")
    agree(tab)
    expect(tab.get_by_role("heading", name=OVER)).to_be_focused()


def expired(relay: Relay) -> str:
    return made_ticket(relay.preview.origin, age=TICKET_SECONDS)


def forged(relay: Relay) -> str:
    return made_ticket(relay.preview.origin, secret="another-secret-that-somebody-made-up")


def another_host(_: Relay) -> str:
    return made_ticket("https://preview.example.org")


def changed_host(relay: Relay) -> str:
    return made_ticket(relay.preview.origin).replace(host(relay), "evil.example.com")


def test_tickets_that_are_not_good(tab: Page, relay: Relay) -> None:
    """The API refuses them with a page that says so; the question, which knows nothing, at the click."""
    log_in(tab)
    for made in (expired, forged, another_host, changed_host):
        ticket = made(relay)
        tab.goto(f"/telegram/relay?{urlencode({'ticket': ticket})}")
        expect(tab.get_by_role("heading")).to_have_text(OVER)
        expect(tab.get_by_text("start again there")).to_be_visible()
        expect(tab.get_by_role("link", name="Go to the login page")).to_have_attribute("href", "/")
        assert urlsplit(tab.url).path == "/error.html", made

        tab.goto(f"/relay.html?{urlencode({'ticket': ticket})}")
        expect(tab.get_by_role("heading")).to_have_text(f"Log in to {ticket.partition('~')[0]}")
        agree(tab)
        expect(tab.get_by_role("heading", name=OVER)).to_be_focused()
        assert tab.url.startswith(f"{relay.production.origin}/relay.html"), made
    assert (user_id(tab, relay.production), user_id(tab, relay.preview)) == (ALICE, None)


NO_TICKETS = [
    "",
    "ticket=",
    "ticket=~",
    "ticket=planted.example",
    "ticket=planted.example~",
    "ticket=planted~x",
    "ticket=planted..example~x",
    "ticket=PLANTED.example~x",
    "ticket=planted.example:~x",
    "ticket=planted.example/x~x",
    "ticket=planted@x.example~x",
    "ticket=pl%C3%A0nted.example~x",
    "ticket=%E2%80%AEplanted.example~x",
    "ticket=<b>planted</b>.example~x",
    "ticket=planted.example~<b>x",
    f"ticket={'planted.' * 40}example~x",
    f"ticket=planted.example~{'x' * 300}",
    "ticket=planted.example~x&ticket=planted.example~x",
]


def test_what_is_no_ticket(tab: Page) -> None:
    """Without a host that can be one there is no question, and nothing of the address is on the page."""
    sent = requests(tab)
    for query in NO_TICKETS:
        tab.goto(f"/relay.html?{query}")
        expect(tab.get_by_role("heading")).to_have_text(OVER)
        expect(tab.get_by_role("button")).to_be_hidden()
        assert "planted" not in tab.locator("body").inner_text().lower()
    assert (sent, tab.context.cookies()) == ([], [])


def test_two_tabs(tab: Page, relay: Relay) -> None:
    """Two logins that are begun before either is finished both succeed; the later one counts."""
    second = tab.context.new_page()
    come(tab, relay)
    come(second, relay, "/nothing?tab=2")
    start(tab)
    start(second)
    pick(tab, "Alice")
    agree(tab)
    tab.wait_for_url(f"{relay.preview.origin}{TARGET}")
    assert user_id(tab, relay.preview) == ALICE
    pick(second, "Мария")
    agree(second, "Мария Соколова")
    second.wait_for_url(f"{relay.preview.origin}/nothing?tab=2")
    assert user_id(tab, relay.preview) == MARIA
    assert [cookie.partition("=")[0] for cookie in cookies(tab, relay.preview)] == ["tgauth"]


def test_two_previews_at_once(open_page: OpenPage, tab: Page, relay: Relay, widget_relay: Relay) -> None:
    """A code for one preview is nothing to another, also where that knows the same relay secret."""
    log_in(tab)
    query = urlsplit(caught_callback(tab, relay)).query
    other = open_page(base_url=widget_relay.production.origin)
    state = come(other, widget_relay).split("~")[1]
    for target in (query, urlencode({"code": parse_qs(query)["code"][0], "state": state})):
        other.goto(f"{widget_relay.preview.origin}/telegram/callback?{target}")
        expect(other.get_by_role("heading")).to_have_text(REFUSED)
    assert other.context.cookies() == []


def test_logged_out_meanwhile(tab: Page, relay: Relay) -> None:
    """Whose session ended before the click is told so, logs in on the spot and goes on."""
    log_in(tab)
    come(tab, relay)
    tab.context.clear_cookies(domain="prod.localhost")
    agree(tab)
    expect(tab.get_by_role("alert")).to_contain_text("You are not logged in")
    expect(tab.get_by_role("button", name="Log in with Telegram")).to_be_focused()
    start(tab)
    pick(tab, "Мария")
    agree(tab, "Мария Соколова")
    tab.wait_for_url(f"{relay.preview.origin}{TARGET}")
    assert user_id(tab, relay.preview) == MARIA


def test_trouble_leaves_the_question(tab: Page, relay: Relay) -> None:
    """When the API could not answer just then, or not be reached, the button tries it again."""
    log_in(tab)
    come(tab, relay)
    unavailable = {"code": "store_unavailable"}
    tab.route("**/telegram/relay", lambda route: route.fulfill(status=503, json=unavailable))
    agree(tab)
    expect(tab.get_by_role("alert")).to_contain_text("This site cannot let you in just now")
    expect(tab.get_by_role("button", name="Continue as Alice Johnson")).to_be_focused()
    tab.unroute("**/telegram/relay")

    # Not by a request that fails, of which the console would speak.
    tab.evaluate("() => { window.whole = fetch; window.fetch = async () => { throw new TypeError(); }; }")
    agree(tab)
    expect(tab.get_by_role("alert")).to_contain_text("No connection")
    tab.evaluate("() => { window.fetch = window.whole; }")
    agree(tab)
    tab.wait_for_url(f"{relay.preview.origin}{TARGET}")


def test_trouble_before_the_question(tab: Page, relay: Relay) -> None:
    """Where it cannot be known who is logged in, the page says so and asks after another try."""
    log_in(tab)
    answer = {"code": "store_unavailable", "request_id": "dev1::42"}
    tab.route("**/telegram/verify", lambda route: route.fulfill(status=503, json=answer))
    tab.goto(f"/relay.html?ticket={made_ticket(relay.preview.origin)}")
    expect(tab.get_by_role("alert")).to_contain_text("This site cannot let you in just now")
    expect(tab.get_by_role("button", name="Continue")).to_be_hidden()
    tab.unroute("**/telegram/verify")
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_role("button", name="Continue as Alice Johnson")).to_be_visible()


def test_production_without_redis(tab: Page, relay: Relay) -> None:
    """Where production has no store that its functions share, the page says what is missing."""
    log_in(tab)
    come(tab, relay)
    tab.route(
        "**/telegram/relay", lambda route: route.fulfill(status=503, json={"code": "shared_store_required"})
    )
    agree(tab)
    expect(tab.get_by_role("heading", name="This needs Redis")).to_be_focused()
    expect(tab.get_by_text("cannot log anybody in to its previews")).to_be_visible()


ASTRAY = [
    "https://evil.example/telegram/callback?code=x",
    "https://{host}@evil.example/",
    "https://preview.localhost.evil.example/",
    "http://preview.localhost/",
    "javascript://{host}/%0aalert(1)",
    "blob:http://{host}/1b671a64-40d5-491e-99b0-da01ff1f3341",
]


def test_only_to_the_host_that_was_shown(tab: Page, relay: Relay) -> None:
    """Whatever the answer says, the browser goes to the host that the user agreed to, or stays."""
    log_in(tab)
    come(tab, relay)
    before = tab.url
    answers = ({"url": url.format(host=host(relay))} for url in ASTRAY)
    tab.route("**/telegram/relay", lambda route: route.fulfill(json=next(answers)))
    for url in ASTRAY:
        agree(tab)
        expect(tab.get_by_role("alert")).to_contain_text("Something went wrong")
        expect(tab.get_by_role("button", name="Continue as Alice Johnson")).to_be_focused()
        assert tab.url == before, url


def test_keyboard_alone(tab: Page, relay: Relay) -> None:
    """Tab reaches the button first and the way out next; the button is described by host and warning."""
    log_in(tab)
    come(tab, relay)
    button, way_out = tab.get_by_role("button", name="Continue as"), tab.get_by_role("link", name="No, ")
    tab.keyboard.press("Tab")
    expect(button).to_be_focused()
    expect(tab.get_by_role("heading")).to_have_accessible_name(f"Log in to {host(relay)}")
    described = re.compile(rf"Log in to {re.escape(host(relay))} .* Continue only if you have just pressed")
    expect(button).to_have_accessible_description(described)
    tab.keyboard.press("Tab")
    expect(way_out).to_be_focused()
    tab.keyboard.press("Shift+Tab")
    expect(button).to_be_enabled()
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"{relay.preview.origin}{TARGET}")


def test_in_another_language(tab: Page, relay: Relay) -> None:
    """Who switches the language keeps the question, also through Telegram."""
    come(tab, relay)
    tab.get_by_role("link", name="Русский").click()
    expect(tab.get_by_role("heading")).to_have_text(f"Войти на {host(relay)}")
    tab.get_by_role("button", name="Войти через Telegram").click()
    pick(tab, "Alice")
    tab.get_by_role("button", name="Продолжить как Alice Johnson").click()
    tab.wait_for_url(f"{relay.preview.origin}{TARGET}")


def test_russian_dark_and_narrow(open_page: OpenPage, relay: Relay) -> None:
    """On a small dark phone of a Russian nothing scrolls sideways, however long host and name are."""
    page = open_page(base_url=relay.production.origin, viewport=SMALL, color_scheme="dark", locale="ru-RU")
    page.goto("/")
    page.get_by_role("button", name="Войти через Telegram").click()
    page.locator(f"a[href*='user={LONG_NAME}']").click()
    expect(page.get_by_role("button", name="Выйти")).to_be_visible()
    long_host = f"{'a' * 63}.{'b-' * 31}b.{'c' * 63}.vercel.app:65535"
    for query, shown in (
        (f"ticket={made_ticket(relay.preview.origin)}", "#question"),
        (f"ticket={long_host}~x", "#question"),
        ("", "#refusal"),
    ):
        page.goto(f"/relay.html?{query}")
        expect(page.locator(shown)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == SMALL["width"]
        assert re.findall(r"\b[а-яё] \w+", page.locator("main").inner_text(), re.IGNORECASE) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 22, 28)"

    page.goto(f"/relay.html?ticket={long_host}~x")
    expect(page.get_by_role("heading")).to_have_text(f"Войти на {long_host}")
    widths = "(e) => [e.scrollWidth, e.clientWidth]"
    assert len(set(page.locator(".host").evaluate(widths))) == 1
    page.get_by_role("button", name="Продолжить как").click()
    expect(page.get_by_role("heading")).to_have_text("Этот запрос на вход больше не действует")


def test_host_is_text_of_its_own(tab: Page) -> None:
    """The host is isolated from the words around it, and read as one word."""
    tab.goto("/relay.html?ticket=xn--80ak6aa92e.0-a.example:8443~x")
    heading = tab.get_by_role("heading")
    expect(heading).to_have_accessible_name("Log in to xn--80ak6aa92e.0-a.example:8443")
    assert heading.locator("bdi").all_text_contents() == ["xn--80ak6aa92e.0-a.example:8443"]


def test_other_address_of_the_preview(tab: Page, relay: Relay) -> None:
    """At an address that production does not know the preview by, the button leads to the one it knows."""
    tab.goto(f"http://127.0.0.1:{relay.preview.port}/?{urlencode({'return_to': TARGET})}")
    tab.get_by_role("button", name="Log in with Telegram").click()
    expect(tab.get_by_role("alert")).to_contain_text("Login is at another address")
    tab.get_by_role("link", name=f"Continue at {host(relay)}").click()
    tab.get_by_role("button", name="Log in with Telegram").click()
    expect(tab.get_by_role("heading")).to_have_text(f"Log in to {host(relay)}")


@pytest.mark.parametrize(
    ("locale", "button", "title"),
    [
        ("en-US", "Log in with Telegram", "Login is off in this preview"),
        ("ru-RU", "Войти через Telegram", "В этой предварительной версии вход выключен"),
    ],
)
def test_preview_without_the_relay(
    open_page: OpenPage, lonely_preview: Server, locale: str, button: str, title: str
) -> None:
    """A preview without the relay names the variables that turn it on, and where that is described."""
    page = open_page(base_url=lonely_preview.origin, locale=locale)
    page.goto("/")
    page.get_by_role("button", name=button).click()
    notice = page.get_by_role("alert")
    expect(notice.get_by_role("heading")).to_have_text(title)
    guide = "docs/ru/PREVIEWS.md" if locale == "ru-RU" else "docs/PREVIEWS.md"
    for part in ("AUTH_RELAY_SECRET", "AUTH_RELAY_HOSTS", guide):
        expect(notice).to_contain_text(part)
    page.goto("/telegram/start")
    expect(page.get_by_role("heading")).to_have_text(title)
    assert page.context.cookies() == []


@pytest.mark.parametrize(
    ("lang", "advice"),
    [("en", "Join the chat, then try again."), ("ru", "Вступите в чат и попробуйте снова.")],
)
def test_members_only(page: Page, lang: str, advice: str) -> None:
    """Who is no member of the site's chat reads what to do."""
    page.goto(f"/error.html?code=membership_required&lang={lang}")
    expect(page.get_by_text(advice)).to_be_visible()


def test_page_is_not_framed(relay: Relay) -> None:
    """No other site may show the question in a frame and have its button pressed."""
    policy = relay.production.request("GET", "/relay.html").headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy


# A yes is a click on what was read


CLICK = """(event) => {
  (event === "focus" ? window : document).dispatchEvent(new Event(event));
  const button = document.getElementById("continue-button");
  button.click();
  return [button.ariaDisabled, button.disabled];
}"""


@pytest.mark.parametrize("event", ["focus", "visibilitychange"])
def test_half_a_double_click_is_no_yes(tab: Page, relay: Relay, event: str) -> None:
    """A window in front that closes at the first click leaves the second to this page, in vain."""
    log_in(tab)
    sent = requests(tab)
    tab.goto(f"/relay.html?{urlencode({'ticket': made_ticket(relay.preview.origin)})}")
    button = tab.get_by_role("button", name="Continue as")
    expect(button).to_be_enabled()
    assert tab.evaluate(CLICK, event) == ["true", False]
    expect(button).to_be_enabled()
    assert sent == []
    button.click()
    tab.wait_for_url(f"{relay.preview.origin}/**")


@pytest.mark.whole_browser
def test_back_from_telegram(tab: Page, relay: Relay) -> None:
    """Who comes back from Telegram's page without having logged in can press the button again."""
    come(tab, relay)
    start(tab)
    tab.go_back(wait_until="commit")
    expect(tab.get_by_role("button", name="Log in with Telegram")).to_be_enabled()
