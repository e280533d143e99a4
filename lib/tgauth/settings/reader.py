"""How each variable is read, and what is reported about a value that cannot be right. For `read_settings`."""

import re
from collections.abc import Mapping
from typing import Literal

from ..clock import DAY
from .hosts import HOST, LOOPBACK, www_twin

Environment = Literal["production", "preview", "development"]

DEVELOPMENT_BOT_TOKEN = "1000000001:tgauth-development-token-never-use-this"  # noqa: S105 (public by design)

OAUTH_URL = "https://oauth.telegram.org"
API_URL = "https://api.telegram.org"

BOT_TOKEN = re.compile(r"[1-9][0-9]{0,19}:[A-Za-z0-9_-]+")
# As text, so that a start compiles only the patterns whose variables are set.
_BOT_ID = r"[1-9][0-9]{0,19}"
_USERNAME = r"@?[A-Za-z][A-Za-z0-9_]{3,31}"
_NUMBER = r"[1-9][0-9]{0,9}"
_PATH = r"[A-Za-z0-9._~/-]*"
# Groups and channels have negative ids; a positive one is a person.
_CHAT = r"-[1-9][0-9]{0,19}|@[A-Za-z][A-Za-z0-9_]{3,31}"
# At most two stars: with more of them, a long label would take seconds to compare.
_RELAY_HOST = r"(?!.*\*.*\*.*\*)([a-z0-9*-]+\.)*[a-z0-9-]+\.[a-z0-9-]+(:[0-9]{1,5})?"
_SESSION_READ = r"primary|replica"
_OPENING, _CLOSING = tuple("\"'`“„«"), tuple("\"'`”“»")
_UNRESOLVED = r"\$\{.*\}|\$\(.*\)|\{\{.*\}\}|\$[A-Z_][A-Z0-9_]*"
_CLIENT_SECRET = r"[\x21-\x7e]{8,256}"  # noqa: S105 (a pattern, not a secret)
_SECRET = r"[\x20-\x7e]{32,}"  # noqa: S105 (a pattern, not a secret)


def _is_port(digits: str) -> bool:
    return not digits or 0 < int(digits) < 65536


