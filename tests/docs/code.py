"""What the code has and documents must name: variables, endpoints, error codes, pages, commands."""

import ast
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from lib.tgauth import errors
from lib.tgauth.errors import Misconfigured
from lib.tgauth.routes import ROUTES
from lib.tgauth.settings import read_settings


class Recorder(Mapping[str, str]):
    """An environment that knows afterwards which variables were looked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values[name]

    def __iter__(self) -> Iterator[str]:
        # Names that merely end like one of ours are looked for, too, to tell the owner of them.
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)


def variables() -> list[str]:
    """The variables that settings look for, without those that Vercel sets by itself."""
    found = set()
    for environment in ("production", "preview", "development"):
        recorder = Recorder({"VERCEL_ENV": environment})
        try:
            read_settings(recorder)
        except Misconfigured:
            found |= recorder.asked
        else:
            raise AssertionError("without a bot token nothing is configured")
    return sorted(name for name in found if not name.startswith(("VERCEL", "__VC")))


def codes() -> list[tuple[str, int]]:
    """The error codes with their statuses."""
    problems = [value for _, value in inspect.getmembers(errors, inspect.isclass) if "code" in vars(value)]
    return sorted((problem.code, problem.status) for problem in problems)


def endpoints(root: Path) -> set[str]:
    """Each method and public path, as `GET /health`; what HEAD and OPTIONS do is the same everywhere.

    A path with `{id}` is another way to one of the endpoint's methods, which alone needs it: DELETE.
    """
    found = set()
    for rule in json.loads((root / "vercel.json").read_text(encoding="utf-8"))["rewrites"]:
        path = re.sub(r":(\w+)", r"{\1}", rule["source"])
        name = ROUTES.get(path, rule["source"].rpartition("/")[2])
        module = root / f"lib/tgauth/endpoints/{name}.py"
        if module.exists():
            found |= {f"{way} {path}" for way in methods(module) if "{" not in path or way == "DELETE"}
    return found


def methods(module: Path) -> list[str]:
    """The methods that an endpoint answers: the arguments of its `app = endpoint("/path", …)`."""
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.keywords:
            return [keyword.arg for keyword in node.value.keywords if keyword.arg]
    raise AssertionError(f"{module.name} has no app = endpoint(…)")


def pages(root: Path) -> set[str]:
    """The addresses of the pages."""
    names = {f"/{path.name}" for path in (root / "public").glob("*.html")}
    return {"/" if name == "/index.html" else name for name in names}


def make_targets(root: Path) -> set[str]:
    """The commands of the Makefile."""
    text = (root / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", text, flags=re.MULTILINE))
