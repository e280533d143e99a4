"""Build a copy of the repository as Vercel does, inspect what would be deployed, and run it.

    python -m dev.vercel.check

Vercel drops a file it cannot read as a function without a word, and bundles what it is not told to leave
out; so the bundles are checked file by file, and each is started from its own files alone.
"""

import json
import re
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev.npm import MissingTool, left_out
from dev.vercel.build import (
    BuildFailed,
    Bundle,
    Tools,
    build,
    copy_tree,
    find_tools,
    install_cli,
    read_bundles,
)
from dev.vercel.proxy import HOST, Response
from dev.vercel.runtime import Function, FunctionError

MAX_MEGABYTES = 40
MAX_FUNCTIONS = 12  # on Vercel's Hobby plan
CANARY = f"canary-{secrets.token_hex(16)}"
DECOYS = (".env", ".env.local", ".env.production")
ENVIRONMENT = {
    "TELEGRAM_BOT_TOKEN": "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11",
    "TELEGRAM_API_URL": "http://127.0.0.1:9",
    "VERCEL": "1",
    "VERCEL_ENV": "production",
    "VERCEL_PROJECT_PRODUCTION_URL": HOST,
}
BUILDERS_OWN = {".vc-config.json", "vc__handler__python.py", "vercel.json"}
EXPECTED_GET = {
    "/api/status": 404,
    "/api/telegram/callback": 401,
    "/api/telegram/login": 303,
    "/api/telegram/relay": 404,
    "/api/telegram/start": 303,
    "/api/telegram/verify": 401,
}


class Report:
    """Prints one line for each assertion and counts them."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []

    def check(self, what: str, *problems: object) -> None:
        """Note that `what` holds, or, if any of `problems` is truthy, that it does not and why."""
        why = "; ".join(str(problem) for problem in problems if problem)
        if why:
            self.failed.append(what)
            print(f"FAIL  {what}: {why}", flush=True)
        else:
            self.passed += 1
            print(f"ok    {what}", flush=True)


def main() -> int:
    """Run every check; the exit code is 1 if one failed, or if a tool is missing and REQUIRE_ALL=1."""
    report = Report()
    try:
        tools = find_tools()
        install_cli()
    except MissingTool as missing:
        return left_out(missing)
    with tempfile.TemporaryDirectory(prefix="vercel-check-") as name:
        try:
            check_build(report, Path(name).resolve(), tools)
        except BuildFailed as error:
            report.check("vercel build", error)
    for what in report.failed:
        print(f"failed: {what}")
    print(f"{report.passed} passed, {len(report.failed)} failed")
    return int(bool(report.failed))


def check_build(report: Report, work: Path, tools: Tools) -> None:
    """Build a copy of the tree below `work`, then check everything that came out."""
    project = work / "project"
    copy_tree(project)
    for decoy in DECOYS:
        (project / decoy).write_text(f"TELEGRAM_BOT_TOKEN={CANARY}\n")
    # Read before the build, which adds files of its own.
    expected = set(expected_functions(project))
    public = files_below(project / "public")
    code = {
        f"{top}/{name}"
        for top in ("api", "lib")
        for name in files_below(project / top)
        if name.endswith(".py")
    }
    pins = dict(pinned(project / "requirements.txt"))
    python = (project / ".python-version").read_text().strip()
    rewrites: list[dict[str, str]] = json.loads((project / "vercel.json").read_bytes())["rewrites"]

    output = build(project, tools, work / "config")
    bundles = read_bundles(project, output)
    built = {bundle.path for bundle in bundles}
    static = files_below(output / "static")
    report.check(f"functions: {' '.join(sorted(built))}", *difference(built, expected), not built and "none")
    excess = max(len(built) - MAX_FUNCTIONS, 0)
    report.check(f"{len(built)} of at most {MAX_FUNCTIONS} functions", excess and f"{excess} too many")
    report.check(f"{len(static)} static files, those of public/", *difference(static, public))
    check_routes(report, output, rewrites)
    for bundle in bundles:
        check_bundle(report, bundle, code, pins, python)
    check_canary(report, output, bundles)
    addresses = {rewrite["destination"]: rewrite["source"] for rewrite in rewrites}
    for bundle in bundles:
        root = bundle.materialise(work / f"bundles{bundle.path}")
        check_running(report, bundle, root, str(tools.python), addresses.get(bundle.path, bundle.path))


def expected_functions(project: Path) -> Iterator[str]:
    """The path of every function that api/ is meant to hold; names with _ or . in front are no functions."""
    for file in (project / "api").rglob("*.py"):
        parts = file.relative_to(project).with_suffix("").parts
        if not any(part.startswith(("_", ".")) for part in parts):
            yield "/" + "/".join(parts)


def pinned(requirements: Path) -> Iterator[tuple[str, str]]:
    """Name and version of every pin."""
    for line in requirements.read_text().splitlines():
        if match := re.match(r"([\w.-]+)(?:\[.*\])?==([\w.+!]+)", line):
            yield normalised(match[1]), match[2]


def check_routes(report: Report, output: Path, rewrites: list[dict[str, str]]) -> None:
    """Every rewrite's source reaches its function: no earlier route or static file takes the request."""
    routes: list[dict[str, Any]] = json.loads((output / "config.json").read_bytes())["routes"]
    for rewrite in rewrites:
        path = re.sub(r":\w+[*+?]?", "x", rewrite["source"])
        takes = (r for r in routes if "src" in r and not r.get("continue") and re.search(r["src"], path))
        goes_to = str(next(takes, {}).get("dest", "nothing")).partition("?")[0]
        report.check(
            f"{rewrite['source']} -> {rewrite['destination']}",
            goes_to != rewrite["destination"].partition("?")[0] and f"goes to {goes_to}",
            not (output / f"functions{goes_to}.func").is_dir() and "no such function",
            (output / f"static{path}").is_file() and "a static file answers first",
        )


