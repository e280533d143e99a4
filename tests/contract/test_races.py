"""What happens at the same moment happens as if one had come after the other."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.contract.conftest import Subject

KEY = "tgauth:test:1:u:42"
CROWD = 8
ROUNDS = 10

AtOnce = Callable[[Callable[[int], object]], list[object]]


@pytest.fixture
def at_once() -> Iterator[AtOnce]:
    """`at_once(call)`: the answers of `call(0)`, `call(1)`, …, each in a thread, all begun together."""
    barrier = Barrier(CROWD, timeout=30)

    def run(call: Callable[[int], object], number: int) -> object:
        barrier.wait()
        return call(number)

    with ThreadPoolExecutor(CROWD) as pool:
        yield lambda call: list(pool.map(lambda number: run(call, number), range(CROWD)))


def test_one_proof_makes_one_session(subject: Subject, at_once: AtOnce) -> None:
    """Of many creates with one marker one is carried out, and everybody sees its session."""
    for turn in range(ROUNDS):
        key = f"{KEY}{turn}"

        def log_in(number: int, key: str = key) -> object:
            fields = {f"s:{number}": "{}", "p:x": str(number)}
            return subject.store.create(key, fields, window=10, renew=f"s:{number}", ttl=100)

        answers = at_once(log_in)
        winner = [created for created, _ in answers].index(True)
        held = {f"s:{winner}": "{}", "p:x": str(winner)}
        assert answers == [(number == winner, held) for number in range(CROWD)]


def test_a_create_and_a_revocation_see_each_other(subject: Subject, at_once: AtOnce) -> None:
    """The later one finds what the earlier one left, so no session slips through."""
    for turn in range(ROUNDS):
        key = f"{KEY}{turn}"

        def log_in_or_revoke(number: int, key: str = key) -> object:
            if number % 2:
                return subject.store.revoke(key, mark=f"r{number}", value="1", window=10)
            return subject.store.create(key, {f"s:{number}": "1"}, window=10, renew="s:-", ttl=100)[1]

        answers = at_once(log_in_or_revoke)
        for number in range(0, CROWD, 2):
            for other in range(1, CROWD, 2):
                assert (f"r{other}" in answers[number]) != (f"s:{number}" in answers[other])


def test_every_deleted_field_is_counted_once(subject: Subject, at_once: AtOnce) -> None:
    """Whoever deletes a field is told so, and nobody else."""
    names = [f"s:{n}" for n in range(20)]
    for _ in range(ROUNDS):
        subject.store.create(KEY, dict.fromkeys(names, "1"), window=10, renew="s:-", ttl=100)
        assert sum(at_once(lambda _: subject.store.delete(KEY, *names))) == len(names)


def test_what_is_taken_is_one_takers(subject: Subject, at_once: AtOnce) -> None:
    """Of many who take a value at once one gets it, and nothing is left for later."""
    for turn in range(ROUNDS):
        subject.store.create(KEY, {"code": f"{turn}"}, window=10, renew="code", ttl=100)
        answers = at_once(lambda _: subject.store.take(KEY, "code"))
        assert sorted(answers, key=lambda answer: answer is None) == [f"{turn}", *[None] * (CROWD - 1)]
        assert subject.store.read(KEY, "code") is None


def test_a_taken_field_does_not_come_back(subject: Subject, at_once: AtOnce) -> None:
    """No renewal, look or second create that runs beside the taking undoes it."""

    def use_or_take(number: int) -> object:
        fields = {"code": "2", "used": "1"}
        uses = (
            lambda: subject.store.take(KEY, "code"),
            lambda: subject.store.renew(KEY, "code", 100),
            lambda: subject.store.show(KEY, "code", 100),
            lambda: subject.store.create(KEY, fields, window=50, renew="code", ttl=100)[0],
        )
        return uses[number % len(uses)]()

    for _ in range(ROUNDS):
        subject.store.create(KEY, {"code": "1", "used": "1"}, window=50, renew="code", ttl=100)
        answers = at_once(use_or_take)
        assert sorted([answers[0] or "", answers[4] or ""]) == ["", "1"]
        assert (answers[3], answers[7]) == (False, False)
        assert subject.store.show(KEY, "code", None) == (None, {"used": "1"})
        subject.store.delete(KEY, "used")


def test_a_deleted_field_does_not_come_back(subject: Subject, at_once: AtOnce) -> None:
    """No renewal or look that runs beside the deletion undoes it."""

    def use_or_delete(number: int) -> object:
        if number == 0:
            return subject.store.delete(KEY, "s:a")
        uses = (
            lambda: subject.store.renew(KEY, "s:a", 100),
            lambda: subject.store.show(KEY, "s:a", 100),
        )
        return uses[number % len(uses)]()

    for _ in range(ROUNDS):
        subject.store.create(KEY, {"s:a": "1"}, window=10, renew="s:a", ttl=100)
        assert at_once(use_or_delete)[0] == 1
        assert subject.store.read(KEY, "s:a") is None
