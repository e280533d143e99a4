"""Where somebody is logged in, and ending that from one of their devices (lib/tgauth/sessions/devices.py)."""

import contextlib
from collections.abc import Callable

import pytest

from lib.tgauth.clock import DAY, HOUR
from lib.tgauth.errors import InvalidSession, LoginStale, SharedStoreRequired, StoreUnavailable
from lib.tgauth.sessions import devices
from lib.tgauth.sessions.base import Session
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.store.base import StoreFull
from lib.tgauth.user import Proof, Transport
from tests.clock import Clock
from tests.unit.sessions.logins import (
    KEY,
    NEW,
    OLD,
    OLGA,
    WatchedStore,
    down,
    init_data,
    log_in,
    service,
    widget,
)


def alive(sessions: SessionService, *made: Session) -> list[bool]:
    """Which of these sessions another instance would let in, without changing them."""
    fresh = SessionService(sessions.settings, sessions.store, sessions.now)

    def works(token: str) -> bool:
        try:
            fresh.get_session(token, renew=False)
        except InvalidSession:
            return False
        return True

    return [works(session.token) for session in made]


def test_what_stands_beside_its_mark_is_left_over(
    clock: Clock, store: WatchedStore, sessions: SessionService
) -> None:
    """A record that a repeat of ended initData left behind is in no list, and takes nobody's place."""
    limited = service(clock, store, MINI_APP_LIMIT="1")
    proof = init_data(clock)
    ended = log_in(sessions, clock, proof, transport="bearer")
    record = store.fields()[f"s:{ended.id}"]
    sessions.delete_session(ended.token)
    live = log_in(limited, clock, init_data(clock), transport="bearer")
    store.memory.put(KEY, {f"s:{ended.id}": record}, HOUR)
    assert [device.id for device in devices.list_sessions(sessions, live.token)] == [live.id]
    with pytest.raises(LoginStale):
        log_in(service(clock, store, MINI_APP_LIMIT="1"), clock, proof, transport="bearer")
    assert alive(sessions, live) == [True]


@pytest.mark.parametrize("name", ["", "x", "é" * 16, "a" * 15, "a" * 17, "a" * 16 + "\n"], ids=ascii)
def test_what_is_not_a_slot_is_not_a_session(
    clock: Clock, store: WatchedStore, sessions: SessionService, name: str
) -> None:
    """A field that somebody put into the user's hash under another kind of name disturbs nothing."""
    session = log_in(sessions, clock)
    store.memory.put(KEY, {f"s:{name}": store.fields()[f"s:{session.id}"]}, HOUR)
    assert [device.id for device in devices.list_sessions(sessions, session.token)] == [session.id]
    log_in(sessions, clock, init_data(clock), transport="bearer")
    assert alive(sessions, session) == [True]


ACTIONS: dict[str, Callable[[SessionService, str], object]] = {
    "list": lambda s, token: devices.list_sessions(s, token, "cookie"),
    "end": lambda s, token: devices.end_session(s, token, "A" * 16, "cookie"),
    "end initData's": lambda s, token: devices.end_session(s, token, "z" * 16, "cookie"),
    "revoke all": lambda s, token: devices.revoke_sessions(s, token, "cookie"),
    "revoke others": lambda s, token: devices.revoke_sessions(s, token, "cookie", keep_current=True),
}
EACH = pytest.mark.parametrize("act", ACTIONS.values(), ids=ACTIONS)


@EACH
def test_a_token_that_was_logged_out_does_nothing(
    clock: Clock, store: WatchedStore, act: Callable[[SessionService, str], object]
) -> None:
    """What is ended cannot list or end others, neither where it was logged out nor elsewhere."""
    here, elsewhere = service(clock, store), service(clock, store)
    other, made = log_in(here, clock), log_in(here, clock)
    here.delete_session(made.token)
    before = store.fields()
    for sessions in (here, elsewhere):
        with pytest.raises(InvalidSession):
            act(sessions, made.token)
    assert store.fields() == before
    assert alive(here, other) == [True]


