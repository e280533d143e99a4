"""Everything that tgauth asks fails, in every way, at every request: is anybody logged out, or let in?

    python -m dev.prove.faults [--quick [N]] [--json] [--only ACTION] [--sabotage NAME]

The real functions, a real Valkey behind the local Upstash and over TCP, the simulated Telegram, and a preview
with its production. Ends with 1 if a session was lost, somebody got in who must not, an answer was no
documented one, or took too long.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from dev.prove.faults.actions import actions
from dev.prove.faults.matrix import Result, Tally
from dev.prove.faults.sabotage import SABOTAGE
from dev.prove.faults.share import share
from dev.upstash.valkey import Unavailable

PROCESSES = 2
_SHOWN = 20

WRONG = {
    "lost": "sessions lost",
    "open": "fail-open",
    "5xx": "5xx other than 503",
    "form": "answers of another form than documented",
    "slow": "answers over the bound (3 s the store, 8 s Telegram and the store)",
}


def tables(results: list[Result]) -> dict[str, dict[str, Tally]]:
    """The results by action and by kind of fault."""
    found: dict[str, dict[str, Tally]] = {"action": {}, "fault": {}}
    for result in results:
        first = result.faults[0]
        names = {"action": result.action, "fault": f"{first.target}: {first.kind}"}
        for table, name in names.items():
            found[table].setdefault(name, Tally()).add(result)
    return found


def report(results: list[Result], commands: int, seconds: float) -> dict[str, Any]:
    """The figures, for programs and for people."""
    total = Tally()
    for result in results:
        total.add(result)
    wrong = [
        {"what": kind, "case": str(result), "shows": text}
        for result in results
        for kind, text in result.verdict.wrong
    ]
    matrix: dict[str, dict[str, int]] = {}
    for result in results:
        fault, row = result.faults[0], matrix.setdefault(result.action, {})
        name = f"{fault.target}: {fault.kind}"
        row[name] = row.get(name, 0) + result.injected
    return {
        "cases": total.cases,
        "injected": total.injected,
        "worked": total.worked,
        "unavailable": total.unavailable,
        "refused": total.refused,
        **{kind: total.wrong[kind] for kind in WRONG},
        "longest": round(total.longest, 3),
        "longest at the store": round(_longest(results, telegram=False), 3),
        "longest at Telegram": round(_longest(results, telegram=True), 3),
        "commands": commands,
        "seconds": round(seconds, 1),
        "matrix": matrix,
        "findings": wrong,
    }


def _longest(results: list[Result], *, telegram: bool) -> float:
    def meant(result: Result) -> bool:
        return any(fault.target not in ("store", "redis") for fault in result.faults) == telegram

    return max((result.seconds for result in results if meant(result)), default=0.0)


def show(results: list[Result], figures: dict[str, Any]) -> None:
    """Print the tables and the figures."""
    for title, table in tables(results).items():
        print(
            f"{title:<28}{'cases':>7}{'faults':>8}{'done':>7}{'503':>7}{'4xx':>6}{'wrong':>7}{'longest':>10}"
        )
        for name, tally in table.items():
            done = f"{tally.worked:>7}{tally.unavailable:>7}{tally.refused:>6}"
            counts = f"{tally.cases:>7}{tally.injected:>8}{done}"
            print(f"{name:<28}{counts}{sum(tally.wrong.values()):>7}{tally.longest:>8.2f} s")
        print()
    for finding in figures["findings"][:_SHOWN]:
        print(f"{finding['what']}: {finding['case']}: {finding['shows']}")
    if len(figures["findings"]) > _SHOWN:
        print(f"… and {len(figures['findings']) - _SHOWN} more; --json has all of them")
    print(f"{figures['injected']} faults injected in {figures['cases']} requests, {figures['seconds']} s")
    for kind, name in WRONG.items():
        print(f"{figures[kind]:>6} {name}")
    print(
        f"longest answer {figures['longest at the store']:.2f} s with a fault of the store's, "
        f"{figures['longest at Telegram']:.2f} s with one of Telegram's; "
        f"{figures['commands']} commands at the store"
    )


def main() -> int:
    """Run it all."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.prove.faults", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--quick", type=int, nargs="?", const=4, default=0, help="so many faults of every action"
    )
    names = [action.name for action in actions()]
    parser.add_argument(
        "--only", action="append", default=[], choices=names, metavar="ACTION", help="more than once for more"
    )
    parser.add_argument("--json", action="store_true", help="one object for programs")
    parser.add_argument("--sabotage", choices=SABOTAGE, action="append", default=[], help="see it noticed")
    options = parser.parse_args()
    started = time.monotonic()
    # To start a second one takes as long as the few that it would do.
    processes = 1 if options.quick else PROCESSES
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        parts = [
            pool.submit(share, number, processes, options.quick, options.only, options.sabotage)
            for number in range(processes)
        ]
        try:
            done = [part.result() for part in parts]
        except Unavailable as missing:
            print(missing, file=sys.stderr)
            return 1
    results = [result for part, _ in done for result in part]
    figures = report(results, sum(commands for _, commands in done), time.monotonic() - started)
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        show(results, figures)
    return int(any(figures[kind] for kind in WRONG))


if __name__ == "__main__":
    sys.exit(main())
