"""The environment, read once into one frozen `Settings`. Nothing else reads os.environ.

What is missing fails closed: the environment is production unless VERCEL_ENV says otherwise, half a pair of
credentials is an error, and an error names the variable and the fix but never the value.
"""

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lib.credentials import HOST, LOOPBACK, Credentials, read_credentials
from lib.errors import Misconfigured

Environment = Literal["production", "preview", "development"]

DEVELOPMENT_BOT_TOKEN = "1000000001:tgauth-development-token-never-use-this"  # noqa: S105 (public by design)

_BOT_TOKEN = re.compile(r"[1-9][0-9]{0,19}:[A-Za-z0-9_-]+")
_BOT_ID = re.compile(r"[1-9][0-9]{0,19}")
_USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_PATH = re.compile(r"[A-Za-z0-9._~/-]*")
_SECRET = re.compile(r"[\x20-\x7e]{32,}")

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Settings:
    """What the owner decided. Times are seconds; README.md has a table of the variables.

    `bot_token` is None when it is missing or malformed, `bot_token_problem` then says which and what to do;
    `bot_id_only` is true where the owner chose to hold no token. `deployment` is Vercel's id, for logs.
    `secrets` are AUTH_SECRET's entries, newest first. `hosts` are the ones besides `origin` that this
    deployment is known by.
    """

    environment: Environment
    on_vercel: bool
    deployment: str | None
    bot_id: int
    bot_token: str | None = field(repr=False)
    bot_token_problem: str
    bot_id_only: bool
    bot_username: str | None
    oauth_url: str
    secrets: tuple[str, ...] = field(repr=False)
    canonical_origin: str | None
    hosts: frozenset[str]
    allowed_origins: frozenset[str]
    session_ttl: int
    session_max_age: int
    session_limit: int
    allow: frozenset[int] | None
    deny: frozenset[int]
    store: Credentials

    def origin(self, host: str) -> str | None:
        """The one origin that requests to `host` belong to, or None when the host says nothing.

        AUTH_ORIGIN or the production domain where there is one; a preview is what Vercel calls it; in
        development any loopback name is its own.
        """
        if self.canonical_origin:
            return self.canonical_origin
        if host in self.hosts:
            return f"https://{host}"
        if self.environment == "development" and LOOPBACK.fullmatch(host):
            return f"http://{host}"
        return None

    def require_bot_token(self) -> str:
        """The bot token; raises `Misconfigured` where there is none to check a login with."""
        if self.bot_token is None:
            raise Misconfigured(self.bot_token_problem)
        return self.bot_token

    def permits(self, user_id: int) -> bool:
        """Whether TELEGRAM_ALLOW and TELEGRAM_DENY let this Telegram id in."""
        return user_id not in self.deny and (self.allow is None or user_id in self.allow)


def read_settings(env: Mapping[str, str]) -> Settings:
    """Settings from `env`; raises `Misconfigured` that names every variable to change, and how."""
    read = _Reader(env)
    environment = read.environment()
    bot_token, bot_token_problem = read.bot_token(environment)
    settings = Settings(
        environment=environment,
        on_vercel=read.text("VERCEL") == "1",
        deployment=read.text("VERCEL_DEPLOYMENT_ID") or None,
        bot_id=read.bot_id(bot_token, bot_token_problem),
        bot_token=bot_token,
        bot_token_problem=bot_token_problem,
        bot_id_only=bool(read.text("TELEGRAM_BOT_ID")) and not read.text("TELEGRAM_BOT_TOKEN"),
        bot_username=read.matching("TELEGRAM_BOT_USERNAME", _USERNAME, "the bot's name without @") or None,
        oauth_url=read.telegram_url("TELEGRAM_OAUTH_URL", "https://oauth.telegram.org", environment),
        secrets=read.secrets(bot_token, bot_token_problem),
        canonical_origin=read.canonical_origin(environment),
        hosts=frozenset(filter(None, map(read.host, ("VERCEL_URL", "VERCEL_BRANCH_URL"))))
        if environment == "preview"
        else frozenset(),
        allowed_origins=frozenset(
            read.origin("ALLOWED_ORIGINS", entry) for entry in read.entries("ALLOWED_ORIGINS")
        ),
        session_ttl=read.seconds("SESSION_TTL", 30 * DAY),
        session_max_age=read.seconds("SESSION_MAX_AGE", 90 * DAY),
        session_limit=read.number("SESSION_LIMIT", 20, most=1000),
        allow=read.ids("TELEGRAM_ALLOW") if read.text("TELEGRAM_ALLOW") else None,
        deny=read.ids("TELEGRAM_DENY"),
        store=read_credentials(read.text, read.problem),
    )
    if read.problems:
        raise Misconfigured("; ".join(read.problems))
    return settings


