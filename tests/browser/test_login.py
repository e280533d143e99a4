"""The login page in a real browser, from the button to Telegram and back."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from dev.process import Server
from dev.signing import tg_auth_result

pytestmark = pytest.mark.browser


def start(page: Page) -> str:
    """Press the button; the address that the simulated Telegram will return to."""
    page.get_by_role("button", name="Log in with Telegram").click()
    page.wait_for_url("**/_telegram/auth?*")
    return parse_qs(urlsplit(page.url).query)["return_to"][0]


def log_in(page: Page, name: str = "Alice") -> None:
    page.goto("/")
    start(page)
    page.get_by_role("link", name=f"Log in as {name}").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def verify(page: Page) -> int:
    """What the API says about this browser's cookies."""
    return page.request.get("/telegram/verify").status


def test_log_in_reload_log_out(page: Page) -> None:
    """A login shows the person, lasts over a reload, and ends with the button."""
    log_in(page)
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_focused()
    expect(page.get_by_text("@alice_dev")).to_be_visible()
    expect(page.get_by_text("Logged in with Telegram")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("You are logged in as Alice Johnson.")
    assert verify(page) == 200

    page.reload()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    assert page.context.cookies() == []
    assert verify(page) == 401


def test_proof_leaves_the_address_and_the_history(page: Page) -> None:
    """After the return from Telegram neither the proof nor the state is left in the address."""
    log_in(page)
    assert urlsplit(page.url)[2:] == ("/", "", "")
    assert page.evaluate("JSON.stringify([history.state, sessionStorage])") == "[null,{}]"


def test_session_cookie(page: Page) -> None:
    """The session travels in a cookie that scripts and other sites' requests cannot use."""
    log_in(page)
    (cookie,) = page.context.cookies()
    assert cookie["name"] == "tgauth"
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["domain"] == "localhost"
    assert page.evaluate("document.cookie") == ""


def test_cancel(page: Page) -> None:
    """Who cancels at Telegram is told so kindly and can start again."""
    page.goto("/")
    start(page)
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("Login cancelled")
    assert page.context.cookies() == []
    start(page)


@pytest.mark.parametrize("state", ["", "?state=planted"])
def test_planted_login_logs_nobody_in(page: Page, state: str) -> None:
    """A link with a genuine proof of somebody else's opens no session: this browser did not ask for it."""
    proof = page.request.get("/_telegram/widget?user=100000007").json()
    page.goto(f"/{state}#tgAuthResult={tg_auth_result(proof)}")
    expect(page.get_by_role("alert")).to_contain_text("This login did not start here")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    assert "tgAuthResult" not in page.url
    assert page.context.cookies() == []


def test_planted_login_leaves_the_session_alone(page: Page) -> None:
    """Whoever is logged in stays so, as themselves, when a planted link is opened."""
    log_in(page)
    proof = page.request.get("/_telegram/widget?user=100000007").json()
    page.goto(f"/?state=planted#tgAuthResult={tg_auth_result(proof)}")
    expect(page.get_by_role("alert")).to_contain_text("This login did not start here")
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()


def test_state_works_once(page: Page) -> None:
    """The address that logged somebody in does nothing when it is opened again."""
    page.goto("/")
    return_to = start(page)
    proof = page.request.get("/_telegram/widget?user=100000001").json()
    address = f"{return_to}#tgAuthResult={tg_auth_result(proof)}"
    page.goto(address)
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    page.goto(address)
    expect(page.get_by_role("alert")).to_contain_text("This login did not start here")


def test_expired_and_used_proofs(page: Page) -> None:
    """A proof that is too old or was used says so and leaves the way to a new one."""
    old = page.request.get("/_telegram/widget?user=100000001&age=600").json()
    used = page.request.get("/_telegram/widget?user=100000003").json()
    page.request.post("/telegram/login", data={"widget": used, "transport": "bearer"})
    page.goto("/")
    for proof in (old, used):
        return_to = start(page)
        page.goto(f"{return_to}#tgAuthResult={tg_auth_result(proof)}")
        expect(page.get_by_role("alert")).to_contain_text("This login has expired")
        assert page.context.cookies() == []


@pytest.mark.parametrize("result", ["!", "bm90IGpzb24", "_w", "bnVsbA", "MQ", "W10"])
def test_damaged_results(page: Page, result: str) -> None:
    """What does not decode, or is no login, is reported and not thrown."""
    page.route(
        "**/telegram/login", lambda route: route.fulfill(status=401, json={"code": "malformed_request"})
    )
    page.goto("/")
    return_to = start(page)
    page.goto(f"{return_to}#tgAuthResult={result}")
    expect(page.get_by_role("alert")).to_contain_text("That request was damaged")


@pytest.mark.parametrize(
    ("photo", "images", "initials"),
    [('<svg xmlns="http://www.w3.org/2000/svg"/>', 1, ""), ("no image", 0, "AL")],
    ids=["loads", "fails"],
)
def test_photo(page: Page, photo: str, images: int, initials: str) -> None:
    """The avatar is the person's photo, or their initials where it does not load."""
    address = "https://t.me/i/userpic/320/ada.svg"
    user = {"id": 42, "first_name": "ada", "last_name": "Lovelace", "photo_url": address}
    session = {"id": "s", "created_at": 1, "expires_at": 2, "method": "widget", "transport": "cookie"}
    # Sessions in memory keep no photo, so the answer is one of a shared store's.
    page.route("**/telegram/verify", lambda route: route.fulfill(json={"user": user, "session": session}))
    page.route(address, lambda route: route.fulfill(content_type="image/svg+xml", body=photo))
    with page.expect_request_finished(lambda request: request.url == address):
        page.goto("/")
    expect(page.locator("#avatar img")).to_have_count(images)
    expect(page.locator("#avatar")).to_have_text(initials)


def test_api_trouble_is_not_a_logout(page: Page) -> None:
    """When the API cannot say who is logged in, the page says so and offers to try again."""
    log_in(page)
    trouble = {"code": "store_unavailable", "request_id": "dev1::42"}
    page.route("**/telegram/verify", lambda route: route.fulfill(status=503, json=trouble))
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("Sessions cannot be reached")
    expect(page.get_by_role("alert")).to_contain_text("dev1::42")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_hidden()
    page.unroute("**/telegram/verify")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()


def test_other_address_of_the_site(page: Page, server: Server) -> None:
    """On an address that Telegram does not know, the button leads to the one it knows."""
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.get_by_role("button", name="Log in with Telegram").click()
    expect(page.get_by_role("alert")).to_contain_text("Login is at another address")
    page.get_by_role("link", name=f"Continue at localhost:{server.port}").click()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    start(page)


def test_forbidden_storage(page: Page) -> None:
    """Where the browser forbids storage, the button says what to allow instead of going to Telegram."""
    forbidden = "get() { throw new DOMException('Access is denied for this document.', 'SecurityError'); }"
    page.add_init_script(f"Object.defineProperty(window, 'sessionStorage', {{ {forbidden} }})")
    page.goto("/")
    page.get_by_role("button", name="Log in with Telegram").click()
    expect(page.get_by_role("alert")).to_contain_text("Allow cookies and site data for this site")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_focused()


def test_errors_of_the_page_itself(page: Page) -> None:
    """An error that is not the API's gets the general text and goes to the console."""
    page.add_init_script("window.fetch = () => Promise.resolve({ ok: true, status: 204 })")
    page.add_init_script("console.error = (error) => { window.printed = error; }")
    page.goto("/")
    expect(page.get_by_role("alert")).to_contain_text("Something went wrong")
    assert page.evaluate("window.printed instanceof TypeError")


def test_keyboard_alone(page: Page) -> None:
    """The first Tab reaches the button, and Enter presses it."""
    page.goto("/")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/_telegram/auth?*")


def test_back_from_telegram_can_start_again(page: Page) -> None:
    """Who comes back with the browser's Back button finds a page that works."""
    page.goto("/")
    start(page)
    page.go_back()
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_enabled()
    start(page)


def test_simulation_is_named(page: Page) -> None:
    """In development the page says that Telegram is simulated, and links to it."""
    page.goto("/")
    page.get_by_role("link", name="See its users").click()
    expect(page.get_by_text("Simulated Telegram: local development only")).to_be_visible()


def test_real_telegram_is_not_called_simulated(page: Page) -> None:
    """Where logins go to another origin, there is no word of a simulation."""
    real = {"methods": ["widget"], "widget_auth_url": "https://oauth.telegram.org/auth", "state": "s"}
    page.route("**/telegram/start", lambda route: route.fulfill(json=real))
    with page.expect_response("**/telegram/start"):
        page.goto("/")
    expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
    expect(page.get_by_role("link", name="See its users")).to_be_hidden()
