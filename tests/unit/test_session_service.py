"""SessionService: creation, reading, deletion, time to live, sweeping, refresh and stats."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from lib.tgauth.clock import DAY, HOUR
from lib.tgauth.errors import InvalidSession, LoginStale, NotAllowed, StoreUnavailable
from lib.tgauth.sessions import service as module
from lib.tgauth.sessions.base import Session
from lib.tgauth.sessions.service import SessionService, get_session_service
from lib.tgauth.settings import Settings, read_settings
from lib.tgauth.store.memory import MemoryStore
from lib.tgauth.user import Proof, TelegramUser, Transport
from tests.clock import Clock
from tests.unit.sessions.logins import WatchedStore
from tests.unit.sessions.logins import service as watched_service

ENV = {"TELEGRAM_BOT_TOKEN": "123456:token", "VERCEL_ENV": "production"}
REDIS = {"UPSTASH_REDIS_REST_URL": "https://x.upstash.io", "UPSTASH_REDIS_REST_TOKEN": "t"}
IVAN = TelegramUser(42, "Иван", "Петров", username="ivan", photo_url="https://t.me/i/userpic/320/ivan.jpg")
_counter = iter(range(10**9))


@pytest.fixture
def clock() -> Clock:
    """Time that stands still."""
    return Clock()


def service(
    clock: Clock, *, shared: bool = True, store: MemoryStore | None = None, **env: str
) -> SessionService:
    """A service on memory; `shared` treats it as the store of all instances, as Redis is."""
    settings = read_settings(ENV | (REDIS if shared else {}) | env)
    return SessionService(settings, store or MemoryStore(clock), clock)


def widget_proof(clock: Clock, text: str | None = None) -> Proof:
    """A widget's proof, a new one unless `text` is given."""
    return Proof("widget", text or f"proof {next(_counter)}", int(clock()), window=420, one_time=True)


def webapp_proof(clock: Clock, text: str = "init data") -> Proof:
    """A Mini App's proof, which is presented again."""
    return Proof("webapp", text, int(clock()), window=DAY + 120, one_time=False)


def log_in(
    sessions: SessionService, clock: Clock, user: TelegramUser = IVAN, replaces: str | None = None
) -> Session:
    """A cookie session from a widget."""
    return sessions.create_session(user, widget_proof(clock), transport="cookie", replaces=replaces)


@pytest.fixture(params=[True, False], ids=["shared", "degraded"])
def make(request: pytest.FixtureRequest, clock: Clock) -> Callable[..., SessionService]:
    """Builds a service of each mode in turn."""
    return lambda **options: service(clock, shared=request.param, **options)


Make = Callable[..., SessionService]


def test_a_created_session_is_found_by_its_token(make: Make, clock: Clock) -> None:
    """The token gives back who logged in, how and when."""
    sessions = make()
    made = log_in(sessions, clock)
    found = sessions.get_session(made.token)
    assert found == made
    assert (found.user.id, found.user.first_name, found.user.username) == (42, "Иван", "ivan")
    assert (found.method, found.transport, found.created_at) == ("widget", "cookie", int(clock()))


def test_every_login_makes_another_token(make: Make, clock: Clock) -> None:
    """Two logins of one user are two sessions with two tokens."""
    sessions = make()
    first, second = log_in(sessions, clock), log_in(sessions, clock)
    assert first.token != second.token
    assert first.id != second.id
    assert sessions.get_session(first.token).id == first.id


@pytest.mark.parametrize("token", ["", "x", "tg1_", "tg0_", "tg1_" + "A" * 56 + "." + "A" * 43])
def test_a_token_that_is_none_opens_nothing(make: Make, token: str) -> None:
    """What we did not sign is refused, and deleting it is no error."""
    sessions = make()
    with pytest.raises(InvalidSession):
        sessions.get_session(token)
    assert sessions.delete_session(token) is False


