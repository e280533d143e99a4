"""Which file Vercel takes a function's packages from, and whether it has everything that tgauth needs.

Vercel looks for one from the function's folder upward; in a folder the first of these counts.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from dev.doctor.report import Check, problem

REQUIREMENTS = "requirements.txt"
BEFORE = (
    "pyproject.toml",
    "Pipfile.lock",
    "Pipfile",
    "requirements.frozen.txt",
    "requirements-frozen.txt",
)
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def check_dependencies(root: Path, functions: Iterable[str]) -> Iterator[Check]:
    """Nothing where each of these functions gets what the requirements.txt of `root` names."""
    if not (root / REQUIREMENTS).is_file():
        yield problem("layout", "requirements.txt is missing", "take the repository's again")
        return
    needed = _read(root / REQUIREMENTS)
    for file in sorted({_taken(root, (root / path.lstrip("/")).parent) for path in functions or ("/api/x",)}):
        if file == root / REQUIREMENTS:
            continue
        name = file.relative_to(root).as_posix()
        try:
            there = _with_theirs(_read(file))
        except (ValueError, TypeError, AttributeError):
            yield problem(
                "layout", f"{name} cannot be read", f"correct it, or remove it: {REQUIREMENTS} is enough"
            )
            continue
        if missing := [package for package in needed if package not in there]:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            yield problem(
                "layout",
                f"{name} is there, so Vercel installs what it names and not {REQUIREMENTS}: without"
                f" {', '.join(missing[:3])}{more} the functions break",
                f"remove {name} (tools have files of their own, such as ruff.toml), or name in it all that"
                f" {REQUIREMENTS} has",
            )


def _taken(root: Path, folder: Path) -> Path:
    """The file that counts for the functions of a folder."""
    while True:
        for name in (*BEFORE, REQUIREMENTS):
            if (folder / name).is_file():
                return folder / name
        if folder == root:
            return root / REQUIREMENTS
        folder = folder.parent


def _read(file: Path) -> list[str]:
    """The packages that a file names. Raises ValueError, TypeError or AttributeError for another form."""
    text = file.read_text(encoding="utf-8")
    if file.name == "pyproject.toml":
        return _names(tomllib.loads(text).get("project", {}).get("dependencies", []))
    if file.name == "Pipfile":
        return _names(tomllib.loads(text).get("packages", {}))
    if file.name == "Pipfile.lock":
        return _names(json.loads(text).get("default", {}))
    return _names(text.splitlines())


def _names(lines: Iterable[str]) -> list[str]:
    """The packages' names in their normal form (PEP 503)."""
    found = (_NAME.match(line) for line in lines)
    return [re.sub(r"[-_.]+", "-", match[1]).lower() for match in found if match]


def _with_theirs(named: list[str]) -> set[str]:
    """The packages, and those that they bring, as far as they are installed here."""
    found: set[str] = set()
    waiting = set(named)
    while waiting:
        name = waiting.pop()
        found.add(name)
        try:
            # What only an extra brings is not there.
            theirs = [line for line in requires(name) or [] if "extra ==" not in line]
        except PackageNotFoundError:
            continue
        waiting |= {*_names(theirs)} - found
    return found
