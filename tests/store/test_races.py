"""What happens at the same moment, on two instances that share nothing but the store.

The small sizes are for every run, the full ones for `make check`; sizes are rounds.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dev.upstash.valkey import Valkey
from tests.store.deployment import Answer, Crowd, Held, Instance, Person, held, live


def sizes(small: int, full: int) -> pytest.MarkDecorator:
    """How many rounds a test has, small and slow."""
    return pytest.mark.parametrize("rounds", [small, pytest.param(full, marks=pytest.mark.slow)])


REVOCATIONS: dict[str, Callable[[Instance, Held, Held], Answer]] = {
    "logout": lambda at, _, victim: at.logout(victim),
    "end": lambda at, mine, victim: at.end(mine, victim.id),
    "others": lambda at, mine, _: at.revoke(mine, keep=True),
    "all": lambda at, mine, _: at.revoke(mine),
}


@pytest.mark.parametrize(
    ("rounds", "width"), [(20, 8), pytest.param(200, 20, marks=pytest.mark.slow)], ids=["small", "full"]
)
def test_no_use_brings_a_revoked_session_back(
    instances: list[Instance], crowd: Crowd, valkey: Valkey, rounds: int, width: int
) -> None:
    """However many verify and refresh while a session is revoked, it is dead the moment that is answered."""
    for number in range(rounds):
        way, revoke = list(REVOCATIONS.items())[number % len(REVOCATIONS)]
        person = Person()
        kind = ("cookie", "bearer", "mini")[number % 3]
        mine, victim = instances[0].enter(person), instances[1].enter(person, kind)
        revoked: list[float] = []

        def end(at: Instance, revoke: Any = revoke, mine: Held = mine, victim: Held = victim) -> Answer:
            answer: Answer = revoke(at, mine, victim)
            revoked.append(time.perf_counter())  # noqa: B023
            return answer

        def use(index: int, victim: Held = victim) -> tuple[float, Answer]:
            at = instances[index % 2]
            started = time.perf_counter()
            return started, at.verify(victim) if index % 4 < 2 else at.refresh(victim)

        works = [partial(end, instances[number % 2]), *[partial(use, index) for index in range(width)]]
        ended, *uses = crowd(works)
        assert ended.status == 204, (way, ended.body)
        for started, answer in uses:
            assert answer.status in (200, 401), (way, answer.body)
            assert answer.status == 401 or started < revoked[0], f"{way}: used after it was revoked"
        # The instance that did not revoke it has to ask the store.
        assert instances[1 - number % 2].verify(victim).status == 401, way
        assert live(valkey, person) == (set() if way == "all" else {mine.id}), way


@sizes(30, 200)
def test_one_proof_makes_one_session(
    instances: list[Instance], crowd: Crowd, valkey: Valkey, rounds: int
) -> None:
    """Of two logins with one proof at the same moment, on two instances, exactly one succeeds."""
    for number in range(rounds):
        person = Person()
        proof = person.widget()
        bearer = [number % 2 == 0, number % 3 == 0]
        answers = crowd(
            [partial(at.log_in, proof, bearer=how) for at, how in zip(instances, bearer, strict=True)]
        )
        winner, loser = sorted(answers, key=lambda answer: answer.status)
        assert (loser.status, loser.code) == (401, "login_stale")
        assert live(valkey, person) == {held(winner).id}


@sizes(10, 100)
def test_one_initdata_makes_one_session(
    instances: list[Instance], crowd: Crowd, valkey: Valkey, rounds: int
) -> None:
    """Parallel logins with one initData all succeed and lead to one session with one token."""
    for _ in range(rounds):
        person = Person()
        init_data = person.init_data()
        answers = crowd([partial(instances[index % 2].log_in, init_data) for index in range(6)])
        sessions = {held(answer) for answer in answers}
        assert len(sessions) == 1
        assert live(valkey, person) == {sessions.pop().id}


@sizes(3, 20)
def test_parallel_logins_of_one_user_lose_none(
    instances: list[Instance], crowd: Crowd, valkey: Valkey, rounds: int
) -> None:
    """20 logins at once, as many as a user may have, are 20 sessions that all work."""
    for _ in range(rounds):
        person = Person()
        kinds = [("cookie", "bearer", "mini")[index % 3] for index in range(20)]
        sessions: list[Held] = crowd(
            [partial(instances[index % 2].enter, person, kind) for index, kind in enumerate(kinds)]
        )
        assert live(valkey, person) == {session.id for session in sessions}
        assert instances[0].ids(sessions[0]) == {session.id for session in sessions}
        assert {instances[1].verify(session).status for session in sessions} == {200}


@pytest.mark.parametrize(("kind", "limit"), [("cookie", 20), ("mini", 10)])
@sizes(2, 15)
def test_parallel_logins_keep_the_limit(
    instances: list[Instance], crowd: Crowd, valkey: Valkey, rounds: int, kind: str, limit: int
) -> None:
    """30 logins at once leave exactly the sessions of their kind that a user may have, and never fewer."""
    for _ in range(rounds):
        person = Person()
        sessions: list[Held] = crowd(
            [partial(instances[index % 2].enter, person, kind) for index in range(30)]
        )
        assert len(live(valkey, person)) == limit
        assert live(valkey, person) <= {session.id for session in sessions}


@sizes(10, 100)
def test_no_login_survives_a_revocation(
    instances: list[Instance], crowd: Crowd, valkey: Valkey, rounds: int
) -> None:
    """Six logins race with a revocation that is younger than their proofs: none of them lives on."""
    for number in range(rounds):
        person, keep = Person(), number % 2 == 0
        mine = instances[0].enter(person)
        proofs = [person.init_data() if index % 3 == 0 else person.widget() for index in range(6)]
        works = [partial(instances[index % 2].log_in, proof) for index, proof in enumerate(proofs)]
        revoked, *answers = crowd([partial(instances[number // 2 % 2].revoke, mine, keep=keep), *works])
        assert revoked.status == 204
        assert {answer.status for answer in answers} <= {200, 401}
        assert live(valkey, person) == ({mine.id} if keep else set())
        made = [held(answer) for answer in answers if answer.status == 200]
        for session in made:
            assert {at.verify(session).status for at in instances} == {401}
        for at in instances:
            assert {at.log_in(proof).code for proof in proofs} == {"login_stale"}


def test_a_dead_token_does_nothing_while_others_use_it(
    instances: list[Instance], crowd: Crowd, person: Person
) -> None:
    """A logout racing with the same token's other actions ends at most what that token could end."""
    somebody = Person()
    theirs = instances[0].enter(somebody)
    for number in range(10):
        mine, other = instances[0].enter(person), instances[1].enter(person)
        a, b = instances[number % 2], instances[1 - number % 2]
        logout, ended = crowd([partial(a.logout, mine), partial(b.end, mine, other.id)])
        assert logout.status == 204
        assert ended.status in (204, 401)
        assert a.verify(other).status == (401 if ended.status == 204 else 200)
        assert b.verify(mine).status == 401
    assert instances[1].verify(theirs).status == 200


