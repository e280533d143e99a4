"""What a session costs in memory, and whether verify slows down as they grow in number.

A real Valkey; sessions with a full profile, written with the command of a login; verify through
`SessionService`, over TCP and over the local Upstash's REST. A second Valkey keeps the first thousand, and
both are asked by turns: what else this machine does meets both.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from dev.measure.bench import machine, people
from dev.measure.bench.report import Cell, Result, Table, Target
from dev.measure.bench.traffic import ENV
from dev.upstash.resp import Connection
from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.settings import Settings, read_settings
from lib.tgauth.store.redis import RedisStore
from lib.tgauth.store.upstash import UpstashStore

BASE = 1_000
SIZES = (10_000, 100_000)
BIG = 1_000_000
MAX_RATIO = 1.1
_PER_USER = 3


@dataclass(frozen=True)
class Size:
    """So many sessions: bytes of each, and milliseconds of a verify (median) beside the thousand's."""

    sessions: int
    bytes_each: float
    tcp_ms: float
    tcp_base_ms: float
    rest_ms: float
    rest_base_ms: float


class Grown:
    """A Valkey with sessions in it, three a user, and who verifies them."""

    def __init__(self, valkey: Valkey, upstash: Upstash, settings: Settings) -> None:
        self.pid = valkey.pid
        self._connection = Connection(valkey.port)
        self._settings = settings
        self._empty = used(self._connection)
        self._count = 0
        self._tokens: list[str] = []
        self._stores = RedisStore(valkey.url), UpstashStore(upstash.url, upstash.token)
        self._tcp, self._rest = (SessionService(settings, store) for store in self._stores)

    def grow(self, count: int) -> None:
        """Make it so many sessions; of every few hundred one is asked for later."""
        for batch in people.store(self._connection, self._settings, range(self._count, count), _PER_USER):
            self._tokens.append(batch[0][1])
        self._count = count

    @property
    def bytes_each(self) -> float:
        return (used(self._connection) - self._empty) / self._count

    def verify(self, number: int) -> tuple[float, float]:
        """Milliseconds of one verify over TCP and of one over REST."""
        token = self._tokens[number % len(self._tokens)]
        return _timed(self._tcp, token), _timed(self._rest, token)

    def close(self) -> None:
        self._connection.close()
        for store in self._stores:
            store.close()


def measure(*, quick: bool, big: bool = False, note: Callable[[str], None]) -> Result:
    """Grow, and measure at every size. Raises Unavailable."""
    settings = read_settings(ENV | {"REDIS_URL": "redis://127.0.0.1"})
    sizes: Sequence[int] = (2 * BASE,) if quick else (*SIZES, BIG) if big else SIZES
    samples = 20 if quick else 1_000
    found = []
    with _grown(settings) as base, _grown(settings) as grown, machine.apart((base.pid, grown.pid)):
        base.grow(BASE)
        for before, size in pairwise((0, BASE, *sizes)):
            note(f"from {before:,} to {size:,} sessions")
            grown.grow(size)
            times = [(*base.verify(number), *grown.verify(number)) for number in range(samples)]
            tcp_base, rest_base, tcp, rest = (
                statistics.median(column) for column in zip(*times, strict=True)
            )
            found.append(Size(size, grown.bytes_each, tcp, tcp_base, rest, rest_base))
    last = found[-1]
    targets = [
        Target(f"verify at {last.sessions:,} over {BASE:,}, {way}", ratio, MAX_RATIO)
        for way, ratio in (
            ("tcp", last.tcp_ms / last.tcp_base_ms),
            ("rest", last.rest_ms / last.rest_base_ms),
        )
    ]
    return Result(found, [_table(found, samples)], targets)


def bytes_a_session(count: int) -> float:
    """What each of so many sessions takes, three of each user."""
    settings = read_settings(ENV | {"REDIS_URL": "redis://127.0.0.1"})
    with _grown(settings) as grown:
        grown.grow(count)
        return grown.bytes_each


def used(connection: Connection) -> int:
    """Bytes that the server's data takes."""
    (info,) = connection.run([["INFO", "memory"]])
    lines = info.splitlines() if isinstance(info, bytes) else []
    return next(int(line.split(b":")[1]) for line in lines if line.startswith(b"used_memory:"))


@contextmanager
def _grown(settings: Settings) -> Iterator[Grown]:
    with Valkey() as valkey, Upstash(valkey.port) as upstash:
        grown = Grown(valkey, upstash, settings)
        try:
            yield grown
        finally:
            grown.close()


def _timed(service: SessionService, token: str) -> float:
    started = time.perf_counter()
    service.get_session(token)
    return (time.perf_counter() - started) * 1e3


def _table(found: Sequence[Size], samples: int) -> Table:
    rows: list[list[Cell]] = []
    for size in found:
        row: list[Cell] = [f"{size.sessions:,}", round(size.bytes_each)]
        for figure, base in ((size.tcp_ms, size.tcp_base_ms), (size.rest_ms, size.rest_base_ms)):
            row += [figure, base, figure / base]
        rows.append(row)
    columns = (
        "sessions",
        "bytes each",
        "tcp ms",
        f"at {BASE:,}",
        "ratio",
        "rest ms",
        f"at {BASE:,}",
        "ratio",
    )
    notes = (
        f"verify, median of {samples:,}, by turns with a store of {BASE:,}; three sessions a user.",
        "This process has one core, the servers have another.",
        "REST is the local Upstash's, in this process: its milliseconds are of Python, not of Upstash.",
    )
    return Table("Growth", columns, rows, notes)
