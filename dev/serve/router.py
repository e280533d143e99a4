"""Where a request goes, read from vercel.json, public/ and api/, in the order Vercel's builder lays down.

`headers` look at the path as it came in. Then come files of public/ and functions at their own path, then
`rewrites`, then `/api/x.py` for `/api/x`. What this router does not know it refuses with UnsupportedConfig
instead of guessing, so that a route which works here works when deployed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from werkzeug.security import safe_join

# Keys of vercel.json that route requests, and that nothing here implements.
_UNSUPPORTED = frozenset({"redirects", "routes", "cleanUrls", "trailingSlash", "bulkRedirectsPath"})


class UnsupportedConfig(ValueError):
    """vercel.json, or the tree, asks for something this router does not implement."""


@dataclass(frozen=True)
class Page:
    """A file of public/."""

    file: Path


@dataclass(frozen=True)
class Function:
    """A file of api/, and the parameters that a rewrite's source named."""

    file: Path
    module: str
    params: Mapping[str, str] = field(default_factory=dict)


class Router:
    """The routes of the tree at `root`, as they were when this was made."""

    def __init__(self, root: Path) -> None:
        self._public = root / "public"
        config = json.loads((root / "vercel.json").read_text(encoding="utf-8"))
        if unknown := sorted(_UNSUPPORTED & config.keys()):
            raise UnsupportedConfig(f"vercel.json: {', '.join(unknown)} is not supported")
        self._headers = [
            (compile_source(rule["source"]), [(item["key"], item["value"]) for item in rule["headers"]])
            for rule in _rules(config, "headers", {"source", "headers"})
        ]
        self._rewrites = [
            (compile_source(rule["source"]), _destination(rule["destination"]))
            for rule in _rules(config, "rewrites", {"source", "destination"})
            # Another site is not here: such an address is nothing.
            if not rule["destination"].startswith("https://")
        ]
        self._functions = {path: Function(file, module) for path, file, module in _functions(root)}

    def headers(self, path: str) -> list[tuple[str, str]]:
        """The headers that vercel.json adds to the answer for this incoming path."""
        return [item for source, items in self._headers if source.fullmatch(path) for item in items]

    def route(self, path: str) -> Page | Function | None:
        """Find what answers this incoming path, which is not percent-decoded; None is a 404."""
        if found := self._filesystem(path):
            return found
        for source, destination in self._rewrites:
            if not (match := source.fullmatch(path)):
                continue
            found = self._filesystem(destination)
            if isinstance(found, Function):
                return Function(found.file, found.module, match.groupdict())
            if found:
                return found
        return self._functions.get(path.removesuffix(".py")) if path.endswith(".py") else None

    def _filesystem(self, path: str) -> Page | Function | None:
        found = unquote(path)
        inside = safe_join(str(self._public), found.lstrip("/"))
        # Files go by one name: another one would come without the headers of that name.
        if inside is not None and ".." not in found.split("/"):
            file = Path(inside)
            for candidate in (file, file / "index.html"):
                if candidate.is_file() and not candidate.name.startswith("."):
                    return Page(candidate)
        return self._functions.get(path)


def compile_source(source: str) -> re.Pattern[str]:
    """Translate the `source` of a rule: text, `:name`, `/:name*`, `/:name+`, `:name(regex)` and `(regex)`.

    Vercel reads it with path-to-regexp, strict and case-sensitive. Other modifiers, and braces, are refused.
    """
    out, at = [], 0
    while at < len(source):
        char = source[at]
        if char in "{}*+?)":
            raise UnsupportedConfig(f"{source!r}: {char!r} is not supported outside a group")
        if char == "\\":
            out.append(re.escape(source[at + 1 : at + 2]))
            at += 2
        elif char == ":":
            name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").match(source, at + 1)
            if not name:
                raise UnsupportedConfig(f"{source!r}: ':' without a parameter name")
            at = name.end()
            pattern = "[^/]+?"
            if source[at : at + 1] == "(":
                pattern, at = _group(source, at)
            modifier = source[at : at + 1]
            if modifier in ("*", "+") and out and out[-1] == "/":
                # Any number of segments; the slash in front of them goes with them.
                out[-1] = f"(?:/(?P<{name.group()}>{pattern}(?:/{pattern})*))" + "?" * (modifier == "*")
                at += 1
            else:
                out.append(f"(?P<{name.group()}>{pattern})")
        elif char == "(":
            pattern, at = _group(source, at)
            out.append(f"({pattern})")
        else:
            out.append(re.escape(char))
            at += 1
    try:
        return re.compile("".join(out))
    except re.error as error:
        raise UnsupportedConfig(f"{source!r}: {error}") from None


def _group(source: str, start: int) -> tuple[str, int]:
    """Read the regular expression between the parenthesis at `start` and its partner."""
    depth, at = 0, start
    while at < len(source):
        char = source[at]
        if char == "\\":
            at += 1
        elif char == "(":
            # path-to-regexp allows no capturing groups inside a group, and look-behind differs from Python's.
            if depth and source[at + 1 : at + 3] not in {"?:", "?=", "?!"}:
                raise UnsupportedConfig(f"{source!r}: only (?:, (?= and (?! may be nested")
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                pattern = source[start + 1 : at]
                if not pattern or pattern.startswith("?"):
                    raise UnsupportedConfig(f"{source!r}: a group may not be empty or start with '?'")
                return pattern, at + 1
        at += 1
    raise UnsupportedConfig(f"{source!r}: a parenthesis is not closed")


def _rules(config: Mapping[str, Any], key: str, known: set[str]) -> Iterator[Mapping[str, Any]]:
    for rule in config.get(key, []):
        if unknown := sorted(rule.keys() - known):
            raise UnsupportedConfig(f"vercel.json: {', '.join(unknown)} in {key} is not supported")
        yield rule


def _destination(destination: str) -> str:
    if not destination.startswith("/") or set(destination) & set(":?$*#"):
        raise UnsupportedConfig(f"vercel.json: the destination {destination!r} is not a plain path")
    return destination


def _functions(root: Path) -> Iterator[tuple[str, Path, str]]:
    """Yield path, file and module name of every function; names with a leading _ or . are not functions."""
    for file in sorted((root / "api").rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        if any(part.startswith(("_", ".")) for part in parts):
            continue
        if any("[" in part for part in parts):
            raise UnsupportedConfig(f"{'/'.join(parts)}.py: path segments in [brackets] are not supported")
        path = parts[:-1] if parts[-1] == "index" else parts
        yield "/" + "/".join(path), file, ".".join(parts)
