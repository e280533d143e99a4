"""docs/examples/*.ts: checked by the compiler, then run, the proxy in Node and the Mini App in Chromium."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from dev.npm import MissingTool
from dev.serve.process import Server, running
from dev.typescript.check import HERE, compile_examples, install
from tests.browser.clients import ANDROID, BROWSERS
from tests.browser.conftest import launched
from tests.browser.front import Reply, front
from tests.browser.steps import ALICE, MARIA
from tests.contract.tools import lacks
from tests.examples.conftest import EXAMPLES
from tests.site import OWN_PAGE

PAGE = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "accept": "text/html"}
APP = "https://next.example/app"

# Calls the proxy as Next.js does, once for each line of stdin.
MATCHER = """
globalThis.AsyncLocalStorage = require("async_hooks").AsyncLocalStorage;
const { unstable_doesMiddlewareMatch: matches } = require("next/experimental/testing/server");
const { config } = require(process.argv[2]);
const nextConfig = { basePath: "/app" };
const urls = process.argv.slice(3).map((path) => `https://next.example/app${path}`);
const found = urls.map((url) => matches({ config, nextConfig, url }));
console.log(JSON.stringify(found));
"""

PROGRAM = """
const { proxy, config } = require(process.argv[2]);
const { NextRequest } = require("next/server");

(async () => {
  const answers = [];
  for (const { url, method, headers } of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
    const response = await proxy(new NextRequest(url, { method, headers, nextConfig: { basePath: "/app" } }));
    const headersSent = Object.fromEntries(response.headers);
    answers.push({ status: response.status, headers: headersSent, body: await response.text() });
  }
  console.log(JSON.stringify({ answers, config }));
})();
"""


@pytest.fixture(scope="module")
def compiled() -> Iterator[Path]:
    """The examples as JavaScript, where Node finds Next.js; or a skip that says what is missing."""
    try:
        install()
    except MissingTool as missing:
        lacks(missing)
    target = HERE / "node_modules/.examples"
    shutil.rmtree(target, ignore_errors=True)
    compile_examples("--noEmit", "false", "--outDir", str(target / "node"), "--module", "commonjs")
    compile_examples("--noEmit", "false", "--outDir", str(target / "browser"), "--module", "es2022")
    (target / "run.cjs").write_text(PROGRAM)
    (target / "matches.cjs").write_text(MATCHER)
    yield target
    shutil.rmtree(target)


class Pages(NamedTuple):
    """A web site of the owner's own: the files in `folder`, at `origin`."""

    folder: Path
    origin: str


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    folder = tmp_path_factory.mktemp("pages")

    def answers(request: BaseHTTPRequestHandler) -> Reply:
        file = folder / request.path.lstrip("/")
        kind = {".html": "text/html", ".js": "text/javascript"}.get(file.suffix)
        return Reply(200, {"Content-Type": kind}, file.read_bytes()) if kind else Reply(404, {})

    with front(answers) as site:
        yield Pages(folder, f"http://127.0.0.1:{site.server_port}")


@pytest.fixture(scope="module")
def server(pages: Pages) -> Iterator[Server]:
    """tgauth, which pages on another origin may use with bearer tokens."""
    with running(env={"ALLOWED_ORIGINS": pages.origin}) as found:
        yield found


def init_data(server: Server, user: int = MARIA, age: int = 0) -> str:
    """A launch of this user's, so many seconds ago."""
    answer = server.request("GET", f"/_telegram/init_data?user={user}&age={age}")
    return str(json.loads(answer.body)["init_data"])


def log_in(server: Server, transport: str, user: int = ALICE) -> str:
    """A new session's token."""
    headers = {"Content-Type": "application/json", **OWN_PAGE}
    body = json.dumps({"init_data": init_data(server, user), "transport": transport}).encode()
    answer = server.request("POST", "/telegram/login", headers, body)
    assert answer.status == 200, answer.body
    if transport == "bearer":
        return str(json.loads(answer.body)["token"])
    return answer.headers["Set-Cookie"].partition(";")[0].partition("=")[2]


