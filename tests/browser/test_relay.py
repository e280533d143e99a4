"""Logging in to a preview through production: what each of them shows, and what is of no use to others."""

import json
import re
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from dev.serve.process import Server
from lib.tgauth.relay import tickets
from lib.tgauth.relay.tickets import TICKET_SECONDS
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram import transaction as transactions
from tests.browser.conftest import RELAY_SECRET, OpenPage, Relay
from tests.browser.steps import ALICE, MARIA, addresses, pick, posts, start, trouble
from tests.site import OWN_PAGE

pytestmark = pytest.mark.browser

TARGET = "/nothing/here?tab=1"
OVER = "This request to log in is over"
REFUSED = "This login was not accepted"


@pytest.fixture
def tab(open_page: OpenPage, relay: Relay) -> Page:
    """A page whose relative addresses are production's."""
    return open_page(base_url=relay.production.origin)


@pytest.fixture
def member(tab: Page, relay: Relay) -> Page:
    """The same, in a browser where Alice is logged in to production."""
    proof = relay.production.request("GET", f"/_telegram/widget?user={ALICE}").body
    headers = {"Content-Type": "application/json", **OWN_PAGE}
    answer = relay.production.request("POST", "/telegram/login", headers, proof)
    name, value = answer.headers["Set-Cookie"].partition(";")[0].split("=", 1)
    tab.context.add_cookies([{"name": name, "value": value, "url": relay.production.origin}])
    return tab


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


def host(relay: Relay) -> str:
    return relay.preview.origin.removeprefix("http://")


def cookies(page: Page, server: Server) -> list[str]:
    """The cookies of this server that the browser has, but for those of finished logins."""
    found = page.context.cookies(server.origin)
    return sorted(
        f"{cookie['name']}={cookie['value']}" for cookie in found if not cookie["value"].startswith("done.")
    )


def user_id(page: Page, server: Server) -> int | None:
    """Who is logged in there, as the API says for this browser's cookies."""
    answer = server.request("GET", "/telegram/verify", {"Cookie": "; ".join(cookies(page, server))})
    assert answer.status in (200, 401)
    return json.loads(answer.body)["user"]["id"] if answer.status == 200 else None


def made_ticket(origin: str, age: int = 0) -> str:
    """A ticket as a preview at `origin` made it so many seconds ago."""
    variables = {"TELEGRAM_BOT_ID": "42", "AUTH_SECRET": "x" * 32, "AUTH_RELAY_SECRET": RELAY_SECRET}
    settings = read_settings({**variables, "AUTH_RELAY_URL": "https://x.example"})
    transaction, _ = transactions.begin(settings, return_to="/", now=time.time() - age)
    return parse_qs(urlsplit(tickets.address(settings, transaction, origin)).query)["ticket"][0]


