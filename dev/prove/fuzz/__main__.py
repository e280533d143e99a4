"""Malformed inputs for every parser, and malformed requests for every address.

    python -m dev.prove.fuzz [--seconds 60] [--seed N] [--target NAME] [--json]

Good inputs are changed, and Hypothesis makes some of its own. What is taken must be what was signed, letter
for letter; what a parser reads must be what another reads. Ends with 1 if something was taken wrongly, would
be answered with 5xx, or took over 50 ms of processor time. Such inputs go to tests/regressions/fuzz, where a
test tries them.
"""

import argparse
import json
import secrets
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from dev.prove.fuzz.run import fuzz, keep
from dev.prove.fuzz.strategies import EVERY

PROCESSES = 2


def merged(parts: list[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The scores of all processes together."""
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        for name, score in part.items():
            have = found.setdefault(name, dict(score, findings=[], **dict.fromkeys(_SUMS, 0), slowest=0.0))
            for key in _SUMS:
                have[key] += score[key]
            have["slowest"] = max(have["slowest"], score["slowest"])
            have["findings"] = have["findings"] + score["findings"]
    return found


_SUMS = ("inputs", "hypothesis", "seconds", "wrong", "broken", "slow")


def show(figures: dict[str, Any]) -> None:
    """Print the table and the sums."""
    head = f"{'inputs':>10}{'hypothesis':>12}{'a second':>10}{'wrong':>7}{'5xx':>5}{'slow':>6}{'slowest':>11}"
    print(f"{'target':<16}{head}")
    for name, score in figures["targets"].items():
        rate = score["inputs"] / max(score["seconds"], 0.001)
        counts = f"{score['inputs']:>10}{score['hypothesis']:>12}{rate:>10.0f}"
        counts += f"{score['wrong']:>7}{score['broken']:>5}{score['slow']:>6}"
        print(f"{name:<16}{counts}{score['slowest'] * 1000:>8.1f} ms")
        for finding in score["findings"]:
            print(f"  {finding['what']}: {json.dumps(finding['value'])[:300]}")
    print(
        f"{figures['parser inputs']} inputs to parsers and {figures['requests']} requests "
        f"in {figures['seconds']} s, seed {figures['seed']}: "
        f"{figures['wrong']} taken wrongly, {figures['5xx']} 5xx, {figures['slow']} slow"
    )
    for file in figures["kept"]:
        print(f"written: {file}")


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.prove.fuzz", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=secrets.randbits(31))
    parser.add_argument(
        "--target", action="append", choices=EVERY, help="only this one; more than once for more"
    )
    parser.add_argument("--json", action="store_true", help="one object for programs")
    options = parser.parse_args()
    names, started = options.target or list(EVERY), time.monotonic()
    if not options.json:
        print(f"seed {options.seed}", flush=True)
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        parts = [
            pool.submit(fuzz, options.seconds, options.seed + 10**6 * n, names) for n in range(PROCESSES)
        ]
        targets = merged([part.result() for part in parts])
    requests = targets.get("HTTP", {}).get("inputs", 0)
    figures = {
        "seed": options.seed,
        "seconds": round(time.monotonic() - started, 1),
        "parser inputs": sum(score["inputs"] for score in targets.values()) - requests,
        "requests": requests,
        "wrong": sum(score["wrong"] for score in targets.values()),
        "5xx": sum(score["broken"] for score in targets.values()),
        "slow": sum(score["slow"] for score in targets.values()),
        "targets": targets,
        "kept": [str(keep(found)) for score in targets.values() for found in score["findings"]],
    }
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        show(figures)
    return int(bool(figures["wrong"] or figures["5xx"] or figures["slow"]))


if __name__ == "__main__":
    sys.exit(main())
