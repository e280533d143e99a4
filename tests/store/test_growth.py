"""Nothing piles up: the store holds what lives, and when all that has expired it holds nothing."""

import time
from collections.abc import Callable, Iterator

import pytest

from dev.upstash.valkey import Valkey
from lib.tgauth.errors import InvalidSession, LoginStale
from lib.tgauth.sessions import devices
from lib.tgauth.sessions.base import Session
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.store.redis import RedisStore
from lib.tgauth.telegram.login import Login, verify_login
from tests.store.deployment import DAY, Person, fields, service

STEP = 30
"""Seconds between two logins of a user: nobody gets a proof out of Telegram more often for long."""


class Timeline:
    """Sessions on a Valkey, both in a time that the test moves."""

    def __init__(self, valkey: Valkey, **env: str) -> None:
        self.valkey = valkey
        self.store = RedisStore(valkey.url)
        self.env = {"REDIS_URL": valkey.url, **env}
        self.now = valkey.now()
        self.sessions = self.instance()

    def instance(self) -> SessionService:
        """Another instance, which remembers nothing of what the first one saw."""
        return service(self.store, self.env, lambda: self.now)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.valkey.advance(seconds)

    def log_in(self, proof: object, at: SessionService | None = None) -> Session:
        """Log in with a widget's fields or with initData."""
        is_text = isinstance(proof, str)
        login = Login("bearer", init_data=proof) if isinstance(proof, str) else Login("cookie", widget=proof)  # type: ignore[arg-type]
        at = at or self.sessions
        user, verified = verify_login(login, settings=at.settings, now=self.now)
        return at.create_session(user, verified, transport="bearer" if is_text else "cookie")

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
def timeline(timed_valkey: Valkey) -> Iterator[Callable[..., Timeline]]:
    """`timeline(**env)`: sessions in a time of their own."""
    made: list[Timeline] = []

    def make(**env: str) -> Timeline:
        made.append(Timeline(timed_valkey, **env))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


# 4,000 take 33 hours: what is remembered for a day has long stopped to grow.
@pytest.mark.parametrize("logins", [300, pytest.param(4000, marks=pytest.mark.slow)])
def test_logging_in_and_out_leaves_nothing(
    timeline: Callable[..., Timeline], person: Person, logins: int, figure: Callable[[str], None]
) -> None:
    """However often a user logs in, out or just away, the hash stays small, and in the end it is gone."""
    at, most, largest = timeline(), 0, 0
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
    figure(
        f"{logins} logins of one user: at most {most} live fields ({largest} with those yet to be removed), "
        "no key after the last TTL"
    )


@pytest.mark.parametrize("rounds", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_ending_and_revoking_leaves_nothing(
    timeline: Callable[..., Timeline], person: Person, rounds: int
) -> None:
    """What is left of ended sessions and of revocations goes too, and takes the user's key with it."""
    at = timeline()
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


def test_junk_and_refused_logins_write_nothing(timeline: Callable[..., Timeline], person: Person) -> None:
    """Dead tokens and refused proofs leave the store as it was: nobody fills it from outside."""
    at = timeline()
    mine = at.log_in(person.widget(at.now))
    assert at.sessions.delete_session(mine.token)
    before = at.valkey.run("DBSIZE"), fields(at.valkey, person)
    for _ in range(20):
        elsewhere = at.instance()
        with pytest.raises(InvalidSession):
            elsewhere.refresh_session(mine.token)
        assert not elsewhere.delete_session(mine.token)
    assert (at.valkey.run("DBSIZE"), fields(at.valkey, person)) == before


@pytest.mark.parametrize("ttl", [60, 3600, 30 * DAY])
def test_ended_initdata_stays_ended_for_as_long_as_it_is_valid(
    timeline: Callable[..., Timeline], person: Person, ttl: int
) -> None:
    """Neither a short SESSION_TTL nor uses of the dead token and the initData shorten what keeps it out."""
    at = timeline(SESSION_TTL=str(ttl))
    init_data = person.init_data(at.now)
    mine, mini = at.log_in(person.widget(at.now)), at.log_in(init_data)
    assert devices.end_session(at.sessions, mine.token, mini.id)
    for seconds in (1, ttl + 1, ttl + 1):
        at.advance(min(seconds, 3601))
        elsewhere = at.instance()
        with pytest.raises(LoginStale):
            at.log_in(init_data, elsewhere)
        with pytest.raises(InvalidSession):
            elsewhere.refresh_session(mini.token)
        elsewhere.delete_session(mini.token)


def test_a_revocation_outlasts_every_older_proof(timeline: Callable[..., Timeline], person: Person) -> None:
    """Until the last of its initData has expired, no proof from before the revocation logs in."""
    at = timeline()
    init_data = person.init_data(at.now)
    devices.revoke_sessions(at.sessions, at.log_in(person.widget(at.now)).token)
    for _ in range(24):
        with pytest.raises(LoginStale):
            at.log_in(init_data, at.instance())
        at.advance(3600)
    at.advance(200)
    with pytest.raises(LoginStale):
        at.log_in(init_data, at.instance())
    assert at.emptied()


@pytest.mark.slow
def test_a_week_of_launches(timeline: Callable[..., Timeline], person: Person) -> None:
    """200 launches in a week: ten Mini Apps at most, each gone a day after its use; the website lives on."""
    at, last_used = timeline(), dict[str, float]()
    website = at.log_in(person.widget(at.now))
    for number in range(200):
        at.advance(7 * DAY // 200)
        made = at.log_in(person.init_data(at.now))
        last_used[made.id] = at.now
        if number % 28 == 27:
            at.sessions.get_session(website.token)
        listed = devices.list_sessions(at.sessions, made.token)
        minis = {device.id for device in listed if device.method == "webapp"}
        assert len(minis) <= 10
        assert all(at.now - last_used[slot] < DAY for slot in minis)
        assert website.id in {device.id for device in listed}
    at.advance(DAY + 1)
    assert [device.id for device in devices.list_sessions(at.sessions, website.token)] == [website.id]
    assert {name for name in fields(at.valkey, person) if name.startswith("s:")} == {f"s:{website.id}"}
