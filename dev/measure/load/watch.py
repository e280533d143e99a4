"""What a process uses: memory, threads and open files, from Linux's /proc, and whether its memory grows."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

MB = 1_000_000
BLOCKS = 12
# Student's t for BLOCKS - 2 degrees of freedom: 95 % of slopes that are none lie within so many errors.
_T = 2.228


@dataclass(frozen=True)
class Sample:
    """One look: seconds since the traffic began, resident bytes, threads, open file descriptors."""

    seconds: float
    rss: int
    threads: int
    files: int


@dataclass(frozen=True)
class Slope:
    """Bytes an hour, by least squares, and how far from it the real one may be (95 %)."""

    bytes_an_hour: float
    noise: float


def look(pid: int, seconds: float) -> Sample:
    """How the process is now."""
    proc = Path("/proc", str(pid))
    # Not statm: the kernel counts there for each core, and is some hundred kB off.
    rss = _kilobytes(proc / "smaps_rollup", "Rss:")
    threads = sum(1 for _ in (proc / "task").iterdir())
    return Sample(seconds, rss, threads, sum(1 for _ in (proc / "fd").iterdir()))


def peak(pid: int) -> int:
    """The most bytes that the process ever had resident, as the kernel has it."""
    return _kilobytes(Path("/proc", str(pid), "status"), "VmHWM:")


def slope(samples: Sequence[Sample]) -> Slope:
    """How fast memory grows over `samples`.

    Memory goes in steps, so one sample says little that the one before did not: the noise is that of the
    means of BLOCKS blocks about a line, and not of the samples about it.
    """
    line = statistics.linear_regression([one.seconds for one in samples], [one.rss for one in samples])
    blocks = [
        (statistics.mean(one.seconds for one in block), statistics.mean(one.rss for one in block))
        for block in batched(samples, -(-len(samples) // BLOCKS))
    ]
    times, means = [time for time, _ in blocks], [mean for _, mean in blocks]
    fitted = statistics.linear_regression(times, means)
    left = sum((mean - fitted.slope * time - fitted.intercept) ** 2 for time, mean in blocks)
    spread = sum((time - statistics.mean(times)) ** 2 for time in times)
    error = (left / max(len(blocks) - 2, 1) / spread) ** 0.5
    return Slope(line.slope * 3600, error * _T * 3600)


def _kilobytes(path: Path, name: str) -> int:
    line = next(line for line in path.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