class _Reader:
    """Reads variables and collects what is wrong, so that the owner sees all of it at once."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        """The value without the white space that pasting leaves around it."""
        return self._env.get(name, "").strip()

    def entries(self, name: str) -> list[str]:
        text = self.text(name)
        return [entry.strip() for entry in text.split(",")] if text else []

    def problem(self, name: str, fix: str) -> None:
        self.problems.append(f"{name}: {fix}")

    def matching(self, name: str, pattern: re.Pattern[str], accepted: str) -> str:
        text = self.text(name)
        if text and not pattern.fullmatch(text):
            self.problem(name, f"is malformed; set {accepted}")
        return text

    def environment(self) -> Environment:
        text = self.text("VERCEL_ENV")
        return "preview" if text == "preview" else "development" if text == "development" else "production"

    def bot_token(self, environment: Environment) -> tuple[str | None, str]:
        token = self.text("TELEGRAM_BOT_TOKEN")
        if not token:
            return None, "TELEGRAM_BOT_TOKEN: is not set; set the token that @BotFather gave you"
        if not _BOT_TOKEN.fullmatch(token):
            return None, "TELEGRAM_BOT_TOKEN: is malformed; copy it whole from @BotFather (123456:ABC-...)"
        if token == DEVELOPMENT_BOT_TOKEN and (environment != "development" or self.text("VERCEL")):
            return None, "TELEGRAM_BOT_TOKEN: is the public development token; set your bot's own"
        return token, ""

    def bot_id(self, bot_token: str | None, bot_token_problem: str) -> int:
        text = self.matching("TELEGRAM_BOT_ID", _BOT_ID, "the digits before the colon of the bot's token")
        from_token = bot_token.partition(":")[0] if bot_token else ""
        if text and from_token and text != from_token:
            self.problem("TELEGRAM_BOT_ID", "is another bot's than TELEGRAM_BOT_TOKEN; remove one of them")
        if not text and not from_token:
            self.problems.append(bot_token_problem)
        digits = from_token or text
        return int(digits) if _BOT_ID.fullmatch(digits) else 0

    def secrets(self, bot_token: str | None, bot_token_problem: str) -> tuple[str, ...]:
        secrets = self.entries("AUTH_SECRET")
        if not all(_SECRET.fullmatch(secret) for secret in secrets):
            self.problem(
                "AUTH_SECRET",
                "has an empty or short entry; each, between commas, needs 32 plain characters or more"
                " (openssl rand -base64 32)",
            )
        if secrets:
            return tuple(secrets)
        if bot_token:
            return (bot_token,)
        if bot_token_problem not in self.problems:
            self.problem(
                "AUTH_SECRET", "is not set; without TELEGRAM_BOT_TOKEN it is needed to sign sessions"
            )
        return ()

    def origin(self, name: str, text: str) -> str:
        """An exact origin: https, or http on a loopback host; no path, no user, lower case."""
        scheme, _, host = text.lower().rstrip("/").partition("://")
        domain, _, digits = host.partition(":")
        default = {"https": 443, "http": 80}.get(scheme, 0)
        port = int(digits or default) if text.isascii() and HOST.fullmatch(host) else 0
        if default and 0 < port < 65536 and (scheme == "https" or LOOPBACK.fullmatch(host)):
            # Browsers leave a scheme's own port out of Origin.
            return f"{scheme}://{domain}" + (f":{port}" if port != default else "")
        self.problem(name, "is no origin; set https://host without a path (http only for localhost)")
        return ""

    def host(self, name: str) -> str | None:
        """A host that Vercel set; without one there is no origin, and what needs it says so."""
        host = self.text(name).lower()
        return host if HOST.fullmatch(host) else None

    def canonical_origin(self, environment: Environment) -> str | None:
        if text := self.text("AUTH_ORIGIN"):
            return self.origin("AUTH_ORIGIN", text)
        host = self.host("VERCEL_PROJECT_PRODUCTION_URL")
        return f"https://{host}" if host and environment == "production" else None

    def telegram_url(self, name: str, default: str, environment: Environment) -> str:
        text = self.text(name).rstrip("/") or default
        if text == default:
            return default
        scheme, _, rest = text.partition("://")
        host, slash, path = rest.partition("/")
        origin = self.origin(name, f"{scheme}://{host}")
        if not _PATH.fullmatch(path):
            self.problem(name, "has a path that is none; remove it to use Telegram's own")
        elif origin and environment == "production" and not LOOPBACK.fullmatch(host.lower()):
            self.problem(name, "may differ from Telegram's own only in development, preview or on localhost")
        return origin + slash + path

    def number(self, name: str, default: int, *, most: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if not _NUMBER.fullmatch(text) or int(text) > most:
            self.problem(name, f"is no whole number from 1 to {most}; remove it for {default}")
            return default
        return int(text)

    def seconds(self, name: str, default: int) -> int:
        return self.number(name, default, most=365 * DAY)

    def ids(self, name: str) -> frozenset[int]:
        entries = self.entries(name)
        if not all(_BOT_ID.fullmatch(entry) for entry in entries):
            self.problem(name, "has an entry that is no Telegram id; set numbers between commas")
            return frozenset()
        return frozenset(map(int, entries))


_settings: Settings | None = None
_lock = threading.Lock()


def get_settings() -> Settings:
    """This process's settings, read at the first call; raises `Misconfigured` every time they are wrong."""
    global _settings
    with _lock:
        if _settings is None:
            _settings = read_settings(os.environ)
        return _settings
