"""A login in a preview by way of production: /telegram/relay, and both ends of it at the preview.

Production answers on a socket of its own, so that the preview asks it as it does where they are deployed.
"""

import base64
import hashlib
import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

import lib.tgauth.sessions.service
import lib.tgauth.settings
import lib.tgauth.telegram.http
from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.keys import Signer, hkdf, keys_of
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.store.base import Unanswered
from lib.tgauth.telegram.transaction import resume
from tests.site import (
    AUTH_SECRET,
    BOT_ID,
    BOT_TOKEN,
    COOKIE,
    ENV,
    IP,
    NAVIGATION,
    NOW,
    ORIGIN,
    OTHER_BOT_TOKEN,
    OWN_PAGE,
    SHARED_STORE,
    USER,
    Answer,
    Clock,
    Site,
    in_parallel,
)
from tests.unit.web.telegram import PAGE, Browser, parameter, session_cookies

HOST = "myapp-1x2y3z-myteam.vercel.app"
BRANCH = "myapp-git-feature-myteam.vercel.app"
RELAY_SECRET = "canary-relay-secret-0123456789-01"
OTHER_SECRET = "another-relay-secret-0123456789-0"
HOSTS = "myapp-*-myteam.vercel.app, staging.example.com"
RELAY = {"AUTH_RELAY_SECRET": RELAY_SECRET, "AUTH_RELAY_HOSTS": HOSTS}
PRODUCTION = {**ENV, **RELAY, "VERCEL": "1", "VERCEL_ENV": "production"}
PREVIEW = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "AUTH_SECRET": AUTH_SECRET,
    "AUTH_RELAY_SECRET": RELAY_SECRET,
    "VERCEL": "1",
    "VERCEL_ENV": "preview",
    "VERCEL_URL": HOST,
    "VERCEL_BRANCH_URL": BRANCH,
    "VERCEL_PROJECT_PRODUCTION_URL": "tgauth.example",
}
JSON = {"Content-Type": "application/json"}


class _Handler(BaseHTTPRequestHandler):
    """Passes what it is sent on to production, or does what the test wants instead."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Production"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, dict(self.headers), body))
        if self.server.fault:
            self.close_connection = True
            self.server.fault(self)
            return
        # The preview waits for this answer, so whose settings are in force can be changed for a moment.
        held = lib.tgauth.settings._settings, lib.tgauth.sessions.service._service
        try:
            answer = self.server.site.send(self.command, self.path, body=body, headers=JSON)
        finally:
            lib.tgauth.settings._settings, lib.tgauth.sessions.service._service = held
        self.reply(answer.status, answer.body)

    do_GET = do_POST

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        if self.close_connection:
            headers["Connection"] = "close"
        for name, text in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class Production(ThreadingHTTPServer):
    """`site` on a socket; `fault` answers in its place."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.fault: Callable[[_Handler], Any] | None = None
        self.site: Site

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Pair:
    """A production deployment and a preview of it, each with a store of its own, and who uses them."""

    def __init__(self, server: Production, clock: Clock) -> None:
        self.server, self.clock = server, clock
        # Whose a session's cookie is.
        self.users: dict[str, int] = {}
        self.production = self.deploy()
        self.preview = self.branch()

    def deploy(self, *, shared: bool = True, **env: str) -> Site:
        """Production, from now on this one."""
        server_side = Site(self.clock, {**PRODUCTION, **env}, shared=shared)
        self.server.site = self.production = server_side
        return server_side

    def branch(self, host: str = HOST, *, shared: bool = True, **env: str) -> Site:
        """A preview."""
        self.preview = Site(self.clock, {**PREVIEW, "AUTH_RELAY_URL": self.server.url, **env}, shared=shared)
        self.preview.host = host
        return self.preview

    def begin(self, browser: Browser, query: str = "") -> str:
        """GET /telegram/start in the preview: the ticket."""
        answer = browser.go("/telegram/start", query)
        assert answer.status == 303, answer.body
        location = answer.header("Location") or ""
        assert location.startswith(f"{self.server.url}/telegram/relay?ticket="), location
        return parameter(location, "ticket")

    def member(self, **changes: Any) -> Browser:
        """Somebody who is logged in at production."""
        browser = Browser(self.production)
        assert browser.login(self.production.widget(**changes)).status == 200
        self.users[browser.cookies[COOKIE]] = changes.get("id", USER["id"])
        return browser

    def agree(self, browser: Browser, ticket: str, user: Any = None, **request: Any) -> Answer:
        """POST the consent of the user who is logged in, or of another."""
        user = user or self.users.get(browser.cookies.get(COOKIE, ""), USER["id"])
        options = {"json": {"ticket": ticket, "user": user}, "headers": OWN_PAGE, **request}
        return browser.send("POST", "/telegram/relay", **options)

    def url(self, ticket: str, browser: Browser | None = None) -> str:
        """Where the browser is sent after the consent."""
        answer = self.agree(browser or self.member(), ticket)
        assert answer.status == 200, answer.body
        url: str = answer.json()["url"]
        return url

    def ticket(self, *, secret: str = RELAY_SECRET, verifier: str | None = None, **changes: Any) -> "Made":
        """A ticket with the genuine signature, whatever is in it."""
        verifier = secrets.token_urlsafe(32) if verifier is None else verifier
        digest = hashlib.sha256(verifier.encode()).digest()
        fields = {
            "host": HOST,
            "state": secrets.token_urlsafe(18),
            "challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "issued_at": int(self.clock()),
            **changes,
        }
        key = Signer(hkdf(secret.encode(), b"tgauth/1\0relay ticket"))
        text = "~".join(map(str, fields.values()))
        return Made(key.sign(text), verifier, str(fields["host"]))

    def code(self, made: "Made", browser: Browser | None = None) -> str:
        return parameter(self.url(made.text, browser), "code")

    def redeem(self, code: str, made: "Made", /, site: Site | None = None, **changes: Any) -> Answer:
        """What a preview sends, from server to server; None takes a field away."""
        body = {"code": code, "verifier": made.verifier, "host": made.host} | changes
        body = {name: value for name, value in body.items() if value is not None}
        return (site or self.production).send("POST", "/telegram/relay", json=body)

    def back(self, browser: Browser, url: str, **request: Any) -> Answer:
        """The browser comes back to the preview."""
        assert url.startswith(f"https://{browser.site.host}/telegram/callback?"), url
        return browser.back(urlsplit(url).query, **request)


