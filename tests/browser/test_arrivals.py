"""What a link can do to the login page by its `return_to` and its fragment."""

from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Page, Request, expect

from dev.serve.process import Server
from dev.telegram.signing import tg_auth_result
from tests.browser.clients import ANDROID
from tests.browser.steps import ALICE, BOBBY, begin, log_in, pick, proof, session_cookies, start, user_id

pytestmark = pytest.mark.browser

NOWHERE = [
    "//a.example/nothing",
    "/\\a.example/nothing",
    "\\/a.example/nothing",
    "/\t/a.example/nothing",
    "{origin}//a.example/",
    "/nothing//a.example",
    "/.//a.example",
    "/nothing/..//a.example",
    "http://alice@{host}/nothing",
    "http://alice:secret@{host}/nothing",
    "http://:secret@{host}/nothing",
    "//alice@{host}/nothing",
    "https://{host}/nothing",
    "http://127.0.0.1:{port}/nothing",
    "http://{host}0/nothing",
    "http://localhost/nothing",
    "/telegram/start",
    "/telegram/login?id=1",
    "/TELEGRAM/start",
    "/api/telegram/start",
    "/nothing/../telegram/start",
    "telegram/start",
    "blob:{origin}/1b671a64-40d5-491e-99b0-da01ff1f3341",
    "filesystem:{origin}/temporary/x",
    "about:blank",
    "/",
    "/#tgWebAppData=x",
]
"""Another host, this one with more than that, a login, or the login page itself."""

HERE = [
    "/nothing",
    "{origin}/nothing",
    "//{host}/nothing",
    "nothing",
    "/nothing#x",
    "/x/../nothing",
    "/\tnothing",
]

LOGINS = ["{origin}//a.example/", "http://alice@{host}/nothing", "/TELEGRAM/start", "/#tgWebAppData=x"]
"""Some of the first, for which somebody logs in."""


def filled(return_to: str, server: Server) -> str:
    return return_to.format(host=f"localhost:{server.port}", port=server.port, origin=server.origin)


def launch(page: Page, user: int) -> str:
    """The fragment of a Mini App's launch."""
    init_data = page.request.get(f"/_telegram/init_data?user={user}").json()["init_data"]
    return f"#tgWebAppData={quote(init_data, safe='')}"


def logins(page: Page) -> list[Request]:
    """The login requests that the page sends from now on."""
    sent: list[Request] = []
    page.on("request", lambda request: "/telegram/login" in request.url and sent.append(request))
    return sent


def test_links_to_destinations(widget_page: Page, widget_server: Server) -> None:
    """Who is logged in gets a link to a page of this site, however it is spelt, without any fragment."""
    log_in(widget_page)
    linked = {}
    for return_to in (*NOWHERE, *HERE):
        query = urlencode({"return_to": filled(return_to, widget_server)})
        widget_page.goto(f"/?{query}")
        expect(widget_page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()
        link = widget_page.locator("#return-link")
        linked[return_to] = link.get_attribute("href") if link.is_visible() else None
    assert linked == {
        **dict.fromkeys(NOWHERE),
        **dict.fromkeys(HERE, f"{widget_server.origin}/nothing"),
    }


@pytest.mark.parametrize("return_to", LOGINS)
def test_logins_without_a_destination(widget_page: Page, widget_server: Server, return_to: str) -> None:
    """A login that names any of these ends on the login page."""
    page = widget_page
    page.goto(f"/?{urlencode({'return_to': filled(return_to, widget_server)})}")
    start(page)
    pick(page, "Alice")
    expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()
    assert page.url.split("?")[0] == f"{widget_server.origin}/"


def test_login_with_a_destination(widget_page: Page, widget_server: Server) -> None:
    """A fragment is left behind."""
    widget_page.goto(f"/?{urlencode({'return_to': '/nothing#tgWebAppData=x'})}")
    start(widget_page)
    pick(widget_page, "Alice")
    widget_page.wait_for_url(f"{widget_server.origin}/nothing")
    assert widget_page.evaluate("location.hash") == ""


@pytest.mark.parametrize("inside", [True, False])
def test_planted_login_behind_a_destination(widget_page: Page, inside: bool) -> None:
    """Launch data or a result in the fragment of `return_to` is left there, so it logs nobody in."""
    page = widget_page
    if inside:
        page.add_init_script(ANDROID)
    log_in(page)
    before, sent = session_cookies(page), logins(page)
    for fragment in (launch(page, BOBBY), f"#tgAuthResult={tg_auth_result(proof(page, BOBBY))}"):
        # With a query, so that it is a destination at all.
        page.goto(f"/?{urlencode({'return_to': f'/?tab=1{fragment}'})}")
        expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()
        page.get_by_role("link", name="Continue").click()
        page.wait_for_url("**/?tab=1")
        expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()
        assert page.evaluate("location.hash") == ""
    assert (sent, session_cookies(page), user_id(page)) == ([], before, ALICE)


def test_launch_that_comes_to_an_open_page(page: Page) -> None:
    """A link that differs in the fragment alone is asked about as if the page were new."""
    page.goto("/")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    sent = logins(page)
    page.evaluate("(fragment) => { location.hash = fragment; }", launch(page, BOBBY))
    expect(page.get_by_role("heading", name="Open this Mini App session?")).to_be_visible()
    assert sent == []
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def test_another_launch_in_an_open_mini_app(page: Page) -> None:
    """So is one that comes to a Mini App: nobody stays logged in under another's launch."""
    page.add_init_script(ANDROID)
    page.goto(f"/{launch(page, ALICE)}")
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    page.evaluate("(fragment) => { location.hash = fragment; }", launch(page, BOBBY))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading")).to_have_text('<b>"Bobby"</b> O\'Tables & Co')


@pytest.mark.parametrize("before", ["", "x=1&"])
def test_result_that_comes_to_an_open_page(page: Page, before: str) -> None:
    """Telegram's answer is taken out of the address, and counts with this browser's state alone."""
    log_in(page)
    cookies = session_cookies(page)
    planted = f"{before}tgAuthResult={tg_auth_result(proof(page, BOBBY))}"
    page.evaluate("(fragment) => { location.hash = fragment; }", planted)
    expect(page.get_by_role("alert")).to_contain_text("This login did not start here")
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    assert "tgAuthResult" not in page.url
    assert (session_cookies(page), user_id(page)) == (cookies, ALICE)


def test_own_result_that_comes_to_an_open_page(page: Page) -> None:
    """With this browser's state in the address the login is finished."""
    state = begin(page)["state"]
    page.goto("/")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    page.evaluate("(query) => history.replaceState(null, '', query)", f"/?state={state}")
    result = tg_auth_result(proof(page, ALICE))
    page.evaluate("(result) => { location.hash = `tgAuthResult=${result}`; }", result)
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    assert page.url.endswith("/")


@pytest.mark.parametrize("fragment", ["x", "tgAuthResults=x", "a=tgWebAppData", "xtgWebAppData=x", ""])
def test_other_fragments_leave_the_page_alone(page: Page, fragment: str) -> None:
    """What is no login does not reload the page."""
    page.goto("/#first")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    page.evaluate("window.still = true")
    page.evaluate("(fragment) => { location.hash = fragment; }", fragment)
    page.wait_for_timeout(300)
    assert page.evaluate("window.still") is True
