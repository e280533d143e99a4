"""One process's part of the cases."""

import os
from collections.abc import Sequence
from contextlib import redirect_stdout

from dev.prove.faults.deployment import Ground, Lane, dispatch
from dev.prove.faults.matrix import Result, cases, chosen, run_all
from dev.prove.faults.sabotage import SABOTAGE

SLOW_THREADS, THREADS = 32, 3


def share(
    number: int, processes: int, quick: int, only: Sequence[str], sabotage: Sequence[str]
) -> tuple[list[Result], int]:
    """Run this process's part of all cases; what came of them, and how many commands the store got."""
    dispatch()
    for name in sabotage:
        SABOTAGE[name]()
    # The functions write a log.
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), Ground() as ground:
        lane = Lane(ground)
        found = list(cases(lane, quick > 0, only))
        lane.close()
        if quick:
            found = chosen(found, quick, seed=1)
        found = found[number::processes]
        # Those that wait need no processor, and the others would make them wait longer.
        results = run_all(ground, [case for case in found if case.slow], SLOW_THREADS)
        results += run_all(ground, [case for case in found if not case.slow], THREADS)
        commands = ground.upstash.commands
    return results, commands
