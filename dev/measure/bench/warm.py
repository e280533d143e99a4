"""Running functions under load, beside the floor, which sends the same commands and does nothing else.

Both run in Vercel's runtime, from the source tree (what was imported how no longer matters), on one local
Upstash in a process of its own. They take turns, so that whatever else this machine does meets both.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dev.measure.bench import machine, people
from dev.measure.bench.load import Drive, Load, generator
from dev.measure.bench.report import Cell, Result, Table, Target, percentile
from dev.measure.bench.store import local_store
from dev.measure.bench.traffic import Ask, Traffic
from dev.upstash.resp import Connection
from dev.vercel.runtime import Function

ENDPOINTS = ("verify", "refresh", "logout", "login")
FLOOR = "dev/measure/bench/floor.py"
MAX_P50, MIN_THROUGHPUT, MAX_MEMORY = 1.10, 0.92, 60.0
# Vercel's runtime listens with socketserver's queue of 5. More connections at once overflow it, and the
# kernel lets those wait a second: that would measure the queue. Both sides get a longer one.
_LONGER_QUEUE = "import socketserver; socketserver.TCPServer.request_queue_size = 128"
_PER_SECOND = 1500
_REUSED = 64
COLUMNS = (
    "",
    "delay",
    "conns",
    "p50 ms",
    "floor",
    "ratio",
    "p99 ms",
    "floor",
    "req/s",
    "floor",
    "ratio",
    "CPU ms",
    "floor",
    "ratio",
    "busy %",
)


@dataclass(frozen=True)
class Plan:
    """How much: seconds of a slice, slices of each side, delays (ms) and numbers of connections."""

    seconds: float = 0.6
    slices: int = 5
    delays: Sequence[int] = (0, 5)
    connections: Sequence[int] = (1, 8, 32)


QUICK = Plan(0.2, 1, (0,), (1, 8))


@dataclass(frozen=True)
class Figures:
    """Milliseconds and CPU of a request, requests a second, and the peak of the function's memory.

    `busy` is the part of the time that the function, the store and the generator computed: what is near 1
    is what sets the speed.
    """

    requests: int
    p50_ms: float
    p99_ms: float
    per_second: float
    cpu_ms: float
    busy: tuple[float, float, float]
    peak_mb: float


@dataclass(frozen=True)
class Case:
    """One endpoint at one delay (ms) of the store and so many connections."""

    endpoint: str
    delay_ms: int
    connections: int
    floor: Figures
    ours: Figures

    def ratio(self, name: str) -> float:
        """Ours over the floor's."""
        return float(getattr(self.ours, name) / getattr(self.floor, name))


class Queued(Function):
    """A function in Vercel's runtime, with room for many connections that wait to be accepted."""

    def __init__(self, command: Sequence[str], root: Path, env: Mapping[str, str], name: str) -> None:
        *start, boot = command
        super().__init__([*start, f"{_LONGER_QUEUE}; {boot}"], root, env, name)


class Side:
    """A running function and what it has done so far."""

    def __init__(self, function: Function, store_pid: int) -> None:
        self._function, self._store_pid = function, store_pid
        self._pid = function.pid
        self.load, self.cpu, self.store_cpu = Load(), 0.0, 0.0

    def run(self, drive: Drive, requests: Sequence[bytes], status: int, plan: tuple[int, float]) -> None:
        """Answer one slice."""
        before = machine.cpu_seconds(self._pid), machine.cpu_seconds(self._store_pid)
        self.load += drive(self._function.port, requests, status, *plan)
        self.cpu += machine.cpu_seconds(self._pid) - before[0]
        self.store_cpu += machine.cpu_seconds(self._store_pid) - before[1]
        self._function.logs.clear()

    def figures(self) -> "Figures":
        """The sum of its slices."""
        requests, elapsed = len(self.load.times), self.load.elapsed
        return Figures(
            requests,
            percentile(self.load.times, 50) * 1e3,
            percentile(self.load.times, 99) * 1e3,
            self.load.per_second,
            self.cpu / requests * 1e3,
            (self.cpu / elapsed, self.store_cpu / elapsed, self.load.cpu / elapsed),
            machine.peak_megabytes(self._pid),
        )


