"""Check with the TypeScript compiler: docs/examples, against the real Next.js, and public/tgauth.d.ts.

python -m dev.typescript.check
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NODE_MAJOR = 20


class MissingTool(Exception):
    """Something the check needs is not installed; the text says what, and how to get it."""


class CheckFailed(Exception):
    """The compiler has complaints; the text is its output."""


def install() -> None:
    """Install the pinned packages into node_modules, unless they are newer than the lock file.

    Raises MissingTool. Next.js is 200 MB; a declared interface of its few names would be small, and would go
    on to agree with the example when Next.js no longer does.
    """
    if not shutil.which("npm") or _node_major() < NODE_MAJOR:
        raise MissingTool(f"Node.js {NODE_MAJOR} or newer with npm (https://nodejs.org/en/download)")
    installed, lock = HERE / "node_modules/.package-lock.json", HERE / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    print("Installing TypeScript and Next.js into dev/typescript/node_modules ...", flush=True)
    # The optional packages are native variants of what builds and resizes images: nothing is built here.
    command = ["npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--loglevel=error"]
    result = subprocess.run(command, cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode:
        raise MissingTool(f"TypeScript and Next.js: npm ci failed\n{result.stdout}{result.stderr}")


def compile_examples(*options: str) -> None:
    """Run the compiler, which writes nothing unless `options` say where to. Raises CheckFailed."""
    _compile("tsconfig.json", *options)


def check_client() -> None:
    """Check that public/tgauth.d.ts takes what client.ts does right, and nothing else. Raises CheckFailed."""
    _compile("client.json")


def main() -> int:
    """The exit code is 1 for complaints, or if a tool is missing and REQUIRE_ALL=1."""
    try:
        install()
        compile_examples()
        check_client()
    except MissingTool as missing:
        required = os.environ.get("REQUIRE_ALL") == "1"
        print(f"{'Failed' if required else 'Skipped'}, for want of: {missing}")
        return int(required)
    except CheckFailed as failed:
        print(failed)
        return 1
    print("TypeScript: no complaints")
    return 0


def _compile(project: str, *options: str) -> None:
    compiler = HERE / "node_modules/typescript/bin/tsc"
    command = ["node", str(compiler), "-p", str(HERE / project), "--pretty", "false", *options]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode:
        raise CheckFailed(result.stdout + result.stderr)


def _node_major() -> int:
    try:
        found = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=10).stdout
    except OSError:
        return 0
    major = found.strip().removeprefix("v").partition(".")[0]
    return int(major) if major.isdecimal() else 0


if __name__ == "__main__":
    sys.exit(main())
