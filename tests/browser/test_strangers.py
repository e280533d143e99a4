"""Links and pages that somebody else made: they log nobody in, log nobody out, and use nobody's login up."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dev.serve.process import Server
from dev.telegram.signing import tg_auth_result
from tests.browser.steps import (
    ALICE,
    BOBBY,
    MEI,
    begin,
    callback_link,
    log_in,
    proof,
    session_cookies,
    user_id,
    widget_link,
)

pytestmark = pytest.mark.browser

type Link = Callable[[Page], str]
"""Makes a link that logs Bobby in, or would, in the browser of the page that it is given."""


def stateless(other: Page) -> str:
    return widget_link(proof(other, BOBBY))


def other_state(other: Page) -> str:
    return widget_link(proof(other, BOBBY), state=begin(other)["state"])


def made_up_state(other: Page) -> str:
    return widget_link(proof(other, BOBBY), state="x" * 24)


def used(other: Page) -> str:
    fields = proof(other, BOBBY)
    body = {"widget": fields, "transport": "bearer"}
    assert other.request.post("/telegram/login", data=body).ok
    return widget_link(fields)


def fragment_without_state(other: Page) -> str:
    return f"/#tgAuthResult={tg_auth_result(proof(other, BOBBY))}"


def fragment_with_other_state(other: Page) -> str:
    return f"/?state={begin(other)['state']}#tgAuthResult={tg_auth_result(proof(other, BOBBY))}"


def fragment_with_no_state(other: Page) -> str:
    return f"/?state=#tgAuthResult={tg_auth_result(proof(other, BOBBY))}"


def callback(other: Page) -> str:
    return callback_link(other, BOBBY)


def used_callback(other: Page) -> str:
    link = callback_link(other, BOBBY)
    other.goto(link)
    assert user_id(other) == BOBBY
    return link


LINKS = {
    stateless: "Log in to localhost as",
    other_state: "Log in to localhost as",
    made_up_state: "Log in to localhost as",
    used: "Log in to localhost as",
    fragment_without_state: "This login did not start here",
    fragment_with_no_state: "This login did not start here",
    fragment_with_other_state: "This login was not accepted",
    callback: "This login was not accepted",
    used_callback: "This login was not accepted",
}


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.__name__)
@pytest.mark.parametrize("logged_in", [False, True], ids=["fresh", "logged-in"])
def test_planted_links(open_page: Any, link: Link, logged_in: bool) -> None:
    """A link with somebody else's login sets no cookie, and whoever is logged in stays so as themselves."""
    victim, attacker = open_page(), open_page()
    if logged_in:
        log_in(victim)
    before = victim.context.cookies()
    victim.goto(link(attacker))
    expect(victim.get_by_text(LINKS[link])).to_be_visible()
    assert victim.context.cookies() == before
    assert user_id(victim) == (ALICE if logged_in else None)
    assert all(word not in victim.url for word in ("hash=", "tgAuthResult", "state="))


@pytest.mark.parametrize("link", [fragment_without_state, fragment_with_no_state], ids=["none", "empty"])
def test_fragment_without_a_state_is_not_sent(open_page: Any, link: Link) -> None:
    """What came without a state was not asked for here, and the API never sees it."""
    victim = open_page()
    sent: list[str] = []
    victim.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    victim.goto(link(open_page()))
    expect(victim.get_by_role("alert")).to_contain_text("This login did not start here")
    assert sent == []


@pytest.mark.parametrize(
    "link", [other_state, fragment_with_other_state, callback], ids=lambda link: link.__name__
)
def test_stolen_link_still_works_for_its_owner(open_page: Any, link: Link) -> None:
    """A link that was opened in another browser first is not used up by that."""
    thief, owner = open_page(), open_page()
    stolen = link(owner)
    thief.goto(stolen)
    expect(thief.get_by_text(LINKS[link])).to_be_visible()
    assert thief.context.cookies() == []
    owner.goto(stolen)
    expect(owner.get_by_role("button", name="Log out")).to_be_visible()
    assert user_id(owner) == BOBBY


def test_states_of_two_browsers_do_not_mix(open_page: Any) -> None:
    """A login that both have begun at the same time: neither's state works in the other."""
    victim, attacker = open_page(), open_page()
    begin(victim)
    victim.goto(other_state(attacker))
    expect(victim.get_by_text("Log in to localhost as")).to_be_visible()
    victim.goto(callback_link(attacker, BOBBY))
    expect(victim.get_by_text("This login was not accepted")).to_be_visible()
    assert user_id(victim) is None


def test_used_link_is_refused_at_the_click(page: Page) -> None:
    """A link that was used says so after the question, and leaves the session alone."""
    log_in(page)
    before = session_cookies(page)
    page.goto(used(page))
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="This login has expired")).to_be_focused()
    assert (user_id(page), session_cookies(page)) == (ALICE, before)


