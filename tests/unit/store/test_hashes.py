"""The store's operations as Redis commands (store/hashes.py), over a server that answers anything."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.store import reasons
from lib.tgauth.store.base import Count, StoreFull, Unanswered
from lib.tgauth.store.hashes import Command, HashStore
from lib.tgauth.store.pulse import Pulse
from lib.tgauth.store.reasons import Reason
from tests.clock import Clock


class FakeStore(HashStore):
    """Answers what it is told to, in turn; an exception is raised, and the last answer is repeated."""

    kind = "redis"

    def __init__(self, *answers: Any) -> None:
        super().__init__("redis://redis.example", "REDIS_URL")
        self.clock = Clock()
        self._pulse = Pulse(self.clock)
        self.answers = list(answers)
        self.sent: list[Any] = []

    def close(self) -> None:
        """There is nothing to close."""

    def _answer(self) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _send(self, command: Command) -> object:
        self.sent.append(command)
        return self._answer()

    def _send_all(self, commands: Sequence[Command], *, atomic: bool) -> object:
        self.sent.append(("MULTI" if atomic else "PIPELINE", *commands))
        return self._answer()

    def _explain(self, error: Exception) -> tuple[Reason, bool]:
        match error:
            case Unanswered():
                return reasons.HUNG_UP, False
            case StoreFull():
                return reasons.FULL, True
        return reasons.FAILED, True


@dataclass(frozen=True)
class Operation:
    """A call, the commands it is documented to send, an answer of the right form, and what it then gives."""

    call: Callable[[HashStore], Any]
    sends: Any
    answer: Any
    gives: Any
    valid: Callable[[Any], bool]


def integer(answer: Any) -> bool:
    return type(answer) is int


def text(answer: Any) -> bool:
    return answer is None or isinstance(answer, str)


def values(answer: Any, count: int, form: Callable[[Any], bool]) -> bool:
    return isinstance(answer, list | tuple) and len(answer) == count and all(map(form, answer))


def one(answer: Any) -> bool:
    return answer is None or values(answer, 1, text)


def fields(answer: Any) -> bool:
    pairs = answer.items() if isinstance(answer, dict) else [(None, None)]
    return all(isinstance(name, str) and isinstance(value, str) for name, value in pairs)


def parts(answer: Any, *forms: Callable[[Any], bool]) -> bool:
    return (
        isinstance(answer, list)
        and len(answer) == len(forms)
        and all(form(part) for form, part in zip(forms, answer, strict=True))
    )


def flag(answer: Any) -> bool:
    return answer in (0, 1)  # True and 1.0 are equal to 1, and mean nothing else


HELD = {"s:a": "1", "p:x": "a"}
OPERATIONS = {
    "create": Operation(
        lambda s: s.create("k", {"s:a": "1", "p:x": "a"}, window=60, renew="s:a", ttl=900),
        (
            "MULTI",
            ["HSETEX", "k", "FNX", "EX", 60, "FIELDS", 2, "s:a", "1", "p:x", "a"],
            ["HGETEX", "k", "EX", 900, "FIELDS", 1, "s:a"],
            ["HGETALL", "k"],
        ),
        [1, ["1"], HELD],
        (True, HELD),
        lambda a: parts(a, flag, one, fields),
    ),
    "renew": Operation(
        lambda s: s.renew("k", "s:a", 900),
        ["HGETEX", "k", "EX", 900, "FIELDS", 1, "s:a"],
        ["1"],
        "1",
        one,
    ),
    "read": Operation(lambda s: s.read("k", "s:a"), ["HGET", "k", "s:a"], "1", "1", text),
    "put": Operation(
        lambda s: s.put("k", {"s:a": "x", "x:a": "1"}, 900),
        ["HSETEX", "k", "EX", 900, "FIELDS", 2, "s:a", "x", "x:a", "1"],
        1,
        None,
        lambda a: a == 1 and type(a) is int,
    ),
    "take": Operation(
        lambda s: s.take("k", "s:a"),
        ["HGETDEL", "k", "FIELDS", 1, "s:a"],
        ["1"],
        "1",
        one,
    ),
    "delete": Operation(
        lambda s: s.delete("k", "s:a", "s:b"),
        ["HDEL", "k", "s:a", "s:b"],
        2,
        2,
        lambda a: integer(a) and a >= 0,
    ),
    "show": Operation(
        lambda s: s.show("k", "s:a", 900),
        ("MULTI", ["HGETEX", "k", "EX", 900, "FIELDS", 1, "s:a"], ["HGETALL", "k"]),
        [["1"], HELD],
        ("1", HELD),
        lambda a: parts(a, one, fields),
    ),
    "remaining": Operation(
        lambda s: s.remaining("k", "s:a", "s:b"),
        ["HTTL", "k", "FIELDS", 2, "s:a", "s:b"],
        [899, -2],
        [899, -2],
        lambda a: values(a, 2, integer),
    ),
    "revoke": Operation(
        lambda s: s.revoke("k", "s:a", "s:b", mark="r", value="7", window=60),
        (
            "MULTI",
            ["HSETEX", "k", "EX", 60, "FIELDS", 1, "r", "7"],
            ["HDEL", "k", "s:a", "s:b"],
            ["HGETALL", "k"],
        ),
        [1, 2, {"r": "7"}],
        {"r": "7"},
        lambda a: parts(a, lambda b: b == 1, lambda b: integer(b) and b >= 0, fields),
    ),
    "revoke nothing": Operation(
        lambda s: s.revoke("k", mark="r", value="7", window=60),
        ("MULTI", ["HSETEX", "k", "EX", 60, "FIELDS", 1, "r", "7"], ["HGETALL", "k"]),
        [1, {"r": "7"}],
        {"r": "7"},
        lambda a: parts(a, lambda b: b == 1, fields),
    ),
}
EACH = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
ONCE = ("create", "take", "revoke", "revoke nothing")
"""What must not be carried out twice."""
JUNK: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    2,
    -1,
    -2,
    3,
    10**20,
    0.0,
    1.0,
    1.5,
    "",
    "0",
    "1",
    "OK",
    "QUEUED",
    "PONG",
    "pong",
    "ERR canary",
    b"1",
    b"PONG",
    [],
    [None],
    [0],
    [1],
    [b"1"],
    ["1"],
    ["1", "2"],
    [["1"]],
    [None, None],
    [1, 1],
    ["s:a", "1"],
    (),
    ("1",),
    {},
    {"s:a": "1"},
    {"s:a": None},
    {"s:a": 1},
    {1: "1"},
    {b"s:a": b"1"},
    {"s:a": ["1"]},
    {"error": "canary"},
    {"result": "1"},
    ValueError("canary"),
    object(),
]


def wrong_answers(operation: Operation) -> Iterator[Any]:
    """All junk in place of the answer, and of each part of it; parts too few and too many."""
    candidates = [answer for answer in JUNK if not isinstance(answer, Exception)]
    if isinstance(operation.answer, list):
        good = operation.answer
        candidates += [good[:n] for n in range(len(good))] + [[*good, part] for part in JUNK] + [tuple(good)]
        for at in range(len(good)):
            candidates += [[*good[:at], junk, *good[at + 1 :]] for junk in JUNK]
    yield from (answer for answer in candidates if not operation.valid(answer))


@EACH
def test_commands_are_those_of_the_contract(operation: Operation) -> None:
    """Each operation is one round trip of exactly the commands that `Store` documents."""
    store = FakeStore(operation.answer)
    assert operation.call(store) == operation.gives
    assert store.sent == [operation.sends]


@EACH
def test_a_wrong_shape_is_never_a_miss(operation: Operation) -> None:
    """Whatever else comes back, in whole or in a part, is StoreUnavailable and is not repeated."""
    taken = []
    for answer in wrong_answers(operation):
        store = FakeStore(answer)
        with contextlib.suppress(StoreUnavailable):
            taken.append((answer, operation.call(store)))
        assert len(store.sent) == 1, answer
    assert taken == []


def test_misses_are_no_errors() -> None:
    """What is not there is None, False, 0 or negative, as the commands say it."""
    assert FakeStore([None]).renew("k", "s:a", 1) is None
    assert FakeStore(None).read("k", "s:a") is None
    assert FakeStore([None]).take("k", "s:a") is None
    # Of a key that is gone Upstash documents this, too.
    assert FakeStore(None).renew("k", "s:a", 1) is None
    assert FakeStore(None).take("k", "s:a") is None
    assert FakeStore([None, {}]).show("k", "s:a", 1) == (None, {})

    assert FakeStore(0).delete("k", "s:a") == 0
    assert FakeStore([[None], {}]).show("k", "s:a", 1) == (None, {})
    assert FakeStore([-2]).remaining("k", "s:a") == [-2]
    assert FakeStore([0, [None], {"p:x": "a"}]).create("k", {"s:a": "1"}, window=1, renew="s:a", ttl=1) == (
        False,
        {"p:x": "a"},
    )


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in ONCE])
def test_what_does_no_harm_is_repeated_once(name: str) -> None:
    """What may be carried out twice is sent again when no answer comes, and then no more."""
    operation = OPERATIONS[name]
    store = FakeStore(Unanswered("lost"), operation.answer)
    assert operation.call(store) == operation.gives
    assert store.sent == [operation.sends] * 2
    silent = FakeStore(Unanswered("lost"))
    with pytest.raises(StoreUnavailable, match="hung up"):
        operation.call(silent)
    assert silent.sent == [operation.sends] * 2


@pytest.mark.parametrize("name", ONCE)
def test_what_is_done_once_is_never_repeated(name: str) -> None:
    """Only who asked knows what a second time would mean, and a value that was taken is not there again."""
    operation = OPERATIONS[name]
    store = FakeStore(Unanswered("lost"), operation.answer)
    with pytest.raises(Unanswered):
        operation.call(store)
    assert store.sent == [operation.sends]


@EACH
def test_an_answer_that_is_an_error_is_not_repeated(operation: Operation) -> None:
    """A server that refuses would refuse again."""
    for error in (StoreUnavailable("refused"), RuntimeError("canary")):
        store = FakeStore(error, operation.answer)
        with pytest.raises(StoreUnavailable) as caught:
            operation.call(store)
        assert "canary" not in str(caught.value)
        assert len(store.sent) == 1


def test_a_full_server_still_lets_people_in() -> None:
    """Where HGETEX is refused for lack of room the session is read as it is, and a miss is a miss."""
    for value in ("1", None):
        store = FakeStore(StoreFull("full"), value)
        assert store.renew("k", "s:a", 900) == value
        assert store.sent == [["HGETEX", "k", "EX", 900, "FIELDS", 1, "s:a"], ["HGET", "k", "s:a"]]
    store = FakeStore(Unanswered("lost"), StoreFull("full"), "1")
    assert store.renew("k", "s:a", 900) == "1"


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "renew"])
def test_everything_else_says_that_the_server_is_full(name: str) -> None:
    """A write that could not be made is an error, never done and never a miss."""
    with pytest.raises(StoreFull):
        OPERATIONS[name].call(FakeStore(StoreFull("full")))


def test_reading_a_full_server_can_fail_too() -> None:
    """When the read that stands in fails, that is an error."""
    with pytest.raises(StoreUnavailable):
        FakeStore(StoreFull("full"), StoreUnavailable("down")).renew("k", "s:a", 1)
    with pytest.raises(StoreUnavailable):
        FakeStore(StoreFull("full"), ["1"]).renew("k", "s:a", 1)


TRIAL = (
    "MULTI",
    ["HSETEX", "h", "FNX", "EX", 60, "FIELDS", 1, "h", "1"],
    ["HGETEX", "h", "EX", 60, "FIELDS", 1, "h"],
    ["HGETALL", "h"],
)
WORKS = [1, ["1"], {"h": "1"}]


def test_health_tries_a_login_first() -> None:
    """Before anything is known, /health asks for what a login does, at a key of its own, and then nothing."""
    store = FakeStore(WORKS)
    for _ in range(3):
        store.check("h")
    assert store.sent == [TRIAL]


@pytest.mark.parametrize("answer", [[0, ["1"], {"h": "2"}], [1, ["1"], {}], [1, ["1"], {"h": "1", "x": "2"}]])
def test_health_looks_at_what_was_written(answer: Any) -> None:
    """A server that does not keep what it is given is none to log in with."""
    with pytest.raises(StoreUnavailable, match="not of the form"):
        FakeStore(answer).check("h")


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "create"])
def test_a_call_that_worked_is_not_yet_health(name: str) -> None:
    """Reading and ending work where nobody can log in: /health tries a login all the same."""
    store = FakeStore(OPERATIONS[name].answer, WORKS)
    OPERATIONS[name].call(store)
    store.check("h")
    assert store.sent[1:] == [TRIAL]


@EACH
def test_a_login_is_an_hours_health_and_any_call_five_minutes(operation: Operation) -> None:
    """After a login /health asks nothing while calls come, and one PING five minutes after the last one."""
    store = FakeStore(OPERATIONS["create"].answer, operation.answer)
    OPERATIONS["create"].call(store)
    store.clock.advance(299)
    operation.call(store)
    store.clock.advance(299)
    store.check("h")
    assert len(store.sent) == 2
    store.clock.advance(1)
    store.answers = ["PONG"]
    store.check("h")
    assert store.sent[2:] == [["PING"]]


def test_health_tries_a_login_once_an_hour() -> None:
    """However often the store is read meanwhile."""
    store = FakeStore(WORKS)
    store.check("h")
    for _ in range(35):
        store.clock.advance(100)
        store.answers = ["1"]
        store.read("k", "s:a")
        store.check("h")
    assert [sent for sent in store.sent if sent != ["HGET", "k", "s:a"]] == [TRIAL]
    store.clock.advance(100)
    store.answers = [WORKS]
    store.check("h")
    assert store.sent[-1] == TRIAL


@EACH
def test_a_call_without_an_answer_is_ten_seconds_illness(operation: Operation) -> None:
    """Then /health is down for 10 seconds, for the same reason, without asking; then it tries a login."""
    store = FakeStore(Unanswered("lost"))
    with pytest.raises(StoreUnavailable) as failed:
        operation.call(store)
    store.answers, store.sent = [WORKS], []
    store.clock.advance(9)
    with pytest.raises(StoreUnavailable) as told:
        store.check("h")
    assert (told.value.reason, told.value.cause) == (failed.value.reason, failed.value.cause)
    assert store.sent == []
    store.clock.advance(1)
    store.check("h")
    assert store.sent == [TRIAL]


@EACH
@pytest.mark.parametrize("answer", [StoreUnavailable("refused"), object()], ids=["refused", "wrong shape"])
def test_what_is_refused_for_one_key_or_command_is_a_doubt(operation: Operation, answer: Any) -> None:
    """Somebody else's key, or a right missing for /stats, keeps nobody from logging in: that is tried."""
    is_login = operation is OPERATIONS["create"]
    store = FakeStore(answer)
    with pytest.raises(StoreUnavailable):
        operation.call(store)
    store.answers, store.sent = [WORKS], []
    with pytest.raises(StoreUnavailable) if is_login else contextlib.nullcontext():
        store.check("h")
    assert store.sent == ([] if is_login else [TRIAL])


