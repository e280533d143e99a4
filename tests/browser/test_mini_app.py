"""The login page as a Mini App: opened by Telegram, or by a link that only looks like it."""

from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Request, expect

from dev.process import Server

pytestmark = pytest.mark.browser

APP = "window.TelegramWebviewProxy = { postEvent() {} }"
OLD_APP = "window.external.notify = () => {}"


def address(page: Page, user: int, **query: int) -> str:
    """The login page with the launch data of one of the simulated Telegram's users."""
    target = f"/_telegram/init_data?user={user}" + "".join(f"&{k}={v}" for k, v in query.items())
    init_data = page.request.get(target).json()["init_data"]
    return f"/#tgWebAppData={quote(init_data, safe='')}&tgWebAppVersion=8.0&tgWebAppPlatform=web"


def logins(page: Page) -> list[Request]:
    """The login requests that the page sends from now on."""
    sent: list[Request] = []
    page.on("request", lambda request: "/telegram/login" in request.url and sent.append(request))
    return sent


@pytest.mark.parametrize("telegram", [APP, OLD_APP], ids=["proxy", "notify"])
def test_inside_telegram(page: Page, telegram: str) -> None:
    """In Telegram a launch logs in by itself; its token is in no cookie and no storage; a reload works."""
    page.add_init_script(telegram)
    page.goto(address(page, 100000002))
    expect(page.get_by_role("heading", name="Мария Соколова")).to_be_visible()
    expect(page.get_by_text("Logged in from the Mini App")).to_be_visible()
    assert page.context.cookies() == []
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage])") == "[{},{}]"

    page.reload()
    expect(page.get_by_role("heading", name="Мария Соколова")).to_be_visible()


def framed(page: Page, server: Server, by: str) -> FrameLocator:
    """Open a page of the origin `by` that frames the login page, which is at an https address for it."""
    site = "https://example.com"
    frame = f'<iframe src="{site}{address(page, 100000001)}"></iframe>'
    page.route(f"{by}/", lambda route: route.fulfill(content_type="text/html", body=frame))
    page.route(
        f"{site}/**",
        lambda route: route.fulfill(response=route.fetch(url=route.request.url.replace(site, server.origin))),
    )
    page.goto(f"{by}/")
    return page.frame_locator("iframe")


