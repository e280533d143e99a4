"""Send the traffic, watch the functions all the while, and judge the result."""

import math
import multiprocessing
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.pool import AsyncResult

from dev.measure.load.site import deployment
from dev.measure.load.traffic import TIMEOUT, Outcome, Plan, send
from dev.measure.load.watch import MB, Sample, Slope, look, peak, slope
from dev.vercel.runtime import Function

PEAK_MB = 60
WARM_UP = 0.4
"""The part of the time that no slope is taken of: code is loaded on first use, and memories fill."""

GROWTH_KIB = 1024
"""Growth over the judged time that is no leak: one arena of Python's allocator.

The runtime has a thread for each request, and the C library spreads their memory over arenas of its own:
some hundred KiB come by and by while the number of Python's objects stays the same.
"""

JUDGED_SECONDS = 120
"""A slope over less than this says nothing."""

_SETTLE = 2.0


@dataclass(frozen=True)
class Seen:
    """One function: its samples, its peak, and how it was before the first and after the last request."""

    samples: list[Sample]
    peak: int
    before: Sample
    after: Sample

    @property
    def judged(self) -> list[Sample]:
        """The samples after the warm-up."""
        return self.samples[int(len(self.samples) * WARM_UP) :]

    @property
    def slope(self) -> Slope:
        """How fast its memory grew after the warm-up; none of a run with too few samples."""
        return slope(self.judged) if len(self.judged) > 2 else Slope(0.0, 0.0)

    @property
    def judged_seconds(self) -> float:
        """How long the time is that the slope is taken of."""
        return self.judged[-1].seconds - self.judged[0].seconds if self.judged else 0.0


@dataclass(frozen=True)
class Result:
    """All that was seen."""

    outcome: Outcome
    functions: dict[str, Seen] = field(default_factory=dict)
    visitors: int = 0


def soak(
    *,
    seconds: float,
    rate: float,
    visitors: int,
    changes: Mapping[str, Mapping[str, str]] | None = None,
    progress: Callable[[Sample, str], None] = lambda *_: None,
) -> Result:
    """Run it; `changes` as `deployment`, and `progress` hears of every look at every function."""
    with deployment(changes) as functions:
        before = {name: look(function.pid, 0.0) for name, function in functions.items()}
        samples: dict[str, list[Sample]] = {name: [] for name in functions}
        plan = Plan({name: one.port for name, one in functions.items()}, seconds, rate, visitors)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            traffic = pool.apply_async(send, [plan])
            outcome = _watch(traffic, seconds + 2 * TIMEOUT, functions, samples, progress)
        # What was in flight has ended; what was opened for it must be closed by now, or kept for the next.
        time.sleep(_SETTLE)
        seen = {
            name: Seen(samples[name], peak(one.pid), before[name], look(one.pid, seconds))
            for name, one in functions.items()
        }
    return Result(outcome, seen, visitors)


def _watch(
    traffic: AsyncResult[Outcome],
    most: float,
    functions: Mapping[str, Function],
    samples: dict[str, list[Sample]],
    progress: Callable[[Sample, str], None],
) -> Outcome:
    """Look at everything once a second until the traffic has ended, which takes `most` seconds at most."""
    started, passed = time.monotonic(), 0.0
    while passed < most:
        try:
            return traffic.get(timeout=1)
        except multiprocessing.TimeoutError:
            passed = time.monotonic() - started
        for name, function in functions.items():
            sample = look(function.pid, passed)
            samples[name].append(sample)
            progress(sample, name)
            # Nobody reads it, and hours of it would fill this process.
            function.logs.clear()
    raise RuntimeError("the load process did not end")


def failures(result: Result) -> list[str]:
    """What is not as it must be, in words; none is a pass."""
    found = []
    errors = sum(result.outcome.errors.values())
    if errors or not result.outcome.times:
        found.append(f"{errors} of {requests(result)} requests had another answer than they must have")
    for name, seen in result.functions.items():
        if seen.peak > PEAK_MB * MB:
            found.append(f"{name}: {seen.peak / MB:.1f} MB at its peak, over {PEAK_MB}")
        if grows(seen):
            now = seen.slope
            figures = f"{now.bytes_an_hour / MB:.1f} ± {now.noise / MB:.1f}"
            found.append(f"{name}: memory grows by {figures} MB an hour")
        for what, least, most in (
            ("threads", seen.before.threads, seen.after.threads),
            ("open files", seen.before.files, seen.after.files),
        ):
            # Each visitor may have made it keep one connection to the store.
            if most > least + result.visitors:
                found.append(f"{name}: {least} {what} before, {most} after")
    return found


def grows(seen: Seen) -> bool:
    """Whether its memory grows: beyond the noise, and by more than an allocator may by itself."""
    if seen.judged_seconds < JUDGED_SECONDS:
        return False
    growth = seen.slope.bytes_an_hour * seen.judged_seconds / 3600
    return seen.slope.bytes_an_hour > seen.slope.noise and growth > GROWTH_KIB * 1024


def smallest_leak(result: Result, name: str) -> int | None:
    """The least bytes for each request that would show as growth; None where nothing would."""
    judged = result.outcome.sent.get(name, 0) * (1 - WARM_UP)
    if not judged or result.functions[name].judged_seconds < JUDGED_SECONDS:
        return None
    return math.ceil(GROWTH_KIB * 1024 / judged)


def requests(result: Result) -> int:
    """How many requests were sent."""
    return sum(map(len, result.outcome.times.values()))
