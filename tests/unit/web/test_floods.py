"""Floods: a token, and a network whose codes Telegram refuses, are served so often a minute (429)."""

from collections.abc import Callable
from typing import Any

import pytest

from lib.tgauth.web.request import Request
from tests.site import (
    HOST,
    ORIGIN,
    Answer,
    Clock,
    Site,
    in_parallel,
)
from tests.unit.web.telegram import PAGE, Browser, Telegram, fixtures

running, telegram = fixtures

ATTACKER, NEIGHBOUR, STRANGER = "93.184.216.34", "93.184.216.250", "93.184.217.34"


def use(site: Site, times: int, **held: str) -> list[int]:
    return [site.verify(**held).status for _ in range(times)]


def from_(address: str) -> dict[str, Any]:
    return {"environ": {"REMOTE_ADDR": address}}


def junk(browser: Browser, address: str, **request: Any) -> Answer:
    """Come back to a login of this browser with a code that Telegram never gave."""
    query = f"code=junk&state={browser.start()['state']}"
    return browser.go("/telegram/callback", query, **from_(address), **request)


def arrive(telegram: Telegram, site: Site, address: str, **request: Any) -> tuple[Browser, Answer]:
    """Log in by code, from this address."""
    browser = Browser(site)
    query = telegram.agree(browser.begin())
    return browser, browser.go("/telegram/callback", query, **from_(address), **request)


def test_a_token_is_used_600_times_a_minute(both: Site) -> None:
    """The 601st time it is 429 at no command, for this token alone, until the minute is over."""
    busy, other = both.login().token, both.login().token
    assert use(both, 600, cookie=busy) == [200] * 600
    both.store.calls.clear()
    for refused in (both.verify(cookie=busy), both.refresh(cookie=busy), both.devices(cookie=busy)):
        assert (refused.status, refused.code) == (429, "rate_limited")
        assert refused.header("Retry-After") == "60"
        assert refused.header("Set-Cookie") is None
    assert both.end(cookie=busy).status == 429
    assert both.store.calls == []
    assert both.verify(cookie=other).status == 200
    both.clock.time += 60
    assert both.verify(cookie=busy).status == 200


@pytest.mark.parametrize("transport", ["cookie", "bearer"])
def test_everything_counts_once(clock: Clock, transport: str) -> None:
    """Whatever a token is used for is one use, however often it is looked at for that."""
    site = Site(clock, shared=True)
    login = site.login() if transport == "cookie" else site.bearer_login()
    held, user = {transport: login.token}, login.json()["user"]["id"]
    uses: list[Callable[[], Answer]] = [
        lambda: site.verify(**held),
        lambda: site.send("HEAD", "/telegram/verify", **held),
        lambda: site.refresh(**held),
        lambda: site.devices(**held),
        lambda: site.end(query="keep=current", **held),
        lambda: site.end("A" * 16, query=f"user={user}", **held),
    ]
    for number in range(600):
        assert uses[number % 6]().status != 429, number
    assert {one().status for one in uses} == {429}


def test_a_flood_keeps_nobody_in(both: Site) -> None:
    """Whoever holds a token that somebody floods with can end its session."""
    token = both.login().token
    assert use(both, 601, cookie=token)[-1] == 429
    assert both.logout(cookie=token).status == 204
    assert both.verify(cookie=token).code == "invalid_session"


def test_a_flood_keeps_nobody_out(both: Site) -> None:
    """They can log in again, too, and that ends the session that was flooded."""
    token = both.login().token
    assert use(both, 601, cookie=token)[-1] == 429
    again = both.login(cookie=token)
    assert again.status == 200
    assert both.verify(cookie=again.token).status == 200
    assert both.verify(cookie=token).code == "invalid_session"


def test_parallel_uses_are_all_counted(site: Site) -> None:
    """In many threads at once no more than 600 come through."""
    token = site.login().token
    found = in_parallel(8, lambda _: use(site, 100, cookie=token).count(200))
    assert sum(found) == 600


