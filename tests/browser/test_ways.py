"""Every way to log in that the simulated Telegram offers to click, as a site's own scripts would do it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import ALICE, MARIA, pick, session_cookies, user_id

pytestmark = pytest.mark.browser


@pytest.fixture
def ways(page: Page) -> Page:
    """The page with all ways, reached as a developer does: from the login page."""
    page.goto("/")
    page.get_by_role("link", name="See its users").click()
    page.get_by_role("link", name="Ways to log in").click()
    expect(page.get_by_role("button", name="Popup")).to_be_enabled()
    return page


def test_openid_connect_in_a_popup(ways: Page) -> None:
    """The popup's id_token logs in the browser that asked for it, and the popup closes."""
    with ways.expect_popup() as opened:
        ways.get_by_role("button", name="Popup").click()
    with opened.value.expect_event("close"):
        pick(opened.value, "Мария")
    expect(ways.get_by_role("status")).to_have_text("Logged in as Мария Соколова (oidc).")
    assert user_id(ways) == MARIA


def test_cancelled_popup(ways: Page) -> None:
    """A popup that is cancelled logs nobody in."""
    with ways.expect_popup() as opened:
        ways.get_by_role("button", name="Popup").click()
    opened.value.get_by_role("link", name="Cancel").click()
    expect(ways.get_by_role("status")).to_contain_text("access_denied")
    assert session_cookies(ways) == []


def test_widget_by_redirect(ways: Page) -> None:
    """The widget's data-auth-url, with the state of this browser, logs in without a question."""
    ways.get_by_label("As").select_option("Мария Соколова")
    ways.get_by_role("button", name="Redirect mode").click()
    expect(ways.get_by_role("heading", name="Мария Соколова")).to_be_visible()
    assert user_id(ways) == MARIA


def test_widget_by_callback(ways: Page) -> None:
    """The widget's data-onauth hands the page an object, and the page posts it."""
    ways.get_by_role("button", name="Callback mode").click()
    expect(ways.get_by_role("status")).to_have_text("Logged in as Alice Johnson (widget).")
    assert user_id(ways) == ALICE


def test_button_in_a_chat(ways: Page) -> None:
    """A chat's login_url button leads to the question, and to the login page after it."""
    ways.get_by_role("link", name="Button in a chat").click()
    ways.get_by_role("listitem").filter(has_text="Мария").get_by_role("link", name="Log in").click()
    expect(ways.get_by_role("heading", name="Log in to localhost as Мария")).to_be_visible()
    assert session_cookies(ways) == []
    ways.get_by_role("button", name="Log in").click()
    expect(ways.get_by_role("heading", name="Мария Соколова", exact=True)).to_be_visible()
    assert user_id(ways) == MARIA


def test_mini_app(ways: Page) -> None:
    """A Mini App is opened from the list of users."""
    ways.get_by_role("link", name="Mini App").click()
    ways.get_by_role("listitem").filter(has_text="Мария").get_by_role("link", name="Open as Mini App").click()
    ways.get_by_role("button", name="Continue").click()
    expect(ways.get_by_role("heading", name="Мария Соколова")).to_be_visible()
    assert session_cookies(ways) == []


def test_widget_alone(widget_page: Page) -> None:
    """Where OpenID Connect is off, the page says so and the widget's ways work."""
    widget_page.goto("/_telegram/ways")
    expect(widget_page.get_by_text("OpenID Connect is off here")).to_be_visible()
    expect(widget_page.get_by_role("button", name="Popup")).to_be_disabled()
    widget_page.get_by_role("button", name="Redirect mode").click()
    expect(widget_page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