def test_what_was_read_ends_an_outage_and_nothing_else() -> None:
    """After a store that could not be reached, a read that works is reason enough to try a login at once."""
    for failure, tried in ((Unanswered("lost"), True), (StoreFull("full"), False)):
        store = FakeStore(failure, failure, failure, "1")
        with pytest.raises(StoreUnavailable):
            store.take("k", "s:a")
        store.answers, store.sent = ["1"], []
        assert store.read("k", "s:a") == "1"
        store.answers = [WORKS]
        with contextlib.nullcontext() if tried else pytest.raises(StoreUnavailable):
            store.check("h")
        assert (TRIAL in store.sent) is tried


def test_a_full_server_is_no_health() -> None:
    """People stay logged in there, and nobody can log in."""
    store = FakeStore(StoreFull("full"))
    with pytest.raises(StoreUnavailable) as caught:
        store.check("h")
    assert caught.value.cause == "store_full"


def test_redis_is_said_to_be_connected_once_it_has_answered(capsys: pytest.CaptureFixture[str]) -> None:
    """The line comes with the first answer that can be used, once; a failure before it says what failed."""
    store = FakeStore(StoreUnavailable("down"), "1")
    with pytest.raises(StoreUnavailable):
        store.read("k", "s:a")
    assert capsys.readouterr().out == ""
    for _ in range(2):
        store.read("k", "s:a")
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["event"], told["variable"]) == ("store_selected", "REDIS_URL")
    assert told["message"] == "✅ Redis connected for session storage"