def test_a_deleted_session_is_gone(make: Make, clock: Clock) -> None:
    """After logout the token opens nothing, and a second logout is no error."""
    sessions = make()
    made, other = log_in(sessions, clock), log_in(sessions, clock)
    assert sessions.delete_session(made.token) is True
    with pytest.raises(InvalidSession):
        sessions.get_session(made.token)
    assert sessions.delete_session(made.token) is False
    assert sessions.get_session(other.token).id == other.id


def test_sessions_live_thirty_days_by_default(clock: Clock) -> None:
    """An unused session is good for 30 days and not a second more."""
    sessions = service(clock)
    made = log_in(sessions, clock)
    assert made.expires_at == int(clock()) + 30 * DAY
    clock.advance(30 * DAY - 1)
    sessions.get_session(made.token, renew=False)
    clock.advance(1)
    with pytest.raises(InvalidSession):
        sessions.get_session(made.token)


def test_use_and_refresh_slide_the_expiry(clock: Clock) -> None:
    """A session that is used or refreshed before it idles out lives on."""
    sessions = service(clock)
    made = log_in(sessions, clock)
    clock.advance(29 * DAY)
    assert sessions.get_session(made.token).expires_at == int(clock()) + 30 * DAY
    clock.advance(29 * DAY)
    refreshed = sessions.refresh_session(made.token)
    assert refreshed.expires_at == int(clock()) + 30 * DAY
    assert refreshed.created_at == made.created_at
    assert refreshed.token == made.token


def test_reading_without_renewing_changes_nothing(clock: Clock) -> None:
    """`renew=False` leaves the idle clock running."""
    sessions = service(clock, SESSION_TTL=str(HOUR))
    made = log_in(sessions, clock)
    clock.advance(HOUR - 1)
    sessions.get_session(made.token, renew=False)
    clock.advance(1)
    with pytest.raises(InvalidSession):
        sessions.get_session(made.token)


def test_use_does_not_move_the_absolute_end(clock: Clock) -> None:
    """However busy, a session ends SESSION_MAX_AGE after the login."""
    sessions = service(clock)
    made = log_in(sessions, clock)
    assert made.ends_at == int(clock()) + 90 * DAY
    for _ in range(89):
        clock.advance(DAY)
        found = sessions.refresh_session(made.token)
        assert found.ends_at == made.ends_at
        assert found.expires_at <= made.ends_at
    clock.advance(DAY - 1)
    sessions.get_session(made.token)
    clock.advance(1)
    with pytest.raises(InvalidSession):
        sessions.get_session(made.token)


def test_a_time_to_live_over_the_absolute_one_is_cut(clock: Clock) -> None:
    """SESSION_TTL never promises more than SESSION_MAX_AGE keeps."""
    sessions = service(clock, SESSION_TTL=str(10 * DAY), SESSION_MAX_AGE=str(DAY))
    assert log_in(sessions, clock).expires_at == int(clock()) + DAY


def test_expired_sessions_are_swept(clock: Clock) -> None:
    """Sessions that idled out leave the store without being asked for."""
    store = MemoryStore(clock)
    sessions = service(clock, store=store, SESSION_TTL=str(HOUR))
    for n in range(1, 101):
        log_in(sessions, clock, replace(IVAN, id=n))
    assert sessions.get_stats()["sessions"] == 100
    clock.advance(HOUR)
    assert sessions.get_stats() == {"store": "memory", "users": 0, "sessions": 0, "exact": True}


def test_stats_count_users_and_sessions(make: Make, clock: Clock) -> None:
    """Two devices of one user are one user and two sessions."""
    sessions = make()
    log_in(sessions, clock)
    log_in(sessions, clock)
    log_in(sessions, clock, replace(IVAN, id=7))
    assert sessions.get_stats() == {"store": "memory", "users": 2, "sessions": 3, "exact": True}


