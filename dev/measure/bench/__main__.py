"""Cold starts, running functions, cost and growth, compared with a minimal function.

    make bench                          everything, within ten minutes on two idle cores
    make bench ONLY=warm,cost           some of: cold warm cost growth
    make bench QUICK=1                  few samples: whether it works, not how fast it is
    make bench BIG=1                    growth up to a million sessions
    make bench JSON=1                   for programs

Linux only. Milliseconds are of this machine; what travels is the ratio to the floor. Leave the machine alone
meanwhile: the first line has its load.
"""

import argparse
import contextlib
import os
import sys
import time
from functools import partial

from dev.measure.bench import cold, cost, growth, machine, warm
from dev.measure.bench.report import Result, render
from dev.npm import MissingTool
from dev.upstash.valkey import Unavailable


def main() -> int:
    """Measure and print; 1 if a tool is missing that REQUIRE_ALL=1 wants, or that was asked for by name."""
    measures = {"cold": cold.measure, "warm": warm.measure, "cost": cost.measure, "growth": growth.measure}
    parser = argparse.ArgumentParser(
        prog="python -m dev.measure.bench", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--only", default=",".join(measures), help=f"some of {','.join(measures)}")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chosen = options.only.split(",")
    if unknown := set(chosen) - measures.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    measures["growth"] = partial(growth.measure, big=options.big)
    before, began = machine.describe(), time.monotonic()
    results: dict[str, Result] = {}
    failed = False
    for name in chosen:
        try:
            # What lib logs of the store is none of the figures.
            with contextlib.redirect_stdout(sys.stderr):
                results[name] = measures[name](quick=options.quick, note=_note)
        except (MissingTool, Unavailable) as missing:
            print(f"{name} is left out, for want of: {missing}", file=sys.stderr)
            failed |= os.environ.get("REQUIRE_ALL") == "1" or len(chosen) < len(measures)
    spent = {"quick": options.quick, "seconds": round(time.monotonic() - began)}
    print(
        render({**before, "load after": machine.describe()["load"], **spent}, results, as_json=options.json)
    )
    return int(failed)


def _note(what: str) -> None:
    """Say what goes on, where figures are not written to."""
    print(f"[{time.strftime('%H:%M:%S')}] {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
