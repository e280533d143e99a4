"""GET /health: whether sessions work here, and nothing more."""

from collections.abc import Callable
from typing import Any

import pytest

from lib.errors import StoreUnavailable
from tests.unit.web.conftest import AUTH_SECRET, BOT_ID, BOT_TOKEN, ENV, Clock, Site, send


@pytest.mark.parametrize(
    ("env", "status"),
    [
        ({}, "ok"),
        ({"VERCEL": "1"}, "degraded"),
        ({"VERCEL": "1", "VERCEL_ENV": "preview"}, "degraded"),
        ({"VERCEL": "0"}, "ok"),
    ],
)
def test_in_memory(clock: Clock, env: dict[str, str], status: str) -> None:
    """Sessions in memory are all right on one's own machine and second best on Vercel."""
    answer = Site(clock, {**ENV, **env}).send("GET", "/health")
    assert (answer.status, answer.json()) == (200, {"status": status, "store": "memory"})


def test_down_when_the_store_is(site: Site) -> None:
    """A store that does not answer makes it 503, and it recovers with it."""
    site.store.error = StoreUnavailable("canary reason")
    answer = site.send("GET", "/health")
    assert (answer.status, answer.json()) == (503, {"status": "down", "store": None})
    assert b"canary" not in answer.body
    site.store.error = None
    assert site.send("GET", "/health").status == 200


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({}, ["TELEGRAM_BOT_TOKEN: is not set"]),
        ({"TELEGRAM_BOT_TOKEN": "canary"}, ["TELEGRAM_BOT_TOKEN: is malformed"]),
        ({"TELEGRAM_BOT_ID": str(BOT_ID)}, ["AUTH_SECRET: is not set"]),
        ({**ENV, "AUTH_SECRET": "canary"}, ["AUTH_SECRET: has an empty or short entry"]),
        ({**ENV, "AUTH_SECRET": AUTH_SECRET + ","}, ["AUTH_SECRET: has an empty or short entry"]),
        ({**ENV, "AUTH_ORIGIN": "canary"}, ["AUTH_ORIGIN: is no origin"]),
        ({**ENV, "KV_REST_API_TOKEN": "canary"}, ["KV_REST_API_URL: is missing from the pair"]),
        ({**ENV, "SESSION_TTL": "canary", "SESSION_LIMIT": "0"}, ["SESSION_TTL: ", "SESSION_LIMIT: "]),
        (
            {
                "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
                "AUTH_SECRET": "canary",
                "AUTH_ORIGIN": "canary",
                "ALLOWED_ORIGINS": "canary",
                "SESSION_TTL": "canary",
                "SESSION_MAX_AGE": "canary",
                "TELEGRAM_DENY": "canary",
                "KV_REST_API_TOKEN": "canary",
            },
            [
                "AUTH_SECRET: ",
                "AUTH_ORIGIN: ",
                "ALLOWED_ORIGINS: ",
                "SESSION_TTL: ",
                "SESSION_MAX_AGE: ",
                "TELEGRAM_DENY: ",
                "KV_REST_API_URL: ",
            ],
        ),
    ],
)
def test_misconfigured(
    environment: Callable[[dict[str, str]], None],
    lines: Callable[[], list[dict[str, Any]]],
    env: dict[str, str],
    named: list[str],
) -> None:
    """With wrong settings it is down; the log names every variable and its fix, neither shows a value."""
    environment(env)
    for method in ("GET", "HEAD"):
        answer = send(method, "/health")
        assert answer.status == 503
        assert answer.body == (b"" if method == "HEAD" else b'{"status":"down","store":null}\n')
        (line,) = lines()
        assert (line["event"], line["level"], line["status"]) == ("misconfigured", "error", 503)
        for text in named:
            assert text in line["reason"]
        assert "canary" not in str(line)


def test_mending_the_settings_needs_no_new_process(environment: Callable[[dict[str, str]], None]) -> None:
    """Wrong settings are not remembered."""
    environment({})
    assert send("GET", "/health").status == 503
    environment(ENV)
    assert send("GET", "/health").status == 200


def test_asks_nobody_who_they_are(site: Site) -> None:
    """Credentials, good, bad or malformed, change nothing."""
    plain = site.send("GET", "/health")
    for request in (
        {"cookie": "x"},
        {"bearer": "x"},
        {"headers": {"Authorization": "Basic x"}},
        {"query": "a=b"},
    ):
        assert site.send("GET", "/health", **request) == plain  # type: ignore[arg-type]
