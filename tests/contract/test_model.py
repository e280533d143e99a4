"""Any sequence of operations, with time passing, does to every store what it does to a plain dict."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from lib.tgauth.store.base import Count, Store
from tests.contract.conftest import Subject

PREFIX = "u:"

keys = st.sampled_from([f"{PREFIX}1", f"{PREFIX}11", "other:1"])
fields = st.sampled_from(["s:a", "s:b", "p:a", "p:b", "r"])
names = st.lists(fields, max_size=4)
values = st.text("01é🐎\n\0", max_size=3)
seconds = st.integers(1, 60)
# Never near a whole number in sum, so that nothing is looked at in the very moment in which it expires.
passing = st.integers(0, 70).map(lambda whole: whole + 0.015)
STEPS = 50


class Model(RuleBasedStateMachine):
    """The oracle: `held` has value and expiry of every field that was set, `now` is in seconds."""

    def __init__(self, store: Store, advance: Callable[[float], None]) -> None:
        super().__init__()
        self.store = store
        self.advance = advance
        self.now = 0.0
        self.held: dict[str, dict[str, tuple[str, float]]] = {}

    def live(self, key: str) -> dict[str, str]:
        """What a key holds now."""
        return {name: value for name, (value, ends) in self.held.get(key, {}).items() if ends > self.now}

    def put(self, key: str, name: str, value: str, ttl: int) -> None:
        """Set a field as the store should."""
        self.held.setdefault(key, {})[name] = (value, self.now + ttl)

    def touch(self, key: str, name: str, ttl: int) -> str | None:
        """Renew a field as the store should."""
        value = self.live(key).get(name)
        if value is not None:
            self.put(key, name, value, ttl)
        return value

    @rule(
        key=keys,
        new=st.dictionaries(fields, values, min_size=1, max_size=3),
        window=seconds,
        renew=fields,
        ttl=seconds,
    )
    def create(self, key: str, new: dict[str, str], window: int, renew: str, ttl: int) -> None:
        """All or none of the fields are set, and one is renewed in any case."""
        created = not (new.keys() & self.live(key).keys())
        if created:
            for name, value in new.items():
                self.put(key, name, value, window)
        self.touch(key, renew, ttl)
        assert self.store.create(key, new, window=window, renew=renew, ttl=ttl) == (created, self.live(key))

    @rule(key=keys, field=fields, ttl=seconds)
    def renew(self, key: str, field: str, ttl: int) -> None:
        """What is there lives on."""
        assert self.store.renew(key, field, ttl) == self.touch(key, field, ttl)

    @rule(key=keys, field=fields)
    def read(self, key: str, field: str) -> None:
        """What is there is answered."""
        assert self.store.read(key, field) == self.live(key).get(field)

    @rule(key=keys, field=fields, other=fields, value=values, ttl=seconds)
    def put_both(self, key: str, field: str, other: str, value: str, ttl: int) -> None:
        """What is there or not gets this value."""
        for name in (field, other):
            self.put(key, name, value, ttl)
        self.store.put(key, {field: value, other: value}, ttl)

    @rule(key=keys, field=fields)
    def take(self, key: str, field: str) -> None:
        """What is there is answered, and goes."""
        assert self.store.take(key, field) == self.live(key).get(field)
        self.held.get(key, {}).pop(field, None)

    @rule(key=keys, doomed=st.lists(fields, min_size=1, max_size=4))
    def delete(self, key: str, doomed: list[str]) -> None:
        """What is there goes, and is counted once."""
        assert self.store.delete(key, *doomed) == len(self.live(key).keys() & set(doomed))
        for name in doomed:
            self.held.get(key, {}).pop(name, None)

    @rule(key=keys, field=fields, ttl=st.none() | seconds)
    def show(self, key: str, field: str, ttl: int | None) -> None:
        """One field is renewed if it is asked for, all are answered."""
        value = self.live(key).get(field) if ttl is None else self.touch(key, field, ttl)
        assert self.store.show(key, field, ttl) == (value, self.live(key))

    @rule(key=keys, asked=st.lists(fields, min_size=1, max_size=4))
    def remaining(self, key: str, asked: list[str]) -> None:
        """The seconds left, to the nearest or the next whole one."""
        for name, left in zip(asked, self.store.remaining(key, *asked), strict=True):
            if name in self.live(key):
                assert left == pytest.approx(self.held[key][name][1] - self.now, abs=1)
                assert left >= 0
            else:
                assert left < 0

    @rule(key=keys, doomed=names, mark=fields, value=values, window=seconds)
    def revoke(self, key: str, doomed: list[str], mark: str, value: str, window: int) -> None:
        """The mark is set first, then the fields go."""
        self.put(key, mark, value, window)
        for name in doomed:
            self.held[key].pop(name, None)
        assert self.store.revoke(key, *doomed, mark=mark, value=value, window=window) == self.live(key)

    @rule()
    def count(self) -> None:
        """Live sessions count, and users who have one."""
        users = [self.live(key) for key in self.held if key.startswith(PREFIX)]
        found = [
            sum(name.startswith("s:") and f"x:{name[2:]}" not in held for name in held) for held in users
        ]
        expected = Count(users=sum(map(bool, found)), sessions=sum(found), exact=True)
        assert self.store.count(PREFIX, "s:", "x:") == expected

    @rule()
    def check(self) -> None:
        """The store works."""
        self.store.check("k")

    @rule(elapsed=passing)
    @precondition(lambda self: self.held)
    def pass_time(self, elapsed: float) -> None:
        """Fields come to their end."""
        self.advance(elapsed)
        self.now += elapsed


def run(subject: Subject, **sizes: Any) -> None:
    """Run the machine on the subject, without data at first."""
    suppressed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    run_state_machine_as_test(
        lambda: Model(subject.fresh(), subject.advance),
        settings=settings(deadline=None, suppress_health_check=suppressed, **sizes),
    )


def test_every_store_does_as_a_dict(subject: Subject) -> None:
    """Short sequences, as many as there is time for at every run."""
    run(subject, max_examples=20, stateful_step_count=STEPS // 2)


@pytest.mark.slow
def test_every_store_does_as_a_dict_for_long(subject: Subject) -> None:
    """Longer sequences, and many more of them."""
    run(subject, max_examples=100, stateful_step_count=STEPS)
