"""Chromium and a development server for the browser tests."""

import shutil
import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Playwright, sync_playwright

from dev.serve.process import Server, running
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN
from tests.contract.tools import lacks

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

RELAY_SECRET = "the-relay-secret-of-the-tests-and-of-nothing-else"

OpenPage = Callable[..., Page]


class Relay(NamedTuple):
    """Production, and a preview that logs people in through it."""

    production: Server
    preview: Server


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """It can be started once in a process."""
    with sync_playwright() as started:
        yield started


def launched(playwright: Playwright, *names: str) -> Iterator[Browser]:
    """The first of these that is installed, or a skip that says what is missing."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        lacks(f"Chromium is not installed (Debian: apt-get install {names[0]})")
    # Going back must be tried as people's browsers do it, and Playwright turns that off.
    browser = playwright.chromium.launch(
        executable_path=found, args=ARGUMENTS, ignore_default_args=["--disable-back-forward-cache"]
    )
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium without windows, which takes half as long; or the whole of it, where that is all there is."""
    yield from launched(playwright, "chromium-headless-shell", "chromium")


@pytest.fixture(scope="session")
def whole_browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium as people have it: it keeps pages for going back, which the shell does not."""
    yield from launched(playwright, "chromium")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The project itself, with the simulated Telegram."""
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def widget_server() -> Iterator[Server]:
    """The project as it is set up without a client secret: people log in with the widget alone."""
    with running(env={"TELEGRAM_BOT_TOKEN": DEVELOPMENT_BOT_TOKEN}) as started:
        yield started


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """The project with a Redis, which ending sessions of other devices needs."""
    with running(store="upstash") as started:
        yield started


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def relay() -> Iterator[Relay]:
    """Production, and a preview without a bot token, whose sessions are in memory.

    Production is no production to itself, or it would refuse the simulated Telegram's bot.
    """
    # Each must know the other's address before it starts.
    port = free_port()
    secret = {"AUTH_RELAY_SECRET": RELAY_SECRET}
    asking = {"AUTH_RELAY_HOSTS": f"*.example.com,preview.localhost:{port}"}
    with running(env={**secret, **asking}, host="prod.localhost", store="upstash") as production:
        bot = {"TELEGRAM_BOT_ID": "42", "AUTH_SECRET": "the-secret-of-the-preview-alone-0"}
        asked = {"VERCEL_ENV": "preview", "AUTH_RELAY_URL": production.origin}
        with running(env={**secret, **bot, **asked}, host="preview.localhost", port=port) as preview:
            yield Relay(production, preview)


@pytest.fixture
def open_page(request: pytest.FixtureRequest, server: Server) -> Iterator[OpenPage]:
    """`open_page(locale=…, …)`: a page in a browser profile of its own; with `base_url` on another server.

    At the end of the test no page may have raised, shown a dialog, complained in the console or violated its
    policy. An error that the API answered is no complaint, and neither is the 404 of /nothing: browsers print
    every such answer, and asking who is logged in is answered 401 when nobody is.
    """
    whole = request.node.get_closest_marker("whole_browser")
    browser: Browser = request.getfixturevalue("whole_browser" if whole else "browser")
    complaints: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        expected = any(
            part in message.location["url"]
            for part in ("/telegram/", "/_telegram/simulated.json", "/nothing")
        )
        answered = expected and "responded with a status of" in message.text
        if message.type in {"error", "warning"} and not answered:
            complaints.append(message.text)

    def asked(dialog: Dialog) -> None:
        complaints.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    def make(**options: object) -> Page:
        context = browser.new_context(**{"base_url": server.origin, "locale": "en-US", **options})  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        contexts.append(context)
        context.on("console", heard)
        context.on("weberror", lambda raised: complaints.append(str(raised.error)))
        context.on("dialog", asked)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A page of an English desktop browser."""
    return open_page()


@pytest.fixture
def widget_page(open_page: OpenPage, widget_server: Server) -> Page:
    """A page where people log in with the widget."""
    return open_page(base_url=widget_server.origin)


@pytest.fixture(params=["server", "widget_server"], ids=["oidc", "widget"])
def either_page(request: pytest.FixtureRequest, open_page: OpenPage) -> Page:
    """A page of each set-up: what a test says with it holds for both ways through Telegram."""
    return open_page(base_url=request.getfixturevalue(request.param).origin)
