"""docs/openapi.json is what the functions do: each thing that it says happens here, and nothing else does."""

import io
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

import tests.site as conftest
from dev.openapi.examples import ENV as EXAMPLE_ENV
from dev.openapi.examples import TIME, examples
from dev.telegram.bot_api import CHAT_ID, METHOD_PATH, BotApi
from lib.tgauth.errors import StoreUnavailable
from tests.site import (
    NAVIGATION,
    OWN_PAGE,
    Answer,
    Clock,
    Site,
    send,
)
from tests.unit.endpoints.test_relay import RELAY, Pair
from tests.unit.endpoints.test_relay import fixtures as relay_fixtures
from tests.unit.web.described import (
    DOCUMENT,
    Observer,
    check_response,
    documented,
    operation,
    operations,
    request_schema,
    valid,
)
from tests.unit.web.telegram import ALICE, Browser, Telegram, by_code, by_widget, parameter, with_chat

running, telegram, chat = with_chat
listening, pair = relay_fixtures

SLOT = "A" * 16
ADMIN = "an-admin-token-of-32-characters-"
JSON = {"Content-Type": "application/json"}
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}
READS = ("/telegram/verify", "/telegram/sessions")
NAVIGATIONS = ("/telegram/start", "/telegram/callback", "/telegram/login", "/telegram/relay")
ENDS = ("/telegram/sessions", f"/telegram/sessions/{SLOT}")
SESSION_OPERATIONS = [
    *((method, path) for path in READS for method in ("GET", "HEAD")),
    ("POST", "/telegram/refresh"),
    *(("DELETE", path) for path in ENDS),
]
BODIES: dict[str, dict[str, Any]] = {
    "/telegram/start": {},
    "/telegram/login": {"id_token": "a.b.c"},
    "/telegram/relay": {"ticket": "forged"},
}


class Broken(io.BytesIO):
    """A body that cannot be read."""

    def read(self, *_: Any) -> bytes:
        raise OSError


@pytest.fixture
def observer(monkeypatch: pytest.MonkeyPatch) -> Observer:
    """Sees every request of the test, whoever sends it."""
    watching = Observer()

    def observed(method: str, path: str, **request: Any) -> Answer:
        answer = send(method, path, **request)
        told = (request.get("environ"), (request.get("headers") or {}).get("Authorization"))
        sent = request.get("json_body") if not any(told) else None
        watching.see(method, path, request.get("query", ""), sent, answer)
        return answer

    monkeypatch.setattr(conftest, "send", observed)
    return watching


def address(path: str) -> str:
    return path.replace("{id}", SLOT)


def ask(site: Site, method: str, path: str, **request: Any) -> Answer:
    """A request that is in order but for who sends it."""
    headers = NAVIGATION if method == "GET" and path in NAVIGATIONS else OWN_PAGE
    body = BODIES.get(path) if method == "POST" else None
    return site.send(method, path, **{"headers": headers, "json": body, **request})


def malformed(site: Site) -> None:
    """What is refused before anybody looks who it is, at every operation."""
    for method, path in ((method, address(path)) for method, path in operations()):
        assert site.send(method, path).status < 500
        if method == "OPTIONS":
            continue
        site.send(method, path, query="a" * 9000)
        site.send(method, path, query="&" * 64)
        site.send(method, path, environ={"CONTENT_LENGTH": "20000"})
        site.send(method, path, environ={"CONTENT_LENGTH": "1", "wsgi.input": Broken()})
        if method in ("POST", "DELETE"):
            site.send(method, path, body=b"x", headers={"Content-Type": "text/plain"})


def unconfigured(environment: Callable[[Mapping[str, str]], None]) -> None:
    """Without any setting."""
    environment({})
    for method, path in ((method, address(path)) for method, path in operations()):
        headers = NAVIGATION if method == "GET" and path in NAVIGATIONS else OWN_PAGE
        body = BODIES.get(path) if method == "POST" else None
        conftest.send(method, path, headers=headers, json_body=body)


def strangers(site: Site) -> None:
    """Without a session, with one that is none, from another site's page, and in a frame."""
    for method, path in SESSION_OPERATIONS:
        assert ask(site, method, path).status == 401
        assert ask(site, method, path, bearer="forged").status == 401
    cookie = site.login().token
    for method, path in operations():
        if method in ("POST", "DELETE"):
            ask(site, method, address(path), cookie=cookie, headers=CROSS_SITE)
    for path in NAVIGATIONS:
        assert ask(site, "GET", path, headers={"Sec-Fetch-Mode": "cors"}).status == 403


