"""What the doctor sees in the tree before it is deployed (dev/doctor: tree, routes, dependencies)."""

import json
import re

import pytest

from dev.doctor.routes import LEAVING_OUT
from dev.doctor.tree import check_tree
from dev.serve.process import ROOT
from dev.serve.router import compile_source

CASES = ROOT / "tests/cases/platform"
PROJECT = json.loads((ROOT / "vercel.json").read_text())
NEEDED = (ROOT / "requirements.txt").read_text()
# The first block of requirements.txt; the second is what these bring.
DIRECT = re.findall(r"^([\w-]+)==", NEEDED.partition("\n\n")[0], flags=re.MULTILINE)
CATCH_ALL = json.loads(re.search(r'\{"source".*?\}', (CASES / "10_vercel_json.md").read_text())[0])
TOOL_ONLY = re.search(r"\[tool\.ruff\]", (CASES / "09_pyproject.md").read_text())[0]


def configure(tree, **changes):
    config = {name: value for name, value in {**PROJECT, **changes}.items() if value is not ...}
    (tree / "vercel.json").write_text(json.dumps(config))


def wrong(tree):
    return [check for check in check_tree(tree) if check.status != "ok"]


def test_the_repository_is_as_vercel_needs_it(tree):
    """So is its copy; a function of the owner's needs no rewrite."""
    assert {check.status for check in check_tree(ROOT)} == {"ok"}
    checks = {check.name: check for check in check_tree(tree)}
    assert {check.status for check in checks.values()} == {"ok"}
    assert "has 10" in checks["functions"].message


def touch(*names):
    """Add empty files to a tree."""

    def change(tree):
        for name in names:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).touch()

    return change


@pytest.mark.parametrize(
    ("change", "name", "status"),
    [
        (touch(*(f"api/more{number}.py" for number in range(12))), "functions", "warning"),
        (lambda tree: configure(tree, rewrites=...), "rewrites", "problem"),
        (lambda tree: (tree / "api/telegram/verify.py").unlink(), "rewrites", "problem"),
        (lambda tree: configure(tree, framework="python"), "layout", "problem"),
        (lambda tree: (tree / "public/index.html").unlink(), "layout", "problem"),
        (lambda tree: (tree / "requirements.txt").unlink(), "layout", "problem"),
        (lambda tree: (tree / "vercel.json").write_text("["), "vercel.json", "problem"),
        (lambda tree: (tree / "vercel.json").write_text("[]"), "vercel.json", "problem"),
        (lambda tree: configure(tree, rewrites=[{}]), "vercel.json", "problem"),
        (touch("public/health"), "rewrites", "problem"),
        (touch("public/telegram/verify/index.html"), "rewrites", "problem"),
        (lambda tree: configure(tree, trailingSlash=True), "rewrites", "problem"),
    ],
)
def test_what_breaks_a_deployment_without_a_word(tree, change, name, status):
    """Each of the rules of Vercel's builder that a tree can break shows."""
    change(tree)
    assert [(check.name, check.status) for check in wrong(tree)] == [(name, status)]


def test_a_page_without_its_names_end(tree):
    """With cleanUrls a page stands in the way of the address that is its name without .html."""
    touch("public/stats.html")(tree)
    assert not wrong(tree)
    configure(tree, cleanUrls=True)
    assert [(check.name, check.status) for check in wrong(tree)] == [("rewrites", "problem")]


def rewrite(source, destination="/index.html", **conditions):
    return {"source": source, "destination": destination, **conditions}


HOST = {"has": [{"type": "host", "value": "old.example.com"}]}
COOKIE = {"missing": [{"type": "cookie", "key": "seen"}]}


@pytest.mark.parametrize("key", ["rewrites", "redirects"])
@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (CATCH_ALL, "problem"),
        (rewrite("/:path*"), "problem"),
        (rewrite("/:path*", "https://example.com/:path*"), "problem"),
        (rewrite("/telegram/:path*", "/app/telegram/:path*"), "problem"),
        (rewrite("/telegram/sessions/:id", "/api/telegram/verify"), "problem"),
        (rewrite("/((?!api/).*)"), "problem"),
        (rewrite("/stats", "/stats.html"), "problem"),
        (rewrite("/(.*)", **COOKIE), "warning"),
        (rewrite("/:path*", has=[{"type": "header", "key": "accept"}]), "warning"),
        (rewrite("/:path?"), "warning"),
        (rewrite("/telegram/:path?"), "warning"),
        (rewrite(LEAVING_OUT), None),
        (rewrite("/app/(.*)"), None),
        (rewrite("/blog/:slug?"), None),
        (rewrite("/healthy"), None),
        (rewrite("/health/"), None),
    ],
    ids=json.dumps,
)
def test_a_rule_that_stands_before_tgauths(tree, key, rule, status):
    """Where the first rule that matches an address of tgauth's is not tgauth's, it is named, with the fix."""
    configure(tree, **{key: [rule, *PROJECT.get(key, [])]})
    found = wrong(tree)
    assert [check.status for check in found] == [status] * (status is not None), found
    for check in found:
        assert json.dumps(rule["source"]) in check.message
        assert (key == "rewrites") == ("put it last" in check.fix)
        assert LEAVING_OUT in check.fix


def test_two_rules_with_one_source(tree):
    """A rule with conditions does not hide the one without that follows it."""
    configure(tree, rewrites=[rewrite("/(.*)", **COOKIE), CATCH_ALL, *PROJECT["rewrites"]])
    assert [check.status for check in wrong(tree)] == ["warning", "problem"]


