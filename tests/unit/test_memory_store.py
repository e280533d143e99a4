"""What is special about memory: it is bounded and cleans up after itself."""

from lib.store.memory import MemoryStore
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
