"""npm packages, as pinned in a folder's package-lock.json."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NODE_MAJOR = 20


class MissingTool(Exception):
    """Something is not installed; the text says what, and how to get it."""


def left_out(missing: MissingTool) -> int:
    """Say that a check is left out, and why; the exit code, which is 1 where REQUIRE_ALL=1."""
    required = os.environ.get("REQUIRE_ALL") == "1"
    print(f"{'Failed' if required else 'Skipped'}, for want of: {missing}")
    return int(required)


def require() -> None:
    """Raise MissingTool unless npm is there, and a Node.js that is new enough."""
    if not shutil.which("npm") or int(node_version().split(".")[0]) < NODE_MAJOR:
        raise MissingTool(f"Node.js {NODE_MAJOR} or newer with npm (https://nodejs.org/en/download)")


def node_version() -> str:
    """Such as 20.1.0; 0 without Node.js."""
    try:
        found = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "0"
    return found.strip().removeprefix("v") or "0"


def is_newer(file: Path, than: Path) -> bool:
    """Whether the file is there, and was not written before the other."""
    return file.exists() and file.stat().st_mtime >= than.stat().st_mtime


def install(folder: Path, what: str) -> None:
    """Install the folder's packages, which are `what`, unless they are newer than the lock file.

    Raises MissingTool.
    """
    require()
    if is_newer(folder / "node_modules/.package-lock.json", folder / "package-lock.json"):
        return
    # The optional packages are native variants and adapters, which nothing here needs.
    run(what, folder, "npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--loglevel=error")


def run(what: str, folder: Path, *command: str) -> None:
    """Run what installs something in this folder. Raises MissingTool."""
    print(f"Installing {what} into {folder.relative_to(ROOT)} ...", file=sys.stderr, flush=True)
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise MissingTool(f"{what}: {' '.join(command)} failed\n{done.stdout}{done.stderr}")
