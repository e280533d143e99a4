"""The pages as people meet them: language, colours, width, and the page that explains errors."""

import json
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.browser

PHOTOS = Path(__file__).parents[1] / "cases/telegram/05-photo-on-cdn-telegram-org.json"
SHOWN = """(address) => new Promise((done) => {
  const photo = new Image();
  photo.onload = () => done(true);
  photo.onerror = () => done(false);
  photo.src = address;
})"""


def test_chosen_language_lasts_through_telegram(page: Page) -> None:
    """A language picked on the page is still there after the way through Telegram."""
    page.goto("/")
    page.get_by_role("link", name="Русский").click()
    page.get_by_role("button", name="Войти через Telegram").click()
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading")).to_have_text("Вход отменён")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading")).to_have_text("Login cancelled")


def test_page_says_where_one_logs_in(page: Page) -> None:
    """The heading and the tab name the site, not the software that it runs."""
    page.goto("/")
    expect(page.get_by_role("heading", name="Log in to localhost")).to_be_visible()
    assert page.title() == "Log in · localhost"
    assert "tgauth" not in page.locator("body").inner_text()


def test_the_dark(open_page: OpenPage) -> None:
    """Where the system is dark, so are the pages."""
    page = open_page(color_scheme="dark")
    page.goto("/error.html")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 22, 28)"


def test_error_page_explains_a_code(page: Page) -> None:
    """A known code gets its own title and advice, and a way back to the login page."""
    page.goto("/error.html?code=login_stale")
    expect(page.get_by_role("heading")).to_have_text("This login has expired")
    assert page.title() == "This login has expired · localhost"
    page.get_by_role("link", name="Русский").click()
    expect(page.get_by_role("heading")).to_have_text("Этот вход устарел")
    page.get_by_role("link", name="Попробовать ещё раз").click()
    expect(page.get_by_role("button", name="Войти через Telegram")).to_be_visible()


def test_error_page_reflects_nothing(page: Page) -> None:
    """An unknown code gets the general text, and nothing of the address appears on the page."""
    for code in ("<b>planted</b>", "planted", "toString", "__proto__", ""):
        page.goto(f"/error.html?code={quote(code)}&detail=planted")
        expect(page.get_by_role("heading"), code).to_have_text("Something went wrong")
        assert "planted" not in page.locator("body").inner_text()


def test_error_page_has_the_reference(page: Page) -> None:
    """The request's id, by which the owner finds it in the log, is there to be passed on."""
    for reference in ("dev1::5f2a7c-1795383134000-9d8e", "A.z_0:-", "x" * 128):
        page.goto(f"/error.html?code=internal&reference={reference}")
        expect(page.get_by_text(f"Reference: {reference}", exact=True)).to_be_visible()


def test_what_is_no_reference_is_not_shown(page: Page) -> None:
    """No other text gets onto the page by its address."""
    for reference in ("", "x" * 129, "two words", "planted<b>", "тест", "a\nb", "a/b", "call%20+1"):
        page.goto(f"/error.html?code=internal&reference={quote(reference)}")
        expect(page.get_by_role("heading"), reference).to_have_text("Something broke on our side")
        expect(page.get_by_text("Reference:"), reference).to_be_hidden()


def test_unknown_address(page: Page) -> None:
    """An address where nothing is answers 404 with a page in the reader's language and a way to log in."""
    response = page.goto("/nothing/here?code=login_stale&reference=planted")
    assert response is not None
    assert response.status == 404
    expect(page.get_by_role("heading")).to_have_text("There is nothing here")
    assert "planted" not in page.locator("body").inner_text()
    page.get_by_role("link", name="Русский").click()
    expect(page.get_by_role("heading")).to_have_text("Здесь ничего нет")
    assert urlsplit(page.url).path == "/nothing/here"
    page.get_by_role("link", name="На страницу входа").click()
    expect(page.get_by_role("button", name="Войти через Telegram")).to_be_visible()


def test_photos_of_telegrams_hosts(page: Page) -> None:
    """People's photos load from each host where Telegram keeps them, also where t.me redirects there."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg"/>'
    page.goto("/")
    addresses = json.loads(PHOTOS.read_text(encoding="utf-8"))["urls"]
    # A policy looks at every address of a redirect, and Playwright answers the first alone.
    for address in [address for case in addresses for address in case.split(" -> 302 ")]:
        page.route(address, lambda route: route.fulfill(content_type="image/svg+xml", body=svg))
        assert page.evaluate(SHOWN, address), address