class Made:
    """A ticket, and what only the preview that made it knows."""

    def __init__(self, text: str, verifier: str, host: str) -> None:
        self.text, self.verifier, self.host = text, verifier, host


@pytest.fixture(scope="module")
def listening() -> Iterator[Production]:
    with Production() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
    lib.tgauth.telegram.http._client.close()


@pytest.fixture
def pair(listening: Production, clock: Clock) -> Pair:
    """Production and a preview as nobody has used them."""
    listening.received.clear()
    listening.fault = None
    return Pair(listening, clock)


fixtures: tuple[Callable[..., Any], Callable[..., Any]] = (listening, pair)
"""For other modules: `listening, pair = fixtures`."""


def refused(answer: Answer) -> Answer:
    """A ticket or code that is not good, as everybody sees it."""
    assert (answer.status, answer.code) == (400, "invalid_grant"), answer.body
    assert answer.cookies == {}
    return answer


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_no_login_begins_where_production_is_not_known(pair: Pair, way: str) -> None:
    """503 without a cookie: there is nothing to come back from."""
    browser = Browser(pair.branch(AUTH_RELAY_URL="", VERCEL_PROJECT_PRODUCTION_URL=""))
    if way == "GET":
        answer = browser.go("/telegram/start")
    else:
        answer = browser.send("POST", "/telegram/start", json={}, headers=OWN_PAGE)
    assert (answer.status, answer.code, answer.cookies) == (503, "misconfigured", {})


def test_a_record_of_another_code_that_has_our_state_in_a_name(pair: Pair) -> None:
    """What somebody moved within the store is nobody's: the state is what it begins with."""
    made, other = pair.ticket(), pair.ticket()
    state = made.text.split("~")[1]
    pair.code(other, pair.member(id=13, first_name=state))
    code = pair.code(made)
    held = held_code(pair, made)
    held["code"] = (held_code(pair, other)["code"][0], held["code"][1])
    refused(pair.redeem(code, made))


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_the_whole_way(pair: Pair, way: str) -> None:
    """From a preview to production, which asks, and back to where the login began, with a session there."""
    browser = Browser(pair.preview)
    if way == "GET":
        ticket = pair.begin(browser, "return_to=%2Faccount%3Ftab%3D1")
    else:
        ticket = parameter(browser.start(return_to="/account?tab=1")["relay_url"], "ticket")
    pair.clock.time += 100
    asked = Browser(pair.production).go("/telegram/relay", urlencode({"ticket": ticket}))
    assert (asked.status, asked.cookies) == (303, {})
    assert urlsplit(asked.header("Location") or "")[:3] == ("https", "tgauth.example", "/relay.html")
    assert parameter(asked.header("Location") or "", "ticket") == ticket
    url = pair.url(ticket, pair.member())
    assert urlsplit(url)[:3] == ("https", HOST, "/telegram/callback")
    assert parse_qs(urlsplit(url).query).keys() == {"code", "state"}
    answer = pair.back(browser, url)
    assert (answer.status, answer.header("Location")) == (303, "/account?tab=1")
    assert browser.transactions == []
    (cookie,) = session_cookies(answer)
    assert cookie.startswith(f"{COOKIE}=tg1_")
    assert cookie.endswith("; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure")
    held = browser.verify().json()
    assert held["user"]["id"] == USER["id"]
    assert (held["session"]["method"], held["session"]["transport"]) == ("relay", "cookie")
    assert held["session"]["created_at"] == NOW + 100
    assert len(pair.server.received) == 1


def test_what_a_login_page_is_told(pair: Pair) -> None:
    """In a preview the relay is the one way: nothing that Telegram would refuse is offered beside it."""
    for env in ({}, {"TELEGRAM_CLIENT_SECRET": "canary-client-secret"}):
        browser = Browser(pair.branch(**env))
        told = browser.start()
        assert told["methods"] == ["relay"]
        assert told["relay_url"].startswith(
            f"{pair.server.url}/telegram/relay?ticket={HOST}~{told['state']}~"
        )
        assert {told[name] for name in told if name.endswith("_url") and name != "relay_url"} == {None}
        assert len(browser.transactions) == 1


def test_a_preview_with_a_bot_of_its_own_id_alone(pair: Pair) -> None:
    """The relay needs no bot token in the preview: an id and a secret are enough."""
    env = {"TELEGRAM_BOT_TOKEN": "", "TELEGRAM_BOT_ID": str(BOT_ID)}
    browser = Browser(pair.branch(**env))
    assert pair.back(browser, pair.url(pair.begin(browser))).status == 303
    assert browser.verify().status == 200


