"""Which variables the doctor sees, where they come from, and what looks like another one (dev/doctor)."""

import json
import re

import pytest

from dev.doctor.report import Report, line, ok, problem, secrets_in, warning
from dev.doctor.settings import check_settings, read
from dev.doctor.variables import check_variables, names_read
from dev.serve.process import ROOT
from dev.variables import read_variables
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN
from tests.docs.code import variables

TOKEN = "123456789:AAE-test_token-of-no-bot"
SECRET = "pE3vDkYQm1z8RwTn0xHc6JbUa9sLfG2o"
OTHER = "Wq7ZtB4rXj1NcVy5KdMh0PgEu8SaLi3F"
WEAK = "0123456789abcdef0123456789abcdef"
CASES = ROOT / "tests/cases/platform"
PASTED = json.loads((CASES / "14_pasted_values.json").read_text())["cases"][1]["env"]["AUTH_SECRET"]
UPSTASH = {"UPSTASH_REDIS_REST_URL": "https://a.upstash.io", "UPSTASH_REDIS_REST_TOKEN": "tokentoken"}
KV = {"KV_REST_API_URL": "https://a.upstash.io", "KV_REST_API_TOKEN": "tokentoken"}
RELAY = {"AUTH_RELAY_SECRET": SECRET, "AUTH_RELAY_HOSTS": "app-*-team.vercel.app"}
ID_ONLY = {"TELEGRAM_BOT_TOKEN": ..., "TELEGRAM_BOT_ID": "1", "AUTH_SECRET": SECRET}
PUBLIC = {"TELEGRAM_BOT_TOKEN": DEVELOPMENT_BOT_TOKEN}
PREVIEW = {"VERCEL_ENV": "preview"}
NO_ORIGIN = {"AUTH_ORIGIN": ...}
WWW = {"VERCEL_PROJECT_PRODUCTION_URL": "www.example.com"}


def looked_at(tmp_path, **env):
    return list(check_variables(read_variables(env, tmp_path)))


def settled(**env):
    """What is said of these settings, by name of the check."""
    env = {"TELEGRAM_BOT_TOKEN": TOKEN, "AUTH_ORIGIN": "https://example.com", **env}
    values = {name: value for name, value in env.items() if value is not ...}
    found = {}
    for check in check_settings(values, *read(values)):
        found.setdefault(check.name, []).append(check)
    return found


def test_the_names_are_those_that_lib_reads():
    """No list of variables is kept: whatever lib asks the environment for is known."""
    assert {name for name in names_read() if not name.startswith(("VERCEL", "__VC"))} == set(variables())


def test_the_shell_counts_before_the_files(tmp_path):
    """The shell, then .env.local, then .env; what is empty is not set."""
    (tmp_path / ".env").write_text("SESSION_TTL=1\nSESSION_LIMIT=1\nADMIN_TOKEN=a\nAUTH_ORIGIN=\n")
    (tmp_path / ".env.local").write_text('SESSION_TTL="2"\nSESSION_LIMIT="2${SESSION_TTL}"\n')
    found = read_variables({"SESSION_TTL": "3", "ADMIN_TOKEN": " "}, tmp_path)
    assert found.values == {"SESSION_TTL": "3", "SESSION_LIMIT": "2${SESSION_TTL}", "ADMIN_TOKEN": "a"}
    assert found.sources == {"SESSION_TTL": "the shell", "SESSION_LIMIT": ".env.local", "ADMIN_TOKEN": ".env"}
    (check,) = check_variables(found)
    assert check.status == "ok"
    assert "from .env.local: SESSION_LIMIT" in check.message


def test_sensitive_values_that_vercel_keeps_back(tmp_path):
    """An empty value in a file of Vercel's CLI means that it is kept back; in a copied example, nothing."""
    text = '# Created by Vercel CLI\nTELEGRAM_BOT_TOKEN=""\nAUTH_SECRET=""\nSOMETHING=""\nVERCEL_URL=""\n'
    (tmp_path / ".env.local").write_text(text)
    _, check = looked_at(tmp_path, AUTH_SECRET=SECRET)
    assert (check.status, check.name) == ("warning", "variables")
    assert check.message == "Vercel's CLI wrote no value for TELEGRAM_BOT_TOKEN"
    (tmp_path / ".env.local").write_text(text.replace("# Created by", "# Like"))
    assert len(looked_at(tmp_path)) == 1


