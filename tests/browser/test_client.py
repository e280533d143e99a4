"""public/tgauth.js on pages of a site's own: with a cookie after a login at Telegram, and in Mini Apps."""

import json
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, Route

from dev.serve.process import Server
from tests.browser.clients import ANDROID, APPS, BROWSERS, WEB, telegram_web
from tests.browser.conftest import OpenPage
from tests.browser.steps import ALICE, MARIA, MEI, cookie_login, pick, session_cookies, trouble, user_id

pytestmark = pytest.mark.browser

ACCOUNT = "/my/account"
HTML = '<!doctype html><title>Mine</title><script src="https://telegram.org/js/telegram-web-app.js"></script>'
# What Telegram's script does with launch data: the fragment's, the last of two, or what was there before.
SCRIPT = """
const name = "__telegram__initParams";
const found = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
let params = found;
try {
  params = { ...JSON.parse(sessionStorage.getItem(name)), ...found };
  sessionStorage.setItem(name, JSON.stringify(params));
} catch {}
window.Telegram = { WebApp: { get initData() { return params.tgWebAppData ?? ""; }, ready() {} } };
"""
EXPORTS = "insideTelegram, login, logout, Problem, refresh, request, revoke, session, sessions"
MANY = "Promise.all(Array.from({ length: 50 }, (_, i) => i % 2 ? session() : sessions()))"
PENDING = "return Promise.race([login(%s), new Promise((after) => setTimeout(after, 500, 'pending'))])"


@pytest.fixture
def open_own(request: pytest.FixtureRequest, server: Server) -> Iterator[OpenPage]:
    """`open_own(launch=…, …)`: a page of the site's own, in a browser profile of its own.

    With `launch`, initData, Telegram opened it, by its `client`; without a client, a link did. Its console
    complains of the faults that are tried, and is meant to; what nobody caught fails the test.
    """
    whole = request.node.get_closest_marker("whole_browser")
    browser: Browser = request.getfixturevalue("whole_browser" if whole else "browser")
    uncaught: list[str] = []
    contexts = []

    def make(
        on: Server = server,
        path: str = ACCOUNT,
        launch: str | None = None,
        *,
        client: str = ANDROID,
        html: str = HTML,
        host: str = "",
    ) -> Page:
        origin = f"http://{host}:{on.port}" if host else on.origin
        context = browser.new_context(base_url=origin, locale="en-US")
        context.set_default_timeout(10_000)
        contexts.append(context)
        context.on("weberror", lambda raised: uncaught.append(str(raised.error)))
        page = context.new_page()
        page.route(
            lambda url: urlsplit(url).path.endswith(ACCOUNT), lambda route: give(route, html, "text/html")
        )
        page.route("https://telegram.org/**", lambda route: give(route, SCRIPT, "text/javascript"))
        if launch is not None:
            page.add_init_script(client)
        page.goto(
            origin + path + (f"#tgWebAppData={quote(launch, safe='')}&tgWebAppVersion=8.0" if launch else "")
        )
        return page

    yield make
    for context in contexts:
        context.close()
    assert uncaught == []


@pytest.fixture
def own(open_own: OpenPage) -> Page:
    """A page of the site's own in a browser where nobody is logged in."""
    return open_own()


@pytest.fixture
def mini_app(open_own: OpenPage, server: Server) -> Page:
    """Alice's Mini App."""
    return open_own(launch=init_data(server, ALICE))


def give(route: Route, body: str, content_type: str = "application/json", status: int = 200) -> None:
    route.fulfill(body=body, content_type=content_type, status=status)


def init_data(server: Server, user: int, age: int = 0) -> str:
    """A new launch of this user's."""
    answer = server.request("GET", f"/_telegram/init_data?user={user}&age={age}")
    return str(json.loads(answer.body)["init_data"])


def run(page: Page, code: str, argument: object = None) -> Any:
    """What `code` returns, or the Problem that it throws."""
    return page.evaluate(
        f"""async (argument) => {{
          const {{ {EXPORTS} }} = await import("/tgauth.js");
          const code = (error) => error.code;
          try {{
            return await (async () => {{ {code} }})();
          }} catch (error) {{
            if (!(error instanceof Problem) || error.message !== error.code) throw error;
            const {{ name, code, requestId, address }} = error;
            return {{ name, code, requestId, address: address?.href }};
          }}
        }}""",
        argument,
    )


def who(page: Page) -> int | None:
    """Whose session the page has."""
    found = run(page, "return session()")
    return found["user"]["id"] if found else None