def check_bundle(report: Report, bundle: Bundle, code: set[str], pins: dict[str, str], python: str) -> None:
    """A bundle holds the code, every pinned dependency, and nothing else; it is small, on our Python."""
    ours = {name for name in bundle.files if not name.startswith("_vendor/")} - BUILDERS_OWN
    report.check(f"{bundle.path}: {len(ours)} files, those of api/ and lib/", *difference(ours, code))
    found = {}
    for name in bundle.files:
        if match := re.fullmatch(r"_vendor/(.+)-([^-]+)\.dist-info/METADATA", name):
            found[normalised(match[1])] = match[2]
    wrong = [f"{name} is {found.get(name)}" for name, pin in pins.items() if found.get(name) != pin]
    report.check(f"{bundle.path}: the {len(pins)} pinned dependencies", *wrong, not pins and "no pins")
    megabytes = bundle.size / 1e6
    large = megabytes > MAX_MEGABYTES and f"over {MAX_MEGABYTES} MB"
    report.check(f"{bundle.path}: {megabytes:.1f} MB", large)
    runtime = bundle.config.get("runtime")
    report.check(f"{bundle.path}: python{python}", runtime != f"python{python}" and f"is {runtime}")


def check_canary(report: Report, output: Path, bundles: list[Bundle]) -> None:
    """What an owner keeps in .env files is in nothing that would be uploaded."""
    files = {file for file in output.rglob("*") if file.is_file()}
    files |= {file for bundle in bundles for file in bundle.files.values()}
    leaks = [str(file) for file in sorted(files) if CANARY.encode() in file.read_bytes()]
    report.check(f"no secret of {', '.join(DECOYS)} in {len(files)} files", leaks)


def check_running(report: Report, bundle: Bundle, root: Path, python: str, address: str) -> None:
    """The bundle starts with nothing but its own files, refuses PUT, and answers GET without failing."""
    try:
        with Function.from_bundle(root, python, ENVIRONMENT) as function:
            started = f"{bundle.path} starts in {function.init_ms} ms"
            put, get = (function.request(method, address) for method in ("PUT", "GET"))
    except FunctionError as error:
        report.check(f"{bundle.path} runs", error)
        return
    report.check(started)
    allow = put.header("allow") or ""
    accepted = (put.status != 405 or not allow) and "wanted 405 with Allow"
    report.check(f"PUT {address}: {put.status}, Allow: {allow}", accepted, answer_problem(put))
    wanted = EXPECTED_GET.get(bundle.path, get.status) if "GET" in re.findall(r"\w+", allow) else 405
    unwanted = get.status != wanted and f"wanted {wanted}"
    report.check(f"GET {address}: {get.status}", unwanted, answer_problem(get))


def answer_problem(response: Response) -> str:
    """What is wrong with an answer by the API's rules, or nothing."""
    if response.status >= 500:
        return f"{response.status} {response.body.decode(errors='replace')[:500]}"
    if 300 <= response.status < 400:
        return "" if response.header("location") else "a redirect without Location"
    wanted = "application/problem+json" if response.status >= 400 else "application/json"
    kind = (response.header("content-type") or "").partition(";")[0]
    if kind != wanted:
        return f"{response.status} as {kind or 'nothing'}, not {wanted}"
    try:
        return "" if isinstance(response.json(), dict) else "a body that is no JSON object"
    except ValueError:
        return "a body that is no JSON"


def difference(found: set[str], wanted: set[str]) -> list[str]:
    """What is missing and what is too much."""
    return [f"{name} is missing" for name in sorted(wanted - found)] + [
        f"{name} does not belong" for name in sorted(found - wanted)
    ]


def files_below(directory: Path) -> set[str]:
    """The files of a directory, relative to it; none if it does not exist."""
    return {str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file()}


def normalised(name: str) -> str:
    """A distribution's name, spelled one way."""
    return re.sub(r"[-_.]+", "_", name).lower()


if __name__ == "__main__":
    sys.exit(main())
