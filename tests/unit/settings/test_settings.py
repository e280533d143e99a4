"""The environment (lib/tgauth/settings/__init__.py)."""

import dataclasses
import re

import pytest

import lib.tgauth.settings
from lib.tgauth.clock import DAY, HOUR
from lib.tgauth.errors import Misconfigured, NotFound
from lib.tgauth.settings import get_settings, read_settings
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN

TOKEN = "123456789:AAE-test_token-of-no-bot"
SECRET = "0123456789abcdef0123456789abcdef"
UPSTASH = {"UPSTASH_REDIS_REST_URL": "https://a.upstash.io", "UPSTASH_REDIS_REST_TOKEN": "t"}
KV = {"KV_REST_API_URL": "https://a.upstash.io", "KV_REST_API_TOKEN": "t"}
CHECKED = [
    "ADMIN_TOKEN",
    "ALLOWED_ORIGINS",
    "AUTH_ORIGIN",
    "AUTH_RELAY_HOSTS",
    "AUTH_RELAY_SECRET",
    "AUTH_RELAY_URL",
    "AUTH_SECRET",
    "KV_REST_API_TOKEN",
    "KV_REST_API_URL",
    "MINI_APP_LIMIT",
    "MINI_APP_TTL",
    "SESSION_LIMIT",
    "SESSION_MAX_AGE",
    "SESSION_READ",
    "SESSION_TTL",
    "TELEGRAM_ALLOW",
    "TELEGRAM_API_URL",
    "TELEGRAM_BOT_USERNAME",
    "TELEGRAM_CLIENT_SECRET",
    "TELEGRAM_DENY",
    "TELEGRAM_OAUTH_URL",
    "TELEGRAM_REQUIRE_CHAT",
    "TELEGRAM_REQUIRE_CHAT_TTL",
]
"""Variables that can be wrong, whatever else is set."""


def read(**env):
    return read_settings({"TELEGRAM_BOT_TOKEN": TOKEN, **env})


def problems(**env):
    """What `Misconfigured` says, one entry a variable; the ellipsis takes a variable away."""
    env = {"TELEGRAM_BOT_TOKEN": TOKEN, **env}
    env = {name: value for name, value in env.items() if value is not ...}
    with pytest.raises(Misconfigured) as caught:
        pytest.fail(f"{env} gave {read_settings(env)}")
    return re.split(r"; (?=[A-Z_]+: )", caught.value.reason)


def test_defaults():
    """A bot token is enough, and everything else has the documented default, production first."""
    settings = read()
    assert settings.environment == "production"
    assert settings.on_vercel is False
    assert settings.deployment is None
    assert (settings.bot_id, settings.bot_token, settings.bot_token_problem) == (123456789, TOKEN, "")
    assert settings.bot_id_only is False
    assert settings.bot_username is None
    assert settings.oauth_url == "https://oauth.telegram.org"
    assert settings.client_secret is None
    assert settings.api_url == "https://api.telegram.org"
    assert (settings.require_chat, settings.require_chat_ttl) == (None, HOUR)
    assert (settings.relay_secret, settings.relay_url, settings.relay_hosts) == (None, None, ())
    assert settings.uses_relay is False
    assert settings.secrets == (TOKEN,)
    assert settings.canonical_origin is None
    assert (settings.hosts, settings.allowed_origins, settings.deny) == (set(), set(), set())
    assert (settings.session_ttl, settings.session_max_age, settings.session_limit) == (
        30 * DAY,
        90 * DAY,
        20,
    )
    assert (settings.mini_app_ttl, settings.mini_app_limit) == (DAY, 10)
    assert settings.allow is None
    assert settings.store.kind == "memory"


def test_empty_means_unset():
    """A variable that is there but blank is as one that is not."""
    others = ["VERCEL", "VERCEL_ENV", "VERCEL_URL", "VERCEL_BRANCH_URL", "VERCEL_DEPLOYMENT_ID"]
    others += ["VERCEL_PROJECT_PRODUCTION_URL", "TELEGRAM_BOT_ID", "REDIS_URL", *UPSTASH]
    names = [*CHECKED, *others]
    assert read(**dict.fromkeys(names, "")) == read(**dict.fromkeys(names, " \t\n")) == read()


