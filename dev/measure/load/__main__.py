"""Whether the functions answer correctly, and stay small, over hours of mixed traffic.

    python -m dev.measure.load [--minutes 10] [--rate 40] [--visitors 6] [--json]

Each function is a process of Vercel's own Python runtime, sessions are in a local Upstash over Valkey, and
the traffic comes from a process of its own: two verifies of three, and of everything else some. Every request
knows what must come of it; another answer is an error. Exits with 1 for any error, a function over 60 MB, or
one whose memory, threads or open files grow. Needs Linux. Latencies are of this machine.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from dev.measure.bench.report import percentile
from dev.measure.load.soak import GROWTH_KIB, JUDGED_SECONDS, WARM_UP, Result, failures, smallest_leak, soak
from dev.measure.load.watch import MB, Sample
from dev.upstash.valkey import Unavailable


def figures(result: Result) -> dict[str, Any]:
    """Everything, for programs; each function with its series of [seconds, bytes, threads, open files]."""
    outcome = result.outcome
    everything = [time for times in outcome.times.values() for time in times]
    return {
        "seconds": round(outcome.seconds, 1),
        "late_seconds": round(outcome.late, 1),
        "failures": failures(result),
        "all": _latencies(everything, sum(outcome.errors.values())),
        "requests": {
            kind: _latencies(times, outcome.errors.get(kind, 0)) for kind, times in outcome.times.items()
        },
        "examples": outcome.examples,
        "functions": {name: _function(result, name) for name in result.functions},
    }


def _latencies(times: list[float], errors: int) -> dict[str, float]:
    ms = {f"p{percent}_ms": round(percentile(times, percent), 2) for percent in (50, 99)} if times else {}
    return {"count": len(times), "errors": errors, **ms}


def _function(result: Result, name: str) -> dict[str, Any]:
    seen = result.functions[name]
    first, last = (seen.judged or [seen.before])[0], (seen.judged or [seen.after])[-1]
    return {
        "start_mb": round(seen.before.rss / MB, 2),
        "warm_mb": round(first.rss / MB, 2),
        "end_mb": round(last.rss / MB, 2),
        "peak_mb": round(seen.peak / MB, 2),
        "slope_mb_an_hour": round(seen.slope.bytes_an_hour / MB, 2),
        "noise_mb_an_hour": round(seen.slope.noise / MB, 2),
        "slope_judged": seen.judged_seconds >= JUDGED_SECONDS,
        "requests": result.outcome.sent.get(name, 0),
        "smallest_leak_bytes": smallest_leak(result, name),
        "threads": [
            seen.before.threads,
            max(one.threads for one in (seen.samples or [seen.after])),
            seen.after.threads,
        ],
        "open_files": [
            seen.before.files,
            max(one.files for one in (seen.samples or [seen.after])),
            seen.after.files,
        ],
        "series": [[round(one.seconds, 1), one.rss, one.threads, one.files] for one in seen.samples],
    }


def show(said: dict[str, Any]) -> None:
    """The figures as tables."""
    print(f"{'request':<26}{'count':>8}{'errors':>8}{'p50 ms':>9}{'p99 ms':>9}")
    for kind, row in [*said["requests"].items(), ("all", said["all"])]:
        print(f"{kind:<26}{row['count']:>8}{row['errors']:>8}{row['p50_ms']:>9.1f}{row['p99_ms']:>9.1f}")
    print(
        f"\n{'MB of memory':<20}{'start':>7}{'warm':>7}{'end':>7}{'peak':>7}{'an hour':>17}"
        f"{'leak from':>12}{'threads':>13}{'open files':>13}"
    )
    for name, row in said["functions"].items():
        rate = f"{row['slope_mb_an_hour']:+.2f} ± {row['noise_mb_an_hour']:.2f}"
        hour = rate if row["slope_judged"] else "–"
        leak = "–" if row["smallest_leak_bytes"] is None else f"{row['smallest_leak_bytes']} B"
        counts = ("-".join(map(str, row[what])) for what in ("threads", "open_files"))
        print(
            f"{name:<20}{row['start_mb']:>7.1f}{row['warm_mb']:>7.1f}{row['end_mb']:>7.1f}{row['peak_mb']:>7.1f}"
            f"{hour:>17}{leak:>12}" + "".join(f"{count:>13}" for count in counts)
        )
    total, judged = said["all"], all(row["slope_judged"] for row in said["functions"].values())
    growth = (
        f"beyond that and over {GROWTH_KIB} KiB is growth" if judged else "the run is too short to judge it"
    )
    print(
        f"\n{total['count']} requests in {said['seconds']} s, {total['errors']} errors; "
        f"the load was at most {said['late_seconds']} s late.\n"
        f"Memory an hour: least squares after the first {WARM_UP:.0%} of the time, ± 95 %; {growth}."
    )
    print(
        "Leak from: the least bytes for each request that would show here. A function also remembers what is"
    )
    print("used up or ended, 4,096 names of each kind at most, which is 1 MB; until then it grows by that.")
    print("Threads and open files: before, most, after.")
    for example in said["examples"]:
        print(f"  {example}")
    print("\n".join(f"FAILED  {failure}" for failure in said["failures"]) or "Passed.")


def main() -> int:
    """Run and report; 0 when everything is as it must be."""
    parser = argparse.ArgumentParser(prog="python -m dev.measure.load", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="fractions too (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second (default: %(default)s)")
    parser.add_argument("--visitors", type=int, default=6, help="at once (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one object, with every look at every function")
    options = parser.parse_args()
    if not Path("/proc/self/smaps_rollup").exists():
        print("Memory is read from /proc, which only Linux has.", file=sys.stderr)
        return 1
    told = [time.monotonic()]

    def progress(sample: Sample, name: str) -> None:
        if name == "telegram/verify" and time.monotonic() - told[0] >= 60:
            told[0] = time.monotonic()
            print(f"{sample.seconds / 60:.0f} min, verify takes {sample.rss / MB:.1f} MB", file=sys.stderr)

    try:
        result = soak(
            seconds=options.minutes * 60, rate=options.rate, visitors=options.visitors, progress=progress
        )
    except Unavailable as missing:
        print(missing, file=sys.stderr)
        return 1
    said = figures(result)
    if options.json:
        print(json.dumps(said))
    else:
        show(said)
    return 1 if said["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
