"""What the variables mean: what lib.tgauth.settings says about them, and which value wins."""

import re
from collections.abc import Iterator, Mapping

from dev.doctor.guess import weakness
from dev.doctor.report import Check, ok, problem, warning
from dev.doctor.site import split
from dev.doctor.variables import STORE
from lib.tgauth.errors import Misconfigured
from lib.tgauth.relay.hosts import patterns
from lib.tgauth.settings import Settings, read_settings

NO_BOT = "docs/API.md#ways-to-log-in"
_EXPLAINED = {
    "AUTH_RELAY_": "docs/PREVIEWS.md#setting-it-up",
    "TELEGRAM_CLIENT_SECRET": "README.md#at-botfather",
    "TELEGRAM_REQUIRE_CHAT": "docs/API.md#members-only",
    "SESSION_": "docs/REDIS_SETUP.md#how-long-sessions-live",
    **dict.fromkeys(STORE, "docs/REDIS_SETUP.md#settings"),
}
_MAKE = "`openssl rand -base64 32`"
_CHANGE = "docs/REDIS_SETUP.md#changing-secrets"
_SEVERAL = re.compile(r"; (?=[A-Z][A-Z0-9_]+: )")


def read(values: Mapping[str, str]) -> tuple[Settings | None, list[str]]:
    """The settings, and everything that lib.tgauth.settings finds wrong with them.

    What is wrong is taken out, so that the rest can still be checked; None where nothing can be made of that.
    """
    try:
        return read_settings(values), []
    except Misconfigured as error:
        wrong = _SEVERAL.split(error.reason)
    named = names(wrong)
    # Another database than the one that is meant says nothing.
    dropped = {*named, *STORE} if named & {*STORE} else named
    try:
        return read_settings({name: text for name, text in values.items() if name not in dropped}), wrong
    except Misconfigured:
        return None, wrong


def names(wrong: list[str]) -> set[str]:
    """The variables that something is wrong with: what is said of one that is not set would mislead."""
    return {text.partition(":")[0] for text in wrong}


def store_is_wrong(wrong: list[str]) -> bool:
    """Whether a variable of the store is among what is wrong."""
    return not names(wrong).isdisjoint(STORE)


def check_settings(values: Mapping[str, str], settings: Settings | None, wrong: list[str]) -> Iterator[Check]:
    """Every problem of the settings, and what they decide."""
    for text in wrong:
        what, _, todo = text.partition("; ")
        name = text.partition(":")[0]
        where = next(
            (doc for start, doc in _EXPLAINED.items() if name.startswith(start)), "README.md#settings"
        )
        yield problem("settings", what, f"{todo or 'correct it'}: {where}")
    if settings is None:
        return
    if not wrong:
        yield ok("settings", "every value is of the form that tgauth takes")
    source = "VERCEL_ENV" if values.get("VERCEL_ENV") else "VERCEL_ENV is not set, so this counts as it"
    yield ok("environment", f"{settings.environment} ({source})")
    unclear = names(wrong)
    yield from _bot(settings, unclear)
    yield from _secret(values, settings, unclear)
    if "AUTH_ORIGIN" not in unclear:
        yield from _origin(values, settings)
    if not store_is_wrong(wrong):
        yield from _store(values, settings.store.variable)
    if not any(name.startswith("AUTH_RELAY_") for name in unclear):
        yield from _relay(settings)


def _bot(settings: Settings, wrong: set[str]) -> Iterator[Check]:
    if settings.bot_token is not None:
        return
    if settings.bot_id_only and settings.client_secret is None and not settings.uses_relay:
        if "TELEGRAM_CLIENT_SECRET" in wrong:
            return
        yield warning(
            "bot",
            "there is a bot's id, but neither its token nor TELEGRAM_CLIENT_SECRET: only Mini Apps log in",
            f"for logins on web pages set one of the two: {NO_BOT}",
        )
    elif settings.bot_id_only:
        yield ok("bot", "only its id is known, by your choice: the Login Widget is off")
    else:
        what, _, todo = settings.bot_token_problem.partition("; ")
        yield problem("bot", what, f"{todo}, or remove the variable: README.md#settings")


def _secret(values: Mapping[str, str], settings: Settings, wrong: set[str]) -> Iterator[Check]:
    if "AUTH_SECRET" not in wrong and values.get("AUTH_SECRET"):
        number = len(settings.secrets)
        several = f"; it has {number} entries, of which the first signs and all verify" if number > 1 else ""
        yield ok("secret", f"sessions are signed with AUTH_SECRET{several}")
    elif "AUTH_SECRET" not in wrong and settings.environment == "development":
        yield ok(
            "secret", "AUTH_SECRET is not set, so TELEGRAM_BOT_TOKEN signs sessions: enough for development"
        )
    elif "AUTH_SECRET" not in wrong:
        yield warning(
            "secret",
            "AUTH_SECRET is not set, so TELEGRAM_BOT_TOKEN signs sessions: whoever has the token can forge"
            " them, and a new token logs everybody out",
            f"set AUTH_SECRET to one made with {_MAKE}; where people are logged in already,"
            f" AUTH_SECRET=new,<bot token> leaves them logged in: {_CHANGE}",
        )
    own = [secret for secret in settings.secrets if secret != settings.bot_token]
    others = [
        (name, secret)
        for name, secret in (
            ("AUTH_RELAY_SECRET", settings.relay_secret),
            ("ADMIN_TOKEN", settings.admin_token),
            ("TELEGRAM_CLIENT_SECRET", settings.client_secret),
        )
        if secret
    ]
    yield from _guessable(own, others)
    held: dict[str, list[str]] = {}
    for name, secret in [*(("AUTH_SECRET", entry) for entry in own), *others]:
        held.setdefault(secret, []).append(name)
    for names in held.values():
        if len(names) > 1:
            yield warning(
                "secret",
                f"{' and '.join(names)} have the same value, so who gets one has the other",
                f"make each of its own, with {_MAKE}",
            )


