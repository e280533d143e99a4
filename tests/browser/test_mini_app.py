"""The login page as a Mini App: opened by Telegram, or by a link that only looks like it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Route, expect

from dev.serve.process import Server
from tests.browser.clients import ANDROID, BROWSERS, IOS, WEB, telegram_web
from tests.browser.steps import ALICE, BOBBY, MARIA, MEI, cookie_login, launch, posts, trouble

pytestmark = pytest.mark.browser

LOGIN = "Log in with Telegram"
SITE = "https://example.com"
POLICY = "content-security-policy"
TESTS = Path(__file__).resolve().parents[1]


def launched(page: Page, user: int, **query: int) -> str:
    """The login page with the launch data of one of the simulated Telegram's users."""
    return f"/{launch(page, user, **query)}"


def case(name: str) -> dict[str, Any]:
    """What somebody ran into, and what they should have met."""
    found: dict[str, Any] = json.loads((TESTS / f"cases/telegram/{name}.json").read_text())
    return found


@pytest.mark.whole_browser
def test_inside_telegram(page: Page) -> None:
    """In Telegram a launch logs in by itself, and once: a reload uses the token that the tab keeps for it."""
    page.add_init_script(ANDROID)
    sent = posts(page)
    page.goto(launched(page, MARIA))
    expect(page.get_by_role("heading", name="Мария Соколова")).to_be_visible()
    expect(page.get_by_text("Logged in from the Mini App")).to_be_visible()
    # Its session is in no cookie, so that page could not show it.
    expect(page.get_by_role("link", name="Where you are logged in")).to_be_hidden()
    assert page.context.cookies() == []
    assert page.evaluate("[localStorage.length, Object.keys(sessionStorage)]") == [0, ["tgauth.launch"]]

    page.reload()
    expect(page.get_by_role("heading", name="Мария Соколова")).to_be_visible()
    assert len(sent) == 1
    # Another launch of the same person is another login.
    page.goto(launched(page, MARIA))
    expect(page.get_by_role("heading", name="Мария Соколова")).to_be_visible()
    assert len(sent) == 2


def test_a_launch_behind_a_route(page: Page) -> None:
    """Where the app's address has a fragment of its own, Telegram puts the launch data behind it."""
    page.add_init_script(IOS)
    route, _ = case("18-launch-behind-a-route")["open"].split("tgWebAppData=")
    page.goto(launched(page, MEI).replace("/#", route))
    expect(page.get_by_role("heading", name="Mei")).to_be_visible()


def serve(page: Page, server: Server, script: str | None = None, *, framable: bool = False) -> None:
    """Let the site be at an https address, with this inside.js, or with pages that anybody may frame."""

    def answer(route: Route) -> None:
        response = route.fetch(url=route.request.url.replace(SITE, server.origin))
        headers = {name: value for name, value in response.headers.items() if name != POLICY or not framable}
        body = script if urlsplit(route.request.url).path == "/inside.js" else None
        route.fulfill(response=response, headers=headers, **({"body": body} if body else {}))

    page.context.route(f"{SITE}/**", answer)


def hide_ancestors() -> str:
    """The module as it is where the browser hides who frames the page (https://github.com/whatwg/html/pull/11560)."""
    source = (TESTS.parent / "public/inside.js").read_text()
    hidden = source.replace("location.ancestorOrigins", '["null"]')
    assert hidden != source
    return hidden


def show(page: Page, address: str, body: str) -> None:
    """Open another site's page, which has this body."""
    page.context.route(address, lambda route: route.fulfill(content_type="text/html", body=body))
    page.goto(address)


def framed(
    page: Page, server: Server, by: str, attributes: str = "", path: str | None = None
) -> FrameLocator:
    """Open a page of the origin `by` that frames the login page and answers it as Telegram Web does."""
    serve(page, server)
    show(page, f"{by}/", telegram_web(SITE + (path or launched(page, ALICE)), attributes))
    return page.frame_locator("iframe")