class Scanned(FakeStore):
    """A database with `users` keys of ours among `others`, each with `sessions` of them, scanned in pages."""

    def __init__(self, users: int, others: int = 0, sessions: int = 2) -> None:
        super().__init__(None)
        self.keys = [f"u:{n}" for n in range(users)] + [f"other:{n}" for n in range(others)]
        self.sessions = sessions

    def _send(self, command: Command) -> object:
        self.sent.append(command)
        match command:
            case ["DBSIZE"]:
                return len(self.keys)
            case ["SCAN", str() as cursor, "MATCH", "u:*", "COUNT", int() as count]:
                end = int(cursor) + count
                page = [key for key in self.keys[int(cursor) : end] if key.startswith("u:")]
                return [str(end) if end < len(self.keys) else "0", page]
        raise AssertionError(command)

    def _send_all(self, commands: Sequence[Command], *, atomic: bool) -> object:
        assert not atomic
        self.sent.append(("PIPELINE", *commands))
        assert all(command[0] == "HKEYS" for command in commands)
        return [["r", "p:x", *(f"s:{n}" for n in range(self.sessions))] for _ in commands]


@pytest.mark.parametrize(
    ("users", "others", "expected"),
    [
        (0, 0, Count(0, 0, exact=True)),
        (0, 5000, Count(0, 0, exact=True)),
        (3, 0, Count(3, 6, exact=True)),
        (3, 5000, Count(3, 6, exact=True)),
        (500, 0, Count(500, 1000, exact=True)),
        (501, 0, Count(501, 1002, exact=False)),
        (15_000, 0, Count(15_000, 30_000, exact=False)),
        (40_000, 0, Count(40_000, 80_000, exact=False)),
    ],
)
def test_counting(users: int, others: int, expected: Count) -> None:
    """Few keys are counted, many are estimated and said to be."""
    store = Scanned(users, others)
    assert store.count("u:", "s:", "x:") == expected


