"""Check with the TypeScript compiler: docs/examples, against the real Next.js, and public/tgauth.d.ts.

python -m dev.typescript.check
"""

import subprocess
import sys
from pathlib import Path

from dev import npm
from dev.npm import MissingTool, left_out

HERE = Path(__file__).resolve().parent


class CheckFailed(Exception):
    """The compiler has complaints; the text is its output."""


def install() -> None:
    """Install the compiler and Next.js. Raises MissingTool.

    Next.js is 200 MB; a declared interface of its few names would be small, and would go on to agree with the
    example when Next.js no longer does.
    """
    npm.install(HERE, "TypeScript and Next.js")


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
        return left_out(missing)
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


if __name__ == "__main__":
    sys.exit(main())
