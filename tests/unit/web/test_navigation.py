"""Addresses that browsers are sent to: only somebody who goes there does anything, at our own host alone."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.site import (
    CLIENT_SECRET,
    LOCAL_ENV,
    NAVIGATION,
    ORIGIN,
    Answer,
    Clock,
    Site,
    named,
)
from tests.unit.web.telegram import PAGE, Browser, Telegram, fixtures, parameter

running, telegram = fixtures


def starting(_: Telegram, browser: Browser) -> tuple[str, str]:
    return "/telegram/start", "return_to=/x"


def calling_back(telegram: Telegram, browser: Browser) -> tuple[str, str]:
    return "/telegram/callback", telegram.agree(browser.begin("return_to=/x"))


def arriving(_: Telegram, browser: Browser) -> tuple[str, str]:
    state = browser.start(return_to="/x")["state"]
    return "/telegram/login", urlencode({**browser.site.widget(), "state": state})


def refused_by_the_user(_: Telegram, browser: Browser) -> tuple[str, str]:
    return "/telegram/login", ""


PLACES: dict[str, Callable[[Telegram, Browser], tuple[str, str]]] = {
    "start": starting,
    "callback": calling_back,
    "login": arriving,
    "login without a proof": refused_by_the_user,
}


def goes_well(place: str, answer: Answer) -> None:
    """What happens at each place to somebody who goes there."""
    location = answer.header("Location") or ""
    assert answer.status == 303
    assert ("/auth?" in location) if place in ("start", "login without a proof") else (location == "/x")
    assert answer.all("Set-Cookie") != []


def sec(**values: str) -> dict[str, str]:
    return {f"Sec-Fetch-{name.title()}": value for name, value in values.items()}


NO_NAVIGATION: dict[str, dict[str, str]] = {
    **{
        f"mode {mode}": NAVIGATION | sec(mode=mode)
        for mode in ("cors", "no-cors", "same-origin", "websocket", "nested-navigate", "NAVIGATE", "x", "")
    },
    **{
        f"dest {dest}": NAVIGATION | sec(dest=dest)
        for dest in (
            *("iframe", "frame", "embed", "object", "image", "script", "style", "font", "audio", "video"),
            *("fencedframe", "webidentity", "xslt", "Empty", "Document", "x", ""),
            *("worker", "serviceworker", "report", "manifest", "track"),
        )
    },
    "an image of our own page": sec(mode="no-cors", dest="image", site="same-origin"),
    "fetch of our own page": sec(mode="cors", dest="empty", site="same-origin"),
    "a frame in our own page": sec(mode="navigate", dest="iframe", site="same-origin"),
    "mode alone": sec(mode="cors"),
    "dest alone": sec(dest="image"),
    "empty without a mode": sec(dest="empty"),
    **{
        f"empty by {mode}": sec(mode=mode, dest="empty", site="same-origin")
        for mode in ("no-cors", "same-origin", "websocket", "NAVIGATE", "")
    },
    "a prefetch through a service worker": {
        **sec(mode="navigate", dest="empty", site="same-origin"),
        "Sec-Purpose": "prefetch",
    },
    **{
        f"{name} {value}": {**NAVIGATION, name: value}
        for name in ("Sec-Purpose", "Purpose")
        for value in ("prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip")
    },
    "prefetch without Fetch Metadata": {"Purpose": "prefetch"},
}


@pytest.mark.parametrize("place", PLACES)
def test_only_a_navigation_does_anything(telegram: Telegram, place: str) -> None:
    """What a page loads or a browser guesses is 403, with nothing set, spent or asked; going there works."""
    browser = Browser(telegram.site())
    path, query = PLACES[place](telegram, browser)
    before = dict(browser.cookies)
    telegram.forget()
    for name, headers in NO_NAVIGATION.items():
        for accept in ("*/*", "text/html"):
            answer = browser.go(path, query, headers={**headers, "Accept": accept})
            assert (answer.status, answer.code) == (403, "cross_site_blocked"), name
            assert answer.all("Set-Cookie") == []
    assert (browser.cookies, browser.site.store.calls, telegram.received()) == (before, [], [])
    goes_well(place, browser.go(path, query))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "headers", [{}, NAVIGATION, PAGE, {"Purpose": "prefetch"}, sec(mode="cors", dest="empty")]
)
def test_head_does_nothing(telegram: Telegram, place: str, headers: dict[str, str]) -> None:
    """HEAD is 204 whoever asks, and what it named is as good as before."""
    browser = Browser(telegram.site())
    path, query = PLACES[place](telegram, browser)
    before = dict(browser.cookies)
    telegram.forget()
    answer = browser.send("HEAD", path, query=query, headers=headers)
    assert (answer.status, answer.body, answer.all("Set-Cookie")) == (204, b"", [])
    assert answer.header("Location") is None
    assert (browser.cookies, browser.site.store.calls, telegram.received()) == (before, [], [])
    goes_well(place, browser.go(path, query))


NAVIGATIONS: dict[str, dict[str, str]] = {
    "an old browser": {},
    "typed": sec(mode="navigate", dest="document", site="none", user="?1"),
    "from another site": NAVIGATION,
    "from a sibling": sec(mode="navigate", dest="document", site="same-site"),
    "from our own page": sec(mode="navigate", dest="document", site="same-origin"),
    "mode alone": sec(mode="navigate"),
    "dest alone": sec(dest="document"),
    "through a service worker": sec(mode="navigate", dest="empty", site="same-origin"),
    "from another site through a service worker": sec(mode="navigate", dest="empty", site="cross-site"),
    "with an Origin": {**NAVIGATION, "Origin": "https://oauth.telegram.org"},
    "with another purpose": {**NAVIGATION, "Purpose": "preview"},
}


@pytest.mark.parametrize("place", PLACES)
def test_navigations_work(telegram: Telegram, place: str) -> None:
    """Whoever goes there gets on, from wherever, also with browsers that do not say how they fetch."""
    site = telegram.site()
    for name, headers in NAVIGATIONS.items():
        browser = Browser(site)
        path, query = PLACES[place](telegram, browser)
        with named(name):
            goes_well(place, browser.go(path, query, headers=headers))


@pytest.mark.parametrize("path", ["/telegram/start", "/telegram/callback", "/telegram/login"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "DELETE"])
def test_other_methods(telegram: Telegram, path: str, method: str) -> None:
    """405 with the methods that there are, also for somebody who looks."""
    answer = telegram.site().send(method, path, headers=PAGE)
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    post = ", POST" if path != "/telegram/callback" else ""
    assert answer.header("Allow") == f"GET, HEAD, OPTIONS{post}"


@pytest.mark.parametrize(
    "accept",
    [
        *("text/html", "text/html,*/*;q=0.8", "application/xhtml+xml, text/html;q=0.9"),
        *("", "*/*", "application/json", "application/problem+json", "text/plain"),
    ],
)
@pytest.mark.parametrize("place", ["/telegram/start", "/telegram/callback", "/telegram/login"])
def test_who_looks_gets_a_page(telegram: Telegram, place: str, accept: str) -> None:
    """A problem is a page for those who accept HTML, and problem+json for others."""
    query = "return_to=//evil.example" if place != "/telegram/callback" else "code=x&state=y"
    answer = telegram.site().go(place, query, headers={**NAVIGATION, "Accept": accept})
    location = answer.header("Location") or ""
    assert (answer.status == 303) == ("text/html" in accept) == location.startswith("/error.html?code=")
    assert (answer.header("Content-Type") == "application/problem+json") == (answer.status != 303)
    assert "evil" not in location
    if answer.status == 303:
        assert set(parse_qs(urlsplit(location).query)) == {"code", "reference"}


ALIASES = [
    "tgauth-git-main.vercel.app",
    "evil.example",
    "tgauth.example:444",
    "tgauth.example.evil.example",
    "www.tgauth.example",
    "localhost:3000",
    "127.0.0.1",
    "",
    "x\\@tgauth.example",
]


@pytest.mark.parametrize("path", ["/telegram/start", "/telegram/login"])
def test_a_start_on_another_host_goes_to_ours_first(telegram: Telegram, path: str) -> None:
    """Cookies are set where Telegram sends the browser back to, and nowhere else."""
    browser = Browser(telegram.site())
    for host in ALIASES:
        browser.site.host = host
        for query, expected in (
            ("", ""),
            ("return_to=/a?b=c", "&return_to=%2Fa%3Fb%3Dc"),
            ("x=1&state=y", ""),
        ):
            answer = browser.go(path, query)
            address = f"{ORIGIN}/telegram/start?redirected=1{expected}"
            assert (answer.status, answer.header("Location")) == (303, address), host
            assert answer.all("Set-Cookie") == []
        assert browser.go(path, "return_to=//evil.example").code == "malformed_request", host
    assert browser.site.store.calls == []


SPOOFS: dict[str, str] = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Port": "81",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "X-Host": "evil.example",
    "X-Real-Host": "evil.example",
    "X-Original-Host": "evil.example",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "Forwarded": "for=1.2.3.4;host=evil.example;proto=http",
    "Front-End-Https": "off",
    "Referer": "https://evil.example/",
    "Origin": "https://evil.example",
    "X-HTTP-Method-Override": "POST",
    "X-Vercel-Forwarded-For": "evil.example",
    "X-Vercel-Deployment-Url": "evil.example",
}


def told(answer: Answer) -> tuple[Any, ...]:
    """The answer without what is random in it."""
    location = (answer.header("Location") or "").partition("&state=")[0]
    cookies = [header.partition("=")[2].partition("; ")[2] for header in answer.all("Set-Cookie")]
    others = [pair for pair in answer.headers if pair[0] not in ("Location", "Set-Cookie")]
    return answer.status, location, cookies, others


@pytest.mark.parametrize("place", PLACES)
def test_no_header_changes_where_it_goes(telegram: Telegram, place: str) -> None:
    """Host names and schemes that a client claims are in no Location, redirect_uri or cookie."""
    site = telegram.site()
    seen = []
    for spoof in ({}, SPOOFS, *({name: value} for name, value in SPOOFS.items())):
        browser = Browser(site)
        path, query = PLACES[place](telegram, browser)
        answer = browser.go(path, query, headers={**NAVIGATION, **spoof})
        goes_well(place, answer)
        assert "evil" not in str(answer.headers)
        seen.append(told(answer))
    assert seen == [seen[0]] * len(seen)
    assert all(b"evil" not in received.body for received in telegram.received())


def test_in_development_each_loopback_name_is_its_own(clock: Clock) -> None:
    """On a developer's machine the way back is the host asked for; any other host has none."""
    site = Site(clock, {**LOCAL_ENV, "TELEGRAM_CLIENT_SECRET": CLIENT_SECRET})
    for host in ("localhost:3000", "127.0.0.1:8080", "prod.localhost"):
        site.host = host
        location = site.go("/telegram/start").header("Location") or ""
        assert parameter(location, "redirect_uri") == f"http://{host}/telegram/callback"
    for host in ("evil.example", "localhost.evil.example", "localhost:3000@evil.example", ""):
        site.host = host
        assert site.go("/telegram/start").code == "misconfigured"


def test_telegram_is_told_where_the_browser_comes_from(telegram: Telegram) -> None:
    """The redirect to Telegram lets the origin through, and no other answer lets anything through."""
    browser = Browser(telegram.site())
    assert browser.go("/telegram/start").header("Referrer-Policy") == "strict-origin-when-cross-origin"
    query = telegram.agree(browser.begin())
    for answer in (browser.back(query), browser.back(query), browser.go("/telegram/login", "id=1")):
        assert answer.header("Referrer-Policy") == "no-referrer"
        assert answer.header("Cache-Control") == "no-store"