def test_inside_telegram_web(page: Page, server: Server) -> None:
    """Telegram Web may frame the login page, which then logs in by itself, in another language too."""
    app = framed(page, server, "https://web.telegram.org")
    expect(app.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    app.get_by_role("link", name="Русский").click()
    expect(app.get_by_role("button", name="Выйти")).to_be_visible()


def test_inside_any_other_site(browser: Browser, server: Server) -> None:
    """No other site may frame the login page, so none can have its buttons pressed."""
    # Not open_page's: the browser complains of the policy, and is meant to.
    with browser.new_context(base_url=server.origin) as context:
        page = context.new_page()
        with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
            app = framed(page, server, "https://web.telegram.org.example")
        expect(app.get_by_role("heading", name="Open this Mini App session?")).to_have_count(0)


def test_simulated_telegram_opens_a_mini_app(page: Page) -> None:
    """The simulated Telegram's launch asks, and the button logs in as the user that was picked."""
    page.goto("/_telegram/")
    page.get_by_role("listitem").filter(has_text="Мария").get_by_role("link", name="Open as Mini App").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Мария Соколова")).to_be_focused()
    expect(page.get_by_text("Logged in from the Mini App")).to_be_visible()


def test_planted_launch_asks(page: Page) -> None:
    """Outside Telegram a link with launch data logs nobody in before a click, at a reload neither."""
    sent = logins(page)
    page.goto(address(page, 100000007))
    question = page.get_by_role("heading", name="Open this Mini App session?")
    expect(question).to_be_visible()
    expect(page.get_by_text("carries somebody’s Telegram login")).to_be_visible()
    page.reload()
    expect(question).to_be_visible()
    assert sent == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Bobby")).to_be_visible()
    page.reload()
    expect(question).to_be_visible()
    assert len(sent) == 1


def test_planted_launch_declined(page: Page) -> None:
    """Who declines is at the login page, still logged in as themselves, and the launch data is gone."""
    proof = page.request.get("/_telegram/widget?user=100000001").json()
    own = {"Sec-Fetch-Site": "same-origin"}
    assert page.request.post("/telegram/login", data={"widget": proof}, headers=own).ok
    sent = logins(page)
    page.goto(address(page, 100000007))
    page.get_by_role("link", name="No, go to the login page").click()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    assert "#" not in page.url
    assert sent == []


def test_planted_before_telegrams_own(page: Page) -> None:
    """A bot can open an address with data in it; with Telegram's own behind that, neither counts."""
    page.add_init_script(APP)
    sent = logins(page)
    own = address(page, 100000001).removeprefix("/#")
    page.goto(f"{address(page, 100000007)}&{own}")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    assert sent == []


def test_language_keeps_the_launch(page: Page) -> None:
    """Who switches the language of a Mini App stays in it."""
    page.add_init_script(APP)
    page.goto(address(page, 100000001))
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.get_by_role("link", name="Русский").click()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    expect(page.get_by_role("button", name="Выйти")).to_be_visible()


def test_language_keeps_the_question(page: Page) -> None:
    """Who reads the question in another language can still answer it."""
    page.goto(address(page, 100000001))
    page.get_by_role("link", name="Русский").click()
    page.get_by_role("button", name="Продолжить").click()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()


def test_logout_lasts_over_a_reload(page: Page) -> None:
    """Who logged out of a Mini App is logged in again by the button alone, or by another launch."""
    page.add_init_script(APP)
    sent = logins(page)
    launch = address(page, 100000001)
    button, name = page.get_by_role("button", name="Log in with Telegram"), page.locator("#name")
    page.goto(launch)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    expect(button).to_be_focused()
    page.reload()
    expect(button).to_be_visible()
    page.get_by_role("link", name="English").click()
    expect(button).to_be_visible()
    assert len(sent) == 1

    button.click()
    expect(name).to_have_text("Alice Johnson")
    page.reload()
    expect(name).to_have_text("Alice Johnson")
    page.get_by_role("button", name="Log out").click()
    expect(button).to_be_visible()
    page.goto(address(page, 100000003))
    expect(name).to_have_text("Mei")


def test_logout_outside_telegram_asks_again(page: Page) -> None:
    """After a logout the link's login is offered with the same warning as before."""
    page.goto(address(page, 100000001))
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    expect(page.get_by_role("heading", name="Open this Mini App session?")).to_be_visible()
    expect(page.get_by_role("button", name="Continue")).to_be_focused()


def test_logout_without_storage(page: Page) -> None:
    """Where the browser forbids storage, the logout lasts over a reload all the same."""
    page.add_init_script(APP)
    page.add_init_script("delete window.sessionStorage")
    sent = logins(page)
    page.goto(address(page, 100000001))
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    page.reload()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    assert len(sent) == 1


@pytest.mark.parametrize("inside", [True, False])
def test_expired_launch(page: Page, inside: bool) -> None:
    """Data of yesterday's launch says that it expired, and the button leads to Telegram instead."""
    if inside:
        page.add_init_script(APP)
    page.goto(address(page, 100000001, age=25 * 3600))
    if not inside:
        page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("This login has expired")
    page.get_by_role("button", name="Log in with Telegram").click()
    page.wait_for_url("**/_telegram/auth?*")


def test_launch_in_time_of_trouble(page: Page) -> None:
    """When the API could not take the launch just then, the button tries it again."""
    page.add_init_script(APP)
    page.route("**/telegram/login", lambda route: route.fulfill(status=429, json={"code": "rate_limited"}))
    page.goto(address(page, 100000001))
    expect(page.get_by_role("alert")).to_contain_text("Too many attempts")
    page.unroute("**/telegram/login")
    page.get_by_role("button", name="Log in with Telegram").click()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()


def test_names_are_text(page: Page) -> None:
    """Markup in a name is shown and not interpreted."""
    page.add_init_script(APP)
    page.goto(address(page, 100000007))
    expect(page.get_by_role("heading")).to_have_text('<b>"Bobby"</b> O\'Tables & Co')
