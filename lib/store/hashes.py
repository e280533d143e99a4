"""The store's operations as Redis commands, once for every way of sending them.

A subclass sends commands and explains its errors. What comes back is looked at here: an answer that is not
exactly what the command gives is an error too, and never a miss.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from lib import budget
from lib.credentials import StoreKind
from lib.errors import StoreUnavailable
from lib.store.base import Count, StoreFull, Unanswered, counted
from lib.store.pulse import Pulse

Command = list[str | int]

_SCAN_STEPS = 20
_SCAN_COUNT = 1000
_SAMPLE = 500


class HashStore(ABC):
    """See `Store`: hashes whose fields have times to live of their own (Upstash, Redis 8, Valkey 9.1)."""

    kind: StoreKind

    def __init__(self) -> None:
        self._pulse = Pulse()

    @abstractmethod
    def _send(self, command: Command) -> object:
        """The answer to one command; raises whatever its client raises."""

    @abstractmethod
    def _send_all(self, commands: Sequence[Command], *, atomic: bool) -> object:
        """The answers to several in one round trip, as one transaction if `atomic`."""

    @abstractmethod
    def _explain(self, error: Exception) -> StoreUnavailable:
        """What an error of the client's means to the owner; its own text can hold the credentials."""

    def create(
        self, key: str, fields: Mapping[str, str], *, window: int, renew: str, ttl: int
    ) -> tuple[bool, dict[str, str]]:
        """See `Store.create`. Sent once: only who calls can tell whether a first attempt took effect."""
        pairs = [part for pair in fields.items() for part in pair]

        def read(answer: object) -> tuple[bool, dict[str, str]]:
            created, renewed, held = _parts(answer, 3)
            _one_value(renewed)
            return _flag(created), _fields(held)

        return self._all(
            read,
            ["HSETEX", key, "FNX", "EX", window, "FIELDS", len(fields), *pairs],
            ["HGETEX", key, "EX", ttl, "FIELDS", 1, renew],
            ["HGETALL", key],
        )

    def renew(self, key: str, field: str, ttl: int) -> str | None:
        """See `Store.renew`. To a server without room this is a write; then the value is read as it is."""
        try:
            return self._one(_one_value, "HGETEX", key, "EX", ttl, "FIELDS", 1, field)
        except StoreFull:
            return self.read(key, field)

    def read(self, key: str, field: str) -> str | None:
        """See `Store.read`."""
        return self._one(_value, "HGET", key, field)

    def put(self, key: str, fields: Mapping[str, str], ttl: int) -> None:
        """See `Store.put`."""
        pairs = [part for pair in fields.items() for part in pair]
        self._one(_done, "HSETEX", key, "EX", ttl, "FIELDS", len(fields), *pairs)

    def take(self, key: str, field: str) -> str | None:
        """See `Store.take`."""
        return self._observed(lambda: _one_value(self._send(["HGETDEL", key, "FIELDS", 1, field])))

    def delete(self, key: str, *fields: str) -> int:
        """See `Store.delete`."""
        return self._one(_natural, "HDEL", key, *fields)

    def show(self, key: str, field: str, ttl: int | None) -> tuple[str | None, dict[str, str]]:
        """See `Store.show`."""

        def read(answer: object) -> tuple[str | None, dict[str, str]]:
            value, held = _parts(answer, 2)
            return (_value if ttl is None else _one_value)(value), _fields(held)

        own: Command = ["HGET", key, field] if ttl is None else ["HGETEX", key, "EX", ttl, "FIELDS", 1, field]
        try:
            return self._all(read, own, ["HGETALL", key])
        except Unanswered:
            return self._all(read, own, ["HGETALL", key])

    def remaining(self, key: str, *fields: str) -> list[int]:
        """See `Store.remaining`."""

        def read(answer: object) -> list[int]:
            return [_integer(seconds) for seconds in _parts(answer, len(fields))]

        return self._one(read, "HTTL", key, "FIELDS", len(fields), *fields)

    def revoke(self, key: str, *fields: str, mark: str, value: str, window: int) -> dict[str, str]:
        """See `Store.revoke`."""
        commands: list[Command] = [["HSETEX", key, "EX", window, "FIELDS", 1, mark, value]]
        if fields:
            commands.append(["HDEL", key, *fields])

        def read(answer: object) -> dict[str, str]:
            marked, *deleted, held = _parts(answer, len(commands) + 1)
            _done(marked)
            for count in deleted:
                _natural(count)
            return _fields(held)

        return self._all(read, *commands, ["HGETALL", key])

    def count(self, prefix: str, field_prefix: str, ended_prefix: str) -> Count:
        """See `Store.count`. Looks at 20,000 keys and into 500 of them; what is over that is estimated."""
        total = self._one(_natural, "DBSIZE")
        cursor, keys = "0", set[str]()
        for _ in range(_SCAN_STEPS):
            cursor, found = self._one(_page, "SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", _SCAN_COUNT)
            keys.update(found)
            if cursor == "0":
                break
        complete = cursor == "0"
        seen = total if complete else min(total, _SCAN_STEPS * _SCAN_COUNT)
        users = len(keys) if complete else round(total * len(keys) / max(1, seen))
        sample = sorted(keys)[:_SAMPLE]

        def read(answer: object) -> list[int]:
            return [
                counted(_texts(names), field_prefix, ended_prefix) for names in _parts(answer, len(sample))
            ]

        lookups: list[Command] = [["HKEYS", key] for key in sample]
        found_in = self._all(read, *lookups, atomic=False) if lookups else []
        scale = users / max(1, len(sample))
        return Count(
            users=round(sum(number > 0 for number in found_in) * scale),
            sessions=round(sum(found_in) * scale),
            exact=complete and len(sample) == len(keys),
        )

    def check(self) -> None:
        """See `Store.check`."""
        if not self._pulse.check(lambda: self._one(_pong, "PING")):
            raise StoreUnavailable("the last call to the store failed")

    def _one[T](self, read: Callable[[object], T], *command: str | int) -> T:
        """Send a command that does no harm when it is sent twice, and `read` the answer."""
        try:
            return self._observed(lambda: read(self._send(list(command))))
        except Unanswered:
            return self._observed(lambda: read(self._send(list(command))))

    def _all[T](self, read: Callable[[object], T], *commands: Command, atomic: bool = True) -> T:
        return self._observed(lambda: read(self._send_all(commands, atomic=atomic)))

    def _observed[T](self, call: Callable[[], T]) -> T:
        if not budget.remaining():
            raise StoreUnavailable("no time is left to ask again")
        try:
            result = call()
        except Exception as error:
            if isinstance(error, _Malformed):
                problem = StoreUnavailable("an answer of the store is not of the form it must have")
            else:
                problem = self._explain(error)
            # People can still be verified and log out where there is no room to write.
            self._pulse.note(worked=isinstance(problem, StoreFull))
            raise problem from None
        self._pulse.note(worked=True)
        return result