def requests(page: Page) -> list[Request]:
    """What the page asks the API from now on."""
    sent: list[Request] = []
    page.on("request", lambda request: "/telegram/" in request.url.partition("#")[0] and sent.append(request))
    return sent


def paths(sent: list[Request]) -> list[str]:
    return [urlsplit(request.url).path.removeprefix("/telegram/") for request in sent]


def token(sent: list[Request]) -> str:
    """The bearer token of the last request that has one."""
    found = [request.headers["authorization"] for request in sent if "authorization" in request.headers]
    return found[-1]


def status(server: Server, bearer: str, path: str = "/telegram/verify", method: str = "GET") -> int:
    """What the API itself says to this token."""
    return server.request(method, path, {"Authorization": bearer}).status


def go_to_telegram(page: Page, options: str = "") -> None:
    """Call login() on a page that is left by it."""
    page.evaluate(f"() => void import('/tgauth.js').then(({{ login }}) => login({options}))")
    page.wait_for_url("**/_telegram/auth?*")


def ends_at(page: Page, address: str) -> None:
    page.wait_for_url(lambda url: url.endswith(address))


# Pages with a cookie


@pytest.mark.parametrize("name", ["server", "widget_server"])
def test_a_login_from_the_first_to_the_last_call(
    request: pytest.FixtureRequest, open_own: OpenPage, name: str
) -> None:
    """Nobody, a login that comes back to this very page, the same person from each function, then nobody."""
    site: Server = request.getfixturevalue(name)
    page = open_own(on=site, path=f"{ACCOUNT}?tab=1&q=%D1%8F")
    assert run(page, "return [await session(), await refresh(), await insideTelegram()]") == [
        None,
        None,
        False,
    ]
    assert run(page, "return sessions()")["code"] == "unauthenticated"
    go_to_telegram(page)
    pick(page, "Alice")
    ends_at(page, f"{site.origin}{ACCOUNT}?tab=1&q=%D1%8F")

    found = run(page, "return session()")
    assert found.keys() == {"user", "session"}
    assert (found["user"]["id"], found["session"]["transport"]) == (ALICE, "cookie")
    sent = requests(page)
    renewed = run(page, "return refresh()")
    assert (renewed["user"], renewed["session"]["id"]) == (found["user"], found["session"]["id"])
    (asked,) = sent
    assert (asked.method, "set-cookie" in asked.response().all_headers()) == ("POST", True)  # type: ignore[union-attr]
    current = [device["id"] for device in run(page, "return sessions()") if device["current"]]
    assert current == [found["session"]["id"]]

    assert run(page, "return [await logout(), await session(), await logout()]") == [None, None, None]
    assert session_cookies(page) == []
    assert page.evaluate("JSON.stringify(localStorage)") == "{}"


def test_login_leads_where_the_page_says(own: Page) -> None:
    """`returnTo` is where the person comes back to."""
    go_to_telegram(own, "{ returnTo: '/my/account?from=login' }")
    pick(own, "Alice")
    ends_at(own, "/my/account?from=login")
    assert who(own) == ALICE


def test_login_of_a_page_whose_address_is_no_path(open_own: OpenPage, server: Server) -> None:
    """Where the API does not take the page's own address, the login leads to the login page, and works."""
    page = open_own(path=f"//a.example{ACCOUNT}?q=(1)")
    go_to_telegram(page)
    pick(page, "Alice")
    page.wait_for_url(f"{server.origin}/")
    assert user_id(page) == ALICE


@pytest.mark.parametrize("return_to", ["", "//a.example/"])
def test_refused_destinations(own: Page, return_to: str) -> None:
    """A `returnTo` that is no path of this site is an error, and the page stays."""
    assert run(own, "return login({ returnTo: argument })", return_to)["code"] == "malformed_request"
    assert urlsplit(own.url).path == ACCOUNT


def test_forbidden_cookies(open_own: OpenPage) -> None:
    """Where the browser keeps no cookies, a login is not even begun."""
    page = open_own()
    page.add_init_script("Object.defineProperty(navigator, 'cookieEnabled', { value: false })")
    page.reload()
    sent = requests(page)
    assert run(page, "return login()")["code"] == "cookies_forbidden"
    assert sent == []


@pytest.mark.parametrize(
    ("name", "path", "mark"),
    [("server", f"{ACCOUNT}?tab=1", "&"), ("widget_server", f"//a.example{ACCOUNT}", "?")],
)
def test_other_address_of_the_site(
    request: pytest.FixtureRequest, open_own: OpenPage, name: str, path: str, mark: str
) -> None:
    """On an address that Telegram does not know, the error has this page at the one it knows."""
    site: Server = request.getfixturevalue(name)
    page = open_own(on=site, path=path, host="127.0.0.1")
    problem = run(page, "return login()")
    assert (problem["code"], problem["address"]) == ("other_origin", f"{site.origin}{path}{mark}redirected=1")
    assert page.url == f"http://127.0.0.1:{site.port}{path}"


