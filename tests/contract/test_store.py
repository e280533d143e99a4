"""What lib/tgauth/store/base.py promises, held against every store."""

import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dev.upstash.valkey import Valkey
from lib.tgauth.store.base import Store
from lib.tgauth.store.redis import RedisStore
from tests.contract.conftest import Subject

KEY = "tgauth:test:1:u:42"


def create(subject: Subject, slot: str, *, value: str = "{}", proof: str | None = None) -> bool:
    """Create a session field that idles out after 100 s, with an optional proof marker of 10 s."""
    fields = {f"s:{slot}": value} | ({f"p:{proof}": slot} if proof else {})
    created, _ = subject.store.create(KEY, fields, window=10, renew=f"s:{slot}", ttl=100)
    return created


def test_create_gives_back_everything_the_key_holds(subject: Subject) -> None:
    """The answer to a create holds the new fields and all older ones."""
    create(subject, "a", value="1", proof="x")
    created, held = subject.store.create(KEY, {"s:b": "2"}, window=10, renew="s:b", ttl=100)
    assert created
    assert held == {"s:a": "1", "p:x": "a", "s:b": "2"}


def test_create_is_all_or_nothing(subject: Subject) -> None:
    """When one of the fields is there, none is set, and what is there stays."""
    create(subject, "a", value="1", proof="x")
    created, held = subject.store.create(KEY, {"s:b": "2", "p:x": "b"}, window=10, renew="s:b", ttl=100)
    assert not created
    assert held == {"s:a": "1", "p:x": "a"}


def test_create_renews_the_field_that_is_there(subject: Subject) -> None:
    """Creating a session that lives already leaves its value and lets it live on."""
    create(subject, "a", value="1")
    subject.advance(90)
    assert not create(subject, "a", value="2")
    subject.advance(90)
    assert subject.store.read(KEY, "s:a") == "1"


def test_fields_live_for_times_of_their_own(subject: Subject) -> None:
    """The marker goes after its window, the session after its own time."""
    create(subject, "a", proof="x")
    subject.advance(9)
    assert subject.store.read(KEY, "p:x") == "a"
    subject.advance(2)
    assert subject.store.read(KEY, "p:x") is None
    assert subject.store.read(KEY, "s:a") == "{}"
    subject.advance(90)
    assert subject.store.read(KEY, "s:a") is None


def test_renew_slides_the_expiry(subject: Subject) -> None:
    """A field that is renewed again and again outlives its first time to live."""
    create(subject, "a", value="1")
    for _ in range(5):
        subject.advance(60)
        assert subject.store.renew(KEY, "s:a", 100) == "1"