def test_stats_in_memory_on_vercel_are_not_exact(clock: Clock) -> None:
    """An instance there sees only its own part, and says so."""
    assert service(clock, shared=False, VERCEL="1").get_stats()["exact"] is False


def test_a_proof_logs_in_once(make: Make, clock: Clock) -> None:
    """The same widget answer does not make a second session, not even in parallel."""
    sessions = make()
    proof = widget_proof(clock)

    def attempt(_: int) -> bool:
        try:
            sessions.create_session(IVAN, proof, transport="cookie")
        except LoginStale:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(50))) == 1
    assert sessions.get_stats()["sessions"] == 1


def test_a_proof_stays_spent_after_its_session_ended(make: Make, clock: Clock) -> None:
    """Logging out does not make the widget's answer good again."""
    sessions = make()
    proof = widget_proof(clock)
    sessions.delete_session(sessions.create_session(IVAN, proof, transport="cookie").token)
    with pytest.raises(LoginStale):
        sessions.create_session(IVAN, proof, transport="cookie")


def test_init_data_leads_to_the_same_session(make: Make, clock: Clock) -> None:
    """A Mini App that reloads gets its token again, and there is one session."""
    sessions = make()
    first = sessions.create_session(IVAN, webapp_proof(clock), transport="bearer")
    clock.advance(60)
    second = sessions.create_session(IVAN, webapp_proof(clock, "init data"), transport="bearer")
    assert second.token == first.token
    assert second.created_at == first.created_at
    assert sessions.get_stats()["sessions"] == 1


def test_init_data_after_logout_is_stale(make: Make, clock: Clock) -> None:
    """Logging out of a Mini App ends its initData; the next launch brings another."""
    sessions = make()
    first = sessions.create_session(IVAN, webapp_proof(clock), transport="bearer")
    sessions.delete_session(first.token)
    clock.advance(1)
    with pytest.raises(LoginStale):
        sessions.create_session(IVAN, webapp_proof(clock), transport="bearer")
    with pytest.raises(InvalidSession):
        sessions.get_session(first.token)
    second = sessions.create_session(IVAN, webapp_proof(clock, "next launch"), transport="bearer")
    assert sessions.get_session(second.token).id == second.id


def test_init_data_for_cookie_and_bearer_are_two_sessions(make: Make, clock: Clock) -> None:
    """A token for one transport is never the token for the other."""
    sessions = make()
    tokens: set[str] = set()
    transports: tuple[Transport, ...] = ("cookie", "bearer")
    for transport in transports:
        tokens.add(sessions.create_session(IVAN, webapp_proof(clock), transport=transport).token)
    assert len(tokens) == 2


def test_init_data_outlives_a_short_absolute_lifetime(clock: Clock) -> None:
    """When its session has reached its end, the same initData starts a new one instead of failing."""
    sessions = service(clock, SESSION_MAX_AGE=str(HOUR))
    first = sessions.create_session(IVAN, webapp_proof(clock), transport="bearer")
    clock.advance(HOUR - 1)
    sessions.create_session(IVAN, webapp_proof(clock), transport="bearer")
    clock.advance(2)
    second = sessions.create_session(IVAN, webapp_proof(clock), transport="bearer")
    assert second.token != first.token
    assert sessions.get_session(second.token).created_at == int(clock())


def test_a_login_ends_the_session_it_was_presented_with(make: Make, clock: Clock) -> None:
    """Logging in again in the same browser leaves one session, the new one."""
    sessions = make()
    old = log_in(sessions, clock)
    new = log_in(sessions, clock, replaces=old.token)
    with pytest.raises(InvalidSession):
        sessions.get_session(old.token)
    assert sessions.get_session(new.token).id == new.id
    assert sessions.get_stats()["sessions"] == 1


