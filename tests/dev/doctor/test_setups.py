"""Set-ups as owners have them: what `make doctor` says of one, with a Redis and a Telegram that answer."""

import json
import os

import pytest
from dotenv import dotenv_values

import dev.doctor.__main__ as doctor
from dev.doctor.report import Report
from dev.serve.process import ROOT
from dev.telegram.bot_api import refusal, success
from dev.telegram.serving import serving
from tests.site import BOT_ID, BOT_TOKEN, CLIENT_SECRET, ORIGIN

CASES = ROOT / "tests/cases/platform"
QUOTED = json.loads((CASES / "14_pasted_values.json").read_text())["cases"][0]["env"]
PREFIXED = {name: value or "" for name, value in dotenv_values(CASES / "07_prefix.env").items()}
NO_UPSTASH = dict.fromkeys(("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"), ...)


@pytest.fixture(scope="module")
def telegram():
    with serving(
        redirect_origin=ORIGIN, client_id=str(BOT_ID), client_secret=CLIENT_SECRET, bot_token=BOT_TOKEN
    ) as server:

        def get_me(asked):
            if BOT_TOKEN not in asked.path:
                return refusal(401, "Unauthorized")
            return success({"id": BOT_ID, "is_bot": True, "first_name": "Example", "username": "Example_bot"})

        server.bot_api.faults["/getMe"] = get_me
        server.bot_api.faults["/getWebhookInfo"] = lambda _: success({"url": ""})
        server.bot_api.members[BOT_ID] = "administrator"
        yield server


@pytest.fixture
def found(tree, upstash, telegram, monkeypatch):
    """What the doctor finds where all is right but for `changes`; no variable of the machine's counts."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    right = {
        "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
        "TELEGRAM_CLIENT_SECRET": CLIENT_SECRET,
        "TELEGRAM_REQUIRE_CHAT": str(telegram.bot_api.chat_id),
        "TELEGRAM_API_URL": telegram.url,
        "TELEGRAM_OAUTH_URL": telegram.url,
        "AUTH_ORIGIN": ORIGIN,
        "AUTH_SECRET": "pE3vDkYQm1z8RwTn0xHc6JbUa9sLfG2o",
        "UPSTASH_REDIS_REST_URL": upstash.url,
        "UPSTASH_REDIS_REST_TOKEN": upstash.token,
    }

    def find(changes):
        for name, value in {**right, **changes}.items():
            if value is not ...:
                monkeypatch.setenv(name, value)
        return list(doctor.run(Report(), "", tree))

    return find


def test_a_set_up_that_is_all_right(found):
    """Every part is looked at, over real HTTP where it is outside, and nothing is wrong."""
    checks = found({})
    assert [check for check in checks if check.status != "ok"] == []
    assert {check.name for check in checks} == {
        *("variables", "settings", "environment", "secret", "origin", "store"),
        *("functions", "rewrites", "layout"),
        *("bot-token", "bot-username", "clock", "webhook", "require-chat"),
        *("login", "client-secret", "oidc-keys"),
        *("redis", "redis-version", "redis-eviction", "redis-commands", "redis-distance"),
    }


@pytest.mark.parametrize(
    ("changes", "name", "status", "fix"),
    [
        ({"UPSTASH_REDIS_REST_TOKEN": ...}, "settings", "problem", "set both"),
        (
            {**NO_UPSTASH, "REDIS_URL": "https://a.upstash.io"},
            "settings",
            "problem",
            "set it as UPSTASH_REDIS_REST_URL",
        ),
        (QUOTED, "settings", "problem", "set the value without them"),
        ({"AUTH_ORIGIN": "http://example.com"}, "settings", "problem", "set https://host"),
        ({"TELEGRAM_BOT_ID": "42"}, "settings", "problem", "remove one of them"),
        ({**NO_UPSTASH, **PREFIXED}, "look-alikes", "problem", "set KV_REST_API_URL and KV_REST_API_TOKEN"),
        (NO_UPSTASH, "redis", "warning", "set UPSTASH_REDIS_REST_URL"),
        ({"UPSTASH_REDIS_REST_TOKEN": "of-another"}, "redis", "problem", "from one database again"),
        ({"AUTH_ORIGIN": ...}, "origin", "warning", "Enable access to System Environment Variables"),
        ({"TELEGRAM_BOT_TOKEN": f"{BOT_ID}:AAE-of_before"}, "bot-token", "problem", "from before a /revoke"),
        ({"TELEGRAM_CLIENT_SECRET": "of-another"}, "client-secret", "problem", "copy the Client Secret"),
        ({"TELEGRAM_REQUIRE_CHAT": "-42"}, "require-chat", "problem", "docs/API.md#members-only"),
    ],
)
def test_a_set_up_with_one_fault(found, changes, name, status, fix):
    """It is named, with the way out, and called no other problem by any other part."""
    checks = found(changes)
    assert [fix in check.fix for check in checks if (check.name, check.status) == (name, status)] == [True]
    problems = [check.name for check in checks if check.status == "problem"]
    assert problems == [name] * (status == "problem")
