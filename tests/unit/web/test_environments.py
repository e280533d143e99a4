"""Production, preview and development of one project: what one of them signs is nothing to another.

They may share AUTH_SECRET, the bot and the database, as projects do whose variables are set for all three.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from lib.tgauth.keys import keys_of
from lib.tgauth.sessions.service import SessionService
from tests.site import (
    BOT_ID,
    BOT_TOKEN,
    COOKIE,
    ENV,
    NOW,
    ORIGIN,
    OTHER_BOT_TOKEN,
    OWN_PAGE,
    USER,
    Answer,
    Clock,
    Site,
)
from tests.unit.endpoints.test_relay import (
    BRANCH,
    HOST,
    PREVIEW,
    PRODUCTION,
    Made,
    Pair,
    fixtures,
    refused,
)
from tests.unit.web.telegram import NAVIGATION, PAGE, Browser, parameter

listening, pair = fixtures

LOCAL = {
    **{name: PREVIEW[name] for name in ("TELEGRAM_BOT_TOKEN", "AUTH_SECRET")},
    "VERCEL_ENV": "development",
}
ENVIRONMENTS = {"production": PRODUCTION, "preview": PREVIEW, "development": LOCAL}
HOSTS = {"production": "tgauth.example", "preview": HOST, "development": "localhost:3000"}
PAIRS = [(one, other) for one in ENVIRONMENTS for other in ENVIRONMENTS if one != other]
each_pair = pytest.mark.parametrize(("here", "there"), PAIRS)


def deployment(clock: Clock, name: str, *, shared: bool = True, **env: str) -> Site:
    """One of the three, with the same secret and bot as the others."""
    site = Site(clock, {**ENVIRONMENTS[name], **env}, shared=shared)
    site.host = HOSTS[name]
    return site


def on(site: Site, other: Site) -> Site:
    """`other` on the store of `site`, as with one database for all environments."""
    other.store = site.store
    other.service = SessionService(other.settings, site.store, site.clock)  # type: ignore[arg-type]
    return other


def test_every_key_is_another_in_every_environment() -> None:
    """Of one AUTH_SECRET each environment and each bot has keys of its own, and no key is there twice."""
    found: dict[str, set[bytes]] = {}
    deployments = [
        Site(Clock(), {**env, "TELEGRAM_BOT_TOKEN": token}).settings
        for env in ENVIRONMENTS.values()
        for token in (BOT_TOKEN, OTHER_BOT_TOKEN)
    ]
    for settings in deployments:
        for name, keys in vars(keys_of(settings)).items():
            (key,) = [keys] if isinstance(keys, bytes) else getattr(keys, "keys", keys)
            found.setdefault(name, set()).add(key)
    assert {len(keys) for keys in found.values()} == {len(deployments)}
    assert len(set().union(*found.values())) == sum(map(len, found.values()))


USES: dict[str, Callable[[Site, dict[str, Any]], Answer]] = {
    "verify": lambda site, request: site.verify(**request),
    "refresh": lambda site, request: site.refresh(**request),
    "list": lambda site, request: site.devices(**request),
    "end all": lambda site, request: site.end(**request),
}


@each_pair
@pytest.mark.parametrize("shared", [True, False], ids=["tg1", "tg0"])
def test_a_session_is_one_environments(clock: Clock, here: str, there: str, shared: bool) -> None:
    """A token of the other environment is refused at no command, and lives on where it was made."""
    home = deployment(clock, here, shared=shared)
    away = on(home, deployment(clock, there, shared=shared))
    prefix = "tg1_" if shared else "tg0_"
    cookie, bearer = home.login().token, home.bearer_login().token
    assert cookie.startswith(prefix)
    assert bearer.startswith(prefix)
    held = dict(home.store.fields())
    away.store.calls.clear()
    name = "tgauth" if there == "development" else COOKIE
    for way, use in USES.items():
        for request in ({"cookie": f"{name}={cookie}"}, {"bearer": bearer}):
            answer = use(away, request)
            assert (answer.status, answer.code) == (401, "invalid_session"), way
    assert away.logout(cookie=f"{name}={cookie}").status == 204
    assert away.logout(bearer=bearer, headers={}).status == 204
    assert away.store.calls == []
    assert home.store.fields() == held
    home_name = "tgauth" if here == "development" else COOKIE
    assert home.verify(cookie=f"{home_name}={cookie}").status == 200
    assert home.verify(bearer=bearer).status == 200


@each_pair
def test_a_login_does_not_replace_another_environments_session(clock: Clock, here: str, there: str) -> None:
    """A token of the other environment that comes with a login ends nothing."""
    home = deployment(clock, here)
    away = on(home, deployment(clock, there))
    bearer = home.bearer_login().token
    assert away.bearer_login(bearer=bearer).status == 200
    assert home.verify(bearer=bearer).status == 200


@each_pair
def test_a_login_under_way_is_one_environments(clock: Clock, here: str, there: str) -> None:
    """A transaction cookie of the other environment is none, at no command and without asking Telegram."""
    home, away = deployment(clock, here), deployment(clock, there)
    browser = Browser(home)
    state = browser.start()["state"]
    (value,) = browser.cookies.values()
    name = ("tgauth" if there == "development" else COOKIE) + f"-tx-{state[:8]}"
    visitor = Browser(away, {name: value})
    answers = [
        visitor.back(urlencode({"code": "x", "state": state})),
        visitor.login({"widget": away.widget(), "state": state}),
    ]
    assert {(answer.status, answer.code) for answer in answers} == {(401, "login_rejected")}
    arrived = visitor.go("/telegram/login", urlencode({**away.widget(), "state": state}))
    assert (arrived.header("Location") or "").startswith("/confirm.html#")
    assert away.store.calls == []


def code_of(site: Site, made: Made) -> str:
    """A relay code of this deployment, for a user who is logged in there."""
    browser = Browser(site)
    assert browser.login(site.widget()).status == 200
    answer = browser.send(
        "POST", "/telegram/relay", json={"ticket": made.text, "user": USER["id"]}, headers=OWN_PAGE
    )
    assert answer.status == 200, answer.body
    return parameter(answer.json()["url"], "code")


def test_a_relay_code_is_one_environments(pair: Pair) -> None:
    """Production's code opens nothing in development, nor the reverse, also on one database; 0 commands."""
    production = pair.production
    relay = {name: PRODUCTION[name] for name in ("AUTH_RELAY_SECRET", "AUTH_RELAY_HOSTS", "AUTH_ORIGIN")}
    local = on(production, deployment(pair.clock, "development", **relay))
    for home, away in ((production, local), (local, production)):
        made = pair.ticket()
        code = code_of(home, made)
        home.store.calls.clear()
        refused(pair.redeem(code, made, away))
        assert home.store.calls == []
        assert pair.redeem(code, made, home).status == 200
    codes = {key.split(":")[1] for key in production.store.memory._keys if ":c:" in key}
    assert codes == {"production", "development"}