@pytest.mark.parametrize("way", ["GET", "POST", "page"])
def test_a_preview_without_the_secret(pair: Pair, way: str) -> None:
    """Telegram does not know its host, so the answer is what the owner can do, before anybody is sent off."""
    browser = Browser(pair.branch(AUTH_RELAY_SECRET=""))
    if way == "POST":
        answer = browser.send("POST", "/telegram/start", json={}, headers=OWN_PAGE)
    else:
        answer = browser.go("/telegram/start", headers=PAGE if way == "page" else NAVIGATION)
    if way == "page":
        assert parameter(answer.header("Location") or "", "code") == "relay_required"
    else:
        assert (answer.status, answer.code) == (503, "relay_required")
        assert answer.json()["link"] == f"{pair.server.url}/"
    assert list(browser.cookies) == (["__Host-tgauth-told"] if way == "page" else [])


def test_a_preview_with_an_origin_of_its_own(pair: Pair) -> None:
    """AUTH_ORIGIN is one that the owner told Telegram about: then there is no need of a relay."""
    site = pair.branch(AUTH_RELAY_SECRET="", AUTH_ORIGIN=f"https://{HOST}")
    told = Browser(site).start()
    assert told["methods"] == ["widget"]
    assert told["relay_url"] is None


def test_two_hosts_of_this_machine(pair: Pair) -> None:
    """On loopback names, as developers have them, the way is over http and comes back to the port it left."""
    origin = "http://preview.localhost:3001"
    pair.deploy(AUTH_RELAY_HOSTS="preview.localhost:3001")
    browser = Browser(pair.branch("preview.localhost:3001", AUTH_ORIGIN=origin, VERCEL=""))
    url = pair.url(pair.begin(browser))
    assert url.startswith(f"{origin}/telegram/callback?")
    assert browser.back(urlsplit(url).query).status == 303
    assert browser.verify().json()["session"]["method"] == "relay"
    assert "tgauth" in browser.cookies


def test_every_field_survives_the_way(pair: Pair) -> None:
    """Also those that only some ways to log in bring: language, premium, sub and phone number."""
    person = {**USER, "language_code": "ru", "is_premium": True, "allows_write_to_pm": False}
    given = pair.production.init_data(user=person)
    member = Browser(pair.production)
    assert member.login({"init_data": given, "transport": "cookie"}).status == 200
    ((name, (value, ends)),) = [
        field for field in pair.production.store.fields().items() if field[0].startswith("s:")
    ]
    (held,) = pair.production.store.memory._keys.values()
    held[name] = (json.dumps(json.loads(value) | {"s": "12345678901234567890", "h": "8880007123456"}), ends)
    browser = Browser(pair.preview)
    assert pair.back(browser, pair.url(pair.begin(browser), member)).status == 303
    found = browser.verify().json()["user"]
    assert found == {**person, "sub": "12345678901234567890", "phone_number": "8880007123456"}


def bad_tickets(pair: Pair) -> dict[str, str]:
    """One for each reason that there is; tests/unit/relay/test_tickets.py has all that can be wrong."""
    good = pair.ticket().text
    return {
        "empty": "",
        "junk": "canary",
        "other spelling": good[:-1] + ("B" if good[-1] != "B" else "C"),
        "another secret": pair.ticket(secret=OTHER_SECRET).text,
        "expired": pair.ticket(issued_at=NOW - 600).text,
        "of the future": pair.ticket(issued_at=NOW + 61).text,
        "another host": pair.ticket(host="evil.example").text,
        "production": pair.ticket(host="tgauth.example").text,
        "long": "a" * 4000,
        "a code": pair.code(pair.ticket()),
        "a session": pair.member().cookies[COOKIE],
    }


def test_bad_tickets_all_look_the_same(pair: Pair) -> None:
    """Whatever is wrong with a ticket, the answer is one, the store is not asked, and no page is shown."""
    member = pair.member()
    tickets = bad_tickets(pair)
    pair.production.store.calls.clear()
    asked = [refused(Browser(pair.production).go("/telegram/relay", urlencode({"ticket": ticket})))
             for ticket in tickets.values()]  # fmt: skip
    agreed = [refused(pair.agree(member, ticket)) for ticket in tickets.values()]
    strangers = [refused(pair.agree(Browser(pair.production), ticket)) for ticket in tickets.values()]
    assert len({str(answer.without_id()) for answer in [*asked, *agreed, *strangers]}) == 1
    assert pair.production.store.calls == []
    for ticket in tickets.values():
        answer = member.go("/telegram/relay", urlencode({"ticket": ticket}), headers=PAGE)
        location = answer.header("Location") or ""
        assert urlsplit(location).path == "/error.html"
        assert parameter(location, "code") == "invalid_grant"
        assert ticket[-20:] not in location or not ticket


def test_odd_queries(pair: Pair) -> None:
    """No ticket is a bad one; two are a malformed request, since nobody can say which counts."""
    browser = Browser(pair.production)
    refused(browser.go("/telegram/relay"))
    refused(browser.go("/telegram/relay", "Ticket=" + pair.ticket().text))
    good = pair.ticket().text
    for query in (f"ticket={good}&ticket={good}", f"ticket=x&ticket={good}", "ticket=%ff"):
        assert browser.go("/telegram/relay", query).code == "malformed_request"
    assert browser.go("/telegram/relay", f"ticket={good}&x=y").status == 303