def _guessable(own: list[str], others: list[tuple[str, str]]) -> Iterator[Check]:
    """Which of AUTH_SECRET's entries, and of the owner's other secrets, nobody made by chance."""
    for number, secret in enumerate(own, 1):
        if not (why := weakness(secret)):
            continue
        entry = f"AUTH_SECRET, entry {number}," if len(own) > 1 else "AUTH_SECRET"
        todo = (
            f"put one made with {_MAKE} in front, AUTH_SECRET=new,old, which logs nobody out; take the old"
            " one out soon, since sessions can be forged with it until then"
            if number == 1
            else "take that entry out soon, since sessions can be forged with it until then"
        )
        yield warning("secret", f"{entry} {why}", f"{todo}: {_CHANGE}")
    for name, secret in others:
        # Telegram makes client secrets.
        if name != "TELEGRAM_CLIENT_SECRET" and (why := weakness(secret)):
            where = " in production and in previews" if name == "AUTH_RELAY_SECRET" else ""
            yield warning(
                "secret",
                f"{name} {why}",
                f"set one made with {_MAKE}{where}, and deploy again: docs/SECURITY.md#changing-secrets",
            )


def _origin(values: Mapping[str, str], settings: Settings) -> Iterator[Check]:
    origin = settings.canonical_origin
    vercels = values.get("VERCEL_PROJECT_PRODUCTION_URL", "").strip().lower()
    if origin and values.get("AUTH_ORIGIN"):
        other = vercels and settings.environment == "production" and f"https://{vercels}" != origin
        beside = f"; Vercel's production domain, {vercels}, is sent there" if other else ""
        yield ok("origin", f"{origin}, from AUTH_ORIGIN{beside}")
    elif origin:
        twin = "".join(f", or https://{host} where browsers are there" for host in settings.hosts)
        yield ok("origin", f"{origin}, from VERCEL_PROJECT_PRODUCTION_URL (AUTH_ORIGIN is not set){twin}")
    elif settings.environment == "production":
        yield warning(
            "origin",
            "not known here: neither AUTH_ORIGIN nor VERCEL_PROJECT_PRODUCTION_URL is set",
            "on Vercel, switch on “Enable access to System Environment Variables” under Settings >"
            " Environment Variables; anywhere else set AUTH_ORIGIN to the site's origin, such as"
            " https://example.com: README.md#settings",
        )
    else:
        yield ok("origin", f"the address at which this {settings.environment} is opened")


def _store(values: Mapping[str, str], counts: str) -> Iterator[Check]:
    """Which of the sources counts: the one whose URL stands in the variable `counts`."""
    if not counts:
        return
    used = [counts] if counts == "REDIS_URL" else [counts, counts.replace("_URL", "_TOKEN")]
    others = [name for name in STORE if values.get(name) and name not in used]
    hosts = {
        split(values[name].strip()).hostname for name in STORE if name.endswith("_URL") and values.get(name)
    }
    beside = f". Set too, and not looked at: {', '.join(others)}" if others else ""
    message = f"the database is the one in {' and '.join(used)}{beside}"
    if len(hosts) > 1:
        yield warning(
            "store",
            f"{message}. They name different servers",
            "if that is not meant, remove the one that you do not use: docs/REDIS_SETUP.md#which-variables",
        )
    else:
        yield ok("store", message)


def _relay(settings: Settings) -> Iterator[Check]:
    steps = "docs/PREVIEWS.md#setting-it-up"
    if settings.environment == "preview":
        if settings.relay_secret is None and settings.canonical_origin is None:
            yield warning(
                "relay",
                "AUTH_RELAY_SECRET is not set, so nobody can log in on this preview's pages",
                f"set it here and in production: {steps}",
            )
        elif settings.uses_relay and settings.relay_url is None:
            yield problem("relay", "where production is is not known", f"set AUTH_RELAY_URL: {steps}")
        elif settings.uses_relay:
            yield ok("relay", f"people log in through {settings.relay_url}")
    elif settings.relay_secret is not None and not settings.relay_hosts:
        yield warning(
            "relay",
            "AUTH_RELAY_SECRET is set and AUTH_RELAY_HOSTS is not, so no preview is let in",
            f"set AUTH_RELAY_HOSTS, such as app-*-team.vercel.app: {steps}",
        )
    elif settings.relay_hosts and settings.relay_secret is None:
        yield warning(
            "relay", "AUTH_RELAY_HOSTS does nothing without AUTH_RELAY_SECRET", f"set that too: {steps}"
        )
    elif settings.relay_secret is not None and settings.store.kind == "memory":
        yield problem(
            "relay",
            "previews are let in through production only when it has Redis, and none is set",
            "set up Redis: docs/REDIS_QUICK_START.md",
        )
    elif settings.relay_secret is not None:
        try:
            patterns(settings.relay_hosts)
        except Misconfigured as wrong:
            what, _, todo = wrong.reason.partition("; ")
            yield problem("relay", what, f"{todo or 'correct it'}: {steps}")
            return
        yield ok("relay", f"previews are let in at {', '.join(settings.relay_hosts)}")