def test_a_login_as_somebody_else_ends_the_presented_session(make: Make, clock: Clock) -> None:
    """Switching accounts in one browser ends the first account's session."""
    sessions = make()
    old = log_in(sessions, clock)
    log_in(sessions, clock, replace(IVAN, id=7), replaces=old.token)
    with pytest.raises(InvalidSession):
        sessions.get_session(old.token)


def test_a_login_does_not_end_its_own_session(make: Make, clock: Clock) -> None:
    """A Mini App that logs in again with its token at hand keeps it."""
    sessions = make()
    made = sessions.create_session(IVAN, webapp_proof(clock), transport="bearer")
    again = sessions.create_session(IVAN, webapp_proof(clock), transport="bearer", replaces=made.token)
    assert sessions.get_session(again.token).id == made.id


def test_a_planted_token_is_never_adopted(make: Make, clock: Clock) -> None:
    """What the client brings along does not become its session (fixation)."""
    sessions = make()
    made = log_in(sessions, clock, replaces="planted")
    assert made.token != "planted"


def test_the_oldest_session_over_the_limit_ends(make: Make, clock: Clock) -> None:
    """SESSION_LIMIT holds; the new session is never the one that goes."""
    sessions = make(SESSION_LIMIT="3")
    made = []
    for _ in range(5):
        made.append(log_in(sessions, clock))
        clock.advance(1)
    for session in made[:2]:
        with pytest.raises(InvalidSession):
            sessions.get_session(session.token)
    for session in made[2:]:
        assert sessions.get_session(session.token).id == session.id
    assert sessions.get_stats()["sessions"] == 3


def test_parallel_logins_of_one_user_lose_none(make: Make, clock: Clock) -> None:
    """Every one of twenty logins at once works afterwards."""
    sessions = make()
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: log_in(sessions, clock), range(20)))
    assert {sessions.get_session(session.token).id for session in made} == {s.id for s in made}


def test_deny_and_allow_keep_people_out(make: Make, clock: Clock) -> None:
    """Who is denied, or not among the allowed, cannot log in."""
    for env in ({"TELEGRAM_DENY": "42"}, {"TELEGRAM_ALLOW": "7,8"}):
        with pytest.raises(NotAllowed):
            log_in(make(**env), clock)


def test_deny_ends_live_sessions_and_logout_still_works(make: Make, clock: Clock) -> None:
    """A user denied later is out at once, and what they log out of stays ended when let in again."""
    store = MemoryStore(clock)
    made = log_in(make(store=store), clock)
    denying = make(store=store, TELEGRAM_DENY="42")
    with pytest.raises(InvalidSession):
        denying.get_session(made.token)
    assert denying.delete_session(made.token) is True


def test_tokens_of_other_environments_bots_and_modes_are_refused(clock: Clock) -> None:
    """What is signed for one deployment's environment, bot or store mode opens nothing in another."""
    secret = {"AUTH_SECRET": "s" * 32}
    store = MemoryStore(clock)
    token = log_in(service(clock, store=store, **secret), clock).token
    others = [
        service(clock, store=store, **secret, VERCEL_ENV="preview"),
        service(clock, store=store, **secret, TELEGRAM_BOT_TOKEN="7:token"),
        service(clock, store=store, AUTH_SECRET="o" * 32),
        service(clock, store=store, shared=False, **secret),
    ]
    for other in others:
        with pytest.raises(InvalidSession, match="not signed"):
            other.get_session(token)
    degraded = log_in(service(clock, shared=False, **secret), clock).token
    with pytest.raises(InvalidSession, match="not signed"):
        service(clock, **secret).get_session(degraded)


def test_rotation_keeps_old_tokens_and_signs_with_the_new_key(make: Make, clock: Clock) -> None:
    """A secret put in front signs; the one behind still verifies until it is dropped."""
    old, new = "o" * 32, "n" * 32
    store = MemoryStore(clock)
    before = log_in(make(store=store, AUTH_SECRET=old), clock)
    both = make(store=store, AUTH_SECRET=f"{new},{old}")
    after = log_in(both, clock)
    assert both.get_session(before.token).id == before.id
    only_new = make(store=store, AUTH_SECRET=new)
    assert only_new.get_session(after.token).id == after.id
    with pytest.raises(InvalidSession):
        only_new.get_session(before.token)