@pytest.mark.parametrize(
    ("env", "field", "expected"),
    [
        ({"TELEGRAM_BOT_USERNAME": "My_Bot7"}, "bot_username", "My_Bot7"),
        ({"TELEGRAM_BOT_USERNAME": "@My_Bot7"}, "bot_username", "My_Bot7"),
        ({"SESSION_READ": "primary"}, "session_read", "primary"),
        ({"SESSION_READ": " replica\n"}, "session_read", "replica"),
        ({"ADMIN_TOKEN": f" {SECRET}\n"}, "admin_token", SECRET),
        ({"ADMIN_TOKEN": ""}, "admin_token", None),
        ({"TELEGRAM_BOT_ID": "123456789"}, "bot_id", 123456789),
        ({"TELEGRAM_BOT_TOKEN": f" {TOKEN}\n"}, "bot_token", TOKEN),
        ({"TELEGRAM_CLIENT_SECRET": "12345678"}, "client_secret", "12345678"),
        ({"TELEGRAM_CLIENT_SECRET": f" {SECRET}\n"}, "client_secret", SECRET),
        ({"TELEGRAM_CLIENT_SECRET": "x" * 256}, "client_secret", "x" * 256),
        ({"TELEGRAM_CLIENT_SECRET": "a+/=%:~!.-_b"}, "client_secret", "a+/=%:~!.-_b"),
        ({"AUTH_SECRET": SECRET}, "secrets", (SECRET,)),
        ({"AUTH_SECRET": f" {SECRET} ,\n{SECRET[::-1]} "}, "secrets", (SECRET, SECRET[::-1])),
        ({"SESSION_TTL": "1"}, "session_ttl", 1),
        ({"SESSION_TTL": " 3600 "}, "session_ttl", 3600),
        ({"SESSION_TTL": str(365 * DAY)}, "session_ttl", 365 * DAY),
        ({"SESSION_MAX_AGE": "86400"}, "session_max_age", 86400),
        ({"SESSION_LIMIT": "1000"}, "session_limit", 1000),
        ({"MINI_APP_TTL": "1"}, "mini_app_ttl", 1),
        ({"MINI_APP_TTL": str(365 * DAY)}, "mini_app_ttl", 365 * DAY),
        ({"MINI_APP_LIMIT": "1000"}, "mini_app_limit", 1000),
        ({"TELEGRAM_ALLOW": "1, 2,3"}, "allow", {1, 2, 3}),
        ({"TELEGRAM_DENY": "7"}, "deny", {7}),
        ({"VERCEL": "1"}, "on_vercel", True),
        ({"VERCEL": "0"}, "on_vercel", False),
        ({"VERCEL_DEPLOYMENT_ID": "dpl_1"}, "deployment", "dpl_1"),
        ({"VERCEL_ENV": "preview"}, "environment", "preview"),
        ({"VERCEL_ENV": "development"}, "environment", "development"),
        ({"VERCEL_ENV": "production"}, "environment", "production"),
        ({"VERCEL_ENV": "Preview"}, "environment", "production"),
        ({"VERCEL_ENV": "staging"}, "environment", "production"),
        ({"ALLOWED_ORIGINS": "https://a.example, https://b.example:8443"}, "allowed_origins",
         {"https://a.example", "https://b.example:8443"}),
        ({"TELEGRAM_OAUTH_URL": "https://oauth.telegram.org/"}, "oauth_url", "https://oauth.telegram.org"),
        ({"TELEGRAM_API_URL": "https://api.telegram.org/"}, "api_url", "https://api.telegram.org"),
        ({"TELEGRAM_API_URL": "http://127.0.0.1:9/_telegram/"}, "api_url", "http://127.0.0.1:9/_telegram"),
        ({"TELEGRAM_API_URL": "https://bots.example/x", "VERCEL_ENV": "preview"}, "api_url",
         "https://bots.example/x"),
        ({"TELEGRAM_REQUIRE_CHAT": " -1001234567890\n"}, "require_chat", "-1001234567890"),
        ({"TELEGRAM_REQUIRE_CHAT": "@some_chat7"}, "require_chat", "@some_chat7"),
        ({"TELEGRAM_REQUIRE_CHAT": "@" + "a" * 32}, "require_chat", "@" + "a" * 32),
        ({"TELEGRAM_REQUIRE_CHAT_TTL": " 60 "}, "require_chat_ttl", 60),
        ({"TELEGRAM_REQUIRE_CHAT_TTL": str(365 * DAY)}, "require_chat_ttl", 365 * DAY),
        ({"AUTH_RELAY_SECRET": f" {SECRET}\n"}, "relay_secret", SECRET),
        ({"AUTH_RELAY_SECRET": "a,b" * 11}, "relay_secret", "a,b" * 11),
        ({"AUTH_RELAY_URL": "HTTPS://Example.com:443/"}, "relay_url", "https://example.com"),
        ({"AUTH_RELAY_URL": "http://prod.localhost:3000"}, "relay_url", "http://prod.localhost:3000"),
        ({"AUTH_RELAY_URL": "https://a.example", "VERCEL_PROJECT_PRODUCTION_URL": "b.example"}, "relay_url",
         "https://a.example"),
        ({"VERCEL_PROJECT_PRODUCTION_URL": " B.example"}, "relay_url", "https://b.example"),
        ({"VERCEL_PROJECT_PRODUCTION_URL": "b.example", "VERCEL_ENV": "preview"}, "relay_url",
         "https://b.example"),
        ({"VERCEL_PROJECT_PRODUCTION_URL": "b.example/x"}, "relay_url", None),
        ({"AUTH_RELAY_HOSTS": "App-*-Team.vercel.app"}, "relay_hosts", ("app-*-team.vercel.app",)),
        ({"AUTH_RELAY_HOSTS": " a.example ,\n*.b.example:8443 "}, "relay_hosts",
         ("a.example", "*.b.example:8443")),
        ({"AUTH_RELAY_HOSTS": "a.example:443"}, "relay_hosts", ("a.example",)),
        ({"AUTH_RELAY_HOSTS": "a.example:65535"}, "relay_hosts", ("a.example:65535",)),
        ({"AUTH_RELAY_HOSTS": "preview.localhost:3001"}, "relay_hosts", ("preview.localhost:3001",)),
        ({"AUTH_RELAY_HOSTS": "*.vercel.app.example.com"}, "relay_hosts", ("*.vercel.app.example.com",)),
    ],
)  # fmt: skip
def test_good_values(env, field, expected):
    """A good value is taken, without the white space around it."""
    assert getattr(read(**env), field) == expected


