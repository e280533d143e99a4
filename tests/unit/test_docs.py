"""What the documents name is what the code has: variables, error codes, endpoints, log texts and links."""

import ast
import dataclasses
import inspect
import json
import re
from pathlib import Path

import pytest

from lib import errors
from lib.telegram import http, id_token, relay, transaction, webapp, widget
from lib.telegram.user import TelegramUser

ROOT = Path(__file__).resolve().parents[2]
ENGLISH = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *ENGLISH, *sorted((ROOT / "docs").glob("*/*.md"))]
TRANSLATED = ("REDIS_QUICK_START.md", "REDIS_SETUP.md", "MIGRATING.md", "PREVIEWS.md")
SETUP = ("docs/REDIS_SETUP.md", "docs/ru/REDIS_SETUP.md")
MIGRATING = ("docs/MIGRATING.md", "docs/ru/MIGRATING.md")
PREVIEWS = ("docs/PREVIEWS.md", "docs/ru/PREVIEWS.md")
READERS = ("lib/environment.py", "lib/settings.py", "lib/credentials.py")
LOGIN_REASONS = (
    ("lib/environment.py", "is a bot token; "),
    ("lib/telegram/oidc.py", "TELEGRAM_CLIENT_SECRET: Telegram answered "),
    ("lib/telegram/provider.py", "TELEGRAM_CLIENT_SECRET: Telegram refused it; "),
    ("lib/telegram/id_token.py", "id_token is not signed with RS256 or ES256; choose RS256 at @BotFather"),
    ("lib/telegram/id_token.py", "id_token without id: the login must ask for the scope profile"),
    ("lib/web/transactions.py", "state names no login that this browser began in the last 10 minutes"),
)
RELAY = ("lib/telegram/relay.py", "lib/telegram/relay_client.py", "lib/sessions/relay.py")
RELAY_REASONS = (
    ("api/telegram/relay.py", "the body holds neither a ticket nor a code with its verifier and host"),
    ("lib/environment.py", "has an entry that is no host; set such as app-*-team.vercel.app"),
    ("lib/environment.py", "lets everybody on Vercel in; set such as app-*-team.vercel.app"),
    ("lib/environment.py", "needs TELEGRAM_BOT_TOKEN; set that, of a bot in the chat"),
    ("lib/sessions/base.py", "without Redis other instances cannot be reached"),
    ("lib/sessions/create.py", "kept out by TELEGRAM_ALLOW or TELEGRAM_DENY"),
    ("lib/settings.py", "AUTH_RELAY_URL: is not set; set production's origin, such as https://example.com"),
    ("lib/settings.py", "no relay: AUTH_RELAY_SECRET is not set, or this is a preview itself"),
    ("lib/store/redis.py", "REDIS_URL: the server is too old; use Redis 8 or Valkey 9.1"),
    ("lib/telegram/http.py", "no usable answer ("),
    (
        "lib/web/login.py",
        "AUTH_RELAY_SECRET: is not set; docs/PREVIEWS.md has the steps, for here and production",
    ),
    ("lib/web/membership.py", "not in TELEGRAM_REQUIRE_CHAT"),
    ("lib/web/request.py", "AUTH_ORIGIN: is not set; set this site's origin, such as https://example.com"),
    ("lib/web/transactions.py", "state names no login that this browser began in the last 10 minutes"),
    ("lib/web/transactions.py", "this login has been finished already"),
)
REASONS = ("lib/credentials.py", "lib/store/hashes.py", "lib/store/upstash.py", "lib/store/redis.py")


