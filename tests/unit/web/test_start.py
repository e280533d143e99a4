"""POST /telegram/start: what a login page needs to send somebody to Telegram."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.web.conftest import AUTH_SECRET, BOT_ID, BOT_TOKEN, ENV, LOCAL_ENV, ORIGIN, Clock, Site


def test_answer(clock: Clock) -> None:
    """The methods, the bot, and Telegram's address that leads back here with the state."""
    site = Site(clock, {**ENV, "TELEGRAM_BOT_USERNAME": "canary_bot"})
    answer = site.start()
    value = answer.json()
    state = value.pop("state")
    url = urlsplit(value.pop("widget_auth_url"))
    assert value == {"methods": ["widget"], "bot_username": "canary_bot", "client_id": str(BOT_ID)}
    assert (url.scheme, url.netloc, url.path) == ("https", "oauth.telegram.org", "/auth")
    assert parse_qs(url.query) == {
        "bot_id": [str(BOT_ID)],
        "origin": [ORIGIN],
        "return_to": [f"{ORIGIN}/?state={state}"],
    }
    assert BOT_TOKEN.encode() not in answer.body
    assert site.store.calls == []


def test_states_are_random(site: Site) -> None:
    """Each start has a state of its own of at least 128 bits."""
    states = {site.start().json()["state"] for _ in range(200)}
    assert len(states) == 200
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22,}", state) for state in states)


def test_the_bots_name_may_be_unknown(site: Site) -> None:
    """Without TELEGRAM_BOT_USERNAME the field is null."""
    assert site.start().json()["bot_username"] is None


@pytest.mark.parametrize("host", ["evil.example", "tgauth.example:444", "localhost:3000", ""])
def test_the_host_header_leads_nowhere(site: Site, host: str) -> None:
    """In production the way back is AUTH_ORIGIN, whatever host was asked for."""
    site.host = host
    query = parse_qs(urlsplit(site.start().json()["widget_auth_url"]).query)
    assert query["origin"] == [ORIGIN]
    assert query["return_to"][0].startswith(f"{ORIGIN}/?state=")


def test_in_development_the_way_back_is_the_host_asked_for(clock: Clock) -> None:
    """On a loopback host the way back is that host; any other gets none."""
    site = Site(clock, {**LOCAL_ENV, "TELEGRAM_OAUTH_URL": "http://localhost:3000/_telegram/"})
    site.host = "localhost:3000"
    url = site.start().json()["widget_auth_url"]
    assert url.startswith("http://localhost:3000/_telegram/auth?")
    assert parse_qs(urlsplit(url).query)["origin"] == ["http://localhost:3000"]
    site.host = "evil.example"
    assert site.start().code == "misconfigured"


def test_without_an_origin_it_cannot_start(clock: Clock) -> None:
    """A production deployment without AUTH_ORIGIN and Vercel's variables says that it is not configured."""
    assert Site(clock, {"TELEGRAM_BOT_TOKEN": BOT_TOKEN}).start().code == "misconfigured"
    known = {"TELEGRAM_BOT_TOKEN": BOT_TOKEN, "VERCEL_PROJECT_PRODUCTION_URL": "tgauth.example"}
    assert Site(clock, known).start().status == 200


def test_the_widget_needs_the_bots_token(clock: Clock) -> None:
    """With the bot's id alone there is no widget to start."""
    site = Site(clock, {"TELEGRAM_BOT_ID": str(BOT_ID), "AUTH_SECRET": AUTH_SECRET, "AUTH_ORIGIN": ORIGIN})
    assert site.start().code == "misconfigured"
