"""The environment, read once into one frozen `Settings`. Nothing else reads os.environ.

Missing values fail closed: the environment is production unless VERCEL_ENV says otherwise, and half a pair of
credentials is an error. An error names the variable and the fix, but never the value.
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..clock import DAY, HOUR
from ..errors import Misconfigured, NotFound
from .hosts import LOOPBACK
from .reader import API_URL, OAUTH_URL, Environment, Reader
from .source import Source, prefixed, read_source


@dataclass(frozen=True, slots=True)
class Settings:
    """What the owner decided. Times are seconds; README.md has a table of the variables.

    `bot_token` is None if it is missing or malformed, and `bot_token_problem` then says which and what to do;
    `bot_id_only` is true if the owner chose to hold no token. With `client_secret` Telegram's OpenID Connect
    login is on, at `oauth_url`, which is also its issuer; the client id is the bot's id. `deployment` is
    Vercel's id, for logs. `secrets` are AUTH_SECRET's entries, newest first. `hosts` are those that a request
    may choose besides the canonical origin's: its `www.` twin in production, Vercel's hosts in a preview.
    `store_prefixed` names Redis variables that nothing reads because of a prefix in front of their names.
    """

    environment: Environment
    on_vercel: bool
    deployment: str | None
    bot_id: int
    bot_token: str | None = field(repr=False)
    bot_token_problem: str
    bot_id_only: bool
    bot_username: str | None
    client_secret: str | None = field(repr=False)
    oauth_url: str
    api_url: str
    require_chat: str | None
    require_chat_ttl: int
    secrets: tuple[str, ...] = field(repr=False)
    canonical_origin: str | None
    hosts: frozenset[str]
    allowed_origins: frozenset[str]
    relay_secret: str | None = field(repr=False)
    relay_url: str | None
    relay_hosts: tuple[str, ...]
    session_ttl: int
    session_max_age: int
    session_limit: int
    mini_app_ttl: int
    mini_app_limit: int
    allow: frozenset[int] | None
    deny: frozenset[int]
    store: Source
    store_prefixed: tuple[str, ...]
    session_read: Literal["primary", "replica"]
    admin_token: str | None = field(repr=False)

    def origin(self, host: str) -> str | None:
        """The one origin that requests to `host` belong to, or None if the host does not tell.

        AUTH_ORIGIN, or the production domain, or its `www.` twin if the request names that; in a preview the
        host that Vercel gave it; in development any loopback host is its own origin.
        """
        if host.lower() in self.hosts:
            return f"https://{host.lower()}"
        if self.canonical_origin:
            return self.canonical_origin
        if self.environment == "development" and LOOPBACK.fullmatch(host):
            return f"http://{host}"
        return None

    def require_bot_token(self) -> str:
        """The bot token; raises `Misconfigured` if there is none to check a login with."""
        if self.bot_token is None:
            raise Misconfigured(self.bot_token_problem)
        return self.bot_token

    def require_client_secret(self) -> str:
        """The client secret; raises `Misconfigured` where OpenID Connect is off."""
        if self.client_secret is None:
            raise Misconfigured("TELEGRAM_CLIENT_SECRET: is not set; without it OpenID Connect is off")
        return self.client_secret

    def require_relay(self) -> None:
        """Raises `NotFound` if this deployment does not log people in for previews."""
        if self.relay_secret is None or self.environment == "preview":
            raise NotFound("no relay: AUTH_RELAY_SECRET is not set, or this is a preview itself")

    @property
    def uses_relay(self) -> bool:
        """Whether this is a preview that logs people in through production."""
        return self.relay_secret is not None and self.environment == "preview"

    def require_relay_url(self) -> str:
        """Production's origin, for a preview; raises `Misconfigured` if it is not known."""
        if self.relay_url is None:
            raise Misconfigured(
                "AUTH_RELAY_URL: is not set; set production's origin, such as https://example.com"
            )
        return self.relay_url

    def require_known_origin(self) -> None:
        """Raises `Misconfigured` if no login can begin at any address."""
        if self.canonical_origin is None and not self.hosts and self.environment != "development":
            raise unknown_origin()

    def require_login_method(self) -> None:
        """Raises `Misconfigured` if a browser can log in neither by OpenID Connect nor with the widget."""
        if self.client_secret is None:
            self.require_bot_token()

    def permits(self, user_id: int) -> bool:
        """Whether TELEGRAM_ALLOW and TELEGRAM_DENY let this Telegram id in."""
        return user_id not in self.deny and (self.allow is None or user_id in self.allow)