class _Malformed(Exception):
    """Not what the command gives."""


def _integer(answer: object) -> int:
    if type(answer) is not int:
        raise _Malformed
    return answer


def _natural(answer: object) -> int:
    if _integer(answer) < 0:
        raise _Malformed
    return _integer(answer)


def _flag(answer: object) -> bool:
    if _integer(answer) not in (0, 1):
        raise _Malformed
    return answer == 1


def _done(answer: object) -> None:
    if not _flag(answer):
        raise _Malformed


def _value(answer: object) -> str | None:
    if answer is not None and not isinstance(answer, str):
        raise _Malformed
    return answer


def _one_value(answer: object) -> str | None:
    return _value(_parts(answer, 1)[0])


def _parts(answer: object, count: int) -> list[object]:
    if not isinstance(answer, list) or len(answer) != count:
        raise _Malformed
    return answer


def _texts(answer: object) -> list[str]:
    if not isinstance(answer, list) or not all(isinstance(item, str) for item in answer):
        raise _Malformed
    return answer


def _fields(answer: object) -> dict[str, str]:
    if not isinstance(answer, dict) or not all(isinstance(i, str) for pair in answer.items() for i in pair):
        raise _Malformed
    return answer


def _page(answer: object) -> tuple[str, list[str]]:
    cursor, keys = _parts(list(answer) if isinstance(answer, tuple) else answer, 2)
    if type(cursor) not in (str, int):
        raise _Malformed
    return str(cursor), _texts(keys)


def _pong(answer: object) -> None:
    if answer not in ("PONG", True):
        raise _Malformed