def test_other_address_that_led_here(open_own: OpenPage, server: Server) -> None:
    """Whoever an address has led here gets no other; where it led rightly, nothing of it stays."""
    for path in (f"{ACCOUNT}?redirected=1", f"{ACCOUNT}?a=1&redirected=1&b=2"):
        problem = run(open_own(path=path, host="127.0.0.1"), "return login()")
        assert (problem["code"], problem.get("address")) == ("other_origin", None)
    page = open_own(path=f"{ACCOUNT}?a=1&redirected=1#x")
    begun = []
    page.on("request", lambda request: begun.append(request.post_data))
    page.route("**/_telegram/auth?*", lambda route: route.fulfill(status=204))
    assert run(page, PENDING % "") == "pending"
    assert page.url == f"{server.origin}{ACCOUNT}?a=1#x"
    assert f'{{"return_to":"{ACCOUNT}?a=1"}}' in begun


def test_ending_other_sessions(open_own: OpenPage, redis_server: Server) -> None:
    """One by its id, all others, all: each ends what it says and nothing else."""
    pages = [open_own(on=redis_server) for _ in range(4)]
    for page in pages:
        cookie_login(page)
    first, second, third, _ = pages
    there = run(second, "return (await session()).session.id")
    assert run(first, "return revoke(argument)", there) is None
    assert [who(page) for page in pages] == [ALICE, None, ALICE, ALICE]
    assert run(first, "return revoke(argument)", there)["code"] == "not_found"

    run(third, "await revoke('others')")
    assert [who(page) for page in pages] == [None, None, ALICE, None]
    assert len(run(third, "return sessions()")) == 1

    run(third, "await revoke('all')")
    assert who(third) is None
    assert session_cookies(third) == []


@pytest.mark.parametrize("call", ["revoke('all',", "revoke('others',", "revoke(argument[1],", "logout("])
def test_ending_sessions_of_the_user_whom_the_page_shows(
    open_own: OpenPage, redis_server: Server, call: str
) -> None:
    """With `user`, a session of anybody else's ends nothing; one that is theirs does as without."""
    here, there = (open_own(on=redis_server) for _ in range(2))
    for page in (here, there):
        cookie_login(page)
    slot = run(there, "return (await session()).session.id")
    assert run(here, f"return {call} {{ user: argument[0] }})", [MARIA, slot])["code"] == "invalid_session"
    assert [who(here), who(there)] == [ALICE, ALICE]
    assert run(here, f"return {call} {{ user: argument[0] }})", [ALICE, slot]) is None
    assert [who(here), who(there)].count(None) == (2 if "all" in call else 1)


def test_what_names_no_session_ends_none(open_own: OpenPage, redis_server: Server) -> None:
    """What is misspelt, or was never there, does not mean all."""
    page = open_own(on=redis_server)
    cookie_login(page)
    for which in ("", "other", "ALL", "../logout", "x" * 16, None, 1, {}, ["all"]):
        assert run(page, "return revoke(argument)", which)["code"] == "not_found", which
    assert run(page, "return revoke()")["code"] == "malformed_request"
    assert who(page) == ALICE


def test_own_functions(own: Page) -> None:
    """`request` takes JSON to functions of the site's own, and back."""
    sent: list[Request] = []

    def notes(route: Route) -> None:
        sent.append(route.request)
        if route.request.method == "DELETE":
            route.fulfill(status=204)
        else:
            give(route, '["Ж"]')

    own.route("**/api/notes", notes)
    assert run(own, "return request('POST', '/api/notes', { body: { text: 'Ж' } })") == ["Ж"]
    assert run(own, "return request('GET', '/api/notes')") == ["Ж"]
    assert run(own, "return request('DELETE', '/api/notes')") is None
    assert [(asked.method, asked.post_data, asked.headers.get("content-type")) for asked in sent] == [
        ("POST", '{"text":"Ж"}', "application/json"),
        ("GET", None, None),
        ("DELETE", None, None),
    ]
    assert {asked.headers["accept"] for asked in sent} == {"application/json"}


# What goes wrong