def unknown_origin() -> Misconfigured:
    """What the owner reads when no setting gives this site's address."""
    reason = "AUTH_ORIGIN: is not set; set this site's origin, such as https://example.com"
    return Misconfigured(reason, cause="origin")


def missing_package(error: ModuleNotFoundError) -> Misconfigured:
    """What the owner reads when the deployment was built without its packages."""
    return Misconfigured(
        f"requirements.txt: {error.name} is not installed;"
        " check whether a pyproject.toml or Pipfile took its place"
    )


def read_settings(env: Mapping[str, str]) -> Settings:
    """Settings from `env`; raises a `Misconfigured` that names every variable to change, and how."""
    read = Reader(env)
    environment = read.environment()
    bot_token, bot_token_problem = read.bot_token(environment)
    settings = Settings(
        environment=environment,
        # VERCEL is one of the System Environment Variables, which can be off; the other is the runtime's.
        on_vercel=read.text("VERCEL") == "1" or bool(read.text("__VC_HANDLER_ENTRYPOINT")),
        deployment=read.text("VERCEL_DEPLOYMENT_ID") or None,
        bot_id=read.bot_id(bot_token, bot_token_problem),
        bot_token=bot_token,
        bot_token_problem=bot_token_problem,
        bot_id_only=bool(read.text("TELEGRAM_BOT_ID")) and not read.text("TELEGRAM_BOT_TOKEN"),
        bot_username=read.bot_username(),
        client_secret=read.client_secret(),
        oauth_url=read.telegram_url("TELEGRAM_OAUTH_URL", OAUTH_URL, environment),
        api_url=read.telegram_url("TELEGRAM_API_URL", API_URL, environment),
        require_chat=read.require_chat(bot_token),
        require_chat_ttl=read.seconds("TELEGRAM_REQUIRE_CHAT_TTL", HOUR),
        secrets=read.secrets(bot_token),
        canonical_origin=read.canonical_origin(environment),
        hosts=read.hosts(environment),
        allowed_origins=frozenset(read.origins("ALLOWED_ORIGINS")),
        relay_secret=read.relay_secret(),
        relay_url=read.relay_url(),
        relay_hosts=read.relay_hosts(),
        session_ttl=read.seconds("SESSION_TTL", 30 * DAY),
        session_max_age=read.seconds("SESSION_MAX_AGE", 90 * DAY),
        session_limit=read.number("SESSION_LIMIT", 20, most=1000),
        mini_app_ttl=read.seconds("MINI_APP_TTL", DAY),
        mini_app_limit=read.number("MINI_APP_LIMIT", 10, most=1000),
        allow=read.ids("TELEGRAM_ALLOW") if read.text("TELEGRAM_ALLOW") else None,
        deny=read.ids("TELEGRAM_DENY"),
        store=read_source(read.text, read.problem),
        store_prefixed=prefixed(name for name, value in env.items() if value.strip()),
        session_read=read.session_read(),
        admin_token=read.admin_token(),
    )
    if read.problems:
        raise Misconfigured("; ".join(read.problems))
    return settings


_settings: Settings | None = None
_lock = threading.Lock()


def get_settings() -> Settings:
    """This process's settings, read at the first call; raises `Misconfigured` whenever they are wrong."""
    global _settings
    with _lock:
        if _settings is None:
            _settings = read_settings(os.environ)
        return _settings
