"""What every request costs at the store: commands and round trips, counted by the REST server itself."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from dev.telegram.serving import Serving, serving
from dev.upstash.server import Fault, Upstash
from dev.upstash.valkey import Valkey
from lib.tgauth.keys import keys_of
from lib.tgauth.sessions import devices
from lib.tgauth.sessions.token import Claims, random_n, random_slot, seal
from lib.tgauth.settings import read_settings
from lib.tgauth.store.pulse import Pulse
from lib.tgauth.store.upstash import UpstashStore
from tests.store.conftest import Launch, credentials
from tests.store.deployment import (
    BOT_ID,
    BOT_TOKEN,
    COOKIE,
    DAY,
    ENV,
    ORIGIN,
    OWN_PAGE,
    Answer,
    Crowd,
    Held,
    Instance,
    Person,
    held,
    service,
)
from tests.store.test_relay import HOST, RELAY, Made

Cost = tuple[int, int]


def cost(upstash: Upstash, action: Callable[[], Answer], status: int) -> Cost:
    """Commands and round trips of one request, which must be answered with `status`."""
    before = (upstash.commands, upstash.requests, upstash.unauthorized)
    answer = action()
    assert answer.status == status, answer.body
    assert upstash.unauthorized == before[2]
    return upstash.commands - before[0], upstash.requests - before[1]


@pytest.mark.parametrize("kind", ["cookie", "bearer", "mini"])
def test_verify_and_refresh_are_one_command(
    instances: list[Instance], upstash: Upstash, person: Person, kind: str
) -> None:
    """Finding and renewing a session take one command each, whichever way it was made."""
    a, b = instances
    mine = a.enter(person, kind)
    for at in (a, b):
        assert cost(upstash, lambda at=at: at.verify(mine), 200) == (1, 1)
        assert cost(upstash, lambda at=at: at.verify(mine, "HEAD"), 200) == (1, 1)
        assert cost(upstash, lambda at=at: at.refresh(mine), 200) == (1, 1)


@pytest.mark.parametrize("kind", ["cookie", "bearer", "mini"])
def test_logout_is_one_command(
    instances: list[Instance], upstash: Upstash, person: Person, kind: str
) -> None:
    """Logging out is one command, whichever way the session was made."""
    a, b = instances
    mine = a.enter(person, kind)
    assert cost(upstash, lambda: b.logout(mine), 204) == (1, 1)
    assert a.verify(mine).status == 401


def test_any_mini_app_token_logs_its_launch_out(
    instances: list[Instance], upstash: Upstash, person: Person
) -> None:
    """A token whose session was replaced ends the launch, with one command, and its initData with it."""
    a, b = instances
    init_data = person.init_data()
    old = held(a.log_in(init_data))
    a.enter(person, "mini", old=old)
    new = held(a.log_in(init_data))
    assert new.id == old.id
    assert new.token != old.token
    assert cost(upstash, lambda: b.logout(old), 204) == (1, 1)
    for at in (a, b):
        assert at.verify(new).status == 401
        assert at.log_in(init_data).code == "login_stale"


@pytest.mark.parametrize("kind", ["cookie", "bearer", "mini"])
def test_login_is_three_commands_in_one_round_trip(
    instances: list[Instance], upstash: Upstash, person: Person, kind: str
) -> None:
    """A login is one transaction of three commands, also beside other sessions of the same user."""
    for at in instances:
        proof = person.init_data() if kind == "mini" else person.widget()
        assert cost(upstash, lambda at=at, proof=proof: at.log_in(proof, bearer=kind == "bearer"), 200) == (
            3,
            1,
        )


def test_initdata_that_comes_again_costs_no_more(
    instances: list[Instance], upstash: Upstash, person: Person
) -> None:
    """The second login with one initData costs the same and gives the same token."""
    init_data = person.init_data()
    first = held(instances[0].log_in(init_data))
    assert cost(upstash, lambda: instances[1].log_in(init_data), 200) == (3, 1)
    assert held(instances[1].log_in(init_data)) == first


def test_a_login_that_replaces_takes_one_command_more(
    instances: list[Instance], upstash: Upstash, person: Person
) -> None:
    """The session that was presented at the login is ended with one command more."""
    a, b = instances
    old = a.enter(person)
    assert cost(upstash, lambda: b.log_in(person.widget(), old=old), 200) == (4, 2)
    assert a.verify(old).status == 401


def test_a_login_that_evicts_takes_two_commands_more(
    launch: Launch, upstash: Upstash, person: Person
) -> None:
    """Over SESSION_LIMIT one command tells who was used longest ago, and another one ends that session."""
    (a,) = launch({**ENV, **credentials(upstash), "SESSION_LIMIT": "2"})
    first, second = a.enter(person), a.enter(person)
    assert cost(upstash, lambda: a.log_in(person.widget()), 200) == (5, 3)
    assert sorted([a.verify(first).status, a.verify(second).status]) == [200, 401]
    left = first if a.verify(first).status == 200 else second
    assert cost(upstash, lambda: a.log_in(person.widget(), old=left), 200) == (4, 2)
    assert a.verify(left).status == 401


def test_a_launch_that_evicts_takes_two_commands_more(
    launch: Launch, upstash: Upstash, person: Person
) -> None:
    """Over MINI_APP_LIMIT it is the same among Mini Apps, and the website's sessions stay."""
    (a,) = launch({**ENV, **credentials(upstash), "SESSION_LIMIT": "1", "MINI_APP_LIMIT": "2"})
    website, first, second = a.enter(person), a.enter(person, "mini"), a.enter(person, "mini")
    assert cost(upstash, lambda: a.log_in(person.init_data()), 200) == (5, 3)
    assert sorted([a.verify(first).status, a.verify(second).status]) == [200, 401]
    assert a.verify(website).status == 200


