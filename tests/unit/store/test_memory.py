"""What is special about memory: it is bounded and cleans up after itself."""

from lib.tgauth.store.memory import MemoryStore
from tests.clock import Clock


def put(store: MemoryStore, key: str, *, ttl: int = 100) -> None:
    """One session of one user."""
    store.create(key, {"s:a": "1"}, window=ttl, renew="s:a", ttl=ttl)


def test_the_least_recently_used_user_goes_first() -> None:
    """Over the limit, whoever was not seen for longest is dropped."""
    store = MemoryStore(Clock(), max_keys=3)
    for key in "abc":
        put(store, key)
    store.renew("a", "s:a", 100)
    put(store, "d")
    assert [store.read(key, "s:a") for key in "abcd"] == ["1", None, "1", "1"]


def test_expired_sessions_are_swept_without_being_asked_for() -> None:
    """Memory does not grow with users who never come back."""
    clock = Clock()
    store = MemoryStore(clock)
    for n in range(1000):
        put(store, str(n), ttl=10)
    clock.advance(61)
    put(store, "new")
    assert len(store._keys) == 1


def test_a_user_without_sessions_leaves_nothing() -> None:
    """After the last session is deleted the user's key is gone."""
    store = MemoryStore(Clock())
    put(store, "a")
    store.delete("a", "s:a")
    assert not store._keys


def test_a_user_whose_last_field_was_taken_leaves_nothing() -> None:
    """Taking cleans up as deleting does, and taking what is not there leaves no key behind."""
    store = MemoryStore(Clock())
    put(store, "a")
    assert store.take("a", "s:a") == "1"
    assert store.take("b", "s:a") is None
    assert not store._keys


def test_who_takes_is_seen() -> None:
    """Taking counts as use, as every change does."""
    store = MemoryStore(Clock(), max_keys=2)
    store.create("a", {"s:a": "1", "code": "1"}, window=9, renew="-", ttl=9)
    put(store, "b")
    assert store.take("a", "code") == "1"
    put(store, "c")
    assert [store.read(key, "s:a") for key in "abc"] == ["1", None, "1"]