def sessions(site: Site) -> None:
    """A session's life."""
    for transport in ("cookie", "bearer"):
        # Ending all sessions refuses every proof of that second.
        site.clock.time += 1
        body = {**site.widget(), "transport": transport}
        held = {transport: site.login(body).token}
        for method, path in SESSION_OPERATIONS[:-2]:
            assert ask(site, method, path, **held).status == 200
        other = site.login().json()["session"]["id"]
        assert ask(site, "DELETE", f"/telegram/sessions/{other}", **held).status == 204
        assert ask(site, "DELETE", f"/telegram/sessions/{other}", **held).status == 404
        other = site.login().json()["session"]["id"]
        assert ask(site, "DELETE", "/telegram/sessions", json={"id": other}, **held).status == 204
        assert ask(site, "DELETE", "/telegram/sessions", json={"id": other}, **held).status == 404
        assert ask(site, "DELETE", "/telegram/sessions", json={"id": other, "x": 1}, **held).status == 400
        assert ask(site, "DELETE", "/telegram/sessions", query="keep=current", **held).status == 204
        assert ask(site, "DELETE", "/telegram/sessions", query="keep=x", **held).status == 400
        assert ask(site, "DELETE", "/telegram/sessions", **held).status == 204
        assert ask(site, "POST", "/telegram/logout", **held).status == 204
    assert ask(site, "POST", "/telegram/logout").status == 204


def floods(telegram: Telegram) -> None:
    """One token, and codes that Telegram never made, again and again."""
    site = telegram.site()
    cookie = site.login().token
    codes = {ask(site, "GET", "/telegram/verify", cookie=cookie).code for _ in range(601)}
    assert codes == {None, "rate_limited"}
    for method, path in SESSION_OPERATIONS:
        assert ask(site, method, path, cookie=cookie).status == 429
    there = {"environ": {"REMOTE_ADDR": "93.184.216.34"}}
    found = []
    for _ in range(11):
        browser = Browser(site)
        query = f"code=x&state={browser.start()['state']}"
        found.append(browser.go("/telegram/callback", query, **there).code)
    assert found == ["login_rejected"] * 10 + ["rate_limited"]


def operators(clock: Clock) -> None:
    """Health and figures, well and not."""
    site = Site(clock, {**conftest.ENV, "ADMIN_TOKEN": ADMIN})
    for method in ("GET", "HEAD"):
        site.store.error = None
        assert ask(site, method, "/health").status == 200
        assert ask(site, method, "/stats").status == 404
        assert ask(site, method, "/stats", bearer=ADMIN).status == 200
        site.store.error = StoreUnavailable("down")
        assert ask(site, method, "/health").status == 503
        assert ask(site, method, "/stats", bearer=ADMIN).status == 503


def in_memory(clock: Clock) -> None:
    """What needs Redis."""
    site = Site(clock, {**conftest.ENV, **RELAY})
    cookie = site.login().token
    for path in ENDS:
        assert ask(site, "DELETE", path, cookie=cookie).code == "shared_store_required"


def by_post(_: Telegram, browser: Browser) -> Answer:
    return browser.login(browser.site.widget())


WAYS = (by_code, by_widget, by_post)


def logins(telegram: Telegram) -> None:
    """Every way to log in, and what can be wrong with it."""
    site = telegram.site()
    for way, status in zip(WAYS, (303, 303, 200), strict=True):
        assert way(telegram, Browser(site)).status == status
    started = (browser := Browser(site)).start(return_to="/account?tab=1")
    assert browser.login({"id_token": telegram.token(nonce=started["nonce"])}).status == 200
    assert browser.login({"widget": site.widget(), "state": browser.start()["state"]}).status == 200
    init_data = site.init_data()
    codes = {site.login({"init_data": init_data}, headers={}).code for _ in range(61)}
    assert codes == {None, "rate_limited"}
    assert site.go("/telegram/login").status == 303
    assert site.go("/telegram/login", urlencode(site.widget())).status == 303
    with_more = site.widget(first_name="", last_name=None, allows_write_to_pm="true")
    for body in (with_more, {"widget": {**site.widget(photo_url=None), "photo_url": False, "lang": None}}):
        assert site.login(body).status == 200
    for body in (
        {"hash": ["x"]},
        {"hash": "x", "init_data": "x"},
        {"init_data": "x"},
        {"widget": {}, "id_token": "x"},
        {"state": "x"},
    ):
        assert site.login(body).code == "malformed_request"
    assert site.start(json={"return_to": "//elsewhere.example"}).code == "malformed_request"
    assert browser.back(telegram.agree(browser.begin(), "cancel")).code == "login_cancelled"
    assert browser.back("code=x&state=y").code == "login_rejected"
    state = browser.start()["state"]
    assert browser.go("/telegram/login", f"state={state}&hash=x").code == "login_rejected"
    assert browser.login({"id_token": "a.b.c"}).code == "login_rejected"