def test_inside_telegram_web(page: Page, server: Server) -> None:
    """Telegram Web may frame the login page, which then logs in by itself, in another language too."""
    app = framed(page, server, WEB)
    expect(app.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    app.get_by_role("link", name="Русский").click()
    expect(app.get_by_role("button", name="Выйти")).to_be_visible()


def sandbox() -> str:
    """The attributes of the frame in Telegram Desktop's shell; that of Telegram Web has the like."""
    frame = case("14-desktop-shell-without-ancestor")["frame"]
    return f"""referrerpolicy="{frame["referrerpolicy"]}" sandbox="{frame["sandbox"]}\""""


def test_inside_a_shell_that_hides_where_it_is(page: Page, server: Server) -> None:
    """Telegram Desktop's shell keeps its origin from the frame, and its answer tells all the same."""
    serve(page, server, hide_ancestors())
    show(page, f"{WEB}/", telegram_web(SITE + launched(page, ALICE), sandbox()))
    app = page.frame_locator("iframe")
    expect(app.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    assert app.locator("body").evaluate("document.referrer") == ""


def test_no_launch_in_telegram_web(page: Page, server: Server) -> None:
    """A keyboard's button brings no launch data: the page says how to open it, and offers no dead end."""
    fragment = case("15-no-launch-data-in-telegram-web")["frame"]["fragment"]
    app = framed(page, server, WEB, sandbox(), path=f"/{fragment}")
    expect(app.get_by_role("heading", name="Open this from the bot’s menu button")).to_be_visible()
    expect(app.get_by_role("button")).to_have_count(0)
    app.get_by_role("link", name="Log in another way").click()
    # A page that such a frame opens itself is blocked, so Telegram is asked to.
    page.wait_for_function("asked.length > 0")
    assert page.evaluate("asked") == [["web_app_open_link", {"url": f"{SITE}/"}]]


def refused(page: Page, server: Server, answer: dict[str, Any]) -> FrameLocator:
    """Open the login page in Telegram Web, where the API answers the login with this refusal."""
    serve(page, server)
    page.context.route("**/telegram/login", lambda route: route.fulfill(status=403, json=answer))
    show(page, f"{WEB}/", telegram_web(SITE + launched(page, ALICE), sandbox()))
    return page.frame_locator("iframe")


def test_what_is_refused_in_telegram_web(page: Page, server: Server) -> None:
    """Who may not log in there is not told that Telegram kept silent, and can go on outside."""
    app = refused(page, server, {"code": "not_allowed", "user": {"id": 5, "first_name": "Mei"}})
    expect(app.get_by_role("heading", name="Log in outside of Telegram")).to_be_visible()
    # Beside the way out, once all is there.
    expect(app.get_by_role("alert")).to_contain_text("This account may not log in here: Mei")


def test_a_chat_to_join_in_telegram_web(page: Page, server: Server) -> None:
    """The chat opens in Telegram, and not in place of the Mini App."""
    app = refused(page, server, {"code": "membership_required", "link": "https://t.me/example_chat"})
    app.get_by_role("link", name="Join @example_chat").click()
    page.wait_for_function("asked.length > 0")
    assert page.evaluate("asked") == [["web_app_open_tg_link", {"path_full": "/example_chat"}]]


def test_inside_any_other_site(browser: Browser, server: Server) -> None:
    """No other site may frame the login page, so none can have its buttons pressed."""
    # Not open_page's: the browser complains of the policy, and is meant to.
    with browser.new_context(base_url=server.origin) as context:
        page = context.new_page()
        with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
            app = framed(page, server, "https://web.telegram.org.example")
        expect(app.get_by_role("heading", name="Open this Mini App session?")).to_have_count(0)


@pytest.mark.whole_browser
def test_planted_launch_asks(page: Page) -> None:
    """But in a Mini App a link with launch data logs nobody in before a click, at a reload neither."""
    page.add_init_script(case("04-planted-launch-in-ios-in-app-browser")["init_script"])
    sent = posts(page)
    page.goto(launched(page, BOBBY))
    question = page.get_by_role("heading", name="Open this Mini App session?")
    expect(question).to_be_visible()
    expect(page.get_by_text("carries somebody’s Telegram login")).to_be_visible()
    page.reload()
    expect(question).to_be_visible()
    assert sent == []
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Continue")).to_be_enabled()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Bobby")).to_be_visible()
    page.reload()
    expect(question).to_be_visible()
    assert len(sent) == 1