def test_rotation_does_not_end_the_session_that_logs_in_again(clock: Clock) -> None:
    """A presented token under the old key is recognised as this very session."""
    store = MemoryStore(clock)
    old, new = "o" * 32, "n" * 32
    first = log_in(service(clock, store=store, AUTH_SECRET=old), clock)
    rotated = service(clock, store=store, AUTH_SECRET=f"{new},{old}")
    second = log_in(rotated, clock, replaces=first.token)
    assert rotated.get_session(second.token).id == second.id
    with pytest.raises(InvalidSession):
        rotated.get_session(first.token)


def test_a_token_from_the_future_is_refused(make: Make, clock: Clock) -> None:
    """A negative age is no age: a clock far behind refuses instead of extending."""
    sessions = make()
    made = log_in(sessions, clock)
    clock.advance(-61)
    with pytest.raises(InvalidSession, match="future"):
        sessions.get_session(made.token)
    clock.advance(1)
    sessions.get_session(made.token)


def test_a_dump_of_the_store_makes_no_token(clock: Clock) -> None:
    """The store holds neither a token nor a signature, and a record without its `n` opens nothing."""
    store = MemoryStore(clock)
    sessions = service(clock, store=store)
    made = log_in(sessions, clock)
    dump = repr(store._keys)
    assert made.token not in dump
    assert made.token.rpartition(".")[2] not in dump
    key, field = f"tgauth:production:123456:u:{IVAN.id}", f"s:{made.id}"
    value = re.sub(r'"n":".{22}', '"n":"' + "x" * 22, store.read(key, field) or "")
    store.delete(key, field)
    store.create(key, {field: value}, window=100, renew=field, ttl=100)
    with pytest.raises(InvalidSession, match="superseded"):
        sessions.get_session(made.token)


def test_a_damaged_record_is_no_session_and_blocks_no_login(clock: Clock) -> None:
    """What is no record logs nobody in, and the user can still log in again."""
    store = MemoryStore(clock)
    sessions = service(clock, store=store)
    made = log_in(sessions, clock)
    key, field = f"tgauth:production:123456:u:{IVAN.id}", f"s:{made.id}"
    store.delete(key, field)
    store.create(key, {field: "garbage"}, window=100, renew=field, ttl=100)
    with pytest.raises(InvalidSession):
        sessions.get_session(made.token)
    assert sessions.get_session(log_in(sessions, clock).token)


class LosingStore(MemoryStore):
    """A store that says a session was created and does not show it."""

    def create(self, *_: object, **__: object) -> tuple[bool, dict[str, str]]:
        """Lose it."""
        return True, {}


def test_a_session_that_is_not_in_the_store_is_not_given_out(clock: Clock) -> None:
    """No token leaves for a session that the store does not show."""
    with pytest.raises(StoreUnavailable):
        log_in(service(clock, store=LosingStore(clock)), clock)


def test_degraded_sessions_are_known_to_other_instances(clock: Clock) -> None:
    """Without a store, an instance that never saw the login accepts its token, and so does one restarted."""
    made = log_in(service(clock, shared=False), clock)
    other = service(clock, shared=False)
    assert other.get_session(made.token, renew=False).user.first_name == "Иван"
    assert other.get_session(made.token).id == made.id
    assert other.get_stats()["sessions"] == 1


def test_degraded_sessions_end_after_a_day(clock: Clock) -> None:
    """A token that cannot be revoked everywhere does not live long, however much it is used."""
    sessions = service(clock, shared=False)
    made = log_in(sessions, clock)
    assert made.ends_at == made.expires_at == int(clock()) + DAY
    clock.advance(DAY - 1)
    sessions.refresh_session(made.token)
    clock.advance(1)
    with pytest.raises(InvalidSession):
        sessions.get_session(made.token)


