"""Where a login leads: to the page of this site that was asked for, and to no other site."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Page, expect

from dev.serve.process import Server
from tests.browser.steps import ALICE, begin, log_in, pick, proof, start, user_id, widget_link

pytestmark = pytest.mark.browser

TARGET = "/nothing/here?tab=1&q=%D1%8F"
ASTRAY = [
    "//evil.example/x",
    "///evil.example/x",
    "/\\evil.example/x",
    "\\\\evil.example/x",
    "/\t/evil.example/x",
    "\t//evil.example/x",
    "https://evil.example/x",
    "https:evil.example/x",
    "https://localhost@evil.example/x",
    "http://localhost.evil.example/x",
    "javascript:alert(1)",
    "JavaScript:alert(document.domain)//http://localhost/",
    "data:text/html,<script>alert(1)</script>",
    "blob:{origin}/1b671a64-40d5-491e-99b0-da01ff1f3341",
    "http://",
    "",
]
LOGINS = ["//evil.example/x", "/\t/evil.example/x", "javascript:alert(1)", "blob:{origin}/x"]
"""One of each kind, for which somebody logs in; both pages read the address with destination.js."""


def by_login_page(page: Page, return_to: str) -> None:
    page.goto(f"/?{urlencode({'return_to': return_to})}")
    start(page)
    pick(page, "Alice")


def by_redirect(page: Page, return_to: str) -> None:
    page.goto(f"/telegram/start?{urlencode({'return_to': return_to})}")
    pick(page, "Alice")


def by_redirect_without_oidc(page: Page, return_to: str) -> None:
    page.goto(f"/telegram/start?{urlencode({'return_to': return_to})}")
    start(page)
    pick(page, "Alice")


def by_widget(page: Page, return_to: str) -> None:
    state = begin(page, return_to=return_to)["state"]
    page.goto(widget_link(proof(page, ALICE), state=state))


def by_chat(page: Page, return_to: str) -> None:
    page.goto(widget_link(proof(page, ALICE), return_to=return_to))
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize(
    ("server_name", "way"),
    [
        ("server", by_login_page),
        ("server", by_redirect),
        ("widget_server", by_login_page),
        ("widget_server", by_redirect_without_oidc),
        ("widget_server", by_widget),
        ("widget_server", by_chat),
    ],
)
def test_every_way_leads_there(
    request: pytest.FixtureRequest, open_page: Any, server_name: str, way: Callable[[Page, str], None]
) -> None:
    """Whichever way somebody logs in, they end where they wanted to be."""
    server: Server = request.getfixturevalue(server_name)
    page = open_page(base_url=server.origin)
    way(page, TARGET)
    page.wait_for_url(f"{server.origin}{TARGET}")
    assert user_id(page) == ALICE


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
    log_in(page)
    page.goto(f"/?return_to={quote(TARGET, safe='')}#fragment")
    link = page.get_by_role("link", name="Continue")
    expect(link).to_have_attribute("href", page.url.split("/?")[0] + TARGET)
    page.get_by_role("link", name="Русский").click()
    page.get_by_role("link", name="Продолжить").click()
    page.wait_for_url(f"**{TARGET}")


@pytest.mark.parametrize("return_to", ["/x;y", "/it's", "/a@b", "/(1)", f"/{'x' * 600}"])
def test_what_the_api_does_not_take_is_no_dead_end(page: Page, return_to: str) -> None:
    """The API's rule is narrower than a browser's: where it refuses, people log in without a destination."""
    by_login_page(page, return_to)
    expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()


def test_no_link_leads_elsewhere(widget_page: Page, widget_server: Server) -> None:
    """Another site's address counts as none for who is logged in already."""
    log_in(widget_page)
    for return_to in ASTRAY:
        widget_page.goto(f"/?{urlencode({'return_to': return_to.format(origin=widget_server.origin)})}")
        expect(widget_page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()
        expect(widget_page.get_by_role("link", name="Continue")).to_be_hidden()
        assert widget_page.url.startswith(f"{widget_server.origin}/?")


@pytest.mark.parametrize("return_to", LOGINS)
def test_login_page_leads_nowhere_else(widget_page: Page, widget_server: Server, return_to: str) -> None:
    """So it does after a login."""
    page = widget_page
    by_login_page(page, return_to.format(origin=widget_server.origin))
    expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()
    assert page.url.startswith(f"{widget_server.origin}/")


def test_login_page_leads_nowhere_else_with_oidc(page: Page, server: Server) -> None:
    """The same holds where the API takes the destination along."""
    by_login_page(page, ASTRAY[0])
    page.wait_for_url(f"{server.origin}/")
    expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()


@pytest.mark.parametrize("return_to", LOGINS)
def test_confirm_page_leads_nowhere_else(page: Page, server: Server, return_to: str) -> None:
    """A link that names another site logs in here, after the question, and leads to the login page."""
    query = urlencode({"return_to": return_to.format(origin=server.origin)})
    page.goto(f"/confirm.html?{query}#{urlencode(proof(page, ALICE))}")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{server.origin}/")
    expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()


@pytest.mark.parametrize("path", ["/telegram/start?", "/telegram/login?"])
def test_api_leads_nowhere_else(page: Page, path: str) -> None:
    """The API's own addresses refuse such a destination, with a page that says so."""
    fields = proof(page, ALICE) if "login" in path else {}
    for return_to in ASTRAY:
        page.goto("about:blank")
        page.goto(path + urlencode({**fields, "return_to": return_to.format(origin="http://localhost")}))
        expect(page.get_by_role("heading")).to_have_text("That request was damaged")
        assert page.context.cookies() == []


def test_two_destinations_are_none(page: Page) -> None:
    """Of two it cannot be said which one was meant."""
    log_in(page)
    page.goto("/?return_to=/nothing&return_to=/nothing")
    expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Continue")).to_be_hidden()