BAD = [
    ("TELEGRAM_BOT_USERNAME", "@@canary"),
    ("TELEGRAM_BOT_USERNAME", "@"),
    ("TELEGRAM_BOT_USERNAME", "canary@"),
    ("SESSION_READ", "canary"),
    ("SESSION_READ", "Replica"),
    ("ADMIN_TOKEN", "canary"),
    ("ADMIN_TOKEN", "canary-canary-canary-canary-can\n"),
    ("ADMIN_TOKEN", "canary-canary-canary-canary-canaryж"),
    ("TELEGRAM_BOT_USERNAME", "canary bot"),
    ("TELEGRAM_BOT_USERNAME", "canary-bot"),
    ("TELEGRAM_BOT_USERNAME", "7canary"),
    ("TELEGRAM_BOT_USERNAME", "canary" * 6),
    ("TELEGRAM_BOT_USERNAME", "canaryбот"),
    *(
        ("TELEGRAM_BOT_TOKEN", value)
        for value in (
            *("canary", "123456789", ":AAE", "123456789:", "0123:AAE", "123:AA E", "123:AAÉ"),
            "1" * 21 + ":A",
        )
    ),
    ("TELEGRAM_BOT_ID", "canary"),
    ("TELEGRAM_BOT_ID", "0123"),
    ("TELEGRAM_BOT_ID", "-1"),
    ("TELEGRAM_BOT_ID", "١٢٣"),
    ("TELEGRAM_BOT_ID", "1" * 21),
    ("TELEGRAM_CLIENT_SECRET", "canary"),
    ("TELEGRAM_CLIENT_SECRET", "canary7"),
    ("TELEGRAM_CLIENT_SECRET", "canary canary"),
    ("TELEGRAM_CLIENT_SECRET", "canary\ncanary"),
    ("TELEGRAM_CLIENT_SECRET", "canary\x00canary"),
    ("TELEGRAM_CLIENT_SECRET", "canary\x7fcanary"),
    ("TELEGRAM_CLIENT_SECRET", "canary-секрет"),
    ("TELEGRAM_CLIENT_SECRET", "canary" * 43),
    ("TELEGRAM_CLIENT_SECRET", "123456789:AAE-canary"),
    ("TELEGRAM_OAUTH_URL", "canary"),
    ("TELEGRAM_OAUTH_URL", "https://"),
    ("TELEGRAM_OAUTH_URL", "//canary.example"),
    ("TELEGRAM_OAUTH_URL", "ftp://canary.example"),
    ("TELEGRAM_OAUTH_URL", "javascript:canary"),
    ("TELEGRAM_OAUTH_URL", "https://canary.example"),
    ("TELEGRAM_OAUTH_URL", "http://oauth.telegram.org"),
    ("TELEGRAM_OAUTH_URL", "https://oauth.telegram.org.canary.example"),
    ("TELEGRAM_OAUTH_URL", "http://localhost@canary.example"),
    ("TELEGRAM_OAUTH_URL", "http://localhost.canary.example"),
    ("TELEGRAM_OAUTH_URL", "http://localhost/?canary=1"),
    ("TELEGRAM_OAUTH_URL", "http://localhost/#canary"),
    ("TELEGRAM_OAUTH_URL", "https://[canary]"),
    ("TELEGRAM_OAUTH_URL", "https://canary\u2100.example"),
    ("AUTH_SECRET", "canary"),
    ("AUTH_SECRET", "c" * 31),
    ("AUTH_SECRET", f"{SECRET},canary"),
    ("AUTH_SECRET", f"{SECRET},"),
    ("AUTH_SECRET", f",{SECRET}"),
    ("AUTH_SECRET", f"{SECRET}, ,{SECRET}"),
    ("AUTH_SECRET", ","),
    ("AUTH_SECRET", f"{SECRET},{'canary'.ljust(60)}"),
    ("AUTH_ORIGIN", "canary"),
    ("AUTH_ORIGIN", "canary.example"),
    ("AUTH_ORIGIN", "//canary.example"),
    ("AUTH_ORIGIN", "http://canary.example"),
    ("AUTH_ORIGIN", "http://localhost.canary.example"),
    ("AUTH_ORIGIN", "http://127.0.0.2"),
    ("AUTH_ORIGIN", "http://[::1]:3000"),
    ("AUTH_ORIGIN", "https://[::1]"),
    ("AUTH_ORIGIN", "https://canary.example/path"),
    ("AUTH_ORIGIN", "https://canary.example?x"),
    ("AUTH_ORIGIN", "https://canary.example#x"),
    ("AUTH_ORIGIN", "https://user@canary.example"),
    ("AUTH_ORIGIN", "https://user:pw@canary.example"),
    ("AUTH_ORIGIN", "https://*.canary.example"),
    ("AUTH_ORIGIN", "https://canary.example, https://other.example"),
    ("AUTH_ORIGIN", "https://canary .example"),
    ("AUTH_ORIGIN", "https://canary\n.example"),
    ("AUTH_ORIGIN", "https://canary\\.example"),
    ("AUTH_ORIGIN", "https://canaryé.example"),
    ("AUTH_ORIGIN", "https://canary.example:"),
    ("AUTH_ORIGIN", "https://canary.example:port"),
    ("AUTH_ORIGIN", "https://canary.example:0"),
    ("AUTH_ORIGIN", "https://canary.example:65536"),
    ("AUTH_ORIGIN", "https://canary.example:٣"),
    ("AUTH_ORIGIN", "https://-canary.example"),
    ("AUTH_ORIGIN", "https://"),
    ("AUTH_ORIGIN", "ftp://canary.example"),
    ("AUTH_ORIGIN", "null"),
    ("ALLOWED_ORIGINS", "*"),
    ("ALLOWED_ORIGINS", "null"),
    ("ALLOWED_ORIGINS", "http://canary.example"),
    ("ALLOWED_ORIGINS", "https://a.example,https://canary.example/x"),
    ("ALLOWED_ORIGINS", "https://a.example,"),
    ("ALLOWED_ORIGINS", "https://a.example https://canary.example"),
    ("TELEGRAM_API_URL", "https://canary.example"),
    ("TELEGRAM_API_URL", "http://localhost/canary canary"),
    ("TELEGRAM_API_URL", "http://localhost/canary\ncanary"),
    ("TELEGRAM_API_URL", "http://localhost/канал"),
    *(
        ("TELEGRAM_REQUIRE_CHAT", value)
        for value in (
            *("canary", "@", "@can", "@1canary", "@canary-chat", "@canary chat", "@@canary", "@" + "a" * 33),
            *("1009876543210", "1", "987654321"),
            *("0", "-0", "-", "--1", "-01", "+1", "1.5", "1e3", "١٢٣", "-100 123", "1" * 21, "-1001,-1002"),
            *("https://t.me/canary", "t.me/canary", "@canaryканал", "@canary,@other", "@canary\n@other"),
        )
    ),
    *(
        ("AUTH_RELAY_SECRET", value)
        for value in ("canary", "c" * 31, "канал" * 10, f"{SECRET}\x00", f"{SECRET}\n{SECRET}")
    ),
    ("AUTH_RELAY_URL", "http://canary.example"),
    ("AUTH_RELAY_URL", "https://canary.example/telegram/relay"),
    *(
        ("AUTH_RELAY_HOSTS", value)
        for value in (
            *("*", "*.*", "**", "canary", "*.app", "*.com", ".canary.example", "canary.example.", "*canary"),
            *("canary..example", "https://canary.example", "canary.example/", "canary.example/x", ","),
            *("canary@example.com", "canary example.com", "canary.example?", "canary.example#", "a.example,"),
            *("canary.example:", "canary.example:port", "canary.example:*", "*:443", "[::1]"),
            *("canary.ex*mple", "canaryé.example", "canary．example", "canary_x.example"),
            *("canary%2e.example", "a.example,,b.example", "canary.example;b.example"),
            *("canary.example\nb.example", "(canary|x).example", "canary.[a-z]x.example"),
            *("c***nary.example.com", "*.*.*.example.com", "a*b*c*d.example.com", "a.example,c***.b.example"),
            *("canary.example:0", "canary.example:65536", "canary.example:99999"),
        )
    ),
    *(
        (name, value)
        for name in (
            "SESSION_TTL",
            "SESSION_MAX_AGE",
            "SESSION_LIMIT",
            "MINI_APP_TTL",
            "MINI_APP_LIMIT",
            "TELEGRAM_REQUIRE_CHAT_TTL",
        )
        for value in ("0", "-1", "1.5", "1e3", "canary", "30 days", "1_000", "٣٠", "007", "9" * 5000)
    ),
    ("SESSION_TTL", str(365 * DAY + 1)),
    ("TELEGRAM_REQUIRE_CHAT_TTL", str(365 * DAY + 1)),
    ("SESSION_LIMIT", "1001"),
    ("MINI_APP_TTL", str(365 * DAY + 1)),
    ("MINI_APP_LIMIT", "1001"),
    *(
        (name, value)
        for name in ("TELEGRAM_ALLOW", "TELEGRAM_DENY")
        for value in ("canary", "@canary", "1,canary", "1,,2", ",", "0", "-1", "1 2", "١", "1;2", "1_0")
    ),
]  # fmt: skip


