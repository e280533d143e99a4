"""dev/browsers: public/ asks for nothing that the oldest browsers lack, and the READMEs name those."""

import json
import re
from pathlib import Path

import pytest

from dev.browsers.check import HERE, complaints, install_linters
from dev.npm import MissingTool
from tests.contract.tools import lacks

ROOT = Path(__file__).parents[2]

NEWER = {
    "a static method": "Object.hasOwn({}, 'a')",
    "a static method taken out": "const { hasOwn } = Object",
    "a class of Intl": "new Intl.Segmenter()",
    "a static method whose name others have": "AbortSignal.timeout(1)",
    "a function": "structuredClone({})",
    "a function of window": "window.structuredClone({})",
    "a method": "[1].at(0)",
    "a reflected attribute": "document.body.ariaDisabled = 'true'",
    "a method of an element": "document.querySelector('dialog').showModal()",
    "an attribute of an element": "document.body.inert = true",
    "a class": "new Iterator()",
    "a pattern": "/(?<=a)b/.test('ab')",
    "a flag of a pattern": "/a/d.exec('a')",
    "a block in a class": "class A { static { } }",
    "a private field": "class A { #a = 1; b() { return this.#a; } }",
    "syntax that nothing knows": "const =",
}
NEWER_STYLES = {
    "a colour": "p { color: oklch(0.5 0 0); }",
    "nesting": "p { & b { color: red; } }",
    "a unit": "p { width: 1cqw; }",
    "a layer": "@layer a { p { color: red; } }",
}


@pytest.fixture(scope="module")
def linters() -> None:
    """Both, or a skip that says what is missing."""
    try:
        install_linters()
    except MissingTool as missing:
        lacks(missing)


@pytest.mark.slow
@pytest.mark.usefixtures("linters")
def test_what_they_lack_is_found(tmp_path: Path) -> None:
    """Newer syntax, interfaces and styles are found, and what all of the oldest browsers have is not."""
    for kind, samples in (("js", NEWER), ("css", NEWER_STYLES)):
        for number, sample in enumerate(samples.values()):
            (tmp_path / f"newer{number}.{kind}").write_text(sample, "utf-8")
    (tmp_path / "older.js").write_text("x ??= await import('./a.js'); y.replaceChildren();", "utf-8")
    (tmp_path / "older.css").write_text("p { inset: 0; gap: clamp(1px, 1vw, 2px); display: flex; }", "utf-8")
    # Used only where it is there, in this file alone.
    (tmp_path / "modal.js").write_text("if (a.showModal) a.showModal();", "utf-8")
    found = set(re.findall(r"\b(\w+\.(?:js|css))\n", complaints(tmp_path)))
    assert found == {path.name for path in tmp_path.glob("newer*")}


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_the_readmes_name_the_oldest_browsers(readme: str) -> None:
    """The tables of both READMEs have the versions that the linters check against."""
    text = (ROOT / readme).read_text("utf-8")
    checked = json.loads((HERE / "package.json").read_bytes())["browserslist"]
    version = dict(each.split() for each in checked)
    assert version["safari"] == version["ios_saf"]
    for names, number in (
        ("Safari[^|]*iOS", version["safari"]),
        ("Chrome[^|]*WebView", version["chrome"]),
        ("Firefox", version["firefox"]),
    ):
        assert re.search(rf"^\| {names}[^|]* \| {number} \|", text, re.MULTILINE), names
