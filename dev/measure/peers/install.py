"""What the peers run on, as pinned here: npm packages in this folder, Python ones in .venv/peers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PYTHON = ROOT / ".venv/peers/bin/python"
NODE_MAJOR = 20


class MissingTool(Exception):
    """Something is not installed; the text says what, and how to get it."""


def install() -> None:
    """Install both, unless they are newer than what pins them. Raises MissingTool."""
    if not shutil.which("npm") or int(node_version().split(".")[0]) < NODE_MAJOR:
        raise MissingTool(f"Node.js {NODE_MAJOR} or newer with npm (https://nodejs.org/en/download)")
    installed, lock = HERE / "node_modules/.package-lock.json", HERE / "package-lock.json"
    if not _newer(installed, lock):
        # The optional packages are adapters for databases and frameworks that are not used here.
        _run("npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--loglevel=error")
    stamp, pins = PYTHON.parents[1] / "installed", HERE / "requirements.txt"
    if not _newer(stamp, pins):
        # Below .venv, where no tool looks for code of ours.
        _run(sys.executable, "-m", "venv", "--clear", str(PYTHON.parents[1]))
        pip = (str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, "-r", str(pins))
        stamp.touch()


def versions() -> dict[str, str]:
    """The pinned version of every package that a peer is made of, and of tgauth's own; Python's, Node's."""
    found: dict[str, str] = json.loads((HERE / "package.json").read_bytes())["dependencies"]
    for file in (HERE / "requirements.txt", ROOT / "requirements.txt"):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, pinned, version = line.partition("#")[0].strip().partition("==")
            if pinned:
                found[name] = version
    return {**found, "Python": sys.version.split()[0], "Node.js": node_version()}


def node_version() -> str:
    """Such as 20.1.0; 0 without Node."""
    try:
        found = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=10).stdout
    except OSError:
        return "0"
    return found.strip().removeprefix("v") or "0"


def _newer(file: Path, than: Path) -> bool:
    return file.exists() and file.stat().st_mtime >= than.stat().st_mtime


def _run(*command: str) -> None:
    print(f"Installing what tgauth is measured against: {' '.join(command[:3])} ...", file=sys.stderr)
    done = subprocess.run(command, cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise MissingTool(f"{' '.join(command)} failed\n{done.stdout}{done.stderr}")