def late_logins(telegram: Telegram) -> None:
    """Proofs that were good once."""
    site = telegram.site()
    browser, elsewhere = Browser(site), Browser(site)
    by_code(telegram, elsewhere)
    location, state = browser.begin(), browser.start()["state"]
    widget = site.widget()
    telegram.clock.time += 5
    assert elsewhere.send("DELETE", "/telegram/sessions", headers=OWN_PAGE).status == 204
    telegram.clock.time += 5
    assert browser.back(telegram.agree(location)).code == "login_stale"
    telegram.clock.time += 300
    assert browser.go("/telegram/login", urlencode({**widget, "state": state})).code == "login_stale"
    assert browser.login(widget).code == "login_stale"


def kept_out(telegram: Telegram) -> None:
    """TELEGRAM_ALLOW names somebody else."""
    site = telegram.site({"TELEGRAM_ALLOW": "5"})
    for way in WAYS:
        assert way(telegram, Browser(site)).code == "not_allowed"


def members(telegram: Telegram, chat: BotApi) -> None:
    """TELEGRAM_REQUIRE_CHAT, with Telegram's answer and without."""
    site = telegram.site(
        {
            "TELEGRAM_REQUIRE_CHAT": str(CHAT_ID),
            "TELEGRAM_REQUIRE_CHAT_TTL": "60",
            "TELEGRAM_API_URL": telegram.url,
        }
    )
    for way in WAYS:
        assert way(telegram, Browser(site)).code == "membership_required"
    telegram.clock.time += 60
    for user in (ALICE, conftest.USER):
        chat.members[user["id"]] = "member"
    browser = Browser(site)
    assert by_post(telegram, browser).status == 200
    telegram.clock.time += 120

    def dropped(_: Any) -> Any:
        raise ConnectionError

    chat.faults[METHOD_PATH] = dropped
    for way in WAYS:
        assert way(telegram, Browser(site)).code == "identity_provider_unavailable"
    answer = browser.send("POST", "/telegram/refresh", headers=OWN_PAGE)
    assert answer.code == "identity_provider_unavailable"


def without_a_store(telegram: Telegram) -> None:
    """The store does not answer."""
    site = telegram.site()
    cookie = site.login().token
    location = (browser := Browser(site)).begin()
    site.store.error = StoreUnavailable("down")
    assert browser.back(telegram.agree(location)).code == "store_unavailable"
    assert by_widget(telegram, browser).code == "store_unavailable"
    assert by_post(telegram, browser).code == "store_unavailable"
    for method, path in (*SESSION_OPERATIONS, ("POST", "/telegram/logout")):
        assert ask(site, method, path, cookie=cookie).status == 503


def previews(pair: Pair) -> None:
    """A login in a preview, and what can be wrong with it."""
    made, member = pair.ticket(), pair.member()
    query = urlencode({"ticket": made.text})
    assert member.go("/telegram/relay", query).status == 303
    assert member.go("/telegram/relay", "ticket=forged").code == "invalid_grant"
    assert pair.agree(Browser(pair.production), made.text).code == "unauthenticated"
    assert pair.agree(Browser(pair.production, {conftest.COOKIE: "x"}), made.text).code == "invalid_session"
    assert pair.agree(member, made.text, headers=CROSS_SITE).code == "cross_site_blocked"
    busy = pair.member()
    while busy.verify().status == 200:
        pass
    assert pair.agree(busy, made.text).code == "rate_limited"
    code = parameter(pair.url(made.text, member), "code")
    assert pair.redeem(code, made).status == 200
    assert pair.redeem(code, made).code == "invalid_grant"
    assert pair.redeem(code, made, host=None).code == "malformed_request"
    preview = Browser(pair.branch())
    assert preview.start()["methods"] == ["relay"]
    answer = pair.back(preview, pair.url(pair.begin(preview)))
    assert (answer.status, preview.verify().json()["session"]["method"]) == (303, "relay")
    stopped = pair.code(made := pair.ticket())
    pair.production.store.error = StoreUnavailable("down")
    assert pair.redeem(stopped, made).code == "store_unavailable"
    in_memory = pair.deploy(shared=False)
    assert Browser(in_memory).go("/telegram/relay", query).code == "shared_store_required"
    assert pair.agree(pair.member(), pair.ticket().text).code == "shared_store_required"
    unknown = pair.branch(AUTH_RELAY_SECRET="")
    for path in ("/telegram/start", "/telegram/login"):
        assert ask(unknown, "GET", path).code == "relay_required"
    assert ask(unknown, "POST", "/telegram/start").code == "relay_required"
    for method in ("GET", "POST"):
        assert ask(unknown, method, "/telegram/relay").code == "not_found"