def test_list_is_three_commands_in_two_round_trips(
    instances: list[Instance], upstash: Upstash, person: Person
) -> None:
    """However many sessions there are, the list takes three commands."""
    mine, *_ = [instances[0].enter(person, kind) for kind in ("cookie", "bearer", "mini", "cookie")]
    assert cost(upstash, lambda: instances[1].list(mine), 200) == (3, 2)


@pytest.mark.parametrize("kind", ["cookie", "bearer", "mini"])
def test_ending_another_is_at_most_three_commands(
    instances: list[Instance], upstash: Upstash, person: Person, kind: str
) -> None:
    """Ending one session from another takes three commands and two round trips at most, and is final."""
    a, b = instances
    mine, other = a.enter(person), a.enter(person, kind)
    commands, trips = cost(upstash, lambda: b.end(mine, other.id), 204)
    assert commands <= 3
    assert trips <= 2
    assert a.verify(other).status == 401
    assert b.verify(mine).status == 200


def test_an_ended_mini_app_stays_ended(instances: list[Instance], person: Person) -> None:
    """What was ended from another device does not come back with the initData that Telegram cached."""
    a, b = instances
    init_data = person.init_data()
    mine, mini = a.enter(person), held(a.log_in(init_data))
    assert a.end(mine, mini.id).status == 204
    for at in (a, b):
        assert at.log_in(init_data).code == "login_stale"
        assert at.verify(mini).status == at.refresh(mini).status == 401
        assert at.logout(mini).status == 204
        assert at.log_in(init_data).code == "login_stale"
    assert a.ids(mine) == {mine.id}


def test_ending_what_is_ended_finds_nothing(instances: list[Instance], person: Person) -> None:
    """A session can be ended once; after that its id is as unknown as any other, whatever its kind."""
    a, b = instances
    mine = a.enter(person)
    for kind in ("cookie", "bearer", "mini"):
        other = a.enter(person, kind)
        assert [a.end(mine, other.id).status, b.end(mine, other.id).status] == [204, 404], kind