def test_degraded_logout_holds_in_its_instance_only(clock: Clock) -> None:
    """The instance that logged out refuses the token; another one cannot know, and README says so."""
    first, second = service(clock, shared=False), service(clock, shared=False)
    made = log_in(first, clock)
    first.delete_session(made.token)
    with pytest.raises(InvalidSession, match="ended"):
        first.get_session(made.token)
    assert second.get_session(made.token).id == made.id


def test_degraded_logout_holds_where_the_session_was_never_seen(clock: Clock) -> None:
    """On Vercel, logout runs in an instance of its own: it must refuse the token from then on."""
    made = log_in(service(clock, shared=False), clock)
    other = service(clock, shared=False)
    other.delete_session(made.token)
    with pytest.raises(InvalidSession, match="ended"):
        other.get_session(made.token)


def test_degraded_presented_session_ends_where_it_was_never_seen(clock: Clock) -> None:
    """A login ends the presented session also when another instance made that."""
    old = log_in(service(clock, shared=False), clock)
    other = service(clock, shared=False)
    log_in(other, clock, replaces=old.token)
    with pytest.raises(InvalidSession, match="ended"):
        other.get_session(old.token)


def test_degraded_sessions_survive_eviction_from_memory(clock: Clock) -> None:
    """When memory is full the token brings its session back: nobody is logged out for lack of room."""
    sessions = service(clock, shared=False, store=MemoryStore(clock, max_keys=1))
    made = log_in(sessions, clock)
    log_in(sessions, clock, replace(IVAN, id=7))
    assert sessions.get_session(made.token).id == made.id


def test_degraded_init_data_on_two_instances_works_on_both(clock: Clock) -> None:
    """A Mini App that reached two instances has two tokens, and each works on each."""
    first, second = service(clock, shared=False), service(clock, shared=False)
    tokens = [
        sessions.create_session(IVAN, webapp_proof(clock), transport="bearer").token
        for sessions in (first, second)
    ]
    for _ in range(2):
        for token in tokens:
            assert first.get_session(token).user.id == IVAN.id
            assert second.get_session(token).user.id == IVAN.id


