"""tgauth beside what people use today: round trips, cold starts and verifies, on one machine and one store.

    python -m dev.measure.peers [--json] [--quick]

The first run installs the peers, as pinned in this folder. Each logs somebody in and out, where it can with a
genuine widget proof, and is asked who is logged in. `--quick` shows whether all of that works; its figures
mean little.
"""

import argparse
import compileall
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from dev.measure.peers.bundle import lay_out
from dev.measure.peers.install import HERE, install, versions
from dev.measure.peers.measure import Sizes, costs, counts
from dev.measure.peers.peers import better_auth, peers
from dev.measure.peers.stores import Stores
from dev.measure.peers.table import Row, document, text
from dev.npm import MissingTool
from dev.vercel.runtime import ROOT

# A token of ours does 600 things a minute in a process, and no more.
FULL = Sizes(cold=15, warm=400, before=200, times=8)
QUICK = Sizes(cold=1, warm=200, before=50, times=1)


def main() -> int:
    """Print the table, or the figures as JSON; 1 when something is not installed."""
    parser = argparse.ArgumentParser(prog="python -m dev.measure.peers", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    try:
        install()
    except MissingTool as missing:
        print(f"Needed: {missing}", file=sys.stderr)
        return 1
    for folder in (ROOT / "api", ROOT / "lib", HERE):
        compileall.compile_dir(folder, quiet=1)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="tgauth-peers-") as scratch, Stores() as stores:
        measured = peers(lay_out(Path(scratch)))
        counted = [counts(peer, stores) for peer in measured]
        times = costs(measured, stores, sizes)
        rows = [Row(*figures) for figures in zip(measured, counted, times, strict=True)]
        limited = better_auth(rate_limit=True)
        rows.append(Row(limited, counts(limited, stores)))
    machine = {
        "system": platform.platform(terse=True),
        "cpus": os.cpu_count(),
        "load_before": round(load, 2),
        "cold_starts": sizes.cold,
        "verifies": sizes.warm * sizes.times,
    }
    if options.json:
        print(json.dumps(document(rows, versions(), machine), indent=2, ensure_ascii=False))
        return 0
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items()))
    print(text(rows, versions()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