NO_SUCCESS = [
    (503, '{"code": "store_unavailable", "request_id": "iad1::42"}', "store_unavailable"),
    (503, '{"code": "misconfigured", "request_id": 42}', "misconfigured"),
    (429, '{"code": "rate_limited"}', "rate_limited"),
    (500, "<html>FUNCTION_INVOCATION_FAILED</html>", "internal"),
    (504, "", "internal"),
    (200, "<html>Log in to Vercel</html>", "internal"),
    (200, "", "internal"),
    (401, "{}", "internal"),
    (401, '{"code": ["invalid_session"]}', "internal"),
    (502, "null", "internal"),
    (502, "[]", "internal"),
    (502, '"unauthenticated"', "internal"),
]


def test_answers_that_are_no_success(own: Page) -> None:
    """The API's own problems keep their code; whatever else answers in its place is `internal`."""
    cookie_login(own)
    before = session_cookies(own)
    others = ("refresh()", "login()", "sessions()", "revoke('all')", "request('GET', '/telegram/verify')")
    calls = ", ".join(f"await {call}.catch(code)" for call in (*others, "logout()"))
    answer: dict[str, Any] = {}
    own.route("**/telegram/*", lambda route: give(route, **answer))
    for status, body, code in NO_SUCCESS:
        answer.update(status=status, body=body)
        reference = "iad1::42" if "iad1::42" in body else None
        expected = {"name": "Problem", "code": code, "requestId": reference, "address": None}
        assert run(own, "return session()") == expected, body
        assert set(run(own, f"return [{calls}]")) == {code}, body
    own.unroute("**/telegram/*")
    assert (session_cookies(own), who(own)) == (before, ALICE)


@pytest.mark.parametrize("code", ["unauthenticated", "invalid_session"])
def test_nobody_is_no_error(own: Page, code: str) -> None:
    """Who is not logged in, or not any more, is null, where the question is who it is."""
    trouble(own, "*", 401, code)
    assert run(own, "return [await session(), await refresh()]") == [None, None]
    assert run(own, "return sessions()")["code"] == code


def test_no_network(own: Page) -> None:
    """Without an answer it is `network`, and nobody is logged out by it."""
    cookie_login(own)
    run(own, "return session()")
    own.context.set_offline(True)
    for call in ("session()", "login()", "logout()", "request('GET', '/telegram/verify')"):
        assert run(own, f"return {call}")["code"] == "network"
    own.context.set_offline(False)
    assert who(own) == ALICE


def test_no_answer_in_time(own: Page) -> None:
    """After 20 seconds it is `network`, too, and the request is given up."""
    own.evaluate(
        """() => {
          const later = setTimeout;
          window.setTimeout = (act, given) => later(act, given / 100);
        }"""
    )
    own.route("**/telegram/verify", lambda _: None)
    with own.expect_event("requestfailed"):
        began = own.evaluate("performance.now()")
        assert run(own, "return session()")["code"] == "network"
    assert 190 < own.evaluate("performance.now()") - began < 5000


def test_other_sites_are_not_asked(mini_app: Page, server: Server) -> None:
    """A token never leaves for another site, whatever gets into a path."""
    sent: list[str] = []
    mini_app.on("request", lambda request: sent.append(request.url))
    code = "return request('GET', argument).catch((error) => error.constructor.name)"
    for target in ("https://a.example/x", "//a.example/x", "/\\a.example/x", "data:,{}"):
        assert run(mini_app, code, target) == "TypeError", target
    assert all(url.startswith(server.origin) for url in sent)


# Mini Apps


def test_mini_app(mini_app: Page) -> None:
    """The first call logs in; the token is in no cookie and no answer, and the tab alone keeps it."""
    sent = requests(mini_app)
    found = run(mini_app, "return session()")
    assert (found["user"]["id"], found["session"]["method"]) == (ALICE, "webapp")
    assert found["session"]["transport"] == "bearer"
    assert paths(sent) == ["login", "verify"]
    assert [run(mini_app, f"return {call}")["user"]["id"] for call in ("refresh()", "login()")] == [ALICE] * 2
    assert [device["current"] for device in run(mini_app, "return sessions()")].count(True) == 1
    assert run(mini_app, "return insideTelegram()") is True
    secret = token(sent).removeprefix("Bearer ")
    everything = "return JSON.stringify([await login(), await session(), await refresh(), await sessions(),"
    assert secret not in run(mini_app, f"{everything} {{ ...localStorage }}])")
    assert secret in mini_app.evaluate("sessionStorage['tgauth.launch']")
    assert paths(sent).count("login") == 1
    assert mini_app.context.cookies() == []


