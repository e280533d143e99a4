"""What must hold between documents and code. Each check takes a tree and tells what is wrong in it."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from lib.tgauth.settings import read_settings
from tests.docs import code
from tests.docs.markdown import anchors, commands, dead, prose, shape, targets

READMES = ("README.md", "README.ru.md")
GUIDES = ("REDIS_QUICK_START.md", "REDIS_SETUP.md", "MIGRATING.md", "PREVIEWS.md")
TWINS = (READMES, *((f"docs/{name}", f"docs/ru/{name}") for name in GUIDES))
MOST_BYTES = 60_000

_MENTION = re.compile(r"\b(docs/[\w/]+\.md|README(?:\.ru)?\.md)(?:#([\w-]+))?")
_COMMAND = re.compile(r"(?:`|^)make ([a-z-]+)(?: [A-Z]+=[^\s`]+)*(?:`| *(?:#.*)?$)", re.MULTILINE)

Check = Callable[[Path], Iterator[str]]


def documents(root: Path) -> list[Path]:
    """Every Markdown file of the tree."""
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]


def read(root: Path, path: str) -> str:
    return (root / path).read_text(encoding="utf-8")


def rows(text: str, first: str) -> list[str]:
    """The rows of tables whose first cell has `first`, a pattern."""
    return re.findall(rf"^\| *{first}.*\|$", prose(text), flags=re.MULTILINE)


def differing(path: str, kind: str, said: set[str], meant: set[str]) -> Iterator[str]:
    yield from (f"{path} lacks {kind} {name}" for name in sorted(meant - said))
    yield from (f"{path} has an unknown {kind} {name}" for name in sorted(said - meant))


def settings(root: Path) -> Iterator[str]:
    """Both tables have a row for every variable that settings read, with its default, and no other."""
    # The least that there can be: what is left is a default.
    defaults = read_settings({"TELEGRAM_BOT_TOKEN": "1:a"})
    numbers = {
        "SESSION_TTL": defaults.session_ttl,
        "SESSION_MAX_AGE": defaults.session_max_age,
        "SESSION_LIMIT": defaults.session_limit,
        "MINI_APP_TTL": defaults.mini_app_ttl,
        "MINI_APP_LIMIT": defaults.mini_app_limit,
        "TELEGRAM_REQUIRE_CHAT_TTL": defaults.require_chat_ttl,
    }
    for path in READMES:
        found = {}
        for row in rows(read(root, path), r"`[A-Z][A-Z_]+`"):
            first, *_, default = row.strip("| ").split(" | ")
            found |= dict.fromkeys(re.findall(r"`([A-Z_]+)`", first), default)
        yield from differing(path, "setting", set(found), set(code.variables()))
        for name, number in numbers.items():
            if not re.match(rf"{number}\b", found.get(name, "")):
                yield f"{path} gives {name} another default than {number}"


def example(root: Path) -> Iterator[str]:
    """.env.example has every variable, no other, each explained; its values are the defaults."""
    text = read(root, ".env.example")
    values = dict(re.findall(r"^(\w+)=(.*)$", text, flags=re.MULTILINE))
    yield from differing(".env.example", "setting", set(values), set(code.variables()))
    for block in text.split("\n\n"):
        if "=" in block and not block.startswith("#"):
            yield f".env.example does not explain {block.partition('=')[0]}"
    token = {"TELEGRAM_BOT_TOKEN": "1:a"}
    if read_settings({**values, **token}) != read_settings(token):
        yield ".env.example has a value that is no default"


def endpoints(root: Path) -> Iterator[str]:
    """Both READMEs have a row for every method of every public path, and docs/API.md speaks of it."""
    meant = code.endpoints(root)
    for path in READMES:
        said = set(re.findall(r"^\| `([A-Z]+ /[^`?]*)`", read(root, path), flags=re.MULTILINE))
        yield from differing(path, "endpoint", said, meant)
    row = r"`((?:GET|POST|DELETE) /[^`? ]*)[`?]"
    said = {name for line in rows(read(root, "docs/API.md"), "`") for name in re.findall(row, line)}
    yield from differing("docs/API.md", "endpoint", said, meant)


def codes(root: Path) -> Iterator[str]:
    """Every error code has a row with its status, in both READMEs and docs/API.md."""
    meant = {f"{name} {status}" for name, status in code.codes()}
    for path in (*READMES, "docs/API.md"):
        said = set(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", read(root, path), flags=re.MULTILINE))
        yield from differing(path, "error", {f"{name} {status}" for name, status in said}, meant)


def pages(root: Path) -> Iterator[str]:
    """Every page has a row in both READMEs."""
    for path in READMES:
        said = set(re.findall(r"^\| `(/(?:\w+\.html)?)` \|", read(root, path), flags=re.MULTILINE))
        yield from differing(path, "page", said, code.pages(root))


def make(root: Path) -> Iterator[str]:
    """Every command of the Makefile has a row in both READMEs, and a command in any document is there."""
    meant = code.make_targets(root)
    for path in READMES:
        said = set(re.findall(r"^\| `make ([\w-]+)` \|", read(root, path), flags=re.MULTILINE))
        yield from differing(path, "command", said, meant)
    for path in documents(root):
        text = path.read_text(encoding="utf-8")
        said = set(_COMMAND.findall(text))
        yield from (f"{path.name} has an unknown command {name}" for name in sorted(said - meant))


def links(root: Path) -> Iterator[str]:
    """No link of a document into the tree is dead, with or without an anchor, and no picture is missing.

    What the code and the pages' scripts say of a document counts, too.
    """
    for path in documents(root):
        yield from (f"{path.relative_to(root)} leads to {target}" for target in dead(path))
    for folder in ("api", "lib", "public", "dev"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".py", ".js", ".ts") or "node_modules" in path.parts:
                continue
            for file, anchor in _MENTION.findall(path.read_text(encoding="utf-8")):
                there = (root / file).exists()
                if not there or (anchor and anchor not in anchors(read(root, file))):
                    yield f"{path.relative_to(root)} speaks of {file}#{anchor}"


def pictures(root: Path) -> Iterator[str]:
    """Every picture is shown somewhere, is small, and has a text for those who do not see it."""
    shown = set()
    for path in documents(root):
        text = path.read_text(encoding="utf-8")
        shown |= {(path.parent / target).resolve() for target in targets(text) if target.endswith(".png")}
        for tag in re.findall(r"<img\b[^>]*>", text):
            if not re.search(r'alt="[^"]{3,}"', tag):
                yield f"{path.name} has a picture without alt: {tag}"
    for file in sorted((root / "docs" / "images").glob("*")):
        if file.resolve() not in shown:
            yield f"{file.name} is shown nowhere"
        if file.stat().st_size > MOST_BYTES:
            yield f"{file.name} is larger than {MOST_BYTES} bytes"


def twins(root: Path) -> Iterator[str]:
    """A document and its translation have the same headings, tables, lists, code blocks and commands."""
    for english, russian in TWINS:
        texts = read(root, english), read(root, russian)
        here, there = map(shape, texts)
        for number, (one, other) in enumerate(zip(here, there, strict=False)):
            if one != other:
                yield f"{russian} has {other!r} where {english} has {one!r}, after {here[:number][-3:]}"
                break
        if len(here) != len(there):
            yield f"{russian} has {len(there)} parts and {english} {len(here)}"
        if commands(texts[0]) != commands(texts[1]):
            yield f"{russian} has other commands or answers than {english}"
        if not re.search("[а-яё]{4}", texts[1]):
            yield f"{russian} is not in Russian"
        for text, path, other in zip(texts, (english, russian), (russian, english), strict=True):
            if other.rpartition("/")[2] not in "".join(text.splitlines()[:6]):
                yield f"{path} does not begin with a link to {other}"


def deploy(root: Path) -> Iterator[str]:
    """The Deploy button clones the repository that the document names, and asks for what there is."""
    for path in READMES:
        found = dict(re.findall(r"^\[(repository|deploy)\]: (\S+)$", read(root, path), flags=re.MULTILINE))
        button = urlsplit(found.get("deploy", ""))
        asked = {name: values[0] for name, values in parse_qs(button.query).items()}
        repository = found.get("repository", "nothing")
        if f"{button.scheme}://{button.netloc}{button.path}" != "https://vercel.com/new/clone":
            yield f"{path}: the button does not lead to Vercel"
        if asked.get("repository-url") != repository or not asked.get("envLink", "").startswith(repository):
            yield f"{path}: the button leads to another repository than {repository}"
        if unknown := set(asked.get("env", "?").split(",")) - set(code.variables()):
            yield f"{path}: the button asks for {unknown}"
        stores = json.loads(asked.get("stores", "[]"))
        if [(store["type"], store["integrationSlug"]) for store in stores] != [("integration", "upstash")]:
            yield f"{path}: the button offers no database of Upstash's"


def workflow(root: Path) -> Iterator[str]:
    """GitHub's workflow runs .ci/run with the Python of .python-version, and may read and no more."""
    text = read(root, ".github/workflows/ci.yml")
    version = read(root, ".python-version").strip()
    for line in ("permissions:\n  contents: read\n", f"container: python:{version}-", "run: .ci/run\n"):
        if line not in text:
            yield f"the workflow lacks {line!r}"
    if "write" in text or "secrets." in text:
        yield "the workflow may write, or has a secret"
    used = re.findall(r"uses: (\S+)", text)
    yield from (f"{name} is pinned to no version" for name in used if not re.search(r"@v\d+$", name))


CHECKS: tuple[Check, ...] = (
    settings,
    example,
    endpoints,
    codes,
    pages,
    make,
    links,
    pictures,
    twins,
    deploy,
    workflow,
)