def test_bad_value_is_named_and_not_shown():
    """A bad value stops everything, with an error that names its variable and does not quote the value."""
    for name, value in BAD:
        found = problems(**{name: value})
        assert [problem.partition(":")[0] for problem in found] == [name], (name, value, found)
        assert "canary" not in found[0], (name, value, found)
        assert len(value) <= 8 or value not in found[0], (name, value, found)


def test_nothing_set():
    """An empty environment asks for the bot token, and for nothing else."""
    for token in (..., "", "  "):
        found = problems(TELEGRAM_BOT_TOKEN=token)
        assert [problem.partition(":")[0] for problem in found] == ["TELEGRAM_BOT_TOKEN"]
        assert "is not set" in found[0]


def test_all_problems_at_once():
    """The owner sees everything that is wrong in one go."""
    found = problems(**dict.fromkeys(["TELEGRAM_BOT_TOKEN", *CHECKED], "can ary"))
    names = {problem.partition(":")[0] for problem in found}
    assert names == {"TELEGRAM_BOT_TOKEN", *CHECKED}
    assert len(found) == len(names)
    assert "can ary" not in "".join(found)


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        (
            "TELEGRAM_REQUIRE_CHAT",
            "canary",
            "is malformed; set the chat's id with its minus, such as -1001234567890, or the @name",
        ),
        (
            "SESSION_TTL",
            "canary",
            "is not a whole number from 1 to 31536000; write seconds in digits (default: 2592000)",
        ),
        (
            "SESSION_LIMIT",
            "canary",
            "is not a whole number from 1 to 1000; write a number in digits (default: 20)",
        ),
        (
            "TELEGRAM_BOT_USERNAME",
            "https://t.me/canary",
            "is malformed; set the bot's name, such as example_bot",
        ),
        ("TELEGRAM_BOT_ID", "canary", "is malformed; set the digits before the colon of the bot's token"),
        ("TELEGRAM_OAUTH_URL", "canary", "is not a valid origin; remove it to use Telegram's own"),
        (
            "TELEGRAM_API_URL",
            "https://canary",
            "may differ only in development, preview or on localhost; remove it",
        ),
        ("AUTH_RELAY_SECRET", "canary", "is malformed; set at least 32 plain characters"),
        ("AUTH_RELAY_URL", "canary", "is not a valid origin; set https://host in ASCII, without a path"),
        (
            "AUTH_RELAY_HOSTS",
            "canary",
            "has an entry that is not a host with at most two stars; set one such as app-*-team.vercel.app",
        ),
    ],
)
def test_the_fix_is_named(name, value, fix):
    """The message says what is wrong and what to set in its place."""
    (found,) = problems(**{name: value})
    assert found.startswith(f"{name}: {fix}")


