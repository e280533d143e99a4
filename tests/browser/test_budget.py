"""What the pages ask of a browser: few bytes, nothing that jumps, nobody else's server, no complaint."""

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Page, Request, expect

from dev.serve.process import Server
from tests.browser.conftest import OpenPage
from tests.browser.states import STATES, show
from tests.browser.steps import ALICE, pick, proof, start

pytestmark = pytest.mark.browser

LOGIN_PAGE = 30 * 1024

WATCH = """
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const { value, sources } of list.getEntries()) {
        shifts.push([value, sources.map(({ node }) => node?.id || node?.nodeName)]);
      }
    }).observe({ type: "layout-shift", buffered: true });
    addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
"""


@pytest.fixture
def watched(open_page: OpenPage) -> Callable[..., tuple[Page, list[str]]]:
    """A page that notes what moves and what its policy forbids, and the origins that it asks."""

    def make(**options: object) -> tuple[Page, list[str]]:
        page = open_page(**options)
        page.add_init_script(WATCH)
        asked: list[str] = []

        def note(request: Request) -> None:
            url = urlsplit(request.url)
            if url.scheme not in ("about", "data"):
                asked.append(f"{url.scheme}://{url.netloc}")

        page.context.on("request", note)
        return page, asked

    return make


def shifts(page: Page) -> list[object]:
    """What moved, once two frames have been drawn."""
    found: list[object] = page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(shifts))))"
    )
    return found


@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
@pytest.mark.parametrize("name", ["login", "account"])
def test_the_login_page_is_small(open_page: OpenPage, name: str, locale: str) -> None:
    """All that the login page loads, headers too, as it comes over the network, is 30 KB at most."""
    page = open_page(locale=locale)
    loaded: dict[str, int] = {}

    def note(request: Request) -> None:
        path = urlsplit(request.url).path
        if not path.startswith(("/telegram/", "/_telegram/")) and request.url.startswith("http"):
            sizes = request.sizes()
            loaded[path] = sizes["responseHeadersSize"] + sizes["responseBodySize"]

    page.on("requestfinished", note)
    show(page, STATES[name])
    page.wait_for_load_state("networkidle")
    assert {"/", "/style.css", "/app.js", "/favicon.svg"} <= loaded.keys()
    assert sum(loaded.values()) <= LOGIN_PAGE, loaded


def test_error_texts_come_when_there_is_an_error(page: Page) -> None:
    """The login page loads what it says about errors for those who meet one."""
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(urlsplit(request.url).path))
    show(page, STATES["login"])
    page.wait_for_load_state("networkidle")
    assert "/texts-problems.js" not in loaded
    show(page, STATES["login-cancelled"])
    expect(page.get_by_role("alert")).to_contain_text("No harm done")
    assert "/texts-problems.js" in loaded


def test_error_without_a_connection(open_page: OpenPage) -> None:
    """Where the error's text cannot be had either, the page says that there is no connection."""
    page = open_page(locale="ru-RU")
    page.add_init_script("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
    # Something that is no module, in place of nothing at all: that would be in the console.
    page.route(
        "**/texts-problems.js", lambda route: route.fulfill(content_type="text/javascript", body="throw 1")
    )
    page.goto("/")
    expect(page.get_by_role("alert")).to_contain_text("Нет связи")


@pytest.mark.parametrize(
    "options",
    [{}, {"locale": "ru-RU", "viewport": {"width": 320, "height": 568}, "color_scheme": "dark"}],
    ids=["en-wide", "ru-narrow"],
)
def test_nothing_jumps(
    watched: Callable[..., tuple[Page, list[str]]], options: dict[str, object], server: Server
) -> None:
    """No view moves while it comes, complains, or asks another server for anything."""
    page, asked = watched(**options)
    for name, state in STATES.items():
        show(page, state)
        assert shifts(page) == [], name
    assert set(asked) == {server.origin}


def by_link(page: Page) -> None:
    page.goto(f"/confirm.html#{urlencode(proof(page, ALICE))}")
    page.get_by_role("button", name="Log in").click()


def by_mini_app(page: Page) -> None:
    page.goto("/_telegram/")
    page.get_by_role("link", name="Open as Mini App").first.click()
    page.get_by_role("button", name="Continue").click()


def after_cancelling(page: Page) -> None:
    page.goto("/")
    start(page)
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Try again").click()
    start(page)
    pick(page, "Alice")


WAYS = [by_link, by_mini_app, after_cancelling]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_way_in_complains(
    watched: Callable[..., tuple[Page, list[str]]], way: Callable[[Page], None], server: Server
) -> None:
    """Logging in and out by every way asks this site alone, moves nothing, and leaves the console empty."""
    page, asked = watched()
    way(page)
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    assert shifts(page) == []
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status").last).to_have_text("You are logged out.")
    assert set(asked) == {server.origin}