@EACH
def test_a_superseded_token_does_nothing(
    clock: Clock, store: WatchedStore, act: Callable[[SessionService, str], object]
) -> None:
    """The slot may be live again with another `n`: the dead token of the same initData is still nobody's."""
    sessions = service(clock, store)
    proof = init_data(clock)
    dead = log_in(sessions, clock, proof)
    log_in(sessions, clock, replaces=dead.token)
    made = log_in(sessions, clock, proof)
    assert made.id == dead.id
    before = store.fields()
    with pytest.raises(InvalidSession):
        act(service(clock, store), dead.token)
    assert store.fields() == before
    assert alive(sessions, made) == [True]


@EACH
def test_junk_costs_nothing(
    clock: Clock, sessions: SessionService, act: Callable[[SessionService, str], object], store: WatchedStore
) -> None:
    """Forged, foreign and misdirected tokens are refused without asking the store."""
    foreign = log_in(service(clock, AUTH_SECRET=OLD), clock).token
    bearer = log_in(sessions, clock, transport="bearer").token
    degraded = log_in(service(clock, shared=False), clock).token
    store.calls.clear()
    for token in ("", "x", foreign, bearer, degraded, bearer[:-1] + ("A" if bearer[-1] != "A" else "E")):
        with pytest.raises(InvalidSession):
            act(sessions, token)
    assert store.calls == []


@EACH
def test_an_expired_session_does_nothing(
    clock: Clock, store: WatchedStore, act: Callable[[SessionService, str], object]
) -> None:
    """Idled out, past its absolute end, or its user kept out: the same refusal."""
    made = log_in(service(clock, store, SESSION_TTL=str(HOUR)), clock)
    with pytest.raises(InvalidSession):
        act(service(clock, store, TELEGRAM_DENY="42"), made.token)
    clock.advance(HOUR)
    with pytest.raises(InvalidSession):
        act(service(clock, store), made.token)
    made = log_in(service(clock, store), clock)
    clock.advance(HOUR)
    with pytest.raises(InvalidSession):
        act(service(clock, store, SESSION_MAX_AGE=str(HOUR)), made.token)


@EACH
def test_a_store_that_fails_is_said_to(
    clock: Clock,
    sessions: SessionService,
    store: WatchedStore,
    act: Callable[[SessionService, str], object],
) -> None:
    """Wherever the store fails it is StoreUnavailable, and the caller's own session still works."""
    made = log_in(sessions, clock)
    for operation in ("show", "renew", "remaining", "revoke", "put", "delete"):
        store.before = {operation: down}
        store.calls.clear()
        try:
            act(sessions, made.token)
        except StoreUnavailable:
            assert operation in store.calls
            assert sessions.get_session(made.token, renew=False).id == made.id
        else:
            assert operation not in store.calls
            clock.advance(1)
            made = log_in(sessions, clock)


