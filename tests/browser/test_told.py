"""Who is kept out reads which account that is, and who must go elsewhere finds the way there."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dev.serve.process import Server, running
from tests.browser.conftest import OpenPage
from tests.browser.steps import ALICE, MARIA, begin, callback_link, pick, proof, start, user_id, widget_link

pytestmark = pytest.mark.browser

KEPT_OUT = {
    "en-US": ("This account may not log in here: Мария Соколова (@maria_sokolova)", "Use another account"),
    "ru-RU": (
        "Этому аккаунту вход сюда закрыт: Мария Соколова (@maria_sokolova)",
        "Войти с другим аккаунтом",
    ),
}
PERSON = {"id": 5, "first_name": "Bobby", "last_name": "Tables", "username": "bobby"}


@pytest.fixture(scope="module")
def private() -> Iterator[Server]:
    """A site where Alice alone may log in."""
    with running(env={"TELEGRAM_ALLOW": str(ALICE)}) as started:
        yield started


@pytest.fixture
def guest(open_page: OpenPage, private: Server) -> Page:
    """A page of that site."""
    return open_page(base_url=private.origin)


def told(page: Page) -> list[str]:
    """What is left of the cookie that tells the page."""
    return [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "tgauth-told"]


@pytest.mark.parametrize("locale", KEPT_OUT)
def test_the_error_page_names_the_account(open_page: OpenPage, private: Server, locale: str) -> None:
    """Once, from a cookie that is gone then; the address has no name, and another account can log in."""
    page = open_page(base_url=private.origin, locale=locale)
    title, another = KEPT_OUT[locale]
    page.goto(callback_link(page, MARIA))
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    assert "maria" not in page.url
    assert "maria" not in page.title()
    assert told(page) == []
    assert user_id(page) is None
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text(title.partition(":")[0])
    page.get_by_role("link", name=another).click()
    expect(page.locator("#login-button")).to_be_visible()


def test_the_widgets_redirect_names_the_account(guest: Page) -> None:
    """So does the way by the widget's address."""
    guest.goto(widget_link(proof(guest, MARIA), state=begin(guest)["state"]))
    expect(guest.get_by_role("heading", level=1)).to_have_text(KEPT_OUT["en-US"][0])


def test_another_account_logs_in(guest: Page) -> None:
    """From the refusal back to the login page, and in as somebody who may."""
    guest.goto("/")
    start(guest)
    pick(guest, "Мария")
    guest.get_by_role("link", name="Use another account").click()
    start(guest)
    pick(guest, "Alice")
    expect(guest.get_by_role("heading", name="Alice Johnson")).to_be_visible()


def test_the_login_page_names_the_account(guest: Page) -> None:
    """Where the page itself logs in, its notice says who may not, above the button for another account."""
    fields = base64.urlsafe_b64encode(json.dumps(proof(guest, MARIA)).encode()).decode().rstrip("=")
    guest.goto(f"/?state={begin(guest)['state']}#tgAuthResult={fields}")
    alert = guest.get_by_role("alert")
    expect(alert.get_by_role("heading", level=2)).to_have_text(KEPT_OUT["en-US"][0])
    expect(alert).to_contain_text("Use another account")
    expect(guest.get_by_role("button", name="Log in with Telegram")).to_be_visible()


def test_a_confirmed_link_names_the_account(guest: Page) -> None:
    """The page that asks first says who may not, and asks no more."""
    guest.goto(widget_link(proof(guest, MARIA)))
    guest.get_by_role("button", name="Log in").click()
    expect(guest.get_by_role("heading", level=1)).to_have_text(KEPT_OUT["en-US"][0])
    expect(guest.get_by_role("button", name="Log in")).to_be_hidden()


