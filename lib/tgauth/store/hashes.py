"""The store's operations as Redis commands, once for every way of sending them.

A subclass sends commands and explains its errors. The answers are checked here: one that does not have
exactly the form of the command's answer is an error too, and never a miss.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from .. import budget, log
from ..errors import StoreUnavailable
from . import answers, reasons
from .base import Count, Store, StoreFull, Unanswered, counted
from .pulse import Pulse
from .reasons import Reason

Command = list[str | int]

_SCAN_STEPS = 20
_SCAN_COUNT = 1000
_SAMPLE = 500
_CHECK_SECONDS = 60
_PORTS = {"https": 443, "http": 80, "redis": 6379, "rediss": 6379}


class HashStore(Store):
    """Hashes whose fields expire by themselves: Upstash, Redis 8, Valkey 9.1."""

    def __init__(self, url: str, variable: str) -> None:
        """`variable` is where the owner set `url`, for the log."""
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        self._server = f"{host}:{parts.port or _PORTS[parts.scheme]}"
        self._variable = variable
        self._pulse = Pulse()

    @abstractmethod
    def _send(self, command: Command) -> object:
        """The answer to one command; raises whatever its client raises."""

    @abstractmethod
    def _send_all(self, commands: Sequence[Command], *, atomic: bool) -> object:
        """The answers to several in one round trip, as one transaction if `atomic`."""

    @abstractmethod
    def _explain(self, error: Exception) -> tuple[Reason, bool]:
        """What an error of the client means to the owner, and whether the server itself reported it.

        If not, the command may have taken effect or not. The error's own text can hold the credentials.
        """

    def create(
        self, key: str, fields: Mapping[str, str], *, window: int, renew: str, ttl: int
    ) -> tuple[bool, dict[str, str]]:
        # Not retried here: only the caller can tell whether the first attempt took effect.
        pairs = [part for pair in fields.items() for part in pair]

        def read(answer: object) -> tuple[bool, dict[str, str]]:
            created, renewed, held = answers.parts(answer, 3)
            answers.one_value(renewed)
            return answers.flag(created), answers.fields(held)

        return self._all(
            read,
            ["HSETEX", key, "FNX", "EX", window, "FIELDS", len(fields), *pairs],
            ["HGETEX", key, "EX", ttl, "FIELDS", 1, renew],
            ["HGETALL", key],
            is_login=True,
        )

    def renew(self, key: str, field: str, ttl: int) -> str | None:
        try:
            return self._one(answers.one_value, "HGETEX", key, "EX", ttl, "FIELDS", 1, field)
        except StoreFull:
            # A full server refuses HGETEX as a write; fall back to a plain read.
            return self.read(key, field)

    def read(self, key: str, field: str) -> str | None:
        return self._one(answers.value, "HGET", key, field)

    def put(self, key: str, fields: Mapping[str, str], ttl: int) -> None:
        pairs = [part for pair in fields.items() for part in pair]
        self._one(answers.done, "HSETEX", key, "EX", ttl, "FIELDS", len(fields), *pairs)

    def take(self, key: str, field: str) -> str | None:
        return self._observed(lambda: answers.one_value(self._send(["HGETDEL", key, "FIELDS", 1, field])))

    def delete(self, key: str, *fields: str) -> int:
        return self._one(answers.natural, "HDEL", key, *fields)

    def show(self, key: str, field: str, ttl: int | None) -> tuple[str | None, dict[str, str]]:

        def read(answer: object) -> tuple[str | None, dict[str, str]]:
            value, held = answers.parts(answer, 2)
            return (answers.value if ttl is None else answers.one_value)(value), answers.fields(held)

        own: Command = ["HGET", key, field] if ttl is None else ["HGETEX", key, "EX", ttl, "FIELDS", 1, field]
        try:
            return self._all(read, own, ["HGETALL", key])
        except Unanswered:
            if not budget.remaining():
                raise
            return self._all(read, own, ["HGETALL", key])

    def remaining(self, key: str, *fields: str) -> list[int]:

        def read(answer: object) -> list[int]:
            return [answers.integer(seconds) for seconds in answers.parts(answer, len(fields))]

        return self._one(read, "HTTL", key, "FIELDS", len(fields), *fields)

    def revoke(self, key: str, *fields: str, mark: str, value: str, window: int) -> dict[str, str]:
        commands: list[Command] = [["HSETEX", key, "EX", window, "FIELDS", 1, mark, value]]
        if fields:
            commands.append(["HDEL", key, *fields])

        def read(answer: object) -> dict[str, str]:
            marked, *deleted, held = answers.parts(answer, len(commands) + 1)
            answers.done(marked)
            for count in deleted:
                answers.natural(count)
            return answers.fields(held)

        return self._all(read, *commands, ["HGETALL", key])

    def count(self, prefix: str, field_prefix: str, ended_prefix: str) -> Count:
        # Looks at 20,000 keys and into 500 of them, and estimates the rest.
        total = self._one(answers.natural, "DBSIZE")
        cursor, keys = "0", set[str]()
        for _ in range(_SCAN_STEPS):
            cursor, found = self._one(
                answers.page, "SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", _SCAN_COUNT
            )
            keys.update(found)
            if cursor == "0":
                break
        complete = cursor == "0"
        seen = total if complete else min(total, _SCAN_STEPS * _SCAN_COUNT)
        users = len(keys) if complete else round(total * len(keys) / max(1, seen))
        sample = sorted(keys)[:_SAMPLE]

        def read(answer: object) -> list[int]:
            return [
                counted(answers.texts(names), field_prefix, ended_prefix)
                for names in answers.parts(answer, len(sample))
            ]

        lookups: list[Command] = [["HKEYS", key] for key in sample]
        found_in = self._all(read, *lookups, atomic=False) if lookups else []
        scale = users / max(1, len(sample))
        return Count(
            users=round(sum(number > 0 for number in found_in) * scale),
            sessions=round(sum(found_in) * scale),
            exact=complete and len(sample) == len(keys),
        )

    def check(self, key: str) -> None:
        self._pulse.check(login=lambda: self._try_login(key), ping=self.ping)

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the server answers: PING."""
        self._one(answers.pong, "PING")

    def _try_login(self, key: str) -> None:
        fields = {"h": "1"}
        if self.create(key, fields, window=_CHECK_SECONDS, renew="h", ttl=_CHECK_SECONDS) != (True, fields):
            self._pulse.note_failure(self._problem(reasons.NOT_THE_FORM, StoreUnavailable))

    def _one[T](self, read: Callable[[object], T], *command: str | int) -> T:
        """Send a command that is harmless if sent twice, and `read` the answer."""
        try:
            return self._observed(lambda: read(self._send(list(command))))
        except Unanswered:
            if not budget.remaining():
                raise
            return self._observed(lambda: read(self._send(list(command))))

    def _all[T](
        self,
        read: Callable[[object], T],
        *commands: Command,
        atomic: bool = True,
        is_login: bool = False,
    ) -> T:
        return self._observed(lambda: read(self._send_all(commands, atomic=atomic)), is_login=is_login)

    def _observed[T](self, call: Callable[[], T], *, is_login: bool = False) -> T:
        if not budget.remaining():
            raise self._problem(reasons.OUT_OF_TIME, StoreUnavailable)
        try:
            result = call()
        except Exception as error:
            raise self._failed(error, is_login=is_login) from None
        if self._pulse.note_success(is_login=is_login):
            message = "✅ Redis connected for session storage"
            log.event("store_selected", store=self.kind, variable=self._variable, message=message)
        return result

    def _failed(self, error: Exception, *, is_login: bool) -> StoreUnavailable:
        if isinstance(error, answers.Malformed):
            reason, is_servers = reasons.NOT_THE_FORM, True
        else:
            reason, is_servers = self._explain(error)
        kind = StoreFull if reason.cause == "store_full" else StoreUnavailable
        problem = self._problem(reason, kind if is_servers else Unanswered)
        # A server that refuses one command or one key may still take logins: the next check tries one.
        if is_login or not is_servers or kind is StoreFull:
            self._pulse.note_failure(problem)
        else:
            self._pulse.note_doubt()
        return problem

    def _problem(self, reason: Reason, kind: type[StoreUnavailable]) -> StoreUnavailable:
        problem = kind(f"{self._variable}: {reason.fill(self._server).text}", cause=reason.cause)
        problem.reached = reason.reached
        return problem
