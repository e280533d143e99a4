"""Logging in whatever happens on the way (lib/tgauth/sessions/login.py)."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from lib.tgauth.clock import DAY, HOUR
from lib.tgauth.errors import LoginStale, NotAllowed, RateLimited, StoreUnavailable
from lib.tgauth.sessions import devices
from lib.tgauth.sessions.record import load
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.user import Proof
from tests.clock import Clock
from tests.unit.sessions.logins import (
    IVAN,
    KEY,
    NEW,
    OLD,
    OLGA,
    WatchedStore,
    down,
    init_data,
    log_in,
    service,
    unanswered,
    widget,
)

EACH = pytest.mark.parametrize("make", [widget, init_data])


@EACH
def test_a_login_is_one_round_trip(
    clock: Clock, sessions: SessionService, store: WatchedStore, make: Callable[..., Proof]
) -> None:
    """A first login asks the store once, with the session and its proof's marker in one transaction."""
    made = log_in(sessions, clock, make(clock))
    assert store.calls == ["create"]
    markers = {name: value for name, value in store.fields().items() if name.startswith("p:")}
    assert store.slots() == {made.id}
    assert list(markers.values()) == ([made.id] if make is widget else [])
    assert all(re.fullmatch(r"p:[A-Za-z0-9_-]{22}", name) for name in markers)


def test_what_is_kept_and_how_long(clock: Clock, sessions: SessionService, store: WatchedStore) -> None:
    """The session lives SESSION_TTL and the marker the proof's window."""
    made = log_in(sessions, clock)
    ends = store.ends()
    assert ends.pop(f"s:{made.id}") == clock() + 30 * DAY
    assert list(ends.values()) == [clock() + 420]


@EACH
def test_a_lost_answer(
    clock: Clock, sessions: SessionService, store: WatchedStore, make: Callable[..., Proof]
) -> None:
    """The first attempt took effect and nobody heard: there is one session, whose token is given out."""
    store.lose["create"] = 1
    made = log_in(sessions, clock, make(clock))
    assert store.calls == ["create", "create"]
    assert store.slots() == {made.id}
    assert service(clock, store).get_session(made.token).id == made.id
    assert store.ends()[f"s:{made.id}"] == clock() + 30 * DAY
    record = load(store.fields()[f"s:{made.id}"], IVAN.id)
    assert record is not None
    assert record.user == made.user


@EACH
def test_a_lost_request(
    clock: Clock, sessions: SessionService, store: WatchedStore, make: Callable[..., Proof]
) -> None:
    """The first attempt never arrived: the second one makes the session."""
    store.before["create"] = unanswered
    made = log_in(sessions, clock, make(clock))
    assert store.slots() == {made.id}
    assert service(clock, store).get_session(made.token).id == made.id


@EACH
@pytest.mark.parametrize("lost", [1, 2])
def test_two_lost_attempts(
    clock: Clock, sessions: SessionService, store: WatchedStore, make: Callable[..., Proof], lost: int
) -> None:
    """After the second attempt it is StoreUnavailable, and no token was given out."""
    if lost == 1:
        store.before["create"] = unanswered
    store.lose["create"] = lost
    with pytest.raises(StoreUnavailable):
        log_in(sessions, clock, make(clock))
    assert store.calls == ["create", "create"]