def measure(*, quick: bool, note: Callable[[str], None]) -> Result:
    """Drive each endpoint and the floor by turns. Raises Unavailable."""
    plan = QUICK if quick else Plan()
    figures: list[Case] = []
    with ExitStack() as stack:
        store = stack.enter_context(local_store())
        drive = stack.enter_context(generator())
        address = store.address()
        traffic = Traffic(address)
        stack.callback(traffic.close)
        pools = Pools(traffic, address.valkey_port)
        stack.callback(pools.close)
        floor = stack.enter_context(Queued.from_source(FLOOR, traffic.env))
        for endpoint in ENDPOINTS:
            ours = stack.enter_context(Queued.from_source(f"api/telegram/{endpoint}.py", traffic.env))
            for delay, connections in itertools.product(plan.delays, plan.connections):
                note(f"warm {endpoint}, {delay} ms, {connections} connections")
                store.delay(0)
                store.flush()
                sides = [Side(function, address.pid) for function in (floor, ours)]
                status = 204 if endpoint == "logout" else 200
                # Threads, connections and caches are there before anything counts.
                for side, make in zip(sides, (pools.floor, pools.ours), strict=True):
                    expected = 200 if side is sides[0] else status
                    side.run(drive, make(endpoint, 50), expected, (connections, 2.0))
                sides = [Side(function, address.pid) for function in (floor, ours)]
                count = int(
                    plan.seconds * (_PER_SECOND if not delay else min(_PER_SECOND, 250 * connections))
                )
                for _ in range(plan.slices):
                    store.delay(0)
                    batches = pools.floor(endpoint, count), pools.ours(endpoint, count)
                    store.delay(delay / 1e3)
                    sides[0].run(drive, batches[0], 200, (connections, plan.seconds))
                    sides[1].run(drive, batches[1], status, (connections, plan.seconds))
                one, other = (side.figures() for side in sides)
                figures.append(Case(endpoint, delay, connections, one, other))
            ours.close()
    return Result(figures, [_table(figures)], _targets(figures))


class Pools:
    """Requests by the hundred, for us and for the floor."""

    def __init__(self, traffic: Traffic, valkey_port: int) -> None:
        self._traffic = traffic
        self._connection = Connection(valkey_port)
        # Users that no request of ours has.
        self._first = 10_000_000

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()

    def ours(self, endpoint: str, count: int) -> list[bytes]:
        """A session can be found and renewed again and again, but ended and begun once."""
        if endpoint == "login":
            return [self._traffic.login_widget().encode(number) for number in range(count)]
        tokens = self._traffic.tokens(count if endpoint == "logout" else _REUSED)
        make: Callable[[str], Ask] = getattr(self._traffic, endpoint)
        asks = [make(token).encode() for token in tokens]
        return list(itertools.islice(itertools.cycle(asks), count))

    def floor(self, endpoint: str, count: int) -> list[bytes]:
        """The same for the floor, which is told key and field."""
        number = count if endpoint in ("login", "logout") else _REUSED
        numbers = range(self._first, self._first + number)
        self._first += number
        settings = self._traffic.settings
        if endpoint == "login":
            stored = list(people.sessions(settings, numbers))
        else:
            stored = [pair for batch in people.store(self._connection, settings, numbers) for pair in batch]
        asks = [_floor(endpoint, [str(word) for word in command]).encode() for command, _ in stored]
        return list(itertools.islice(itertools.cycle(asks), count))


def _floor(endpoint: str, stored: Sequence[str]) -> Ask:
    key, field, record = stored[1], stored[-2], stored[-1]
    if endpoint == "login":
        query, body = f"?{key}&{field}&p:{'A' * 22}", record.encode()
        return Ask("floor", "POST", {"content-type": "application/json"}, body, query, path="/login")
    return Ask("floor", "GET", query=f"?{key}&{field}", path=f"/{endpoint}")


def _table(cases: Sequence[Case]) -> Table:
    rows = []
    for case in cases:
        ours, floor = case.ours, case.floor
        row: list[Cell] = [case.endpoint, f"{case.delay_ms} ms", case.connections]
        row += [ours.p50_ms, floor.p50_ms, case.ratio("p50_ms"), ours.p99_ms, floor.p99_ms]
        row += [round(ours.per_second), round(floor.per_second), case.ratio("per_second")]
        row += [ours.cpu_ms, floor.cpu_ms, case.ratio("cpu_ms")]
        rows.append([*row, "/".join(f"{part:.0%}"[:-1] for part in ours.busy)])
    notes = (
        "delay: what the local Upstash waits before each answer. A connection for every request: Vercel's",
        "runtime closes it; its queue of 5 is 128 here, for both, or 32 would measure the queue.",
        "busy: of a core, function / store / generator; what is near 100 sets the speed.",
    )
    return Table("Running: tgauth and the floor, which sends the same commands", COLUMNS, rows, notes)


def _targets(cases: Sequence[Case]) -> list[Target]:
    targets = []
    for case in cases:
        where = f"warm {case.endpoint}, {case.delay_ms} ms, {case.connections} conns"
        if case.endpoint == "verify" and case.connections == 1:
            targets.append(Target(f"{where}: p50 over floor", case.ratio("p50_ms"), MAX_P50))
        if case.endpoint == "verify" and case.connections == 32:
            ratio = case.ratio("per_second")
            targets.append(Target(f"{where}: throughput over floor", ratio, MIN_THROUGHPUT, least=True))
    peak = max(case.ours.peak_mb for case in cases)
    return [*targets, Target("warm: peak memory, MB", peak, MAX_MEMORY)]
