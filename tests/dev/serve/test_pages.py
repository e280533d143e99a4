"""public/: the pages say something about everything the API can answer, in both languages."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.tgauth import errors

ROOT = Path(__file__).parents[3]
PUBLIC = ROOT / "public"
SCRIPTS = sorted([*PUBLIC.glob("*.js"), *(ROOT / "dev/telegram").glob("*.js")])
TEXTS = [PUBLIC / "i18n.js", *sorted(PUBLIC.glob("texts-*.js"))]
DICTIONARIES = {path: path.read_text("utf-8") for path in TEXTS}
HTML = sorted(PUBLIC.glob("*.html"))


def keys(name: str, *files: Path) -> set[str]:
    """What the dictionary of this name has in these files, or in all of them."""
    pattern = re.compile(rf"^const {name} = {{\n(.*?)^}};", re.DOTALL | re.MULTILINE)
    blocks = [block for path in files or DICTIONARIES for block in pattern.findall(DICTIONARIES[path])]
    assert blocks or files
    return {key for block in blocks for key in re.findall(r"^  (\w+): ", block, re.MULTILINE)}


def codes(kind: type[errors.Problem] = errors.Problem) -> Iterator[str]:
    if "code" in vars(kind):
        yield kind.code
    for child in kind.__subclasses__():
        yield from codes(child)


def test_every_error_code_is_explained() -> None:
    """Each code that the API can answer has a text of its own, so none falls back to the general one."""
    assert {"login_stale", "misconfigured"} <= set(codes())
    assert set(codes()) <= keys("enProblems")


@pytest.mark.parametrize("path", DICTIONARIES, ids=lambda path: path.name)
def test_both_languages_say_the_same(path: Path) -> None:
    """What is there in English is there in Russian."""
    assert keys("en", path) | keys("enProblems", path)
    assert keys("en", path) == keys("ru", path)
    assert keys("enProblems", path) == keys("ruProblems", path)


@pytest.mark.parametrize("page", HTML, ids=lambda page: page.name)
def test_marked_elements_have_texts(page: Path) -> None:
    """Every data-text in a page is a key of the dictionary."""
    marked = set(re.findall(r'data-text="(\w+)"', page.read_text("utf-8")))
    assert marked
    assert marked <= keys("en")


@pytest.mark.parametrize("page", HTML, ids=lambda page: page.name)
def test_pages_obey_their_policy(page: Path) -> None:
    """No inline script or style, and nothing loaded from elsewhere, so the CSP can stay strict."""
    html = page.read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"<style|\bstyle=|\son\w+=", html) == []
    assert re.findall(r'(?:src|href)="(?!/[^/])(?!/")', html) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_data_never_becomes_markup(script: Path) -> None:
    """No script, nor one of the development pages, has a way to turn text into HTML or code."""
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert sink not in script.read_text("utf-8")