def test_asking_spends_nothing(pair: Pair) -> None:
    """The page can be opened again and again, logged in or not, and the store hears nothing of it."""
    made = pair.ticket()
    member = pair.member()
    pair.production.store.calls.clear()
    for browser in (member, Browser(pair.production)) * 3:
        assert browser.go("/telegram/relay", urlencode({"ticket": made.text})).status == 303
    assert pair.production.store.calls == []
    assert pair.redeem(pair.code(made, member), made).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Purpose": "prefetch"},
    ],
    ids=str,
)
def test_only_a_whole_page_is_sent_on(pair: Pair, headers: dict[str, str]) -> None:
    """A frame, an image, a script's request or a prefetch does not get to the page that asks."""
    answer = pair.production.go("/telegram/relay", urlencode({"ticket": pair.ticket().text}), headers=headers)
    assert (answer.status, answer.code) == (403, "cross_site_blocked")


def test_consent_needs_a_session(pair: Pair) -> None:
    """Who is not logged in is told so, the ticket is as good as before, and nothing is written."""
    made = pair.ticket()
    stranger = Browser(pair.production)
    answer = pair.agree(stranger, made.text)
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert pair.production.store.calls == []
    dead = pair.member()
    cookie = dead.cookies[COOKIE]
    assert pair.production.logout(cookie=cookie).status == 204
    assert pair.agree(Browser(pair.production, {COOKIE: cookie}), made.text).code == "invalid_session"
    assert pair.agree(Browser(pair.production, {COOKIE: "junk"}), made.text).code == "invalid_session"
    assert pair.redeem(pair.code(made), made).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
        {"Origin": f"https://{HOST}"},
        {"Origin": "null"},
        {"Origin": ORIGIN + ".evil.example"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_consent_comes_from_our_own_page(pair: Pair, headers: dict[str, str]) -> None:
    """No other site, and no preview, can agree in the user's place, and nothing is spent by trying."""
    member, made = pair.member(), pair.ticket()
    token = member.cookies[COOKIE]
    pair.production.store.calls.clear()
    answer = pair.agree(member, made.text, headers=headers)
    assert (answer.status, answer.code) == (403, "cross_site_blocked")
    # Nor does a page that has a token of somebody make it otherwise.
    carried = pair.agree(Browser(pair.production), made.text, headers=headers, bearer=token)
    assert (carried.status, carried.code) == (403, "cross_site_blocked")
    assert pair.production.store.calls == []
    assert pair.agree(member, made.text).status == 200


def test_a_ticket_gets_one_code(pair: Pair) -> None:
    """However often, by whomever and after whatever it comes again, it is refused as any bad one is."""
    made, member = pair.ticket(), pair.member()
    junk = refused(pair.agree(member, "junk"))
    code = pair.code(made, member)
    for browser in (member, pair.member(), pair.member(id=5)):
        assert refused(pair.agree(browser, made.text)).without_id() == junk.without_id()
    assert pair.redeem(code, made).json()["user"]["id"] == USER["id"]
    for seconds in (1, 60, 120, 418, 60):
        pair.clock.time += seconds
        assert refused(pair.agree(member, made.text)).without_id() == junk.without_id()
        refused(pair.redeem(code, made))
    assert pair.clock() > NOW + 600 + 50


def test_fifty_consents_at_once(pair: Pair) -> None:
    """Of many answers of one page, or of many pages with one ticket, one gets the code."""
    made, member = pair.ticket(), pair.member()
    answers = in_parallel(50, lambda _: pair.agree(member.copy(), made.text))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 49
    assert len({str(answer.without_id()) for answer in answers if answer.status == 400}) == 1


def bad_redemptions(pair: Pair, made: Made, code: str) -> dict[str, dict[str, Any]]:
    """What is sent in place of a good code's fields; tests/unit/relay/test_tickets.py has all that can be."""
    return {
        "junk": {"code": "canary"},
        "empty": {"code": ""},
        "another spelling": {"code": code[:-1] + ("B" if code[-1] != "B" else "C")},
        "long": {"code": "a" * 5000},
        "the ticket": {"code": made.text},
        "a session": {"code": pair.member().cookies[COOKIE]},
        "another's code": {"code": pair.code(pair.ticket())},
        "another host": {"host": BRANCH},
        "another host's spelling": {"host": HOST.upper()},
        "empty host": {"host": ""},
        "another's verifier": {"verifier": pair.ticket().verifier},
        "empty verifier": {"verifier": ""},
        "the challenge": {"verifier": code.split("~")[2]},
        "non-ASCII verifier": {"verifier": "é🦊\x00"},
        "long verifier": {"verifier": "a" * 5000},
    }


def test_bad_redemptions_all_look_the_same(pair: Pair) -> None:
    """Whatever is wrong, the answer is one; until all is good the store hears nothing, and the code stays."""
    made = pair.ticket()
    code = pair.code(made)
    attempts = bad_redemptions(pair, made, code)
    pair.production.store.calls.clear()
    answers = [refused(pair.redeem(code, made, **changes)) for changes in attempts.values()]
    for seconds in (-61, 60):
        pair.clock.time = NOW + seconds
        answers.append(refused(pair.redeem(code, made)))
    pair.clock.time = NOW
    assert pair.production.store.calls == []
    assert pair.redeem(code, made).status == 200
    # What costs a command looks the same again.
    pair.production.store.calls.clear()
    answers.append(refused(pair.redeem(code, made)))
    assert pair.production.store.calls == ["take"]
    answers.append(refused(pair.agree(pair.member(), "junk")))
    assert len({str(answer.without_id()) for answer in answers}) == 1


BODIES: list[Any] = [
    {},
    {"ticket": "x"},
    {"ticket": None, "user": 1},
    {"ticket": 5, "user": 1},
    {"ticket": ["x"], "user": 1},
    {"ticket": "x", "user": "1"},
    {"ticket": "x", "user": None},
    {"ticket": "x", "user": 1.0},
    {"ticket": "x", "user": {"id": 1}},
    {"ticket": "x", "user": 1, "return_to": "/"},
    {"ticket": "x", "user": 1, "code": "x", "verifier": "x", "host": "x"},
    {"code": "x"},
    {"code": "x", "verifier": "x"},
    {"code": "x", "host": "x"},
    {"verifier": "x", "host": "x"},
    {"code": "x", "verifier": "x", "host": "x", "more": "x"},
    {"code": None, "verifier": "x", "host": "x"},
    {"code": 5, "verifier": "x", "host": "x"},
    {"code": "x", "verifier": ["x"], "host": "x"},
    {"code": "x", "verifier": "x", "host": {"x": "y"}},
    {"code": "x", "verifier": True, "host": "x"},
    {"Code": "x", "Verifier": "x", "Host": "x"},
    [],
    "x",
    5,
]


@pytest.mark.parametrize("body", BODIES, ids=str)
def test_bodies_of_another_form(pair: Pair, body: Any) -> None:
    """A body holds a ticket, or a code with verifier and host, each as text, and nothing else."""
    for headers in (OWN_PAGE, {}):
        answer = pair.production.send("POST", "/telegram/relay", json=body, headers=headers)
        assert (answer.status, answer.code) == (400, "malformed_request")
    assert pair.production.store.calls == []


def test_a_yes_is_of_the_person_who_was_asked(pair: Pair) -> None:
    """Who has logged in since the page was drawn has agreed to nothing; asked again, they can."""
    made, alice, maria = pair.ticket(), pair.member(), pair.member(id=USER["id"] + 1)
    answer = pair.agree(maria, made.text, user=USER["id"])
    assert (answer.status, answer.code) == (401, "invalid_session")
    assert answer.cookies == {}
    assert pair.agree(alice, made.text, user=USER["id"] + 1).code == "invalid_session"
    code = parameter(pair.agree(maria, made.text).json()["url"], "code")
    assert pair.redeem(code, made).json()["user"]["id"] == USER["id"] + 1


def test_no_form_and_no_text(pair: Pair) -> None:
    """What a form on another page can send, no relay reads."""
    made = pair.ticket()
    member = pair.member()
    for media_type in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
        body = json.dumps({"ticket": made.text, "user": USER["id"]}).encode()
        headers = {**OWN_PAGE, "Content-Type": media_type}
        answer = member.send("POST", "/telegram/relay", body=body, headers=headers)
        assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert pair.redeem(pair.code(made, member), made).status == 200


OFF: dict[str, dict[str, str]] = {
    "no secret": {"AUTH_RELAY_SECRET": ""},
    "a preview": {"VERCEL_ENV": "preview"},
    "a preview with an origin": {"VERCEL_ENV": "preview", "AUTH_ORIGIN": ORIGIN},
}


@pytest.mark.parametrize("env", OFF.values(), ids=OFF)
def test_where_the_relay_is_off(pair: Pair, env: dict[str, str]) -> None:
    """Without a secret, and in previews, which are asked by nobody, there is nothing at this address."""
    made = pair.ticket()
    code = pair.code(made)
    fresh = pair.ticket()
    site = Site(pair.clock, {**PRODUCTION, **env}, shared=True)
    bodies: list[Any] = [
        {"ticket": fresh.text, "user": USER["id"]},
        {"code": code, "verifier": made.verifier, "host": made.host},
        {},
        [],
    ]
    answers = [site.go("/telegram/relay", urlencode({"ticket": fresh.text})), site.go("/telegram/relay")]
    answers += [site.send("POST", "/telegram/relay", json=body, headers=OWN_PAGE) for body in bodies]
    answers += [site.send("POST", "/telegram/relay", json=body) for body in bodies]
    assert {(answer.status, answer.code) for answer in answers} == {(404, "not_found")}
    assert len({str(answer.without_id()) for answer in answers}) == 1
    assert site.store.calls == []
    options = site.send("OPTIONS", "/telegram/relay")
    assert (options.status, options.header("Allow")) == (204, "GET, HEAD, OPTIONS, POST")


def test_without_a_shared_store(pair: Pair) -> None:
    """In memory one instance would give the code and another be asked for it, so the owner is told."""
    made = pair.ticket()
    code = pair.code(made)
    site = pair.deploy(shared=False)
    answers = [
        site.go("/telegram/relay", urlencode({"ticket": made.text})),
        pair.agree(pair.member(), made.text),
        pair.redeem(code, made),
    ]
    assert [(answer.status, answer.code) for answer in answers] == [(503, "shared_store_required")] * 3
    assert answers[0].header("Retry-After") == "5"
    # Who has no genuine ticket or code does not learn that.
    refused(site.go("/telegram/relay", "ticket=x"))
    refused(pair.redeem("x", made))


def test_a_preview_needs_no_shared_store(pair: Pair) -> None:
    """The code is in production's store; the preview's session can be in memory."""
    browser = Browser(pair.branch(shared=False))
    assert pair.back(browser, pair.url(pair.begin(browser))).status == 303
    assert browser.cookies[COOKIE].startswith("tg0_")
    assert browser.verify().json()["session"]["method"] == "relay"


def test_the_store_cannot_be_reached(pair: Pair) -> None:
    """503 at each step, never a miss; what was not carried out can be tried again."""
    made, member = pair.ticket(), pair.member()
    store = pair.production.store
    store.error = StoreUnavailable("down")
    assert pair.agree(member, made.text).code == "store_unavailable"
    store.error = None
    code = pair.code(made, member)
    for error in (StoreUnavailable("down"), Unanswered("lost")):
        store.error = error
        answer = pair.redeem(code, made)
        assert (answer.status, answer.code) == (503, "store_unavailable")
    store.error = None
    assert pair.redeem(code, made).status == 200


def test_what_the_store_holds(pair: Pair) -> None:
    """Who it is, in the environment's and the bot's own key, as long as it can be of use, and no code."""
    made, member = pair.ticket(), pair.member()
    before = set(pair.production.store.memory._keys)
    code = pair.code(made, member)
    ((key, held),) = [
        (key, held) for key, held in pair.production.store.memory._keys.items() if key not in before
    ]
    assert key == f"tgauth:production:{BOT_ID}:c:{made.text.split('~')[1]}"
    assert {name: ends - NOW for name, (_, ends) in held.items()} == {"code": 120, "used": 720}
    assert held["used"][0] == "1"
    said, _, _ = held["code"][0].rpartition(".")
    assert json.loads(said.removeprefix(made.text.split("~")[1])) == member.verify().json()["user"]
    shown = key + str(held)
    for secret in (code[-43:], made.text[-43:], made.verifier, made.text.split("~")[2], RELAY_SECRET):
        assert secret not in shown
    assert pair.redeem(code, made).status == 200
    assert set(pair.production.store.memory._keys[key]) == {"used"}


def held_code(pair: Pair, made: Made) -> dict[str, tuple[str, float]]:
    """The fields that production's store has for a ticket."""
    key = f"tgauth:production:{BOT_ID}:c:{made.text.split('~')[1]}"
    return pair.production.store.memory._keys[key]


def test_who_writes_to_the_store_cannot_say_who_somebody_is(pair: Pair) -> None:
    """What is there for a code counts only as it was signed, for this very code; else it is as if spent."""
    junk = refused(pair.redeem("x", pair.ticket()))
    other = pair.ticket()
    pair.code(other, pair.member(id=13))
    theirs = held_code(pair, other)["code"][0]
    plain = json.dumps({"id": 13, "first_name": "x"})
    key = Signer(hkdf(RELAY_SECRET.encode(), b"tgauth/1\0relay ticket"))

    def under(**env: str) -> Callable[[str], str]:
        site = Site(pair.clock, {**PRODUCTION, **env})
        return lambda state: keys_of(site.settings).relay_user.sign(state + plain)

    forged: dict[str, Callable[[str], str]] = {
        "nothing": lambda _: "",
        "junk": lambda _: "x",
        "plain": lambda _: plain,
        "no JSON": lambda _: "{",
        "unsigned": lambda state: state + plain,
        "another code's": lambda _: theirs,
        "another code's, moved": lambda state: state + theirs[24:],
        "signed as a ticket": lambda state: key.sign(state + plain),
        "signed as a code": lambda state: keys_of(pair.production.settings).relay_code.sign(state + plain),
        "signed with another secret": under(AUTH_SECRET="x" * 40),
        "signed in another environment": under(VERCEL_ENV="preview"),
        "signed for another bot": under(TELEGRAM_BOT_TOKEN=OTHER_BOT_TOKEN),
    }
    for name, forge in forged.items():
        made = pair.ticket()
        code = pair.code(made)
        held = held_code(pair, made)
        held["code"] = (forge(made.text.split("~")[1]), held["code"][1])
        assert refused(pair.redeem(code, made)).without_id() == junk.without_id(), name
    good = pair.ticket()
    assert pair.redeem(pair.code(good), good).status == 200


def test_a_code_outlives_the_rotation_of_the_secret(pair: Pair) -> None:
    """What was agreed to under the old secret is redeemed under the new one, while the old one is listed."""
    new = "a-new-secret-0123456789-0123456789-012"
    for listed, status in ((f"{new},{AUTH_SECRET}", 200), (new, 400)):
        made = pair.ticket()
        code = pair.code(made)
        rotated = Site(pair.clock, {**PRODUCTION, "AUTH_SECRET": listed}, shared=True)
        store = pair.production.store
        rotated.service = SessionService(rotated.settings, store, pair.clock)  # type: ignore[arg-type]
        assert pair.redeem(code, made, rotated).status == status


USER_OF_AN_ANSWER = b'{"user": {"id": 5, "first_name": "canary-answer"}}'
FAULTS: dict[str, Callable[[_Handler], Any]] = {
    "hangs up": lambda handler: handler.connection.shutdown(socket.SHUT_RDWR),
    "503": lambda handler: handler.reply(503, b'{"code": "shared_store_required"}'),
    "401, Vercel's protection": lambda handler: handler.reply(401, b"<html>canary-answer</html>"),
    "redirect": lambda handler: handler.reply(307, USER_OF_AN_ANSWER, Location="/telegram/relay"),
    "no user": lambda handler: handler.reply(200, b'{"user": "canary-answer"}'),
}
"""A few; tests/unit/relay/test_client.py has all that production can answer."""


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("headers", [NAVIGATION, PAGE], ids=["client", "page"])
def test_production_does_not_answer(
    pair: Pair, fault: Callable[[_Handler], Any], headers: dict[str, str]
) -> None:
    """Whatever it does instead: 503, no session, nothing in the preview's store, and the login is over."""
    browser = Browser(pair.preview)
    url = pair.url(pair.begin(browser))
    pair.server.fault = fault
    answer = pair.back(browser, url, headers=headers)
    if headers is PAGE:
        assert parameter(answer.header("Location") or "", "code") == "identity_provider_unavailable"
    else:
        assert (answer.status, answer.code) == (503, "identity_provider_unavailable")
        assert b"canary" not in answer.body
    assert session_cookies(answer) == []
    assert browser.cookies == {}
    assert pair.preview.store.calls == []
    assert len(pair.server.received) == 1
    pair.server.fault = None
    assert pair.back(browser, url).code == "login_rejected"
    assert len(pair.server.received) == 1


def test_what_comes_back_is_of_this_browser(pair: Pair) -> None:
    """A code in another browser, with another login's state or with none is nothing, and nobody is asked."""
    site = pair.preview
    victim, attacker = Browser(site), Browser(site)
    mine, theirs = pair.begin(victim), pair.begin(attacker)
    url = pair.url(theirs, pair.member(id=13))
    code, state = parameter(url, "code"), parameter(url, "state")
    assert pair.back(victim.copy(), url).code == "login_rejected"
    assert pair.back(Browser(site), url).code == "login_rejected"
    for query in (
        f"code={code}",
        f"code={code}&state=",
        f"state={state}",
        f"code={code}&state={state[:-1]}x",
    ):
        assert victim.copy().back(query).code == "login_rejected"
    assert pair.server.received == []
    # With the victim's own state it is asked, and refused: the verifier does not match.
    answer = victim.copy().back(urlencode({"code": code, "state": mine.split("~")[1]}))
    assert answer.code == "login_rejected"
    assert len(pair.server.received) == 1
    assert site.store.calls == []
    assert pair.back(attacker, url).status == 303


def test_a_copied_browser_on_another_instance(pair: Pair) -> None:
    """An instance that has not seen the login asks production, which has given the code away already."""
    browser = Browser(pair.preview)
    url = pair.url(pair.begin(browser))
    twin = browser.copy()
    assert pair.back(browser, url).status == 303
    twin.site = pair.branch()
    answer = pair.back(twin, url)
    assert (answer.status, answer.code) == (401, "login_rejected")
    assert len(pair.server.received) == 2
    assert twin.site.store.calls == []


@pytest.mark.parametrize("env", [{"TELEGRAM_ALLOW": "5,6"}, {"TELEGRAM_DENY": str(USER["id"])}], ids=str)
def test_the_previews_own_list_of_people(pair: Pair, env: dict[str, str]) -> None:
    """Whom the preview keeps out gets no session there, although production knows who it is."""
    browser = Browser(pair.branch(**env))
    answer = pair.back(browser, pair.url(pair.begin(browser)))
    assert (answer.status, answer.code) == (403, "not_allowed")
    assert session_cookies(answer) == []
    assert pair.preview.store.calls == []
    allowed = Browser(pair.preview)
    assert pair.back(allowed, pair.url(pair.begin(allowed), pair.member(id=5))).status == 303


def test_productions_own_list_of_people(pair: Pair) -> None:
    """Whom production keeps out cannot agree there, also with a session from before."""
    member = pair.member()
    pair.deploy(TELEGRAM_DENY=str(USER["id"]))
    member.site = pair.production
    assert pair.agree(member, pair.ticket().text).code == "invalid_session"


def test_tabs_do_not_disturb_one_another(pair: Pair) -> None:
    """Two logins of one browser, agreed to in the other order, both come back."""
    browser, member = Browser(pair.preview), pair.member()
    tickets = [pair.begin(browser), pair.begin(browser)]
    for url in [pair.url(ticket, member) for ticket in reversed(tickets)]:
        assert pair.back(browser, url).status == 303


@pytest.mark.parametrize("host", [HOST, f"{HOST}:65535", "a" * 63 + ".x" * 95])
def test_a_login_at_production_leads_back_to_the_page(pair: Pair, host: str) -> None:
    """Who is not logged in there yet comes back to the page that asks, with the ticket as it was."""
    location = f"/relay.html?{urlencode({'ticket': pair.ticket(host=host).text})}"
    browser = Browser(pair.deploy(TELEGRAM_CLIENT_SECRET="canary-client-secret"))
    state = browser.start(return_to=location)["state"]
    fields = {**pair.production.widget(), "state": state}
    arrived = browser.go("/telegram/login", urlencode(fields))
    assert (arrived.status, arrived.header("Location")) == (303, location)
    again = Browser(pair.production)
    started = again.go("/telegram/start", urlencode({"return_to": location}))
    fields = {**pair.production.widget(), "state": parameter(started.header("Location") or "", "state")}
    assert again.go("/telegram/login", urlencode(fields)).header("Location") == location


def test_production_logs_in_by_its_own_ways(pair: Pair) -> None:
    """The relay's secret changes nothing in production's own login."""
    told = Browser(pair.production).start()
    assert told["methods"] == ["widget"]
    assert told["relay_url"] is None


def test_what_is_logged(pair: Pair, lines: Callable[[], list[dict[str, Any]]]) -> None:
    """Each step has its event, and a refusal its true reason, by which the owner can help."""
    browser, member = Browser(pair.preview), pair.member()
    lines()
    ticket = pair.begin(browser)
    Browser(pair.production).go("/telegram/relay", urlencode({"ticket": ticket}))
    pair.back(browser, pair.url(ticket, member))
    found = [(line["event"], line["route"], line["env"]) for line in lines()]
    assert found == [
        ("login_started", "/telegram/start", "preview"),
        ("relay_asked", "/telegram/relay", "production"),
        ("relay_agreed", "/telegram/relay", "production"),
        ("relay_redeemed", "/telegram/relay", "production"),
        ("authn_login_success", "/telegram/callback", "preview"),
    ]
    made = pair.ticket()
    code = pair.code(made, member)
    lines()
    refused(pair.agree(member, pair.ticket(issued_at=NOW - 600).text))
    refused(pair.agree(member, pair.ticket(host="evil.example").text))
    refused(pair.agree(member, pair.ticket(secret=OTHER_SECRET).text))
    refused(pair.agree(member, made.text))
    refused(pair.redeem(code, made, host=BRANCH))
    refused(pair.redeem(code, made, verifier="x"))
    pair.redeem(code, made)
    refused(pair.redeem(code, made))
    told = [line for line in lines() if line["status"] == 400]
    assert {(line["event"], line["level"], line["code"]) for line in told} == {
        ("authn_login_fail", "warning", "invalid_grant")
    }
    assert [line["reason"] for line in told] == [
        "expired",
        "the host is not in AUTH_RELAY_HOSTS",
        "malformed, or signed with another secret",
        "the ticket was used before",
        "the code was issued to another host",
        "the verifier does not match",
        "the code was used before, or has expired",
    ]


def every_step(pair: Pair, hide: Callable[..., None], headers: Mapping[str, str]) -> list[Answer]:
    """A login and every failure on its way, with each secret given to `hide`."""
    agent = {"User-Agent": "canary-agent", "X-Real-IP": IP}
    answers: list[Answer] = []
    member = pair.member()
    hide(*member.cookies.values())

    def began() -> tuple[Browser, str]:
        browser = Browser(pair.branch())
        answer = browser.go("/telegram/start", headers={**headers, **agent})
        ticket = parameter(answer.header("Location") or "", "ticket")
        (cookie,) = browser.cookies.values()
        transaction = resume(cookie, pair.preview.settings, now=pair.clock())
        assert transaction
        hide(
            ticket, cookie, transaction.verifier, transaction.nonce, transaction.challenge, transaction.state
        )
        return browser, ticket

    def agreed(ticket: str) -> str:
        url = pair.url(ticket, member)
        hide(parameter(url, "code"), url)
        return url

    browser, ticket = began()
    go = {**headers, **agent}
    answers += [
        member.go("/telegram/relay", urlencode({"ticket": text}), headers=go) for text in (ticket, "x")
    ]
    answers += [member.go("/telegram/relay", urlencode({"ticket": ticket[:-1]}), headers=go)]
    url = agreed(ticket)
    answers += [pair.agree(member, ticket), pair.agree(member, ticket, headers={"Sec-Fetch-Site": "none"})]
    answers += [pair.agree(Browser(pair.production), ticket)]
    logged_in = pair.back(browser, url, headers=go)
    hide(*(value for value in logged_in.cookies.values() if value))
    answers += [pair.back(browser, url, headers=go)]
    for fault in FAULTS.values():
        browser, ticket = began()
        url = agreed(ticket)
        pair.server.fault = fault
        answers += [pair.back(browser, url, headers=go)]
        pair.server.fault = None
    for site, error in (
        (pair.production, StoreUnavailable("canary")),
        (pair.production, RuntimeError("canary-e")),
    ):
        browser, ticket = began()
        site.store.error = error
        answers += [pair.agree(member, ticket)]
        site.store.error = None
        url = agreed(ticket)
        site.store.error = error
        answers += [pair.back(browser, url, headers=go)]
        site.store.error = None
    browser, ticket = began()
    url = agreed(ticket)
    answers += [Browser(pair.preview).back(urlsplit(url).query, headers=go)]
    made = pair.ticket()
    hide(made.text, made.verifier)
    code = pair.code(made, member)
    hide(code)
    answers += [
        pair.redeem(code, made, **changes) for changes in ({"host": "x"}, {"verifier": "x"}, {"code": "x"})
    ]
    answers += [pair.redeem(code, made, host=None)]
    pair.redeem(code, made)
    answers += [pair.redeem(code, made)]
    return answers


@pytest.mark.parametrize("headers", [NAVIGATION, PAGE], ids=["client", "page"])
def test_no_line_and_no_refusal_holds_a_secret(
    pair: Pair, capsys: pytest.CaptureFixture[str], headers: Mapping[str, str]
) -> None:
    """Ticket, code, verifier, secrets, tokens, names and addresses are in no log line and in no refusal."""
    found = [RELAY_SECRET, BOT_TOKEN, BOT_TOKEN.partition(":")[2], AUTH_SECRET, IP, "canary-a", "canary-e"]
    found += [*SHARED_STORE.values(), USER["first_name"], USER["username"], str(USER["id"]), HOST]

    def hide(*values: str) -> None:
        for value in values:
            parts = [value, *value.split("~"), value[-43:], *value.split(".")[-1:]]
            found.extend(part for part in parts if len(part) >= 16)

    answers = every_step(pair, hide, headers)
    captured = capsys.readouterr()
    assert captured.err == ""
    assert len(captured.out.splitlines()) > 40
    assert len(found) > 200
    for secret in found:
        assert secret not in captured.out, secret
    for answer in answers:
        location = answer.header("Location") or ""
        if location.startswith(f"{ORIGIN}/relay.html?"):
            continue
        for secret in found:
            assert secret not in location, secret
            assert secret.encode() not in answer.body, secret
