"""What the peers run on, as pinned here: npm packages in this folder, Python ones in .venv/peers."""

import json
import sys
from pathlib import Path

from dev import npm
from dev.npm import ROOT

HERE = Path(__file__).resolve().parent
PYTHON = ROOT / ".venv/peers/bin/python"


def install() -> None:
    """Install both, unless they are newer than what pins them. Raises `dev.npm.MissingTool`."""
    what = "what tgauth is measured against"
    npm.install(HERE, what)
    stamp, pins = PYTHON.parents[1] / "installed", HERE / "requirements.txt"
    if not npm.is_newer(stamp, pins):
        # Below .venv, where no tool looks for code of ours.
        npm.run(what, ROOT, sys.executable, "-m", "venv", "--clear", str(PYTHON.parents[1]))
        pip = (str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        npm.run(what, ROOT, *pip, "-r", str(pins))
        stamp.touch()


def versions() -> dict[str, str]:
    """The pinned version of every package that a peer is made of, and of tgauth's own; Python's, Node's."""
    found: dict[str, str] = json.loads((HERE / "package.json").read_bytes())["dependencies"]
    for file in (HERE / "requirements.txt", ROOT / "requirements.txt"):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, pinned, version = line.partition("#")[0].strip().partition("==")
            if pinned:
                found[name] = version
    return {**found, "Python": sys.version.split()[0], "Node.js": npm.node_version()}
