"""What in the tree breaks a deployment without a word: Vercel drops what it cannot read as it was meant."""

import json
from collections.abc import Iterator
from pathlib import Path

from dev.doctor.report import Check, ok, problem, warning

MAX_FUNCTIONS = 12
"""On Vercel's Hobby plan."""

_OWN = ("/api/telegram/", "/api/health", "/api/stats")
# Vercel reads dependencies from the first of these that is there, and requirements.txt comes after them.
_BEFORE_REQUIREMENTS = (
    "pyproject.toml",
    "Pipfile.lock",
    "Pipfile",
    "requirements.frozen.txt",
    "requirements-frozen.txt",
)


def check_tree(root: Path) -> Iterator[Check]:
    """Look at vercel.json, api/ and public/ below `root`."""
    try:
        config = json.loads((root / "vercel.json").read_text(encoding="utf-8"))
        rewrites = {rule["source"]: rule["destination"] for rule in config.get("rewrites", [])}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        yield problem(
            "vercel.json", "is missing, or is no JSON of Vercel's form", "take the repository's again"
        )
        return
    found = sorted(_functions(root))
    yield _count(found)
    yield _addresses(found, rewrites)
    wrong = list(_layout(root, config))
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


def _addresses(found: list[str], rewrites: dict[str, str]) -> Check:
    """Every function of tgauth's has its public address, and every address a function."""
    reached = set(rewrites.values())
    hidden = [
        path for path in found if path.startswith(_OWN) and rewrites.get(path.removeprefix("/api")) != path
    ]
    nowhere = sorted(path for path in reached if path.startswith("/api/") and path not in found)
    if not hidden and not nowhere:
        return ok("rewrites", "vercel.json leads every address to its function")
    wrong = [f"{path.removeprefix('/api')} does not lead to {path}.py" for path in hidden]
    wrong += [f"{path}.py is not there" for path in nowhere]
    return problem(
        "rewrites",
        "; ".join(wrong),
        'let vercel.json have {"source": "/telegram/…", "destination": "/api/telegram/…"} for each:'
        " README.md#endpoints",
    )


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
    if before := [name for name in _BEFORE_REQUIREMENTS if (root / name).is_file()]:
        yield warning(
            "layout",
            f"{before[0]} is there, so Vercel takes the dependencies from it and not from requirements.txt",
            f"remove {before[0]}, or name in it all that requirements.txt has",
        )
    if not (root / "requirements.txt").is_file():
        yield problem("layout", "requirements.txt is missing", "take the repository's again")