def test_counting_is_bounded() -> None:
    """However many keys there are: one DBSIZE, 20 SCANs and one pipeline of 500."""
    store = Scanned(30_000, 30_000)
    store.count("u:", "s:", "x:")
    assert [command[0] for command in store.sent] == ["DBSIZE", *["SCAN"] * 20, "PIPELINE"]
    assert len(store.sent[-1]) == 501


@pytest.mark.parametrize(
    "answers",
    [
        [None],
        ["5"],
        [5, None],
        [5, []],
        [5, ["0"]],
        [5, ["0", None]],
        [5, ["0", ["u:1"], 1]],
        [5, ["0", [1]]],
        [5, ["0", "u:1"]],
        [5, ["0", ["u:1"]], None],
        [5, ["0", ["u:1"]], []],
        [5, ["0", ["u:1"]], [None]],
        [5, ["0", ["u:1"]], ["s:a"]],
        [5, ["0", ["u:1"]], [["s:a"], ["s:a"]]],
        [5, ["0", ["u:1"]], [[None]]],
        [5, ["0", ["u:1"]], [{"s:a": "1"}]],
    ],
)
def test_counting_takes_no_wrong_shape(answers: list[Any]) -> None:
    """Figures that rest on an answer which is none are not given."""
    with pytest.raises(StoreUnavailable):
        FakeStore(*answers).count("u:", "s:", "x:")
