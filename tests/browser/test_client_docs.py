"""The pages of docs/API.md that use public/tgauth.js, as they stand there."""

import html
import json
import re
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.browser.clients import ANDROID
from tests.browser.conftest import OpenPage
from tests.browser.steps import ALICE, MARIA, user_id

pytestmark = pytest.mark.browser

API = (Path(__file__).parents[2] / "docs/API.md").read_text("utf-8")
# Telegram's script, as far as the page that uses it can see.
LOGIN = (
    "window.Telegram = { Login: { auth(options, answer) { Object.assign(window, { options, answer }); } } };"
)
WEB_APP = """
const initData = new URLSearchParams(location.hash.slice(1)).get("tgWebAppData");
window.Telegram = { WebApp: { initData } };
"""


def blocks(heading: str, language: str) -> list[str]:
    """The code blocks in this language below this heading of docs/API.md."""
    section = re.split(r"^##+ ", API.partition(f"\n### {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def serve(page: Page, path: str, body: str, content_type: str) -> None:
    page.route(path, lambda route: route.fulfill(body=body, content_type=f"{content_type}; charset=utf-8"))


@pytest.fixture
def popup(page: Page) -> Page:
    """The page with the popup, whose button works."""
    (markup,), (script,) = blocks("A popup", "html"), blocks("A popup", "js")
    serve(page, "https://oauth.telegram.org/js/*", LOGIN, "text/javascript")
    serve(page, "**/popup.js", script, "text/javascript")
    serve(page, "**/account", "<!doctype html><title>Account</title>", "text/html")
    serve(page, "**/own", f"<!doctype html>{markup}", "text/html")
    page.goto("/own")
    page.get_by_role("button", name="Log in with Telegram").click()
    return page


def answer(page: Page, user: int) -> str:
    """The id_token that Telegram's popup gives for this user, for the nonce that was asked with."""
    options = page.evaluate("options")
    query = {"response_type": "post_message", "redirect_uri": page.url, "scope": "openid profile"}
    asked = {**query, "client_id": options["client_id"], "nonce": options["nonce"], "user": user}
    shown = page.request.get(f"/_telegram/auth?{urlencode(asked)}").text()
    message = re.search(r'data-message="(.*?)"', shown)
    assert message
    return str(json.loads(html.unescape(message[1]))["result"])


def test_popup(popup: Page) -> None:
    """A good answer logs in and leads on."""
    popup.evaluate("(token) => void answer({ id_token: token })", answer(popup, ALICE))
    popup.wait_for_url("**/account")
    assert user_id(popup) == ALICE


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("undefined", "That did not work: no answer"),
        ("{ error: 'popup_closed' }", "That did not work: popup_closed"),
        ("{ id_token: 'a.b.c' }", "That did not work: login_rejected"),
    ],
)
def test_popup_that_fails(popup: Page, data: str, shown: str) -> None:
    """What went wrong is said, and the next click can work."""
    with popup.expect_response("**/telegram/start"):
        popup.evaluate(f"void answer({data})")
    expect(popup.get_by_role("status")).to_have_text(shown)
    assert user_id(popup) is None
    popup.get_by_role("button", name="Log in with Telegram").click()
    expect(popup.get_by_role("status")).to_have_text("")
    popup.evaluate("(token) => void answer({ id_token: token })", answer(popup, ALICE))
    popup.wait_for_url("**/account")


def test_mini_app(open_page: OpenPage) -> None:
    """The few lines greet who opened it."""
    page = open_page()
    page.add_init_script(ANDROID)
    (markup,) = blocks("A Mini App", "html")
    serve(page, "https://telegram.org/js/*", WEB_APP, "text/javascript")
    serve(page, "**/own", f"<!doctype html>{markup}", "text/html")
    init_data = page.request.get(f"/_telegram/init_data?user={MARIA}").json()["init_data"]
    page.goto(f"/own#tgWebAppData={quote(init_data, safe='')}")
    expect(page).to_have_title("Мария")
