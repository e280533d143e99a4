"""Variables from the shell and from files such as Vercel's CLI writes, for the doctor and `make dev`."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import parse_stream

SHELL = "the shell"
FILES = (".env.local", ".env")
"""The first that has a variable counts; the shell counts before both."""


@dataclass(frozen=True)
class Variables:
    """What is set, each variable with the place that it comes from."""

    values: Mapping[str, str]
    sources: Mapping[str, str]
    hidden: tuple[str, ...] = ()
    """Variables that Vercel's CLI wrote into a file without their values."""
    unread: tuple[str, ...] = ()
    """Lines of files that set nothing, though something stands there."""


def read_variables(environ: Mapping[str, str], root: Path) -> Variables:
    """The shell's variables and those of .env.local and .env in `root`; one without a value is not set.

    Raises UnicodeDecodeError or OSError for a file that cannot be read.
    """
    values = {name: value for name, value in environ.items() if value.strip()}
    sources = dict.fromkeys(values, SHELL)
    hidden: set[str] = set()
    unread: list[str] = []
    for name in FILES:
        file = root / name
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8-sig")
        by_vercel = text.startswith("# Created by Vercel CLI")
        bindings = list(parse_stream(io.StringIO(text)))
        unread += [f"{name}, line {binding.original.line}" for binding in bindings if binding.error]
        for variable, value in {b.key: b.value for b in bindings if b.key is not None}.items():
            if (value or "").strip():
                if variable not in values:
                    values[variable], sources[variable] = value or "", name
            elif by_vercel:
                hidden.add(variable)
    return Variables(values, sources, tuple(sorted(hidden - values.keys())), tuple(unread))