def test_init_data_works_again_after_lost_attempts(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """What comes again by design finds the session that the lost attempt made."""
    proof = init_data(clock)
    store.lose["create"] = 2
    with pytest.raises(StoreUnavailable):
        log_in(sessions, clock, proof)
    made = log_in(sessions, clock, proof)
    assert store.slots() == {made.id}
    assert sessions.get_session(made.token).id == made.id


def test_a_refusal_is_not_repeated(clock: Clock, sessions: SessionService, store: WatchedStore) -> None:
    """A store that says no is asked once, and the proof can be used when it says yes."""
    proof = widget(clock)
    store.before["create"] = down
    with pytest.raises(StoreUnavailable):
        log_in(sessions, clock, proof)
    assert store.calls == ["create"]
    assert log_in(sessions, clock, proof)


def test_a_lost_answer_does_not_help_a_second_user_of_the_proof(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """Whose attempt won is told by its slot: an answer that was lost is no excuse for a used proof."""
    proof = widget(clock)
    made = log_in(service(clock, store), clock, proof)
    store.lose["create"] = 1
    with pytest.raises(LoginStale):
        log_in(sessions, clock, proof)
    assert store.slots() == {made.id}


@EACH
@pytest.mark.parametrize("keep_current", [True, False])
def test_a_lost_answer_does_not_get_round_a_revocation(
    clock: Clock, store: WatchedStore, make: Callable[..., Proof], keep_current: bool
) -> None:
    """A proof from before a revocation is refused also when the first answer is lost, and leaves nothing."""
    proof = make(clock)
    owner = service(clock, store)
    mine = log_in(owner, clock)
    devices.revoke_sessions(owner, mine.token, keep_current=keep_current)
    store.lose["create"] = 1
    with pytest.raises(LoginStale):
        log_in(service(clock, store), clock, proof)
    assert store.slots() == ({mine.id} if keep_current else set())


def refused_without_clean_up(clock: Clock, store: WatchedStore, proof: Proof, lost: str, **how: Any) -> None:
    """A login that is refused, and whose record stays: the clean-up fails, or nobody hears that it is due."""
    if lost == "answers":
        store.lose["create"] = 2
    else:
        store.before["delete"] = unanswered
    with pytest.raises(StoreUnavailable):
        log_in(service(clock, store), clock, proof, **how)


@pytest.mark.parametrize("after", [0, 60])
@pytest.mark.parametrize("keep_current", [True, False])
@pytest.mark.parametrize("lost", ["answers", "clean-up"])
def test_what_a_refused_login_leaves_is_no_way_round_a_revocation(
    clock: Clock, store: WatchedStore, lost: str, keep_current: bool, after: float
) -> None:
    """initData from before a revocation stays refused while a first attempt's record is still there."""
    proof = init_data(clock)
    owner = service(clock, store)
    mine = log_in(owner, clock)
    devices.revoke_sessions(owner, mine.token, keep_current=keep_current)
    clock.advance(after)
    refused_without_clean_up(clock, store, proof, lost)
    with pytest.raises(LoginStale):
        log_in(service(clock, store), clock, proof)
    assert store.slots() == ({mine.id} if keep_current else set())


def test_a_kept_session_that_ended_is_led_to_no_more(clock: Clock, store: WatchedStore) -> None:
    """The session that a revocation kept is logged out; its initData, from before, makes no other."""
    proof = init_data(clock)
    owner = service(clock, store)
    mine = log_in(owner, clock, proof)
    devices.revoke_sessions(owner, mine.token, keep_current=True)
    assert log_in(service(clock, store), clock, proof).token == mine.token
    owner.delete_session(mine.token)
    refused_without_clean_up(clock, store, proof, "clean-up")
    with pytest.raises(LoginStale):
        log_in(service(clock, store), clock, proof)
    assert store.slots() == set()


@pytest.mark.parametrize("lost", ["answers", "clean-up"])
def test_what_a_refused_login_leaves_does_not_bring_back_what_was_ended(
    clock: Clock, store: WatchedStore, lost: str
) -> None:
    """initData of a session that another device ended stays refused, on the other transport too."""
    proof = init_data(clock)
    owner = service(clock, store)
    phone, mine = log_in(owner, clock, proof), log_in(owner, clock)
    clock.advance(60)
    devices.end_session(owner, mine.token, phone.id)
    held = store.fields()
    refused_without_clean_up(clock, store, proof, lost, transport="bearer")
    for _ in range(2):
        with pytest.raises(LoginStale):
            log_in(service(clock, store), clock, proof, transport="bearer")
    assert store.fields() == held


def test_a_slow_clock_does_not_bring_back_what_was_ended(clock: Clock, store: WatchedStore) -> None:
    """Beside the mark of an end there is no session, though an instance made it "before" by its own clock."""
    proof = init_data(clock)
    owner = service(clock, store)
    phone, mine = log_in(owner, clock, proof), log_in(owner, clock)
    clock.advance(60)
    devices.end_session(owner, mine.token, phone.id)
    # What stands in the record's place can go before the mark does.
    store.memory.delete(KEY, f"s:{phone.id}")
    behind = Clock()
    behind.advance(clock() - behind() - 30)
    refused_without_clean_up(behind, store, proof, "answers")
    with pytest.raises(LoginStale):
        log_in(service(behind, store), behind, proof)


def test_ending_one_transports_session_leaves_the_others(clock: Clock, store: WatchedStore) -> None:
    """One initData made two sessions; the one that was not ended is led to as before."""
    proof = init_data(clock)
    owner = service(clock, store)
    cookie, bearer = log_in(owner, clock, proof), log_in(owner, clock, proof, transport="bearer")
    clock.advance(60)
    devices.end_session(owner, cookie.token, bearer.id)
    assert log_in(service(clock, store), clock, proof).token == cookie.token
    with pytest.raises(LoginStale):
        log_in(service(clock, store), clock, proof, transport="bearer")


@pytest.mark.parametrize("mark", ["", "x", "-1", "1.5", " 1", "١"])
def test_a_mark_without_a_time_ends_all(clock: Clock, store: WatchedStore, mark: str) -> None:
    """What says that a session was ended, and not when, is not read as "later"."""
    proof = init_data(clock)
    owner = service(clock, store)
    cookie, bearer = log_in(owner, clock, proof), log_in(owner, clock, proof, transport="bearer")
    store.memory.revoke(KEY, f"s:{bearer.id}", mark=f"x:{bearer.id}", value=mark, window=1000)
    for transport in ("cookie", "bearer"):
        with pytest.raises(LoginStale):
            log_in(service(clock, store), clock, proof, transport=transport)
    assert cookie.id not in store.slots()


def test_one_init_data_sixty_times_a_minute(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """The 61st time within a minute is refused at no command; others and the next minute are not."""
    proof = init_data(clock)
    tokens = set()
    for _ in range(60):
        tokens.add(log_in(sessions, clock, proof).token)
        clock.advance(0.5)
    assert len(tokens) == 1
    store.calls.clear()
    for transport in ("cookie", "bearer"):
        with pytest.raises(RateLimited):
            sessions.create_session(IVAN, proof, transport=transport)  # type: ignore[arg-type]
    assert store.calls == []
    assert log_in(sessions, clock, init_data(clock))
    assert log_in(service(clock, store), clock, proof).token in tokens
    clock.advance(30)
    assert log_in(sessions, clock, proof).token in tokens


def test_the_limit_is_not_for_those_kept_out(clock: Clock, store: WatchedStore) -> None:
    """A user whom the settings keep out is told so, however often, at no command."""
    sessions = service(clock, store, TELEGRAM_DENY=str(IVAN.id))
    proof = init_data(clock)
    for _ in range(61):
        with pytest.raises(NotAllowed) as caught:
            log_in(sessions, clock, proof)
        assert caught.value.told == {"user": IVAN.who()}
    assert store.calls == []


def test_a_spent_proof_is_remembered(clock: Clock, sessions: SessionService, store: WatchedStore) -> None:
    """Presenting a used proof again costs nothing for its window, in the instance that saw it used."""
    proof = widget(clock)
    log_in(sessions, clock, proof)
    store.calls.clear()
    for seconds in (0, 200, 219):
        clock.advance(seconds)
        with pytest.raises(LoginStale, match="remembered"):
            log_in(sessions, clock, proof)
    assert store.calls == []


@EACH
def test_a_refused_proof_is_remembered(clock: Clock, store: WatchedStore, make: Callable[..., Proof]) -> None:
    """A proof that was used elsewhere, or revoked, costs one round trip in an instance and then none."""
    first, second = service(clock, store), service(clock, store)
    proof = make(clock)
    log_in(first, clock, proof)
    clock.advance(1)
    devices.revoke_sessions(first, log_in(first, clock).token)
    for instance in (first, second):
        for count in range(3):
            store.calls.clear()
            with pytest.raises(LoginStale):
                log_in(instance, clock, proof)
            known = count > 0 or (instance is first and make is widget)
            assert ("create" in store.calls) is not known


def test_an_unanswered_proof_is_not_remembered(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """What never arrived is not spent: the same proof logs in once the store is there."""
    proof = widget(clock)

    def twice() -> None:
        store.before["create"] = unanswered
        unanswered()

    store.before["create"] = twice
    with pytest.raises(StoreUnavailable):
        log_in(sessions, clock, proof)
    assert store.fields() == {}
    assert log_in(sessions, clock, proof)


def test_rotation_finds_the_older_session(clock: Clock, store: WatchedStore) -> None:
    """The same initData under a new key, alone too, leads to the session it made under the old one."""
    proof = init_data(clock)
    made = log_in(service(clock, store, AUTH_SECRET=OLD), clock, proof, transport="bearer")
    clock.advance(10)
    rotated = service(clock, store, AUTH_SECRET=f"{NEW},{OLD}")
    for instance in (rotated, service(clock, store, AUTH_SECRET=NEW)):
        again = log_in(instance, clock, proof, transport="bearer")
        assert (again.id, again.created_at) == (made.id, made.created_at)
        assert instance.get_session(again.token, "bearer").id == made.id
    assert store.slots() == {made.id}
    # The token under the old key goes on working beside the new spelling of it.
    assert rotated.get_session(made.token, "bearer").id == made.id


@EACH
@pytest.mark.parametrize("text", ["", "x", "-5", "1.5", "1e9", "١", " 1", "null", "9" * 5000])
def test_a_revocation_that_is_none(
    clock: Clock, sessions: SessionService, store: WatchedStore, make: Callable[..., Proof], text: str
) -> None:
    """Garbage where the time of a revocation should be lets nobody in."""
    store.memory.revoke(KEY, mark="r", value=text, window=1000)
    with pytest.raises(StoreUnavailable):
        log_in(sessions, clock, make(clock))


def test_one_users_revocation_is_not_anothers(
    clock: Clock, sessions: SessionService, store: WatchedStore
) -> None:
    """A revocation is kept with its user."""
    proof = widget(clock)
    devices.revoke_sessions(sessions, log_in(sessions, clock).token)
    assert log_in(sessions, clock, proof, OLGA)


def test_the_limit_makes_room(clock: Clock, store: WatchedStore) -> None:
    """Over SESSION_LIMIT the oldest of the unused go, in two more commands, and never the new one."""
    sessions = service(clock, store, SESSION_LIMIT="2")
    ids = []
    for _ in range(4):
        ids.append(log_in(sessions, clock).id)
        clock.advance(1)
    assert store.slots() == set(ids[2:])
    assert store.calls == ["create", "create", *["create", "remaining", "delete"] * 2]


@EACH
def test_who_was_used_longest_ago_makes_room(
    clock: Clock, store: WatchedStore, make: Callable[..., Proof]
) -> None:
    """Over a limit it is the last use that counts, and not the login."""
    transport = "bearer" if make is init_data else "cookie"
    sessions = service(clock, store, SESSION_LIMIT="3", MINI_APP_LIMIT="3")
    made = []
    for _ in range(3):
        made.append(log_in(sessions, clock, make(clock), transport=transport))
        clock.advance(10)
    sessions.get_session(made[0].token)
    clock.advance(10)
    new = log_in(sessions, clock, make(clock), transport=transport)
    assert store.slots() == {made[0].id, made[2].id, new.id}


def test_the_two_kinds_do_not_make_room_for_each_other(clock: Clock, store: WatchedStore) -> None:
    """Mini Apps are counted by themselves; all others together, initData's cookie too."""
    sessions = service(clock, store, SESSION_LIMIT="3", MINI_APP_LIMIT="2")
    others = {
        log_in(sessions, clock).id,
        log_in(sessions, clock, transport="bearer").id,
        log_in(sessions, clock, init_data(clock)).id,
    }
    clock.advance(10)
    minis = [log_in(sessions, clock, init_data(clock), transport="bearer").id for _ in range(2)]
    assert store.slots() == {*others, *minis}
    clock.advance(10)
    new = log_in(sessions, clock, init_data(clock), transport="bearer").id
    assert others < store.slots()
    assert len(store.slots() & {*minis}) == 1
    left = store.slots() - others
    for make in (widget, init_data, widget):
        clock.advance(10)
        log_in(sessions, clock, make(clock))
        assert left < store.slots()
        assert len(store.slots()) == 5
    assert new in store.slots()
    assert not others & store.slots()


def test_a_lowered_setting_does_not_make_the_unused_look_used(clock: Clock, store: WatchedStore) -> None:
    """What has more time left than sessions now get was not used since: its login counts as its last use."""
    before = service(clock, store, SESSION_LIMIT="2")
    unused = log_in(before, clock)
    clock.advance(10)
    lowered = service(clock, store, SESSION_LIMIT="2", SESSION_TTL=str(HOUR))
    used = log_in(lowered, clock)
    clock.advance(10)
    new = log_in(lowered, clock)
    assert store.slots() == {used.id, new.id}
    assert unused.id not in store.slots()


def test_a_login_outlives_a_failing_limit(
    clock: Clock, store: WatchedStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the store does not say who was used last, the login stands, and the log says what was left."""
    sessions = service(clock, store, SESSION_LIMIT="1")
    first = log_in(sessions, clock)
    store.before["remaining"] = down
    second = log_in(sessions, clock)
    assert store.slots() == {first.id, second.id}
    assert "surplus_sessions_left" in capsys.readouterr().out


def test_launches_in_a_row_leave_the_website_alone(clock: Clock, store: WatchedStore) -> None:
    """A Mini App that is opened 21 times ends no session of the website, used or not."""
    sessions = service(clock, store)
    website, phone = log_in(sessions, clock), log_in(sessions, clock)
    for _ in range(21):
        clock.advance(60)
        log_in(sessions, clock, init_data(clock), transport="bearer")
        sessions.get_session(website.token)
    assert {website.id, phone.id} < store.slots()
    assert len(store.slots()) == 12


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "memory mode"])
def test_a_week_of_launches(clock: Clock, store: WatchedStore, shared: bool) -> None:
    """200 launches in a week: ten Mini Apps at most, each gone a day after its use; the website lives on."""
    sessions = service(clock, store, shared=shared)
    website, last_used = log_in(sessions, clock), dict[str, float]()
    for number in range(200):
        clock.advance(7 * DAY / 200)
        if not shared and number % 28 == 0:
            # Without a shared store every session ends after a day.
            website = log_in(sessions, clock)
        made = log_in(sessions, clock, init_data(clock), transport="bearer")
        last_used[made.id] = clock()
        if number % 28 == 27:
            sessions.get_session(website.token)
        listed = devices.list_sessions(sessions, made.token)
        minis = {device.id for device in listed if device.method == "webapp"}
        assert len(minis) <= 10
        assert all(clock() - last_used[slot] < DAY for slot in minis)
        assert website.id in {device.id for device in listed}
    clock.advance(DAY - 1)
    assert store.slots() - {website.id}
    clock.advance(1)
    if shared:
        assert [device.id for device in devices.list_sessions(sessions, website.token)] == [website.id]
        assert store.slots() == {website.id}
    else:
        assert store.slots() == set()


def test_the_presented_session_makes_room_first(clock: Clock, store: WatchedStore) -> None:
    """Logging in again in the same browser at the limit ends its old session, and nobody else's."""
    sessions = service(clock, store, SESSION_LIMIT="2")
    oldest = log_in(sessions, clock)
    clock.advance(1)
    presented = log_in(sessions, clock)
    clock.advance(1)
    made = log_in(sessions, clock, replaces=presented.token)
    assert store.slots() == {oldest.id, made.id}


def test_what_is_ended_takes_no_room(clock: Clock, store: WatchedStore) -> None:
    """A session that was ended from another device is none, so it does not count towards the limit."""
    sessions = service(clock, store, SESSION_LIMIT="2")
    phone = log_in(sessions, clock, init_data(clock))
    first = log_in(sessions, clock)
    devices.end_session(sessions, first.token, phone.id)
    second = log_in(sessions, clock)
    assert [
        device.id in (first.id, second.id) for device in devices.list_sessions(sessions, second.token)
    ] == [True] * 2


def test_a_degraded_service_remembers_too(clock: Clock) -> None:
    """Without a shared store the same limits hold in each instance."""
    sessions = service(clock, shared=False)
    proof, once = init_data(clock), widget(clock)
    for _ in range(60):
        log_in(sessions, clock, proof)
    with pytest.raises(RateLimited):
        log_in(sessions, clock, proof)
    log_in(sessions, clock, once)
    with pytest.raises(LoginStale):
        log_in(sessions, clock, once)
