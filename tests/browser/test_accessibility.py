"""Every page for everybody: with a keyboard, a screen reader, large text, few colours, in both languages."""

import re
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from dev.serve.process import Server
from tests.browser.conftest import OpenPage
from tests.browser.states import STATES, show
from tests.browser.steps import trouble

pytestmark = pytest.mark.browser

AXE = Path(str(distribution("axe-playwright-python").locate_file("axe_playwright_python/axe.min.js")))
NARROW, WIDE = {"width": 320, "height": 568}, {"width": 1280, "height": 800}

# What can be reached with Tab; a dialog that is open has everything else out of reach.
REACHABLE = """[...(document.querySelector("dialog[open]") ?? document).querySelectorAll("a[href], button")]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled)"""

# What does not fit and is not shown in full; a person's name may be cut, which says so with three dots.
CUT = """[...document.querySelectorAll("main *, footer *")]
    .filter((element) => element.checkVisibility() && !element.matches(".person, .visually-hidden"))
    .filter((element) => element.scrollWidth > element.clientWidth + 1)
    .filter((element) => getComputedStyle(element).overflowX !== "visible")
    .map((element) => element.outerHTML)"""


@pytest.fixture(scope="module", params=["en", "ru"])
def reader(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[tuple[Page, str]]:
    """A page in one of the languages, and that language; the tests of this module share it."""
    with browser.new_context(base_url=server.origin, locale=request.param) as context:
        context.set_default_timeout(10_000)
        yield context.new_page(), request.param


@pytest.fixture(params=STATES)
def shown(request: pytest.FixtureRequest, reader: tuple[Page, str]) -> tuple[Page, str]:
    """One of the views, in that page."""
    page, language = reader
    page.set_viewport_size(NARROW)
    show(page, STATES[request.param])
    return page, language


def violations(page: Page, *rules: str) -> list[Any]:
    """What axe-core finds by these of its rules, or by all, and on which elements."""
    found: list[Any] = page.evaluate(
        """async (rules) => (await axe.run(rules.length ? { runOnly: rules } : {})).violations
            .map(({ id, nodes }) => [id, nodes.map((node) => node.target.join(" "))])""",
        rules,
    )
    return found


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wider


def test_each_view(shown: tuple[Page, str]) -> None:
    """Nothing that axe-core knows to be wrong, light, dark, narrow or wide; it fits, with large text too."""
    page, language = shown
    assert page.locator("html").get_attribute("lang") == language
    # A Russian word of one letter is tied to the next word.
    assert re.findall(r"\b[а-яё] [^\W\d]+", page.locator("main").inner_text(), re.IGNORECASE) == []
    # Not by a script element, which the pages' policy forbids.
    page.evaluate(AXE.read_text("utf-8"))
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme="light")
        assert violations(page) == [], size
        page.emulate_media(color_scheme="dark")
        # All else is the same in the dark.
        assert violations(page, "color-contrast") == [], (size, "dark")
        assert overflow(page) == 0, size
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    for size in (WIDE, NARROW):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert overflow(page) == 0, ("large text", size)
        assert page.evaluate(CUT) == [], ("large text", size)


@pytest.mark.parametrize("reader", ["en"], indirect=True)
def test_each_views_keyboard(shown: tuple[Page, str]) -> None:
    """Tab goes through all that can be pressed, in its order, and shows where it is; all is big enough."""
    page, _ = shown
    small = page.evaluate(
        f"""() => {REACHABLE}.filter((element) => {{
            const {{ width, height }} = element.getBoundingClientRect();
            return width < 24 || height < 24;
        }}).map((element) => element.outerHTML)"""
    )
    assert small == []
    # Where everything fits: what scrolls can be reached, too.
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    # A question says of its buttons that they take no click in its first moment, which ends meanwhile.
    markup = 'outerHTML.replace(` aria-disabled="true"`, "")'
    order = page.evaluate(f"() => {REACHABLE}.map((element) => element.{markup})")
    assert order
    # From the last to the first, wherever the page has put the focus.
    page.evaluate(f"() => {REACHABLE}.at(-1).focus()")
    page.keyboard.press("Tab")
    if page.evaluate(f"!{REACHABLE}.includes(document.activeElement)"):
        # The browser's own controls come between the last and the first.
        page.keyboard.press("Tab")
    reached = []
    for _ in order:
        outline = page.evaluate(
            "[getComputedStyle(document.activeElement)].map((s) => `${s.outlineStyle} ${s.outlineWidth}`)[0]"
        )
        assert outline == "solid 3px"
        reached.append(page.evaluate(f"document.activeElement.{markup}"))
        page.keyboard.press("Tab")
    assert reached == order


@pytest.mark.parametrize("name", ["account", "devices-asked", "relay", "login-cancelled"])
def test_few_colours(open_page: OpenPage, name: str) -> None:
    """With colours of the reader's own, what can be pressed has a border, and the focus an outline."""
    page = open_page(forced_colors="active")
    show(page, STATES[name])
    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    borders = page.evaluate(
        f"""() => {REACHABLE}.filter((element) => element.matches(".button")).map((element) => {{
            const {{ borderTop, borderTopColor, backgroundColor }} = getComputedStyle(element);
            return [borderTop.startsWith("1px solid "), borderTopColor !== backgroundColor];
        }})"""
    )
    assert borders
    assert all(border == [True, True] for border in borders)


@pytest.mark.parametrize(("motion", "turning"), [("no-preference", True), ("reduce", False)])
def test_motion(open_page: OpenPage, motion: str, turning: bool) -> None:
    """While the page waits something turns, unless the reader wants nothing to move."""
    page = open_page(reduced_motion=motion)
    held: list[Route] = []
    page.route("**/telegram/verify", lambda route: held.append(route))
    page.goto("/")
    expect(page.locator("#loading")).to_be_visible()
    moving = page.evaluate(
        "document.getAnimations().some((animation) => animation.effect.getTiming().iterations === Infinity)"
    )
    assert moving is turning
    held[0].continue_()
    expect(page.locator("#login")).to_be_visible()


@pytest.mark.parametrize(
    ("locale", "asked", "said"), [("ru-RU", "en", "en"), ("en-US", "ru", "ru"), ("ru-RU", "de", "ru")]
)
def test_asked_language(open_page: OpenPage, locale: str, asked: str, said: str) -> None:
    """A language in the address that the pages have wins over the browser's, and <html lang> is true."""
    page = open_page(locale=locale)
    trouble(page, "verify", 503, "internal")
    for path in ("/", "/confirm.html", "/relay.html", "/devices.html", "/error.html", "/nothing"):
        page.goto(f"{path}?lang={asked}")
        expect(page.locator("html")).to_have_attribute("lang", said)
        expect(page.locator("h1:visible, #notice h2:visible").first).to_be_visible()
        assert bool(re.search("[а-я]", page.locator("main").inner_text())) is (said == "ru")
        expect(page.locator(f"footer a[hreflang={said}]")).to_have_attribute("aria-current", "true")


def test_languages_of_the_browser(page: Page) -> None:
    """The first of the browser's languages that the pages have is theirs; without any it is English."""
    for languages, said in ((["de", "ru-UA", "en"], "ru"), (["de", "fr"], "en"), (["en-GB", "ru"], "en")):
        # Each script is for what this page loads from then on, and comes after those before it.
        page.add_init_script(
            f"Object.defineProperty(navigator, 'languages', {{ value: {languages}, configurable: true }})"
        )
        page.goto("/error.html")
        expect(page.locator("html")).to_have_attribute("lang", said)
