"""How many small changes to security-critical code the tests catch.

    python -m dev.prove.mutants [module ...] [--processes 2]

Each mutant is the code with one small change. Exits with 1 when the tests of a module let more than a tenth
of its mutants live. Survivors are listed; those that cannot be told from the code have a reason, and count
too. The tree stays as it is: mutants are never written.
"""

import argparse
import sys
import time

from dev.prove.mutants.mutant import Mutant, mutants_of
from dev.prove.mutants.run import survivors
from dev.prove.mutants.targets import EQUIVALENT, TARGETS
from dev.vercel.runtime import ROOT

LEAST = 90


def report(name: str, mutants: list[Mutant], alive: list[Mutant]) -> float:
    """Print what became of a module's mutants; the score in per cent."""
    known = sum((mutant.source, mutant.after) in EQUIVALENT for mutant in alive)
    score = 100 * (len(mutants) - len(alive)) / len(mutants)
    print(f"{name:<10}{score:6.1f} %  {len(mutants)} mutants, {len(alive)} alive, {known} of them equivalent")
    for mutant in alive:
        before, after = (text.replace("\n", "\n        ") for text in (mutant.before, mutant.after))
        print(f"    {mutant.source}\n      - {before}\n      + {after}")
        if reason := EQUIVALENT.get((mutant.source, mutant.after)):
            print(f"      = {reason}")
    return score


def main() -> int:
    """Run and report; 0 when every score is high enough."""
    parser = argparse.ArgumentParser(prog="python -m dev.prove.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="module", help=f"of {', '.join(TARGETS)}; all of them")
    parser.add_argument("--processes", type=int, default=2, help="at once (default: %(default)s)")
    options = parser.parse_args()
    if unknown := sorted(set(options.modules) - set(TARGETS)):
        parser.error(f"no module of these: {', '.join(unknown)}")
    scores, started = {}, time.monotonic()
    for name in options.modules or TARGETS:
        sources = TARGETS[name].sources
        mutants = [one for source in sources for one in mutants_of(source, (ROOT / source).read_text())]
        scores[name] = report(name, mutants, survivors(TARGETS[name], mutants, options.processes))
        sys.stdout.flush()
    low = [name for name, score in scores.items() if score < LEAST]
    print(f"{(time.monotonic() - started) / 60:.1f} min. At least {LEAST} % in each: ", end="")
    print(f"no, not in {', '.join(low)}." if low else "yes.")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
