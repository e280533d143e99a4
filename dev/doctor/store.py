"""Redis: whether it answers, knows the commands, is near, and keeps what it is sent."""

import contextlib
import io
import secrets
import statistics
import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from dev.doctor.report import Check, ok, problem, warning
from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.settings import Settings
from lib.tgauth.settings.hosts import LOOPBACK
from lib.tgauth.store.hashes import HashStore
from lib.tgauth.store.open import open_store

FAR_MS = 300
"""Milliseconds for one command, above which people wait."""

_TTL = 60
_ROUNDS = 5
_DOCS = "docs/REDIS_SETUP.md"
_ANOTHER_SERVER = f"use a server of a kind that tgauth is made for: {_DOCS}#which-variables"
_EVICTION = f"{_DOCS}#eviction-persistence-idle-databases"


def check_store(settings: Settings) -> Iterator[Check]:
    """Write to a key of the doctor's own, which is removed at the end and lives a minute in any case."""
    # Opening says which store it is, in the log's form: not for people.
    with contextlib.redirect_stdout(io.StringIO()):
        store = open_store(settings)
    if not isinstance(store, HashStore) and settings.environment == "development":
        yield ok("redis", "none is set: sessions are kept in memory, which is enough for development")
        return
    if not isinstance(store, HashStore):
        yield warning(
            "redis",
            "no Redis is set, so sessions are kept in memory: they end after 24 hours, and a logout reaches"
            " one function only",
            "set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN: docs/REDIS_QUICK_START.md",
        )
        return
    if settings.store.kind == "redis":
        yield from _tls(settings.store.url)
    key = f"tgauth:doctor:{secrets.token_hex(8)}"
    try:
        yield from _check(store, settings, key)
    except StoreUnavailable as error:
        yield _failed("redis", error)
    finally:
        with contextlib.suppress(StoreUnavailable):
            store.delete(key, "one", "two")
        store.close()


def _check(store: HashStore, settings: Settings, key: str) -> Iterator[Check]:
    """Raises `StoreUnavailable` where nothing more can be said."""
    # The first answer is a line in the log's form: not for people.
    with contextlib.redirect_stdout(io.StringIO()):
        store.ping()
    yield ok(
        "redis", f"{'Upstash' if store.kind == 'upstash' else 'Redis'} answers and takes the credentials"
    )
    yield from _server(store)
    try:
        created, held = store.create(key, {"one": "1", "two": "2"}, window=_TTL, renew="one", ttl=_TTL)
        renewed, remaining = store.renew(key, "one", _TTL), store.remaining(key, "one")
    except StoreUnavailable as error:
        yield _failed("redis-commands", error)
        return
    as_it_must = created and held == {"one": "1", "two": "2"} and renewed == "1" and 0 < remaining[0] <= _TTL
    if not as_it_must:
        yield problem("redis-commands", "what was written does not come back as it was", _ANOTHER_SERVER)
        return
    yield from _take(store, settings, key)
    yield _distance(store, key)


def _take(store: HashStore, settings: Settings, key: str) -> Iterator[Check]:
    """HGETDEL, which is needed for the relay alone."""
    try:
        taken = store.take(key, "two")
    except StoreUnavailable as error:
        needed = settings.relay_secret is not None and settings.environment == "production"
        if needed:
            yield _failed("redis-commands", error)
        else:
            yield warning(
                "redis-commands",
                f"sessions work, but not HGETDEL, which the relay for previews needs: {error.reason}",
                f"before you set the relay up, update the server or give the right: {_DOCS}#redis-over-tcp",
            )
        return
    if taken != "2" or store.read(key, "two") is not None:
        yield problem("redis-commands", "HGETDEL does not take a value away", _ANOTHER_SERVER)
        return
    yield ok("redis-commands", "HSETEX, HGETEX, HTTL, HGETDEL and transactions work")


def _distance(store: HashStore, key: str) -> Check:
    taken = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        store.read(key, "one")
        taken.append((time.perf_counter() - started) * 1000)
    typical = statistics.median(taken)
    message = f"one command takes {typical:.0f} ms from here (median of {_ROUNDS})"
    if typical > FAR_MS:
        return warning(
            "redis-distance",
            message,
            "what counts is the way from your functions: look whether their region (Vercel: Settings >"
            " Functions) and the database's are the same: docs/REDIS_QUICK_START.md#1-make-a-database",
        )
    return ok("redis-distance", message)


def _tls(url: str) -> Iterator[Check]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "rediss":
        yield ok("redis-tls", "the connection is encrypted")
    elif LOOPBACK.fullmatch(host) or "." not in host or host.endswith(".internal"):
        yield ok("redis-tls", "the connection is not encrypted, and stays on this machine or network")
    else:
        yield warning(
            "redis-tls",
            "REDIS_URL is not encrypted: whoever is on the way can read the password and the sessions",
            f"use rediss:// (with two s), unless this is a private network:"
            f" {_DOCS}#redis-cloud-railway-a-server-of-your-own",
        )


def _server(store: HashStore) -> Iterator[Check]:
    """Version and eviction, where the server tells them: INFO needs a right that tgauth does not."""
    try:
        info = _fields(store._send(["INFO"]))
    # Whatever the client raises, and its text can hold the credentials.
    except Exception:
        info = {}
    version = info.get("valkey_version") or info.get("redis_version")
    if version:
        name = "Valkey" if "valkey_version" in info else "Redis"
        behind = "Upstash, which says " if store.kind == "upstash" else ""
        yield ok("redis-version", f"{behind}{name} {version}")
    policy = info.get("maxmemory_policy")
    if policy is None:
        yield ok(
            "redis-eviction",
            f"the server does not tell whether eviction is off: look yourself, it should be ({_EVICTION})",
        )
    elif policy == "noeviction":
        yield ok("redis-eviction", "is off: no session vanishes for want of memory")
    else:
        yield warning(
            "redis-eviction",
            f"is {policy}: where memory runs out, the server deletes sessions, and the marks that keep login"
            " data from being used twice",
            f"set maxmemory-policy to noeviction (Upstash: Eviction off): {_EVICTION}",
        )


def _fields(info: object) -> dict[str, str]:
    """INFO's answer: redis-py has taken it apart, Upstash gives the text."""
    if isinstance(info, Mapping):
        return {str(name): str(value) for name, value in info.items()}
    lines = (line.partition(":") for line in str(info).splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip() for name, separator, value in lines if separator}


def _failed(name: str, error: StoreUnavailable) -> Check:
    what, _, todo = error.reason.partition("; ")
    return problem(name, what, f"{todo or 'look the text up'}: {_DOCS}#troubleshooting")
