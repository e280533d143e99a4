"""What a refusal tells the person it is about: which account is kept out, or where to go on."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.site import ENV, LOCAL_ENV, OWN_PAGE, USER, Answer, Clock, Site
from tests.unit.web.telegram import ALICE, PAGE, Browser, Telegram, by_code, by_widget, fixtures, parameter

running, telegram = fixtures

KEPT_OUT = {"TELEGRAM_ALLOW": "5"}
COOKIE = "__Host-tgauth-told"

Lines = Callable[[], list[dict[str, Any]]]


PAGES = pytest.mark.parametrize("way", [by_code, by_widget])


def looking(site: Site) -> Browser:
    """A browser whose person sees what is answered."""
    browser = Browser(site)
    browser.navigation = PAGE
    return browser


def told(answer: Answer) -> Any:
    """What the cookie for the error page says; None where there is none."""
    value = answer.cookies.get(COOKIE)
    if value is None:
        return None
    return json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))


def known(user: Any) -> dict[str, Any]:
    return {name: user[name] for name in ("id", "first_name", "last_name", "username") if user.get(name)}


@pytest.mark.parametrize("kind", ["widget", "init_data"])
def test_a_program_is_told_the_account(clock: Clock, kind: str) -> None:
    """The problem names the account by its id and names, and by nothing else that Telegram said."""
    site = Site(clock, {**ENV, **KEPT_OUT})
    body = site.widget(last_name=USER["last_name"]) if kind == "widget" else {"init_data": site.init_data()}
    answer = site.login(body)
    assert (answer.status, answer.code) == (403, "not_allowed")
    assert answer.json()["user"] == known(USER)
    assert answer.all("Set-Cookie") == []
    assert site.store.calls == []


@PAGES
def test_a_page_is_told_the_account(telegram: Telegram, way: Callable[..., Answer], lines: Lines) -> None:
    """By a cookie that it can read and that lasts a minute; the address has code and reference alone."""
    site = telegram.site(KEPT_OUT)
    answer = way(telegram, looking(site))
    line = lines()[-1]
    assert answer.header("Location") == f"/error.html?code=not_allowed&reference={line['request_id']}"
    user = {"id": ALICE["id"], "first_name": "Alice", "last_name": "Johnson", "username": "alice_dev"}
    assert told(answer) == {"user": user, "reference": line["request_id"]}
    (header,) = [header for header in answer.all("Set-Cookie") if header.startswith(COOKIE)]
    assert header.partition(";")[2] == " Path=/; Max-Age=60; SameSite=Lax; Secure"
    assert site.store.calls == []


def test_on_localhost_the_cookie_has_no_prefix(clock: Clock) -> None:
    """Browsers refuse the prefix there, as for the other cookies."""
    site = Site(clock, {**LOCAL_ENV, **KEPT_OUT})
    site.host = "localhost:3000"
    browser = looking(site)
    answer = browser.go("/telegram/login", urlencode({**site.widget(), "state": browser.start()["state"]}))
    (header,) = [header for header in answer.all("Set-Cookie") if header.startswith("tgauth-told=")]
    assert header.partition(";")[2] == " Path=/; Max-Age=60; SameSite=Lax"


@PAGES
def test_the_line_says_who_was_refused(telegram: Telegram, way: Callable[..., Answer], lines: Lines) -> None:
    """By the reference that the user's other lines have, and without a name or an id."""
    way(telegram, looking(telegram.site()))
    welcome = lines()[-1]
    way(telegram, looking(telegram.site(KEPT_OUT)))
    refused = lines()[-1]
    assert (refused["event"], refused["code"], refused["level"]) == ("authz_fail", "not_allowed", "warning")
    assert refused["user_ref"] == welcome["user_ref"]
    for name in known(ALICE).values():
        assert str(name) not in str(refused)


def test_other_refusals_tell_nobody(telegram: Telegram) -> None:
    """Without a genuine proof there is nobody to name, and no cookie."""
    browser = looking(telegram.site(KEPT_OUT))
    answer = browser.back(f"error=access_denied&state={parameter(browser.begin(), 'state')}")
    assert (answer.header("Location") or "").startswith("/error.html?code=login_cancelled")
    assert told(answer) is None


@pytest.mark.parametrize("production", ["https://main.example", None])
def test_a_preview_leads_to_production(clock: Clock, production: str | None) -> None:
    """Where login is off in a preview, the answer links to production, if its address is known."""
    env = {**ENV, "VERCEL_ENV": "preview", "VERCEL_URL": "app-x.vercel.app", "AUTH_ORIGIN": ""}
    site = Site(clock, {**env, **({"AUTH_RELAY_URL": production} if production else {})})
    host = {"Host": "app-x.vercel.app", "Origin": "https://app-x.vercel.app"}
    answer = site.send("POST", "/telegram/start", json={}, headers={**OWN_PAGE, **host})
    assert (answer.status, answer.code) == (503, "relay_required")
    link = {"link": f"{production}/"} if production else {}
    assert {name: value for name, value in answer.json().items() if name == "link"} == link
    page = looking(site).go("/telegram/start", headers={**PAGE, **host})
    assert (page.header("Location") or "").startswith("/error.html?code=relay_required&")
    found = told(page) or {}
    found.pop("reference", None)
    assert found == link