def test_productions_code_is_no_code_of_a_preview(pair: Pair) -> None:
    """A preview is asked by nobody: it has no relay, whatever code or ticket comes, at no command."""
    made = pair.ticket()
    code = code_of(pair.production, made)
    preview = on(pair.production, pair.preview)
    pair.production.store.calls.clear()
    assert pair.redeem(code, made, preview).code == "not_found"
    asked = preview.send(
        "POST", "/telegram/relay", json={"ticket": made.text, "user": USER["id"]}, headers=OWN_PAGE
    )
    assert asked.code == "not_found"
    assert pair.production.store.calls == []


def test_keys_in_the_store_are_apart(pair: Pair) -> None:
    """On one database: a user has a key in each environment and bot, and each sees and ends its own alone."""
    sites = {"production": pair.production}
    for name in ("preview", "development"):
        sites[name] = on(pair.production, deployment(pair.clock, name))
    other = on(
        pair.production, Site(pair.clock, {**PRODUCTION, "TELEGRAM_BOT_TOKEN": OTHER_BOT_TOKEN}, shared=True)
    )
    tokens = {name: site.bearer_login().token for name, site in sites.items()}
    foreign = other.login({"init_data": other.init_data(OTHER_BOT_TOKEN)}, headers={}).token
    assert set(pair.production.store.memory._keys) == {
        *(f"tgauth:{name}:{BOT_ID}:u:{USER['id']}" for name in sites),
        f"tgauth:production:555555555:u:{USER['id']}",
    }
    for name, site in sites.items():
        assert len(site.devices(bearer=tokens[name]).json()["sessions"]) == 1
        assert site.service.get_stats()["sessions"] == 1
    assert sites["preview"].end(bearer=tokens["preview"], headers={}).status == 204
    assert sites["production"].verify(bearer=tokens["production"]).status == 200
    assert sites["development"].verify(bearer=tokens["development"]).status == 200
    assert other.verify(bearer=foreign).status == 200
    # What was revoked in one is no reason to refuse a proof in another.
    proof = sites["preview"].init_data(auth_date=NOW - 10)
    assert sites["preview"].login({"init_data": proof}, headers={}).code == "login_stale"
    assert sites["production"].login({"init_data": proof}, headers={}).status == 200