@pytest.mark.parametrize("keep", [False, True], ids=["all", "others"])
def test_revoking_is_five_commands_in_two_round_trips(
    instances: list[Instance], upstash: Upstash, person: Person, keep: bool
) -> None:
    """Ending all sessions, or all others, takes five commands however many there are."""
    a, b = instances
    mine, *others = [a.enter(person, kind) for kind in ("cookie", "bearer", "mini", "cookie")]
    assert cost(upstash, lambda: b.revoke(mine, keep=keep), 204) == (5, 2)
    assert a.verify(mine).status == (200 if keep else 401)
    assert {a.verify(other).status for other in others} == {401}


@pytest.mark.parametrize("keep", [False, True], ids=["all", "others"])
def test_revoking_takes_one_command_more_after_a_race(
    instances: list[Instance], upstash: Upstash, person: Person, keep: bool
) -> None:
    """A login that slips in between the two round trips is found and ended with one command more."""
    a, b = instances
    mine, other, proof, late = a.enter(person), a.enter(person), person.widget(), []

    class Slow(UpstashStore):
        def show(self, *args: Any) -> Any:
            shown = super().show(*args)
            late.append(held(b.log_in(proof)))
            return shown

    store = Slow(upstash.url, upstash.token)
    ours = service(store, credentials(upstash))
    before = upstash.commands, upstash.requests
    devices.revoke_sessions(ours, mine.token, "cookie", keep_current=keep)
    store.close()
    # The login's three commands in one round trip are not the revocation's.
    assert (upstash.commands - before[0] - 3, upstash.requests - before[1] - 1) == (6, 3)
    assert len(late) == 1
    assert [a.verify(session).status for session in (mine, other, *late)] == [200 if keep else 401, 401, 401]


def changed(token: str, index: int) -> str:
    """The token with another character there."""
    characters = list(token)
    characters[index] = "A" if characters[index] != "A" else "B"
    return "".join(characters)


