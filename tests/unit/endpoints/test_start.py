"""/telegram/start: POST tells a login page what it needs, GET sends the browser to Telegram."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.site import (
    AUTH_SECRET,
    BOT_ID,
    BOT_TOKEN,
    CLIENT_SECRET,
    ENV,
    LOCAL_ENV,
    ORIGIN,
    Clock,
    Site,
)

OIDC = {**ENV, "TELEGRAM_CLIENT_SECRET": CLIENT_SECRET}
ID_ONLY = {"TELEGRAM_BOT_ID": str(BOT_ID), "AUTH_SECRET": AUTH_SECRET, "AUTH_ORIGIN": ORIGIN}


def query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, strict_parsing=True)


def test_widget_only(clock: Clock) -> None:
    """Without a client secret there is the widget: two addresses, both of which bring the state back."""
    site = Site(clock, {**ENV, "TELEGRAM_BOT_USERNAME": "canary_bot"})
    answer = site.start()
    value = answer.json()
    state, nonce = value.pop("state"), value.pop("nonce")
    url = value.pop("widget_auth_url")
    assert value == {
        "methods": ["widget"],
        "bot_username": "canary_bot",
        "client_id": str(BOT_ID),
        "relay_url": None,
        "oidc_url": None,
        "widget_redirect_url": f"{ORIGIN}/telegram/login?state={state}",
    }
    assert url.startswith("https://oauth.telegram.org/auth?")
    assert query(url) == {
        "bot_id": [str(BOT_ID)],
        "origin": [ORIGIN],
        "return_to": [f"{ORIGIN}/?state={state}"],
    }
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", nonce)
    assert BOT_TOKEN.encode() not in answer.body
    assert site.store.calls == []


def test_oidc_only(clock: Clock) -> None:
    """A deployment that knows only the bot's id and its client secret has no widget."""
    value = Site(clock, {**ID_ONLY, "TELEGRAM_CLIENT_SECRET": CLIENT_SECRET}).start().json()
    assert (value["methods"], value["widget_auth_url"]) == (["oidc"], None)


def test_neither(clock: Clock) -> None:
    """With the bot's id alone a browser cannot log in, and both ways to begin say that it is not set up."""
    site = Site(clock, ID_ONLY)
    assert site.start().code == site.go("/telegram/start").code == "misconfigured"


def test_the_bots_name_may_be_unknown(site: Site) -> None:
    """Without TELEGRAM_BOT_USERNAME the field is null."""
    assert site.start().json()["bot_username"] is None


def test_return_to_comes_back(clock: Clock) -> None:
    """The page that the widget returns to is told where to go on; the answer by code has it in the cookie."""
    site = Site(clock, OIDC)
    answer = site.start(json={"return_to": "/orders?id=5"})
    value = answer.json()
    back = query(value["widget_auth_url"])["return_to"][0]
    assert back == f"{ORIGIN}/?state={value['state']}&return_to=%2Forders%3Fid%3D5"
    assert "orders" not in value["oidc_url"]
    assert "/orders?id=5" in "".join(answer.cookies.values())


@pytest.mark.parametrize(
    "body",
    [
        {"return_to": "//evil.example"},
        {"return_to": "https://evil.example/"},
        {"return_to": ""},
        {"return_to": None},
        {"return_to": ["/"]},
        {"return_to": 1},
        {"returnTo": "/"},
        {"return_to": "/", "x": 1},
    ],
)
def test_malformed(site: Site, body: dict[str, Any]) -> None:
    """What is no path of this site, or misspelt, begins nothing."""
    answer = site.start(json=body)
    assert (answer.status, answer.code, answer.cookies) == (400, "malformed_request", {})


@pytest.mark.parametrize(
    "host", ["evil.example", "tgauth.example:444", "localhost:3000", "tgauth.example.", ""]
)
def test_the_host_header_leads_nowhere(clock: Clock, host: str) -> None:
    """In production the way back is AUTH_ORIGIN, whatever host was asked for; there no cookie is set."""
    site = Site(clock, OIDC)
    site.host = host
    answer = site.start()
    value = answer.json()
    assert query(value["widget_auth_url"])["origin"] == [ORIGIN]
    assert query(value["widget_auth_url"])["return_to"][0].startswith(f"{ORIGIN}/?state=")
    assert query(value["oidc_url"])["redirect_uri"] == [f"{ORIGIN}/telegram/callback"]
    assert answer.cookies == {}
    sent_on = site.go("/telegram/start", "return_to=/x%3Fy=1")
    assert (sent_on.status, sent_on.cookies) == (303, {})
    assert sent_on.header("Location") == f"{ORIGIN}/telegram/start?redirected=1&return_to=%2Fx%3Fy%3D1"


@pytest.mark.parametrize("path", ["/telegram/start", "/telegram/login"])
@pytest.mark.parametrize("junk", ["\x80", "\xff=\xfe", "redirected", "redirected=", "xredirected=1"])
def test_another_host_is_sent_on_whatever_it_asks(site: Site, path: str, junk: str) -> None:
    """Bytes that are no UTF-8, and what only looks as if it came back, are no reason not to."""
    site.host = "www.tgauth.example"
    sent_on = site.go(path, junk)
    assert (sent_on.status, sent_on.cookies) == (303, {})
    assert (sent_on.header("Location") or "").startswith(ORIGIN)


def test_in_development_the_way_back_is_the_host_asked_for(clock: Clock) -> None:
    """On a loopback host the way back is that host; any other gets none."""
    site = Site(clock, {**LOCAL_ENV, "TELEGRAM_OAUTH_URL": "http://localhost:3000/_telegram/"})
    site.host = "localhost:3000"
    url = site.start().json()["widget_auth_url"]
    assert url.startswith("http://localhost:3000/_telegram/auth?")
    assert query(url)["origin"] == ["http://localhost:3000"]
    site.host = "evil.example"
    assert site.start().code == site.go("/telegram/start").code == "misconfigured"


def test_without_an_origin_it_cannot_start(clock: Clock) -> None:
    """A production deployment without AUTH_ORIGIN and Vercel's variables says that it is not configured."""
    assert Site(clock, {"TELEGRAM_BOT_TOKEN": BOT_TOKEN}).start().code == "misconfigured"
    known = {"TELEGRAM_BOT_TOKEN": BOT_TOKEN, "VERCEL_PROJECT_PRODUCTION_URL": "tgauth.example"}
    assert Site(clock, known).start().status == 200


def test_going_there_leads_to_telegram(clock: Clock) -> None:
    """GET redirects to Telegram with a transaction of this browser, and says where it comes from."""
    site = Site(clock, OIDC)
    answer = site.go("/telegram/start", "return_to=/x")
    location = answer.header("Location") or ""
    assert answer.status == 303
    state = query(location)["state"][0]
    name = f"__Host-tgauth-tx-{state[:8]}"
    assert answer.cookies.keys() == {name}
    assert answer.header("Referrer-Policy") == "strict-origin-when-cross-origin"
    assert site.store.calls == []


def test_going_there_without_oidc_leads_to_the_login_page(site: Site) -> None:
    """Where only the widget is set up, the login page goes on, and is told where to."""
    assert site.go("/telegram/start").header("Location") == "/"
    answer = site.go("/telegram/start", "return_to=/x?y=1")
    assert (answer.status, answer.header("Location"), answer.cookies) == (303, "/?return_to=%2Fx%3Fy%3D1", {})
