"""npm packages, as pinned in a folder's package-lock.json."""

import shutil
import subprocess
from pathlib import Path

NODE_MAJOR = 20


class MissingTool(Exception):
    """Something is not installed; the text says what, and how to get it."""


def install(folder: Path, what: str) -> None:
    """Install the folder's packages, which are `what`, unless they are newer than the lock file.

    Raises MissingTool.
    """
    if not shutil.which("npm") or _node_major() < NODE_MAJOR:
        raise MissingTool(f"Node.js {NODE_MAJOR} or newer with npm (https://nodejs.org/en/download)")
    installed, lock = folder / "node_modules/.package-lock.json", folder / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    print(f"Installing {what} into dev/{folder.name}/node_modules ...", flush=True)
    # The optional packages are native variants, which nothing here needs.
    command = ["npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--loglevel=error"]
    result = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode:
        raise MissingTool(f"{what}: npm ci failed\n{result.stdout}{result.stderr}")


def _node_major() -> int:
    try:
        found = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=10).stdout
    except OSError:
        return 0
    major = found.strip().removeprefix("v").partition(".")[0]
    return int(major) if major.isdecimal() else 0
