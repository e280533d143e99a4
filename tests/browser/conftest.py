"""Chromium and a development server for the browser tests."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from dev.process import Server, running

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or a skip that says what is missing."""
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "Chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # Going back must be tried as people's browsers do it, and Playwright turns that off.
        browser = playwright.chromium.launch(
            executable_path=chromium, args=ARGUMENTS, ignore_default_args=["--disable-back-forward-cache"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The project itself, with the simulated Telegram."""
    with running() as started:
        yield started


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[OpenPage]:
    """`open_page(locale=…, …)`: a page in a browser profile of its own.

    At the end of the test no page may have raised, complained in the console or violated its policy. An
    error that the API answered is no complaint, and neither is the 404 of /nothing: browsers print every
    such answer, and asking who is logged in is answered 401 when nobody is.
    """
    complaints: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        expected = any(part in message.location["url"] for part in ("/telegram/", "/nothing"))
        answered = expected and "responded with a status of" in message.text
        if message.type in {"error", "warning"} and not answered:
            complaints.append(message.text)

    def make(**options: object) -> Page:
        context = browser.new_context(base_url=server.origin, **{"locale": "en-US", **options})  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A page of an English desktop browser."""
    return open_page()
