"""docs/SECURITY.md has every requirement, each with tests that exist or a deviation that is explained."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs/SECURITY.md").read_text(encoding="utf-8")
REQUIREMENTS = 54

_ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]*) \|$", re.MULTILINE)
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
_DEVIATION = re.compile(r"\[deviation: ([^\]]+)\]\(#where-it-deviates-from-the-standards\)")


@cache
def functions(path: str) -> frozenset[str]:
    """The names of the functions of a file; none where there is no file."""
    file = ROOT / "tests" / path
    file = file if file.exists() else ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8") if file.is_file() else "")
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def section(text: str, heading: str) -> str:
    """What stands below a heading of the second level, as far as the next one."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def problems(text: str) -> Iterator[str]:
    """What is wrong with the requirements of a SECURITY.md."""
    rows = _ROW.findall(section(text, "Requirements"))
    numbers = [int(number) for number, *_ in rows]
    if numbers != list(range(1, REQUIREMENTS + 1)):
        missing = sorted(set(range(1, REQUIREMENTS + 1)) - set(numbers))
        yield f"the numbers are not 1 to {REQUIREMENTS}, each once and in order; missing: {missing}"
    explained = re.findall(r"^\| ([^|]+) \|", section(text, "Where it deviates from the standards"), re.M)
    for number, _, _, held in rows:
        tests, deviations = _TEST.findall(held), _DEVIATION.findall(held)
        if not tests and not deviations:
            yield f"row {number} names neither a test nor a deviation"
        if left := re.sub(r"[\s,]", "", _DEVIATION.sub("", _TEST.sub("", held))):
            yield f"row {number} is held by what is no test: {left}"
        for path, name in tests:
            if name not in functions(path) or not name.startswith(("test_", "check_")):
                yield f"row {number}: there is no test {path}::{name}"
        for name in deviations:
            if not any(cell.startswith(name) for cell in explained):
                yield f"row {number}: no deviation from {name} is explained"


def test_the_table_holds() -> None:
    """Every requirement of the list is there, and held as it says."""
    assert list(problems(TEXT)) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (r"^\| 7 \| .*\n", "", "missing: [7]"),
        (
            r"::test_idle_sessions_end`",
            "::test_idle_sessions`",
            "no test unit/endpoints/test_verify.py::test_idle_s",
        ),
        (r"`store/test_races\.py", "`store/test_race.py", "no test store/test_race.py"),
        (r"::check_canary`", "::main`", "no test dev/vercel/check.py::main"),
        (r"(^\| 31 \| .* \| ).*( \|)$", r"\1\2", "row 31 names neither"),
        (r"(^\| 31 \| .* \| ).*( \|)$", r"\1by hand\2", "row 31 is held by what is no test: byhand"),
        (r"deviation: V7\.2\.3\]", "deviation: V99]", "row 1: no deviation from V99"),
        (r"^\| V6\.8\.4, V6\.3\.3: .*\n", "", "row 28: no deviation from V6.8.4"),
    ],
)
def test_what_is_broken_is_noticed(old: str, new: str, said: str) -> None:
    """A row that is gone, a test that has another name, and a deviation that nobody explains are named."""
    changed, times = re.subn(old, new, TEXT, count=1, flags=re.MULTILINE)
    assert times == 1, "there is nothing to break"
    assert any(said in problem for problem in problems(changed)), list(problems(changed))