def junk(person: Person, genuine: Held) -> dict[str, tuple[str, str, dict[str, str], Any]]:
    """Requests without a genuine token or proof, by what is wrong with them: method, path, headers, body."""
    theirs = keys_of(read_settings({**ENV, "AUTH_SECRET": "x" * 32}))
    ours = keys_of(read_settings(ENV))
    now = person.widget()["auth_date"]
    slot = random_slot("cookie")

    def sealed(keyring: Any, issued_at: int) -> str:
        return seal(Claims(person.id, slot, issued_at, random_n()), keyring)

    tokens = {
        "empty": "",
        "one character": "x",
        "forged": sealed(theirs, now),
        "past its absolute lifetime": sealed(ours, now - 90 * DAY),
        "of the future": sealed(ours, now + DAY),
        "degraded": "tg0_" + genuine.token[4:],
        "cut": genuine.token[:-1],
        "longer": genuine.token + "A",
        "changed user": changed(genuine.token, 4),
        "changed signature": changed(genuine.token, -2),
        "very long": "tg1_" + "A" * 4000,
    }
    requests: dict[str, tuple[str, str, dict[str, str], Any]] = {}
    calls = [
        ("GET", "/telegram/verify"),
        ("HEAD", "/telegram/verify"),
        ("POST", "/telegram/refresh"),
        ("POST", "/telegram/logout"),
        ("GET", "/telegram/sessions"),
        ("DELETE", "/telegram/sessions"),
        ("DELETE", "/telegram/sessions?keep=current"),
        ("DELETE", f"/telegram/sessions/{slot}"),
    ]
    for method, path in calls:
        requests[f"{method} {path} with nothing"] = (method, path, {}, None)
        for what, token in tokens.items():
            cookie = {"Cookie": f"{COOKIE}={token}", **OWN_PAGE}
            requests[f"{method} {path}, cookie {what}"] = (method, path, cookie, None)
            bearer = {"Authorization": f"Bearer {token}"}
            requests[f"{method} {path}, bearer {what}"] = (method, path, bearer, None)
        other_way = {"Authorization": f"Bearer {genuine.token}"}
        if path != "/telegram/logout":
            requests[f"{method} {path}, cookie's token as bearer"] = (method, path, other_way, None)
        twice = {"Cookie": f"{COOKIE}={genuine.token}; {COOKIE}={genuine.token}", **OWN_PAGE}
        requests[f"{method} {path}, cookie twice"] = (method, path, twice, None)
        if method not in ("GET", "HEAD"):
            elsewhere = {**genuine.headers, "Sec-Fetch-Site": "cross-site"}
            requests[f"{method} {path}, from another site"] = (method, path, elsewhere, None)
    widget, init_data = person.widget(), person.init_data()
    bodies: dict[str, Any] = {
        "nothing": {},
        "forged widget": {**widget, "hash": "0" * 64},
        "changed widget": {**widget, "id": person.id + 1},
        "stale widget": person.widget(auth_date=now - 400),
        "future widget": person.widget(auth_date=now + 400),
        "forged initData": {"init_data": init_data[:-1] + ("0" if init_data[-1] != "0" else "1")},
        "stale initData": {"init_data": person.init_data(auth_date=now - DAY - 100)},
        "initData as widget": {"widget": {"hash": init_data}},
        "list": [widget],
        "both": {"widget": widget, "init_data": init_data},
        "deep": {"widget": {"a": {"b": {}}}},
        "large": {"init_data": "a" * 20_000},
    }
    for what, body in bodies.items():
        requests[f"login, {what}"] = ("POST", "/telegram/login", OWN_PAGE, body)
    requests["login, from another site"] = ("POST", "/telegram/login", {"Sec-Fetch-Site": "none"}, widget)
    requests["stats without the secret"] = ("GET", "/stats", {}, None)
    requests["stats with another"] = ("GET", "/stats", {"Authorization": f"Bearer {BOT_TOKEN}"}, None)
    requests["no such path"] = ("GET", "/telegram/session", genuine.headers, None)
    requests["wrong method"] = ("PUT", "/telegram/verify", genuine.headers, None)
    requests["login page's start"] = ("POST", "/telegram/start", {}, {})
    requests["sessions with an odd query"] = ("DELETE", "/telegram/sessions?keep=all", genuine.headers, None)
    made = Made()
    ticket, code = (
        {"ticket": made.text, "user": 1},
        {"code": made.text, "verifier": made.verifier, "host": HOST},
    )
    requests["relay that is off, asked"] = ("GET", f"/telegram/relay?ticket={made.text}", {}, None)
    requests["relay that is off, a ticket"] = ("POST", "/telegram/relay", genuine.headers, ticket)
    requests["relay that is off, a code"] = ("POST", "/telegram/relay", {}, code)
    requests["no id"] = ("DELETE", "/telegram/sessions/short", genuine.headers, None)
    return requests


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_junk_costs_nothing(
    instances: list[Instance],
    upstash: Upstash,
    person: Person,
    crowd: Crowd,
    times: int,
    figure: Callable[[str], None],
) -> None:
    """Whatever is sent without a genuine token or proof, the store hears nothing of it."""
    genuine = instances[0].enter(person)
    upstash.reset()
    requests = junk(person, genuine)

    def send(what: str) -> None:
        method, path, headers, body = requests[what]
        at = instances[hash(what) % 2]
        answer = at.send(method, path, headers) if body is None else at.post(path, body, headers)
        expected = (204,) if path == "/telegram/logout" else range(400, 500)
        assert answer.status in (*expected, *range(400, 500)), (what, answer.body)

    crowd.map(send, list(requests) * times)
    assert (upstash.commands, upstash.requests, upstash.unauthorized, upstash.seen) == (0, 0, 0, [])
    assert instances[1].verify(genuine).status == 200
    figure(f"{len(requests)} kinds of junk, {len(requests) * times} requests: 0 commands")


