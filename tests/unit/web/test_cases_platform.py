"""What people ran into on the platform's side (tests/cases/platform/), tried on the functions."""

import json
from pathlib import Path
from typing import Any

import pytest

from lib.tgauth.auth import authenticate
from lib.tgauth.errors import RateLimited, StoreUnavailable
from tests.site import COOKIE, ENV, HOST, ORIGIN, Clock, Site
from tests.unit.web.telegram import Browser, Telegram, fixtures, session_cookies

running, telegram = fixtures

CASES = Path(__file__).parents[2] / "cases/platform"


def case(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CASES / name).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("number", range(4))
def test_a_service_worker_of_the_owners(telegram: Telegram, number: int) -> None:
    """A visit that a service worker passes on logs in; frames and fetches are refused."""
    tried = case("01_service_worker.json")
    env = {name: value for name, value in tried["env"].items() if not name.startswith("TELEGRAM_")}
    # The bot and its secret are those that the simulated Telegram knows.
    browser = Browser(telegram.site({"AUTH_ORIGIN": "", **env}))
    request = tried["requests"][number]
    path = request["send"].split()[1].partition("?")[0]
    query = telegram.agree(browser.begin("return_to=/x")) if path.endswith("callback") else ""
    answer = browser.go(path, query, headers=request["headers"])
    location = answer.header("Location") or ""
    if request["expected"].startswith("403"):
        assert answer.status == 403
    elif request["expected"] == "303 to Telegram":
        assert (answer.status, "/auth?client_id=" in location) == (303, True)
    else:
        assert request["expected"] == "303 to return_to, session cookie"
        assert (answer.status, location, len(session_cookies(answer))) == (303, "/x", 1)


@pytest.mark.parametrize("number", range(5))
def test_a_site_behind_basic_authentication(site: Site, number: int) -> None:
    """The browser's credentials for what stands in front do not hide the cookie; a broken Bearer is 400."""
    request = case("03_basic_auth.json")["requests"][number]
    good = {"<a good session>": f"{COOKIE}={site.login().token}", "<own>": ORIGIN}
    if request["send"].startswith("lib.auth"):
        headers = {"Authorization": "Basic c3RhZ2luZzpwdw==", "Cookie": good["<a good session>"]}
        assert authenticate({**headers, "Host": HOST}) is not None
        return
    method, path = request["send"].split()
    headers = {name: good.get(value, value) for name, value in request["headers"].items()}
    answer = site.send(method, path, headers=headers)
    assert answer.status == int(request["expected"][:3])
    assert answer.status != 401 or answer.code == "unauthenticated"


def test_cors(clock: Clock) -> None:
    """Tracing headers stay refused in a preflight, and pages of ALLOWED_ORIGINS can read Retry-After."""
    tried = case("12_cors.json")
    preflight, refusal = tried["requests"]
    site = Site(clock, {**ENV, **tried["env"]}, shared=True)
    method, path = preflight["send"].split()
    answer = site.send(method, path, headers=preflight["headers"])
    assert answer.header("Access-Control-Allow-Headers") == "Authorization, Content-Type"
    origin = {"Origin": tried["env"]["ALLOWED_ORIGINS"]}
    name, _, value = refusal["expected"].partition(": ")
    for error, status in ((RateLimited("busy"), 429), (StoreUnavailable("down"), 503)):
        token = site.bearer_login().token
        site.store.error = error
        refused = site.verify(bearer=token, headers=origin)
        assert (refused.status, refused.header(name)) == (status, value)
        assert refused.header(value) is not None
        site.store.error = None
