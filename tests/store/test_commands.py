"""What every request costs at the store: commands and round trips, counted by the REST server itself."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from dev.upstash.server import Upstash
from lib.tgauth.keys import keys_of
from lib.tgauth.sessions.token import Claims, random_n, random_slot, seal
from lib.tgauth.settings import read_settings
from tests.site import COOKIE, DAY, OWN_PAGE
from tests.store.conftest import Launch, credentials
from tests.store.deployment import ENV, Answer, Crowd, Instance, Person, held

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


CALLS = [
    ("GET", "/telegram/verify"),
    ("HEAD", "/telegram/verify"),
    ("POST", "/telegram/refresh"),
    ("POST", "/telegram/logout"),
    ("GET", "/telegram/sessions"),
    ("DELETE", "/telegram/sessions"),
    ("DELETE", "/telegram/sessions?keep=current"),
    ("DELETE", "/telegram/sessions/AAAAAAAAAAAAAAAA"),
]


def test_junk_costs_nothing(instances: list[Instance], upstash: Upstash, person: Person) -> None:
    """Whatever is sent without a genuine token or proof, the store hears nothing of it."""
    a, b = instances
    genuine, now = a.enter(person), int(time.time())
    ours, theirs = (keys_of(read_settings({**ENV, **env})) for env in ({}, {"AUTH_SECRET": "x" * 32}))
    tokens = ["", "x", genuine.token[:-1], "tg0_" + genuine.token[4:]]
    for keys, issued_at in ((theirs, now), (ours, now - 90 * DAY), (ours, now + DAY)):
        tokens.append(seal(Claims(person.id, random_slot("cookie"), issued_at, random_n()), keys))
    upstash.reset()
    for token in tokens:
        for headers in ({"Cookie": f"{COOKIE}={token}", **OWN_PAGE}, {"Authorization": f"Bearer {token}"}):
            for method, path in CALLS:
                expected = (204, 400) if path == "/telegram/logout" else (400, 401)
                assert a.send(method, path, headers).status in expected, (method, path, headers)
    as_bearer = {"Authorization": f"Bearer {genuine.token}"}
    assert a.send("GET", "/telegram/verify", as_bearer).code == "invalid_session"
    assert (
        a.send("POST", "/telegram/logout", {**genuine.headers, "Sec-Fetch-Site": "cross-site"}).status == 403
    )
    for proof in ({**person.widget(), "hash": "0" * 64}, person.init_data()[:-64] + "0" * 64):
        assert b.log_in(proof).code == "login_rejected"
    for proof in (person.widget(auth_date=now - 400), person.init_data(auth_date=now - DAY - 100)):
        assert b.log_in(proof).code == "login_stale"
    assert b.post("/telegram/start", {}, OWN_PAGE).status == 200
    assert (upstash.commands, upstash.requests, upstash.unauthorized, upstash.seen) == (0, 0, 0, [])
    assert b.verify(genuine).status == 200


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


def test_health_is_down_where_nobody_can_log_in(
    launch: Launch, upstash: Upstash, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that answers PING and lets nobody log in is down, for the reason that the login has."""
    (instance,) = launch({**ENV, **credentials(upstash)})
    run = upstash.run

    def refusing(path: str, sent: Any) -> Any:
        error = "NOPERM this user has no permissions to run the 'hsetex' command"
        return run(path, sent) if sent == ["PING"] else {"error": error}

    monkeypatch.setattr(upstash, "run", refusing)
    answer = instance.send("GET", "/health")
    down = {"status": "down", "store": None, "problem": "store_rights"}
    assert (answer.status, answer.json()) == (503, down)
    assert instance.log_in(person.widget()).code == "store_unavailable"
    told = [json.loads(line) for line in instance.output.splitlines() if '"store_unavailable"' in line]
    assert len({line["reason"] for line in told}) == 1
    assert "Redis connected" not in instance.output
