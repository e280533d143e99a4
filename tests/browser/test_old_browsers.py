"""Browsers that lack something: the oldest ones can do everything, and older ones are told so."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from dev.browsers.check import install_linters, listed
from dev.npm import MissingTool
from dev.serve.process import Server, running
from tests.browser.clients import IOS
from tests.browser.conftest import OpenPage
from tests.browser.steps import ALICE, BOBBY, log_in, pick, proof, start, user_id, widget_link
from tests.contract.tools import lacks

pytestmark = pytest.mark.browser

CASES = Path(__file__).parents[1] / "cases/telegram"
TOO_OLD = "This browser is too old for this page."
INCOMPLETE = "This page did not load completely."
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/89.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 15_0 like Mac OS X) Version/15.0 Mobile/15E148 Safari/604.1"
PAGES = ["/", "/confirm.html", "/relay.html", "/devices.html"]

TAKE_AWAY = """((paths) => {
  // Members first, while what they are members of can be found.
  for (const path of paths.reverse()) {
    const owners = path.split(".");
    const name = owners.pop();
    const owner = owners.reduce((found, key) => found?.[key], window);
    if (owner) delete owner[name];
  }
})"""


EARLY_CLICK = """(button) => {
  dispatchEvent(new Event("focus"));
  button.click();
  return [button.getAttribute("aria-disabled"), button.disabled];
}"""


@pytest.fixture(scope="module")
def interfaces() -> dict[str, list[str]]:
    """What browsers may lack, by MDN's data; or a skip that says what is missing."""
    try:
        install_linters()
    except MissingTool as missing:
        lacks(missing)
    return listed()


@contextmanager
def lacking(browser: Browser, server: Server, script: str) -> Iterator[Page]:
    """A page of a browser that lacks what the script takes away; unlike open_page's, it may complain."""
    with browser.new_context(base_url=server.origin, locale="en-US") as context:
        context.set_default_timeout(10_000)
        context.add_init_script(script)
        yield context.new_page()


@pytest.mark.whole_browser
def test_the_oldest_browsers_can_do_everything(open_page: OpenPage, interfaces: dict[str, list[str]]) -> None:
    """Without anything newer than the oldest browsers, people log in, end a session, confirm, log out."""
    newer = interfaces["newer"]
    assert {"Object.hasOwn", "Intl.Segmenter", "Element.prototype.ariaDisabled"} < set(newer)
    with running(store="upstash") as server:
        page = open_page(base_url=server.origin, user_agent=WINDOWS)
        page.add_init_script(f"{TAKE_AWAY}({json.dumps(newer)})")
        log_in(page)
        lacked = "[Object.hasOwn, Intl.Segmenter, AbortSignal.timeout, document.body.ariaDisabled]"
        assert page.evaluate(lacked) == [None] * 4
        other = open_page(base_url=server.origin, user_agent=IPHONE)
        log_in(other)

        page.get_by_role("link", name="Where you are logged in").click()
        page.get_by_role("button", name="End Safari on iPhone").click()
        page.get_by_role("alertdialog").get_by_role("button", name="End session").click()
        expect(page.get_by_text("You are logged in nowhere else.")).to_be_visible()
        assert user_id(other) is None

        page.goto(widget_link(proof(page, BOBBY)))
        button = page.get_by_role("button", name="Log in")
        expect(button).to_be_enabled()
        # Before somebody can have read the question, a click is not an answer.
        assert button.evaluate(EARLY_CLICK) == ["true", False]
        button.click()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("button", name="Log in with Telegram")).to_be_focused()


def outcome(page: Page, path: str, done: str) -> str:
    """Open the path and wait for what the page comes to: `done`, a selector, or the sentence."""
    page.goto(path)
    # What else it can come to is named, too, so that a failure comes at once.
    page.locator(f"{done}, #loading > .line, #notice").locator("visible=true").first.wait_for()
    return page.locator("main").inner_text()


def test_without_one_interface(browser: Browser, server: Server, interfaces: dict[str, list[str]]) -> None:
    """Whichever interface that pages use is missing: a login works, or the page calls the browser too old."""
    named: dict[str, list[str]] = {}
    for path in interfaces["used"]:
        named.setdefault(path.rpartition(".")[2], []).append(path)
    assert {"AbortController", "replaceChildren", "showModal", "RelativeTimeFormat"} <= named.keys()
    worked, told = [], []
    for name, paths in named.items():
        with lacking(browser, server, f"{TAKE_AWAY}({json.dumps(paths)})") as page:
            shown = outcome(page, "/", "#login-button")
            if TOO_OLD in shown:
                told.append(name)
                continue
            start(page)
            pick(page, "Alice")
            expect(page.get_by_role("button", name="Log out")).to_be_visible()
            shown = outcome(page, "/devices.html", "#list")
            assert TOO_OLD in shown or "Where you are logged in" in shown, (name, shown)
            worked.append(name)
    assert told == ["AbortController"]
    assert len(worked) == len(named) - 1


