"""The names of one site: the production domain, its www. twin, and those where no login can come back."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.site import COOKIE, HOST, NOW, ORIGIN, OWN_PAGE, Clock, Site
from tests.unit.web.telegram import Browser, Telegram, fixtures, parameter, session_cookies

running, telegram = fixtures

TWIN = f"www.{HOST}"
VERCEL = {"AUTH_ORIGIN": "", "VERCEL": "1", "VERCEL_ENV": "production"}


@pytest.fixture(params=[HOST, TWIN], ids=["production url bare", "production url www"])
def both_names(telegram: Telegram, request: pytest.FixtureRequest) -> Site:
    """Production at Vercel, whichever of the two names Vercel gives it."""
    return telegram.site({**VERCEL, "VERCEL_PROJECT_PRODUCTION_URL": request.param})


@pytest.mark.parametrize("host", [HOST, TWIN, TWIN.upper()])
def test_either_name_logs_in(
    telegram: Telegram, both_names: Site, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name that was asked for is the origin of the redirect URI, the addresses and Telegram's answer."""
    both_names.host = host
    own = f"https://{host.lower()}"
    browser = Browser(both_names)
    value = browser.start(return_to="/x")
    assert parameter(value["oidc_url"], "redirect_uri") == f"{own}/telegram/callback"
    assert parameter(value["widget_auth_url"], "origin") == own
    assert parameter(value["widget_auth_url"], "return_to").startswith(f"{own}/?state=")
    assert value["widget_redirect_url"] == f"{own}/telegram/login?state={value['state']}"
    location = browser.begin("return_to=/x")
    assert parameter(location, "redirect_uri") == f"{own}/telegram/callback"
    # Both names are registered at @BotFather.
    monkeypatch.setattr(telegram.provider, "_redirect_origin", own)
    query = f"code={telegram.code(location)}&state={parameter(location, 'state')}"
    answer = browser.back(query)
    assert (answer.status, answer.header("Location"), len(session_cookies(answer))) == (303, "/x", 1)
    (cookie,) = session_cookies(answer)
    assert cookie.startswith(f"{COOKIE}=")
    assert "Domain" not in cookie
    assert (
        f"redirect_uri={own.replace('://', '%3A%2F%2F')}%2Ftelegram%2Fcallback"
        in telegram.received()[0].body.decode()
    )


@pytest.mark.parametrize(("host", "other"), [(HOST, TWIN), (TWIN, HOST)])
def test_changes_come_from_the_very_name(both_names: Site, host: str, other: str) -> None:
    """A page of the twin is another site's: its Origin is refused, at no command."""
    both_names.host = host
    token = both_names.login(headers={"Origin": f"https://{host}"}).token
    both_names.store.calls.clear()
    for origin in (f"https://{other}", f"http://{host}", f"https://{host}:444", "https://evil.example"):
        headers = {"Origin": origin}
        for answer in (
            both_names.login(headers=headers),
            both_names.start(headers=headers),
            both_names.refresh(headers=headers, cookie=token),
            both_names.logout(headers=headers, cookie=token),
            both_names.end(headers=headers, cookie=token),
        ):
            assert (answer.code, answer.all("Set-Cookie")) == ("cross_site_blocked", []), origin
    assert both_names.store.calls == []
    assert both_names.logout(headers={"Origin": f"https://{host}"}, cookie=token).status == 204


@pytest.mark.parametrize(
    ("env", "host"),
    [
        ({**VERCEL, "VERCEL_PROJECT_PRODUCTION_URL": HOST}, f"www.www.{HOST}"),
        ({**VERCEL, "VERCEL_PROJECT_PRODUCTION_URL": HOST}, f"www.evil.{HOST}"),
        ({**VERCEL, "VERCEL_PROJECT_PRODUCTION_URL": HOST}, f"{TWIN}.evil.example"),
        ({**VERCEL, "VERCEL_PROJECT_PRODUCTION_URL": HOST}, f"{TWIN}:443"),
        ({**VERCEL, "VERCEL_PROJECT_PRODUCTION_URL": HOST}, f"{TWIN}."),
        ({**VERCEL, "VERCEL_PROJECT_PRODUCTION_URL": HOST}, "www."),
        ({**VERCEL, "VERCEL_PROJECT_PRODUCTION_URL": HOST}, ""),
        (
            {**VERCEL, "VERCEL_PROJECT_PRODUCTION_URL": HOST, "VERCEL_URL": "tgauth.vercel.app"},
            "tgauth.vercel.app",
        ),
        ({**VERCEL, "AUTH_ORIGIN": ORIGIN, "VERCEL_PROJECT_PRODUCTION_URL": HOST}, TWIN),
        ({**VERCEL, "AUTH_ORIGIN": ORIGIN, "VERCEL_PROJECT_PRODUCTION_URL": TWIN}, TWIN),
    ],
)
def test_any_other_name_gets_the_production_url(telegram: Telegram, env: dict[str, str], host: str) -> None:
    """Where AUTH_ORIGIN is set, or the name is no twin, logins go to the one origin, and no cookie is set."""
    site = telegram.site(env)
    site.host = host
    answer = site.go("/telegram/start")
    assert (answer.header("Location"), answer.cookies) == (f"{ORIGIN}/telegram/start?redirected=1", {})
    started = site.start()
    assert parameter(started.json()["oidc_url"], "redirect_uri") == f"{ORIGIN}/telegram/callback"
    assert started.cookies == {}