# Telegram's own script, as far as it matters here: what apps call to send an event, and whom it tells of it.
RECEIVER = """
const told = [];
const receiveEvent = (type) => void told.push(type);
window.Telegram ??= {};
window.Telegram.WebView = { receiveEvent };
window.TelegramGameProxy = { receiveEvent };
window.TelegramGameProxy_receiveEvent = receiveEvent;
window.told = told;
"""
# The first time that the client is asked, while the module waits, the script comes and puts its own in place.
LATE = f"""
let asked = 0;
const post = TelegramWebviewProxy.postEvent;
TelegramWebviewProxy.postEvent = (...event) => (asked++ ? post(...event) : come());
const come = () => {{ {RECEIVER} }};
"""


@pytest.mark.whole_browser
@pytest.mark.parametrize(
    ("client", "script"),
    [*product(APPS, ["none", "before"]), ("ios", "after")],
)
def test_a_client_that_answers(open_own: OpenPage, server: Server, client: str, script: str) -> None:
    """Each of Telegram's apps is heard, and Telegram's script, whenever it comes, hears it too."""
    scripts = {"none": "", "before": RECEIVER, "after": LATE}
    html = f"{HTML}<script>{scripts[script]}</script>"
    page = open_own(launch=init_data(server, MEI), client=APPS[client], html=html)
    assert run(page, "return [await insideTelegram(), (await session()).user.id]") == [True, MEI]
    if script == "none":
        left = "[Object.keys(Telegram), typeof TelegramGameProxy, typeof TelegramGameProxy_receiveEvent]"
        assert page.evaluate(left) == [["WebApp"], "undefined", "undefined"]
    else:
        assert page.evaluate("told") == ["viewport_changed"]
        assert page.evaluate("Telegram.WebView.receiveEvent('x'); told") == ["viewport_changed", "x"]


def test_mini_app_in_telegram_web(open_own: OpenPage, server: Server) -> None:
    """Telegram's web site frames the page; any other site that does, and answers alike, is not Telegram."""
    page = open_own()
    fragment = quote(init_data(server, MEI), safe="")
    frame = telegram_web(f"{server.origin}{ACCOUNT}#tgWebAppData={fragment}")
    for site, user in ((WEB, MEI), (f"{WEB}.example", None)):
        page.route(f"{site}/", lambda route: give(route, frame, "text/html"))
        page.goto(f"{site}/")
        inner = page.frame_locator("iframe").owner.element_handle().content_frame()
        assert inner
        inner.wait_for_load_state()
        found = inner.evaluate("async () => (await import('/tgauth.js')).session()")
        assert (found and found["user"]["id"]) == user
        if user is None:
            # Telegram's page would open in no frame.
            failed = "async () => (await import('/tgauth.js')).login().catch((error) => error.code)"
            assert inner.evaluate(failed) == "framed"


def relaunch(page: Page, launch: str) -> None:
    """Open the page again in this tab, with this initData."""
    page.goto(f"{ACCOUNT}#tgWebAppData={quote(launch, safe='')}")
    page.reload()


def test_an_app_of_several_documents(open_own: OpenPage, server: Server) -> None:
    """They log in once for the launch; without storage each does, to the same session."""
    page = open_own(launch=init_data(server, MEI))
    sent = requests(page)
    for number in range(14):
        page.goto(f"{ACCOUNT}?page={number}")
        assert who(page) == MEI
    assert run(page, "return (await login()).user.id") == MEI
    assert paths(sent).count("login") == 1
    # Another launch is another login; with another person's, a link may have come.
    relaunch(page, init_data(server, MEI))
    assert who(page) == MEI
    assert paths(sent).count("login") == 2
    other = init_data(server, ALICE)
    relaunch(page, other)
    assert who(page) is None
    assert paths(sent).count("login") == 2
    assert run(page, "return (await login({ initData: argument })).user.id", other) == ALICE

    page.add_init_script("delete window.sessionStorage")
    page.reload()
    first, second = (run(page, "return (await session()).session.id") for _ in range(2))
    assert first == second


def test_a_mini_app_leaves_the_cookie_alone(mini_app: Page) -> None:
    """The browser's own session is another one, and stays."""
    cookie_login(mini_app, MARIA)
    before = session_cookies(mini_app)
    assert who(mini_app) == ALICE
    run(mini_app, "await logout()")
    assert (session_cookies(mini_app), user_id(mini_app), who(mini_app)) == (before, MARIA, None)


def refuse(page: Page, bearer: str) -> None:
    """Let this token open nothing from now on."""

    def answer(route: Route) -> None:
        if route.request.headers.get("authorization") == bearer:
            give(route, '{"code": "invalid_session"}', status=401)
        else:
            route.fallback()

    page.route("**/telegram/*", answer)