def read(path):
    """The text of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def strings(path):
    """The string literals of a module that are no docstrings, the constant parts of f-strings included."""
    tree = ast.parse(read(path))
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements
    }


def variables():
    """The names that settings read, without those that Vercel sets by itself."""
    name = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
    found = {text for path in READERS for text in strings(path) if name.fullmatch(text)}
    return sorted(text for text in found if not text.startswith("VERCEL_"))


def reasons():
    """What the log can say about Redis: the literals that have more than one word."""
    return sorted({text.strip() for path in REASONS for text in strings(path) if " " in text.strip()})


def relay_reasons():
    """What the log can say about a preview's login: the relay's own literals, and those of other modules."""
    own = {(path, text.strip()) for path in RELAY for text in strings(path) if " " in text.strip()}
    return sorted(own | set(RELAY_REASONS))


def codes():
    """The error codes of lib/errors.py with their statuses."""
    problems = [value for _, value in inspect.getmembers(errors, inspect.isclass) if "code" in vars(value)]
    return sorted((problem.code, problem.status) for problem in problems)


def endpoints():
    """The public paths of vercel.json, with `{id}` as the documents write it."""
    return [
        re.sub(r":(\w+)", r"{\1}", rule["source"]) for rule in json.loads(read("vercel.json"))["rewrites"]
    ]


def prose(path):
    """A document without its code blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(path):
    """The anchors that GitHub gives a document's headings."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.+)$", prose(path), flags=re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
        if found[slug]:
            found[f"{slug}-{found[slug]}"] = 0
    return set(found)


def dead_links(path):
    """The links of a document into this repository that lead nowhere."""
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        aim = (path.parent / file).resolve() if file else path
        if not aim.exists() or (anchor and anchor not in anchors(aim)):
            yield target


def test_there_is_something_to_look_for():
    """What the other tests ask for is found in the code, so none of them passes by looking at nothing."""
    assert {"TELEGRAM_BOT_TOKEN", "KV_REST_API_TOKEN", "REDIS_URL", "SESSION_READ"} <= set(variables())
    assert {"is missing from the pair; set both", "Upstash answered with an error"} <= set(reasons())
    assert ("rate_limited", 429) in codes()
    assert "/telegram/sessions/{id}" in endpoints()
    assert {path.name for path in ENGLISH} >= {"API.md", "SECURITY.md", *TRANSLATED}
    assert len(reasons()) > 20
    assert ("lib/telegram/relay.py", "the verifier is another one") in relay_reasons()


@pytest.mark.parametrize("name", variables())
def test_every_variable_is_in_the_readme(name):
    """A variable that settings read has a row in README.md's table."""
    assert re.search(rf"^\|[^|]*`{name}`", read("README.md"), flags=re.MULTILINE)


@pytest.mark.parametrize("name", variables())
def test_every_variable_is_in_the_example(name):
    """A variable that settings read has a line in .env.example."""
    assert re.search(rf"^{name}=", read(".env.example"), flags=re.MULTILINE)


def test_the_example_has_no_other_variables():
    """A variable in .env.example is one that settings read."""
    assert set(re.findall(r"^(\w+)=", read(".env.example"), flags=re.MULTILINE)) <= set(variables())


@pytest.mark.parametrize(("code", "status"), codes())
def test_every_error_code_is_documented(code, status):
    """An error code has a row in docs/API.md with its status."""
    assert f"\n| `{code}` | {status} |" in read("docs/API.md")


def test_no_other_error_codes_are_documented():
    """A row of docs/API.md's table of errors is a code that the API can answer."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", read("docs/API.md"), flags=re.MULTILINE)
    assert sorted((code, int(status)) for code, status in rows) == codes()


@pytest.mark.parametrize("module", ["widget", "webapp", "id_token", "transaction", "relay"])
def test_the_lifetimes_are_those_of_the_code(module):
    """docs/API.md's table of proofs says how long each of them logs in."""
    said = {
        "widget": ("300 seconds", widget.MAX_AGE),
        "webapp": ("24 hours", webapp.MAX_AGE),
        "id_token": ("600 seconds", id_token.MAX_AGE),
        "transaction": ("10 minutes", transaction.LIFETIME),
        "relay": ("60 seconds", relay.CODE_SECONDS),
    }
    text, seconds = said[module]
    number, unit = text.split()
    assert int(number) * {"seconds": 1, "minutes": 60, "hours": 3600}[unit] == seconds
    assert re.search(rf"^\| [^|]+ \| {text}\b", read("docs/API.md"), flags=re.MULTILINE)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(TelegramUser)])
def test_every_field_of_a_user_is_documented(field):
    """A field that the API shows of a user has a row in docs/API.md."""
    assert re.search(rf"^\|[^|]*`{field}`", read("docs/API.md"), flags=re.MULTILINE)


