"""The page that asks before a link logs anybody in: a chat's button leads here, and so does an attacker."""

import re
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from dev.telegram.signing import sign_widget
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN
from tests.browser.conftest import OpenPage
from tests.browser.steps import (
    ALICE,
    BOBBY,
    MARIA,
    addresses,
    cookie_login,
    posts,
    proof,
    session_cookies,
    trouble,
    user_id,
    widget_link,
)

pytestmark = pytest.mark.browser

QUESTION = "Log in to localhost as Alice Johnson (@alice_dev)?"
GOOD = {"id": "1", "first_name": "A", "auth_date": "1", "hash": "0" * 64}
"""What has the form of Telegram's fields."""


def confirm(fields: dict[str, Any], query: str = "") -> str:
    """The page itself, with these fields of Telegram's."""
    return f"/confirm.html{query}#{urlencode(fields)}"


def test_login_button_of_a_chat(page: Page) -> None:
    """The button's link asks first, posts nothing before the click, and leaves nothing in any address."""
    sent = posts(page)
    page.goto(widget_link(proof(page, ALICE)))
    expect(page.get_by_role("heading")).to_have_text(QUESTION)
    expect(page.get_by_text("Continue only if you have just pressed a login button")).to_be_visible()
    expect(page.get_by_text("You are logged in as")).to_be_hidden()
    assert page.title() == "Confirm your login · localhost"
    assert urlsplit(page.url)[2:] == ("/confirm.html", "", "")
    assert (sent, page.context.cookies()) == ([], [])

    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()
    assert sent == ["/telegram/login"]
    assert [urlsplit(address)[2:] for address in addresses(page)[1:]] == [("/", "", "")]


@pytest.mark.whole_browser
def test_no(page: Page) -> None:
    """Who says no is at the login page, and going back does not give the link a second chance."""
    sent = posts(page)
    page.goto(widget_link(proof(page, ALICE)))
    page.get_by_role("link", name="No, go to the login page").click()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    page.go_back(wait_until="commit")
    expect(page.get_by_role("heading")).to_have_text("This page needs a new link")
    assert (sent, page.context.cookies()) == ([], [])


def test_reload(page: Page) -> None:
    """After a reload, and without a login in the address, the page says how to get a new link."""
    page.goto(widget_link(proof(page, ALICE)))
    expect(page.get_by_role("heading")).to_have_text(QUESTION)
    page.reload()
    expect(page.get_by_role("heading")).to_have_text("This page needs a new link")
    expect(page.get_by_role("button", name="Log in")).to_be_hidden()
    page.get_by_role("link", name="Go to the login page").click()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()


def test_another_link_in_the_same_tab(page: Page) -> None:
    """A second link replaces the first, also where it differs in the fragment only."""
    page.goto(confirm(proof(page, MARIA)))
    expect(page.get_by_role("heading")).to_contain_text("Мария Соколова")
    page.goto(confirm(proof(page, ALICE)))
    expect(page.get_by_role("heading")).to_have_text(QUESTION)
    assert "#" not in page.url


def test_says_who_is_logged_in_now(page: Page) -> None:
    """Whoever is logged in stays so until the click, and reads that it ends then."""
    cookie_login(page, MARIA)
    before = session_cookies(page)
    page.goto(widget_link(proof(page, ALICE)))
    expect(page.get_by_text("You are logged in as Мария Соколова (@maria_sokolova) now.")).to_be_visible()
    assert (user_id(page), session_cookies(page)) == (MARIA, before)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()
    assert user_id(page) == ALICE


def test_the_same_person_is_not_warned(page: Page) -> None:
    """Who is logged in already and presses the chat's button again reads nothing of somebody else."""
    cookie_login(page)
    page.goto(widget_link(proof(page, ALICE)))
    expect(page.get_by_role("heading")).to_have_text(QUESTION)
    expect(page.get_by_text("You are logged in as")).to_be_hidden()


def test_question_in_another_language(page: Page) -> None:
    """Who switches the language can still answer, and the login stays out of the address."""
    page.goto(widget_link(proof(page, ALICE), return_to="/nothing"))
    page.get_by_role("link", name="Русский").click()
    expect(page.get_by_role("heading")).to_have_text("Войти на localhost как Alice Johnson (@alice_dev)?")
    # The same address but for the fragment, so without a page load of its own.
    page.get_by_role("link", name="Русский").click()
    expect(page.get_by_role("heading")).to_have_text("Войти на localhost как Alice Johnson (@alice_dev)?")
    expect(page).to_have_url(re.compile(r"^[^#]*$"))
    page.get_by_role("button", name="Войти").click()
    page.wait_for_url("**/nothing")
    assert all("hash=" not in address for address in addresses(page))