def another_login(page: Page) -> str:
    """What the API answers to another launch of Alice's."""
    launch = page.request.get(f"/_telegram/init_data?user={ALICE}").json()
    return page.request.post("/telegram/login", data=launch).text()


def test_many_calls_at_once(mini_app: Page) -> None:
    """Fifty calls share one login; once its session has ended, they share one more."""
    sent = requests(mini_app)
    answers = run(mini_app, f"return {MANY}")
    assert {answer["user"]["id"] for answer in answers[1::2]} == {ALICE}
    assert paths(sent).count("login") == 1
    # As after a day: the token opens nothing any more.
    first = token(sent)
    refuse(mini_app, first)
    mini_app.route("**/telegram/login", lambda route: give(route, another_login(mini_app)))
    answers = run(mini_app, f"return {MANY}")
    assert {answer["user"]["id"] for answer in answers[1::2]} == {ALICE}
    assert paths(sent).count("login") == 2
    assert token(sent) != first


def test_a_call_that_hears_late(mini_app: Page) -> None:
    """Who learns of the session's end after others have logged in again uses their session."""
    held: list[Route] = []
    mini_app.route("**/api/slow", lambda route: held.append(route))
    sent = requests(mini_app)
    with mini_app.expect_request("**/api/slow"):
        run(mini_app, "window.slow = request('GET', '/api/slow'); await session()")
    refuse(mini_app, token(sent))
    mini_app.route("**/telegram/login", lambda route: give(route, another_login(mini_app)))
    assert who(mini_app) == ALICE
    assert paths(sent).count("login") == 2

    mini_app.unroute("**/api/slow")
    mini_app.route("**/api/slow", lambda route: give(route, "[]"))
    give(held[0], '{"code": "invalid_session"}', status=401)
    assert run(mini_app, "return window.slow") == []
    assert paths(sent).count("login") == 2


def test_many_logins_at_once(mini_app: Page) -> None:
    """So do fifty calls of `login`."""
    sent = requests(mini_app)
    answers = run(mini_app, "return Promise.all(Array.from({ length: 50 }, () => login()))")
    assert {answer["user"]["id"] for answer in answers} == {ALICE}
    assert paths(sent) == ["login"]


def test_many_calls_of_a_login_that_fails(mini_app: Page) -> None:
    """They share its failure; the next call tries again."""
    trouble(mini_app, "login", 429, "rate_limited")
    sent = requests(mini_app)
    many = "Promise.all(Array.from({ length: 50 }, () => session().catch(code)))"
    assert set(run(mini_app, f"return {many}")) == {"rate_limited"}
    assert paths(sent) == ["login"]
    mini_app.unroute("**/telegram/login")
    assert who(mini_app) == ALICE


def test_no_endless_loop(mini_app: Page) -> None:
    """Where a new session does not work either, that is the answer."""
    trouble(mini_app, "verify", 401, "invalid_session")
    sent = requests(mini_app)
    assert run(mini_app, "return session()") is None
    assert paths(sent) == ["login", "verify", "login", "verify"]


def test_logged_out_for_good(mini_app: Page) -> None:
    """After `logout` the launch is over: nothing logs in again, in no document of the app."""
    sent = requests(mini_app)
    run(mini_app, "await session(); await logout()")
    assert paths(sent) == ["login", "verify", "logout"]
    for _ in range(2):
        assert run(mini_app, "return [await session(), await refresh()]") == [None, None]
        for call in ("sessions()", "revoke('all')"):
            assert run(mini_app, f"return {call}")["code"] == "unauthenticated"
        assert run(mini_app, "return login()")["code"] == "login_stale"
        assert len(sent) == 3
        mini_app.reload()


def test_logout_before_any_login(mini_app: Page) -> None:
    """Only a token ends a launch, so a document without one gets it first; then nobody is logged in."""
    sent = requests(mini_app)
    assert run(mini_app, "return [await logout(), await session(), await logout()]") == [None, None, None]
    assert paths(sent) == ["login", "logout"]


def test_logout_in_a_document_without_the_token(open_own: OpenPage, server: Server) -> None:
    """Where storage is forbidden it ends the launch all the same."""
    page = open_own(launch=init_data(server, MEI))
    page.add_init_script("delete window.sessionStorage")
    page.reload()
    sent = requests(page)
    assert who(page) == MEI
    page.reload()
    run(page, "await logout()")
    assert status(server, token(sent)) == 401
    page.reload()
    assert run(page, "return session()")["code"] == "login_stale"