def show_told(page: Page, code: str, what: Any, reference: str = "dev1::42") -> None:
    """The error page of this code, with this in its cookie."""
    text = what if isinstance(what, str) else json.dumps({"reference": "dev1::42", **what})
    value = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    page.context.add_cookies([{"name": "tgauth-told", "value": value, "url": origin(page)}])
    page.goto(f"/error.html?code={code}&reference={reference}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def origin(page: Page) -> str:
    page.goto("/error.html")
    found: str = page.evaluate("location.origin")
    return found


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (PERSON, "Bobby Tables (@bobby)"),
        ({"id": 5, "first_name": "<b>Bobby</b>"}, "<b>Bobby</b>"),
        ({"id": 5, "first_name": "", "username": "bobby"}, "@bobby"),
        ({"id": 5, "first_name": ""}, "Telegram 5"),
        ({"id": 5, "first_name": 5, "last_name": ["x"]}, "Telegram 5"),
        ({"id": 5, "first_name": "x" * 65}, "x" * 64),
        ({"id": 5, "first_name": "Bobby", "username": "https://evil.example"}, "Bobby"),
    ],
    ids=str,
)
def test_an_account_is_text(page: Page, user: dict[str, Any], shown: str) -> None:
    """Whatever its names are, they are words; somebody without a name is told by username or id."""
    show_told(page, "not_allowed", {"user": user})
    expect(page.get_by_role("heading", level=1)).to_have_text(f"This account may not log in here: {shown}")
    assert told(page) == []


@pytest.mark.parametrize(
    "what",
    [
        {"user": {**PERSON, "id": "5"}},
        {"user": "Bobby"},
        {"user": None},
        {"user": PERSON, "reference": "another"},
        "[]",
        "null",
        "{",
    ],
    ids=str,
)
def test_what_is_no_account_is_not_shown(page: Page, what: Any) -> None:
    """A cookie of another form, or about another request, changes nothing of the page, and is gone."""
    show_told(page, "not_allowed", what)
    expect(page.get_by_role("heading", level=1)).to_have_text("This account may not log in here")
    assert told(page) == []


@pytest.mark.parametrize(
    ("code", "link", "shown", "href"),
    [
        ("membership_required", "https://t.me/some_chat", "Join @some_chat", "https://t.me/some_chat"),
        ("relay_required", "https://main.example/", "Continue at main.example", "https://main.example/"),
    ],
)
def test_where_to_go_on(page: Page, code: str, link: str, shown: str, href: str) -> None:
    """The chat to join, or the site that logs in, is the page's first button."""
    show_told(page, code, {"link": link})
    first = page.locator("main a").first
    expect(first).to_have_text(shown)
    expect(first).to_have_attribute("href", href)
    expect(page.get_by_role("link", name="Try again")).to_be_visible()


@pytest.mark.parametrize(
    ("code", "link"),
    [
        ("membership_required", "https://t.me/+invitation"),
        ("membership_required", "https://t.me/some_chat/../evil"),
        ("membership_required", "https://evil.example/some_chat"),
        ("membership_required", "javascript:alert(1)//https://t.me/some_chat"),
        ("membership_required", 5),
        ("relay_required", "javascript:alert(1)"),
        ("relay_required", "http://main.example/"),
        ("relay_required", "nonsense"),
        ("login_stale", "https://t.me/some_chat"),
    ],
)
def test_no_other_link(page: Page, code: str, link: Any) -> None:
    """What has another form, or comes with another code, is no link."""
    show_told(page, code, {"link": link})
    expect(page.locator("main a")).to_have_count(1)


def test_the_login_page_leads_to_the_chat(page: Page) -> None:
    """As the error page does, in the notice."""
    answer = {"code": "membership_required", "link": "https://t.me/some_chat"}
    page.route("**/telegram/login", lambda route: route.fulfill(status=403, json=answer))
    page.goto(f"/?state=x#tgAuthResult={base64.urlsafe_b64encode(b'{}').decode()}")
    link = page.get_by_role("alert").get_by_role("link", name="Join @some_chat")
    expect(link).to_have_attribute("href", "https://t.me/some_chat")
