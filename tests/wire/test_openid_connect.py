"""Login by code in Vercel's runtime: start, callback and verify are three processes, Telegram a fourth."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode

import httpx
import pytest

from dev.telegram.serving import Serving, serving
from dev.vercel.proxy import HOST, Response
from dev.vercel.runtime import Function
from tests.wire.conftest import COOKIE, ENV, ORIGIN, StartFunction

CLIENT_SECRET = "wire-canary-client-secret-0123456789"
GOING = {
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "accept": "text/html",
}

ACCESS_LINE = re.compile(r'[\d.]+ - - \[[^\]]+\] "GET /api/telegram/\S+ HTTP/1\.1" \d{3} -')


class Browser:
    """Somebody's browser at a deployment that logs in with the simulated Telegram; it keeps its cookies."""

    def __init__(self, function: StartFunction, telegram: Serving) -> None:
        self._function = function
        self._env = {
            **ENV,
            "TELEGRAM_CLIENT_SECRET": CLIENT_SECRET,
            "TELEGRAM_OAUTH_URL": telegram.url,
            "VERCEL_DEPLOYMENT_ID": "dpl_openid",
        }
        self.cookies: dict[str, str] = {}

    def function(self, name: str) -> Function:
        return self._function(f"api/telegram/{name}.py", self._env)

    def go(self, name: str, query: str = "") -> Response:
        """Go to an address, and keep the cookies that its answer sets."""
        cookie = "; ".join(f"{key}={value}" for key, value in self.cookies.items())
        headers = {**GOING, **({"cookie": cookie} if cookie else {})}
        answer = self.function(name).request("GET", f"/api/telegram/{name}?{query}", headers)
        for header in answer.all("set-cookie"):
            key, _, value = header.partition(";")[0].partition("=")
            self.cookies[key] = value
            if not value:
                del self.cookies[key]
        return answer

    def agree(self, location: str) -> str:
        """Choose who logs in on Telegram's page; the query of the way back."""
        answer = httpx.get(f"{location}&user=100000001", follow_redirects=False)
        address, _, query = answer.headers["location"].partition("?")
        assert address == f"{ORIGIN}/telegram/callback"
        return query


@pytest.fixture(scope="module")
def telegram() -> Iterator[Serving]:
    """The simulated Telegram with this deployment's client."""
    bot_id = ENV["TELEGRAM_BOT_TOKEN"].partition(":")[0]
    with serving(redirect_origin=ORIGIN, client_id=bot_id, client_secret=CLIENT_SECRET) as running:
        yield running


@pytest.fixture
def browser(function: StartFunction, telegram: Serving) -> Browser:
    return Browser(function, telegram)


def test_login_by_code(browser: Browser) -> None:
    """From start over Telegram to the path that was asked for, with a session that verify knows."""
    started = browser.go("start", "return_to=/orders%3Fid=5")
    assert started.status == 303
    (name,) = browser.cookies
    assert name.startswith(f"{COOKIE}-tx-")
    query = browser.agree(started.header("location") or "")
    arrived = browser.go("callback", query)
    assert (arrived.status, arrived.header("location")) == (303, "/orders?id=5")
    # The transaction's stays for a minute, and leads here again.
    assert browser.cookies.keys() == {COOKIE, name}
    again = browser.go("callback", query)
    assert (again.status, again.header("location")) == (303, "/orders?id=5")
    verified = browser.go("verify").json()
    assert (verified["user"]["id"], verified["session"]["method"]) == (100000001, "oidc")


def test_no_line_of_ours_holds_what_came_in_an_address(browser: Browser) -> None:
    """Codes, states and proofs are in addresses, and in no line of ours, nor are tokens and secrets.

    Vercel's runtime writes a line of its own for every request, which has the address.
    """
    started = browser.go("start")
    location = browser.agree(started.header("location") or "")
    cookies = dict(browser.cookies)
    assert browser.go("callback", location).status == 303
    proof = "canaryhash" * 6 + "0000"
    browser.go("login", urlencode({"id": 42, "first_name": "CanaryName", "auth_date": 1, "hash": proof}))
    canaries = [*parse_qs(location)["code"], *parse_qs(location)["state"], proof, "CanaryName", CLIENT_SECRET]
    # The HTTP client writes the address of what it asks, unless it is told not to.
    canaries += ["HTTP Request", "/token"]
    canaries += [*cookies.values(), *browser.cookies.values(), "Alice", ENV["TELEGRAM_BOT_TOKEN"], HOST + "/"]
    for name in ("start", "callback", "login", "verify"):
        lines = browser.function(name).log_text.splitlines()
        ours = [line for line in lines if not ACCESS_LINE.fullmatch(line)]
        assert len(ours) < len(lines)
        assert any('"route":"/telegram/' in line for line in ours)
        assert [canary for canary in canaries if canary in "\n".join(ours)] == []