def test_the_service_of_a_process_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Threads that ask at once get the same service, and the choice of store is logged once."""
    settings: Settings = read_settings(ENV)
    monkeypatch.setattr(module, "_service", None)
    monkeypatch.setattr(module, "get_settings", lambda: settings)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: get_session_service(), range(50)))
    assert len({id(sessions) for sessions in found}) == 1
    assert capsys.readouterr().out.count("Sessions are kept in memory (Redis is not configured)") == 1


def lagging(clock: Clock, **env: str) -> tuple[SessionService, WatchedStore, dict[str, str | None]]:
    """A service that reads from a replica, whose answers are in the dict, by field, where they differ."""
    store, behind = WatchedStore(clock), dict[str, str | None]()
    primary = store.memory.read
    store.memory.read = lambda key, field: behind.get(field, primary(key, field))  # type: ignore[method-assign]
    return watched_service(clock, store, SESSION_READ="replica", **env), store, behind


def test_reading_from_a_replica_slides_nothing(clock: Clock) -> None:
    """With SESSION_READ=replica a session is one HGET, and only a refresh renews it."""
    sessions, store, _ = lagging(clock)
    made = log_in(sessions, clock)
    before = store.ends()
    clock.advance(100)
    store.calls.clear()
    assert sessions.get_session(made.token).id == made.id
    assert (store.calls, store.ends()) == (["read"], before)
    sessions.refresh_session(made.token)
    assert store.calls == ["read", "renew"]
    assert store.ends()[f"s:{made.id}"] == clock() + 30 * DAY


@pytest.mark.parametrize("text", [None, "garbage", "x"])
def test_a_replicas_miss_is_confirmed_by_the_primary(clock: Clock, text: str | None) -> None:
    """A replica that lags logs nobody out: what it does not know, the primary is asked for."""
    sessions, store, behind = lagging(clock)
    made = log_in(sessions, clock)
    behind[f"s:{made.id}"] = text
    store.calls.clear()
    assert sessions.get_session(made.token).id == made.id
    assert store.calls == ["read", "renew"]
    sessions.delete_session(made.token)
    other = watched_service(clock, store, SESSION_READ="replica")
    store.calls.clear()
    for _ in range(3):
        with pytest.raises(InvalidSession):
            other.get_session(made.token)
    assert store.calls == ["read", "renew"]


def test_a_replicas_older_record_is_confirmed_by_the_primary(clock: Clock) -> None:
    """A record that the replica still has from an earlier session of the same initData is not the answer."""
    sessions, store, behind = lagging(clock)
    dead = sessions.create_session(IVAN, webapp_proof(clock), transport="bearer")
    behind[f"s:{dead.id}"] = store.fields()[f"s:{dead.id}"]
    sessions.create_session(IVAN, webapp_proof(clock, "other"), transport="bearer", replaces=dead.token)
    made = sessions.create_session(IVAN, webapp_proof(clock), transport="bearer")
    assert sessions.get_session(made.token).token == made.token
    with pytest.raises(InvalidSession):
        sessions.get_session(dead.token)


def test_gone_tokens_are_remembered_for_a_minute(clock: Clock) -> None:
    """What the primary said is gone costs nothing for 60 seconds, and is asked for again after them."""
    store = WatchedStore(clock)
    sessions = watched_service(clock, store)
    made = log_in(sessions, clock)
    watched_service(clock, store).delete_session(made.token)
    store.calls.clear()
    for seconds in (0, 30, 29):
        clock.advance(seconds)
        with pytest.raises(InvalidSession):
            sessions.get_session(made.token)
    assert store.calls == ["renew"]
    assert sessions.delete_session(made.token) is False
    assert store.calls == ["renew"]
    clock.advance(1)
    with pytest.raises(InvalidSession):
        sessions.get_session(made.token)
    assert store.calls == ["renew", "renew"]


def test_a_failing_store_is_not_remembered(clock: Clock) -> None:
    """An error says nothing of the token: the next request asks again."""
    store = WatchedStore(clock)
    sessions = watched_service(clock, store)
    made = log_in(sessions, clock)

    def fail() -> None:
        raise StoreUnavailable("down")

    for operation, act in (("renew", sessions.get_session), ("delete", sessions.delete_session)):
        store.before[operation] = fail
        with pytest.raises(StoreUnavailable):
            act(made.token)
        assert sessions.get_session(made.token).id == made.id


def test_a_logout_while_a_session_is_taken_in(clock: Clock) -> None:
    """Without a shared store, a logout that comes while another thread takes the session in is final."""
    made = log_in(service(clock, shared=False), clock)
    store = WatchedStore(clock)
    sessions = watched_service(clock, store, shared=False)
    store.before["create"] = lambda: sessions.delete_session(made.token)
    with pytest.raises(InvalidSession):
        sessions.get_session(made.token)
    assert store.slots() == set()
    with pytest.raises(InvalidSession):
        sessions.get_session(made.token)


def test_without_a_shared_store_what_was_ended_stays_ended(clock: Clock) -> None:
    """A token that was logged out is refused until it would end by itself, by requests that only read too."""
    sessions = service(clock, shared=False)
    made = log_in(sessions, clock)
    assert sessions.delete_session(made.token) is True
    for _ in range(23):
        clock.advance(HOUR)
        assert sessions.delete_session(made.token) is False
        for renew in (True, False):
            with pytest.raises(InvalidSession):
                sessions.get_session(made.token, renew=renew)
