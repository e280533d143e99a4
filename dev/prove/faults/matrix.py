"""All cases, and running them in many threads, each with its own deployments and servers."""

import random
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice

from dev.prove.faults.actions import Action, actions, unreachable
from dev.prove.faults.client import Answer
from dev.prove.faults.deployment import Ground, Lane
from dev.prove.faults.judge import LEFT, Verdict, judge
from dev.prove.faults.redis_point import ERRORS
from dev.prove.faults.scene import Scene
from dev.upstash.faults import ANSWERS, BROKEN, CHANGES, SLOW, Fault, Target

_QUICK_KINDS = (
    "drop",
    "reset",
    "500",
    "401",
    "wrong types",
    "part of it",
    "hang",
    "drip",
    "refused",
    "ERR",
    "nothing",
)
# What has no form of its own before the effect: the real answer is what is changed.
_ONLY_AFTER = tuple(CHANGES)


@dataclass(frozen=True)
class Case:
    """One action while these faults last."""

    action: Action
    faults: tuple[Fault, ...]

    @property
    def slow(self) -> bool:
        """Whether it waits for a deadline."""
        return any(fault.kind in SLOW for fault in self.faults)


@dataclass
class Result:
    """What became of one case; `injected` is how often its faults happened."""

    action: str
    faults: tuple[Fault, ...]
    injected: int
    status: int
    seconds: float
    verdict: Verdict

    @property
    def name(self) -> tuple[str, tuple[Fault, ...]]:
        """Which case it was."""
        return self.action, self.faults

    @property
    def late(self) -> bool:
        """Whether the answer took longer than it may."""
        return any(kind == "slow" for kind, _ in self.verdict.wrong)

    def __str__(self) -> str:
        return f"{self.action} ({'; '.join(map(str, self.faults))})"


@dataclass
class Tally:
    """The results of some cases."""

    cases: int = 0
    injected: int = 0
    worked: int = 0
    unavailable: int = 0
    refused: int = 0
    longest: float = 0.0
    wrong: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        """One more."""
        self.cases += 1
        self.injected += result.injected
        self.worked += result.status < 400
        self.unavailable += result.status == 503
        self.refused += 400 <= result.status < 500
        self.longest = max(self.longest, result.seconds)
        self.wrong.update({kind for kind, _ in result.verdict.wrong})


def kinds(target: Target) -> tuple[str, ...]:
    """What can go wrong there."""
    if target == "redis":
        return (*BROKEN, *ERRORS)
    return (*BROKEN, *(kind for kind in ANSWERS if kind != "full" or target == "store"), *CHANGES)


def requests(lane: Lane, action: Action, target: Target) -> int:
    """How many requests the target gets in this action when nothing goes wrong; all of it must work then."""
    for _ in range(3):
        answer, _ = perform(lane, Case(action, (Fault("none", target=target, nth=0),)))
        if answer.worked != action.attack and LEFT not in answer.events:
            return lane.points[target].asked
    raise RuntimeError(
        f"without faults: {action.name}: {answer.status} {answer.body!r}, logged {answer.events}"
    )


def cases(lane: Lane, quick: bool, only: Collection[str] = ()) -> Iterator[Case]:
    """Every kind at every request of every action, before and after its effect, once and from there on."""
    for action in actions():
        if only and action.name not in only:
            continue
        for target in action.targets:
            asked = requests(lane, action, target)
            chosen = [kind for kind in kinds(target) if not quick or kind in _QUICK_KINDS]
            for nth in range(1, asked + 1):
                for kind in chosen:
                    for after in (True,) if kind in _ONLY_AFTER else (False, True):
                        for on in (False, True):
                            yield Case(action, (Fault(kind, after, target, nth, on),))
            if unreachable(action, target):
                yield Case(action, (Fault("refused", target=target, on=True),))
            if target in ("token", "bot", "relay") and not quick:
                # Telegram takes nearly all of its time, and then the store says nothing.
                yield Case(action, (Fault("late", True, target), Fault("hang", on=True)))


def perform(lane: Lane, case: Case) -> tuple[Answer, Scene]:
    """Do it in a new scene, and give the answer with the scene."""
    action, (fault, *_) = case.action, case.faults
    other = unreachable(action, fault.target) if fault.kind == "refused" else None
    at = lane.at(other or action.at)
    lane.expect()
    scene = Scene(lane.ground, lane.ground.number())
    if action.prepare:
        action.prepare(lane, scene)
    at.renew()
    lane.expect(*case.faults)
    return action.act(at, scene), scene


def run(lane: Lane, case: Case) -> Result:
    """Do it and judge it."""
    before = lane.injected()
    answer, scene = perform(lane, case)
    injected = lane.injected() - before
    lane.expect()
    refused = case.faults[0].kind == "refused"
    verdict = judge(lane, case.action, case.faults, scene, answer)
    return Result(case.action.name, case.faults, injected + refused, answer.status, answer.seconds, verdict)


def run_all(ground: Ground, found: list[Case], threads: int) -> list[Result]:
    """Run the cases in so many threads, each with a lane of its own.

    What came late among so many is done once more, alone: threads on a busy machine wait for one another.
    Where one is late alone, it is not the machine, and the others stand as they are.
    """
    results, by_name = (
        _spread(ground, found, threads),
        {(case.action.name, case.faults): case for case in found},
    )
    for at, result in enumerate(results):
        if result.late:
            [results[at]] = _spread(ground, [by_name[result.name]], 1)
            if results[at].late:
                break
    return results


def _spread(ground: Ground, found: list[Case], threads: int) -> list[Result]:
    waiting, lock, failed, results = iter(found), threading.Lock(), [], []

    def work() -> None:
        lane = Lane(ground)
        try:
            while not failed:
                with lock:
                    case = next(waiting, None)
                if case is None:
                    return
                results.append(run(lane, case))
        except Exception as error:
            error.add_note(f"in {case and (case.action.name, case.faults)}")
            failed.append(error)
        finally:
            lane.close()

    crowd = [threading.Thread(target=work) for _ in range(min(threads, len(found)))]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    if failed:
        raise failed[0]
    return results


def chosen(found: list[Case], each: int, seed: int) -> list[Case]:
    """For a short run: so many of every action, the same for a seed."""
    picks = random.Random(seed)  # noqa: S311 (the same in every run)
    groups: dict[str, list[Case]] = {}
    for case in found:
        groups.setdefault(case.action.name, []).append(case)
    for group in groups.values():
        picks.shuffle(group)
    return [case for group in groups.values() for case in islice(group, each)]
