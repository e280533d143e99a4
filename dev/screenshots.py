"""Take the pictures of the pages that the README files show: `make screenshots` writes docs/images/*.png.

People, times and the browser's clock are fixed, so a page that did not change gives the same picture again on
the same machine. Needs Chromium.
"""

import json
import shutil
import sys
from collections.abc import Callable
from urllib.parse import urlencode

from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from dev.serve.process import ROOT, running

IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 60_000
# Grey edges of letters are the same on every screen, and compress better than coloured ones.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-lcd-text"]

ALICE, MARIA = 100000001, 100000002
PEOPLE = {"en": ALICE, "ru": MARIA}
LOCALES = {"en": "en-US", "ru": "ru-RU"}
PREVIEW = "app-git-fix-team.vercel.app"

NOW = 1795383134  # 22 November 2026, as in docs/API.md
HOUR, DAY = 3600, 24 * 3600
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.1 Mobile/15E148 Safari/604.1"
)
HERE = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
# Where each of them logged in, how long ago, and how long ago it was last used.
DEVICES = {
    PHONE: ("RS", 12 * DAY, 3 * HOUR),
    HERE: ("KZ", HOUR, 0),
}

type Shot = Callable[[Page, int], None]


def login(page: Page, _: int) -> None:
    """The login page, as somebody finds it who is not logged in."""
    page.goto("/")
    expect(page.locator("#login-button")).to_be_visible()


def confirm(page: Page, user: int) -> None:
    """The page that asks before a link from a chat logs anybody in."""
    page.goto(f"/confirm.html#{urlencode(proof(page, user))}")
    expect(page.locator("#confirm-button")).to_be_visible()


def account(page: Page, user: int) -> None:
    """The login page, once somebody is logged in."""
    log_in(page, user)
    page.goto("/")
    expect(page.locator("#logout-button")).to_be_visible()


def devices(page: Page, user: int) -> None:
    """Where somebody is logged in: here, and on a phone."""
    for number, (agent, (country, *_)) in enumerate(DEVICES.items()):
        # Seconds apart, or it would be the same proof, which does not log in twice.
        age = 10 * number
        headers = {"User-Agent": agent, "X-Vercel-IP-Country": country}
        log_in(page, user, age=age, headers=headers, transport="cookie" if agent == HERE else "bearer")
    page.goto("/devices.html")
    expect(page.get_by_text("iPhone")).to_be_visible()


def relay(page: Page, user: int) -> None:
    """Production, which is asked by a preview who somebody is."""
    log_in(page, user)
    page.goto(f"/relay.html?ticket={PREVIEW}~state~challenge~{NOW}.signature")
    expect(page.locator("#continue-button")).to_be_visible()


def error(page: Page, _: int) -> None:
    """What went wrong with a login, and the id that the owner finds in the log."""
    page.goto("/error.html?code=login_stale&reference=fra1::7k2mq-1795383134")
    expect(page.locator("#reference")).to_be_visible()


SHOTS: dict[str, Shot] = {
    "login": login,
    "confirm": confirm,
    "account": account,
    "devices": devices,
    "relay": relay,
    "error": error,
}


def proof(page: Page, user: int, age: int = 0) -> dict[str, str]:
    """What Telegram's widget says of a sample user, so many seconds ago."""
    fields: dict[str, str] = page.request.get(f"/_telegram/widget?user={user}&age={age}").json()
    return fields


def log_in(
    page: Page, user: int, *, age: int = 0, headers: dict[str, str] | None = None, transport: str = "cookie"
) -> None:
    """Log in without the pages; in a cookie the browser then has the session."""
    answer = page.request.post(
        "/telegram/login",
        data={"widget": proof(page, user, age), "transport": transport},
        headers={"Sec-Fetch-Site": "same-origin", **(headers or {})},
    )
    if not answer.ok:
        raise RuntimeError(f"cannot log in: {answer.text()}")


def fixed_session(route: Route) -> None:
    """The API's answer to who is logged in, as if they had logged in at a fixed time."""
    answer = route.fetch()
    value = answer.json()
    if answer.ok:
        value["session"] |= {"created_at": NOW - HOUR, "expires_at": NOW - HOUR + 30 * DAY}
    route.fulfill(response=answer, body=json.dumps(value))


def fixed_sessions(route: Route) -> None:
    """The API's list of sessions, with fixed times; the agent says which device each is."""
    answer = route.fetch()
    value = answer.json()
    for session in value.get("sessions", []):
        _, created, used = DEVICES[session["user_agent"]]
        session |= {
            "created_at": NOW - created,
            "last_seen": NOW - used,
            "expires_at": NOW - used + 30 * DAY,
        }
    route.fulfill(response=answer, body=json.dumps(value))


def prepared(browser: Browser, origin: str, language: str, scheme: str) -> BrowserContext:
    """A browser profile in which everything that could differ from run to run is fixed."""
    context = browser.new_context(
        base_url=origin,
        locale=LOCALES[language],
        timezone_id="UTC",
        color_scheme=scheme,  # type: ignore[arg-type]  # "light" or "dark"
        reduced_motion="reduce",
        user_agent=HERE,
        viewport={"width": 400, "height": 640},
    )
    context.set_default_timeout(10_000)
    context.clock.set_fixed_time(NOW)
    context.route("**/telegram/verify", fixed_session)
    context.route("**/telegram/sessions", fixed_sessions)
    # Without it the login page does not say that Telegram is simulated, as it does not when deployed.
    context.route("**/_telegram/simulated.json", lambda route: route.fulfill(status=404, body="{}"))
    return context


def take(browser: Browser, name: str, language: str, scheme: str) -> None:
    """Write one picture, from a server of its own: nothing is left there of another."""
    file = IMAGES / f"{name}-{language}-{scheme}.png"
    # A store lists the sessions of all functions; without one each has its own.
    with running(store="upstash") as server, prepared(browser, server.origin, language, scheme) as context:
        page = context.new_page()
        SHOTS[name](page, PEOPLE[language])
        page.wait_for_load_state("networkidle")
        page.screenshot(path=file, animations="disabled", caret="hide", full_page=True)
    size = file.stat().st_size
    print(f"{file.relative_to(ROOT)}  {size} bytes")
    if size > MOST_BYTES:
        raise RuntimeError(f"{file.name} is too large; {MOST_BYTES} bytes are the most")


def main() -> int:
    """Take all of them; the exit code."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is not installed (Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for name in SHOTS:
            for language in PEOPLE:
                for scheme in ("light", "dark"):
                    take(browser, name, language, scheme)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
