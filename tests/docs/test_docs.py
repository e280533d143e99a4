"""What the documents quote is what the code says: log texts, lifetimes, limits, fields."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from lib.tgauth import budget
from lib.tgauth.relay import tickets
from lib.tgauth.store import reasons as store_reasons
from lib.tgauth.store.reasons import Reason
from lib.tgauth.telegram import id_token, membership, transaction, webapp, widget
from lib.tgauth.user import TelegramUser
from tests.docs import markdown
from tests.docs.code import variables

ROOT = Path(__file__).resolve().parents[2]
SETTINGS, READER, SOURCE = (f"lib/tgauth/settings/{name}.py" for name in ("__init__", "reader", "source"))
SETUP = ("docs/REDIS_SETUP.md", "docs/ru/REDIS_SETUP.md")
MIGRATING = ("docs/MIGRATING.md", "docs/ru/MIGRATING.md")
PREVIEWS = ("docs/PREVIEWS.md", "docs/ru/PREVIEWS.md")
LOGIN_REASONS = (
    (READER, "is a bot token; "),
    ("lib/tgauth/telegram/oidc.py", "TELEGRAM_CLIENT_SECRET: Telegram answered "),
    ("lib/tgauth/telegram/provider.py", "TELEGRAM_CLIENT_SECRET: Telegram refused it; "),
    (
        "lib/tgauth/telegram/id_token.py",
        "id_token is not signed with RS256 or ES256; choose RS256 at @BotFather",
    ),
    ("lib/tgauth/telegram/id_token.py", "id_token without id: the login must ask for the scope profile"),
    ("lib/tgauth/web/transactions.py", "state names no login that this browser began in the last 10 minutes"),
)
RELAY = (
    "lib/tgauth/relay/tickets.py",
    "lib/tgauth/relay/client.py",
    "lib/tgauth/relay/hosts.py",
    "lib/tgauth/relay/codes.py",
)
RELAY_REASONS = (
    (
        "lib/tgauth/endpoints/relay.py",
        "the body holds neither a ticket and a user nor a code, verifier and host",
    ),
    (
        READER,
        "has an entry that is not a host with at most two stars; set one such as app-*-team.vercel.app",
    ),
    (READER, "needs TELEGRAM_BOT_TOKEN; set the token of a bot in the chat"),
    ("lib/tgauth/sessions/base.py", "without Redis other instances cannot be reached"),
    ("lib/tgauth/sessions/login.py", "kept out by TELEGRAM_ALLOW or TELEGRAM_DENY"),
    (
        SETTINGS,
        "AUTH_RELAY_URL: is not set; set production's origin, such as https://example.com",
    ),
    (
        SETTINGS,
        "no relay: AUTH_RELAY_SECRET is not set, or this is a preview itself",
    ),
    (
        "lib/tgauth/store/reasons.py",
        "the server does not know HSETEX, HGETEX or HGETDEL; use Redis 8 or Valkey 9.1",
    ),
    ("lib/tgauth/telegram/http.py", "no usable answer ("),
    (
        "lib/tgauth/web/login.py",
        "AUTH_RELAY_SECRET: is not set; docs/PREVIEWS.md has the steps, for here and production",
    ),
    ("lib/tgauth/web/membership.py", "not in TELEGRAM_REQUIRE_CHAT"),
    (
        SETTINGS,
        "AUTH_ORIGIN: is not set; set this site's origin, such as https://example.com",
    ),
    ("lib/tgauth/web/transactions.py", "state names no login that this browser began in the last 10 minutes"),
    ("lib/tgauth/web/transactions.py", "this login has been finished already"),
)
VALUES = (SOURCE, "lib/tgauth/store/open.py")
PASTED = (
    "is in quotation marks",
    "begins with its own name",
    "is a reference or command that was not resolved",
)


def read(path):
    """The text of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def anchors(path):
    """The anchors that GitHub gives a document's headings."""
    return markdown.anchors(path.read_text(encoding="utf-8"))


def strings(path):
    """The string literals of a module that are no docstrings, the constant parts of f-strings included."""
    tree = ast.parse(read(path))
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements
    }


def reasons():
    """What the log can say about Redis: of its variables, and where one of its answers is wanting."""
    said = {text for path in VALUES for text in strings(path) if "; " in text}
    said |= {text for text in strings(READER) if text.startswith(PASTED)}
    said |= {text for text in strings(SETTINGS) if "is not installed" in text}
    stores = [reason for reason in vars(store_reasons).values() if isinstance(reason, Reason)]
    return sorted({*said, *(reason.fill("HOST:PORT", "…").text for reason in stores)})


def setting_reasons():
    """What the log can say about every other variable, and what Telegram says of the bot and its chat."""
    said = {text for text in strings(READER) if re.match(r"(is|has|may|needs) \w", text)}
    said |= {
        text
        for path in (
            READER,
            SETTINGS,
            "lib/tgauth/telegram/membership.py",
        )
        for text in strings(path)
        if re.match(r"[A-Z_]+: \w", text)
    }
    chats = {f"TELEGRAM_REQUIRE_CHAT: {wrong}; {fix}" for _, wrong, fix in membership._CHAT_FAULTS}
    unknown = "TELEGRAM_REQUIRE_CHAT: {}; {}".format(*membership.explain_chat("", None))
    return sorted({*said, *chats, unknown, "hash does not match (another bot's token, or changed data)"})


