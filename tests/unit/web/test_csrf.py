"""Requests made with the cookie come from our own pages, or are refused before anything is done."""

import itertools
from collections.abc import Callable

import pytest

from tests.site import BOT_TOKEN, LOCAL_ENV, ORIGIN, Answer, Clock, Site

SITES = [
    None,
    "",
    "same-origin",
    "same-site",
    "cross-site",
    "none",
    "Same-Origin",
    "same-origin ",
    "null",
    "x",
]
ORIGINS = [
    None,
    "",
    ORIGIN,
    "null",
    "https://evil.example",
    f"{ORIGIN}:443",
    f"{ORIGIN}:8443",
    "http://tgauth.example",
    f"{ORIGIN}/",
    f"{ORIGIN}.evil.example",
    "https://eviltgauth.example",
    "https://sub.tgauth.example",
    "https://TGAUTH.example",
    f"{ORIGIN}, https://evil.example",
    f"{ORIGIN} {ORIGIN}",
    "tgauth.example",
    "//tgauth.example",
    f"https://user@{ORIGIN[8:]}",
]
COMBINATIONS = list(itertools.product(SITES, ORIGINS))
# Every value of each header, beside those of the other that decide.
TELLING = [
    (fetch_site, origin)
    for fetch_site, origin in COMBINATIONS
    if fetch_site in (None, "same-origin") or origin in (None, ORIGIN, "https://evil.example")
]

REQUESTS: dict[str, Callable[[Site, dict[str, str], str], Answer]] = {
    "login": lambda site, headers, token: site.login(headers=headers, cookie=token),
    "login initData": lambda site, headers, _: site.login(
        {"init_data": site.init_data(), "transport": "cookie"}, headers=headers
    ),
    "start": lambda site, headers, _: site.start(headers=headers),
    "refresh": lambda site, headers, token: site.refresh(headers=headers, cookie=token),
    "logout": lambda site, headers, token: site.logout(headers=headers, cookie=token),
    "logout nobody": lambda site, headers, _: site.logout(headers=headers),
}


def allowed(fetch_site: str | None, origin: str | None) -> bool:
    """OWASP's rule: Fetch Metadata where the browser sends it, else the Origin."""
    if fetch_site in ("same-origin", "same-site", "cross-site", "none"):
        return fetch_site == "same-origin"
    return origin == ORIGIN


def headers_for(fetch_site: str | None, origin: str | None) -> dict[str, str]:
    pairs = {"Sec-Fetch-Site": fetch_site, "Origin": origin}
    return {name: value for name, value in pairs.items() if value is not None}


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize(
    "combinations",
    [pytest.param(TELLING, id="telling"), pytest.param(COMBINATIONS, id="all", marks=pytest.mark.slow)],
)
def test_every_combination(both: Site, name: str, combinations: list[tuple[str | None, str | None]]) -> None:
    """Each pair of Sec-Fetch-Site and Origin passes or is refused as the rule says, at no store command."""
    send = REQUESTS[name]
    for fetch_site, origin in combinations:
        token = both.login().token
        before = both.store.fields()
        both.store.calls.clear()
        answer = send(both, headers_for(fetch_site, origin), token)
        if allowed(fetch_site, origin):
            assert answer.status in (200, 204), (fetch_site, origin)
            continue
        assert (answer.status, answer.code) == (403, "cross_site_blocked"), (fetch_site, origin)
        assert both.store.calls == []
        assert both.store.fields() == before
        assert answer.header("Set-Cookie") is None
        assert answer.header("Vary") == "Origin, Sec-Fetch-Site"


