"""Check that public/ asks for nothing that the oldest browsers of package.json lack.

python -m dev.browsers.check
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from dev.npm import MissingTool, install, left_out

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def install_linters() -> None:
    """Install ESLint, Stylelint and MDN's data. Raises MissingTool."""
    install(HERE, "ESLint and Stylelint")


def complaints(folder: Path) -> str:
    """What ESLint says about the folder's scripts, and Stylelint about its styles; "" for nothing."""
    return _lint(folder, "eslint/bin/eslint.js", ".", config="eslint") + _lint(
        folder, "stylelint/bin/stylelint.mjs", "*.css", config="stylelint"
    )


def listed() -> dict[str, list[str]]:
    """Interfaces that a browser may lack: all that are `newer` than the oldest ones, and those `used`."""
    command = ["node", str(HERE / "used.mjs")]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(result.stdout)
    return found


def main() -> int:
    """The exit code is 1 for complaints, or if a tool is missing and REQUIRE_ALL=1."""
    try:
        install_linters()
    except MissingTool as missing:
        return left_out(missing)
    said = complaints(ROOT / "public")
    print(said or "The oldest browsers: no complaints")
    return int(bool(said))


def _lint(folder: Path, script: str, files: str, *, config: str) -> str:
    options = ["--config", str(HERE / f"{config}.config.mjs"), files]
    result = subprocess.run(
        ["node", str(HERE / "node_modules" / script), *options],
        cwd=folder,
        env={**os.environ, "BROWSERSLIST_CONFIG": str(HERE / "package.json")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return "" if result.returncode == 0 else result.stdout + result.stderr


if __name__ == "__main__":
    sys.exit(main())
