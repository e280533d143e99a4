"""Logins where something stands between the page and the site: a service worker, or a proxy."""

from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from playwright.sync_api import expect

from dev.serve.process import running
from tests.browser.conftest import OpenPage
from tests.browser.front import Answers, Reply, front
from tests.browser.steps import log_in

pytestmark = pytest.mark.browser

CASE = Path(__file__).parents[1] / "cases/platform/02_www.md"

# As next-pwa and the usual offline snippets do.
WORKER = """
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate") event.respondWith(fetch(event.request));
});
"""
REGISTER = """async () => {
  const workers = navigator.serviceWorker;
  const controlled = new Promise((done) => workers.addEventListener("controllerchange", done));
  await workers.register("/sw.js");
  await controlled;
}"""


def redirecting(name: str, to: str) -> Answers:
    """A front that leads from one name of the site to another."""

    def answers(request: BaseHTTPRequestHandler) -> Reply | None:
        asked, _, port = request.headers["Host"].partition(":")
        if asked == name:
            return Reply(308, {"Location": f"http://{to}:{port}{request.path}"})
        return None

    return answers


def test_a_service_worker_that_passes_visits_on(open_page: OpenPage) -> None:
    """Somebody whose browser has the owner's service worker logs in by the button and by a link."""
    passed_on: list[str] = []

    def answers(request: BaseHTTPRequestHandler) -> Reply | None:
        if request.path == "/sw.js":
            return Reply(200, {"Content-Type": "text/javascript"}, WORKER.encode())
        if (request.headers["Sec-Fetch-Mode"], request.headers["Sec-Fetch-Dest"]) == ("navigate", "empty"):
            passed_on.append(request.path.partition("?")[0])
        return None

    with front(answers) as proxy:
        origin = f"http://site.localhost:{proxy.server_port}"
        with running(env={"AUTH_ORIGIN": origin}) as site:
            proxy.to = site.port
            page = open_page(base_url=origin)
            page.goto("/")
            page.evaluate(REGISTER)
            log_in(page)
            expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
            assert passed_on == ["/", "/telegram/callback", "/"]
            page.get_by_role("button", name="Log out").click()
            expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()
            page.goto("/telegram/start?return_to=/devices.html")
            page.get_by_role("link", name="Log in as Alice", exact=True).click()
            page.wait_for_url("**/devices.html")
            expect(page.get_by_role("list").get_by_text("This device")).to_be_visible()
            assert passed_on[3:] == ["/telegram/start", "/telegram/callback", "/devices.html"]


def test_a_front_that_asks_for_a_password(open_page: OpenPage) -> None:
    """On a staging site behind Basic authentication people log in and out, as the browser adds its header."""

    def answers(request: BaseHTTPRequestHandler) -> Reply | None:
        if request.headers["Authorization"] == "Basic c3RhZ2luZzpwdw==":
            return None
        return Reply(401, {"WWW-Authenticate": 'Basic realm="staging"'})

    with front(answers) as proxy:
        origin = f"http://staging.localhost:{proxy.server_port}"
        with running(env={"AUTH_ORIGIN": origin}) as site:
            proxy.to = site.port
            credentials = {"username": "staging", "password": "pw"}
            page = open_page(base_url=origin, http_credentials=credentials)
            log_in(page)
            expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()
            page.get_by_role("button", name="Log out").click()
            expect(page.get_by_role("button", name="Log in with Telegram")).to_be_visible()


def test_the_bare_name_redirects_to_www(open_page: OpenPage) -> None:
    """Where the site's origin redirects here, the page says what to set, and offers no link in a circle."""
    steps = CASE.read_text(encoding="utf-8")
    assert "AUTH_ORIGIN=http://apex.localhost" in steps

    with front(redirecting("apex.localhost", "www.apex.localhost")) as proxy:
        apex, www = (f"http://{name}.localhost:{proxy.server_port}" for name in ("apex", "www.apex"))
        with running(env={"AUTH_ORIGIN": apex}) as site:
            proxy.to = site.port
            page = open_page(base_url=apex)
            page.goto("/")
            assert page.url == f"{www}/"
            page.get_by_role("button", name="Log in with Telegram").click()
            expect(page.get_by_role("alert")).to_contain_text("Login is at another address")
            expect(page.get_by_role("alert")).to_contain_text(f"set AUTH_ORIGIN={www}, and redeploy")
            expect(page.get_by_role("link", name="Continue")).to_be_hidden()
            assert site.prints(f"set AUTH_ORIGIN={www}")
        with running(env={"AUTH_ORIGIN": www}) as site:
            proxy.to = site.port
            log_in(page)
            expect(page.get_by_role("heading", name="Alice Johnson")).to_be_visible()


def test_another_name_that_leads_back(open_page: OpenPage) -> None:
    """A link to the site's origin is offered once: whom it led back here is told what to set."""
    with front(redirecting("old.localhost", "new.localhost")) as proxy:
        old, new = (f"http://{name}.localhost:{proxy.server_port}" for name in ("old", "new"))
        with running(env={"AUTH_ORIGIN": old}) as site:
            proxy.to = site.port
            page = open_page(base_url=new)
            page.goto("/?return_to=/devices.html")
            page.get_by_role("button", name="Log in with Telegram").click()
            page.get_by_role("link", name="Continue at old.localhost").click()
            page.wait_for_url(f"{new}/?return_to=%2Fdevices.html&redirected=1")
            page.get_by_role("button", name="Log in with Telegram").click()
            expect(page.get_by_role("alert")).to_contain_text(f"set AUTH_ORIGIN={new}, and redeploy")
            expect(page.get_by_role("link", name="Continue")).to_be_hidden()
