"""Links and pages that somebody else made: they log nobody in, log nobody out, and use nobody's login up."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dev.serve.process import Server
from dev.telegram.signing import tg_auth_result
from tests.browser.conftest import OpenPage
from tests.browser.front import Front, Reply, front
from tests.browser.steps import (
    ALICE,
    BOBBY,
    MEI,
    begin,
    callback_link,
    cookie_login,
    posts,
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


def fragment_without_state(other: Page) -> str:
    return f"/#tgAuthResult={tg_auth_result(proof(other, BOBBY))}"


def fragment_with_other_state(other: Page) -> str:
    return f"/?state={begin(other)['state']}#tgAuthResult={tg_auth_result(proof(other, BOBBY))}"


def fragment_with_no_state(other: Page) -> str:
    return f"/?state=#tgAuthResult={tg_auth_result(proof(other, BOBBY))}"


def callback(other: Page) -> str:
    return callback_link(other, BOBBY)


LINKS = {
    stateless: "Log in to localhost as",
    other_state: "Log in to localhost as",
    fragment_without_state: "This login did not start here",
    fragment_with_no_state: "This login did not start here",
    fragment_with_other_state: "This login was not accepted",
    callback: "This login was not accepted",
}


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.__name__)
def test_planted_links(open_page: OpenPage, link: Link) -> None:
    """A link with somebody else's login sets no cookie, and whoever is logged in stays so as themselves."""
    victim, attacker = open_page(), open_page()
    for user in (None, ALICE):
        if user:
            cookie_login(victim, user)
        before = victim.context.cookies()
        victim.goto("about:blank")
        victim.goto(link(attacker))
        expect(victim.get_by_text(LINKS[link])).to_be_visible()
        assert victim.context.cookies() == before
        assert user_id(victim) == user
        assert all(word not in victim.url for word in ("hash=", "tgAuthResult", "state="))


@pytest.mark.parametrize("link", [fragment_without_state, fragment_with_no_state], ids=["none", "empty"])
def test_fragment_without_a_state_is_not_sent(open_page: OpenPage, link: Link) -> None:
    """What came without a state was not asked for here, and the API never sees it."""
    victim = open_page()
    sent = posts(victim)
    victim.goto(link(open_page()))
    expect(victim.get_by_role("alert")).to_contain_text("This login did not start here")
    assert sent == []


def test_used_link_is_refused_at_the_click(page: Page) -> None:
    """A link that was used says so after the question, and leaves the session alone."""
    cookie_login(page)
    before = session_cookies(page)
    fields = proof(page, BOBBY)
    body = {"widget": fields, "transport": "bearer"}
    assert page.request.post("/telegram/login", data=body).ok
    page.goto(widget_link(fields))
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="This login has expired")).to_be_focused()
    assert (user_id(page), session_cookies(page)) == (ALICE, before)


def another_site(html: str) -> AbstractContextManager[Front]:
    """A server of somebody else's, with this page."""
    return front(lambda _: Reply(200, {"Content-Type": "text/html"}, html.encode()))


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
    with another_site(embedding(url)) as other:
        page.goto(f"http://{host}:{other.server_port}/")
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


def test_posts_of_other_sites(context: BrowserContext, server: Server) -> None:
    """Another site's form or script can neither begin a login, nor finish one, nor log anybody out."""
    page = context.new_page()
    cookie_login(page)
    before = context.cookies()
    for path in ("start", "login", "logout"):
        url, body = f"{server.origin}/telegram/{path}", json.dumps({"widget": proof(page, MEI)})
        form = f"""<form method="post" action="{url}" enctype="text/plain">
            <input name='{body[:-1]}, "transport": "cookie", "x": "' value='"}}'></form>
            <script>window.done = fetch("{url}", {{ method: "POST", mode: "no-cors", credentials: "include",
              body: {json.dumps(body)} }}).finally(() => document.forms[0].submit());</script>"""
        with another_site(form) as other, page.expect_navigation(url=url):
            page.goto(f"http://localhost:{other.server_port}/", wait_until="commit")
        assert context.cookies() == before
        assert user_id(page) == ALICE