def test_the_document_is_what_happens(
    observer: Observer,
    clock: Clock,
    telegram: Telegram,
    chat: BotApi,
    pair: Pair,
    environment: Callable[[Mapping[str, str]], None],
) -> None:
    """Every operation, status and code of the document is shown here, and nothing that it does not have.

    The answers have the form, headers and fields that it says, and no others.
    """
    shared = Site(clock, shared=True)
    malformed(shared)
    strangers(shared)
    sessions(shared)
    operators(clock)
    in_memory(clock)
    logins(telegram)
    floods(telegram)
    late_logins(telegram)
    kept_out(telegram)
    members(telegram, chat)
    without_a_store(telegram)
    previews(pair)
    unconfigured(environment)
    assert observer.shown == documented()


def test_other_methods_are_refused_as_described(site: Site) -> None:
    """What an address does not list is 405 everywhere, and that has no operation of its own."""
    described = DOCUMENT["components"]["responses"]["method_not_allowed"]
    for path in DOCUMENT["paths"]:
        listed = ", ".join(sorted(method for method, of in operations() if of == path))
        answer = site.send("PATCH", address(path))
        assert (answer.status, answer.header("Allow")) == (405, listed)
        check_response(described, answer)


LENIENT = {("WidgetLogin", name) for name in ("unknown", "first_name", "last_name", "username")}
"""Bodies with a field that may be anything: test_login.py has what becomes of it."""


def test_the_examples_work(observer: Observer, clock: Clock) -> None:
    """Each body that the document shows is taken, and not with a field more or of another type."""
    clock.time = TIME
    site = Site(clock, EXAMPLE_ENV, shared=True)
    known, tried = examples(), set()
    token = site.login(known["MiniAppLogin"], headers={}).json()["token"]
    for method, path in operations():
        content = (operation(method, path).get("requestBody") or {}).get("content", {})
        for name, shown in content.get("application/json", {}).get("examples", {}).items():
            tried.add(name)
            assert shown["value"] == known[name]
            assert valid({"$ref": f"#/components/schemas/{name}"}, shown["value"])
            bearer = token if name == "Consent" else None
            for spoilt in ({"unknown": 1}, *({field: []} for field in shown["value"])):
                body = {**shown["value"], **spoilt}
                if valid(request_schema(path, method) or {}, body):
                    assert (name, *spoilt) in LENIENT
                    continue
                answer = site.send(method, path, json=body, headers=OWN_PAGE, bearer=bearer)
                assert answer.code == "malformed_request", (name, spoilt)
            answer = site.send(method, path, json=shown["value"], headers=OWN_PAGE, bearer=bearer)
            assert answer.status == 200, (name, answer.body)
    assert tried == known.keys()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda answer: answer.update(status=418), "not documented"),
        (lambda answer: answer["headers"].append(("X-New", "1")), "not documented"),
        (lambda answer: answer["headers"].append(("Set-Cookie", "tgauth=x")), "not documented"),
        (lambda answer: answer["headers"].remove(("Cache-Control", "no-store")), "is missing"),
        (lambda answer: answer.update(body=answer["body"].replace(b"}}", b',"new":1}}')), "new"),
        (lambda answer: answer.update(body=answer["body"].replace(b'"id"', b'"key"')), "id"),
        (lambda answer: answer.update(body=answer["body"].replace(b'"cookie"', b'"flag"')), "flag"),
    ],
)
def test_the_observer_notices(site: Site, change: Callable[[dict[str, Any]], Any], complaint: str) -> None:
    """What checks the answers fails for each kind of thing that can be wrong with one."""
    found = site.verify(cookie=site.login().token)
    Observer().see("GET", "/telegram/verify", "", None, found)
    answer = {"status": found.status, "headers": [*found.headers], "body": found.body}
    change(answer)
    with pytest.raises(AssertionError, match=complaint):
        Observer().see("GET", "/telegram/verify", "", None, Answer(**answer))


def test_the_observer_notices_requests(site: Site) -> None:
    """What is taken and not described fails too, and what is described and not taken."""
    started, refused = site.start(), site.login({"hash": "x", "id_token": 1})
    with pytest.raises(AssertionError, match="takes"):
        Observer().see("POST", "/telegram/start", "", {"unknown": 1}, started)
    with pytest.raises(AssertionError, match="x=1"):
        Observer().see("POST", "/telegram/start", "x=1", {}, started)
    with pytest.raises(AssertionError, match="refuses"):
        Observer().see("POST", "/telegram/login", "", {"id_token": "x"}, refused)
