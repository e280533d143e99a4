"""Everything that the pages can show, for the tests that hold for all of it."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from playwright.sync_api import Page, Route, expect

ADA = {"id": 1, "first_name": "Ada", "last_name": "Lovelace", "username": "ada"}
LONG_NAMED = {"id": 2, "first_name": "W" * 64, "last_name": "w" * 64, "username": "w" * 32}
SESSION = {"id": "s", "created_at": 1, "expires_at": 2, "method": "widget", "transport": "cookie"}
LINK = f"id=2&first_name=Bobby&username=bobby&auth_date=1&hash={'0' * 64}"
TROUBLE = (503, {"code": "store_unavailable", "request_id": "dev1::42"})
LONG_HOST = f"{'a' * 63}.{'b-' * 31}b.{'c' * 63}.vercel.app:65535"
KEPT_OUT = (403, {"code": "not_allowed", "request_id": "dev1::42", "user": ADA})
OUTSIDER = (403, {"code": "membership_required", "request_id": "dev1::42", "link": "https://t.me/some_chat"})
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; wv) AppleWebKit/537.36 Chrome/150.0 Telegram-Android/11.3.3",
    f"curl/{'8' * 180}",
    "",
)

Answer = tuple[int, Any]


def devices() -> Answer:
    """A list of sessions with one of each kind in it."""
    now = int(time.time())
    methods = ("oidc", "webapp", "widget", "relay")
    return 200, {
        "sessions": [
            {
                "id": f"{index:016}",
                "created_at": now - 90_000 * index,
                "last_seen": now - 8_000 * index,
                "expires_at": now + 90_000,
                "method": method,
                "user_agent": agent,
                "country": "DE",
                "current": index == 0,
            }
            for index, (agent, method) in enumerate(zip(AGENTS, methods, strict=True))
        ]
    }


LOGGED_IN: Answer = (200, {"user": ADA, "session": SESSION})
NOBODY: Answer = (401, {"code": "unauthenticated"})


def end_all(page: Page) -> None:
    page.locator("#all-button").click()
    page.locator("#yes-button").click()


class State(NamedTuple):
    """One view: its address, what is to be seen when it is there, and how it comes about."""

    path: str
    shown: str
    verify: Answer = NOBODY
    answers: Mapping[str, Answer] = {}
    act: Callable[[Page], object] = id


STATES = {
    "login": State("/", "#login-button"),
    "login-cancelled": State("/?state=x#tgAuthResult=ZmFsc2U", "#notice"),
    "login-trouble": State("/", "#away", TROUBLE),
    "login-kept-out": State("/?state=x#tgAuthResult=e30", "#notice", answers={"LOGIN": KEPT_OUT}),
    "login-outsider": State("/?state=x#tgAuthResult=e30", "#notice", answers={"LOGIN": OUTSIDER}),
    "mini-app": State("/#tgWebAppData=x", "#question"),
    "account": State("/?return_to=/nothing", "#devices-link", LOGGED_IN),
    "account-long": State("/", "#devices-link", (200, {"user": LONG_NAMED, "session": SESSION})),
    "confirm": State(f"/confirm.html#{LINK}", "#replaces", LOGGED_IN),
    "confirm-refused": State("/confirm.html", "#refusal"),
    "relay": State(f"/relay.html?ticket={LONG_HOST}~x", "#question"),
    "relay-logged-in": State("/relay.html?ticket=app-git-fix-team.example.com~x", "#question", LOGGED_IN),
    "relay-refused": State("/relay.html", "#refusal"),
    "relay-trouble": State("/relay.html?ticket=app-git-fix-team.example.com~x", "#away", TROUBLE),
    "devices": State("/devices.html", "#list", LOGGED_IN),
    "devices-trouble": State("/devices.html", "#away", LOGGED_IN, {"GET": TROUBLE}),
    "devices-asked": State(
        "/devices.html", "#dialog", LOGGED_IN, act=lambda page: page.locator("#end-1").click()
    ),
    "devices-refused": State("/devices.html", "#dialog #notice", LOGGED_IN, {"DELETE": TROUBLE}, end_all),
    "devices-done": State("/devices.html", "#done", LOGGED_IN, {"DELETE": (204, None)}, end_all),
    "error": State(f"/error.html?code=misconfigured&reference={'x' * 128}", "#reference"),
    "not-found": State("/nothing", "#advice"),
}


def show(page: Page, state: State) -> None:
    """Have this page show it, with the API's answers that it takes."""
    page.unroute_all()
    answers = {"GET": devices(), **state.answers}

    def fulfil(route: Route, answer: Answer) -> None:
        status, body = answer
        route.fulfill(status=status, json=body) if body is not None else route.fulfill(status=status)

    # In development a line about that comes when it comes.
    page.route("**/_telegram/simulated.json", lambda route: route.fulfill(json={"simulated": False}))
    page.route("**/telegram/verify", lambda route: fulfil(route, state.verify))
    page.route("**/telegram/login", lambda route: fulfil(route, answers["LOGIN"]))
    page.route("**/telegram/sessions*", lambda route: fulfil(route, answers[route.request.method]))
    # Addresses that differ in the fragment only would not load.
    page.goto("about:blank")
    page.goto(state.path)
    expect(page.locator("h1:visible, #notice h2:visible").first).to_be_visible()
    state.act(page)
    expect(page.locator(state.shown)).to_be_visible()
