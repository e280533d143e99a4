"""The pages as people meet them: language, colours, width, and the page that explains errors."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import LONG_NAME, log_in, proof

pytestmark = pytest.mark.browser

MONTHS = "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря"
SMALL = {"width": 320, "height": 568}
PHOTOS = Path(__file__).parents[1] / "cases/telegram/05-photo-on-cdn-telegram-org.json"
SHOWN = """(address) => new Promise((done) => {
  const photo = new Image();
  photo.onload = () => done(true);
  photo.onerror = () => done(false);
  photo.src = address;
})"""
QUESTION = f"/confirm.html#id=1&first_name=A&auth_date=1&hash={'0' * 64}"


def test_russian_browser(open_page: Any) -> None:
    """A browser that prefers Russian gets the page in Russian, names of months included."""
    page = open_page(locale="ru-RU")
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    page.get_by_role("button", name="Войти через Telegram").click()
    page.get_by_role("link", name="Log in as Мария").click()
    expect(page.get_by_text("Вход через Telegram", exact=True)).to_be_visible()
    expect(page.locator("#expires")).to_have_text(re.compile(rf"\d+ ({MONTHS}) \d{{4}}"))
    page.get_by_role("button", name="Выйти").click()
    expect(page.get_by_role("status")).to_have_text("Вы вышли.")


def test_chosen_language_lasts_through_telegram(page: Page) -> None:
    """A language picked on the page is still there after the way through Telegram."""
    page.goto("/")
    page.get_by_role("link", name="Русский").click()
    page.get_by_role("button", name="Войти через Telegram").click()
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading")).to_have_text("Вход отменён")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading")).to_have_text("Login cancelled")


def test_dark_and_narrow(open_page: Any) -> None:
    """On a small dark phone nothing scrolls sideways, however long a name is, and the page is dark."""
    page = open_page(viewport=SMALL, color_scheme="dark", locale="ru-RU")
    long_name = page.request.get("/_telegram/init_data?user=7000000006").json()["init_data"]
    for target, shown in (
        ("/", "#login"),
        ("/#tgAuthResult=ZmFsc2U", "#notice"),
        (f"/confirm.html#{urlencode(proof(page, LONG_NAME))}", "#question"),
        ("/confirm.html", "#refusal"),
        (f"/#tgWebAppData={quote(long_name, safe='')}", "#question"),
        ("/error.html?code=misconfigured", "#advice"),
        (f"/error.html?code=internal&reference={'x' * 128}", "#reference"),
        ("/nothing", "#advice"),
        ("/_telegram/", "h1"),
    ):
        page.goto("about:blank")
        page.goto(target)
        expect(page.locator(shown)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == SMALL["width"], target
        if "tgWebAppData" in target:
            page.locator("#continue-button").click()
            expect(page.locator("#account")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") == SMALL["width"], "account"
    page.goto("/error.html")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 22, 28)"


@pytest.mark.parametrize(
    ("locale", "heading", "title"),
    [("en-US", "Log in to localhost", "Log in"), ("ru-RU", "Вход на localhost", "Вход")],
)
def test_page_says_where_one_logs_in(open_page: Any, locale: str, heading: str, title: str) -> None:
    """The heading and the tab name the site, not the software that it runs."""
    page = open_page(locale=locale)
    page.goto("/")
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    assert page.title() == f"{title} · localhost"
    assert "tgauth" not in page.locator("body").inner_text()


@pytest.mark.parametrize(
    ("target", "word"),
    [("/", "и"), ("/#tgWebAppData=x", "В"), ("/nothing", "в"), (QUESTION, "в")],
)
def test_no_russian_line_ends_in_a_lone_letter(open_page: Any, target: str, word: str) -> None:
    """A Russian word of one letter is tied to the next word."""
    page = open_page(locale="ru-RU")
    page.goto(target)
    expect(page.locator("h1:visible")).to_be_visible()
    shown = page.locator("main").inner_text()
    assert re.search(rf"\b{word}\u00a0", shown)
    assert re.findall(r"\b[а-яё] \w+", shown, re.IGNORECASE) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/?state=x#tgAuthResult=ZmFsc2U", "#simulation"),
        (QUESTION, "#replaces"),
        ("/confirm.html", "#refusal"),
        ("/error.html?code=internal&reference=x", "#reference"),
    ],
)
def test_text_has_contrast(open_page: Any, target: str, shown: str, scheme: str) -> None:
    """Every text on the page stands out from what is behind it by the 4.5 : 1 that WCAG AA asks for."""
    page = open_page(color_scheme=scheme)
    if shown == "#replaces":
        log_in(page)
    page.goto(target)
    expect(page.locator(shown)).to_be_visible()
    low = page.evaluate(
        """() => {
          const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
          const light = (colour) => rgb(colour).slice(0, 3)
            .map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
          const behind = (e) => {
            const colour = getComputedStyle(e).backgroundColor;
            return (rgb(colour)[3] ?? 1) > 0 ? colour : behind(e.parentElement);
          };
          const hasText = (e) => [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
          const texts = [...document.querySelectorAll("body *")]
            .filter((e) => e.checkVisibility() && hasText(e));
          if (texts.length < 5) return ["too few texts"];
          return texts.map((e) => {
            const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
            return [e.textContent, (a + 0.05) / (b + 0.05)];
          }).filter(([, ratio]) => ratio < 4.5);
        }"""
    )
    assert low == []


def test_error_page_explains_a_code(page: Page) -> None:
    """A known code gets its own title and advice, and a way back to the login page."""
    page.goto("/error.html?code=login_stale")
    expect(page.get_by_role("heading")).to_have_text("This login has expired")
    assert page.title() == "This login has expired · localhost"
    page.get_by_role("link", name="Русский").click()
    expect(page.get_by_role("heading")).to_have_text("Этот вход устарел")
    page.get_by_role("link", name="Попробовать ещё раз").click()
    expect(page.get_by_role("button", name="Войти через Telegram")).to_be_visible()


@pytest.mark.parametrize("code", ["<b>planted</b>", "planted", "toString", "__proto__", ""])
def test_error_page_reflects_nothing(page: Page, code: str) -> None:
    """An unknown code gets the general text, and nothing of the address appears on the page."""
    page.goto(f"/error.html?code={quote(code)}&detail=planted")
    expect(page.get_by_role("heading")).to_have_text("Something went wrong")
    assert "planted" not in page.locator("body").inner_text()


@pytest.mark.parametrize("reference", ["dev1::5f2a7c-1795383134000-9d8e", "A.z_0:-", "x" * 128])
def test_error_page_has_the_reference(page: Page, reference: str) -> None:
    """The request's id, by which the owner finds it in the log, is there to be passed on."""
    page.goto(f"/error.html?code=internal&reference={reference}")
    expect(page.get_by_text(f"Reference: {reference}", exact=True)).to_be_visible()
    page.get_by_role("link", name="Русский").click()
    expect(page.get_by_text(f"Номер обращения: {reference}", exact=True)).to_be_visible()


@pytest.mark.parametrize(
    "reference",
    ["", "x" * 129, "two words", "planted<b>", "тест", "a\nb", "a/b", "call%20+1", "a&reference=b c"],
)
def test_what_is_no_reference_is_not_shown(page: Page, reference: str) -> None:
    """No other text gets onto the page by its address."""
    page.goto(f"/error.html?code=internal&reference={quote(reference)}")
    expect(page.get_by_role("heading")).to_have_text("Something broke on our side")
    expect(page.get_by_text("Reference:")).to_be_hidden()


def test_errors_of_the_api_lead_to_the_page(page: Page) -> None:
    """A browser that goes to an address of the API is shown the problem, with the request's id."""
    page.goto("/telegram/callback?code=x&state=x")
    expect(page.get_by_role("heading")).to_have_text("This login was not accepted")
    expect(page.get_by_text("Reference: dev1::")).to_be_visible()
    assert page.title() == "This login was not accepted · localhost"


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


@pytest.mark.parametrize("path", ["/api", "/api/nothing"])
def test_unknown_function_is_no_page(page: Page, path: str) -> None:
    """Below /api, where programs ask, nothing of that kind is shown."""
    answer = page.request.get(path)
    assert answer.status == 404
    assert "<html" not in answer.text()


@pytest.mark.parametrize("path", ["/", "/devices.html"])
def test_photos_of_telegrams_hosts(page: Page, path: str) -> None:
    """People's photos load from each host where Telegram keeps them, also where t.me redirects there."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg"/>'
    log_in(page)
    page.goto(path)
    addresses = json.loads(PHOTOS.read_text(encoding="utf-8"))["urls"]
    # A policy looks at every address of a redirect, and Playwright answers the first alone.
    for address in [address for case in addresses for address in case.split(" -> 302 ")]:
        page.route(address, lambda route: route.fulfill(content_type="image/svg+xml", body=svg))
        assert page.evaluate(SHOWN, address), address