def test_the_warning_describes_the_button(page: Page) -> None:
    """Who does not see the page hears with the button what to look out for."""
    page.goto(widget_link(proof(page, ALICE)))
    button = page.get_by_role("button", name="Log in")
    expect(button).to_have_accessible_description(page.locator("#note").inner_text())


def test_names_are_text_of_their_own(page: Page) -> None:
    """Markup in a name is shown, and a change of direction in it ends with it."""
    page.goto(widget_link(proof(page, BOBBY)))
    expect(page.get_by_role("heading")).to_have_text(
        'Log in to localhost as <b>"Bobby"</b> O\'Tables & Co (@o_tables)?'
    )
    assert page.locator("h1 b").count() == 0
    page.goto("about:blank")
    page.goto(confirm({**proof(page, ALICE), "first_name": "\u202eecilA", "last_name": "\u2067\u202eB"}))
    heading = page.get_by_role("heading")
    expect(heading).to_contain_text("ecilA")
    texts = "(h1) => [...h1.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data)"
    assert heading.evaluate(texts) == ["Log in to localhost as ", " ", "?"]
    isolated = heading.locator("bdi").all_text_contents()
    assert isolated == ["\u202eecilA \u2067\u202eB", "@alice_dev"]


def test_long_names_stay_on_the_screen(open_page: OpenPage) -> None:
    """However long a made-up name is, on a small screen the question has seven lines, and none too wide."""
    page = open_page(viewport={"width": 320, "height": 568})
    for name in ("a" * 4000, "א " * 2000, "W\u0335\u0336\u0337\u0338\u0334\u035d" * 500):
        page.goto("about:blank")
        page.goto(confirm({**GOOD, "first_name": name, "username": name}))
        expect(page.get_by_role("heading"), name[:9]).to_contain_text(f"as {name[0]}")
        heading = page.get_by_role("heading").bounding_box()
        assert heading
        assert heading["height"] <= 7 * 30, name[:9]
        assert page.evaluate("document.documentElement.scrollWidth") == 320, name[:9]


def test_usernames_are_shown_whole(open_page: OpenPage) -> None:
    """A username, which is one person's alone, is there to the closing bracket, on a small screen too."""
    page = open_page(viewport={"width": 320, "height": 568})
    page.goto(confirm({**proof(page, ALICE), "username": "w" * 32}))
    shown = page.get_by_role("heading").locator(".whole")
    expect(shown).to_have_text(f"(@{'w' * 32})")
    assert (
        shown.evaluate("(node) => node.scrollWidth <= node.clientWidth && getComputedStyle(node).overflow")
        == "visible"
    )
    inside = page.locator("#card").bounding_box()
    box = shown.bounding_box()
    assert inside["x"] <= box["x"]
    assert box["x"] + box["width"] <= inside["x"] + inside["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == 320


GARBLED = [
    "x",
    "=",
    "%",
    "%FF=%FF",
    "__proto__=1",
    f"{urlencode(GOOD)}&id=2",
    f"{urlencode(GOOD)}&hash=x",
    *(urlencode({**GOOD, name: ""}) for name in ("id", "auth_date", "hash")),
    urlencode({**GOOD, "id": "1 CALL +1 555"}),
    urlencode({**GOOD, "auth_date": "soon"}),
    urlencode({**GOOD, "hash": "x"}),
    "tgAuthResult=ZmFsc2U",
]


def test_garbled_links(page: Page) -> None:
    """What cannot be a login of Telegram's is explained, with a way on, and nothing is posted."""
    sent = posts(page)
    for fragment in GARBLED:
        page.goto("about:blank")
        page.goto(f"/confirm.html#{fragment}")
        expect(page.get_by_role("heading"), fragment).to_have_text("That request was damaged")
        expect(page.get_by_role("link", name="Go to the login page")).to_be_visible()
        expect(page.get_by_role("button", name="Log in")).to_be_hidden()
        assert page.title() == "That request was damaged · localhost"
        assert (sent, urlsplit(page.url).fragment) == ([], ""), fragment


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"first_name": "a" * 63 + "🦊 AND CALL", "last_name": "b" * 65}, f"{'a' * 63}🦊 {'b' * 64}"),
        ({"username": "call now!"}, "A"),
        ({"username": "w" * 33, "photo_url": "javascript:1", "phone": "call now!", "constructor": "x"}, "A"),
    ],
)
def test_no_more_is_shown_than_telegrams_fields_can_be(
    page: Page, fields: dict[str, str], shown: str
) -> None:
    """What a link's author writes is shown as far as it could be somebody's name, and nothing else of it."""
    page.goto(confirm({**GOOD, **fields}))
    expect(page.get_by_role("heading")).to_have_text(f"Log in to localhost as {shown}?")


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"first_name": ""}, "Telegram 1"),
        ({"first_name": "", "last_name": "Ng"}, "Ng"),
        ({"first_name": " \u202e\u00ad\ufeff\U000e0020"}, "Telegram 1"),
        ({"first_name": "\u3164A", "username": "ann"}, "\u3164A (@ann)"),
        ({"first_name": "Ann\x9ca\x85\x7f"}, "Ann\x9ca\x85\x7f"),
    ],
)
def test_whom_the_question_names(page: Page, fields: dict[str, str], shown: str) -> None:
    """Somebody whose name has nothing to see in it is called by the id; characters nobody sees do no harm."""
    page.goto(confirm({**GOOD, **fields}))
    expect(page.get_by_role("heading")).to_have_text(f"Log in to localhost as {shown}?")