@pytest.mark.parametrize("kind", ["cookie", "bearer", "mini"])
def test_a_dead_token_is_asked_about_once(
    instances: list[Instance], upstash: Upstash, person: Person, kind: str
) -> None:
    """Uses of a logged-out token cost nothing where it was logged out, and one or two commands elsewhere."""
    a, b = instances
    mine = a.enter(person, kind)
    assert a.logout(mine).status == 204
    uses = (Instance.verify, Instance.refresh, Instance.list, Instance.revoke, Instance.verify)
    # A Mini App's token ends its launch, whatever became of its own session.
    for at, most in ((a, 0), (b, 2 if kind == "mini" else 1)):
        upstash.reset()
        assert {use(at, mine).status for _ in range(10) for use in uses} == {401}
        assert {at.logout(mine).status for _ in range(10)} == {204}
        assert upstash.commands <= most


def test_a_spent_proof_is_asked_about_once(
    instances: list[Instance], upstash: Upstash, person: Person
) -> None:
    """50 logins with a spent proof cost nothing where it was spent, and three commands elsewhere."""
    a, b = instances
    proof = person.widget()
    mine = held(a.log_in(proof))
    for at, most in ((a, 0), (b, 3)):
        upstash.reset()
        for bearer in (False, True) * 25:
            assert at.log_in(proof, bearer=bearer).code == "login_stale"
        assert upstash.commands <= most
    assert a.verify(mine).status == 200


def test_a_revoked_proof_is_asked_about_once(
    instances: list[Instance], upstash: Upstash, person: Person
) -> None:
    """50 logins with proofs from before a revocation cost one login each at most, whatever their kind."""
    a, b = instances
    widget, init_data = person.widget(), person.init_data()
    assert a.revoke(a.enter(person)).status == 204
    for proof, most in ((widget, 4), (init_data, 4)):
        upstash.reset()
        assert {b.log_in(proof).code for _ in range(50)} == {"login_stale"}
        assert upstash.commands <= most


def test_initdata_again_and_again_is_refused(
    instances: list[Instance], upstash: Upstash, person: Person
) -> None:
    """One initData costs sixty logins a minute in an instance at most, and the session lives on."""
    a, _ = instances
    init_data = person.init_data()
    statuses = [a.log_in(init_data).status for _ in range(100)]
    assert statuses == [200] * 60 + [429] * 40
    assert (upstash.commands, upstash.requests) == (180, 60)


CLIENT_SECRET = "canary-client-secret-0123456789"


@pytest.fixture(scope="module")
def telegram() -> Iterator[Serving]:
    """A simulated Telegram that instances can reach."""
    running = serving(redirect_origin=ORIGIN, client_id=str(BOT_ID), client_secret=CLIENT_SECRET)
    with running as at:
        yield at


@pytest.fixture
def openid(launch: Launch, upstash: Upstash, telegram: Serving) -> list[Instance]:
    """Two instances where Telegram's OpenID Connect is on."""
    env = {"TELEGRAM_CLIENT_SECRET": CLIENT_SECRET, "TELEGRAM_OAUTH_URL": telegram.url}
    return launch(*[{**ENV, **credentials(upstash), **env}] * 2)


class Started:
    """A login that was begun at an instance, by GET, and what comes back to it."""

    def __init__(self, at: Instance, telegram: Serving, person: Person) -> None:
        answer = at.send("GET", "/telegram/start")
        query = parse_qs(urlsplit(answer.header("Location") or "").query)
        (self.state,), (self.nonce,), (challenge,) = (
            query[name] for name in ("state", "nonce", "code_challenge")
        )
        self.cookie = {"Cookie": (answer.header("Set-Cookie") or "").partition(";")[0]}
        user = {"id": person.id, "first_name": "Canary"}
        self.code = telegram.provider.code_for(user, challenge=challenge)
        claims = telegram.provider.claims(user, nonce=self.nonce)
        self.body = {"id_token": telegram.provider.sign(claims)}

    def back(self, at: Instance, **changes: str) -> Answer:
        """GET /telegram/callback."""
        query = urlencode({"code": self.code, "state": self.state} | changes)
        return at.send("GET", f"/telegram/callback?{query}", self.cookie)

    def post(self, at: Instance) -> Answer:
        """POST /telegram/login with the id_token."""
        return at.post("/telegram/login", self.body, {**OWN_PAGE, **self.cookie})