def test_nobody_ends_anothers_session(instances: list[Instance], person: Person) -> None:
    """Somebody else's id is as unknown as one that never was, and their session lives on."""
    a, b = instances
    mine, stranger = a.enter(person), Person()
    for kind in ("cookie", "bearer", "mini"):
        theirs = b.enter(stranger, kind)
        absent = "A" * len(theirs.id)
        answers = [a.end(mine, theirs.id), a.end(mine, absent)]
        assert [answer.status for answer in answers] == [404, 404]
        assert answers[0].json() | {"request_id": ""} == answers[1].json() | {"request_id": ""}
        assert b.verify(theirs).status == 200


@sizes(20, 150)
def test_logging_in_beside_a_logout_of_the_same_initdata(
    instances: list[Instance], crowd: Crowd, valkey: Valkey, rounds: int
) -> None:
    """Logins with the initData of a Mini App that logs out meanwhile leave nothing that lives."""
    for number in range(rounds):
        person = Person()
        init_data = person.init_data()
        mini = held(instances[0].log_in(init_data))
        works = [partial(instances[index % 2].log_in, init_data) for index in range(6)]
        logout, *answers = crowd([partial(instances[number % 2].logout, mini), *works])
        assert logout.status == 204
        assert {answer.code for answer in answers} <= {None, "login_stale"}
        made = [held(answer) for answer in answers if answer.status == 200]
        # Nothing but the session that was there already was led to.
        assert set(made) <= {mini}
        assert live(valkey, person) == set()
        for at in instances:
            assert at.verify(mini).status == 401
            assert at.log_in(init_data).code == "login_stale"
