"""Where a login leads: to the page of this site that was asked for, and to no other site."""

from urllib.parse import quote, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from dev.serve.process import Server
from tests.browser.steps import ALICE, cookie_login, pick, proof, start, user_id

pytestmark = pytest.mark.browser

TARGET = "/nothing/here?tab=1&q=%D1%8F"
EVIL = "/\t/evil.example/x"
"""Which addresses are none of this site's, all pages ask destination.js; test_arrivals.py does, too."""


def by_login_page(page: Page, return_to: str) -> None:
    page.goto(f"/?{urlencode({'return_to': return_to})}")
    start(page)
    pick(page, "Alice")


def test_a_login_leads_there(either_page: Page) -> None:
    """Whichever way somebody logs in, they end where they wanted to be."""
    by_login_page(either_page, TARGET)
    either_page.wait_for_url(f"**{TARGET}")
    assert user_id(either_page) == ALICE


def test_cancelled_and_tried_again(widget_page: Page) -> None:
    """Who cancels at first is still led there by the next try."""
    widget_page.goto("/?return_to=/nothing")
    start(widget_page)
    widget_page.get_by_role("link", name="Cancel").click()
    expect(widget_page.get_by_role("alert")).to_contain_text("Login cancelled")
    start(widget_page)
    pick(widget_page, "Alice")
    widget_page.wait_for_url("**/nothing")


def test_logged_in_already(page: Page) -> None:
    """Who is logged in already gets a link there and is not sent, which could go in a circle."""
    cookie_login(page)
    page.goto(f"/?return_to={quote(TARGET, safe='')}#fragment")
    link = page.get_by_role("link", name="Continue")
    expect(link).to_have_attribute("href", page.url.split("/?")[0] + TARGET)
    page.get_by_role("link", name="Русский").click()
    page.get_by_role("link", name="Продолжить").click()
    page.wait_for_url(f"**{TARGET}")


def test_what_the_api_does_not_take_is_no_dead_end(page: Page) -> None:
    """The API's rule is narrower than a browser's: where it refuses, people log in without a destination."""
    by_login_page(page, "/x;y")
    expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()


def test_login_page_leads_nowhere_else(either_page: Page) -> None:
    """Another site's address counts as none after a login."""
    by_login_page(either_page, EVIL)
    expect(either_page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()
    assert urlsplit(either_page.url).hostname == "localhost"


def test_confirm_page_leads_nowhere_else(page: Page, server: Server) -> None:
    """A link that names another site logs in here, after the question, and leads to the login page."""
    page.goto(f"/confirm.html?{urlencode({'return_to': EVIL})}#{urlencode(proof(page, ALICE))}")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{server.origin}/")
    expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()