@pytest.fixture
def question(page: Page) -> Page:
    """The question about a planted launch, just asked, its button in focus; the clock stands still."""
    page.clock.install()
    page.goto(launched(page, BOBBY))
    page.clock.pause_at(page.evaluate("Date.now()") + 60_000)
    page.evaluate("dispatchEvent(new Event('focus'))")
    page.get_by_role("button", name="Continue").focus()
    page.get_by_role("button", name="Continue").hover(force=True)
    return page


def press_mouse(page: Page) -> None:
    page.mouse.down()
    page.mouse.up()


@pytest.mark.parametrize(
    "press",
    [press_mouse, lambda page: page.keyboard.press("Enter"), lambda page: page.keyboard.press("Space")],
    ids=["click", "Enter", "Space"],
)
def test_clicking_on_and_on_is_no_yes(question: Page, press: Callable[[Page], None]) -> None:
    """Who clicks or types on and on has not read the question: each time the pause begins anew."""
    sent = posts(question)
    for _ in range(10):
        press(question)
        question.clock.run_for(650)
    assert sent == []
    question.clock.run_for(100)
    press(question)
    expect(question.get_by_role("heading", name="Bobby")).to_be_visible()
    assert len(sent) == 1


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_holding_a_key_is_no_yes(question: Page, key: str) -> None:
    """A key that went down in the pause, or before the page came, answers nothing however long it is held."""
    sent = posts(question)
    question.keyboard.down(key)
    for _ in range(10):
        question.clock.run_for(500)
        question.keyboard.down(key)
    question.keyboard.up(key)
    assert sent == []

    question.clock.run_for(750)
    held = {"type": "keyDown", "key": " " if key == "Space" else key, "code": key, "autoRepeat": True}
    held |= (
        {"windowsVirtualKeyCode": 32, "text": " "}
        if key == "Space"
        else {"windowsVirtualKeyCode": 13, "text": "\r"}
    )
    devtools = question.context.new_cdp_session(question)
    for _ in range(3):
        devtools.send("Input.dispatchKeyEvent", held)
    devtools.send("Input.dispatchKeyEvent", held | {"type": "keyUp", "autoRepeat": False})
    assert sent == []
    question.keyboard.press(key)
    expect(question.get_by_role("heading", name="Bobby")).to_be_visible()


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_another_key_meanwhile_is_no_yes(question: Page, key: str) -> None:
    """While one key is down, another that comes up does not let the pause end."""
    sent = posts(question)
    question.keyboard.down(key)
    question.keyboard.press("Shift")
    question.clock.run_for(750)
    question.keyboard.up(key)
    assert sent == []
    question.clock.run_for(750)
    question.keyboard.press(key)
    expect(question.get_by_role("heading", name="Bobby")).to_be_visible()


def test_holding_the_mouse_is_no_yes(question: Page) -> None:
    """A button of the mouse that went down in the pause answers nothing when it comes up after it."""
    sent = posts(question)
    question.mouse.down()
    question.clock.run_for(5000)
    question.mouse.up()
    question.clock.run_for(750)
    assert sent == []
    press_mouse(question)
    expect(question.get_by_role("heading", name="Bobby")).to_be_visible()


@pytest.mark.whole_browser
@pytest.mark.parametrize("by", ["opener", "sibling", "parent", "parent, hidden"])
def test_messages_of_others_are_no_answer(page: Page, server: Server, by: str) -> None:
    """What another window says counts for nothing, also beside the object that Telegram's browser has."""
    page.context.add_init_script(BROWSERS["ios"])
    sent: list[str] = []
    page.context.on("request", lambda request: "/telegram/login" in request.url and sent.append(request.url))
    # This page's policy keeps it out of other sites' frames; a page of the owner's may have none.
    serve(page, server, None if by == "parent" else hide_ancestors(), framable=True)
    event = json.dumps({"eventType": "viewport_changed", "eventData": {"height": 600}})
    say = f"setInterval(() => target().postMessage({json.dumps(event)}, '*'), 10);"
    link = SITE + launched(page, BOBBY)
    framing = f"<iframe src='{link}'></iframe><script>const target = () => frames[0]; {say}</script>"
    others = {
        "opener": f"<script>const opened = open('{link}'), target = () => opened; {say}</script>",
        "sibling": f"<iframe src='{link}' name='app'></iframe><iframe src='{WEB}/frame'></iframe>",
        "parent": framing,
        "parent, hidden": framing,
    }
    frame = f"<script>const target = () => parent.frames.app; {say}</script>"
    page.context.route(f"{WEB}/frame", lambda route: route.fulfill(content_type="text/html", body=frame))
    shown: Page | FrameLocator = page.frame_locator("iframe").first
    if by == "opener":
        with page.expect_popup() as opened:
            show(page, "https://a.example/", others[by])
        shown = opened.value
    else:
        show(page, "https://a.example/", others[by])
    expect(shown.get_by_role("heading", name="Open this Mini App session?")).to_be_visible()
    expect(shown.get_by_role("button", name="Continue")).to_be_enabled()
    assert sent == []


