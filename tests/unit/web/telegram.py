"""The simulated Telegram on a socket of its own, and browsers that log in with it.

A module that uses it names the fixtures: `running, telegram = fixtures`, with the Bot API's chat
`running, telegram, chat = with_chat`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from werkzeug.wrappers import Request, Response

import lib.tgauth.telegram.http
import lib.tgauth.telegram.provider
from dev.telegram.bot_api import BotApi
from dev.telegram.oidc import KEYS_PATH, TOKEN_PATH, Received
from dev.telegram.serving import Serving, serving
from dev.telegram.users import USERS, User
from tests.site import (
    BOT_ID,
    BOT_TOKEN,
    CLIENT_SECRET,
    COOKIE,
    ENV,
    NAVIGATION,
    NOW,
    ORIGIN,
    OWN_PAGE,
    Answer,
    Clock,
    Site,
)

ALICE, MARIA = USERS[100000001], USERS[100000002]
TX = f"{COOKIE}-tx-"
PAGE = {**NAVIGATION, "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
"""The headers of somebody who looks: what is wrong is shown as a page."""


class Telegram:
    """What a test sees of the simulated Telegram: its provider, its clock, and what people do there."""

    def __init__(self, served: Serving, clock: Clock) -> None:
        self.url = served.url
        self.provider = served.provider
        self.clock = clock
        self.env = {**ENV, "TELEGRAM_CLIENT_SECRET": CLIENT_SECRET, "TELEGRAM_OAUTH_URL": served.url}

    def site(self, env: Mapping[str, str] | None = None, *, shared: bool = True) -> Site:
        """A deployment that logs in with this Telegram; `env` changes its variables."""
        return Site(self.clock, {**self.env, **(env or {})}, shared=shared)

    def agree(self, location: str, user: User | str = ALICE) -> str:
        """Choose on Telegram's page who logs in ("cancel" for nobody); the query of the way back."""
        choice = user if isinstance(user, str) else str(user["id"])
        answer = _client().get(f"{location}&user={choice}", follow_redirects=False)
        assert answer.status_code == 302, answer.text
        address, _, query = answer.headers["Location"].partition("?")
        assert address == f"{ORIGIN}/telegram/callback"
        return query

    def code(self, location: str, user: User = ALICE, **grant: Any) -> str:
        """A code for the login that `location` leads to, also for somebody who is no sample user."""
        return self.provider.code_for(user, challenge=parameter(location, "code_challenge"), **grant)

    def token(self, user: User = ALICE, *, kid: str = "oidc-1", headers: Any = None, **claims: Any) -> str:
        """An id_token of now; `claims` and `headers` replace, add, or with None remove."""
        return self.provider.sign(self.provider.claims(user, **claims), kid=kid, headers=headers)

    def answer_with(self, id_token: str) -> None:
        """From now on the token endpoint gives this id_token for whatever it is asked."""
        self.fault(json.dumps({"access_token": "x", "token_type": "Bearer", "id_token": id_token}))

    def fault(self, body: str | bytes, status: int = 200, path: str = TOKEN_PATH, **headers: str) -> None:
        """From now on the endpoint answers this."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.provider.faults[path] = lambda _: Response(body, status, names, mimetype="application/json")

    def drop(self, path: str = TOKEN_PATH) -> None:
        """From now on connections to the endpoint end without an answer."""

        def reset(_: Request) -> Response:
            raise ConnectionError

        self.provider.faults[path] = reset

    def received(self, path: str = TOKEN_PATH) -> list[Received]:
        """What was asked of an endpoint in this test, or since `forget`."""
        return [received for received in self.provider.requests if received.path == path]

    def forget(self) -> None:
        """Count anew."""
        self.provider.requests.clear()


class Browser:
    """Keeps cookies as a browser does, from every answer it gets."""

    def __init__(self, site: Site, cookies: Mapping[str, str] | None = None) -> None:
        self.site = site
        self.cookies = dict(cookies or {})
        self.finished = set[str]()
        """The names of cookies that say where a login led, which can finish none."""
        self.navigation: Mapping[str, str] = NAVIGATION

    def copy(self) -> "Browser":
        """Somebody who has all its cookies now."""
        made = Browser(self.site, self.cookies)
        made.finished = set(self.finished)
        return made

    @property
    def cookie(self) -> str | None:
        """The Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items()) or None

    @property
    def transactions(self) -> list[str]:
        """The names of the transaction cookies that can finish a login, oldest first."""
        return [name for name in self.cookies if "tgauth-tx-" in name and name not in self.finished]

    def send(self, method: str, path: str, **request: Any) -> Answer:
        """One request with its cookies; those of the answer are kept, those that it ends go."""
        answer = self.site.send(method, path, **{"cookie": self.cookie, **request})
        for header in answer.all("Set-Cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            if "; Max-Age=0;" in header:
                self.cookies.pop(name, None)
            else:
                if "; Max-Age=60;" in header:
                    self.finished.add(name)
                self.cookies[name] = value
        return answer

    def go(self, path: str, query: str = "", **request: Any) -> Answer:
        """Go there, from another site."""
        return self.send("GET", path, query=query, **{"headers": self.navigation, **request})

    def begin(self, query: str = "") -> str:
        """GET /telegram/start: Telegram's address."""
        answer = self.go("/telegram/start", query)
        assert answer.status == 303, answer.body
        location = answer.header("Location") or ""
        assert location.startswith(f"{self.site.settings.oauth_url}/auth?"), location
        return location

    def start(self, **body: Any) -> dict[str, Any]:
        """POST /telegram/start: what a login page is told."""
        answer = self.send("POST", "/telegram/start", json=body, headers=OWN_PAGE)
        assert answer.status == 200, answer.body
        value: dict[str, Any] = answer.json()
        return value

    def back(self, query: str, **request: Any) -> Answer:
        """GET /telegram/callback."""
        return self.go("/telegram/callback", query, **request)

    def login(self, body: Mapping[str, Any], **request: Any) -> Answer:
        """POST /telegram/login."""
        return self.send("POST", "/telegram/login", json=body, **{"headers": OWN_PAGE, **request})

    def verify(self) -> Answer:
        return self.send("GET", "/telegram/verify")


@lru_cache(maxsize=1)
def _client() -> httpx.Client:
    return httpx.Client(trust_env=False)


def parameter(location: str, name: str) -> str:
    """The one value of a query parameter."""
    (value,) = parse_qs(urlsplit(location).query, strict_parsing=True)[name]
    return value


def by_code(telegram: Telegram, browser: Browser) -> Answer:
    """Log in as Alice over Telegram's page."""
    return browser.back(telegram.agree(browser.begin()))


def by_widget(_: Telegram, browser: Browser) -> Answer:
    """Log in as Alice by the widget's redirect."""
    names = {name: ALICE.get(name) for name in ("id", "first_name", "last_name", "username")}
    fields = {**browser.site.widget(**names), "state": browser.start()["state"]}
    return browser.go("/telegram/login", urlencode(fields))


def session_cookies(answer: Answer) -> list[str]:
    """The Set-Cookie headers that are neither for transactions nor for the error page."""
    others = ("tgauth-tx-", "tgauth-told")
    return [
        header
        for header in answer.all("Set-Cookie")
        if not any(other in header.partition("=")[0] for other in others)
    ]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Serving, Clock]]:
    """One simulated Telegram for all tests of a module, and the clock that it goes by."""
    clock = Clock()
    with serving(
        redirect_origin=ORIGIN,
        client_id=str(BOT_ID),
        client_secret=CLIENT_SECRET,
        clock=clock,
        bot_token=BOT_TOKEN,
    ) as served:
        yield served, clock
    _client().close()
    _client.cache_clear()
    lib.tgauth.telegram.http._client.close()


@pytest.fixture
def telegram(running: tuple[Serving, Clock]) -> Iterator[Telegram]:
    """The simulated Telegram as nobody has used it, at the time `NOW`, its keys not yet known to us."""
    served, clock = running
    clock.time = NOW
    served.provider.requests.clear()
    served.provider.faults.clear()
    served.provider.kid, served.provider.echo_nonce = "oidc-1", False
    lib.tgauth.telegram.provider._keys.cache_clear()
    yield Telegram(served, clock)
    lib.tgauth.telegram.provider._keys.cache_clear()


@pytest.fixture
def chat(running: tuple[Serving, Clock], telegram: Telegram) -> BotApi:
    """The Bot API as nobody has used it: nobody is in the chat."""
    running[0].bot_api.reset()
    return running[0].bot_api


fixtures: tuple[Callable[..., Any], Callable[..., Any]] = (running, telegram)
with_chat: tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]] = (*fixtures, chat)
KEYS = KEYS_PATH