def test_a_chat_needs_the_bots_token():
    """Only the bot can ask who is in a chat, so an id alone, or a token that is none, does not do."""
    env = {"TELEGRAM_BOT_ID": "123456789", "AUTH_SECRET": SECRET, "TELEGRAM_REQUIRE_CHAT": "@canary_chat"}
    for token in (..., "canary"):
        found = problems(TELEGRAM_BOT_TOKEN=token, **env)
        assert "TELEGRAM_REQUIRE_CHAT: needs TELEGRAM_BOT_TOKEN; set the token of a bot in the chat" in found
        assert "canary" not in "".join(found)


@pytest.mark.parametrize("environment", ["production", "preview", "development"])
@pytest.mark.parametrize("secret", [None, SECRET])
def test_which_end_of_the_relay(environment, secret):
    """With the secret a preview sends its logins on, and everything else takes them."""
    settings = read(VERCEL_ENV=environment, **({"AUTH_RELAY_SECRET": secret} if secret else {}))
    assert settings.uses_relay is (secret is not None and environment == "preview")
    if secret is not None and environment != "preview":
        settings.require_relay()
    else:
        with pytest.raises(NotFound, match="AUTH_RELAY_SECRET"):
            settings.require_relay()


def test_where_production_is():
    """A preview that does not know says which variable is missing, and what it looks like."""
    env = {"VERCEL_ENV": "preview", "AUTH_RELAY_SECRET": SECRET}
    assert read(AUTH_RELAY_URL="https://a.example", **env).require_relay_url() == "https://a.example"
    with pytest.raises(Misconfigured, match=r"^AUTH_RELAY_URL: is not set; set production's origin, such as"):
        read(**env).require_relay_url()