def ask(compiled: Path, origin: str, *requests: Any) -> list[Any]:
    """What the proxy answers to each (path, headers) or (path, headers, method)."""
    asked = [
        {"url": f"{APP}{path}", "headers": headers, "method": (*more, "GET")[0]}
        for path, headers, *more in requests
    ]
    result = subprocess.run(
        ["node", str(compiled / "run.cjs"), str(compiled / "node/next_proxy.js")],
        input=json.dumps(asked),
        env={"PATH": os.environ["PATH"], "TGAUTH_ORIGIN": origin},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    answers: list[Any] = json.loads(result.stdout)["answers"]
    return answers


def user_of(answer: Any) -> Any:
    """The user that the proxy lets pages know; None where the request does not go on to a page."""
    assert "no-store" in answer["headers"]["cache-control"]
    if answer["headers"].get("x-middleware-next") != "1":
        return None
    return json.loads(unquote(answer["headers"]["x-middleware-request-x-tgauth-user"]))


@pytest.mark.slow
def test_the_proxy_knows_who_it_is(compiled: Path, server: Server) -> None:
    """A cookie or a bearer token goes on to the page, with the user, whatever the client said it was."""
    cookie, bearer = log_in(server, "cookie"), log_in(server, "bearer", MARIA)
    forged = {"x-tgauth-user": quote('{"id":1}')}
    by_cookie, by_bearer = ask(
        compiled,
        server.origin,
        ("/", {**PAGE, **forged, "cookie": f"theme=dark; tgauth={cookie}"}),
        ("/api", {**forged, "authorization": f"Bearer {bearer}"}, "POST"),
    )
    assert user_of(by_cookie)["id"] == ALICE
    assert (user_of(by_bearer)["id"], user_of(by_bearer)["first_name"]) == (MARIA, "Мария")


@pytest.mark.slow
def test_the_proxy_sends_strangers_to_log_in_and_back(compiled: Path, server: Server) -> None:
    """A page becomes a login that leads back to it, and tgauth takes the address; other requests get 401."""
    pages = {
        "": "/app",
        "?x=1": "/app?x=1",
        "/a/b?x=1&y=2": "/app/a/b?x=1&y=2",
        "/%D0%BE": "/app/%D0%BE",
        "/.env": "/app",
        "/x?next=//evil.example": "/app",
        "/" + "a" * 600: "/app",
    }
    found = ask(compiled, server.origin, *((path, {**PAGE, "cookie": "tgauth=x"}) for path in pages))
    for answer, page in zip(found, pages.values(), strict=True):
        location = answer["headers"]["location"]
        assert (answer["status"], user_of(answer)) == (303, None)
        assert location == f"{server.origin}/telegram/start?return_to={quote(page, safe='')}"
        headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        started = server.request("GET", location.removeprefix(server.origin), headers)
        assert (started.status, "/auth?" in started.headers["Location"]) == (303, True)
    (answer,) = ask(compiled, server.origin, ("/", {**PAGE, "sec-fetch-dest": "empty"}))
    assert answer["status"] == 303, "a service worker passed the visit on"
    fetched = {"sec-fetch-dest": "empty", "sec-fetch-mode": "cors"}
    given = ((fetched, "GET"), ({"sec-fetch-dest": "empty"}, "GET"), (PAGE, "POST"))
    for answer in ask(compiled, server.origin, *(("/api", *request) for request in given)):
        assert (answer["status"], json.loads(answer["body"])) == (401, {"error": "unauthenticated"})


@pytest.mark.slow
def test_the_proxy_and_other_sites(compiled: Path, server: Server) -> None:
    """A cookie counts for changes from our own pages alone."""
    headers = {"cookie": f"tgauth={log_in(server, 'cookie')}"}
    given = [
        {"sec-fetch-site": "same-origin"},
        {"origin": server.origin},
        {"sec-fetch-site": "cross-site", "origin": server.origin},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {},
    ]
    found = ask(compiled, server.origin, *(("/api", {**headers, **more}, "POST") for more in given))
    assert [user_of(answer) is not None for answer in found] == [True, True, False, False, False, False]


@pytest.mark.slow
def test_the_proxy_logs_nobody_out_while_tgauth_is_away(compiled: Path) -> None:
    """503 for those who have a cookie or a token, which they keep; strangers may try to log in."""
    member, stranger = ask(compiled, "http://127.0.0.1:9", ("/", {**PAGE, "cookie": "tgauth=x"}), ("/", PAGE))
    assert (member["status"], member["headers"]["retry-after"]) == (503, "5")
    assert "set-cookie" not in member["headers"]
    assert "location" not in member["headers"]
    assert stranger["status"] == 303


ASIDE = ["/secret", "/favicon.icox", "/faviconXico", "/favicon.ico/secret", "/_next/staticx", "/_next/imagex"]
BUILT = ["/_next/static/x.js", "/_next/image", "/favicon.ico"]


@pytest.mark.slow
def test_no_path_goes_without_the_proxy(compiled: Path) -> None:
    """Next.js runs it for every path, also for those that only look like the build's."""
    command = [
        "node",
        str(compiled / "matches.cjs"),
        str(compiled / "node/next_proxy.js"),
        "",
        *ASIDE,
        *BUILT,
    ]
    result = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == [True] * (1 + len(ASIDE + BUILT))


@pytest.mark.slow
def test_what_the_client_says_of_itself_reaches_no_page(compiled: Path) -> None:
    """A forged user is taken away where nobody has to be logged in, and elsewhere nobody gets in with it."""
    forged = {**PAGE, "x-tgauth-user": quote('{"id":1}')}
    found = ask(compiled, "http://127.0.0.1:9", *((path, forged) for path in BUILT + ASIDE))
    for answer in found[: len(BUILT)]:
        assert answer["headers"]["x-middleware-next"] == "1"
        assert "x-middleware-request-x-tgauth-user" not in answer["headers"]
        assert "x-tgauth-user" not in answer["headers"]["x-middleware-override-headers"].split(",")
    assert [answer["status"] for answer in found[len(BUILT) :]] == [303] * len(ASIDE)


NO_USERS = [
    *((200, body) for body in ("{}", "[]", '{"user":{}}', '{"user":1}', "x", '{"user":{"id":"1"}}')),
    (500, '{"user":{"id":1}}'),
]


@pytest.mark.slow
def test_the_proxy_believes_a_user_and_nothing_else(compiled: Path) -> None:
    """An answer that is none lets nobody in, and may be tried again."""

    def answers(request: BaseHTTPRequestHandler) -> Reply:
        status, body = NO_USERS[int(request.headers["Cookie"].partition("=")[2])]
        return Reply(status, {}, body.encode())

    cookies = [{"cookie": f"tgauth={index}"} for index in range(len(NO_USERS))]
    with front(answers) as site:
        origin = f"http://127.0.0.1:{site.server_port}"
        found = ask(compiled, origin, *(("/", {**PAGE, **cookie}) for cookie in cookies))
    for answer, given in zip(found, NO_USERS, strict=True):
        assert answer["status"] == 503, given
        assert "x-middleware-next" not in answer["headers"]


@pytest.mark.slow
def test_what_cannot_be_a_token_is_nobodys(compiled: Path) -> None:
    """It is not to be tried again: a page leads to the login, and other requests get 401."""
    refused, known = Reply(400, {}, b"{}"), Reply(200, {}, b'{"user":{"id":1}}')
    fetched = {"authorization": "Bearer a b", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
    given = [fetched, {"authorization": "Basic eDp5"}, {"cookie": "tgauth=%D0%BE"}]
    with front(lambda request: refused if "Authorization" in request.headers else known) as site:
        origin = f"http://127.0.0.1:{site.server_port}"
        found = ask(compiled, origin, *(("/", {**PAGE, **headers}) for headers in given))
    assert [answer["status"] for answer in found] == [401, 303, 303]
    assert all("x-middleware-next" not in answer["headers"] for answer in found)


# The Mini App

WEB_APP = "window.Telegram = { WebApp: { initData: %s, ready() {} } };"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, or a skip that says what is missing."""
    with sync_playwright() as playwright:
        yield from launched(playwright, "chromium-headless-shell", "chromium")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a browser profile of its own that complains to nobody."""
    with browser.new_context() as context:
        yield context.new_page()


def open_mini_app(
    page: Page, pages: Pages, compiled: Path, server: Server, init_data: str, client: str = ANDROID
) -> None:
    """The Mini App on an origin of its own, opened by this client of Telegram's with this initData."""
    page.add_init_script(client)
    html = (
        (EXAMPLES / "mini_app.html").read_text().replace('data-tgauth=""', f'data-tgauth="{server.origin}"')
    )
    web_app = WEB_APP % json.dumps(init_data)
    page.route(
        "https://telegram.org/**",
        lambda route: route.fulfill(body=web_app, content_type="text/javascript"),
    )
    (pages.folder / "mini_app.html").write_text(html)
    shutil.copy(compiled / "browser/mini_app.js", pages.folder)
    for name in ("tgauth.js", "inside.js"):
        shutil.copy(EXAMPLES.parents[1] / "public" / name, pages.folder)
    page.goto(f"{pages.origin}/mini_app.html")


@pytest.mark.browser
def test_the_mini_app_logs_in_and_again(page: Page, pages: Pages, compiled: Path, server: Server) -> None:
    """It greets by name; a session that has expired is made anew by the next call, with one login."""
    logins: list[str] = []
    tokens: list[str] = []

    def seen(request: Any) -> None:
        if request.method == "POST" and request.url.endswith("/telegram/login"):
            logins.append(request.url)
        if "authorization" in request.headers:
            tokens.append(request.headers["authorization"])

    page.on("request", seen)
    open_mini_app(page, pages, compiled, server, init_data(server))
    status = page.locator("#status")
    expect(status).to_have_text("Hello, Мария")
    page.evaluate("document.getElementById('status').textContent = ''")
    page.click("#again")
    expect(status).to_have_text("Hello, Мария")
    assert (len(logins), len(set(tokens))) == (1, 1)
    expired = {
        "status": 401,
        "json": {"code": "invalid_session"},
        "headers": {"Access-Control-Allow-Origin": "*"},
    }
    page.route("**/telegram/verify", lambda route: route.fulfill(**expired), times=1)
    page.evaluate("document.getElementById('status').textContent = ''")
    page.click("#again")
    expect(status).to_have_text("Hello, Мария")
    assert len(logins) == 2
    kept = "JSON.stringify([localStorage.length, sessionStorage.length, document.cookie])"
    assert page.evaluate(kept) == '[0,0,""]'


@pytest.mark.browser
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda _: "", "Open this from the bot's chat."),
        (lambda text: f"{text[:-1]}x", "Open this from the bot's chat."),
    ],
    ids=["no initData", "forged"],
)
def test_the_mini_app_says_what_to_do(
    page: Page, pages: Pages, compiled: Path, server: Server, change: Any, text: str
) -> None:
    """Without data, and with data that is not Telegram's, it says where to open it."""
    open_mini_app(page, pages, compiled, server, change(init_data(server)))
    expect(page.locator("#status")).to_have_text(text)


@pytest.mark.browser
def test_the_mini_app_in_a_browser(page: Page, pages: Pages, compiled: Path, server: Server) -> None:
    """Launch data that a link brings to a browser, be it Telegram's own, logs nobody in."""
    open_mini_app(page, pages, compiled, server, init_data(server), BROWSERS["ios"])
    expect(page.locator("#status")).to_have_text("Open this from the bot's chat.")


@pytest.mark.browser
def test_the_mini_app_with_an_old_launch(page: Page, pages: Pages, compiled: Path, server: Server) -> None:
    """Launch data of the day before yesterday is too old; opening it anew helps."""
    open_mini_app(page, pages, compiled, server, init_data(server, age=180_000))
    expect(page.locator("#status")).to_have_text("This page is too old. Close it and open it again.")