def test_logout_when_the_logins_answer_was_lost(mini_app: Page) -> None:
    """What the server made and this page never heard of is ended, too."""

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    mini_app.route("**/telegram/login", lose, times=1)
    assert run(mini_app, "return session()")["code"] == "network"
    run(mini_app, "await logout()")
    launch = mini_app.evaluate("Telegram.WebApp.initData")
    assert mini_app.request.post("/telegram/login", data={"init_data": launch}).status == 401


def test_logout_during_the_login(mini_app: Page, server: Server) -> None:
    """A login that is under way is waited for, and its session ended."""
    sent = requests(mini_app)
    run(mini_app, "const asked = session(); await logout(); await asked")
    # The login has its answer here and no call went out with it, or only before the logout.
    assert sorted(set(paths(sent)) - {"verify"}) == ["login", "logout"]
    assert status(server, token(sent)) == 401
    assert who(mini_app) is None


def test_logout_among_other_calls(mini_app: Page, server: Server) -> None:
    """Calls that find the session ended by it do not log in again."""
    sent = requests(mini_app)
    run(mini_app, "await session()")
    answers = run(
        mini_app, f"const all = {MANY}.catch(code); await logout(); return [await all, await session()]"
    )
    assert answers[1] is None
    assert (paths(sent).count("login"), paths(sent).count("logout")) == (1, 1)
    assert status(server, token(sent)) == 401


@pytest.mark.parametrize("answer", [503, None], ids=["store_unavailable", "network"])
def test_logout_that_fails(mini_app: Page, server: Server, answer: int | None) -> None:
    """It says so, and the person is still logged in, with the same session."""
    sent = requests(mini_app)
    run(mini_app, "await session()")

    def fail(route: Route) -> None:
        if answer is None:
            route.abort()
        else:
            give(route, '{"code": "store_unavailable"}', status=answer)

    mini_app.route("**/telegram/logout", fail)
    assert run(mini_app, "return logout()")["code"] == ("store_unavailable" if answer else "network")
    mini_app.unroute("**/telegram/logout")
    assert who(mini_app) == ALICE
    assert paths(sent).count("login") == 1
    run(mini_app, "await logout()")
    assert status(server, token(sent)) == 401


def test_faults_keep_the_session(mini_app: Page) -> None:
    """503 and the like are told, and the token stays."""
    sent = requests(mini_app)
    run(mini_app, "await session()")
    trouble(mini_app, "verify", 503, "store_unavailable")
    assert run(mini_app, "return session()")["code"] == "store_unavailable"
    mini_app.unroute("**/telegram/verify")
    assert who(mini_app) == ALICE
    assert paths(sent).count("login") == 1


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda server: init_data(server, ALICE, 25 * 3600), "login_stale"),
        (lambda server: init_data(server, ALICE)[:-1] + "x", "login_rejected"),
        (lambda server: f"{init_data(server, ALICE)}&user=1", "malformed_request"),
    ],
    ids=["stale", "forged", "doubled"],
)
def test_launches_that_log_nobody_in(
    open_own: OpenPage, server: Server, spoil: Callable[[Server], str], code: str
) -> None:
    """The API's refusal is what every call says, and each asks once."""
    page = open_own(launch=spoil(server))
    sent = requests(page)
    problem = run(page, "return session()")
    assert (problem["code"], problem["requestId"][:6]) == (code, "dev1::")
    assert run(page, "return login()")["code"] == code
    assert run(page, "return request('GET', '/api/notes')")["code"] == code
    assert paths(sent) == ["login"] * 3
    assert run(page, "return logout()") is None


def test_ended_on_another_device(open_own: OpenPage, redis_server: Server) -> None:
    """What another device has ended does not come back by itself, nor by `login`: only a new launch does."""
    page, phone = open_own(on=redis_server, launch=init_data(redis_server, MEI)), open_own(on=redis_server)
    cookie_login(phone, MEI)
    slot = run(page, "return (await session()).session.id")
    sent = requests(page)
    run(phone, "await revoke(argument)", slot)
    assert run(page, "return session()")["code"] == "login_stale"
    assert paths(sent) == ["verify", "login"]
    assert run(page, "return login()")["code"] == "login_stale"
    assert len(run(phone, "return sessions()")) == 1