def test_people_without_a_visible_name(page: Page) -> None:
    """Who has no name to see is called by the username wherever a name is shown."""
    names = {"first_name": "\u3164", "last_name": "\u2800\u200b", "username": "ann"}
    fields = {"id": 42, "auth_date": int(time.time()), **names}
    page.goto(widget_link(sign_widget(fields, DEVELOPMENT_BOT_TOKEN)))
    expect(page.get_by_role("heading")).to_have_text("Log in to localhost as @ann?")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    expect(page.locator("#name")).to_have_text("@ann")
    expect(page.locator("#username")).to_be_hidden()
    assert page.locator("#avatar").inner_text()
    page.goto("/devices.html")
    expect(page.get_by_text("@ann, here are your sessions")).to_be_visible()
    page.goto(widget_link(proof(page, ALICE)))
    expect(page.get_by_text("You are logged in as @ann now.")).to_be_visible()


def test_a_field_that_telegram_may_come_to_sign(page: Page) -> None:
    """It goes with the others to this page and from here to the API, whose check it is part of."""
    fields = {"id": 43, "first_name": "Ann", "auth_date": int(time.time()), "allows_write_to_pm": "true"}
    page.goto(widget_link(sign_widget(fields, DEVELOPMENT_BOT_TOKEN), return_to="/"))
    expect(page.get_by_role("heading")).to_have_text("Log in to localhost as Ann?")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Ann", exact=True)).to_be_visible()


def test_forged_links(page: Page) -> None:
    """What Telegram did not sign asks, since nothing is verified yet, and is refused at the click."""
    page.goto(confirm({**proof(page, ALICE), "first_name": "Mallory"}, "?return_to=/nothing"))
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="This login was not accepted")).to_be_focused()
    expect(page.get_by_text("Reference: dev1::")).to_be_visible()
    expect(page.get_by_role("button", name="Log in")).to_be_hidden()
    assert page.context.cookies() == []
    page.get_by_role("link", name="Go to the login page").click()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    assert urlsplit(page.url).query == "return_to=%2Fnothing"


def test_trouble_leaves_the_question(page: Page) -> None:
    """When the API could not take the login just then, the button tries it again."""
    trouble(page, "login", 503, "store_unavailable")
    page.goto(confirm(proof(page, ALICE)))
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("This site cannot let you in just now")
    expect(page.get_by_role("button", name="Log in")).to_be_focused()
    page.unroute("**/telegram/login")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Alice Johnson", exact=True)).to_be_visible()


def test_question_without_knowing_who_is_logged_in(page: Page) -> None:
    """Where the API cannot say who is logged in, the question is asked all the same."""
    trouble(page, "verify", 503, "store_unavailable")
    page.goto(confirm(proof(page, ALICE)))
    expect(page.get_by_role("heading")).to_have_text(QUESTION)


def test_question_while_it_takes_long_to_know(page: Page) -> None:
    """Where the API does not answer who is logged in, the question waits for it three seconds and no more."""
    page.route("**/telegram/verify", lambda _: None)
    began = time.monotonic()
    page.goto(confirm(proof(page, ALICE)))
    expect(page.get_by_role("heading")).to_have_text(QUESTION, timeout=10_000)
    assert 2.5 < time.monotonic() - began < 8
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")