def test_log_in_to_a_preview(tab: Page, relay: Relay) -> None:
    """From the preview to production, to Telegram, to the question, and back to where one wanted to be."""
    come(tab, relay)
    expect(tab.get_by_text("First log in here.")).to_be_visible()
    expect(tab.get_by_text("Continue only if you have just pressed the login button there.")).to_be_visible()
    assert tab.title() == "Confirm your login · prod.localhost"
    assert cookies(tab, relay.production) == []
    start(tab)
    pick(tab, "Alice")

    tab.wait_for_url("**/relay.html?*")
    expect(tab.get_by_role("heading")).to_have_text(f"Log in to {host(relay)}")
    expect(tab.get_by_text("you are logged in there with your Telegram name")).to_be_visible()
    assert user_id(tab, relay.production) == ALICE
    assert user_id(tab, relay.preview) is None

    sent = posts(tab)
    agree(tab)
    tab.wait_for_url(f"{relay.preview.origin}{TARGET}")
    assert sent == ["/telegram/relay"]
    assert user_id(tab, relay.preview) == ALICE
    held = tab.context.cookies(relay.preview.origin)
    (cookie,) = (cookie for cookie in held if cookie["name"] == "tgauth")
    assert (cookie["httpOnly"], cookie["domain"]) == (True, "preview.localhost")
    tab.goto(f"{relay.preview.origin}/")
    expect(tab.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    expect(tab.get_by_text("Logged in with Telegram")).to_be_visible()


def test_nothing_is_left_in_addresses(tab: Page, relay: Relay) -> None:
    """No code and no state is in the address bar, the history, a referrer or storage afterwards."""
    come(tab, relay)
    start(tab)
    pick(tab, "Alice")
    with tab.expect_request(f"{relay.preview.origin}/telegram/callback?*") as asked:
        agree(tab)
    tab.wait_for_url(f"{relay.preview.origin}{TARGET}")
    secrets = parse_qs(urlsplit(asked.value.url).query)
    assert secrets.keys() == {"code", "state"}
    visited = addresses(tab)
    assert visited[-1] == f"{relay.preview.origin}{TARGET}"
    assert all(secrets["code"][0] not in url and "/telegram/callback" not in url for url in visited)
    assert tab.evaluate("document.referrer") == ""
    for server in relay:
        tab.goto(f"{server.origin}/")
        expect(tab.get_by_role("button", name="Log out")).to_be_visible()
        assert tab.evaluate("JSON.stringify([history.state, sessionStorage, localStorage])") == "[null,{},{}]"


@pytest.mark.whole_browser
def test_no(member: Page, relay: Relay) -> None:
    """Who says no is at production's own page and nowhere else logged in; going back, the question stands."""
    come(member, relay)
    sent = posts(member)
    member.get_by_role("link", name="No, go to the login page").click()
    member.wait_for_url(f"{relay.production.origin}/")
    expect(member.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    assert (sent, user_id(member, relay.preview)) == ([], None)
    member.go_back(wait_until="commit")
    agree(member)
    member.wait_for_url(f"{relay.preview.origin}{TARGET}")


def test_planted_ticket(open_page: OpenPage, member: Page, relay: Relay) -> None:
    """Who agrees to a ticket of somebody else's is not logged in by it, and neither is that somebody."""
    attacker = open_page(base_url=relay.production.origin)
    planted = come(attacker, relay)
    before = cookies(attacker, relay.preview)
    member.goto(f"/telegram/relay?{urlencode({'ticket': planted})}")
    agree(member)
    expect(member.get_by_role("heading")).to_have_text(REFUSED)
    assert cookies(member, relay.preview) == []
    assert (cookies(attacker, relay.preview), user_id(attacker, relay.preview)) == (before, None)


def test_ticket_works_once(member: Page, relay: Relay) -> None:
    """A ticket that was agreed to is refused at the next click, after going back and from its address."""
    ticket = come(member, relay)
    agree(member)
    member.wait_for_url(f"{relay.preview.origin}{TARGET}")
    before = cookies(member, relay.preview)
    member.goto(f"/telegram/relay?{urlencode({'ticket': ticket})}")
    agree(member)
    expect(member.get_by_role("heading", name=OVER)).to_be_focused()
    expect(member.get_by_text("Go back to the preview that you came from")).to_be_visible()
    expect(member.get_by_text("Reference: dev1::")).to_be_visible()
    expect(member.get_by_role("button")).to_be_hidden()
    assert member.title() == f"{OVER} · prod.localhost"
    assert (cookies(member, relay.preview), user_id(member, relay.preview)) == (before, ALICE)
    member.get_by_role("link", name="Go to the login page").click()
    expect(member.get_by_role("heading", name="Alice Johnson")).to_be_visible()


@pytest.mark.whole_browser
def test_back_after_agreeing(member: Page, relay: Relay) -> None:
    """Whoever goes back from the preview finds the question as it was, and it leads nowhere any more."""
    member.goto(f"{relay.preview.origin}/nothing")
    member.goto(f"{relay.preview.origin}/telegram/start")
    ticket = parse_qs(urlsplit(member.url).query)["ticket"][0]
    agree(member)
    expect(member.get_by_role("button", name="Log out")).to_be_visible()
    # The question's place in the history is the preview's now.
    assert all("/relay.html" not in url for url in addresses(member))
    member.go_back(wait_until="commit")
    member.wait_for_url(f"{relay.preview.origin}/nothing")
    member.goto(f"/relay.html?ticket={ticket}")
    agree(member)
    expect(member.get_by_role("heading", name=OVER)).to_be_focused()


def test_a_ticket_that_is_not_good(member: Page, relay: Relay) -> None:
    """The API refuses it with a page that says so; the question, which knows nothing, at the click."""
    ticket = made_ticket(relay.preview.origin, age=TICKET_SECONDS)
    member.goto(f"/telegram/relay?{urlencode({'ticket': ticket})}")
    expect(member.get_by_role("heading")).to_have_text(OVER)
    expect(member.get_by_text("start again there")).to_be_visible()
    expect(member.get_by_role("link", name="Go to the login page")).to_have_attribute("href", "/")
    assert urlsplit(member.url).path == "/error.html"

    member.goto(f"/relay.html?{urlencode({'ticket': ticket})}")
    expect(member.get_by_role("heading")).to_have_text(f"Log in to {host(relay)}")
    agree(member)
    expect(member.get_by_role("heading", name=OVER)).to_be_focused()
    assert member.url.startswith(f"{relay.production.origin}/relay.html")
    assert (user_id(member, relay.production), user_id(member, relay.preview)) == (ALICE, None)


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
    sent = posts(tab)
    for query in NO_TICKETS:
        tab.goto(f"/relay.html?{query}")
        expect(tab.get_by_role("heading")).to_have_text(OVER)
        expect(tab.get_by_role("button")).to_be_hidden()
        assert "planted" not in tab.locator("body").inner_text().lower()
    assert (sent, tab.context.cookies()) == ([], [])


def test_logged_out_meanwhile(member: Page, relay: Relay) -> None:
    """Whose session ended before the click is told so, logs in on the spot and goes on."""
    come(member, relay)
    member.context.clear_cookies(domain="prod.localhost")
    agree(member)
    expect(member.get_by_role("alert")).to_contain_text("You are not logged in")
    expect(member.get_by_role("button", name="Log in with Telegram")).to_be_focused()
    start(member)
    pick(member, "Мария")
    agree(member, "Мария Соколова")
    member.wait_for_url(f"{relay.preview.origin}{TARGET}")
    assert user_id(member, relay.preview) == MARIA


def test_trouble_leaves_the_question(member: Page, relay: Relay) -> None:
    """When the API could not answer just then, the button tries it again."""
    come(member, relay)
    trouble(member, "relay", 503, "store_unavailable")
    agree(member)
    expect(member.get_by_role("alert")).to_contain_text("This site cannot let you in just now")
    expect(member.get_by_role("button", name="Continue as Alice Johnson")).to_be_focused()
    member.unroute("**/telegram/relay")
    agree(member)
    member.wait_for_url(f"{relay.preview.origin}{TARGET}")


def test_production_without_redis(member: Page, relay: Relay) -> None:
    """Where production has no store that its functions share, the page says what is missing."""
    come(member, relay)
    trouble(member, "relay", 503, "shared_store_required")
    agree(member)
    expect(member.get_by_role("heading", name="This needs Redis")).to_be_focused()
    expect(member.get_by_text("cannot log anybody in to its previews")).to_be_visible()


ASTRAY = [
    "https://evil.example/telegram/callback?code=x",
    "https://{host}@evil.example/",
    "https://preview.localhost.evil.example/",
    "http://preview.localhost/",
    "javascript://{host}/%0aalert(1)",
    "blob:http://{host}/1b671a64-40d5-491e-99b0-da01ff1f3341",
]


def test_only_to_the_host_that_was_shown(member: Page, relay: Relay) -> None:
    """Whatever the answer says, the browser goes to the host that the user agreed to, or stays."""
    come(member, relay)
    before = member.url
    answers = ({"url": url.format(host=host(relay))} for url in ASTRAY)
    member.route("**/telegram/relay", lambda route: route.fulfill(json=next(answers)))
    for url in ASTRAY:
        agree(member)
        expect(member.get_by_role("alert")).to_contain_text("Something went wrong")
        expect(member.get_by_role("button", name="Continue as Alice Johnson")).to_be_focused()
        assert member.url == before, url


def test_keyboard_alone(member: Page, relay: Relay) -> None:
    """Tab reaches the button first, which is described by host and warning, and Enter presses it."""
    come(member, relay)
    button = member.get_by_role("button", name="Continue as")
    member.keyboard.press("Tab")
    expect(button).to_be_focused()
    expect(member.get_by_role("heading")).to_have_accessible_name(f"Log in to {host(relay)}")
    described = re.compile(rf"Log in to {re.escape(host(relay))} .* Continue only if you have just pressed")
    expect(button).to_have_accessible_description(described)
    expect(button).to_be_enabled()
    member.keyboard.press("Enter")
    member.wait_for_url(f"{relay.preview.origin}{TARGET}")


def test_in_another_language(tab: Page, relay: Relay) -> None:
    """Who switches the language keeps the question, also through Telegram."""
    come(tab, relay)
    tab.get_by_role("link", name="Русский").click()
    expect(tab.get_by_role("heading")).to_have_text(f"Войти на {host(relay)}")
    tab.get_by_role("button", name="Войти через Telegram").click()
    pick(tab, "Alice")
    tab.get_by_role("button", name="Продолжить как Alice Johnson").click()
    tab.wait_for_url(f"{relay.preview.origin}{TARGET}")


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
    ("lang", "title", "guide"),
    [
        ("en", "Login is off in this preview", "docs/PREVIEWS.md"),
        ("ru", "В этой предварительной версии вход выключен", "docs/ru/PREVIEWS.md"),
    ],
)
def test_preview_without_the_relay(page: Page, lang: str, title: str, guide: str) -> None:
    """The text names the variables that turn login on in a preview, and where that is described."""
    page.goto(f"/error.html?code=relay_required&lang={lang}")
    expect(page.get_by_role("heading")).to_have_text(title)
    for part in ("AUTH_RELAY_SECRET", "AUTH_RELAY_HOSTS", guide):
        expect(page.locator("#advice")).to_contain_text(part)


# A yes is a click on what was read


CLICK = """(event) => {
  (event === "focus" ? window : document).dispatchEvent(new Event(event));
  const button = document.getElementById("continue-button");
  button.click();
  return [button.ariaDisabled, button.disabled];
}"""


@pytest.mark.parametrize("event", ["focus", "visibilitychange"])
def test_half_a_double_click_is_no_yes(member: Page, relay: Relay, event: str) -> None:
    """A window in front that closes at the first click leaves the second to this page, in vain."""
    sent = posts(member)
    member.goto(f"/relay.html?{urlencode({'ticket': made_ticket(relay.preview.origin)})}")
    button = member.get_by_role("button", name="Continue as")
    expect(button).to_be_enabled()
    assert member.evaluate(CLICK, event) == ["true", False]
    expect(button).to_be_enabled()
    assert sent == []
    button.click()
    member.wait_for_url(f"{relay.preview.origin}/**")


@pytest.mark.whole_browser
def test_back_from_telegram(tab: Page, relay: Relay) -> None:
    """Who comes back from Telegram's page without having logged in can press the button again."""
    come(tab, relay)
    start(tab)
    tab.go_back(wait_until="commit")
    expect(tab.get_by_role("button", name="Log in with Telegram")).to_be_enabled()
