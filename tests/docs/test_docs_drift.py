"""Documents and code say the same, and each check of that notices a copy in which they do not."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.tgauth.settings.reader import Reader
from tests.docs import checks, code
from tests.docs.markdown import anchors, slug, targets

ROOT = Path(__file__).resolve().parents[2]

PARTS = ("api", "docs", "lib", "public", ".github")
FILES = ("*.md", ".env.example", ".python-version", "LICENSE", "Makefile", "requirements.txt", "vercel.json")

# The check, a file, what is taken out of it (a pattern), what comes in its place, what the check says then.
BREAKS = [
    (checks.settings, "README.md", r"^\| `ADMIN_TOKEN` .*\n", "", "README.md lacks setting ADMIN_TOKEN"),
    (
        checks.settings,
        "README.md",
        r"^\| `AUTH_ORIGIN` \|",
        "| `AUTH_ORIGINS` |",
        "unknown setting AUTH_ORIGINS",
    ),
    (checks.settings, "README.ru.md", r"2592000", "259200", "SESSION_TTL another default"),
    (checks.example, ".env.example", r"^SESSION_LIMIT=.*\n", "", "lacks setting SESSION_LIMIT"),
    (checks.example, ".env.example", r"^ADMIN_TOKEN=", "ADMIN=", "unknown setting ADMIN"),
    (checks.example, ".env.example", r"=7776000", "=777", "no default"),
    (checks.example, ".env.example", r"^# Lets its owner.*\n", "", "does not explain ADMIN_TOKEN"),
    (checks.endpoints, "README.md", r"^\| `POST /telegram/logout`.*\n", "", "lacks endpoint POST /tele"),
    (checks.endpoints, "docs/API.md", r"^\| `DELETE /telegram/sessions/\{id\}`.*\n", "", "API.md lacks"),
    (
        checks.endpoints,
        "lib/tgauth/endpoints/stats.py",
        r'endpoint\("/stats", GET=stats\)',
        'endpoint("/stats", PUT=stats)',
        "PUT /stats",
    ),
    (
        checks.endpoints,
        "vercel.json",
        r'"source": "/stats"',
        '"source": "/count"',
        "unknown endpoint GET /stats",
    ),
    (checks.codes, "README.md", r"^\| `login_stale` .*\n", "", "README.md lacks error login_stale 401"),
    (checks.codes, "docs/API.md", r"^\| `internal`", "| `inside`", "unknown error inside 500"),
    (checks.pages, "README.ru.md", r"^\| `/relay.html` .*\n", "", "README.ru.md lacks page /relay.html"),
    (checks.make, "README.md", r"^\| `make lint` .*\n", "", "README.md lacks command lint"),
    (checks.make, "Makefile", r"\Z", "\nnewest: .venv/dev\n", "README.ru.md lacks command newest"),
    (
        checks.make,
        "docs/PREVIEWS.md",
        r"`make dev`",
        "`make prod`",
        "PREVIEWS.md has an unknown command prod",
    ),
    (checks.links, "README.md", r"\(docs/API\.md#a-popup\)", "(docs/API.md#a-pop)", "API.md#a-pop"),
    (checks.links, "README.ru.md", r"\(#настройки\)", "(#настройка)", "README.ru.md leads to #настройка"),
    (checks.links, "docs/SECURITY.md", r"\(API\.md\)", "(APIS.md)", "docs/SECURITY.md leads to APIS.md"),
    (checks.links, "README.md", r"^\[deploy\]: .*\n", "", "README.md leads to [deploy]"),
    (checks.links, "docs/API.md", r"^## Errors", "## What fails", "tgauth.js speaks of docs/API.md#errors"),
    (checks.pictures, "README.md", r' alt="The login page[^"]*"', "", "picture without alt"),
    (
        checks.pictures,
        "README.ru.md",
        r'src="docs/images/error-ru-light.png"',
        "",
        "error-ru-light.png is shown",
    ),
    (checks.twins, "README.ru.md", r"^## Redis", "### Redis", "'###'"),
    (checks.twins, "README.ru.md", r"^- выход стирает", "выход стирает", "README.ru.md has"),
    (checks.twins, "docs/ru/MIGRATING.md", r"^\| имя .*\n", "", "docs/ru/MIGRATING.md has"),
    (checks.twins, "README.ru.md", r"^# 204$", "# 200", "README.ru.md has other commands"),
    (checks.twins, "README.md", r"\[По-русски\]\(README.ru.md\)", "По-русски", "does not begin with a link"),
    (
        checks.deploy,
        "README.ru.md",
        r"^\[repository\]: .*",
        "[repository]: https://a.example",
        "another repo",
    ),
    (checks.deploy, "README.md", r"&env=TELEGRAM_BOT_TOKEN", "&env=BOT_TOKEN", "asks for {'BOT_TOKEN'}"),
    (checks.deploy, "README.md", r"&stores=\S+", "", "no database"),
    (checks.workflow, ".github/workflows/ci.yml", r"contents: read", "contents: write", "may write"),
    (checks.workflow, ".github/workflows/ci.yml", r"checkout@v\d+", "checkout@main", "pinned to no version"),
    (checks.workflow, ".python-version", r"3\.12", "3.13", "container: python"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What documents speak of, in a folder of its own; links into the other folders need them to be there."""
    folder = tmp_path_factory.mktemp("copy")
    for name in PARTS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for pattern in FILES:
        for file in ROOT.glob(pattern):
            shutil.copy(file, folder / file.name)
    return folder


