"""Build a copy of this repository with the real Vercel CLI, without an account."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dev import npm
from dev.npm import MissingTool

ROOT = Path(__file__).resolve().parents[2]
CLI = Path(__file__).resolve().parent

# The CLI asks for a login unless the directory looks linked. Null settings are what a new project has.
LINKED = {"projectId": "prj_local", "orgId": "team_local", "settings": {"framework": None}}


class BuildFailed(Exception):
    """`vercel build` ended with an error; the text is its output."""


@dataclass(frozen=True)
class Tools:
    """What a build runs with; `python` is a real interpreter of the version functions run on."""

    uv: Path
    python: Path


def find_tools() -> Tools:
    """Find git, Node, uv and the Python of `.python-version`. Raises MissingTool naming all that lack."""
    version = (ROOT / ".python-version").read_text().strip()
    missing = []
    if not shutil.which("git") or not (ROOT / ".git").exists():
        missing.append("git and a clone of the repository (the check builds what git would push)")
    try:
        npm.require()
    except MissingTool as lacking:
        missing.append(str(lacking))
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if not uv:
        missing.append("uv (pip install -r requirements-dev.txt)")
    python = find_python(version, uv)
    if not python:
        missing.append(f"Python {version} (uv python install {version}, or pyenv install {version})")
    if missing or not uv or not python:
        raise MissingTool("; ".join(missing))
    return Tools(Path(uv), python)


def find_python(version: str, uv: str | None) -> Path | None:
    """A real interpreter (no virtual environment, no version manager's shim) of exactly `version`.

    Candidates are run, not looked up: a shim can exist and fail.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [sys.executable, shutil.which(f"python{version}")]
    candidates += map(str, sorted(pyenv.glob(f"versions/{version}*/bin/python{version}")))
    if uv:
        candidates.append(_output_of([uv, "python", "find", "--managed-python", "--no-project", version]))
    for candidate in filter(None, candidates):
        code = "import sys; print('%d.%d' % sys.version_info[:2], sys._base_executable)"
        found, _, path = _output_of([candidate, "-c", code]).partition(" ")
        if found == version:
            return Path(path)
    return None


def install_cli() -> None:
    """Install the pinned CLI into node_modules, unless it is there. Raises MissingTool."""
    npm.install(CLI, "the Vercel CLI")


def copy_tree(target: Path) -> None:
    """Copy what git tracks or would track into `target`: the build writes into the tree it builds."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)


def build(project: Path, tools: Tools, scratch: Path) -> Path:
    """Run `vercel build --prod` in `project` and return its output directory. Raises BuildFailed.

    `scratch` keeps the CLI's own configuration, so no login of this machine's user takes part.
    """
    (project / ".vercel").mkdir()
    (project / ".vercel/project.json").write_text(json.dumps(LINKED))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VERCEL", "VIRTUAL"))}
    env["PATH"] = os.pathsep.join([str(tools.uv.parent), str(tools.python.parent), env["PATH"]])
    env["VERCEL_TELEMETRY_DISABLED"] = "1"
    cli = str(CLI / "node_modules/.bin/vercel")
    result = subprocess.run(
        [cli, "build", "--prod", "--yes", "--global-config", str(scratch)],
        cwd=project,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if result.returncode:
        raise BuildFailed(result.stdout)
    return project / ".vercel/output"


@dataclass(frozen=True)
class Bundle:
    """One built function: its path (`/api/telegram/verify`), settings, and files by their bundled name."""

    path: str
    config: dict[str, object]
    files: dict[str, Path]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files.values())

    def materialise(self, target: Path) -> Path:
        """Lay the bundle out in `target` as it lies on the platform."""
        for name, source in self.files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).hardlink_to(source)
        return target


def read_bundles(project: Path, output: Path) -> list[Bundle]:
    """Every function of a build, sorted by path."""
    functions = output / "functions"
    bundles = []
    for directory in sorted(functions.rglob("*.func")):
        config = json.loads((directory / ".vc-config.json").read_bytes())
        files = {name: project / source for name, source in config.get("filePathMap", {}).items()}
        files |= {str(f.relative_to(directory)): f for f in directory.rglob("*") if f.is_file()}
        bundles.append(Bundle(f"/{directory.relative_to(functions).with_suffix('')}", config, files))
    return bundles


def _output_of(command: list[str]) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
