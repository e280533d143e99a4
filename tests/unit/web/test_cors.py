"""CORS: for the origins in ALLOWED_ORIGINS, with bearer tokens, and for nobody else."""

import itertools

import pytest

from tests.site import APPS, ENV, METHODS, Answer, Clock, Site

APP = "https://app.example"
OTHER = "https://other.example:8443"
STRANGERS = [
    "https://app.example.evil.com",
    "https://app.example:443",
    "https://app.example:8443",
    "http://app.example",
    "https://app.example/",
    "https://sub.app.example",
    "https://evilapp.example",
    "https://APP.example",
    "https://app.example ",
    "https://app.example, https://other.example:8443",
    "app.example",
    "null",
    "*",
    "",
    "https://evil.example",
    "https://tgauth.example",
    "https://app.example\r\nX-Evil: 1",
]


@pytest.fixture
def site(clock: Clock) -> Site:
    return Site(clock, {**ENV, "ALLOWED_ORIGINS": f"{APP}, {OTHER}"})


def cors(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith("Access-Control-")}


def test_preflight(site: Site) -> None:
    """A preflight from an allowed origin names it, the methods and the headers, and never credentials."""
    for path, origin in itertools.product(APPS, (APP, OTHER)):
        asked = {
            "Access-Control-Request-Method": METHODS[path],
            "Access-Control-Request-Headers": "authorization",
        }
        answer = site.send("OPTIONS", path, headers={"Origin": origin, **asked})
        assert answer.status == 204, path
        assert cors(answer) == {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": answer.header("Allow"),
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": "600",
        }
        assert answer.header("Vary") == "Origin, Sec-Fetch-Site"
    assert site.store.calls == []


@pytest.mark.parametrize("path", APPS)
def test_answers(site: Site, path: str) -> None:
    """Every answer to an allowed origin, errors too, can be read there; without an Origin nothing is said."""
    for request in ({}, {"body": b"x" * 20_000}, {"query": "x" * 9000}, {"bearer": "x"}):
        for method in (METHODS[path], "PUT", "HEAD"):
            headers = {"Origin": APP, "Sec-Fetch-Site": "cross-site"}
            answer = site.send(method, path, headers=headers, **request)  # type: ignore[arg-type]
            assert cors(answer) == {
                "Access-Control-Allow-Origin": APP,
                "Access-Control-Expose-Headers": "Retry-After",
            }
            assert answer.header("Cross-Origin-Resource-Policy") == "cross-origin"
            assert answer.header("Vary") == "Origin, Sec-Fetch-Site"
            alone = site.send(method, path, **request)  # type: ignore[arg-type]
            assert cors(alone) == {}
            assert alone.header("Vary") == "Origin, Sec-Fetch-Site"


def test_strangers(site: Site) -> None:
    """Any other origin, however close, gets no CORS header at all."""
    for path, origin in itertools.product(APPS, STRANGERS):
        for method in (METHODS[path], "OPTIONS", "PUT"):
            answer = site.send(method, path, environ={"HTTP_ORIGIN": origin})
            assert cors(answer) == {}, (path, origin)
            assert answer.header("Cross-Origin-Resource-Policy") == "same-origin"


@pytest.mark.parametrize("origin", [APP, "https://tgauth.example", "null", "*"])
def test_none_by_default(clock: Clock, origin: str) -> None:
    """Without ALLOWED_ORIGINS there is no CORS, not even for our own origin, which needs none."""
    site = Site(clock)
    for path in APPS:
        assert cors(site.send("OPTIONS", path, headers={"Origin": origin})) == {}
        assert cors(site.send(METHODS[path], path, headers={"Origin": origin})) == {}


def test_an_allowed_origin_logs_in_with_a_bearer_token(site: Site) -> None:
    """A page on an allowed origin has a whole session with a bearer token."""
    headers = {"Origin": APP, "Sec-Fetch-Site": "cross-site"}
    token = site.login({**site.widget(), "transport": "bearer"}, headers=headers).token
    assert site.verify(bearer=token, headers=headers).status == 200
    assert site.refresh(bearer=token, headers=headers).status == 200
    assert site.logout(bearer=token, headers=headers).status == 204


def test_an_allowed_origin_gets_no_cookie(site: Site) -> None:
    """Being allowed to read answers is not being our own page."""
    headers = {"Origin": APP, "Sec-Fetch-Site": "cross-site"}
    assert site.login(headers=headers).code == "cross_site_blocked"
    assert site.login(headers={"Origin": APP}).code == "cross_site_blocked"
    assert site.logout(headers={"Origin": APP}, cookie=site.login().token).code == "cross_site_blocked"