@contextmanager
def another_site(html: str) -> Iterator[int]:
    """A server of somebody else's, with this page; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def context(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """A browser profile whose console nobody listens to: it complains of what is blocked, and is meant to."""
    with browser.new_context(base_url=server.origin, locale="en-US") as made:
        made.set_default_timeout(10_000)
        yield made


EMBEDDED = 13
"""How often a browser asks for an address that is in a page in all of these ways."""


def embedding(url: str) -> str:
    """A page that has a browser fetch `url` in every way but going there."""
    ahead = {"source": "list", "urls": [url], "eagerness": "immediate"}
    return f"""<!doctype html><title>Embeds</title>
        <link rel="prefetch" href="{url}"><link rel="stylesheet" href="{url}">
        <script type="speculationrules">{json.dumps({"prefetch": [ahead], "prerender": [ahead]})}</script>
        <img src="{url}"><iframe src="{url}"></iframe><object data="{url}"></object><embed src="{url}">
        <video src="{url}"></video><script src="{url}"></script>
        <iframe name="target"></iframe><form method="get" target="target" action="{url.partition("?")[0]}">
        </form><script>
          for (const [name, value] of new URL("{url}").searchParams) {{
            const input = Object.assign(document.createElement("input"), {{ name, value, type: "hidden" }});
            document.forms[0].append(input);
          }}
          document.forms[0].submit();
          const options = {{ mode: "no-cors", credentials: "include" }};
          window.done = Promise.allSettled([
            fetch("{url}", options), fetch("{url}", {{ ...options, method: "POST", body: "" }}),
            fetch("{url}", {{ ...options, mode: "cors" }}), fetch("{url}", {{ ...options, method: "HEAD" }}),
          ]);
        </script>"""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["same-site", "cross-site"])
@pytest.mark.parametrize("way", ["widget", "oidc"])
def test_embedded_login(context: BrowserContext, server: Server, way: str, host: str) -> None:
    """Frames, images, scripts, prefetches and the like of a good login do nothing, and it works afterwards.

    Another port of localhost is the same site to a browser, so there even the cookies travel along.
    """
    page = context.new_page()
    if way == "widget":
        url = f"{server.origin}{widget_link(proof(page, MEI), state=begin(page)['state'])}"
    else:
        url = callback_link(page, MEI)
    before = context.cookies()
    assert [cookie["name"][:10] for cookie in before] == ["tgauth-tx-"]
    printed = len(server.output)
    with another_site(embedding(url)) as port:
        page.goto(f"http://{host}:{port}/")
        page.evaluate("window.done")
        kinds = {("GET", 403), ("POST", 415 if way == "widget" else 405), ("HEAD", 204)}
        # Frames, objects and prefetches come when the browser has time for them.
        for _ in range(100):
            answers = [(line["method"], line["status"]) for line in map(json.loads, server.output[printed:])]
            if len(answers) >= EMBEDDED and kinds <= set(answers):
                break
            page.wait_for_timeout(100)
        assert len(answers) >= EMBEDDED
        assert set(answers) == kinds
        assert context.cookies() == before
        assert user_id(page) is None

    page.goto(url)
    expect(page.get_by_role("heading", name="Mei", exact=True)).to_be_visible()
    assert user_id(page) == MEI


def test_framed_pages(context: BrowserContext, server: Server) -> None:
    """No other site may frame the question or the error page, so none can have their buttons pressed."""
    page = context.new_page()
    frames = "".join(
        f'<iframe src="{server.origin}{path}"></iframe>' for path in ("/confirm.html", "/error.html")
    )
    blocked: list[str] = []
    page.on("console", lambda message: "frame-ancestors" in message.text and blocked.append(message.text))
    with another_site(frames) as port:
        page.goto(f"http://localhost:{port}/")
        expect(page.frame_locator("iframe").first.get_by_role("heading")).to_have_count(0)
    assert len(blocked) == 2


@pytest.mark.parametrize("path", ["start", "login", "logout"])
def test_posts_of_other_sites(context: BrowserContext, server: Server, path: str) -> None:
    """Another site's form or script can neither begin a login, nor finish one, nor log anybody out."""
    page = context.new_page()
    log_in(page)
    before = context.cookies()
    url, body = f"{server.origin}/telegram/{path}", json.dumps({"widget": proof(page, MEI)})
    form = f"""<form method="post" action="{url}" enctype="text/plain">
        <input name='{body[:-1]}, "transport": "cookie", "x": "' value='"}}'></form>
        <script>window.done = fetch("{url}", {{ method: "POST", mode: "no-cors", credentials: "include",
          body: {json.dumps(body)} }}).finally(() => document.forms[0].submit());</script>"""
    with another_site(form) as port, page.expect_navigation(url=url):
        page.goto(f"http://localhost:{port}/", wait_until="commit")
    assert context.cookies() == before
    assert user_id(page) == ALICE