def test_every_way_in_is_three_commands_in_one_round_trip(
    openid: list[Instance], upstash: Upstash, telegram: Serving, person: Person
) -> None:
    """By code, by id_token with and without a nonce, and by the widget's redirect: as every login."""
    a, b = openid
    native = telegram.provider.sign(telegram.provider.claims({"id": person.id, "first_name": "Canary"}))
    by_redirect = Started(a, telegram, person)
    query = urlencode({**person.widget(), "state": by_redirect.state})
    upstash.reset()
    for action, status in (
        (lambda: Started(a, telegram, person).back(b), 303),
        (lambda: Started(b, telegram, person).post(a), 200),
        (lambda: a.post("/telegram/login", {"id_token": native, "transport": "bearer"}), 200),
        (lambda: b.send("GET", f"/telegram/login?{query}", by_redirect.cookie), 303),
    ):
        assert cost(upstash, action, status) == (3, 1)


def test_starts_cost_nothing(openid: list[Instance], upstash: Upstash) -> None:
    """However many logins are begun, and nobody finishes them, the store hears nothing."""
    for at in openid:
        for _ in range(10):
            assert cost(upstash, lambda at=at: at.send("GET", "/telegram/start?return_to=/x"), 303) == (0, 0)
            assert cost(upstash, lambda at=at: at.send("GET", "/telegram/login"), 303) == (0, 0)
            assert cost(upstash, lambda at=at: at.send("HEAD", "/telegram/start"), 204) == (0, 0)
            assert cost(upstash, lambda at=at: at.post("/telegram/start", {}, OWN_PAGE), 200) == (0, 0)
    assert upstash.seen == []


def test_refused_ways_in_cost_nothing(
    openid: list[Instance], upstash: Upstash, telegram: Serving, person: Person
) -> None:
    """Callbacks, redirects and id_tokens that are refused ask nothing of the store, however often."""
    a, b = openid
    upstash.reset()
    for changes in (
        {"state": "A" * 24},
        {"code": "unknown"},
        {"code": ""},
        {"iss": "https://evil.example"},
        {"error": "access_denied"},
        {"error": "anything"},
    ):
        started = Started(a, telegram, person)
        for at in (a, b, a):
            assert cost(upstash, lambda s=started, at=at, c=changes: s.back(at, **c), 401) == (0, 0)
    forged = Started(a, telegram, person)
    forged.body = {"id_token": forged.body["id_token"][:-8] + "AAAAAAAA"}
    assert cost(upstash, lambda: forged.post(a), 401) == (0, 0)
    stranger = Started(a, telegram, person)
    stranger.cookie = {"Cookie": "x=y"}
    assert cost(upstash, lambda: stranger.post(b), 401) == (0, 0)
    assert cost(upstash, lambda: stranger.back(b), 401) == (0, 0)
    for query in (urlencode(person.widget()), "hash=x", f"hash=x&state={stranger.state}"):
        assert cost(upstash, lambda q=query: a.send("GET", f"/telegram/login?{q}"), 303) == (0, 0)
    assert upstash.seen == []


def test_an_answer_of_telegram_is_used_once(
    openid: list[Instance], upstash: Upstash, telegram: Serving, person: Person
) -> None:
    """Where it was used, using it again costs nothing; elsewhere at most one login's commands, once.

    So does a code's way back, without the cookie that says where it led.
    """
    a, b = openid
    by_code, by_token = Started(a, telegram, person), Started(a, telegram, person)
    assert (by_code.back(a).status, by_token.post(a).status) == (303, 200)
    for at, most in ((a, 0), (b, 3)):
        upstash.reset()
        assert {by_token.post(at).status for _ in range(20)} == {401}
        assert upstash.commands <= most
        upstash.reset()
        again = [by_code.back(at) for _ in range(20)]
        assert {answer.status for answer in again} == {401}
        cookies = [cookie for answer in again for cookie in answer.all("Set-Cookie")]
        assert not any(cookie.startswith(f"{COOKIE}=") for cookie in cookies)
        assert upstash.commands == 0