@pytest.mark.parametrize("case", sorted(CASES.glob("0[13]-*.json")), ids=lambda path: path.stem)
def test_case(open_page: OpenPage, case: Path) -> None:
    """In a browser that people had trouble with, they see the login page, log in, and see their account."""
    given: dict[str, Any] = json.loads(case.read_text("utf-8"))
    page = open_page()
    page.add_init_script(given["init_script"])
    page.goto(given["open"])
    start(page)
    pick(page, "Alice")
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.goto(f"/confirm.html#{urlencode(proof(page, ALICE))}")
    expect(page.get_by_role("heading", name="Log in to localhost as Alice")).to_be_visible()


def test_a_question_without_dialog(open_page: OpenPage) -> None:
    """Without <dialog> the question stands alone and is answered by the keyboard; Escape takes it back."""
    page = open_page(user_agent=WINDOWS)
    methods = [f"HTMLDialogElement.prototype.{name}" for name in ("showModal", "close")]
    page.add_init_script(f"{TAKE_AWAY}({json.dumps(methods)})")
    log_in(page)
    page.goto("/devices.html")
    opener = page.get_by_role("button", name="Log out Chrome on Windows")
    opener.press("Enter")
    question = page.get_by_role("alertdialog", name="Log out on this device?")
    expect(question).to_contain_text("Your other sessions go on.")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    # Nothing else can be reached, by Tab or by a screen reader.
    expect(page.get_by_role("button")).to_have_count(2)
    expect(page.get_by_role("link")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(opener).to_be_focused()

    opener.press("Enter")
    page.keyboard.press("Enter")
    expect(question).to_be_hidden()
    expect(page.get_by_role("link", name="Русский")).to_be_visible()
    opener.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="You are logged out.")).to_be_focused()


def serve_scripts(page: Page, body: str) -> None:
    """Have every module be this."""
    page.route(
        re.compile(r"/(?!old-browser)[\w-]+\.js$"),
        lambda route: route.fulfill(content_type="text/javascript", body=body),
    )


@pytest.mark.parametrize(
    ("path", "script", "modules"),
    [
        *((path, "", "const =") for path in PAGES),
        ("/", "", "nothing()"),
        ("/", "", "await 1; nothing()"),
        ("/", "delete HTMLScriptElement.prototype.noModule", ""),
        ("/", "delete window.AbortController", None),
    ],
)
def test_too_old(browser: Browser, server: Server, path: str, script: str, modules: str | None) -> None:
    """Where a page's modules cannot run, it says in both languages that the browser is too old."""
    with lacking(browser, server, script) as page:
        if modules is not None:
            serve_scripts(page, modules)
        page.goto(path)
        english, russian = page.get_by_role("status").locator("[lang]").all()
        expect(english).to_have_text(f"{TOO_OLD} Please update it, or open the page in another one.")
        expect(russian).to_contain_text("Этот браузер слишком старый для этой страницы.")
        assert "Loading" not in page.locator("main").inner_text()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/error.html?code=login_stale", "Something went wrong"),
        ("/nothing", "nothing here"),
    ],
)
def test_error_pages_say_something_without_scripts(
    browser: Browser, server: Server, path: str, shown: str
) -> None:
    """Where their scripts cannot run, the error pages have a text and a way to the login page."""
    with lacking(browser, server, "") as page:
        serve_scripts(page, "const =")
        page.goto(path)
        expect(page.get_by_role("heading")).to_contain_text(shown)
        expect(page.locator("main a")).to_have_attribute("href", "/")


@pytest.mark.parametrize(("path", "lost"), [("/", "i18n.js"), ("/#tgWebAppData=x", "pause.js")])
def test_what_the_network_lost(browser: Browser, server: Server, path: str, lost: str) -> None:
    """A module that does not come is the connection's fault and not the browser's."""
    with lacking(browser, server, "") as page:
        page.route(f"**/{lost}", lambda route: route.abort())
        page.goto(path)
        expect(page.get_by_role("status").first).to_contain_text(f"{INCOMPLETE} Check your connection")
        expect(page.get_by_role("status").first).to_contain_text("Проверьте подключение")


def test_a_client_that_cannot_be_asked(browser: Browser, server: Server) -> None:
    """Where the module that asks Telegram's client does not come, the page asks the person."""
    with lacking(browser, server, IOS) as page:
        page.route("**/inside.js", lambda route: route.abort())
        page.goto("/#tgWebAppData=x")
        expect(page.get_by_role("heading", name="Open this Mini App session?")).to_be_visible()


def test_what_others_throw(browser: Browser, server: Server) -> None:
    """Neither an error in an extension's script nor one that comes later makes a page say so."""
    with lacking(browser, server, "") as page:
        page.route("**/telegram/verify", lambda _: None)
        page.goto("/", wait_until="commit")
        expect(page.get_by_text("Loading…")).to_be_visible()
        foreign = '{ error: new TypeError("x"), filename: "chrome-extension://x/a.js" }'
        page.evaluate(f"dispatchEvent(new ErrorEvent('error', {foreign}))")
        page.evaluate(
            "Promise.reject(Object.assign(new TypeError('x'), { stack: 'chrome-extension://x/a.js' })), 0"
        )
        expect(page.get_by_text("Loading…")).to_be_visible()
        page.unroute_all()
        page.goto("/?")
        expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
        page.evaluate("setTimeout(() => nothing())")
        page.evaluate("new Promise((done) => setTimeout(done, 50))")
        assert TOO_OLD not in page.locator("main").inner_text()