class Reader:
    """Reads variables and collects what is wrong, so that the owner sees all of it at once."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._problems: dict[str, str] = {}

    @property
    def problems(self) -> list[str]:
        """What is wrong, once for each variable: the first thing found causes the rest."""
        return [f"{name}: {fix}" for name, fix in self._problems.items()]

    def text(self, name: str) -> str:
        """The value without the white space that pasting leaves around it."""
        text = self._env.get(name, "").strip()
        if text.startswith(f"{name}="):
            self.problem(name, "begins with its own name; set only what follows the =")
        elif text[:1] in _OPENING and text[-1:] in _CLOSING and len(text) > 1:
            self.problem(name, "is in quotation marks; set the value without them")
        elif re.fullmatch(_UNRESOLVED, text):
            self.problem(name, "is a reference or command that was not resolved; set the value itself")
        return text

    def entries(self, name: str) -> list[str]:
        text = self.text(name)
        return [entry.strip() for entry in text.split(",")] if text else []

    def problem(self, name: str, fix: str) -> None:
        self._problems.setdefault(name, fix)

    def matching(self, name: str, pattern: str, accepted: str) -> str:
        text = self.text(name)
        if text and not re.fullmatch(pattern, text):
            self.problem(name, f"is malformed; set {accepted}")
        return text

    def bot_username(self) -> str | None:
        accepted = "the bot's name, such as example_bot"
        return self.matching("TELEGRAM_BOT_USERNAME", _USERNAME, accepted).removeprefix("@") or None

    def client_secret(self) -> str | None:
        accepted = "the Client Secret that @BotFather shows under Bot Settings > Web Login"
        text = self.matching("TELEGRAM_CLIENT_SECRET", _CLIENT_SECRET, accepted)
        if BOT_TOKEN.fullmatch(text):
            self.problem("TELEGRAM_CLIENT_SECRET", f"is a bot token; set {accepted}")
        return text or None

    def admin_token(self) -> str | None:
        return self.matching("ADMIN_TOKEN", _SECRET, "at least 32 plain characters") or None

    def session_read(self) -> Literal["primary", "replica"]:
        if self.matching("SESSION_READ", _SESSION_READ, "primary or replica") == "replica":
            return "replica"
        return "primary"

    def require_chat(self, bot_token: str | None) -> str | None:
        accepted = "the chat's id with its minus, such as -1001234567890, or the @name of a public one"
        chat = self.matching("TELEGRAM_REQUIRE_CHAT", _CHAT, accepted)
        if chat and bot_token is None:
            self.problem(
                "TELEGRAM_REQUIRE_CHAT", "needs TELEGRAM_BOT_TOKEN; set the token of a bot in the chat"
            )
        return chat or None

    def relay_secret(self) -> str | None:
        secret = self.matching("AUTH_RELAY_SECRET", _SECRET, "at least 32 plain characters")
        for name in ("AUTH_SECRET", "TELEGRAM_BOT_TOKEN", "TELEGRAM_CLIENT_SECRET", "ADMIN_TOKEN"):
            # All previews hold it.
            if re.fullmatch(_SECRET, secret) and secret in (self.text(name), *self.entries(name)):
                self.problem("AUTH_RELAY_SECRET", f"is {name} too; set a new one (openssl rand -base64 32)")
        return secret or None

    def relay_url(self) -> str | None:
        if text := self.text("AUTH_RELAY_URL"):
            return self.origin("AUTH_RELAY_URL", text)
        host = self.host("VERCEL_PROJECT_PRODUCTION_URL")
        return f"https://{host}" if host else None

    def relay_hosts(self) -> tuple[str, ...]:
        """Hosts of previews; a star stands for part of one label (tgauth.relay.hosts checks whose)."""
        # Browsers leave out https's default port.
        hosts = [entry.lower().removesuffix(":443") for entry in self.entries("AUTH_RELAY_HOSTS")]
        if not all(re.fullmatch(_RELAY_HOST, host) and _is_port(host.partition(":")[2]) for host in hosts):
            self.problem(
                "AUTH_RELAY_HOSTS",
                "has an entry that is not a host with at most two stars; set one such as"
                " app-*-team.vercel.app",
            )
        return tuple(hosts)

    def environment(self) -> Environment:
        text = self.text("VERCEL_ENV")
        return "preview" if text == "preview" else "development" if text == "development" else "production"

    def bot_token(self, environment: Environment) -> tuple[str | None, str]:
        token = self.text("TELEGRAM_BOT_TOKEN")
        if not token:
            return None, "TELEGRAM_BOT_TOKEN: is not set; set the token that @BotFather gave you"
        if not BOT_TOKEN.fullmatch(token):
            return None, "TELEGRAM_BOT_TOKEN: is malformed; copy it whole from @BotFather (123456:ABC-...)"
        if token == DEVELOPMENT_BOT_TOKEN and (environment != "development" or self.text("VERCEL")):
            return None, "TELEGRAM_BOT_TOKEN: is the public development token; set your bot's own"
        return token, ""

    def bot_id(self, bot_token: str | None, bot_token_problem: str) -> int:
        text = self.matching("TELEGRAM_BOT_ID", _BOT_ID, "the digits before the colon of the bot's token")
        from_token = bot_token.partition(":")[0] if bot_token else ""
        if re.fullmatch(_BOT_ID, text) and from_token and text != from_token:
            self.problem("TELEGRAM_BOT_ID", "is not the id in TELEGRAM_BOT_TOKEN; remove one of them")
        if not text and not from_token:
            self.problem(*bot_token_problem.split(": ", 1))
        digits = from_token or text
        return int(digits) if re.fullmatch(_BOT_ID, digits) else 0

    def secrets(self, bot_token: str | None) -> tuple[str, ...]:
        secrets = self.entries("AUTH_SECRET")
        if not all(re.fullmatch(_SECRET, secret) for secret in secrets):
            self.problem(
                "AUTH_SECRET",
                "has an empty or short entry; set entries of at least 32 plain characters each, separated by"
                " commas (openssl rand -base64 32)",
            )
        if secrets:
            return tuple(secrets)
        if bot_token:
            return (bot_token,)
        if "TELEGRAM_BOT_TOKEN" not in self._problems:
            self.problem(
                "AUTH_SECRET", "is not set; without TELEGRAM_BOT_TOKEN it is needed to sign sessions"
            )
        return ()

    def origin(
        self,
        name: str,
        text: str,
        fix: str = "set https://host in ASCII, without a path (http for localhost)",
    ) -> str:
        """An exact origin: https, or http on a loopback host; no path, no user, lower case."""
        scheme, _, host = text.lower().rstrip("/").partition("://")
        domain, _, digits = host.partition(":")
        default = {"https": 443, "http": 80}.get(scheme, 0)
        known = default and text.isascii() and HOST.fullmatch(host) and _is_port(digits)
        if known and (scheme == "https" or LOOPBACK.fullmatch(host)):
            port = int(digits or default)
            # Browsers leave a scheme's default port out of Origin.
            return f"{scheme}://{domain}" + (f":{port}" if port != default else "")
        self.problem(name, f"is not a valid origin; {fix}")
        return ""

    def origins(self, name: str) -> list[str]:
        return [self.origin(name, entry) for entry in self.entries(name)]

    def hosts(self, environment: Environment) -> frozenset[str]:
        """The hosts that a request may choose besides the canonical one; AUTH_ORIGIN leaves no choice."""
        found: list[str | None] = []
        if environment == "preview" and not self.text("AUTH_ORIGIN"):
            found = [self.host("VERCEL_URL"), self.host("VERCEL_BRANCH_URL")]
        elif environment == "production" and not self.text("AUTH_ORIGIN"):
            found = [www_twin(self.host("VERCEL_PROJECT_PRODUCTION_URL") or "")]
        return frozenset(filter(None, found))

    def host(self, name: str) -> str | None:
        """A host that Vercel set; without it there is no origin, and whatever needs one says so."""
        host = self.text(name).lower()
        return host if HOST.fullmatch(host) else None

    def canonical_origin(self, environment: Environment) -> str | None:
        if text := self.text("AUTH_ORIGIN"):
            origin = self.origin("AUTH_ORIGIN", text)
            if origin.startswith("http:") and self.text("VERCEL") and environment != "development":
                # Sessions on http://localhost use a cookie without Secure, which only `vercel dev` may have.
                self.problem("AUTH_ORIGIN", "is for development on localhost; set this site's https origin")
            return origin
        host = self.host("VERCEL_PROJECT_PRODUCTION_URL")
        return f"https://{host}" if host and environment == "production" else None

    def telegram_url(self, name: str, default: str, environment: Environment) -> str:
        text = self.text(name).rstrip("/") or default
        if text == default:
            return default
        scheme, _, rest = text.partition("://")
        host, slash, path = rest.partition("/")
        fix = "remove it to use Telegram's own"
        origin = self.origin(name, f"{scheme}://{host}", fix)
        if not re.fullmatch(_PATH, path):
            self.problem(name, f"has an invalid path; {fix}")
        elif origin and environment == "production" and not LOOPBACK.fullmatch(host.lower()):
            self.problem(name, f"may differ only in development, preview or on localhost; {fix}")
        return origin + slash + path

    def number(self, name: str, default: int, *, most: int, unit: str = "a number") -> int:
        text = self.text(name)
        if not text:
            return default
        if not re.fullmatch(_NUMBER, text) or int(text) > most:
            fix = f"write {unit} in digits (default: {default})"
            self.problem(name, f"is not a whole number from 1 to {most}; {fix}")
            return default
        return int(text)

    def seconds(self, name: str, default: int) -> int:
        return self.number(name, default, most=365 * DAY, unit="seconds")

    def ids(self, name: str) -> frozenset[int]:
        entries = self.entries(name)
        if not all(re.fullmatch(_BOT_ID, entry) for entry in entries):
            self.problem(name, "has an entry that is empty or not a Telegram id; separate ids with commas")
            return frozenset()
        return frozenset(map(int, entries))
