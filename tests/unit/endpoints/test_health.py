"""GET /health: whether people can log in here, and nothing more."""

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from lib.tgauth.errors import Misconfigured, StoreUnavailable
from lib.tgauth.memo import Latest
from tests.site import AUTH_SECRET, BOT_ID, BOT_TOKEN, ENV, Clock, Site, send


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({}, None),
        ({"VERCEL": "1"}, "memory"),
        ({"VERCEL": "1", "VERCEL_ENV": "preview"}, "memory"),
        ({"VERCEL": "0"}, None),
        # System Environment Variables can be off; the runtime needs this one.
        ({"__VC_HANDLER_ENTRYPOINT": "api/status.py"}, "memory"),
        ({"STORAGE_KV_REST_API_URL": "https://canary.upstash.io"}, "memory_prefix"),
        ({"STORAGE_KV_REST_API_URL": "https://canary.upstash.io", "VERCEL": "1"}, "memory_prefix"),
    ],
)
def test_in_memory(clock: Clock, env: dict[str, str], problem: str | None) -> None:
    """Sessions in memory are right on one's own machine, second best on Vercel, a mistake beside Redis."""
    answer = Site(clock, {**ENV, **env}).send("GET", "/health")
    expected = {"status": "ok", "store": "memory"}
    if problem:
        expected = {"status": "degraded", "store": "memory", "problem": problem}
    assert (answer.status, answer.json()) == (200, expected)


def test_down_when_the_store_is(site: Site) -> None:
    """A store that does not answer makes it 503, and it recovers with it."""
    site.store.error = StoreUnavailable("canary reason", cause="store_full")
    answer = site.send("GET", "/health")
    assert (answer.status, answer.json()) == (503, {"status": "down", "store": None, "problem": "store_full"})
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
        ({**ENV, "AUTH_ORIGIN": "canary"}, ["AUTH_ORIGIN: is not a valid origin"]),
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
        down = b'{"status":"down","store":null,"problem":"settings"}\n'
        assert answer.body == (b"" if method == "HEAD" else down)
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


def without(*names: str) -> dict[str, str]:
    """The settings of these tests without some of them."""
    return {name: value for name, value in ENV.items() if name not in names}


@pytest.mark.parametrize(
    ("env", "status", "problem"),
    [
        (without("AUTH_ORIGIN"), 503, "origin"),
        ({**without("AUTH_ORIGIN"), "VERCEL_ENV": "preview"}, 503, "origin"),
        ({**without("AUTH_ORIGIN"), "VERCEL_ENV": "preview", "VERCEL_URL": "x.vercel.app"}, 200, None),
        ({**without("AUTH_ORIGIN"), "VERCEL_PROJECT_PRODUCTION_URL": "x.example"}, 200, None),
        ({**without("AUTH_ORIGIN"), "VERCEL_ENV": "development"}, 200, None),
        ({**ENV, "TELEGRAM_BOT_ID": str(BOT_ID), "TELEGRAM_BOT_TOKEN": "canary"}, 503, "settings"),
        ({**without("TELEGRAM_BOT_TOKEN"), "TELEGRAM_BOT_ID": str(BOT_ID)}, 200, None),
        (
            {
                **ENV,
                "TELEGRAM_BOT_ID": str(BOT_ID),
                "TELEGRAM_BOT_TOKEN": "canary",
                "TELEGRAM_CLIENT_SECRET": "client-secret-of-no-bot",
            },
            200,
            None,
        ),
    ],
)
def test_settings_that_let_nobody_log_in(
    environment: Callable[[dict[str, str]], None],
    lines: Callable[[], list[dict[str, Any]]],
    env: dict[str, str],
    status: int,
    problem: str | None,
) -> None:
    """Without a known address, or without any way to log in, it is down, whatever the store does."""
    environment({"AUTH_SECRET": AUTH_SECRET, **env})
    answer = send("GET", "/health", headers={"Host": "tgauth.example"})
    assert (answer.status, answer.json().get("problem")) == (status, problem)
    if problem == "origin":
        assert lines()[-1]["reason"].startswith("AUTH_ORIGIN: is not set; set this site's origin")


@pytest.mark.parametrize("path", ["/health", "/telegram/verify"])
def test_a_package_that_is_missing(
    environment: Callable[[dict[str, str]], None],
    lines: Callable[[], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    """Where a pyproject.toml took requirements.txt's place, the log names the package and the file."""
    environment({**ENV, "REDIS_URL": "redis://localhost"})
    # As an import of what is not installed.
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "lib.tgauth.store.redis", raising=False)
    answer = send("GET", path, bearer="tg1_x" if path != "/health" else None)
    assert answer.status == 503
    assert answer.json().get("problem", "settings") == "settings"
    assert "requirements.txt: redis is not installed; check whether a pyproject.toml" in lines()[-1]["reason"]


def test_asking_often_keeps_nothing(environment: Callable[[dict[str, str]], None], clock: Clock) -> None:
    """A refusal that is remembered is raised anew each time, and holds on to no request."""
    site = Site(clock)
    known = Misconfigured("TELEGRAM_BOT_TOKEN: Telegram refused it; …", cause="bot_token")
    site.service.bot_problem.get(lambda _: (known, 3600))
    for _ in range(50):
        assert site.send("GET", "/health").status == 503
    assert known.__traceback__ is None


def test_a_question_holds_nobody_up(clock: Clock) -> None:
    """While one thread waits for Telegram, or for a name server, the others hear what was known."""
    latest = Latest("before", clock)
    asking, answered = threading.Event(), threading.Event()

    def ask(_: str) -> tuple[str, float]:
        asking.set()
        assert answered.wait(10)
        return "after", 60

    thread = threading.Thread(target=latest.get, args=[ask])
    thread.start()
    assert asking.wait(10)
    assert latest.get(ask) == "before"
    answered.set()
    thread.join(10)
    assert latest.get(ask) == "after"
