"""What the doctor makes of each answer that GET /health can give (dev/doctor/health.py)."""

import json
import re

import pytest
import requests

from dev.doctor.health import check_health
from dev.serve.process import ROOT

DOWN = {
    "settings": "names the variable and the fix",
    "origin": "Enable access to System Environment Variables",
    "bot_token": "one from before a /revoke",
    "store": "event misconfigured or store_unavailable",
    "store_unreachable": "says which of these it is",
    "store_credentials": "from the page of one database",
    "store_rights": "set the standard token",
    "store_too_old": "Redis 8 or Valkey 9.1",
    "store_full": "delete what else is in it",
    "store_quota": "wait for the next month",
}
DEGRADED = {
    "memory": ("warning", "set UPSTASH_REDIS_REST_URL"),
    "memory_prefix": ("problem", "set KV_REST_API_URL"),
    "chat": ("problem", "docs/API.md#members-only"),
    "bot_token": ("problem", DOWN["bot_token"]),
}
CASES = json.loads((ROOT / "tests/cases/platform/08_health_green.json").read_text())["cases"]


def said(http, **fields):
    answer = requests.Response()
    answer.status_code, answer._content = http, json.dumps(fields).encode()
    return check_health(answer)


def down(code):
    return said(503, status="down", store=None, problem=code)


def degraded(code):
    return said(200, status="degraded", store="memory", problem=code)


@pytest.mark.parametrize(
    ("status", "fields", "expected"),
    [
        (200, {"status": "ok", "store": "upstash"}, "ok"),
        (200, {"status": "ok", "store": "redis"}, "ok"),
        (200, {"status": "ok", "store": "memory"}, "warning"),
        (200, {"status": "ok", "store": "disk"}, "problem"),
        (200, {"status": "fine"}, "problem"),
        (200, {"status": "down", "store": None}, "problem"),
        (500, {}, "problem"),
    ],
)
def test_what_is_well(status, fields, expected):
    """Upstash or Redis is well, memory is a choice, and what tgauth does not say is a problem."""
    assert said(status, **fields).status == expected


@pytest.mark.parametrize(("code", "fix"), DOWN.items())
def test_down(code, fix):
    """Each reason is a problem, with what to do and where that is explained."""
    check = down(code)
    assert check.status == "problem"
    assert check.message.startswith("is down: ")
    assert fix in check.fix
    assert re.search(r"(docs/\w+|README)\.md#", check.fix)


@pytest.mark.parametrize(("code", "status", "fix"), [(code, *said) for code, said in DEGRADED.items()])
def test_degraded(code, status, fix):
    """Memory is a warning, and what keeps people from logging in, or was not meant, is a problem."""
    check = degraded(code)
    assert check.status == status
    assert check.message.startswith("is degraded: ")
    assert fix in check.fix
    assert re.search(r"docs/\w+\.md|README\.md#", check.fix)


def test_each_has_words_of_its_own():
    """No two reasons share a text or a fix, but for the one that only the log tells more of."""
    checks = [*map(down, DOWN), *map(degraded, DEGRADED)]
    different = len({*DOWN, *DEGRADED})
    assert len({check.message.partition(": ")[2] for check in checks}) == different
    assert len({check.fix for check in checks}) == different


@pytest.mark.parametrize("code", ["store_on_fire", "", 7, None, ["store"]])
def test_what_a_later_version_may_say(code):
    """A reason that is not known, and none, lead to the log."""
    assert "vercel logs" in down(code).fix
    if code:
        assert "vercel logs" in degraded(code).fix


def test_a_version_from_before_there_were_reasons():
    """Degraded alone meant memory, and down alone could be anything."""
    assert "UPSTASH_REDIS_REST_URL" in said(200, status="degraded", store="memory").fix
    assert "vercel logs" in said(503, status="down", store=None).fix


@pytest.mark.parametrize(
    ("number", "check", "fix"),
    [
        (0, down("store_too_old"), "Redis 8 or Valkey 9.1"),
        (1, down("store_rights"), "the standard token"),
        (2, down("origin"), "AUTH_ORIGIN"),
        (3, degraded("memory"), "UPSTASH_REDIS_REST_URL"),
    ],
)
def test_what_was_green_once(number, check, fix):
    """Each case in which nobody could log in, or a logout did not hold, is no longer called well."""
    assert "/health 200 ok" in CASES[number]["now"]
    assert check.status in ("problem", "warning")
    assert fix in check.fix