@pytest.mark.parametrize(
    "document", ["docs/API.md", "docs/MIGRATING.md", "docs/PREVIEWS.md", "docs/SECURITY.md"]
)
def test_the_readme_leads_to_every_guide(document):
    """README.md links to the guides."""
    assert f"]({document})" in read("README.md")


@pytest.mark.parametrize("path", endpoints())
def test_every_endpoint_is_documented(path):
    """A public path of vercel.json has a row in docs/API.md, with its method."""
    row = rf"^\|.*`(GET|POST|DELETE) {re.escape(path)}[`?]"
    assert re.search(row, read("docs/API.md"), flags=re.MULTILINE)


@pytest.mark.parametrize("path", [path for path in endpoints() if "{" not in path])
def test_every_endpoint_is_in_the_readme(path):
    """A public path of vercel.json is in README.md's table."""
    assert re.search(rf"^\|.*`(GET|POST|DELETE) {path}`", read("README.md"), flags=re.MULTILINE)


@pytest.mark.parametrize("document", SETUP)
@pytest.mark.parametrize("reason", reasons())
def test_every_reason_is_explained(reason, document):
    """What the log can say about Redis stands literally in both languages' troubleshooting."""
    assert reason in read(document)


@pytest.mark.parametrize("document", MIGRATING)
@pytest.mark.parametrize(("module", "text"), LOGIN_REASONS)
def test_the_reasons_for_failed_logins_are_literal(module, text, document):
    """What the guides to OpenID Connect quote from the log is what the log says."""
    assert any(text in literal for literal in strings(module))
    assert re.search(rf"^\| `[^`]*{re.escape(text)}", read(document), flags=re.MULTILINE)


@pytest.mark.parametrize("document", PREVIEWS)
@pytest.mark.parametrize(("module", "text"), relay_reasons())
def test_the_reasons_for_failed_relays_are_literal(module, text, document):
    """What the guides to previews quote from the log is what it says, with all that the relay itself says."""
    assert any(text in literal for literal in strings(module))
    assert re.search(rf"^\| `[^`]*{re.escape(text)}", read(document), flags=re.MULTILINE)


@pytest.mark.parametrize("document", PREVIEWS)
def test_the_limits_of_the_relay_are_those_of_the_code(document):
    """The guides to previews say how long a ticket and a code last."""
    limits = [
        line
        for line in read(document).splitlines()
        if re.match(r"\| [^|]+ \| \d+ (minutes|seconds|минут|секунд) \|", line)
    ]
    numbers = [int(re.search(r"\| (\d+) ", line)[1]) for line in limits]
    assert numbers == [relay.TICKET_SECONDS // 60, relay.CODE_SECONDS, http.SECONDS]


@pytest.mark.parametrize("document", SETUP)
def test_both_setups_name_every_store_variable(document):
    """The variables that name a store are explained in both languages."""
    named = {name for name in variables() if name in strings("lib/credentials.py")}
    assert len(named) == 5
    assert {name for name in named if f"`{name}`" not in read(document)} == set()


@pytest.mark.parametrize(
    "path", ["docs/REDIS_QUICK_START.md", "docs/ru/REDIS_QUICK_START.md", *SETUP, "README.md"]
)
def test_the_log_lines_are_literal(path):
    """Where a document shows what the log says about the store, it is what the log says."""
    said = {text for text in strings("lib/store/open.py") if text.startswith(("✅", "⚠️"))}
    assert len(said) == 2
    assert {text for text in said if text not in read(path)} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_is_dead(path):
    """A relative link leads to a file that is there, and to a heading that it has."""
    assert list(dead_links(path)) == []


@pytest.mark.parametrize("name", TRANSLATED)
def test_translations_keep_the_structure(name):
    """A guide has a Russian twin with the same headings, tables, code blocks and literal texts."""
    english, russian = ((ROOT / folder / name).read_text(encoding="utf-8") for folder in ("docs", "docs/ru"))

    def shape(text):
        return [
            re.match(r"#+|\||```\w*|- |    ", line).group()
            for line in text.splitlines()
            if re.match(r"#|\||```|- |    \S", line)
        ]

    assert shape(english) == shape(russian)
    assert f"(ru/{name})" in english
    assert f"(../{name})" in russian
    assert re.search("[а-яё]{4}", russian)
