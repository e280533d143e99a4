"""What a target of the fuzzing is, and ways to draw its inputs.

An input is JSON (text may hold bytes as latin-1), so that it can be kept in a file and tried again.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dev.prove.fuzz.mutate import Mutator
from lib.tgauth.errors import Problem


class Wrong(AssertionError):
    """An input was taken that is not good, or read as something else."""


class ServerError(Exception):
    """An answer of 5xx, which no input may cause."""


@dataclass(frozen=True)
class Target:
    """`make` draws an input; `check` tries one and raises `Wrong`, or else what would be a 5xx."""

    name: str
    make: Callable[[Mutator], Any]
    check: Callable[[Any], object]


def refused(call: Callable[[], Any], *allowed: type[Problem]) -> Any:
    """What `call` gives; None where it refuses in one of the ways that it may."""
    try:
        return call()
    except allowed:
        return None


def require(holds: object, text: str) -> None:
    """Raises `Wrong` unless it holds."""
    if not holds:
        raise Wrong(text)


def text_of(*seeds: str) -> Callable[[Mutator], str]:
    """One of the seeds, changed."""
    return lambda mutator: mutator.text(mutator.random.choice(seeds))


def json_of(*seeds: Any) -> Callable[[Mutator], str]:
    """Bytes of JSON: changed as a value, and then as text, or one of both."""

    def make(mutator: Mutator) -> str:
        pick = mutator.random
        value = pick.choice(seeds)
        if pick.random() < 0.7:
            value = mutator.value(value)
        text = json.dumps(value, ensure_ascii=pick.random() < 0.5)
        text = mutator.text(text) if pick.random() < 0.5 else text
        return text.encode("utf-8", "surrogatepass").decode("latin-1")

    return make


def values_of(*seeds: Any) -> Callable[[Mutator], Any]:
    """One of the seeds with a part of it changed."""

    def make(mutator: Mutator) -> Any:
        value = mutator.value(mutator.random.choice(seeds))
        return mutator.value(value) if mutator.random.random() < 0.5 else value

    return make