def test_planted_launch_declined(page: Page) -> None:
    """Who declines is at the login page, still logged in as themselves, and the launch data is gone."""
    cookie_login(page)
    sent = posts(page)
    page.goto(launched(page, BOBBY))
    page.get_by_role("link", name="No, go to the login page").click()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    assert "#" not in page.url
    assert sent == []


def test_planted_before_telegrams_own(page: Page) -> None:
    """A bot can open an address with data in it; with Telegram's own behind that, neither counts."""
    page.add_init_script(IOS)
    sent = posts(page)
    own = launched(page, ALICE).removeprefix("/#")
    page.goto(f"{launched(page, BOBBY)}&{own}")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    assert sent == []


def test_language_keeps_the_launch(page: Page) -> None:
    """Who switches the language of a Mini App stays in it."""
    page.add_init_script(IOS)
    page.goto(launched(page, ALICE))
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.get_by_role("link", name="Русский").click()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    expect(page.get_by_role("button", name="Выйти")).to_be_visible()


@pytest.mark.parametrize("storage", [True, False])
def test_logout_ends_the_launch(page: Page, storage: bool) -> None:
    """Who logged out of a Mini App reads how to open it again; a reload does not bring it back."""
    page.add_init_script(IOS)
    if not storage:
        page.add_init_script("delete window.sessionStorage")
    page.goto(launched(page, ALICE))
    page.get_by_role("button", name="Log out").click()
    over = page.get_by_role("heading", name="You are logged out")
    expect(over).to_be_focused()
    expect(page.get_by_text("close this Mini App and open it again")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    for _ in range(2):
        page.reload()
        expect(page.get_by_role("heading", name="Open this Mini App again")).to_be_visible()
        expect(page.get_by_role("button")).to_have_count(0)
    page.get_by_role("link", name="Русский").click()
    expect(page.get_by_role("heading", name="Откройте мини-приложение заново")).to_be_visible()
    page.goto(launched(page, ALICE))
    expect(page.locator("#name")).to_have_text("Alice Johnson")


def test_logout_outside_telegram(page: Page) -> None:
    """There the link's login has ended for good, and the page is the login page."""
    page.goto(launched(page, ALICE))
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    expect(page.get_by_role("button", name=LOGIN)).to_be_focused()
    assert "#" not in page.url
    page.get_by_role("button", name=LOGIN).click()
    page.wait_for_url("**/_telegram/auth?*")


def test_expired_launch_inside(page: Page) -> None:
    """Data of yesterday's launch has to come anew; there is another way until then."""
    page.add_init_script(IOS)
    page.goto(launched(page, ALICE, age=25 * 3600))
    expect(page.get_by_role("heading", name="Open this Mini App again")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()
    page.get_by_role("link", name="Log in another way").click()
    page.get_by_role("button", name=LOGIN).click()
    page.wait_for_url("**/_telegram/auth?*")


def test_expired_launch(page: Page) -> None:
    """Elsewhere it says that the login has expired, and the button leads to Telegram instead."""
    page.goto(launched(page, ALICE, age=25 * 3600))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("This login has expired")
    page.get_by_role("button", name="Log in with Telegram").click()
    page.wait_for_url("**/_telegram/auth?*")


def test_launch_in_time_of_trouble(page: Page) -> None:
    """When the API could not take the launch just then, the button tries it again."""
    page.add_init_script(IOS)
    trouble(page, "login", 429, "rate_limited")
    page.goto(launched(page, ALICE))
    expect(page.get_by_role("alert")).to_contain_text("Too many requests")
    page.unroute("**/telegram/login")
    page.get_by_role("button", name="Log in with Telegram").click()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