@pytest.fixture
def relaying(launch: Launch, upstash: Upstash) -> list[Instance]:
    """Two instances of production where previews may log in."""
    return launch(*[{**ENV, **RELAY, **credentials(upstash)}] * 2)


def test_relays_junk_costs_nothing(
    relaying: list[Instance], upstash: Upstash, person: Person, figure: Callable[[str], None]
) -> None:
    """Without a genuine ticket or code, a fitting verifier and a page of ours, the store hears nothing."""
    a, b = relaying
    mine, made, spent = a.enter(person), Made(), Made()
    code = spent.code(a, mine)
    tickets = {
        "junk": "x",
        "empty": "",
        "unsigned": made.text[:-44],
        "changed": changed(made.text, -5),
        "cut": made.text[:-1],
        "old": Made(age=600).text,
        "of the future": Made(age=-120).text,
        "another host's": Made("evil.example").text,
        "a code": code,
        "a session": mine.token,
        "long": "a" * 4000,
    }
    codes = {**tickets, "a code": made.text}
    attempts: dict[str, Callable[[], Answer]] = {}
    for what, text in tickets.items():
        query = urlencode({"ticket": text})
        attempts[f"asked, {what}"] = lambda q=query: a.send("GET", f"/telegram/relay?{q}")
        body = {"ticket": text, "user": mine.user_id}
        attempts[f"agreed, {what}"] = lambda body=body: b.post("/telegram/relay", body, mine.headers)
        attempts[f"agreed by nobody, {what}"] = lambda body=body: b.post("/telegram/relay", body, OWN_PAGE)
    for what, text in codes.items():
        attempts[f"redeemed, {what}"] = lambda text=text: spent.redeem(a, text)
    attempts["another verifier"] = lambda: spent.redeem(b, code, verifier=made.verifier)
    attempts["another host"] = lambda: spent.redeem(b, code, host=f"{HOST}:443")
    upstash.reset()
    for what, attempt in attempts.items():
        for _ in range(3):
            assert attempt().code == "invalid_grant", what
    yes = {"ticket": made.text, "user": mine.user_id}
    others: dict[str, tuple[Callable[[], Answer], int]] = {
        "asked": (lambda: a.send("GET", f"/telegram/relay?{urlencode({'ticket': made.text})}"), 303),
        "HEAD": (lambda: a.send("HEAD", f"/telegram/relay?{urlencode({'ticket': made.text})}"), 204),
        "by nobody": (lambda: a.post("/telegram/relay", yes, OWN_PAGE), 401),
        "without a page": (lambda: a.post("/telegram/relay", yes), 403),
        "of another site": (
            lambda: a.post("/telegram/relay", yes, {**mine.headers, "Sec-Fetch-Site": "cross-site"}),
            403,
        ),
        "another form": (lambda: a.post("/telegram/relay", {"code": code}), 400),
        "both": (lambda: a.post("/telegram/relay", {"code": code, **yes}, mine.headers), 400),
        "PUT": (lambda: a.send("PUT", "/telegram/relay"), 405),
    }
    for what, (send, status) in others.items():
        assert send().status == status, what
    assert (upstash.commands, upstash.requests, upstash.unauthorized, upstash.seen) == (0, 0, 0, [])
    assert spent.redeem(b, code).status == 200
    assert made.agree(a, mine).status == 200
    figure(f"{len(attempts) + len(others)} kinds of junk for the relay: 0 commands")