def test_names_at_vercel_have_no_twin(telegram: Telegram) -> None:
    """Nobody's project has both, and somebody else's could have the other one."""
    for name, twin in (("x.vercel.app", "www.x.vercel.app"), ("www-x.vercel.app", "x.vercel.app")):
        site = telegram.site({**VERCEL, "VERCEL_PROJECT_PRODUCTION_URL": name})
        site.host = twin
        assert (site.go("/telegram/start").header("Location") or "").startswith(f"https://{name}/")


@pytest.mark.parametrize(
    ("host", "origin", "value"),
    [
        ("shop.example", None, "https://shop.example"),
        (HOST, "https://front.example", "https://front.example"),
        ("shop.example", "https://front.example:8443", "https://front.example:8443"),
        (TWIN, f"https://{TWIN}", f"https://{TWIN}"),
        ("SHOP.example", None, "https://shop.example"),
        ("localhost:3000", "http://localhost:3000", "http://localhost:3000"),
        ("x\\@shop.example", None, None),
        ("é.example", None, None),
        ("a." * 130 + "example", None, None),
        ("", None, None),
    ],
)
def test_the_log_says_which_origin_to_set(
    telegram: Telegram, lines: Any, host: str, origin: str | None, value: str | None
) -> None:
    """A browser at a name where no login can come back makes one warning, with the variable and its value."""
    site = telegram.site()
    headers = {**OWN_PAGE, **({"Origin": origin} if origin else {})}
    lines()
    answer = site.start(headers=headers, environ={"HTTP_HOST": host})
    assert answer.status == 200
    warning, request = lines()
    assert (warning["event"], warning["level"], request["status"]) == ("other_origin", "warning", 200)
    assert warning["request_id"] == request["request_id"]
    assert warning["reason"].startswith(f"AUTH_ORIGIN: logins come back to {ORIGIN}, ")
    if value is None:
        assert warning["reason"].endswith(", and people open the site there, set AUTH_ORIGIN to it")
        assert host == "" or host not in str(warning)
    else:
        assert warning["reason"].endswith(f", and people open the site there, set AUTH_ORIGIN={value}")
    assert "which anybody can write" in warning["reason"]


@pytest.mark.parametrize(
    ("host", "origin"), [(HOST, None), (HOST.upper(), None), (HOST, ORIGIN), ("inner.example", ORIGIN)]
)
def test_at_the_right_name_the_log_has_nothing_to_say(
    telegram: Telegram, lines: Any, host: str, origin: str | None
) -> None:
    """Neither there, nor behind a rewrite of another server, nor for requests that are refused anyway."""
    site = telegram.site()
    lines()
    headers = {**OWN_PAGE, **({"Origin": origin} if origin else {})}
    assert site.start(headers=headers, environ={"HTTP_HOST": host}).status == 200
    assert len(lines()) == 1
    for refused in ({}, {"Origin": "https://evil.example"}, {**headers, "Sec-Fetch-Site": "cross-site"}):
        assert site.start(headers=refused, environ={"HTTP_HOST": "evil.example"}).status == 403
        assert len(lines()) == 1


def test_the_relay_at_either_name(clock: Clock) -> None:
    """Production asks at the name to which the preview sent the browser, and a preview has no twin."""
    secret = {"AUTH_RELAY_SECRET": "canary-relay-secret-0123456789-01234"}
    bot = {"TELEGRAM_BOT_TOKEN": "987654321:AAcanaryBotTokenabcdefghijklmnopqrs", **secret}
    preview = Site(
        clock,
        {**bot, "VERCEL_ENV": "preview", "VERCEL_URL": "a.vercel.app", "VERCEL_PROJECT_PRODUCTION_URL": HOST},
    )
    preview.host = "a.vercel.app"
    location = preview.go("/telegram/start").header("Location") or ""
    assert location.startswith(f"{ORIGIN}/telegram/relay?ticket=a.vercel.app~")
    ticket = urlencode({"ticket": parameter(location, "ticket")})
    hosts = {"AUTH_RELAY_HOSTS": "a.example.com,a.vercel.app"}
    production = Site(
        clock,
        {**bot, **hosts, "VERCEL_ENV": "production", "VERCEL_PROJECT_PRODUCTION_URL": HOST},
        shared=True,
    )
    for host in (HOST, TWIN):
        production.host = host
        asked = production.go("/telegram/relay", ticket).header("Location") or ""
        assert asked.startswith(f"https://{host}/relay.html?ticket=")
    preview.host = TWIN
    assert preview.go("/telegram/start").code == "misconfigured"
    assert clock() == NOW
