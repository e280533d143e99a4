"""Whether each of tgauth's addresses gets to its function: vercel.json's first matching rule decides.

Vercel looks at `redirects` first, then at files of public/, then at `rewrites` (or at `routes` alone). A rule
with `has`, `missing` or `methods` does not always match, and one that cannot be read here may match.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.doctor.report import Check, ok, problem, warning
from dev.serve.router import UnsupportedConfig, compile_source
from lib.tgauth.routes import ROUTES

OWN = ("/api/telegram/", "/api/status")

LEAVING_OUT = "/((?!telegram/|health$|stats$).*)"
"""A source that matches everything but tgauth's addresses."""

_WHERE = "README.md#endpoints"
# Any would do.
_AN_ID = "ErBCHab38eYhWlo3"
_PARAMETER = re.compile(r"[:$](\w+)[*+]?")
_SPECIAL = re.compile(r"[:(){}*+?\\^$|\[.]")


@dataclass(frozen=True, eq=False)
class _Rule:
    """One rule; `pattern` is None where it cannot be read, and then it `may` match what it begins like."""

    kind: str
    source: str
    destination: str
    pattern: re.Pattern[str] | None
    conditions: Mapping[str, Any]

    def leads(self, address: str) -> str | None:
        """Where to, without a query; None where the rule does not match."""
        if self.pattern is None:
            # What comes before the first sign that is not text; of `/a/:b?` that may be `/a`.
            begins = _SPECIAL.split(self.source.removeprefix("^"))[0].rstrip("/")
            return "" if address.startswith(begins) else None
        match = self.pattern.fullmatch(address)
        if match is None or self.of_another_host:
            return None

        def value(found: re.Match[str]) -> str:
            name = found[1]
            number = int(name) if name.isdigit() else match.re.groupindex.get(name, -1)
            return (match[number] or "") if 0 < number <= match.re.groups else found[0]

        return _PARAMETER.sub(value, self.destination).partition("?")[0].removesuffix(".py")

    @property
    def always(self) -> bool:
        """Whether it takes every request that its source matches."""
        return self.pattern is not None and not self.conditions

    @property
    def of_another_host(self) -> bool:
        """Whether it sends visitors of another host to another site, as sites with several domains do."""
        has = self.conditions.get("has")
        return (
            self.kind == "redirect"
            and self.destination.startswith("https://")
            and list(self.conditions) == ["has"]
            and isinstance(has, list)
            and all(isinstance(item, dict) and item.get("type") == "host" for item in has)
        )

    def complain(self, addresses: list[str]) -> Check:
        """That these addresses are tgauth's, and what to do."""
        more = f" and {len(addresses) - 3} more" if len(addresses) > 3 else ""
        message = (
            f"the {self.kind} of {json.dumps(self.source)} takes {', '.join(addresses[:3])}{more} from tgauth"
        )
        fix = (
            f'let it leave out /telegram, /health and /stats, such as by "source": "{LEAVING_OUT}": {_WHERE}'
        )
        if self.kind != "redirect":
            fix = f"put it last in vercel.json, below tgauth's; or {fix}"
        if self.always:
            return problem("rewrites", message, fix)
        why = "where its conditions hold" if self.pattern else "perhaps: it cannot be read here"
        return warning("rewrites", f"{message}, {why}", fix)


def check_routes(root: Path, config: Mapping[str, Any], found: list[str]) -> Iterator[Check]:
    """Each address of tgauth's functions among `found`. Raises what Python does for another form."""
    rules = list(_rules(config))
    taken: dict[_Rule, list[str]] = {}
    wrong = [f"{path}.py is not there" for path in _nowhere(root, rules)]
    files = []
    for address, function in _addresses(found):
        if file := _file(root, config, address):
            files.append(file)
        for rule in rules:
            to = rule.leads(address)
            if to not in (None, function):
                taken.setdefault(rule, []).append(address)
            if to is not None and rule.always:
                break
        else:
            wrong.append(f"{address} does not lead to {function}.py")
    if wrong:
        yield problem(
            "rewrites",
            "; ".join(wrong),
            'let vercel.json have {"source": "/telegram/…", "destination": "/api/telegram/…"} for each:'
            f" {_WHERE}",
        )
    for rule, addresses in taken.items():
        yield rule.complain(addresses)
    for file in files:
        yield problem("rewrites", f"{file} is shown in place of tgauth's answers", "move that file elsewhere")
    if config.get("trailingSlash") is True:
        yield problem(
            "rewrites",
            '"trailingSlash": true redirects every address to one with a slash, where nothing of tgauth is',
            f"take it out of vercel.json: {_WHERE}",
        )
    elif not (wrong or taken or files):
        yield ok("rewrites", "vercel.json leads every address to its function")


def _addresses(found: list[str]) -> Iterator[tuple[str, str]]:
    for path, name in ROUTES.items():
        function = "/api/status" if name in ("health", "stats") else f"/api/telegram/{name}"
        if function in found:
            yield path.replace("{id}", _AN_ID), function


def _rules(config: Mapping[str, Any]) -> Iterator[_Rule]:
    for kind in ("redirect", "route", "rewrite"):
        for rule in config.get(f"{kind}s", []):
            source = rule.get("src") if kind == "route" else rule["source"]
            destination = rule.get("dest", "") if kind == "route" else rule["destination"]
            # Of the older `routes` some only set headers, or mark a phase.
            if source is None or rule.get("continue") or not (destination or rule.get("status")):
                continue
            conditions = {name: rule[name] for name in ("has", "missing", "methods") if rule.get(name)}
            yield _Rule(kind, source, destination, _pattern(kind, source), conditions)


def _pattern(kind: str, source: str) -> re.Pattern[str] | None:
    try:
        if kind == "route":
            return re.compile(source.removeprefix("^").removesuffix("$").replace("(?<", "(?P<"))
        return compile_source(source)
    except (UnsupportedConfig, re.error):
        return None


def _nowhere(root: Path, rules: list[_Rule]) -> list[str]:
    """Functions that a rule names and that are not there, in whichever language."""
    named = {rule.destination.partition("?")[0] for rule in rules if not _PARAMETER.search(rule.destination)}
    paths = sorted(path.removesuffix(".py") for path in named if path.startswith("/api/"))
    return [path for path in paths if not _is_there(root / path[1:])]


def _is_there(path: Path) -> bool:
    return path.is_dir() or path.name in {file.stem for file in path.parent.glob("*")}


def _file(root: Path, config: Mapping[str, Any], address: str) -> str:
    """The file of public/ that is shown at the address; empty for none."""
    names = [address, f"{address}/index.html"] + [f"{address}.html"] * bool(config.get("cleanUrls"))
    return next((f"public{name}" for name in names if (root / f"public{name}").is_file()), "")