def test_floods_take_little_memory_and_push_no_proof_out(site: Site) -> None:
    """With any number of tokens and networks memory is bounded, and a used proof stays known."""
    widget = site.widget()
    site.login(widget)
    for number in range(10_000):
        site.service.token_uses.count(f"token {number}", 60)
        site.service.refused_codes.count(f"network {number}", 60)
    assert len(site.service.token_uses._held) == len(site.service.refused_codes._held) == 4096
    site.store.calls.clear()
    assert site.login(widget).code == "login_stale"
    assert site.store.calls == []


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        (ATTACKER, NEIGHBOUR, STRANGER),
        (ATTACKER, f"::ffff:{NEIGHBOUR}", f"::ffff:{STRANGER}"),
        ("2a00:1450:4001:80f::200e", "2a00:1450:4001:8ff:1::1", "2a00:1450:4001:900::1"),
    ],
)
def test_ten_codes_of_a_network(telegram: Telegram, address: str, same: str, other: str) -> None:
    """After ten that Telegram refused it is not asked for that network, until the minute is over."""
    site = telegram.site()
    refused = [junk(Browser(site), address).code for _ in range(10)]
    assert refused == ["login_rejected"] * 10
    telegram.forget()
    site.store.calls.clear()
    for _ in range(5):
        assert junk(Browser(site), same).code == "rate_limited"
    _, honest = arrive(telegram, site, same)
    assert (honest.status, honest.header("Retry-After")) == (429, "60")
    assert telegram.received() == site.store.calls == []
    assert arrive(telegram, site, other)[1].status == 303
    telegram.clock.time += 60
    assert arrive(telegram, site, same)[1].status == 303


def test_who_looks_sees_a_page(telegram: Telegram) -> None:
    """A browser is shown why, and keeps the session that it has."""
    site = telegram.site()
    browser, first = arrive(telegram, site, NEIGHBOUR)
    for _ in range(10):
        junk(Browser(site), ATTACKER)
    page = junk(browser, NEIGHBOUR, headers=PAGE)
    assert (page.status, first.status) == (303, 303)
    assert (page.header("Location") or "").startswith("/error.html?code=rate_limited&reference=")
    assert browser.verify().status == 200


def test_only_what_telegram_refused_counts(telegram: Telegram) -> None:
    """Neither logins that succeed, nor Telegram's trouble, nor what never got as far as that."""
    site = telegram.site()
    for _ in range(15):
        assert arrive(telegram, site, ATTACKER)[1].status == 303
    for error, status in (("server_error", 500), ("invalid_client", 401), ("unauthorized_client", 400)):
        telegram.fault(f'{{"error":"{error}"}}', status)
        for _ in range(6):
            assert junk(Browser(site), ATTACKER).status == 503
    telegram.answer_with("a.b.c")
    for _ in range(15):
        assert junk(Browser(site), ATTACKER).code == "login_rejected"
    telegram.provider.faults.clear()
    for _ in range(15):
        browser = Browser(site)
        browser.start()
        assert browser.go("/telegram/callback", "code=x&state=y", **from_(ATTACKER)).status == 401
        query = f"error=access_denied&state={browser.start()['state']}"
        assert browser.go("/telegram/callback", query, **from_(ATTACKER)).code == "login_cancelled"
    assert arrive(telegram, site, ATTACKER)[1].status == 303
    assert junk(Browser(site), ATTACKER).code == "login_rejected"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "100.64.0.1", "::1", "fd00::1", "", "unix:"])
def test_nobody_is_taken_for_a_proxys_other_visitors(telegram: Telegram, address: str) -> None:
    """Behind an address that all share, what one sends keeps nobody else out."""
    site = telegram.site()
    for _ in range(20):
        assert junk(Browser(site), address).code == "login_rejected"
    assert arrive(telegram, site, address)[1].status == 303


def network(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str | None:
    request = Request({"REQUEST_METHOD": "GET", "HTTP_HOST": HOST, **environ})
    monkeypatch.setattr(Request, "own_origin", ORIGIN)
    return request.network


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"REMOTE_ADDR": ATTACKER}, "93.184.216.0/24"),
        ({"REMOTE_ADDR": f"::ffff:{ATTACKER}"}, "93.184.216.0/24"),
        ({"REMOTE_ADDR": "2a00:1450:4001:80f::200e"}, "2a00:1450:4001:800::/56"),
        ({"REMOTE_ADDR": f"{ATTACKER}, {STRANGER}"}, None),
        ({"REMOTE_ADDR": f"{ATTACKER}:443"}, None),
        ({}, None),
        # The same service behind another server, which passes all requests on from its own address.
        ({"REMOTE_ADDR": ATTACKER, "HTTP_HOST": "tgauth.vercel.app"}, None),
        # What a client writes itself, in either spelling, is not where it is.
        ({"REMOTE_ADDR": ATTACKER, "HTTP_X_VERCEL_FORWARDED_FOR": STRANGER}, "93.184.216.0/24"),
        ({"REMOTE_ADDR": ATTACKER, "HTTP_X_REAL_IP": STRANGER}, "93.184.216.0/24"),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": STRANGER}, None),
    ],
)
def test_where_a_client_is(
    environ: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network is a /24 of IPv4 or a /56 of IPv6, and unknown where the address may be everybody's."""
    assert network(environ, monkeypatch) == expected