@pytest.fixture
def broken(request: pytest.FixtureRequest, copy: Path) -> Iterator[Path]:
    """The copy with one thing taken out of it, which is put back afterwards."""
    _, name, old, new, _ = request.param
    file = copy / name
    text = file.read_text(encoding="utf-8")
    changed, times = re.subn(old, lambda _: new, text, count=1, flags=re.MULTILINE)
    assert times == 1, "there is nothing to break"
    file.write_text(changed, encoding="utf-8")
    yield copy
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_documents_and_code_agree(check: checks.Check) -> None:
    """Nothing is wrong with the tree as it is."""
    assert list(check(ROOT)) == []


@pytest.mark.parametrize(
    "broken",
    BREAKS,
    indirect=True,
    ids=[f"{check.__name__}-{name}-{said}" for check, name, *_, said in BREAKS],
)
def test_what_is_broken_is_noticed(broken: Path, request: pytest.FixtureRequest) -> None:
    """Each thing that can go out of step is named by the check whose business it is."""
    check, *_, said = request.node.callspec.params["broken"]
    found = list(check(broken))
    assert any(said in line for line in found), found


def test_every_check_is_seen_to_fail() -> None:
    """There is no check without a copy that it refuses."""
    assert {check for check, *_ in BREAKS} == set(checks.CHECKS)


def test_the_variables_are_those_that_settings_read() -> None:
    """The recorder misses none that stands in the modules that read them, whatever the order of reading."""
    name = re.compile(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"')
    files = (
        "lib/tgauth/settings/reader.py",
        "lib/tgauth/settings/__init__.py",
        "lib/tgauth/settings/source.py",
    )
    literal = {found for file in files for found in name.findall((ROOT / file).read_text(encoding="utf-8"))}
    assert {found for found in literal if not found.startswith("VERCEL_")} == set(code.variables())
    assert Reader({}).text("ADMIN_TOKEN") == ""


def test_there_is_something_to_look_for() -> None:
    """What the checks ask for is found in the code, so none of them passes by looking at nothing."""
    assert {"TELEGRAM_BOT_TOKEN", "KV_REST_API_TOKEN", "REDIS_URL", "SESSION_READ"} <= set(code.variables())
    assert {"GET /stats", "DELETE /telegram/sessions/{id}", "POST /telegram/relay"} <= code.endpoints(ROOT)
    assert ("rate_limited", 429) in code.codes()
    assert {"/", "/confirm.html", "/error.html"} <= code.pages(ROOT)
    assert {"dev", "test", "vercel-check", "screenshots"} <= code.make_targets(ROOT)
    assert len(checks.documents(ROOT)) >= 14


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Ещё раз: `GET /stats`?", "ещё-раз-get-stats"),
        ("From [aiogram](https://example.com) and social-core", "from-aiogram-and-social-core"),
        ("What it costs — and *why*", "what-it-costs--and-why"),
        ("snake_case, C++ & co.", "snake_case-c--co"),
    ],
)
def test_anchors_are_githubs(heading: str, anchor: str) -> None:
    """A heading's anchor keeps letters of every language, digits, hyphens and underscores."""
    assert slug(heading) == anchor


def test_headings_of_the_same_words() -> None:
    """The second gets -1, the third -2; a heading in a code block is none."""
    text = "# One\n\n## One\n\n```sh\n# Two\n```\n\n## One\n"
    assert anchors(text) == {"one", "one-1", "one-2"}


def test_links_of_every_kind_are_seen() -> None:
    """Links, pictures, references and HTML; what stands in code is no link."""
    text = '[a](b.md) ![c](d.png) [e][f] [![g](h.svg)][i] `[j](k)`\n<img alt="" src="l.png">\n\n[f]: m.md\n'
    assert sorted(targets(text)) == ["[i]", "b.md", "d.png", "h.svg", "l.png", "m.md"]
