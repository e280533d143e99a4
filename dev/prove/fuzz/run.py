"""A time-boxed run over all targets, in several processes, and what it found."""

import hashlib
import json
import os
import random
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dev.prove.fuzz.mutate import Mutator
from dev.prove.fuzz.strategies import EVERY, hypothesize
from dev.prove.fuzz.targets import Target, Wrong

KEPT = Path(__file__).resolve().parents[3] / "tests" / "regressions" / "fuzz"
SLOW_SECONDS = 0.05
_TURN_SECONDS = 0.5
_SHRINK_SECONDS = 2.0
_HTTP_SHARE = 0.4
"""Of the time: a request takes as long as dozens of inputs to a parser."""

_HYPOTHESIS_SHARE = 0.12
_MOST_FINDINGS = 5


@dataclass
class Found:
    """One input that was taken wrongly, broke something or took long."""

    target: str
    what: str
    value: Any
    seconds: float = 0.0


@dataclass
class Score:
    """What one target had: `wrong` was taken and must not be, `broken` would be answered with 5xx."""

    inputs: int = 0
    hypothesis: int = 0
    seconds: float = 0.0
    wrong: int = 0
    broken: int = 0
    slow: int = 0
    slowest: float = 0.0
    findings: list[Found] = field(default_factory=list)

    def note(self, found: Found) -> None:
        """Keep the first of what is wrong."""
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(found)

    def count(self, target: Target, value: Any, error: Exception) -> None:
        """What a check raised."""
        if isinstance(error, Wrong):
            self.wrong += 1
        else:
            self.broken += 1
        self.note(Found(target.name, _described(error), value))


def fuzz(seconds: float, seed: int, names: list[str]) -> dict[str, dict[str, Any]]:
    """Fuzz the named targets for so long, in turns; their scores."""
    ends_at, scores = time.monotonic() + seconds, {name: Score() for name in names}
    turn = min(_TURN_SECONDS, seconds / 2 / len(names))
    pick = random.Random(seed)  # noqa: S311 (the same for a seed)
    with quiet():
        for number, (name, by_hypothesis) in enumerate(_turns(scores, pick)):
            left = ends_at - time.monotonic()
            if left <= 0:
                break
            started = time.monotonic()
            if by_hypothesis:
                examples(EVERY[name], seed + number, scores[name])
            else:
                mutations(EVERY[name], seed + number, scores[name], seconds=min(left, turn))
            scores[name].seconds += time.monotonic() - started
    return {name: asdict(score) for name, score in scores.items()}


def _turns(scores: dict[str, Score], pick: random.Random) -> Iterator[tuple[str, bool]]:
    """Whose turn it is, and whether it is Hypothesis'; who had least time of its share is next."""
    yield from [(name, by_hypothesis) for by_hypothesis in (False, True) for name in scores]
    parsers = max(1, len(scores) - ("HTTP" in scores))
    share = {name: _HTTP_SHARE if name == "HTTP" else (1 - _HTTP_SHARE) / parsers for name in scores}
    while True:
        yield (
            min(scores, key=lambda name: scores[name].seconds / share[name]),
            pick.random() < _HYPOTHESIS_SHARE,
        )


@contextmanager
def quiet() -> Iterator[None]:
    """What the functions log is not kept."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        yield


def mutations(
    target: Target, seed: int, score: Score, *, seconds: float = float("inf"), most: float = float("inf")
) -> None:
    """Try good inputs with something changed, for so long or so many."""
    mutator, make, check, clock = Mutator(seed), target.make, target.check, time.thread_time
    ends_at, most = time.monotonic() + seconds, score.inputs + most
    while time.monotonic() < ends_at and score.inputs < most:
        for _ in range(20):
            value = make(mutator)
            started = clock()
            try:
                check(value)
            except Exception as error:
                score.count(target, value, error)
            took = clock() - started
            score.inputs += 1
            if took > score.slowest:
                # Only what is slow again is: the first time may have paid for an import or the collector.
                took = min(took, _again(target, value)) if took > SLOW_SECONDS else took
                score.slowest = max(score.slowest, took)
                if took > SLOW_SECONDS:
                    score.slow += 1
                    score.note(Found(target.name, "slow", value, took))


def _again(target: Target, value: Any) -> float:
    started = time.thread_time()
    with suppress(Exception):
        target.check(value)
    return time.thread_time() - started


def examples(target: Target, seed: int, score: Score) -> None:
    """Try what Hypothesis makes up, and keep the smallest of what is bad."""
    ends_at, bad = time.monotonic() + _SHRINK_SECONDS, list[tuple[Any, Exception]]()

    def attempt(value: Any) -> None:
        # Making a bad input small can take minutes; what is tried after this passes, so that it ends.
        if bad and time.monotonic() > ends_at:
            return
        score.inputs += 1
        score.hypothesis += 1
        try:
            target.check(value)
        except Exception as error:
            bad.append((value, error))
            raise

    with suppress(Exception):
        hypothesize(target, seed, attempt)
    if bad:
        score.count(target, *min(bad, key=lambda one: len(json.dumps(one[0]))))


def _described(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error} ({place})"[:400]


def keep(found: dict[str, Any], folder: Path = KEPT) -> Path:
    """Write an input to a file, from where a test tries it again."""
    text = json.dumps({name: found[name] for name in ("target", "what", "value")}, indent=1) + "\n"
    name = hashlib.sha256(json.dumps(found["value"]).encode()).hexdigest()[:12]
    file = folder / f"{found['target'].replace(' ', '-')}-{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def replay(file: Path) -> None:
    """Try a kept input again; raises what it raises."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    with quiet():
        EVERY[kept["target"]].check(kept["value"])