def test_own_session_cannot_be_ended_halfway(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """When the store fails while one's own session ends, nobody was logged out, and it can be tried again."""
    made = log_in(sessions, clock)
    store.before["delete"] = down
    with pytest.raises(StoreUnavailable):
        devices.end_session(sessions, made.token, made.id)
    assert sessions.get_session(made.token).id == made.id
    assert devices.end_session(sessions, made.token, made.id) is True


def test_what_a_list_shows(clock: Clock, sessions: SessionService) -> None:
    """Every session of the user with how, where and when it began, newest first, and the caller's own."""
    start = int(clock())
    first = log_in(sessions, clock, user_agent="Firefox/1", country="DE")
    clock.advance(100)
    second = log_in(sessions, clock, init_data(clock), transport="bearer", user_agent="x" * 500)
    clock.advance(100)
    third = log_in(sessions, clock)
    log_in(sessions, clock, user=OLGA)
    listed = devices.list_sessions(sessions, second.token, "bearer")
    assert [device.id for device in listed] == [third.id, second.id, first.id]
    assert [device.created_at for device in listed] == [start + 200, start + 100, start]
    assert [device.method for device in listed] == ["widget", "webapp", "widget"]
    assert [device.user_agent for device in listed] == ["", "x" * 200, "Firefox/1"]
    assert [device.country for device in listed] == ["", "", "DE"]
    assert [device.current for device in listed] == [False, True, False]


def test_last_seen_and_expires_at(clock: Clock, sessions: SessionService) -> None:
    """Last use is told from what is left of SESSION_TTL; the end is 30 days after it."""
    start = int(clock())
    unused, used = log_in(sessions, clock), log_in(sessions, clock)
    clock.advance(1000)
    sessions.get_session(used.token)
    clock.advance(500)
    mine = log_in(sessions, clock)
    clock.advance(7)
    listed = {device.id: device for device in devices.list_sessions(sessions, mine.token)}
    seen = {slot: device.last_seen for slot, device in listed.items()}
    assert seen == {unused.id: start, used.id: start + 1000, mine.id: start + 1507}
    assert {slot: device.expires_at - seen[slot] for slot, device in listed.items()} == dict.fromkeys(
        seen, 30 * DAY
    )


def test_fractions_of_a_second_do_not_show(clock: Clock, sessions: SessionService) -> None:
    """Whatever the clock's fraction, nobody was last seen in the future or before the login."""
    clock.advance(0.9)
    made = log_in(sessions, clock)
    for _ in range(20):
        clock.advance(0.35)
        (device,) = devices.list_sessions(sessions, made.token)
        assert made.created_at <= device.last_seen <= int(clock())
        assert abs(device.last_seen - clock()) < 2


def test_the_end_is_never_past_the_absolute_one(clock: Clock, store: WatchedStore) -> None:
    """Late in a session's life, its end is the absolute one."""
    sessions = service(clock, store, SESSION_TTL=str(30 * DAY), SESSION_MAX_AGE=str(40 * DAY))
    made = log_in(sessions, clock)
    clock.advance(20 * DAY)
    (device,) = devices.list_sessions(sessions, made.token)
    assert device.expires_at == made.created_at + 40 * DAY


def test_last_seen_late_in_a_sessions_life(clock: Clock, store: WatchedStore) -> None:
    """Who uses a session every day was seen today, also in the last weeks before its absolute end."""
    sessions = service(clock, store, SESSION_TTL=str(30 * DAY), SESSION_MAX_AGE=str(40 * DAY))
    used = log_in(sessions, clock)
    for _ in range(25):
        clock.advance(DAY)
        sessions.get_session(used.token)
    clock.advance(100)
    mine = log_in(sessions, clock)
    listed = {device.id: device.last_seen for device in devices.list_sessions(sessions, mine.token)}
    assert listed[used.id] == used.created_at + 25 * DAY
    assert listed[mine.id] == int(clock())


def test_listing_is_use(clock: Clock, sessions: SessionService, store: WatchedStore) -> None:
    """A list renews the caller's own session and no other, in two round trips."""
    other, mine = log_in(sessions, clock), log_in(sessions, clock)
    before = store.ends()
    clock.advance(100)
    store.calls.clear()
    devices.list_sessions(sessions, mine.token)
    assert store.calls == ["show", "remaining"]
    after = store.ends()
    assert after[f"s:{mine.id}"] == before[f"s:{mine.id}"] + 100
    assert after[f"s:{other.id}"] == before[f"s:{other.id}"]


def test_what_is_over_is_not_listed(clock: Clock, store: WatchedStore) -> None:
    """Idled out, ended, past the absolute end, or no record at all: not a session, not in the list."""
    sessions = service(clock, store, SESSION_TTL=str(10 * DAY), SESSION_MAX_AGE=str(30 * DAY))
    idle, ended = log_in(sessions, clock), log_in(sessions, clock, init_data(clock))
    old = log_in(sessions, clock)
    for _ in range(4):
        clock.advance(7 * DAY)
        sessions.get_session(old.token)
    mine = log_in(sessions, clock)
    assert [device.id for device in devices.list_sessions(sessions, mine.token)] == [mine.id, old.id]
    again = log_in(sessions, clock, init_data(clock), transport="bearer")
    devices.end_session(sessions, mine.token, again.id)
    store.memory.create(KEY, {"s:" + "B" * 16: "garbage"}, window=100, renew="", ttl=1)
    past = {f"s:{old.id}": store.fields()[f"s:{old.id}"]}
    clock.advance(2 * DAY)
    store.memory.create(KEY, past, window=DAY, renew="", ttl=1)
    assert [device.id for device in devices.list_sessions(sessions, mine.token)] == [mine.id]
    assert alive(sessions, idle, ended, old, again) == [False] * 4


def test_a_session_without_a_time_left_is_listed(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """What the primary held a moment ago is listed as unused, where nothing says how long it has left."""
    start = int(clock())
    other, mine = log_in(sessions, clock), log_in(sessions, clock)
    clock.advance(100)
    sessions.get_session(other.token)
    store.before["remaining"] = lambda: service(clock, store).delete_session(other.token)
    listed = {device.id: device for device in devices.list_sessions(sessions, mine.token)}
    assert (listed[mine.id].last_seen, listed[mine.id].expires_at) == (start + 100, start + 100 + 30 * DAY)
    assert (listed[other.id].last_seen, listed[other.id].expires_at) == (start, start + 30 * DAY)


def test_a_list_without_a_shared_store(clock: Clock) -> None:
    """In memory the list has what this instance has seen, the caller's session always among it."""
    sessions = service(clock, shared=False)
    seen = log_in(sessions, clock)
    clock.advance(10)
    elsewhere = log_in(service(clock, shared=False), clock)
    clock.advance(10)
    listed = devices.list_sessions(sessions, elsewhere.token)
    assert [(device.id, device.current) for device in listed] == [(elsewhere.id, True), (seen.id, False)]
    assert {device.expires_at for device in listed} == {seen.created_at + DAY, elsewhere.created_at + DAY}


def test_last_seen_without_a_shared_store(clock: Clock) -> None:
    """In memory too, last_seen is the last use, and not the login."""
    sessions = service(clock, shared=False)
    made = log_in(sessions, clock)
    clock.advance(100)
    (device,) = devices.list_sessions(sessions, made.token)
    assert device.last_seen == made.created_at + 100


def test_ending_another_session(clock: Clock, sessions: SessionService, store: WatchedStore) -> None:
    """One session ends at once everywhere, the others live on; a second time there is nothing to end."""
    one, two, mine = log_in(sessions, clock), log_in(sessions, clock), log_in(sessions, clock)
    store.calls.clear()
    assert devices.end_session(sessions, mine.token, one.id) is True
    assert store.calls == ["show", "delete"]
    assert alive(sessions, one, two, mine) == [False, True, True]
    assert devices.end_session(sessions, mine.token, one.id) is False


def test_ending_ones_own_session(clock: Clock, sessions: SessionService, store: WatchedStore) -> None:
    """Ending the session that asks is a logout: gone everywhere, and known here without asking."""
    for proof in (widget(clock), init_data(clock)):
        mine, other = log_in(sessions, clock, proof), log_in(sessions, clock)
        assert devices.end_session(sessions, mine.token, mine.id) is True
        store.calls.clear()
        with pytest.raises(InvalidSession):
            sessions.get_session(mine.token)
        assert store.calls == []
        assert alive(sessions, mine, other) == [False, True]


LOGOUTS: dict[str, Callable[[SessionService, Session], object]] = {
    "logout": lambda sessions, made: sessions.delete_session(made.token),
    "own id": lambda sessions, made: devices.end_session(sessions, made.token, made.id),
    "all": lambda sessions, made: devices.revoke_sessions(sessions, made.token),
}


@pytest.mark.parametrize("transport", ["bearer", "cookie"])
@pytest.mark.parametrize("end", LOGOUTS.values(), ids=LOGOUTS)
def test_logging_out_ends_the_init_data(
    clock: Clock, store: WatchedStore, end: Callable[[SessionService, Session], object], transport: Transport
) -> None:
    """Whichever way a Mini App logs itself out, its initData opens nothing more, in any instance."""
    proof = init_data(clock)
    sessions = service(clock, store)
    mine = log_in(sessions, clock, proof, transport=transport)
    assert end(sessions, mine) is not False
    for instance in (sessions, service(clock, store)):
        with pytest.raises(LoginStale):
            log_in(instance, clock, proof, transport=transport)
    assert alive(sessions, mine) == [False]
    stays_ended(clock, store, proof)
    assert log_in(sessions, clock, init_data(clock), transport=transport).id != mine.id


def test_logging_out_of_a_mini_app_is_one_command(clock: Clock, store: WatchedStore) -> None:
    """The session and its initData end at once, and the instance that ended them asks no more."""
    sessions = service(clock, store)
    mine = log_in(sessions, clock, init_data(clock), transport="bearer")
    store.calls.clear()
    assert sessions.delete_session(mine.token) is True
    assert sessions.delete_session(mine.token) is False
    assert store.calls == ["put"]


@pytest.mark.parametrize("how", ["superseded", "idle", "refused before"])
def test_any_token_of_a_launch_logs_it_out(clock: Clock, store: WatchedStore, how: str) -> None:
    """A token whose own session is gone ends the launch, and what the same initData has made since."""
    proof = init_data(clock)
    sessions = service(clock, store)
    old = log_in(sessions, clock, proof, transport="bearer")
    if how == "idle":
        store.memory.delete(KEY, f"s:{old.id}")
    else:
        log_in(sessions, clock, init_data(clock), transport="bearer", replaces=old.token)
    if how == "refused before":
        with pytest.raises(InvalidSession):
            sessions.get_session(old.token)
    clock.advance(1)
    new = log_in(sessions, clock, proof, transport="bearer")
    assert (new.id, new.token != old.token) == (old.id, True)
    assert sessions.delete_session(old.token) is True
    assert alive(sessions, new) == [False]
    stays_ended(clock, store, proof)


def test_a_logout_that_fails_can_be_tried_again(clock: Clock, store: WatchedStore) -> None:
    """While the store fails nobody is logged out of a Mini App, and the next try does it."""
    proof = init_data(clock)
    sessions = service(clock, store)
    mine = log_in(sessions, clock, proof, transport="bearer")
    store.before["put"] = down
    with pytest.raises(StoreUnavailable):
        sessions.delete_session(mine.token)
    assert sessions.get_session(mine.token).id == mine.id
    assert sessions.delete_session(mine.token) is True
    stays_ended(clock, store, proof)


def test_a_full_store_still_ends_the_session(clock: Clock, store: WatchedStore) -> None:
    """Where there is no room for the mark the session ends, and the error says that this is not all."""
    proof = init_data(clock)
    sessions = service(clock, store)
    mine = log_in(sessions, clock, proof, transport="bearer")

    def full() -> None:
        raise StoreFull("full")

    store.before["put"] = full
    with pytest.raises(StoreFull):
        sessions.delete_session(mine.token)
    assert alive(sessions, mine) == [False]
    assert sessions.delete_session(mine.token) is True
    stays_ended(clock, store, proof)


def test_without_a_shared_store_an_instance_ends_the_init_data(clock: Clock) -> None:
    """Memory mode: a logout ends the initData where it is made, with every token that it led to."""
    one, two = service(clock, shared=False), service(clock, shared=False)
    proof = init_data(clock)
    mine = log_in(one, clock, proof, transport="bearer")
    elsewhere = log_in(two, clock, proof, transport="bearer")
    assert one.get_session(elsewhere.token).id == mine.id
    assert one.delete_session(mine.token) is True
    for _ in range(2):
        with pytest.raises(LoginStale):
            log_in(one, clock, proof, transport="bearer")
        for made in (mine, elsewhere):
            with pytest.raises(InvalidSession):
                one.get_session(made.token)
    assert two.get_session(elsewhere.token).id == elsewhere.id


def test_without_a_shared_store_a_replaced_token_logs_out(clock: Clock) -> None:
    """Memory mode: a token whose session another login replaced still ends the launch."""
    sessions = service(clock, shared=False)
    proof = init_data(clock)
    old = log_in(sessions, clock, proof, transport="bearer")
    log_in(sessions, clock, init_data(clock), transport="bearer", replaces=old.token)
    assert sessions.delete_session(old.token) is True
    with pytest.raises(LoginStale):
        log_in(sessions, clock, proof, transport="bearer")


@pytest.mark.parametrize("slot", ["A" * 16, "z" * 16, "-" * 16, "_" * 16])
def test_there_is_no_such_session(
    clock: Clock, sessions: SessionService, store: WatchedStore, slot: str
) -> None:
    """An id that names nothing of this user ends nothing."""
    mine = log_in(sessions, clock)
    before = store.fields()
    assert devices.end_session(sessions, mine.token, slot) is False
    assert store.fields() == before


@pytest.mark.parametrize("make", [widget, init_data])
def test_other_users_sessions_are_out_of_reach(
    clock: Clock, sessions: SessionService, make: Callable[[Clock], Proof]
) -> None:
    """Somebody else's session is not ended by its id, nor by revoking one's own."""
    theirs, mine = log_in(sessions, clock, make(clock), OLGA), log_in(sessions, clock)
    assert devices.end_session(sessions, mine.token, theirs.id) is False
    devices.revoke_sessions(sessions, mine.token, keep_current=True)
    devices.revoke_sessions(sessions, mine.token)
    assert alive(sessions, theirs) == [True]
    assert [device.id for device in devices.list_sessions(sessions, theirs.token)] == [theirs.id]


def test_an_ended_init_data_session_stays_ended(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """Ended from another device, the same initData makes no session again while it is fresh."""
    proof = init_data(clock)
    phone, mine = log_in(sessions, clock, proof, transport="bearer"), log_in(sessions, clock)
    store.calls.clear()
    assert devices.end_session(sessions, mine.token, phone.id) is True
    assert len(store.calls) == 2
    for instance in (sessions, service(clock, store)):
        with pytest.raises(LoginStale):
            log_in(instance, clock, proof, transport="bearer")
    assert alive(sessions, phone, mine) == [False, True]
    stays_ended(clock, store, proof)
    assert log_in(sessions, clock, init_data(clock), transport="bearer").id != phone.id


def test_an_ended_init_data_session_is_ended_once(clock: Clock, sessions: SessionService) -> None:
    """What was ended is no session any more: ending it again finds none, as with a widget's."""
    phone, mine = log_in(sessions, clock, init_data(clock)), log_in(sessions, clock)
    assert devices.end_session(sessions, mine.token, phone.id) is True
    assert devices.end_session(sessions, mine.token, phone.id) is False


def test_rotation_does_not_bring_ended_init_data_back(clock: Clock, store: WatchedStore) -> None:
    """What was ended under the old key is ended under a new one, alone too."""
    before = service(clock, store, AUTH_SECRET=OLD)
    proof = init_data(clock)
    phone, mine = log_in(before, clock, proof), log_in(before, clock)
    devices.end_session(before, mine.token, phone.id)
    rotated = service(clock, store, AUTH_SECRET=f"{NEW},{OLD}")
    held = store.fields()
    assert held.pop(f"s:{phone.id}") == "ended"
    for instance in (rotated, service(clock, store, AUTH_SECRET=NEW)):
        with pytest.raises(LoginStale):
            log_in(instance, clock, proof)
    assert store.fields() == held


def test_revoking_all(clock: Clock, sessions: SessionService, store: WatchedStore) -> None:
    """Every session of the user ends, the caller's too, in two round trips."""
    made = [
        log_in(sessions, clock),
        log_in(sessions, clock, init_data(clock), transport="bearer"),
        log_in(sessions, clock),
    ]
    store.calls.clear()
    devices.revoke_sessions(sessions, made[2].token)
    assert store.calls == ["show", "revoke"]
    assert alive(sessions, *made) == [False] * 3
    assert store.slots() == set()
    with pytest.raises(InvalidSession):
        devices.revoke_sessions(sessions, made[2].token)


def test_revoking_the_others(clock: Clock, sessions: SessionService, store: WatchedStore) -> None:
    """With `keep_current` the caller's session lives on, and alone, as often as it asks."""
    for make in (widget, init_data):
        others = [log_in(sessions, clock), log_in(sessions, clock, init_data(clock))]
        mine = log_in(sessions, clock, make(clock))
        for _ in range(2):
            devices.revoke_sessions(sessions, mine.token, keep_current=True)
            assert alive(sessions, mine, *others) == [True, False, False]
        assert store.slots() == {mine.id}
        clock.advance(1)
        sessions.delete_session(mine.token)


def stays_ended(clock: Clock, store: WatchedStore, proof: Proof, **env: str) -> None:
    """The proof opens nothing any more, now, after a short SESSION_TTL, and until it is no longer fresh."""
    for seconds in (0, 61, HOUR, DAY - 2 * HOUR):
        clock.advance(seconds)
        for transport in ("cookie", "bearer"):
            with pytest.raises(LoginStale):
                log_in(service(clock, store, **env), clock, proof, transport=transport)


@pytest.mark.parametrize(
    "act",
    [
        SessionService.delete_session,
        SessionService.get_session,
        SessionService.refresh_session,
        devices.list_sessions,
    ],
)
def test_no_use_of_a_dead_token_shortens_the_end(
    clock: Clock, store: WatchedStore, act: Callable[[SessionService, str], object]
) -> None:
    """With sessions shorter than initData is good for, who holds both cannot make the end be forgotten."""
    proof, env = init_data(clock), {"SESSION_TTL": "60"}
    owner = service(clock, store, **env)
    phone, mine = log_in(owner, clock, proof), log_in(owner, clock)
    assert devices.end_session(owner, mine.token, phone.id)
    with contextlib.suppress(InvalidSession):
        act(service(clock, store, **env), phone.token)
    stays_ended(clock, store, proof, **env)


def test_a_logout_beside_the_end_is_not_stronger(clock: Clock, store: WatchedStore) -> None:
    """A logout that comes to the store after the end brings nothing back."""
    proof = init_data(clock)
    owner, thief = service(clock, store), service(clock, store)
    phone, mine = log_in(owner, clock, proof), log_in(owner, clock)
    ended: list[bool] = []
    store.before["put"] = lambda: ended.append(devices.end_session(owner, mine.token, phone.id))
    thief.delete_session(phone.token)
    assert ended == [True]
    stays_ended(clock, store, proof)


def test_an_end_beside_a_logout_is_an_end(clock: Clock, store: WatchedStore) -> None:
    """The session is logged out after the owner has seen it; that they ended it counts all the same."""
    proof = init_data(clock)
    owner, thief = service(clock, store), service(clock, store)
    phone, mine = log_in(owner, clock, proof), log_in(owner, clock)
    store.before["put"] = lambda: thief.delete_session(phone.token)
    assert devices.end_session(owner, mine.token, phone.id)
    stays_ended(clock, store, proof)


def test_a_kept_init_data_session_is_still_led_to(clock: Clock, sessions: SessionService) -> None:
    """The Mini App that revoked the others reloads, and gets its own session again."""
    proof = init_data(clock)
    mine = log_in(sessions, clock, proof)
    devices.revoke_sessions(sessions, mine.token, keep_current=True)
    clock.advance(10)
    assert log_in(sessions, clock, proof).token == mine.token


@pytest.mark.parametrize("keep_current", [True, False])
@pytest.mark.parametrize("make", [widget, init_data])
def test_proofs_from_before_make_no_session(
    clock: Clock, store: WatchedStore, make: Callable[..., Proof], keep_current: bool
) -> None:
    """A proof issued at or before the revocation, used or not, opens nothing; one issued later does."""
    sessions = service(clock, store)
    used = make(clock)
    log_in(sessions, clock, used)
    unused = [make(clock, at=clock() - age) for age in (0, 1, 100)]
    mine = log_in(sessions, clock)
    devices.revoke_sessions(sessions, mine.token, keep_current=keep_current)
    held = store.slots()
    assert held == ({mine.id} if keep_current else set())
    clock.advance(5)
    for proof in (used, *unused):
        for instance in (sessions, service(clock, store)):
            with pytest.raises(LoginStale):
                log_in(instance, clock, proof)
    assert store.slots() == held
    later = log_in(service(clock, store), clock, make(clock, at=clock() - 4))
    assert alive(sessions, later) == [True]


def test_a_proof_from_the_future_is_revoked_too(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """Telegram's clock may be ahead: the newest proof that made a session is before the revocation."""
    ahead = init_data(clock, at=clock() + 50)
    log_in(sessions, clock, ahead)
    devices.revoke_sessions(sessions, log_in(sessions, clock).token)
    clock.advance(5)
    with pytest.raises(LoginStale):
        log_in(service(clock, store), clock, ahead)
    with pytest.raises(LoginStale):
        log_in(service(clock, store), clock, widget(clock, at=clock() + 45))


@pytest.mark.parametrize("keep_current", [True, False])
def test_revoking_keeps_what_was_ended_ended(
    clock: Clock, sessions: SessionService, store: WatchedStore, keep_current: bool
) -> None:
    """An initData of a clock ahead of ours, ended and then revoked, does not come back for that."""
    ahead = init_data(clock, at=clock() + 50)
    phone, mine = log_in(sessions, clock, ahead), log_in(sessions, clock)
    devices.end_session(sessions, mine.token, phone.id)
    devices.revoke_sessions(sessions, mine.token, keep_current=keep_current)
    with pytest.raises(LoginStale):
        log_in(service(clock, store), clock, ahead)


def test_the_mark_outlives_every_proof(clock: Clock, sessions: SessionService, store: WatchedStore) -> None:
    """The revocation is remembered for 24 h and 120 s, as long as the longest-lived proof is fresh."""
    proof = init_data(clock, at=clock() + 60)
    log_in(sessions, clock, proof)
    devices.revoke_sessions(sessions, log_in(sessions, clock).token)
    clock.advance(DAY + 119)
    with pytest.raises(LoginStale):
        log_in(service(clock, store), clock, proof)
    clock.advance(1)
    assert store.fields() == {}


def test_a_revocation_never_goes_back(clock: Clock, sessions: SessionService, store: WatchedStore) -> None:
    """With a clock that was set back, the later of two revocations stands."""
    revoked = int(clock()) + 50
    log_in(sessions, clock, init_data(clock, at=revoked))
    mine = log_in(sessions, clock)
    devices.revoke_sessions(sessions, mine.token, keep_current=True)
    clock.advance(-30)
    devices.revoke_sessions(sessions, mine.token, keep_current=True)
    assert store.fields()["r"].partition(":")[0] == str(revoked)


@pytest.mark.parametrize("keep_current", [True, False])
@pytest.mark.parametrize("make", [widget, init_data])
def test_a_login_that_slips_in_between_is_dropped(
    clock: Clock, store: WatchedStore, make: Callable[..., Proof], keep_current: bool
) -> None:
    """A session made after the fields were seen, and before the mark, ends with the others."""
    sessions, attacker = service(clock, store), service(clock, store)
    mine = log_in(sessions, clock)
    slipped: list[Session] = []
    store.before["revoke"] = lambda: slipped.append(log_in(attacker, clock, make(clock)))
    store.calls.clear()
    devices.revoke_sessions(sessions, mine.token, keep_current=keep_current)
    assert store.calls == ["show", "revoke", "create", "delete"]
    assert alive(sessions, *slipped, mine) == [False, keep_current]
    assert store.slots() == ({mine.id} if keep_current else set())


def test_a_login_during_the_last_step_is_refused(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """A create after the mark sees it, so nothing can slip in behind the drop."""
    mine = log_in(sessions, clock)
    early, late = widget(clock), widget(clock)

    def second() -> None:
        with pytest.raises(LoginStale):
            log_in(service(clock, store), clock, late)

    def first() -> None:
        log_in(service(clock, store), clock, early)
        store.before["delete"] = second

    store.before["revoke"] = first
    devices.revoke_sessions(sessions, mine.token)
    assert store.slots() == set()


def test_a_refresh_in_flight_brings_nothing_back(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """A refresh that began before and ends after the revocation is refused and writes nothing."""
    other, mine = log_in(sessions, clock), log_in(sessions, clock)
    store.before["renew"] = lambda: devices.revoke_sessions(service(clock, store), mine.token)
    with pytest.raises(InvalidSession):
        sessions.refresh_session(other.token)
    assert store.slots() == set()


def test_a_revocation_that_is_none_stops_everything(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """Garbage in the mark's place is never read as "nothing revoked"."""
    mine = log_in(sessions, clock)
    for text in ("", "x", "-5", "1.5", "١", "1e9", " 1"):
        store.memory.revoke(KEY, mark="r", value=text, window=100)
        with pytest.raises(StoreUnavailable):
            devices.revoke_sessions(sessions, mine.token)
        assert alive(sessions, mine) == [True]


@pytest.mark.parametrize("keep_current", [True, False])
def test_without_a_shared_store_nothing_is_ended(clock: Clock, keep_current: bool) -> None:
    """Other instances cannot be reached, so it is said before anything is done."""
    store = WatchedStore(clock)
    sessions = service(clock, store, shared=False)
    other, mine = log_in(sessions, clock), log_in(sessions, clock)
    before = store.fields()
    store.calls.clear()
    for slot in (other.id, mine.id):
        with pytest.raises(SharedStoreRequired):
            devices.end_session(sessions, mine.token, slot)
    with pytest.raises(SharedStoreRequired):
        devices.revoke_sessions(sessions, mine.token, keep_current=keep_current)
    assert (store.calls, store.fields()) == ([], before)


def test_a_lagging_replica_hides_no_session_from_a_list(
    clock: Clock, store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that renews nothing may be read from a replica; its miss is confirmed and logs nobody out."""
    sessions = service(clock, store)
    made = log_in(sessions, clock)
    show = store.memory.show
    monkeypatch.setattr(
        store.memory,
        "show",
        lambda key, field, ttl: (None, {}) if ttl is None else show(key, field, ttl),
    )
    assert [device.id for device in devices.list_sessions(sessions, made.token, renew=False)] == [made.id]
    assert sessions.get_session(made.token).id == made.id