def test_relay_codes_are_apart(pair: Pair) -> None:
    """On one database with a preview's sessions, production's codes are no users and no sessions."""
    preview = on(pair.production, pair.branch())
    browser = Browser(preview)
    url = pair.url(pair.begin(browser))
    keys = set(pair.production.store.memory._keys)
    assert keys == {
        f"tgauth:production:{BOT_ID}:u:{USER['id']}",
        f"tgauth:production:{BOT_ID}:c:{parameter(url, 'state')}",
    }
    assert pair.back(browser, url).status == 303
    assert pair.production.service.get_stats()["users"] == 1
    assert preview.service.get_stats() | {"store": ""} == {
        "store": "",
        "users": 1,
        "sessions": 1,
        "exact": True,
    }
    assert set(pair.production.store.memory._keys) - keys == {f"tgauth:preview:{BOT_ID}:u:{USER['id']}"}


@pytest.mark.parametrize("host", [HOST, BRANCH])
def test_a_login_ends_where_it_began(pair: Pair, host: str) -> None:
    """VERCEL_URL and VERCEL_BRANCH_URL are both the preview; it is never sent from the one to the other."""
    browser = Browser(pair.branch(host))
    for ticket in (pair.begin(browser), parameter(browser.start()["relay_url"], "ticket")):
        url = pair.url(ticket)
        assert url.startswith(f"https://{host}/telegram/callback?")
        answer = pair.back(browser, url)
        assert (answer.status, answer.header("Location")) == (303, "/")
        assert browser.verify().json()["session"]["method"] == "relay"


@pytest.mark.parametrize(
    "host", ["tgauth.example", "evil.example", f"{HOST}.evil.example", "localhost:3000", ""]
)
def test_a_preview_on_another_name(pair: Pair, host: str) -> None:
    """On a name that Vercel did not give it, a preview begins no login, and signs no ticket for that name."""
    browser = Browser(pair.branch(host))
    answer = browser.go("/telegram/start")
    assert (answer.status, answer.code) == (503, "misconfigured")
    answer = browser.send("POST", "/telegram/start", json={}, headers=OWN_PAGE)
    assert (answer.status, answer.code) == (503, "misconfigured")
    assert browser.cookies == {}


@pytest.mark.parametrize("forwarded", [{}, {"X-Forwarded-Host": "front.example"}])
def test_behind_another_servers_rewrite(clock: Clock, forwarded: dict[str, str]) -> None:
    """AUTH_ORIGIN is that server's and Host never is: a login begins there all the same, and comes back."""
    site = Site(
        clock,
        {
            **ENV,
            "AUTH_ORIGIN": "https://front.example",
            "VERCEL_ENV": "production",
            "TELEGRAM_CLIENT_SECRET": "canary-client-secret",
        },
    )
    site.host = "myapp.vercel.app"
    browser = Browser(site)
    first = browser.go("/telegram/start", "return_to=%2Fx", headers={**NAVIGATION, **forwarded})
    location = first.header("Location") or ""
    assert location == "https://front.example/telegram/start?redirected=1&return_to=%2Fx"
    assert browser.cookies == {}
    second = browser.go("/telegram/start", location.partition("?")[2], headers={**NAVIGATION, **forwarded})
    asked = second.header("Location") or ""
    assert asked.startswith("https://oauth.telegram.org/auth?")
    assert "redirect_uri=https%3A%2F%2Ffront.example%2Ftelegram%2Fcallback" in asked
    assert len(browser.cookies) == 1
    page = {"Sec-Fetch-Site": "same-origin", "Origin": "https://front.example", **forwarded}
    assert browser.send("POST", "/telegram/start", json={}, headers=page).status == 200
    assert len(browser.cookies) == 2


def test_the_relay_on_an_alias_of_production(pair: Pair) -> None:
    """The page is on production's own name, where people are logged in; the code goes to the ticket's."""
    pair.production.host = "myapp.vercel.app"
    made = pair.ticket()
    answer = pair.production.go("/telegram/relay", urlencode({"ticket": made.text}), headers=PAGE)
    assert (answer.header("Location") or "").startswith(f"{ORIGIN}/relay.html?ticket=")
    assert pair.redeem(pair.code(made), made).status == 200
