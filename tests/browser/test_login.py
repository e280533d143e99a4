"""The login page in a real browser, from the button to Telegram and back."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from dev.serve.process import Server
from dev.telegram.signing import tg_auth_result
from tests.browser.steps import (
    ALICE,
    MARIA,
    MEI,
    addresses,
    begin,
    cookie_login,
    log_in,
    pick,
    proof,
    session_cookies,
    start,
    trouble,
    user_id,
)

pytestmark = pytest.mark.browser


def returned(page: Page, result: object) -> str:
    """The address with which Telegram's older way ends a login that this browser has just begun."""
    asked = parse_qs(urlsplit(begin(page)["widget_auth_url"]).query)
    encoded = result if isinstance(result, str) else tg_auth_result(result)
    return f"{asked['return_to'][0]}#tgAuthResult={encoded}"


def test_log_in_reload_log_out(either_page: Page) -> None:
    """A login shows the person, lasts over a reload, and ends with the button."""
    page = either_page
    log_in(page)
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    expect(page.get_by_text("@alice_dev")).to_be_visible()
    expect(page.get_by_text("Logged in with Telegram")).to_be_visible()
    expect(page.get_by_role("link", name="Continue")).to_be_hidden()
    assert user_id(page) == ALICE

    page.reload()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    assert session_cookies(page) == []
    assert user_id(page) is None


def test_the_button_leads_to_openid_connect(page: Page) -> None:
    """Where both ways are set up, the button takes the one that Telegram recommends."""
    page.goto("/")
    start(page)
    assert "client_id" in parse_qs(urlsplit(page.url).query)


def test_login_is_announced(widget_page: Page) -> None:
    """Who comes back through the page itself hears who they are, and goes on from there."""
    log_in(widget_page)
    expect(widget_page.get_by_role("heading", name="Alice Johnson")).to_be_focused()
    expect(widget_page.get_by_role("status")).to_have_text("You are logged in as Alice Johnson.")


def test_nothing_stays_in_the_address_and_the_history(either_page: Page) -> None:
    """After the return from Telegram no proof, code or state is left in an address or in storage."""
    page = either_page
    log_in(page)
    own = f"{urlsplit(page.url).scheme}://{urlsplit(page.url).netloc}/"
    assert addresses(page) == ["about:blank", own, own]
    assert page.evaluate("JSON.stringify([history.state, sessionStorage, localStorage])") == "[null,{},{}]"


def test_cancel(page: Page) -> None:
    """Who cancels at Telegram is told so kindly, without a cookie or a reference, and can start again."""
    page.goto("/")
    start(page)
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", name="Login cancelled")).to_be_visible()
    assert parse_qs(urlsplit(page.url).query)["code"] == ["login_cancelled"]
    expect(page.get_by_text("Reference:")).to_be_hidden()
    assert page.context.cookies() == []
    page.get_by_role("link", name="Try again").click()
    start(page)


@pytest.mark.whole_browser
def test_reload_and_back_after_a_login(either_page: Page) -> None:
    """Going back and forth through a login shows who is logged in, and does not log in once more."""
    page = either_page
    log_in(page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(urlsplit(request.url).path))
    before = session_cookies(page)
    page.reload()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("link", name="Cancel")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    page.go_forward(wait_until="commit")
    page.go_forward(wait_until="commit")
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    assert session_cookies(page) == before
    assert {"/telegram/login", "/telegram/callback", "/telegram/start"}.isdisjoint(sent)


@pytest.mark.whole_browser
def test_picking_again_after_going_back(page: Page) -> None:
    """A login that is over cannot be finished once more; the page that says so leads back to the account."""
    log_in(page)
    page.go_back()
    pick(page, "Mei")
    expect(page.get_by_role("heading", name="This login was not accepted")).to_be_visible()
    expect(page.get_by_text("Reference: dev1::")).to_be_visible()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()