def test_the_relay_secret_signs_no_session():
    """Previews know it, so nothing of production's own comes from it."""
    assert read(AUTH_RELAY_SECRET=SECRET).secrets == (TOKEN,)
    (found,) = problems(TELEGRAM_BOT_TOKEN=..., TELEGRAM_BOT_ID="123456789", AUTH_RELAY_SECRET=SECRET)
    assert found.startswith("AUTH_SECRET:")


def test_bot_id_of_another_bot():
    """An id that is not the token's is an error that names both and shows neither."""
    (found,) = problems(TELEGRAM_BOT_ID="987654321")
    assert found.startswith("TELEGRAM_BOT_ID:")
    assert "TELEGRAM_BOT_TOKEN" in found
    assert "987654321" not in found
    assert "123456789" not in found


def test_bot_id_alone_needs_a_secret():
    """With the bot's id and no token there is nothing to derive a secret from, so it must be set."""
    (found,) = problems(TELEGRAM_BOT_TOKEN=..., TELEGRAM_BOT_ID="123456789")
    assert found.startswith("AUTH_SECRET:")
    settings = read_settings({"TELEGRAM_BOT_ID": " 123456789 ", "AUTH_SECRET": SECRET})
    assert (settings.bot_id, settings.bot_token, settings.bot_id_only) == (123456789, None, True)
    assert settings.secrets == (SECRET,)


def test_bad_token_beside_a_bot_id_is_no_choice():
    """A bot id does not make a malformed token a deployment without one: logins answer `misconfigured`."""
    settings = read(TELEGRAM_BOT_TOKEN="canary", TELEGRAM_BOT_ID="123456789", AUTH_SECRET=SECRET)
    assert (settings.bot_token, settings.bot_id_only) == (None, False)
    with pytest.raises(Misconfigured, match=r"^TELEGRAM_BOT_TOKEN: is malformed") as caught:
        settings.require_bot_token()
    assert "canary" not in caught.value.reason


def test_no_secret_is_derived_from_a_bad_token():
    """Neither a malformed token nor the public development token ever signs a session."""
    for token in ("canary", DEVELOPMENT_BOT_TOKEN):
        found = problems(TELEGRAM_BOT_TOKEN=token, TELEGRAM_BOT_ID="1000000001")
        assert "AUTH_SECRET" in {problem.partition(":")[0] for problem in found}


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"VERCEL_ENV": "production"},
        {"VERCEL_ENV": "preview"},
        {"VERCEL_ENV": "test"},
        {"VERCEL_ENV": "development", "VERCEL": "1"},
    ],
    ids=str,
)
def test_development_token_outside_development(env):
    """The public development token is refused wherever anybody else could use it."""
    (found,) = problems(TELEGRAM_BOT_TOKEN=DEVELOPMENT_BOT_TOKEN, **env)
    assert found.startswith("TELEGRAM_BOT_TOKEN: is the public development token")
    assert DEVELOPMENT_BOT_TOKEN not in found


def test_development_token_in_development():
    """The development token works on the developer's own machine."""
    settings = read(TELEGRAM_BOT_TOKEN=f" {DEVELOPMENT_BOT_TOKEN} ", VERCEL_ENV="development")
    assert settings.require_bot_token() == DEVELOPMENT_BOT_TOKEN


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com"),
        ("  https://example.com \n", "https://example.com"),
        ("HTTPS://Example.COM", "https://example.com"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("https://xn--e1afmkfd.example", "https://xn--e1afmkfd.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://prod.localhost:3000", "http://prod.localhost:3000"),
        ("https://localhost", "https://localhost"),
        # Browsers leave the default port out of Origin.
        ("https://example.com:443", "https://example.com"),
        ("http://localhost:80", "http://localhost"),
    ],
)
def test_origins(value, expected):
    """An origin is https, or http on a loopback host, in lower case and without a path."""
    assert read(AUTH_ORIGIN=value).canonical_origin == expected
    assert read(ALLOWED_ORIGINS=value).allowed_origins == {expected}


def test_a_plain_origin_on_vercel():
    """Cookies lack Secure on http://localhost, which is refused at Vercel and taken by `vercel dev`."""
    local = {"AUTH_ORIGIN": "http://localhost:3000", "VERCEL": "1"}
    assert read(**local, VERCEL_ENV="development").canonical_origin == "http://localhost:3000"
    for environment in ("production", "preview", ""):
        (found,) = problems(**local, VERCEL_ENV=environment)
        assert found.startswith("AUTH_ORIGIN: is for development on localhost")
    (found,) = problems(AUTH_ORIGIN="http://example.com", VERCEL="1", VERCEL_ENV="development")
    assert found.startswith("AUTH_ORIGIN: is not a valid origin")