def test_a_refused_login_does_not_spend_the_proof(both: Site) -> None:
    """What another site tried in vain still logs in from our own page."""
    body = both.widget()
    assert both.login(body, headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert both.login(body).status == 200


def test_refusals_are_alike(both: Site) -> None:
    """The answer does not say whether the session or the proof would have been good."""
    headers = {"X-Vercel-Id": "fra1::1", "Sec-Fetch-Site": "cross-site"}
    good = both.logout(headers=headers, cookie=both.login().token)
    assert good == both.logout(headers=headers, cookie="x") == both.refresh(headers=headers)
    assert (
        good == both.login(headers=headers) == both.login(both.widget() | {"hash": "0" * 64}, headers=headers)
    )


def test_bearer_requests_need_no_page(both: Site) -> None:
    """No browser adds a bearer token by itself, so its requests may come from anywhere."""
    for fetch_site in (None, "same-site", "cross-site", "none", "x"):
        for origin in (None, "null", "https://evil.example"):
            headers = headers_for(fetch_site, origin)
            login = both.login({"init_data": both.init_data()}, headers=headers)
            assert both.login({**both.widget(), "transport": "bearer"}, headers=headers).status == 200
            assert both.verify(bearer=login.token, headers=headers).status == 200
            assert both.refresh(bearer=login.token, headers=headers).status == 200
            assert both.logout(bearer=login.token, headers=headers).status == 204
            assert both.verify(bearer=login.token, headers=headers).status == 401


def test_a_bearer_login_does_not_end_the_cookies_session(both: Site) -> None:
    """A bearer login is open to every page, so it must not touch the session in the cookie."""
    token = both.login().token
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert both.login({"init_data": both.init_data()}, headers=headers, cookie=token).status == 200
    assert both.verify(cookie=token).status == 200


def test_reading_needs_no_page(both: Site) -> None:
    """Verify is a read: a cross-site one gets its answer, which CORS keeps from the page."""
    token = both.login().token
    answer = both.verify(
        cookie=token, headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    )
    assert answer.status == 200
    assert answer.header("Access-Control-Allow-Origin") is None


def test_without_an_origin_of_its_own_only_fetch_metadata_counts(clock: Clock) -> None:
    """A production deployment that knows no origin trusts Sec-Fetch-Site, and says what to set otherwise."""
    site = Site(clock, {"TELEGRAM_BOT_TOKEN": BOT_TOKEN})
    assert site.login().status == 200
    assert site.login(headers={"Origin": ORIGIN}).code == "misconfigured"
    assert site.login(headers={"Origin": "null"}).code == "cross_site_blocked"
    assert site.login(headers={}).code == "cross_site_blocked"
    assert site.login(headers={"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}).code == "cross_site_blocked"


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:3000", "http://localhost:3000", 200),
        ("127.0.0.1:3000", "http://127.0.0.1:3000", 200),
        ("prod.localhost:3000", "http://prod.localhost:3000", 200),
        ("localhost:3000", "http://localhost:3001", 403),
        ("localhost:3000", "https://localhost:3000", 403),
        ("localhost:3000", "http://127.0.0.1:3000", 403),
        ("evil.example", "http://evil.example", 503),
        ("localhost.evil.example", "http://localhost.evil.example", 503),
        ("localhost:3000@evil.example", "http://localhost:3000@evil.example", 503),
    ],
)
def test_in_development_a_loopback_host_is_its_own_origin(
    clock: Clock, host: str, origin: str, status: int
) -> None:
    """In development the request's host counts, if it is this machine: DNS cannot be turned against it."""
    site = Site(clock, LOCAL_ENV)
    site.host = host
    assert site.login(headers={"Origin": origin}).status == status


@pytest.mark.parametrize("host", ["tgauth-abc.vercel.app", "tgauth-git-main.vercel.app"])
def test_a_preview_knows_its_own_hosts(clock: Clock, host: str) -> None:
    """A preview deployment is the host that was asked for, among those that Vercel gave it."""
    env = {
        "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
        "VERCEL_ENV": "preview",
        "VERCEL_URL": "tgauth-abc.vercel.app",
        "VERCEL_BRANCH_URL": "tgauth-git-main.vercel.app",
        "VERCEL_PROJECT_PRODUCTION_URL": "tgauth.example",
    }
    site = Site(clock, env)
    site.host = host
    assert site.login(headers={"Origin": f"https://{host}"}).status == 200
    assert site.login(headers={"Origin": ORIGIN}).status == 403
    assert site.login(headers={"Origin": "https://evil.vercel.app"}).status == 403
    site.host = "evil.vercel.app"
    assert site.login(headers={"Origin": "https://evil.vercel.app"}).status == 503