def test_a_prefix(tmp_path):
    """Redis's variables with something in front are one problem, as nothing reads them; not beside a pair."""
    names = {"cache_KV_REST_API_URL": "https://a.upstash.io", "cache_KV_REST_API_TOKEN": "t"}
    _, check = looked_at(tmp_path, **names)
    assert (check.status, check.name) == ("problem", "look-alikes")
    assert "cache_KV_REST_API_URL" in check.message
    assert "set KV_REST_API_URL and KV_REST_API_TOKEN" in check.fix
    _, check = looked_at(tmp_path, SHOP_REDIS_URL="redis://127.0.0.1:6379")
    assert "set REDIS_URL to its value" in check.fix
    assert [check.status for check in looked_at(tmp_path, **KV, **names)] == ["ok"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TELEGRAM_TOKEN", "TELEGRAM_BOT_TOKEN"),
        ("BOT_TOKEN", "TELEGRAM_BOT_TOKEN"),
        ("telegram_bot_token", "TELEGRAM_BOT_TOKEN"),
        ("TELEGRAM_BOT_TOKE", "TELEGRAM_BOT_TOKEN"),
        ("TELEGRAM_CLIENT_SECRETS", "TELEGRAM_CLIENT_SECRET"),
        ("UPSTASH_REDIS_URL", "UPSTASH_REDIS_REST_URL"),
        ("KV_URL", "KV_REST_API_URL"),
        ("AUTH_SECRETS", "AUTH_SECRET"),
        ("SESION_TTL", "SESSION_TTL"),
        ("AUTH_ORIGINS", "AUTH_ORIGIN"),
        ("NEXT_PUBLIC_TELEGRAM_BOT_USERNAME", "TELEGRAM_BOT_USERNAME"),
    ],
)
def test_look_alikes(tmp_path, name, meant):
    """A name that nothing reads is a warning with the one that it is like; not where that is set, too."""
    _, check = looked_at(tmp_path, **{name: "value-of-it"})
    assert check.status == "warning"
    assert check.message == f"{name} is set, which tgauth does not read"
    assert f"set {meant} instead" in check.fix
    assert "value-of-it" not in line(check)
    assert [found.status for found in looked_at(tmp_path, **{name: "v", meant: "v"})] == ["ok"]


@pytest.mark.parametrize(
    "name",
    ["PATH", "SESSION_MANAGER", "SSH_AUTH_SOCK", "GITHUB_TOKEN", "XDG_SESSION_ID", "VERCEL_OIDC_TOKEN", "A"],
)
def test_what_is_no_look_alike(tmp_path, name):
    """Variables of other programs are left alone."""
    assert [check.status for check in looked_at(tmp_path, **{name: "v"})] == ["ok"]


def test_the_marketplaces_other_variables(tmp_path):
    """Beside a pair that is used they are as they should be; alone, the read-only token is a warning."""
    beside = {"KV_URL": "rediss://x", "KV_REST_API_READ_ONLY_TOKEN": "t"}
    assert [check.status for check in looked_at(tmp_path, **KV, **beside)] == ["ok"]
    _, check = looked_at(tmp_path, KV_REST_API_READ_ONLY_TOKEN="t")
    assert (check.status, "read-only" in check.message) == ("warning", True)


def test_everything_that_lib_finds_wrong_is_a_problem():
    """Each of several is one line with its fix, and the rest is still looked at."""
    found = settled(AUTH_ORIGIN="example.com", SESSION_TTL="30d", KV_REST_API_URL="https://a.upstash.io")
    assert {check.status for check in found["settings"]} == {"problem"}
    assert [check.message for check in found["settings"]] == [
        "AUTH_ORIGIN: is not a valid origin",
        "SESSION_TTL: is not a whole number from 1 to 31536000",
        "KV_REST_API_TOKEN: is missing from the pair",
    ]
    assert all(re.search(r"(README|docs/\w+)\.md#", check.fix) for check in found["settings"])
    assert "secret" in found
    assert "store" not in found
    nothing = settled(TELEGRAM_BOT_TOKEN=...)
    assert [check.message for check in nothing["settings"]] == ["TELEGRAM_BOT_TOKEN: is not set"]