def relay_reasons():
    """What the log can say about a preview's login: the relay's own literals, and those of other modules."""
    own = {(path, text.strip()) for path in RELAY for text in strings(path) if " " in text.strip()}
    return sorted(own | set(RELAY_REASONS))


def test_there_is_something_to_look_for():
    """What the other tests ask for is found in the code, so none of them passes by looking at nothing."""
    assert {"is missing from the pair; set both", "the token is read-only; set the standard token"} <= set(
        reasons()
    )
    assert len(reasons()) > 60
    refused = "TELEGRAM_BOT_TOKEN: Telegram refused it; copy it again from @BotFather"
    assert {"is not a valid origin; ", refused} <= set(setting_reasons())
    assert len(setting_reasons()) > 25
    assert ("lib/tgauth/relay/tickets.py", "the verifier does not match") in relay_reasons()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("300 seconds", widget.MAX_AGE),
        ("24 hours", webapp.MAX_AGE),
        ("600 seconds", id_token.MAX_AGE),
        ("10 minutes", transaction.LIFETIME),
        ("60 seconds", tickets.CODE_SECONDS),
    ],
)
def test_the_lifetimes_are_those_of_the_code(text, seconds):
    """docs/API.md's table of proofs says how long each of them logs in."""
    number, unit = text.split()
    assert int(number) * {"seconds": 1, "minutes": 60, "hours": 3600}[unit] == seconds
    assert re.search(rf"^\| [^|]+ \| {text}\b", read("docs/API.md"), flags=re.MULTILINE)


def lacking(document, texts):
    """Those of the texts that are in no row of the document's tables, where it quotes the log."""
    quoted = re.findall(r"^\| `[^`]*", read(document), flags=re.MULTILINE)
    return {text for text in texts if not any(text.strip(":; ") in row for row in quoted)}


def unsaid(reasons):
    """Those of the reasons, each a module and a text, that are in no literal of their module."""
    return [(module, text) for module, text in reasons if not any(text in said for said in strings(module))]


def test_every_field_of_a_user_is_documented():
    """A field that the API shows of a user has a row in docs/API.md."""
    first = "".join(re.findall(r"^\|([^|]*)", read("docs/API.md"), flags=re.MULTILINE))
    assert [field.name for field in dataclasses.fields(TelegramUser) if f"`{field.name}`" not in first] == []


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_the_readmes_lead_to_every_guide(readme):
    """Both READMEs link to the guides of either language, and to the examples."""
    guides = [path.relative_to(ROOT) for path in ROOT.glob("docs/**/*.md")]
    assert [guide for guide in guides if f"]({guide}" not in read(readme)] == []


@pytest.mark.parametrize("document", SETUP)
def test_every_reason_is_explained(document):
    """What the log can say about Redis is a row of both languages' troubleshooting, to the letter."""
    assert lacking(document, reasons()) == set()


@pytest.mark.parametrize(("setup", "previews"), [*zip(SETUP, PREVIEWS, strict=True)], ids=["en", "ru"])
def test_every_other_reason_is_explained(setup, previews):
    """What the log can say about bot, site, secrets and chat is a row in both languages."""
    assert lacking(setup, setting_reasons()) & lacking(previews, setting_reasons()) == set()


@pytest.mark.parametrize(
    ("said", "documents"), [(LOGIN_REASONS, MIGRATING), (relay_reasons(), PREVIEWS)], ids=["login", "relay"]
)
def test_the_reasons_are_literal(said, documents):
    """What guides quote from the log is what it says; those to previews have all that the relay says."""
    assert unsaid(said) == []
    for document in documents:
        assert lacking(document, [text for _, text in said]) == set(), document


@pytest.mark.parametrize("document", PREVIEWS)
def test_the_limits_of_the_relay_are_those_of_the_code(document):
    """The guides to previews say how long a ticket and a code last."""
    limits = [
        line
        for line in read(document).splitlines()
        if re.match(r"\| [^|]+ \| \d+ (minutes|seconds|минут|секунд) \|", line)
    ]
    numbers = [int(re.search(r"\| (\d+) ", line)[1]) for line in limits]
    assert numbers == [tickets.TICKET_SECONDS // 60, tickets.CODE_SECONDS, budget.TELEGRAM_SECONDS]


@pytest.mark.parametrize("document", SETUP)
def test_both_setups_name_every_store_variable(document):
    """The variables that name a store are explained in both languages."""
    named = {name for name in variables() if name in strings(SOURCE)}
    assert len(named) == 5
    assert {name for name in named if f"`{name}`" not in read(document)} == set()


@pytest.mark.parametrize(
    "path", ["docs/REDIS_QUICK_START.md", "docs/ru/REDIS_QUICK_START.md", *SETUP, "README.md", "README.ru.md"]
)
def test_the_log_lines_are_literal(path):
    """Where a document shows what the log says about the store, it is what the log says."""
    modules = ("lib/tgauth/store/open.py", "lib/tgauth/store/hashes.py")
    said = {text for path in modules for text in strings(path) if text.startswith(("✅", "⚠️"))}
    assert len(said) == 2
    assert {text for text in said if text not in read(path)} == set()