def test_a_spent_code_costs_one_command(relaying: list[Instance], upstash: Upstash, person: Person) -> None:
    """Who has code and verifier can ask again and again, at one command, and only for a minute."""
    a, b = relaying
    made = Made()
    code = made.code(a, a.enter(person))
    assert cost(upstash, lambda: made.redeem(a, code), 200) == (1, 1)
    for at in (a, b):
        assert cost(upstash, lambda at=at: made.redeem(at, code), 400) == (1, 1)


def test_health_asks_once(launch: Launch, upstash: Upstash, person: Person, crowd: Crowd) -> None:
    """A cold instance tries one login for many questions at once, and asks nothing after a real one."""
    cold, warm = launch(*[{**ENV, **credentials(upstash)}] * 2)
    answers = crowd([lambda: cold.send("GET", "/health")] * 20)
    assert {answer.status for answer in answers} == {200}
    assert (upstash.commands, upstash.requests) == (3, 1)
    assert answers[0].json() == {"status": "ok", "store": "upstash"}
    warm.enter(person)
    upstash.reset()
    assert cost(upstash, lambda: warm.send("GET", "/health"), 200) == (0, 0)


def test_health_asks_once_while_the_store_is_down(launch: Launch, upstash: Upstash) -> None:
    """A failure is remembered too: 20 questions cost one attempt to log in."""
    (cold,) = launch({**ENV, **credentials(upstash)})
    upstash.fail(*[Fault("500")] * 40)
    assert {cold.send("GET", "/health").status for _ in range(20)} == {503}
    assert upstash.requests == 1


def test_a_day_of_health(upstash: Upstash) -> None:
    """Asked every ten seconds for a day, it costs 24 logins, and 11 PINGs between two: under 400 commands."""
    store, now = UpstashStore(upstash.url, upstash.token), [0.0]
    store._pulse = Pulse(lambda: now[0])
    for second in range(0, 86_400, 10):
        now[0] = second
        store.check(f"tgauth:production:1:h:{second}")
    assert upstash.commands == 24 * (3 + 11)
    store.close()


def test_what_health_writes_is_gone_in_a_minute(upstash: Upstash, valkey: Valkey) -> None:
    """The key of a check is its own and expires; nothing else is written."""
    store = UpstashStore(upstash.url, upstash.token)
    store.check("tgauth:production:2:h:check")
    assert valkey.run("KEYS", "tgauth:production:2:*") == [b"tgauth:production:2:h:check"]
    (left,) = valkey.run("HTTL", "tgauth:production:2:h:check", "FIELDS", "1", "h")
    assert 0 < left <= 60
    store.close()


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        ("ERR unknown command 'HSETEX', with args beginning with: 'tgauth:'", "store_too_old"),
        ("NOPERM this user has no permissions to run the 'hsetex' command", "store_rights"),
        ("ERR DB capacity quota exceeded", "store_full"),
        ("ERR max requests limit exceeded. Limit: 500000, Usage: 500000.", "store_quota"),
        ("WRONGPASS invalid or missing auth token", "store_credentials"),
    ],
)
def test_health_is_down_where_nobody_can_log_in(
    launch: Launch,
    upstash: Upstash,
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
    error: str,
    problem: str,
) -> None:
    """A database that answers PING and lets nobody log in is down, for the reason that the login has."""
    (instance,) = launch({**ENV, **credentials(upstash)})
    run = upstash.run

    def refusing(path: str, sent: Any) -> Any:
        return run(path, sent) if sent == ["PING"] else {"error": error}

    monkeypatch.setattr(upstash, "run", refusing)
    answer = instance.send("GET", "/health")
    assert (answer.status, answer.json()) == (503, {"status": "down", "store": None, "problem": problem})
    assert instance.log_in(person.widget()).code == "store_unavailable"
    told = [json.loads(line) for line in instance.output.splitlines() if '"store_unavailable"' in line]
    assert len({line["reason"] for line in told}) == 1
    assert "Redis connected" not in instance.output
