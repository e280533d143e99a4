"""Cold starts: from starting the process to its first answer, beside the floor's.

The real Vercel CLI builds a copy of the tree with dev/measure/bench/floor.py as one more function; every
start is of a bundle, in its own files alone, by Vercel's runtime. Vercel's builder puts no bytecode into a
bundle unless VERCEL_PYTHON_COMPILEALL=1 is set, and what is deployed is read-only: so all that a
function imports is compiled anew at each start, but for the standard library. The second table has the
bytecode.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dev.measure.bench import machine
from dev.measure.bench.report import Cell, Result, Spread, Table, Target
from dev.measure.bench.store import local_store
from dev.measure.bench.traffic import Ask, Traffic, deployment
from dev.vercel.build import Bundle, Tools, build, copy_tree, find_tools, install_cli, read_bundles
from dev.vercel.runtime import Function

FLOOR = "api/bench_floor"
_ANSWER = Ask(FLOOR, "GET", path="/answer")
_COMMAND = Ask(FLOOR, "GET", path="/verify", query="?bench&s:none")
MAX_BUNDLE, MAX_MEMORY = 40.0, 60.0
LIMITS = {
    "no bytecode": {"verify": 0.61, "login, widget": 0.66, "login, initData": 0.75, "callback, code": 1.35},
    "bytecode": {"verify": 1.15, "login, widget": 1.6},
}
"""CPU over the floor's."""
_AFAR, _AFAR_LIMIT = "callback, 100 ms", 1.25
_KINDS = {
    "no bytecode": "As Vercel's builder leaves a bundle: each start compiles what it imports.",
    "bytecode": "As it leaves a bundle with VERCEL_PYTHON_COMPILEALL=1 in the project's variables.",
}
COLUMNS = ("", "CPU ms", "floor", "ratio", "wall ms", "floor", "ratio", "peak MB")


@dataclass(frozen=True)
class Start:
    """What one start took until its first answer was there: milliseconds, and the memory it peaked at."""

    cpu: float
    wall: float
    megabytes: float


@dataclass(frozen=True)
class Way:
    """A function that is asked in one way, and the floor that was started by turns with it."""

    cpu_ms: Spread
    floor_cpu_ms: Spread
    wall_ms: Spread
    floor_wall_ms: Spread
    peak_mb: float

    @property
    def cpu_ratio(self) -> float:
        return self.cpu_ms.p50 / self.floor_cpu_ms.p50

    @property
    def wall_ratio(self) -> float:
        return self.wall_ms.p50 / self.floor_wall_ms.p50


class Built:
    """The bundles of a build, laid out to be started."""

    def __init__(self, directory: Path, bundles: Sequence[Bundle], python: str) -> None:
        self.size = max(bundle.size for bundle in bundles) / 1e6
        self._python = python
        self._roots = {bundle.path[1:]: bundle.materialise(directory / bundle.path[1:]) for bundle in bundles}

    def start(self, ask: Ask, traffic: Traffic) -> Start:
        """Start the function of `ask`, ask it, and stop it."""
        function = ask.function if ask.function == FLOOR else f"api/{ask.function}"
        began = time.perf_counter()
        with Function.from_bundle(self._roots[function], self._python, traffic.env) as running:
            answer = running.raw(ask.encode())
            wall = time.perf_counter() - began
            if f" {ask.status} ".encode() not in answer.partition(b"\r\n")[0]:
                raise RuntimeError(f"{ask.method} {ask.target}: {answer.decode()}\n{running.log_text}")
            return Start(
                machine.cpu_seconds(running.pid) * 1e3, wall * 1e3, machine.peak_megabytes(running.pid)
            )


def ways(traffic: Traffic) -> dict[str, Callable[[], Ask]]:
    """What is asked of a function that has just started; the order is the table's."""
    return {
        "verify": traffic.verify,
        "refresh": traffic.refresh,
        "logout": traffic.logout,
        "login, widget": traffic.login_widget,
        "login, initData": traffic.login_init_data,
        "callback, code": traffic.callback,
        "start": traffic.start,
        "sessions": traffic.list_sessions,
        "relay, agreed": traffic.relay_agree,
        "health": traffic.health,
        "stats": traffic.stats,
        # The last: from here on Telegram is far away.
        _AFAR: traffic.callback_from_afar,
    }


