"""What people do in the browser tests, and what Telegram and their cookies say about it."""

from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from playwright.sync_api import Page, expect

from tests.site import OWN_PAGE

ALICE, MARIA, MEI, BOBBY = 100000001, 100000002, 100000003, 100000007


def start(page: Page) -> None:
    """Press the login page's button; Telegram then asks who it is."""
    page.get_by_role("button", name="Log in with Telegram").click()
    page.wait_for_url("**/_telegram/auth?*")


def pick(page: Page, name: str) -> None:
    """Be this sample user at Telegram."""
    page.get_by_role("link", name=f"Log in as {name}", exact=True).click()


def log_in(page: Page, name: str = "Alice") -> None:
    """Log in from the login page to the end."""
    page.goto("/")
    start(page)
    pick(page, name)
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def proof(page: Page, user: int, **query: int) -> dict[str, Any]:
    """The fields with which Telegram's widget confirms this user."""
    answer: dict[str, Any] = page.request.get(
        f"/_telegram/widget?{urlencode({'user': user, **query})}"
    ).json()
    return answer


def cookie_login(page: Page, user: int = ALICE) -> None:
    """Log this browser in, without any page."""
    assert page.request.post("/telegram/login", data={"widget": proof(page, user)}, headers=OWN_PAGE).ok


def launch(page: Page, user: int, **query: int) -> str:
    """The fragment of the address with which Telegram opens a Mini App for this user."""
    answer = page.request.get(f"/_telegram/init_data?{urlencode({'user': user, **query})}").json()
    return f"#tgWebAppData={quote(answer['init_data'], safe='')}&tgWebAppVersion=8.0&tgWebAppPlatform=web"


def widget_link(fields: dict[str, Any], **query: str) -> str:
    """Where the widget and a chat's login button send the browser."""
    return f"/telegram/login?{urlencode({**fields, **query})}"


def begin(page: Page, **body: str) -> dict[str, Any]:
    """What the login page gets when it begins a login in this browser."""
    answer: dict[str, Any] = page.request.post("/telegram/start", data=body, headers=OWN_PAGE).json()
    return answer


def callback_link(page: Page, user: int, **body: str) -> str:
    """Where Telegram sends this browser back to, once the user agreed to a login that was begun in it."""
    address = f"{begin(page, **body)['oidc_url']}&user={user}"
    return page.request.get(address, max_redirects=0).headers["location"]


def user_id(page: Page) -> int | None:
    """Who is logged in, as the API says for this browser's cookies."""
    answer = page.request.get("/telegram/verify")
    assert answer.status in (200, 401)
    return answer.json()["user"]["id"] if answer.ok else None


def session_cookies(page: Page) -> list[str]:
    """The session cookies that this browser has."""
    return [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "tgauth"]


def posts(page: Page) -> list[str]:
    """The paths that the page posts to from now on."""
    sent: list[str] = []
    page.on("request", lambda made: made.method == "POST" and sent.append(urlsplit(made.url).path))
    return sent


def trouble(page: Page, endpoint: str, status: int, code: str) -> None:
    """Have the API answer this endpoint's requests with a problem from now on."""
    problem = {"code": code, "request_id": "dev1::42"}
    page.route(f"**/telegram/{endpoint}", lambda route: route.fulfill(status=status, json=problem))


def addresses(page: Page) -> list[str]:
    """What the tab's history holds, besides Telegram's own pages."""
    entries = page.context.new_cdp_session(page).send("Page.getNavigationHistory")["entries"]
    return [entry["url"] for entry in entries if "/_telegram/" not in entry["url"]]