@pytest.mark.parametrize("value", ["https://simulated.example", "http://localhost:3000/_telegram"])
@pytest.mark.parametrize("environment", ["development", "preview"])
def test_another_telegram_in_development_and_preview(value, environment):
    """A simulated Telegram is allowed in development and preview, the slash at its end removed."""
    assert read(TELEGRAM_OAUTH_URL=value + "/", VERCEL_ENV=environment).oauth_url == value


@pytest.mark.parametrize("token", [TOKEN, DEVELOPMENT_BOT_TOKEN, "987654321:AAE-another", f" {TOKEN}\n"])
def test_a_client_secret_that_is_a_bot_token(token):
    """The usual mistake is named as what it is, and neither token is shown; it never turns the login on."""
    (found,) = problems(TELEGRAM_CLIENT_SECRET=token)
    assert found.startswith("TELEGRAM_CLIENT_SECRET: is a bot token; ")
    assert "Client Secret" in found
    for part in token.strip().split(":"):
        assert part not in found


@pytest.mark.parametrize("environment", [None, "production", "staging"])
@pytest.mark.parametrize(
    "value",
    [
        "https://canary.example",
        "https://oauth.tg.dev",
        "https://oauth.telegram.org/canary",
        "https://oauth.telegram.org:8443",
        "https://oauth.telegram.org.",
        "https://telegram.org",
        "https://localhost.canary.example",
        "https://192.168.0.1",
        "https://127.0.0.2",
    ],
)
def test_another_telegram_in_production(environment, value):
    """Where real people log in, nobody but Telegram says who they are, or gets the client secret."""
    env = {"VERCEL_ENV": environment} if environment else {}
    found = problems(TELEGRAM_OAUTH_URL=value, TELEGRAM_CLIENT_SECRET=SECRET, **env)
    assert {problem.partition(":")[0] for problem in found} == {"TELEGRAM_OAUTH_URL"}
    assert "canary" not in "".join(found)


def test_a_browser_needs_one_way_to_log_in():
    """OpenID Connect or the widget is enough; with neither the owner is told which variable is missing."""
    alone = {"TELEGRAM_BOT_ID": "123456789", "AUTH_SECRET": SECRET}
    for env in (
        {"TELEGRAM_BOT_TOKEN": TOKEN},
        {**alone, "TELEGRAM_CLIENT_SECRET": SECRET},
        {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CLIENT_SECRET": SECRET},
    ):
        read_settings(env).require_login_method()
    with pytest.raises(Misconfigured, match=r"^TELEGRAM_BOT_TOKEN: "):
        read_settings(alone).require_login_method()


def test_the_client_secret_signs_nothing():
    """A new client secret logs nobody out: sessions are signed with AUTH_SECRET or the bot token alone."""
    assert read(TELEGRAM_CLIENT_SECRET=SECRET).secrets == (TOKEN,)
    (found,) = problems(TELEGRAM_BOT_TOKEN=..., TELEGRAM_BOT_ID="123456789", TELEGRAM_CLIENT_SECRET=SECRET)
    assert found.startswith("AUTH_SECRET:")


def test_another_telegram_on_loopback():
    """In production another Telegram is allowed on a loopback host only; elsewhere only over https."""
    assert read(TELEGRAM_OAUTH_URL="http://127.0.0.1:9").oauth_url == "http://127.0.0.1:9"
    assert problems(TELEGRAM_OAUTH_URL="http://simulated.example", VERCEL_ENV="preview")


HOSTILE = [
    "",
    "evil.example",
    "example.com.evil.example",
    "evil.example#example.com",
    "example.com@evil.example",
    "example.com:443",
    "EXAMPLE.COM",
    "my-app.vercel.app.evil.example",
    "localhost",
    "localhost:3000",
    "127.0.0.1:3000",
    "a.localhost",
    "example.com\r\nX: y",
    "é.example",
    "\x00",
]


@pytest.mark.parametrize("environment", ["production", "preview", "development"])
def test_auth_origin_rules(environment):
    """With AUTH_ORIGIN set, no Host header changes which origin is ours."""
    settings = read(AUTH_ORIGIN="https://example.com", VERCEL_ENV=environment, VERCEL_URL="my-app.vercel.app")
    for host in (*HOSTILE, "example.com", "my-app.vercel.app"):
        assert settings.origin(host) == "https://example.com", host


@pytest.mark.parametrize("host", HOSTILE, ids=ascii)
def test_production_is_its_domain(host):
    """In production the origin is Vercel's production domain, whatever the Host header says, or unknown."""
    known = read(VERCEL_PROJECT_PRODUCTION_URL="example.com", VERCEL_URL="x.vercel.app")
    assert known.origin(host) == "https://example.com"
    assert read(VERCEL_URL="x.vercel.app").origin(host) is None
    assert read(VERCEL_URL="x.vercel.app").origin("x.vercel.app") is None


@pytest.mark.parametrize("host", HOSTILE, ids=ascii)
def test_preview_is_what_vercel_calls_it(host):
    """A preview's origin is the host that was asked for, if Vercel gave it that name, and else unknown."""
    settings = read(
        VERCEL_ENV="preview",
        VERCEL_URL="my-app-1x2y.vercel.app",
        VERCEL_BRANCH_URL="my-app-git-main.vercel.app",
        VERCEL_PROJECT_PRODUCTION_URL="example.com",
    )
    for name in ("my-app-1x2y.vercel.app", "my-app-git-main.vercel.app"):
        assert settings.origin(name) == f"https://{name}"
    assert settings.origin("example.com") is None
    assert settings.origin(host) is None
    assert read(VERCEL_ENV="preview").origin(host) is None


@pytest.mark.parametrize("host", ["localhost", "localhost:3000", "127.0.0.1:3000", "prod.localhost:8080"])
def test_development_is_any_loopback_name(host):
    """In development every loopback name is its own origin, over http."""
    assert read(VERCEL_ENV="development").origin(host) == f"http://{host}"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "localhost.evil.example",
        "evil.example:3000",
        "xlocalhost",
        "localhost:",
        "localhost:x",
        "localhost:123456",
        "localhost\n",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        ".localhost@evil.example",
        "LOCALHOST",
        "evil.example/.localhost",
        "192.168.0.1",
    ],
    ids=ascii,
)
def test_development_trusts_no_other_name(host):
    """In development a name that leads anywhere but to this machine is no origin of ours."""
    assert read(VERCEL_ENV="development").origin(host) is None