def measure(*, quick: bool, note: Callable[[str], None]) -> Result:
    """Build, and start each function in turn with the floor. Raises MissingTool and Unavailable."""
    samples = 1 if quick else 15
    tools = find_tools()
    install_cli()
    figures: dict[str, object] = {"samples": samples}
    tables, targets = list[Table](), list[Target]()
    with (
        tempfile.TemporaryDirectory(prefix="tgauth-bench-") as name,
        local_store() as store,
        deployment(store.address()) as traffic,
    ):
        directory = Path(name).resolve()
        note("vercel build")
        bundles = _build(directory / "project", tools)
        asks = ways(traffic)
        few = {way: asks[way] for way in LIMITS["bytecode"]}
        used = {FLOOR, *(f"api/{make().function}" for make in few.values())}
        few_bundles = [bundle for bundle in bundles if bundle.path[1:] in used]
        kinds = (("no bytecode", bundles, few if quick else asks), ("bytecode", few_bundles, few))
        for kind, chosen, made in kinds:
            if kind == "bytecode":
                note("compiling")
                chosen = _compiled(directory, chosen, str(tools.python))
            built = Built(directory / kind.replace(" ", "-"), chosen, str(tools.python))
            found = _compare(built, made, traffic, samples, note)
            figures[kind] = {"bundle_mb": built.size, "ways": found}
            tables.append(_table(kind, built, found, samples))
            targets += _targets(kind, built, found)
    return Result(figures, tables, targets)


def _compare(
    built: Built,
    asks: Mapping[str, Callable[[], Ask]],
    traffic: Traffic,
    samples: int,
    note: Callable[[str], None],
) -> dict[str, Way]:
    """Floor, ours, floor, ours: whatever else this machine does meets both."""
    found = {}
    for way, make in {"floor with verify's command": lambda: _COMMAND, **asks}.items():
        note(f"cold start, {way}")
        pairs = [(built.start(_ANSWER, traffic), built.start(make(), traffic)) for _ in range(samples)]
        floors, ours = zip(*pairs, strict=True)
        cpu, floor_cpu = (Spread.of([start.cpu for start in starts]) for starts in (ours, floors))
        wall, floor_wall = (Spread.of([start.wall for start in starts]) for starts in (ours, floors))
        found[way] = Way(cpu, floor_cpu, wall, floor_wall, max(start.megabytes for start in ours))
    return found


def _table(kind: str, built: Built, found: Mapping[str, Way], samples: int) -> Table:
    rows: list[list[Cell]] = []
    for name, way in found.items():
        row: list[Cell] = [name, str(way.cpu_ms), str(way.floor_cpu_ms), way.cpu_ratio]
        rows.append([*row, str(way.wall_ms), str(way.floor_wall_ms), way.wall_ratio, way.peak_mb])
    notes = (
        _KINDS[kind],
        f"Process start to first answer, {samples} starts each by turns with the floor: median (quartiles).",
        "The floor imports upstash_redis, builds its client and answers. The store is local, without TLS.",
    )
    return Table(f"Cold start, {kind}, {built.size:.1f} MB", COLUMNS, rows, notes)


def _targets(kind: str, built: Built, found: Mapping[str, Way]) -> list[Target]:
    peak = max(way.peak_mb for way in found.values())
    return [
        Target(f"{kind}: bundle, MB", built.size, MAX_BUNDLE),
        *(
            Target(f"{kind}: cold {name}, CPU over floor", found[name].cpu_ratio, most)
            for name, most in LIMITS[kind].items()
            if name in found
        ),
        *(
            Target(f"{kind}: cold {_AFAR}, wall over floor", found[name].wall_ratio, _AFAR_LIMIT)
            for name in found.keys() & {_AFAR}
        ),
        Target(f"{kind}: cold, peak memory, MB", peak, MAX_MEMORY),
    ]


def _build(project: Path, tools: Tools) -> list[Bundle]:
    copy_tree(project)
    shutil.copy(Path(__file__).with_name("floor.py"), project / f"{FLOOR}.py")
    output = build(project, tools, project.with_name("config"))
    return read_bundles(project, output)


def _compiled(directory: Path, bundles: Sequence[Bundle], python: str) -> list[Bundle]:
    """The bundles with bytecode beside every source; all of them have the same files but two."""
    root = bundles[0].materialise(directory / "compiled")
    mode = ("--invalidation-mode", "unchecked-hash")
    command = [python, "-m", "compileall", "-q", *mode, str(root)]
    # Packages bring templates and tests that are no Python; what matters is what is imported.
    subprocess.run(command, stdout=sys.stderr, check=False)
    bytecode = {str(file.relative_to(root)): file for file in root.rglob("*.pyc")}
    bytecode = {name: file for name, file in bytecode.items() if "vc__handler__python" not in name}
    return [replace(bundle, files=bundle.files | bytecode) for bundle in bundles]
