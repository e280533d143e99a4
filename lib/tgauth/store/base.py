"""The store's contract. Every operation is one round trip to Redis, given here in its commands.

A key is a hash of one user; each of its fields has its own time to live, so nothing is left behind and no
index goes stale. A missing or expired field is not an error. An operation that could not be carried out, or
whose answer does not have the expected form, raises `StoreUnavailable` and never looks like a miss.
Times to live are whole seconds. All methods are safe to call from several threads.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import NamedTuple

from ..errors import StoreUnavailable
from ..settings.source import StoreKind


class Unanswered(StoreUnavailable):
    """The operation may have taken effect or not."""


class StoreFull(StoreUnavailable):
    """The server takes no writes, usually because it is full; it still reads, and usually deletes."""


class Count(NamedTuple):
    """How much a store holds; not `exact` if it looked at a part only."""

    users: int
    sessions: int
    exact: bool


def counted(names: Collection[str], field_prefix: str, ended_prefix: str) -> int:
    """How many of a key's fields `Store.count` counts."""
    found = [name.removeprefix(field_prefix) for name in names if name.startswith(field_prefix)]
    return sum(ended_prefix + rest not in names for rest in found)


class Store(ABC):
    """A hash of fields for every key."""

    kind: StoreKind
    """What /health and the log call it."""

    @abstractmethod
    def create(
        self, key: str, fields: Mapping[str, str], *, window: int, renew: str, ttl: int
    ) -> tuple[bool, dict[str, str]]:
        """Set all `fields` for `window` seconds, unless one of them is there; let field `renew` live `ttl`.

        Says whether they were set, and everything the key holds afterwards, read in the same transaction.

            MULTI; HSETEX key FNX EX window FIELDS …; HGETEX key EX ttl FIELDS 1 renew; HGETALL key; EXEC
        """

    @abstractmethod
    def renew(self, key: str, field: str, ttl: int) -> str | None:
        """The field's value, whose time to live becomes `ttl` seconds; None if it is not there.

        HGETEX key EX ttl FIELDS 1 field: a write to Redis, so the primary answers it, and it touches only
        what exists, so it cannot bring a deleted session back.
        """

    @abstractmethod
    def read(self, key: str, field: str) -> str | None:
        """The field's value, its time to live untouched: HGET key field."""

    @abstractmethod
    def put(self, key: str, fields: Mapping[str, str], ttl: int) -> None:
        """Set all `fields`, whatever is there, for `ttl` seconds: HSETEX key EX ttl FIELDS n field value …"""

    @abstractmethod
    def take(self, key: str, field: str) -> str | None:
        """Remove the field and return its value; of several simultaneous callers one gets it.

        HGETDEL key FIELDS 1 field. Not retried: where the answer is lost, so is the value.
        """

    @abstractmethod
    def delete(self, key: str, *fields: str) -> int:
        """Delete the fields and say how many were there: HDEL key field …"""

    @abstractmethod
    def show(self, key: str, field: str, ttl: int | None) -> tuple[str | None, dict[str, str]]:
        """One field's value, whose time to live becomes `ttl` seconds, and all that the key holds.

        MULTI; HGETEX key EX ttl FIELDS 1 field; HGETALL key; EXEC. Without `ttl` it is HGET instead.
        """

    @abstractmethod
    def remaining(self, key: str, *fields: str) -> list[int]:
        """Seconds that each field has left, negative for one that is not there: HTTL key FIELDS n field …"""

    @abstractmethod
    def revoke(self, key: str, *fields: str, mark: str, value: str, window: int) -> dict[str, str]:
        """Set the field `mark` for `window` seconds, delete `fields`, and give what the key then holds.

        MULTI; HSETEX key EX window FIELDS 1 mark value; HDEL key field …; HGETALL key; EXEC
        """

    @abstractmethod
    def count(self, prefix: str, field_prefix: str, ended_prefix: str) -> Count:
        """How many fields of keys with `prefix` start with `field_prefix`, and how many keys have such.

        A field does not count if there is one with the same name but for `ended_prefix` in place of
        `field_prefix`.

        Bounded work however many there are: DBSIZE, SCAN at most 20 times, HKEYS of at most 500 keys in one
        pipeline. For the owner alone; the one operation of several round trips.
        """

    @abstractmethod
    def check(self, key: str) -> None:
        """Raise `StoreUnavailable` unless people can log in, as far as the store decides it.

        The outcome of recent calls answers this; if they are too long ago, a PING, or a `create` at `key`,
        which nothing else may use for a minute. At most 400 commands a day.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the connections that are not in use; the store can be used again."""