@pytest.mark.parametrize(
    ("env", "permitted"),
    [
        ({}, {1, 2, 3}),
        ({"TELEGRAM_ALLOW": "1,2"}, {1, 2}),
        ({"TELEGRAM_DENY": "1"}, {2, 3}),
        ({"TELEGRAM_ALLOW": "1,2", "TELEGRAM_DENY": "2,3"}, {1}),
        ({"TELEGRAM_ALLOW": "1", "TELEGRAM_DENY": "1"}, set()),
    ],
    ids=str,
)
def test_permits(env, permitted):
    """TELEGRAM_ALLOW lets in only those it names, and TELEGRAM_DENY nobody that it names."""
    assert {user_id for user_id in (1, 2, 3) if read(**env).permits(user_id)} == permitted


def test_settings_are_a_value():
    """Settings cannot be changed, and equal ones are one key for caches."""
    env = {"TELEGRAM_ALLOW": "1,2", "ALLOWED_ORIGINS": "https://a.example", "AUTH_SECRET": SECRET}
    settings = read(**env)
    assert settings == read(**env)
    assert hash(settings) == hash(read(**env))
    assert settings != read()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.bot_token = "other"


def test_settings_do_not_show_their_secrets():
    """The printed settings, as a debugger or an error tracker shows them, hold no secret."""
    shown = repr(
        read(
            AUTH_SECRET="canary" * 6,
            TELEGRAM_BOT_TOKEN="123456789:canary",
            TELEGRAM_CLIENT_SECRET="canary-secret",
            ADMIN_TOKEN="canary" * 6,
            AUTH_RELAY_SECRET="canary" * 7,
        )
    )
    assert "canary" not in shown


def test_the_environment_is_read_once(monkeypatch):
    """The process's settings are read at the first call and then stay."""
    monkeypatch.setattr(lib.tgauth.settings, "_settings", None)
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    first = get_settings()
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "987654321:AAE")
    assert get_settings() is first


def test_wrong_settings_stay_wrong(monkeypatch):
    """Wrong settings are an error at every call, not only at the first."""
    monkeypatch.setattr(lib.tgauth.settings, "_settings", None)
    monkeypatch.setenv("SESSION_TTL", "canary")
    for _ in range(2):
        with pytest.raises(Misconfigured, match="SESSION_TTL"):
            get_settings()


@pytest.mark.parametrize("environment", ["production", "preview"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH_SECRET", "canary-0123456789-0123456789-0123456789"),
        ("AUTH_SECRET", "another-0123456789-0123456789-0123456,canary-0123456789-0123456789-0123456789"),
        ("ADMIN_TOKEN", "canary-0123456789-0123456789-0123456789"),
        ("ADMIN_TOKEN", "canary,0123456789-0123456789-0123456789"),
        ("TELEGRAM_CLIENT_SECRET", "canary-0123456789-0123456789-0123456789"),
        ("TELEGRAM_BOT_TOKEN", TOKEN),
    ],
)
def test_the_relays_secret_is_its_own(environment, name, value):
    """Every preview has it, so it must open nothing else."""
    secret = value if name == "ADMIN_TOKEN" else value.split(",")[-1]
    (found,) = problems(**{name: value}, AUTH_RELAY_SECRET=secret, VERCEL_ENV=environment)
    assert found == f"AUTH_RELAY_SECRET: is {name} too; set a new one (openssl rand -base64 32)"