def test_ending_sessions_from_a_mini_app(open_own: OpenPage, redis_server: Server) -> None:
    """Its own session ends for good, by its id too; with the others ended it goes on."""
    page, phone = open_own(on=redis_server, launch=init_data(redis_server, MARIA)), open_own(on=redis_server)
    cookie_login(phone, MARIA)
    sent = requests(page)
    run(page, "await revoke((await session()).session.id)")
    assert (who(page), run(page, "return sessions()")["code"]) == (None, "unauthenticated")
    assert run(page, "return login()")["code"] == "login_stale"
    assert paths(sent).count("login") == 1
    relaunch(page, init_data(redis_server, MARIA))

    assert run(page, "await revoke('others'); return (await sessions()).length") == 1
    assert (who(page), who(phone)) == (MARIA, None)
    run(page, "await revoke('all')")
    assert who(page) is None
    assert paths(sent).count("login") == 2
    # Nothing from before logs in again, not even the launch itself.
    assert run(page, "return login()")["code"] == "login_stale"


def test_own_functions_from_a_mini_app(mini_app: Page) -> None:
    """`request` carries the token there, and a session that has ended is made anew for them as well."""
    sent: list[Request] = []

    def notes(route: Route) -> None:
        sent.append(route.request)
        if len(sent) == 1:
            give(route, '{"code": "invalid_session"}', status=401)
        else:
            give(route, "[]")

    mini_app.route("**/api/notes", notes)
    asked = requests(mini_app)
    assert run(mini_app, "return request('POST', '/api/notes', { body: { text: 'x' } })") == []
    assert paths(asked) == ["login", "login"]
    assert [request.post_data for request in sent] == ['{"text":"x"}'] * 2
    assert all(request.headers["authorization"].startswith("Bearer tg0_") for request in sent)


def test_a_page_that_has_init_data_of_its_own(own: Page, server: Server) -> None:
    """Given to `login`, it is a Mini App's from then on, where Telegram's script is not there to tell."""
    launch = init_data(server, MEI)
    sent = requests(own)
    both = "return Promise.all([login({ initData: argument }), session()])"
    assert [answer["user"]["id"] for answer in run(own, both, launch)] == [MEI, MEI]
    assert who(own) == MEI
    assert paths(sent).count("login") == 1
    assert own.context.cookies() == []
    run(own, "await logout()")
    assert who(own) is None
    assert run(own, "return login({ initData: argument })", launch)["code"] == "login_stale"


def test_another_launch_while_one_logs_in(mini_app: Page, server: Server) -> None:
    """Each login answers for the launch that it was given."""
    both = (
        "await insideTelegram(); const first = session();"
        " return [await login({ initData: argument }), await first, await session()]"
    )
    answers = run(mini_app, both, init_data(server, MEI))
    assert [answer["user"]["id"] for answer in answers] == [MEI, ALICE, MEI]


def test_a_login_that_fails_changes_nothing(own: Page, mini_app: Page, server: Server) -> None:
    """The page is what it was before: one with a cookie, or another launch's."""
    old = init_data(server, MEI, 25 * 3600)
    cookie_login(own, MARIA)
    for page, user in ((own, MARIA), (mini_app, ALICE)):
        assert who(page) == user
        assert run(page, "return login({ initData: argument })", old)["code"] == "login_stale"
        assert who(page) == user
        run(page, "await logout()")
        assert who(page) is None
    assert own.context.cookies() == []


def test_no_launch_inside_telegram(open_own: OpenPage) -> None:
    """Telegram opens pages without initData as well, and they log in like any other."""
    page = open_own(launch="")
    assert run(page, "return [await insideTelegram(), await session()]") == [True, None]
    go_to_telegram(page)
    pick(page, "Alice")
    ends_at(page, ACCOUNT)
    assert who(page) == ALICE


def test_no_mini_app_by_its_own_word(mini_app: Page) -> None:
    """A page that says so logs in at Telegram, although it has a launch."""
    go_to_telegram(mini_app, "{ initData: '' }")


@pytest.mark.whole_browser
@pytest.mark.parametrize("client", ["", *BROWSERS.values()], ids=["none", *BROWSERS])
def test_planted_launch(open_own: OpenPage, server: Server, client: str) -> None:
    """But in a Mini App a link's launch data logs nobody in, not even with Telegram's own script."""
    page = open_own(launch=init_data(server, MEI), client=client)
    assert page.evaluate("Telegram.WebApp.initData") != ""
    assert who(page) is None
    cookie_login(page)
    sent = requests(page)
    assert who(page) == ALICE
    run(page, "return [await refresh(), await sessions().catch(code), await logout(), await session()]")
    assert paths(sent) == ["verify", "refresh", "sessions", "logout", "verify"]
    assert all("authorization" not in request.headers for request in sent)
    # Nor later, on another page of the site, where Telegram's script remembers it.
    page.goto(f"{ACCOUNT}?later")
    assert page.evaluate("Telegram.WebApp.initData") != ""
    assert who(page) is None
    go_to_telegram(page)