@pytest.mark.parametrize(
    ("wrong", "also", "unsaid"),
    [
        ({"AUTH_ORIGIN": "example.com"}, {}, "origin"),
        ({"AUTH_ORIGIN": "example.com"}, WWW, "origin"),
        ({"TELEGRAM_CLIENT_SECRET": "short"}, ID_ONLY, "bot"),
        ({"AUTH_RELAY_SECRET": "short"}, {"AUTH_RELAY_HOSTS": "app-*.example.com"}, "relay"),
        ({"AUTH_RELAY_SECRET": "short"}, {**PREVIEW, **NO_ORIGIN}, "relay"),
    ],
    ids=str,
)
def test_what_is_wrong_is_not_called_missing(wrong, also, unsaid):
    """Of a variable that is set and wrong nothing else is said, such as that it is not set."""
    found = settled(**wrong, **also)
    assert [check.message.partition(":")[0] for check in found["settings"]] == list(wrong)
    assert unsaid not in found
    assert unsaid in settled(**also, **dict.fromkeys(wrong, ...))


def test_a_line_that_sets_nothing_is_named_with_its_file(tmp_path):
    """A broken line costs itself alone, and the doctor says in which file it is."""
    (tmp_path / ".env.local").write_text("ADMIN_TOKEN=a\n")
    (tmp_path / ".env").write_text("SESSION_TTL=1\nthis is broken 'canary\nSESSION_LIMIT=2\n# a comment\n\n")
    found = read_variables({}, tmp_path)
    assert found.values == {"ADMIN_TOKEN": "a", "SESSION_TTL": "1", "SESSION_LIMIT": "2"}
    _, check = check_variables(found)
    assert (check.status, check.message) == ("warning", ".env, line 2 sets nothing")


@pytest.mark.parametrize(
    ("env", "name", "status", "says"),
    [
        ({}, "settings", "ok", "every value"),
        ({}, "environment", "ok", "production (VERCEL_ENV is not set"),
        (PREVIEW, "environment", "ok", "preview (VERCEL_ENV)"),
        (PUBLIC, "settings", "problem", "public development token"),
        ({**ID_ONLY, **PUBLIC}, "bot", "problem", "public development token"),
        (ID_ONLY, "bot", "warning", "Mini"),
        ({**ID_ONLY, "TELEGRAM_CLIENT_SECRET": "client-secret"}, "bot", "ok", "by your choice"),
        ({}, "secret", "warning", "whoever has the token can forge them"),
        (PREVIEW, "secret", "warning", "whoever has the token can forge them"),
        ({"VERCEL_ENV": "development"}, "secret", "ok", "enough for development"),
        ({"AUTH_SECRET": SECRET}, "secret", "ok", "signed with AUTH_SECRET"),
        ({"AUTH_SECRET": f"{SECRET},{OTHER}"}, "secret", "ok", "2 entries"),
        ({"AUTH_SECRET": f"{SECRET},{TOKEN}"}, "secret", "ok", "2 entries"),
        ({"AUTH_SECRET": WEAK}, "secret", "warning", "AUTH_SECRET is easy to guess"),
        ({"AUTH_SECRET": f"{SECRET},{WEAK}"}, "secret", "warning", "AUTH_SECRET, entry 2, is easy to guess"),
        ({"AUTH_SECRET": PASTED}, "secret", "warning", "AUTH_SECRET looks like a placeholder"),
        ({"AUTH_SECRET": SECRET, "ADMIN_TOKEN": WEAK}, "secret", "warning", "ADMIN_TOKEN is easy to guess"),
        ({**RELAY, "AUTH_RELAY_SECRET": WEAK}, "secret", "warning", "AUTH_RELAY_SECRET is easy to guess"),
        ({"AUTH_SECRET": SECRET, "ADMIN_TOKEN": SECRET}, "secret", "warning", "AUTH_SECRET and ADMIN_TOKEN"),
        ({}, "origin", "ok", "https://example.com, from AUTH_ORIGIN"),
        (NO_ORIGIN, "origin", "warning", "not known here"),
        ({**NO_ORIGIN, **WWW}, "origin", "ok", "from VERCEL_PROJECT_PRODUCTION_URL"),
        (WWW, "origin", "ok", "www.example.com, is sent there"),
        ({**NO_ORIGIN, "VERCEL_ENV": "development"}, "origin", "ok", "the address at which"),
        (UPSTASH, "store", "ok", "UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN"),
        (KV, "store", "ok", "KV_REST_API_URL and KV_REST_API_TOKEN"),
        ({"REDIS_URL": "redis://localhost:1"}, "store", "ok", "one in REDIS_URL"),
        ({**UPSTASH, **KV}, "store", "ok", "not looked at: KV_REST_API_URL, KV_REST_API_TOKEN"),
        ({**KV, "REDIS_URL": "rediss://default:p@a.upstash.io:1"}, "store", "ok", "not looked at: REDIS_URL"),
        ({**KV, "REDIS_URL": "redis://b.example:1"}, "store", "warning", "different servers"),
        (RELAY, "relay", "problem", "Redis"),
        ({**RELAY, **KV}, "relay", "ok", "app-*-team.vercel.app"),
        ({**RELAY, **KV, "AUTH_RELAY_HOSTS": "app-*.vercel.app"}, "relay", "problem", "strangers' hosts"),
        ({"AUTH_RELAY_SECRET": SECRET}, "relay", "warning", "AUTH_RELAY_HOSTS is not"),
        ({"AUTH_RELAY_HOSTS": "a.example.com"}, "relay", "warning", "does nothing"),
        ({**PREVIEW, **NO_ORIGIN}, "relay", "warning", "nobody can log in"),
        ({**PREVIEW, **RELAY}, "relay", "problem", "is not known"),
        (
            {**PREVIEW, **RELAY, "AUTH_RELAY_URL": "https://example.com"},
            "relay",
            "ok",
            "through https://example.com",
        ),
    ],
)
def test_what_the_settings_decide(env, name, status, says):
    """Of several variables the doctor says which counts, and what does not fit together."""
    check = settled(**env)[name][-1]
    assert (check.status, says in check.message) == (status, True), check
    assert bool(check.fix.partition(":")[0]) == (status != "ok")
    assert TOKEN not in line(check)