@pytest.mark.parametrize(
    "changes",
    [
        {"rewrites": [*PROJECT["rewrites"], CATCH_ALL]},
        {"cleanUrls": True},
        {"trailingSlash": False},
        {"redirects": [rewrite("/(.*)", "https://example.com/$1", **HOST)]},
        {"redirects": [rewrite("/old", "/new")]},
        {
            "rewrites": [
                rewrite("/telegram/sessions/:id", "/api/telegram/sessions"),
                rewrite("/telegram/:name", "/api/telegram/:name"),
                rewrite("/(health|stats)", "/api/status"),
                CATCH_ALL,
            ]
        },
    ],
    ids=json.dumps,
)
def test_what_leaves_tgauths_addresses_alone(tree, changes):
    """A catch-all as the last rewrite, another site's host, or tgauth's own rules in fewer lines are fine."""
    configure(tree, **changes)
    assert not wrong(tree)


def test_a_host_that_shows_something_else_is_no_certain_fault(tree):
    """Only a redirect to another site is known to leave the site's own host alone."""
    configure(tree, rewrites=[rewrite("/(.*)", "/docs/$1", **HOST), *PROJECT["rewrites"]])
    assert [check.status for check in wrong(tree)] == ["warning"]


def test_tgauths_own_rule_with_a_condition(tree):
    """It does not lead there always, which is what it must do."""
    first, *others = PROJECT["rewrites"]
    configure(tree, rewrites=[{**first, **COOKIE}, *others])
    (check,) = wrong(tree)
    assert (check.status, check.message) == ("problem", "/health does not lead to /api/status.py")


@pytest.mark.parametrize(
    ("route", "status"),
    [
        ({"src": "/(.*)", "dest": "/index.html"}, "problem"),
        ({"src": "^/telegram/(?<name>[a-z]+)$", "dest": "/app/$name"}, "problem"),
        ({"src": "/(.*)", "status": 308, "headers": {"Location": "https://example.com/$1"}}, "problem"),
        ({"src": "/(.*)", "dest": "/index.html", "methods": ["GET"]}, "warning"),
        ({"src": "/(.*)", "headers": {"x-a": "b"}, "continue": True}, None),
        ({"handle": "filesystem"}, None),
    ],
    ids=json.dumps,
)
def test_the_older_routes(tree, route, status):
    """The rules of `routes`, regular expressions, are read as well."""
    configure(tree, routes=[route])
    assert [check.status for check in wrong(tree)] == [status] * (status is not None)


def test_the_source_that_the_fix_names_leaves_out_what_is_tgauths():
    """It matches everything else, and none of the addresses that vercel.json has."""
    pattern = compile_source(LEAVING_OUT)
    assert not any(pattern.fullmatch(rule["source"]) for rule in PROJECT["rewrites"])
    assert all(pattern.fullmatch(path) for path in ("/", "/app", "/healthy", "/telegram", "/index.html"))


def test_a_function_in_another_language(tree):
    """A rewrite of the owner's may lead to it."""
    configure(tree, rewrites=[*PROJECT["rewrites"], rewrite("/x", "/api/x"), rewrite("/y", "/api/y")])
    (tree / "api/x.ts").touch()
    (check,) = wrong(tree)
    assert check.message == "/api/y.py is not there"


PROJECT_TABLE = (
    f"[project]\nname = 'x'\nversion = '1'\ndependencies = {json.dumps([f'{name}>=1' for name in DIRECT])}\n"
)


@pytest.mark.parametrize(
    ("name", "text", "missing"),
    [
        ("pyproject.toml", f"{TOOL_ONLY}\nline-length = 100\n", "upstash-redis"),
        ("pyproject.toml", "", "upstash-redis"),
        ("pyproject.toml", PROJECT_TABLE.replace("upstash-redis", "requests"), "upstash-redis"),
        ("pyproject.toml", PROJECT_TABLE, ""),
        ("pyproject.toml", PROJECT_TABLE.replace("upstash-redis>", "Upstash_Redis[x] >"), ""),
        ("pyproject.toml", "[project", "cannot be read"),
        ("pyproject.toml", "project = 1", "cannot be read"),
        ("Pipfile", "[packages]\npydantic = '*'\n", "upstash-redis"),
        ("Pipfile", "[packages]\n" + "".join(f"{name} = '*'\n" for name in DIRECT), ""),
        ("Pipfile.lock", '{"default": {}}', "upstash-redis"),
        ("requirements.frozen.txt", "pydantic==2\n", "upstash-redis"),
        ("requirements-frozen.txt", NEEDED, ""),
        ("api/requirements.txt", "requests\n", "upstash-redis"),
        ("api/telegram/pyproject.toml", TOOL_ONLY, "upstash-redis"),
        ("lib/requirements.txt", "", ""),
        ("api/own/requirements.txt", "requests\n", ""),
    ],
)
def test_what_takes_the_place_of_requirements(tree, name, text, missing):
    """Vercel takes packages from one file alone: what that does not name, nor bring, is missing."""
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text(text)
    found = wrong(tree)
    assert [check.status for check in found] == ["problem"] * bool(missing), found
    for check in found:
        assert name in check.message
        assert missing in check.message
        assert f"remove {name}" in check.fix or "remove it" in check.fix
