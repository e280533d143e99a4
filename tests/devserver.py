"""A dev server in a process of its own, as `make dev` starts it."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(root: Path) -> Iterator[str]:
    """The origin of a dev server for the tree at `root`, on a free port, with nothing set."""
    with subprocess.Popen(
        [sys.executable, "-m", "dev.server", "--port", "0"],
        cwd=root,
        env={"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        # The ready line comes, or the process ends and closes the pipe: no wait without an end.
        ready = next((m for line in process.stdout if (m := re.search(r"http://localhost:\d+", line))), None)
        # Nobody reads its log from here on, and a full pipe would stop it.
        reader = threading.Thread(target=process.stdout.read, daemon=True)
        reader.start()
        try:
            assert ready, "the dev server ended without its ready line"
            yield ready[0]
        finally:
            process.terminate()
            reader.join(timeout=10)
