"""What can go wrong between a function and what it asks: the kinds of faults, and when one happens.

A fault is either no answer worth the name (`BROKEN`), another answer (`ANSWERS`), or the real one with
something changed in it (`CHANGES`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from dev.upstash import faults as upstash_faults

Target = Literal["store", "redis", "token", "keys", "bot", "relay"]

SLOW = ("hang", "drip", "late")
"""Kinds that take as long as a deadline."""

BROKEN = ("refused", "drop", "reset", "truncated", "huge", *SLOW)

_UPSTASH = upstash_faults.ANSWERS
_, _HTML = _UPSTASH["502"]

ANSWERS: dict[str, tuple[int, bytes]] = {
    **{name: _UPSTASH[name] for name in ("429", "500", "401", "302", "error with 200")},
    "502 HTML": (502, _HTML),
    "503 JSON": (503, b'{"error":"ERR unavailable"}'),
    "403": (403, b"Forbidden"),
    "400 HTML": (400, _HTML),
    "204": (204, b""),
    "200 HTML": (200, _HTML),
    "empty": (200, b""),
    "null": (200, b"null"),
    "wrong JSON": (200, b'{"result":{"unexpected":[1.5]},"keys":7,"ok":1,"user":[]}'),
    "deep": (200, b"[" * 30_000),
}

FULL = {"full": _UPSTASH["full"]}
"""The store has no room to write: it still reads and deletes."""

# Over TCP there is no status; an error takes the place of the last answer.
ERRORS = {
    "ERR": b"-ERR internal\r\n",
    "LOADING": b"-LOADING Redis is loading the dataset in memory\r\n",
    "NOPERM": b"-NOPERM this user has no permissions\r\n",
    "MASTERDOWN": b"-MASTERDOWN Link with MASTER is down\r\n",
    "EXECABORT": b"-EXECABORT Transaction discarded because of previous errors.\r\n",
    "OOM": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "READONLY": b"-READONLY You can't write against a read only replica.\r\n",
    "number": b":7\r\n",
    "status": b"+OK\r\n",
    "nothing": b"_\r\n",
    "no elements": b"*0\r\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "garbage": bytes(range(256)),
}


@dataclass(frozen=True)
class Fault:
    """What goes wrong, `after` it has taken effect or in its place.

    It happens to the `nth` request that the target gets, or from there `on` to all.
    """

    target: Target
    kind: str
    after: bool = False
    nth: int = 1
    on: bool = False

    def strikes(self, number: int) -> bool:
        """Whether it happens to this one of the target's requests, the first being 1."""
        return number >= self.nth if self.on else number == self.nth

    def __str__(self) -> str:
        when = f"from request {self.nth} on" if self.on else f"at request {self.nth}"
        return f"{self.target}: {self.kind} {'after' if self.after else 'before'} the effect, {when}"


def changed(kind: str, body: bytes) -> bytes:
    """The real answer with what `kind` changes in it; what is no JSON loses its last byte."""
    try:
        return json.dumps(CHANGES[kind](json.loads(body))).encode()
    except ValueError:
        return body[:-1]


def _leaves(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: walk(item) for name, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else change(value)

    return walk


def _wrong_type(leaf: Any) -> Any:
    return 7.5 if isinstance(leaf, str) else {"no": ["number"]}


def _nulls(value: Any) -> Any:
    """Nothing where there was something.

    Null in the place of a list of one is a real miss, as null in it is (Upstash documents both): it is empty.
    """
    if isinstance(value, list):
        return [_nulls(item) for item in value]
    if isinstance(value, dict):
        return {
            name: [] if isinstance(item, list) and len(item) == 1 else None for name, item in value.items()
        }
    return None


def _part(value: Any) -> Any:
    """Without the last element of the outermost list that there is, or without the last field."""
    if isinstance(value, list):
        return value[:-1]
    if isinstance(value, dict) and value:
        last = list(value)[-1]
        rest = {name: item for name, item in value.items() if name != last}
        return rest if not isinstance(value[last], list | dict) else {**rest, last: _part(value[last])}
    return None


def _one_fails(value: Any) -> Any:
    failed = {"error": "ERR internal"}
    return [*value[:-1], failed] if isinstance(value, list) else failed


CHANGES: dict[str, Callable[[Any], Any]] = {
    "wrong types": _leaves(_wrong_type),
    "nulls": _nulls,
    "part of it": _part,
    "one fails": _one_fails,
    "one too many": lambda value: [*value, *value[:1]] if isinstance(value, list) else [value],
    "text reversed": _leaves(lambda leaf: leaf[::-1] if isinstance(leaf, str) else leaf),
}
