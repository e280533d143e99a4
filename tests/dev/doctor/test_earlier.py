"""Whether an earlier deployment still answers, and with what secrets (dev/doctor/earlier.py)."""

import pytest
import requests

from dev.doctor.client import Client
from dev.doctor.earlier import check_earlier

OLD = "https://app-1x2y3z-team.vercel.app"
HEALTH = {"status": "ok", "store": "upstash"}


def checked(old=OLD):
    (check,) = check_earlier(old, Client())
    assert bool(check.fix) == (check.status != "ok"), check
    return check


def down(problem):
    return {"json": {"status": "down", "store": None, "problem": problem}, "status": 503}


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ({"json": HEALTH}, "problem", f"still answers at {OLD}, with the secrets and lists it was deployed"),
        ({"json": {"status": "down", "store": None}, "status": 503}, "problem", "still answers"),
        (down("store_unreachable"), "problem", "still answers"),
        (down("store_credentials"), "ok", "takes no session or login"),
        ({"status": 401, "body": "<html>"}, "ok", "Protection"),
        ({"status": 404, "body": "no"}, "ok", "answers 404"),
        ({"body": requests.ConnectionError("NameResolutionError")}, "ok", "its name is not known"),
        ({"status": 308, "headers": {"Location": "https://example.com/health"}}, "warning", "example.com"),
    ],
    ids=str,
)
def test_what_answers_there(web, answer, status, says):
    """tgauth itself is a problem unless its database refuses it; protection, errors and silence are not."""
    web.get(f"{OLD}/health", **answer)
    check = checked()
    assert (check.status, says in check.message) == (status, True), check


def test_what_to_do_about_it(web):
    """Close such addresses, delete what is there, or take the database away from it."""
    web.get(f"{OLD}/health", json=HEALTH)
    fix = checked().fix
    for part in ("Standard Protection", "delete", "docs/REDIS_SETUP.md#changing-secrets"):
        assert part in fix


def test_how_to_look_at_one():
    """Without its address nothing is asked, and how to give it is said."""
    check = checked("")
    assert check.status == "ok"
    assert "make doctor URL=… OLD=https://….vercel.app" in check.message
