"""What in the tree breaks a deployment silently: Vercel drops anything that it cannot read as intended."""

import json
from collections.abc import Iterator
from pathlib import Path

from dev.doctor.dependencies import check_dependencies
from dev.doctor.report import Check, ok, problem, warning
from dev.doctor.routes import OWN, check_routes

MAX_FUNCTIONS = 12
"""On Vercel's Hobby plan."""


def check_tree(root: Path) -> Iterator[Check]:
    """Look at vercel.json, api/ and public/ below `root`."""
    try:
        config = json.loads((root / "vercel.json").read_text(encoding="utf-8"))
        found = sorted(_functions(root))
        routes = list(check_routes(root, config, found))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        yield problem(
            "vercel.json", "is missing, or is no JSON of Vercel's form", "take the repository's again"
        )
        return
    yield _count(found)
    yield from routes
    wrong = [
        *_layout(root, config),
        *check_dependencies(root, [path for path in found if path.startswith(OWN)]),
    ]
    yield from wrong
    if not wrong:
        yield ok("layout", "vercel.json, public/ and requirements.txt are as Vercel needs them")


def _functions(root: Path) -> Iterator[str]:
    """The paths of functions; names with a leading _ or . are none."""
    for file in (root / "api").rglob("*.py"):
        parts = file.relative_to(root).with_suffix("").parts
        if not any(part.startswith(("_", ".")) for part in parts):
            yield "/" + "/".join(parts)


def _count(found: list[str]) -> Check:
    message = f"api/ has {len(found)}, of the {MAX_FUNCTIONS} that Vercel's Hobby plan takes"
    if len(found) > MAX_FUNCTIONS:
        return warning(
            "functions",
            message,
            "on Hobby the deployment fails: put several into one file, or move what is no function to lib/",
        )
    return ok("functions", message)


def _layout(root: Path, config: dict[str, object]) -> Iterator[Check]:
    if "framework" not in config or config["framework"] is not None:
        yield problem(
            "layout",
            'vercel.json does not say "framework": null, so Vercel may take the tree for another framework’s'
            " and drop the functions",
            'add "framework": null to vercel.json',
        )
    if not any((root / "public").glob("*")):
        yield problem(
            "layout",
            "there is no public/ with a file in it, so Vercel would publish the source code",
            "add public/, which has the login page",
        )
