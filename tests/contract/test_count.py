"""Counting: exact while there is little, bounded work and an honest estimate when there is much."""

from collections.abc import Iterator

import pytest

from dev.upstash.resp import Connection
from dev.upstash.valkey import Valkey
from lib.tgauth.store.base import Count, Store
from tests.contract.conftest import Subject

PREFIX = "tgauth:test:1:u:"


def put(store: Store, key: str, *slots: str) -> None:
    """A user with sessions of 100 s and a proof marker of 10 s for each."""
    for slot in slots:
        store.create(key, {f"s:{slot}": "{}", f"p:{slot}": slot}, window=10, renew=f"s:{slot}", ttl=100)


@pytest.fixture
def connection(valkey: Valkey) -> Iterator[Connection]:
    """For more data than is put in one by one."""
    opened = Connection(valkey.port)
    yield opened
    opened.close()


def commands(valkey: Valkey) -> int:
    """How many commands the server has run since it was last asked."""
    stats = valkey.run("INFO", "commandstats")
    valkey.run("CONFIG", "RESETSTAT")
    assert isinstance(stats, bytes)
    calls = [
        line.partition("calls=")[2].partition(",")[0] for line in stats.decode().split() if "calls=" in line
    ]
    return sum(map(int, calls))


def test_users_and_their_sessions_are_counted(subject: Subject) -> None:
    """Markers and other prefixes do not count, nor does who has no session."""
    put(subject.store, f"{PREFIX}42", "a", "b")
    put(subject.store, f"{PREFIX}7", "a")
    put(subject.store, "tgauth:test:2:u:7", "a")
    subject.store.revoke(f"{PREFIX}8", mark="r", value="1", window=10)
    subject.store.revoke("tgauth:test:11:u:7", mark="s:", value="1", window=10)
    assert subject.store.count(PREFIX, "s:", "x:") == Count(users=2, sessions=3, exact=True)
    assert subject.store.count(PREFIX, "x:", "s:") == Count(users=0, sessions=0, exact=True)


def test_what_has_ended_for_good_does_not_count(subject: Subject) -> None:
    """A field beside the mark that says so is left over."""
    put(subject.store, f"{PREFIX}42", "a", "b")
    put(subject.store, f"{PREFIX}7", "a")
    for key in (f"{PREFIX}42", f"{PREFIX}7"):
        subject.store.put(key, {"s:a": "ended", "x:a": "1"}, 10)
    assert subject.store.count(PREFIX, "s:", "x:") == Count(users=1, sessions=1, exact=True)


def test_what_has_expired_does_not_count(subject: Subject) -> None:
    """Neither sessions nor users, also before the server has cleaned up after them."""
    put(subject.store, f"{PREFIX}42", "a")
    put(subject.store, f"{PREFIX}7", "a")
    subject.advance(60)
    subject.store.renew(f"{PREFIX}7", "s:a", 100)
    subject.advance(41)
    assert subject.store.count(PREFIX, "s:", "x:") == Count(users=1, sessions=1, exact=True)


def test_work_is_bounded(remote: Store, connection: Connection, valkey: Valkey) -> None:
    """With 30,000 keys, half of them ours, the answer is about right after a fixed number of commands."""
    for start in range(0, 15_000, 1000):
        numbers = range(start, start + 1000)
        connection.run([["HSET", f"{PREFIX}{n}", "s:a", "1", "s:b", "1"] for n in numbers])
        connection.run([["SET", f"other:{n}", "1"] for n in numbers])
    commands(valkey)
    count = remote.count(PREFIX, "s:", "x:")
    assert commands(valkey) <= 1 + 20 + 500 + len(["INFO", "RESETSTAT", "SELECT"])
    assert count.users == pytest.approx(15_000, rel=0.1)
    assert count.sessions == 2 * count.users
    assert not count.exact
