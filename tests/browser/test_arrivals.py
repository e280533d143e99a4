"""What a link can do to the login page by its `return_to` and its fragment."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from dev.serve.process import Server
from dev.telegram.signing import tg_auth_result
from tests.browser.clients import ANDROID
from tests.browser.steps import (
    ALICE,
    BOBBY,
    begin,
    cookie_login,
    launch,
    posts,
    proof,
    session_cookies,
    user_id,
)

pytestmark = pytest.mark.browser

ELSEWHERE = [
    "//a.example/nothing",
    "///a.example/nothing",
    "/\\a.example/nothing",
    "\\/a.example/nothing",
    "\\\\a.example/nothing",
    "/\t/a.example/nothing",
    "\t//a.example/nothing",
    "{origin}//a.example/",
    "/nothing//a.example",
    "/.//a.example",
    "/nothing/..//a.example",
    "http://alice@{host}/nothing",
    "http://alice:secret@{host}/nothing",
    "http://:secret@{host}/nothing",
    "//alice@{host}/nothing",
    "https://{host}/nothing",
    "https://a.example/nothing",
    "https:a.example/nothing",
    "https://localhost@a.example/nothing",
    "http://localhost.a.example/nothing",
    "http://127.0.0.1:{port}/nothing",
    "http://{host}0/nothing",
    "http://localhost/nothing",
    "http://",
    "/telegram/start",
    "/telegram/login?id=1",
    "/TELEGRAM/start",
    "/api/telegram/start",
    "/nothing/../telegram/start",
    "telegram/start",
    "javascript:alert(1)",
    "JavaScript:alert(document.domain)//http://localhost/",
    "data:text/html,<script>alert(1)</script>",
    "blob:{origin}/1b671a64-40d5-491e-99b0-da01ff1f3341",
    "filesystem:{origin}/temporary/x",
    "about:blank",
    "",
    "/",
    "/#tgWebAppData=x",
]
"""Another host, this one with more than that, a script, a login, or the login page itself."""

HERE = [
    "/nothing",
    "{origin}/nothing",
    "//{host}/nothing",
    "nothing",
    "/nothing#tgWebAppData=x",
    "/x/../nothing",
    "/\tnothing",
]

DESTINATIONS = """async (queries) => {
  const { destination } = await import("/destination.js");
  return queries.map((query) => {
    history.replaceState(null, "", query);
    return destination()?.href ?? null;
  });
}"""


def test_destinations(page: Page, server: Server) -> None:
    """A page of this site is one, however it is spelt, without any fragment; of two, neither is."""
    known = {"host": f"localhost:{server.port}", "port": server.port, "origin": server.origin}
    queries = [urlencode({"return_to": asked.format(**known)}) for asked in (*ELSEWHERE, *HERE)]
    page.goto("/")
    found = page.evaluate(DESTINATIONS, [f"?{query}" for query in queries])
    expected = {**dict.fromkeys(ELSEWHERE), **dict.fromkeys(HERE, f"{server.origin}/nothing")}
    assert dict(zip((*ELSEWHERE, *HERE), found, strict=True)) == expected
    twice = "?return_to=/nothing&return_to=/nothing"
    assert page.evaluate(DESTINATIONS, [twice, "?"]) == [None, None]


def test_launch_that_comes_to_an_open_page(page: Page) -> None:
    """A link that differs in the fragment alone is asked about as if the page were new."""
    page.goto("/")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    sent = posts(page)
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


def test_result_that_comes_to_an_open_page(page: Page) -> None:
    """Telegram's answer is taken out of the address, and counts with this browser's state alone."""
    cookie_login(page)
    page.goto("/")
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    cookies = session_cookies(page)
    planted = f"x=1&tgAuthResult={tg_auth_result(proof(page, BOBBY))}"
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


def test_other_fragments_leave_the_page_alone(page: Page) -> None:
    """What is no login does not reload the page."""
    page.goto("/#first")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    page.evaluate("window.still = true")
    for fragment in ("x", "tgAuthResults=x", "a=tgWebAppData", "xtgWebAppData=x", ""):
        page.evaluate("(fragment) => { location.hash = fragment; }", fragment)
    page.wait_for_timeout(300)
    assert page.evaluate("window.still") is True