LOOKS: dict[str, Callable[[Store], object]] = {
    "read": lambda store: store.read(KEY, "s:a"),
    "remaining": lambda store: store.remaining(KEY, "s:a"),
    "show without a time to live": lambda store: store.show(KEY, "s:a", None),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_to_look_is_not_to_use(subject: Subject, look: Callable[[Store], object]) -> None:
    """What only looks leaves the time to live as it is."""
    create(subject, "a", value="1")
    subject.advance(60)
    look(subject.store)
    subject.advance(39)
    assert subject.store.read(KEY, "s:a") == "1"
    subject.advance(2)
    assert subject.store.read(KEY, "s:a") is None


def test_renew_brings_nothing_back(subject: Subject) -> None:
    """A deleted, an expired and an unknown field stay away, however often they are renewed."""
    create(subject, "a")
    subject.store.delete(KEY, "s:a")
    create(subject, "b")
    subject.advance(101)
    for field in ("s:a", "s:b", "s:never"):
        assert subject.store.renew(KEY, field, 100) is None
        assert subject.store.read(KEY, field) is None


def test_a_missing_field_is_no_error(subject: Subject) -> None:
    """Asking for what never was, or has expired, says so and creates nothing, beside other fields too."""

    def nothing_is_there() -> None:
        for field in ("s:a", "s:never"):
            assert subject.store.read(KEY, field) is None
            assert subject.store.renew(KEY, field, 100) is None
            assert subject.store.take(KEY, field) is None
            assert subject.store.delete(KEY, field) == 0
            assert subject.store.remaining(KEY, field)[0] < 0

    nothing_is_there()
    assert subject.store.show(KEY, "s:a", 100) == (None, {})
    assert subject.store.count("tgauth:test:1:u:", "s:", "x:").users == 0
    create(subject, "a")
    subject.advance(60)
    create(subject, "b", value="2")
    subject.advance(41)
    nothing_is_there()
    assert subject.store.show(KEY, "s:a", 100) == (None, {"s:b": "2"})


def test_delete_counts_what_was_there(subject: Subject) -> None:
    """Delete says how many of the fields lived, and only those of this key go."""
    create(subject, "a")
    create(subject, "b")
    subject.store.create(KEY + "0", {"s:a": "other"}, window=10, renew="s:a", ttl=100)
    assert subject.store.delete(KEY, "s:a", "s:b", "s:c") == 2
    assert subject.store.read(KEY + "0", "s:a") == "other"


def test_an_expired_field_can_be_created_again(subject: Subject) -> None:
    """Once a marker has expired, its proof would be new again; that is why windows outlast proofs."""
    assert create(subject, "a", proof="x")
    assert not create(subject, "b", proof="x")
    subject.advance(11)
    assert create(subject, "b", proof="x")


def test_take_gives_a_value_once(subject: Subject) -> None:
    """What is taken is gone with that, and everything beside it stays as it is."""
    create(subject, "a", value="1", proof="x")
    subject.store.create(KEY + "0", {"s:a": "other"}, window=10, renew="s:a", ttl=100)
    subject.advance(4)
    assert subject.store.take(KEY, "s:a") == "1"
    assert subject.store.take(KEY, "s:a") is None
    assert subject.store.read(KEY, "s:a") is None
    assert subject.store.remaining(KEY, "p:x") == [6]
    assert subject.store.read(KEY + "0", "s:a") == "other"


def test_what_was_taken_can_be_created_again(subject: Subject) -> None:
    """Only what is left beside it keeps a second create away, as a relay's spent ticket does."""
    fields = {"code": "1", "used": "1"}
    assert subject.store.create(KEY, fields, window=50, renew="code", ttl=10) == (True, fields)
    assert subject.store.remaining(KEY, "code", "used") == [10, 50]
    assert subject.store.take(KEY, "code") == "1"
    assert subject.store.create(KEY, fields, window=50, renew="code", ttl=10) == (False, {"used": "1"})
    assert subject.store.take(KEY, "code") is None
    subject.advance(51)
    assert subject.store.create(KEY, fields, window=50, renew="code", ttl=10)[0]


def test_show_renews_one_field_and_gives_all(subject: Subject) -> None:
    """The caller's own field lives on, everything is listed, and nothing else is touched."""
    create(subject, "a", value="1")
    create(subject, "b", value="2", proof="x")
    subject.advance(9)
    assert subject.store.show(KEY, "s:a", 200) == ("1", {"s:a": "1", "s:b": "2", "p:x": "b"})
    assert subject.store.remaining(KEY, "s:a", "s:b", "p:x") == [200, 91, 1]
    subject.advance(100)
    assert subject.store.show(KEY, "s:b", 200) == (None, {"s:a": "1"})


def test_remaining_counts_down(subject: Subject) -> None:
    """Every field has its own seconds left, in the order asked for, and a missing one less than none."""
    create(subject, "a", proof="x")
    assert subject.store.remaining(KEY, "p:x", "s:a") == [10, 100]
    subject.advance(4)
    left = subject.store.remaining(KEY, "s:a", "s:never", "p:x", "s:a")
    assert (left[0], left[1] < 0, left[2:]) == (96, True, [6, 96])
    subject.advance(7)
    assert subject.store.remaining(KEY, "p:x")[0] < 0
    assert subject.store.remaining(KEY + "0", "s:a")[0] < 0


def test_revoke_marks_and_deletes_at_once(subject: Subject) -> None:
    """The named fields go, the mark is set for its window, and the answer is what is left."""
    for slot in "abc":
        create(subject, slot)
    assert subject.store.revoke(KEY, "s:a", "s:b", "s:never", mark="r", value="7", window=20) == {
        "s:c": "{}",
        "r": "7",
    }
    assert subject.store.read(KEY, "s:a") is None
    assert subject.store.remaining(KEY, "r", "s:c") == [20, 100]
    subject.advance(21)
    assert subject.store.show(KEY, "s:c", 100) == ("{}", {"s:c": "{}"})


def test_revoke_renews_its_mark(subject: Subject) -> None:
    """A mark that is there gets the new value and a whole window."""
    subject.store.revoke(KEY, mark="r", value="1", window=20)
    subject.advance(15)
    assert subject.store.revoke(KEY, mark="r", value="2", window=20) == {"r": "2"}
    assert subject.store.remaining(KEY, "r") == [20]


def test_answers_are_the_callers_own(subject: Subject) -> None:
    """To change what a store answered changes nothing in it."""
    _, held = subject.store.create(KEY, {"s:a": "1"}, window=10, renew="s:a", ttl=100)
    held["s:b"] = "2"
    _, held = subject.store.show(KEY, "s:a", 100)
    held.clear()
    subject.store.revoke(KEY, mark="r", value="1", window=20).clear()
    assert subject.store.show(KEY, "s:a", 100)[1] == {"s:a": "1", "r": "1"}


def test_put_sets_whatever_is_there(subject: Subject) -> None:
    """Fields get these values and live from now, those that were there and those that were not."""
    create(subject, "a", value="1")
    subject.advance(5)
    subject.store.put(KEY, {"s:a": "2", "x:a": "3"}, 50)
    assert subject.store.show(KEY, "x:a", None) == ("3", {"s:a": "2", "x:a": "3"})
    subject.advance(49)
    assert subject.store.read(KEY, "s:a") == "2"
    subject.advance(2)
    assert subject.store.show(KEY, "s:a", None) == (None, {})


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_values_come_back_as_they_were(subject: Subject, value: str) -> None:
    """Any text that has UTF-8 survives, whatever alphabet it is in, in every answer that has it."""
    subject.store.delete(KEY, "s:a")
    assert subject.store.create(KEY, {"s:a": value}, window=10, renew="s:a", ttl=100)[1] == {"s:a": value}
    assert subject.store.read(KEY, "s:a") == value
    assert subject.store.renew(KEY, "s:a", 100) == value
    assert subject.store.show(KEY, "s:a", 100) == (value, {"s:a": value})
    assert subject.store.take(KEY, "s:a") == value


def test_a_closed_store_can_be_used_again(subject: Subject) -> None:
    """Closing ends connections, not the store."""
    subject.store.put(KEY, {"a": "1"}, 60)
    subject.store.close()
    assert subject.store.read(KEY, "a") == "1"


def test_closing_ends_the_connections(redis_store: RedisStore, valkey: Valkey) -> None:
    """The server is told at once, and does not wait for its own timeout."""
    redis_store.read(KEY, "a")
    before = str(valkey.run("CLIENT", "LIST")).count("lib-name=redis-py")
    redis_store.close()
    deadline = time.monotonic() + 5
    while str(valkey.run("CLIENT", "LIST")).count("lib-name=redis-py") >= before:
        assert time.monotonic() < deadline