def test_two_tabs_at_once(page: Page) -> None:
    """Two logins that are begun before either is finished both succeed; the later one counts."""
    first, second = page, page.context.new_page()
    for tab in (first, second):
        tab.goto("/")
        start(tab)
    pick(first, "Alice")
    expect(first.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    assert user_id(first) == ALICE
    pick(second, "Mei")
    expect(second.get_by_role("heading", name="Mei")).to_be_visible()
    assert user_id(first) == MEI
    first.reload()
    expect(first.get_by_role("heading", name="Mei")).to_be_visible()


def test_expired_and_used_proofs(widget_page: Page) -> None:
    """A proof that is too old or was used says so and leaves the way to a new one."""
    page = widget_page
    old, used = proof(page, ALICE, age=600), proof(page, MEI)
    page.request.post("/telegram/login", data={"widget": used, "transport": "bearer"})
    for fields in (old, used):
        page.goto("about:blank")
        page.goto(returned(page, fields))
        expect(page.get_by_role("alert")).to_contain_text("This login has expired")
        assert session_cookies(page) == []
        start(page)


def test_damaged_results(page: Page) -> None:
    """What does not decode, or is no login, is reported and not thrown."""
    damaged = dict.fromkeys(("!", "bm90IGpzb24", "_w", "bnVsbA", "MQ", "W10"), "That request was damaged")
    for result, said in {**damaged, "e30": "This login was not accepted"}.items():
        page.goto("about:blank")
        page.goto(returned(page, result))
        expect(page.get_by_role("alert"), result).to_contain_text(said)
        assert session_cookies(page) == []


@pytest.mark.parametrize(
    ("photo", "images", "initials"),
    [('<svg xmlns="http://www.w3.org/2000/svg"/>', 1, ""), ("no image", 0, "AL")],
    ids=["loads", "fails"],
)
def test_photo(page: Page, photo: str, images: int, initials: str) -> None:
    """The avatar is the person's photo, or their initials where it does not load."""
    address = "https://t.me/i/userpic/320/ada.svg"
    user = {"id": 42, "first_name": "ada", "last_name": "Lovelace", "photo_url": address}
    session = {"id": "s", "created_at": 1, "expires_at": 2, "method": "widget", "transport": "cookie"}
    # Sessions in memory keep no photo, so the answer is one of a shared store's.
    page.route("**/telegram/verify", lambda route: route.fulfill(json={"user": user, "session": session}))
    page.route(address, lambda route: route.fulfill(content_type="image/svg+xml", body=photo))
    with page.expect_request_finished(lambda request: request.url == address):
        page.goto("/")
    expect(page.locator("#avatar img")).to_have_count(images)
    expect(page.locator("#avatar")).to_have_text(initials)


def test_api_trouble_is_not_a_logout(page: Page) -> None:
    """When the API cannot say who is logged in, the page says so and offers to try again."""
    cookie_login(page)
    trouble(page, "verify", 503, "store_unavailable")
    page.goto("/")
    expect(page.get_by_role("alert")).to_contain_text("This site cannot let you in just now")
    expect(page.get_by_role("alert")).to_contain_text("dev1::42")
    expect(page.get_by_role("heading", level=1)).to_have_text("localhost")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_hidden()
    page.unroute("**/telegram/verify")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()


def test_other_address_of_the_site(page: Page, server: Server) -> None:
    """On an address that Telegram does not know, the button leads to the one it knows."""
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.get_by_role("button", name="Log in with Telegram").click()
    expect(page.get_by_role("alert")).to_contain_text("Login is at another address")
    here = f"set AUTH_ORIGIN=http://127.0.0.1:{server.port}, and redeploy"
    expect(page.get_by_role("alert")).to_contain_text(here)
    page.get_by_role("link", name=f"Continue at localhost:{server.port}").click()
    page.wait_for_url(f"{server.origin}/?redirected=1")
    start(page)
    assert f"{server.origin}/" in addresses(page)
    assert not any("redirected" in address for address in addresses(page))


def test_forbidden_cookies(page: Page) -> None:
    """Where the browser keeps no cookies, the button says what to allow instead of going to Telegram."""
    page.add_init_script("Object.defineProperty(navigator, 'cookieEnabled', { value: false })")
    page.goto("/")
    page.get_by_role("button", name="Log in with Telegram").click()
    expect(page.get_by_role("alert")).to_contain_text("Allow cookies for this site")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_focused()


def test_login_without_storage(widget_page: Page) -> None:
    """A browser that forbids storage and not cookies logs in like any other."""
    forbidden = "get() { throw new DOMException('Access is denied for this document.', 'SecurityError'); }"
    widget_page.add_init_script(f"Object.defineProperty(window, 'sessionStorage', {{ {forbidden} }})")
    log_in(widget_page)


def test_errors_of_the_page_itself(page: Page) -> None:
    """An error that is not the API's gets the general text and goes to the console."""
    page.add_init_script("window.fetch = () => Promise.resolve({ ok: true, status: 204 })")
    page.add_init_script("console.error = (error) => { window.printed = error; }")
    page.goto("/")
    expect(page.get_by_role("alert")).to_contain_text("Something went wrong")
    assert page.evaluate("window.printed instanceof TypeError")


@pytest.mark.whole_browser
def test_back_from_telegram_can_start_again(page: Page) -> None:
    """Who comes back with the browser's Back button finds a page that works."""
    page.goto("/")
    start(page)
    page.go_back()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_enabled()
    start(page)


@pytest.mark.parametrize("answer", [{"json": {"simulated": False}}, {"status": 404}], ids=["no", "none"])
def test_real_telegram_is_not_called_simulated(page: Page, answer: dict[str, Any]) -> None:
    """Where logins go to Telegram itself, no page speaks of a simulation, or begins a login to find out."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.route("**/_telegram/simulated.json", lambda route: route.fulfill(**answer))
    with page.expect_response("**/_telegram/simulated.json"):
        page.goto("/")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    expect(page.get_by_role("link", name="See its users")).to_be_hidden()
    assert set(sent) == {"GET"}


def test_log_out_where_somebody_else_is_logged_in(page: Page) -> None:
    """The button logs out the person whom the page shows; somebody else's page comes in its place."""
    log_in(page)
    cookie_login(page, MARIA)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Мария")
    assert user_id(page) == MARIA
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    assert user_id(page) is None


def test_a_session_that_is_used_too_often(page: Page) -> None:
    """Whoever else floods with somebody's session, they can log out on the page, and log in again."""
    log_in(page)
    trouble(page, "verify", 429, "rate_limited")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status").last).to_have_text("You are logged out.")
    assert user_id(page) is None
    cookie_login(page)
    page.goto("/")
    expect(page.get_by_role("alert")).to_contain_text("Too many requests")
    start(page)
    page.unroute("**/telegram/verify")
    pick(page, "Alice")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()
