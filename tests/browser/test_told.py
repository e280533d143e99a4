"""Who is kept out reads which account that is, and who must go elsewhere finds the way there."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dev.serve.process import Server, running
from dev.telegram.signing import tg_auth_result
from tests.browser.conftest import OpenPage
from tests.browser.steps import ALICE, MARIA, begin, callback_link, proof, user_id, widget_link

pytestmark = pytest.mark.browser

KEPT_OUT = "This account may not log in here: Мария Соколова (@maria_sokolova)"
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


def test_the_error_page_names_the_account(guest: Page) -> None:
    """Once, from a cookie that is gone then; the address has no name, and another account can log in."""
    guest.goto(callback_link(guest, MARIA))
    expect(guest.get_by_role("heading", level=1)).to_have_text(KEPT_OUT)
    assert "maria" not in guest.url
    assert "maria" not in guest.title()
    assert told(guest) == []
    assert user_id(guest) is None
    guest.reload()
    expect(guest.get_by_role("heading", level=1)).to_have_text(KEPT_OUT.partition(":")[0])
    guest.get_by_role("link", name="Use another account").click()
    expect(guest.get_by_role("button", name="Log in with Telegram")).to_be_visible()


def test_the_login_page_names_the_account(guest: Page) -> None:
    """Where the page itself logs in, its notice says who may not, above the button for another account."""
    result = tg_auth_result(proof(guest, MARIA))
    guest.goto(f"/?state={begin(guest)['state']}#tgAuthResult={result}")
    alert = guest.get_by_role("alert")
    expect(alert.get_by_role("heading", level=2)).to_have_text(KEPT_OUT)
    expect(alert).to_contain_text("Use another account")
    expect(guest.get_by_role("button", name="Log in with Telegram")).to_be_visible()


def test_a_confirmed_link_names_the_account(guest: Page) -> None:
    """The page that asks first says who may not, and asks no more."""
    guest.goto(widget_link(proof(guest, MARIA)))
    guest.get_by_role("button", name="Log in").click()
    expect(guest.get_by_role("heading", level=1)).to_have_text(KEPT_OUT)
    expect(guest.get_by_role("button", name="Log in")).to_be_hidden()


def show_told(page: Page, server: Server, code: str, what: Any) -> None:
    """The error page of this code, with this in its cookie."""
    text = what if isinstance(what, str) else json.dumps({"reference": "dev1::42", **what})
    value = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    page.context.add_cookies([{"name": "tgauth-told", "value": value, "url": server.origin}])
    page.goto(f"/error.html?code={code}&reference=dev1::42")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


NAMED = [
    ({}, "Bobby Tables (@bobby)"),
    ({"first_name": "<b>Bobby</b>", "last_name": "", "username": ""}, "<b>Bobby</b>"),
    ({"first_name": 5, "last_name": ["x"], "username": None}, "Telegram 5"),
    ({"first_name": "x" * 65}, f"{'x' * 64} Tables (@bobby)"),
    ({"username": "https://evil.example"}, "Bobby Tables"),
]
UNNAMED: list[Any] = [
    {"user": {**PERSON, "id": "5"}},
    {"user": "Bobby"},
    {"user": None},
    {"user": PERSON, "reference": "another"},
    "[]",
    "null",
    "{",
]


def test_an_account_is_text(page: Page, server: Server) -> None:
    """Whatever its names are, they are words, as long as Telegram's at most."""
    for fields, shown in NAMED:
        show_told(page, server, "not_allowed", {"user": {**PERSON, **fields}})
        title = page.get_by_role("heading", level=1)
        expect(title).to_have_text(f"This account may not log in here: {shown}")
        assert told(page) == []


def test_what_is_no_account_is_not_shown(page: Page, server: Server) -> None:
    """A cookie of another form, or about another request, changes nothing of the page, and is gone."""
    for what in UNNAMED:
        show_told(page, server, "not_allowed", what)
        title = page.get_by_role("heading", level=1)
        expect(title, str(what)).to_have_text("This account may not log in here")
        assert told(page) == [], what


@pytest.mark.parametrize(
    ("code", "link", "shown"),
    [
        ("membership_required", "https://t.me/some_chat", "Join @some_chat"),
        ("relay_required", "https://main.example/", "Continue at main.example"),
    ],
)
def test_where_to_go_on(page: Page, server: Server, code: str, link: str, shown: str) -> None:
    """The chat to join, or the site that logs in, is the page's first button."""
    show_told(page, server, code, {"link": link})
    first = page.locator("main a").first
    expect(first).to_have_text(shown)
    expect(first).to_have_attribute("href", link)
    expect(page.get_by_role("link", name="Try again")).to_be_visible()


NO_LINKS = [
    ("membership_required", "https://t.me/+invitation"),
    ("membership_required", "https://t.me/some_chat/../evil"),
    ("membership_required", "https://evil.example/some_chat"),
    ("membership_required", "javascript:alert(1)//https://t.me/some_chat"),
    ("membership_required", 5),
    ("relay_required", "javascript:alert(1)"),
    ("relay_required", "http://main.example/"),
    ("relay_required", "nonsense"),
    ("login_stale", "https://t.me/some_chat"),
]


def test_no_other_link(page: Page, server: Server) -> None:
    """What has another form, or comes with another code, is no link."""
    for code, link in NO_LINKS:
        show_told(page, server, code, {"link": link})
        expect(page.locator("main a"), str(link)).to_have_count(1)


def test_the_login_page_leads_to_the_chat(page: Page) -> None:
    """As the error page does, in the notice."""
    answer = {"code": "membership_required", "link": "https://t.me/some_chat"}
    page.route("**/telegram/login", lambda route: route.fulfill(status=403, json=answer))
    page.goto(f"/?state=x#tgAuthResult={tg_auth_result({})}")
    link = page.get_by_role("alert").get_by_role("link", name="Join @some_chat")
    expect(link).to_have_attribute("href", "https://t.me/some_chat")