def test_the_way_from_the_bot_token_to_a_secret_of_its_own():
    """Where AUTH_SECRET was never set, the bot token is the old entry."""
    (check,) = settled()["secret"]
    assert "AUTH_SECRET=new,<bot token>" in check.fix


def test_what_to_do_about_a_secret_that_can_be_guessed():
    """Each has its own way to change; nobody is logged out, and no line has any of the secret."""
    env = {"AUTH_SECRET": WEAK, "ADMIN_TOKEN": PASTED, "AUTH_RELAY_SECRET": WEAK[1:] * 2, **UPSTASH}
    found = settled(**env, AUTH_RELAY_HOSTS="app-*-team.vercel.app")["secret"]
    fixes = [check.fix for check in found if check.status == "warning"]
    assert [fix.partition(":")[0] for fix in fixes if "openssl rand -base64 32" not in fix] == []
    assert "AUTH_SECRET=new,old, which logs nobody out" in fixes[0]
    assert "docs/REDIS_SETUP.md#changing-secrets" in fixes[0]
    assert "in production and in previews" in fixes[1]
    assert len(fixes) == 3
    assert not any(secret in line(check) for check in found for secret in (WEAK, PASTED, WEAK[1:]))


def test_a_report_shows_no_secret_and_no_control_character():
    """Whatever a check says: secrets and their parts become ***, and nothing moves a terminal's cursor."""
    report = Report()
    report.hide(
        secrets_in(
            {
                "TELEGRAM_BOT_TOKEN": TOKEN,
                "AUTH_SECRET": f"{SECRET}, second-secret-second-secret-1234",
                "REDIS_URL": "rediss://default:pass%2Fword@h:1",
                "OTHER": "https://user:hunter22@h/",
                "BROKEN": "redis://default:pa/ss@word@[h",
                "SHORT_SECRET": "a",
            }
        )
    )
    said = f"{TOKEN} {SECRET} second-secret-second-secret-1234 pass%2Fword hunter22 AAE-test_token-of-no-bot"
    check = report.add(problem("x", f"{said} default:pa/ss@word\x1b[2J\u202e\n{'y' * 2000}", said))
    assert not any(part in check.message + check.fix for part in said.split())
    assert "pa/ss" not in check.message
    assert not re.search(r"[\x00-\x1f\u202e]", check.message)
    assert len(check.message) < 800
    assert "123456789" in report.add(ok("x", "bot 123456789")).message


def test_a_report_counts():
    """Lines for people, and the end of them."""
    report = Report()
    assert report.summary() == "All 0 checks are ok."
    report.add(warning("a", "message", "what to do"))
    report.add(problem("b", "message", "what to do"))
    report.add(problem("b", "message", "what to do"))
    assert report.summary() == "2 problems, 1 warning."
    assert line(report.checks[0]) == "warning  a: message\n         fix: what to do"
    assert line(ok("a", "message")) == "ok       a: message"
