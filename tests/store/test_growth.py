"""Nothing piles up: the store holds what lives, and when all that has expired it holds nothing."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from dev.upstash.valkey import Valkey
from lib.tgauth.sessions import devices
from lib.tgauth.sessions.base import Session
from lib.tgauth.store.redis import RedisStore
from lib.tgauth.telegram.login import Login, verify_login
from tests.site import DAY
from tests.store.deployment import Person, fields, service

STEP = 30
"""Seconds between two logins of a user: nobody gets a proof out of Telegram more often for long."""


class Timeline:
    """Sessions on a Valkey, both in a time that the test moves."""

    def __init__(self, valkey: Valkey) -> None:
        self.valkey = valkey
        self.store = RedisStore(valkey.url)
        self.now = valkey.now()
        self.sessions = service(self.store, {"REDIS_URL": valkey.url}, lambda: self.now)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.valkey.advance(seconds)

    def log_in(self, proof: dict[str, Any] | str) -> Session:
        """Log in with a widget's fields or with initData."""
        login = Login("bearer", init_data=proof) if isinstance(proof, str) else Login("cookie", widget=proof)
        user, verified = verify_login(login, settings=self.sessions.settings, now=self.now)
        return self.sessions.create_session(user, verified, transport=login.transport)

    def live(self, person: Person) -> int:
        """How many fields of the user's hash have not expired, counted where they are: there are many."""
        number = self.valkey.run("EVAL", "return #redis.call('HKEYS', KEYS[1])", "1", person.key)
        assert isinstance(number, int)
        return number

    def size(self, person: Person) -> int:
        """How many fields the user's hash has, with those that have expired and are still to be removed."""
        length = self.valkey.run("HLEN", person.key)
        assert isinstance(length, int)
        return length

    def emptied(self, seconds: float = 20) -> bool:
        """Whether Valkey has removed everything, now or within so many (real) seconds."""
        ends_at = time.monotonic() + seconds
        while self.valkey.run("DBSIZE") != 0 and time.monotonic() < ends_at:
            self.valkey.run("PING")
        return self.valkey.run("DBSIZE") == 0


@pytest.fixture
def at(timed_valkey: Valkey) -> Iterator[Timeline]:
    """Sessions in a time of their own."""
    timeline = Timeline(timed_valkey)
    yield timeline
    timeline.store.close()


# 4,000 take 33 hours: what is remembered for a day has long stopped to grow.
@pytest.mark.parametrize("logins", [150, pytest.param(4000, marks=pytest.mark.slow)])
def test_logging_in_and_out_leaves_nothing(at: Timeline, person: Person, logins: int) -> None:
    """However often a user logs in, out or just away, the hash stays small, and in the end it is gone."""
    most = largest = 0
    # A launch that was logged out is remembered by two fields for a day: here, every fourth login.
    remembered = 2 * (min(logins, (DAY + 120) // STEP) // 4 + 1)
    for number in range(logins):
        widget = number % 3 != 0
        session = at.log_in(person.widget(at.now) if widget else person.init_data(at.now))
        # Every fourth device is lost without a logout.
        if number % 4:
            assert at.sessions.delete_session(session.token)
        at.advance(STEP)
        most, largest = max(most, at.live(person)), max(largest, at.size(person))
    # 20 sessions and 10 Mini Apps, and the markers of the last seven minutes' proofs.
    assert most <= 30 + 420 // STEP + remembered
    # What has expired is removed in real time, of which many logins here take none.
    assert largest <= 500 + remembered
    at.advance(30 * DAY + 1)
    assert at.emptied()


@pytest.mark.parametrize("rounds", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_ending_and_revoking_leaves_nothing(at: Timeline, person: Person, rounds: int) -> None:
    """What is left of ended sessions and of revocations goes too, and takes the user's key with it."""
    mine = at.log_in(person.widget(at.now))
    for number in range(rounds):
        other, mini = at.log_in(person.widget(at.now)), at.log_in(person.init_data(at.now))
        assert devices.end_session(at.sessions, mine.token, other.id)
        assert devices.end_session(at.sessions, mine.token, mini.id)
        at.log_in(person.widget(at.now))
        if number % 5 == 4:
            devices.revoke_sessions(at.sessions, mine.token, keep_current=True)
        at.advance(3600)
        # Ended initData is remembered for as long as it could log in, which is a day.
        assert len(fields(at.valkey, person)) <= 20 + 3 * 26
        # What has expired is removed in real time, of which many rounds here take none.
        assert at.size(person) <= 500
    devices.revoke_sessions(at.sessions, mine.token)
    assert not [name for name in fields(at.valkey, person) if name.startswith("s:") and name[2:] == mine.id]
    at.advance(DAY + 121)
    assert at.emptied()
