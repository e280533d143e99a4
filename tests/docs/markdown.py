"""What a Markdown file has, as GitHub shows it: headings and their anchors, links, pictures, code blocks."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"(`+)(?:(?!`).)+?\1", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\]\(\s*<?([^()\s>]+(?:\([^()\s]*\))?)>?(?:\s+\"[^\"]*\")?\s*\)")
_REFERENCE = re.compile(r"\]\[([^\]]+)\]")
_DEFINITION = re.compile(r"^ {0,3}\[([^\]]+)\]: *<?(\S+?)>?$", re.MULTILINE)
_ATTRIBUTE = re.compile(r"<[a-z]+\b[^>]*?\b(?:href|src|srcset)=\"([^\"]+)\"[^>]*>")
_HTML_TARGET = re.compile(r"<[a-z]+\b[^>]*\b(?:id|name)=\"([^\"]+)\"")
_HEADING = re.compile(r"^ {0,3}(#{1,6}) +(.+?) *#*$", re.MULTILINE)
# A line of a paragraph can begin with a number and a point, too; lists here have less than ten items.
_SHAPE = re.compile(r"#+(?= )|\||```\w*|- |\d\. |    (?=\S)")


def blocks(text: str) -> list[tuple[str, str]]:
    """The code blocks: the language of each, and what is in it."""
    return _FENCE.findall(text)


def prose(text: str) -> str:
    """The text without code blocks and comments."""
    return _COMMENT.sub("", _FENCE.sub("", text))


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading: letters of every language, digits, `_` and `-` are left."""
    shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"<[^>]+>", "", heading))
    return re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")


@functools.cache
def anchors(text: str) -> frozenset[str]:
    """Where a link into the document can lead; the second heading of the same words gets `-1`, and so on."""
    found: dict[str, int] = {}
    for _, heading in _HEADING.findall(prose(text)):
        name = slug(heading)
        while name in found:
            found[name] += 1
            name = f"{slug(heading)}-{found[slug(heading)]}"
        found[name] = 0
    return frozenset({*found, *_HTML_TARGET.findall(prose(text))})


def targets(text: str) -> Iterator[str]:
    """Where the document's links and pictures lead; a reference without a definition leads to `[name]`."""
    shown = _CODE.sub("", prose(text))
    yield from _LINK.findall(shown)
    yield from _ATTRIBUTE.findall(shown)
    defined = {name.lower(): target for name, target in _DEFINITION.findall(shown)}
    yield from defined.values()
    yield from (f"[{name}]" for name in _REFERENCE.findall(shown) if name.lower() not in defined)


def dead(path: Path) -> list[str]:
    """The targets of a document that are not there: a file, a heading of one, a definition."""
    text = path.read_text(encoding="utf-8")
    missing = []
    for target in targets(text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = unquote(target).partition("#")
        aim = path.parent / file if file else path
        there = aim.exists() and not target.startswith("[")
        if not there or (anchor and anchor not in anchors(aim.read_text(encoding="utf-8"))):
            missing.append(target)
    return missing


def shape(text: str) -> list[str]:
    """What a translation has in the same order: headings by level, rows by cells, code blocks, lists."""
    found = []
    fenced = False
    for line in text.splitlines():
        match = _SHAPE.match(line.lstrip() if line.lstrip().startswith("```") else line)
        if match and match[0].startswith("```"):
            fenced = not fenced
            found.append(match[0])
        elif match and not fenced:
            cells = len(re.findall(r"(?<!\\)\|", _CODE.sub("", line))) - 1 if match[0] == "|" else ""
            found.append(f"{re.sub(r'\d+', '1', match[0])}{cells}")
    return found


def commands(text: str) -> list[str]:
    """What a reader would copy: the lines of shell and JSON blocks, with the answers and without remarks."""
    lines = [
        line for language, block in blocks(text) if language in ("sh", "json") for line in block.splitlines()
    ]
    answers = re.compile(r"# (\{|\d)")
    return [
        bare for line in lines if (bare := line if answers.match(line) else re.sub(r"(^|\s+)# .*", "", line))
    ]
