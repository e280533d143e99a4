"""Which variables are set, where, and which look as if another variable was meant."""

import contextlib
import difflib
import re
from collections.abc import Iterator, Mapping

from dev.doctor.report import Check, ok, problem, warning
from dev.variables import Variables
from lib.tgauth.errors import Misconfigured
from lib.tgauth.settings import read_settings
from lib.tgauth.settings.source import prefixed

STORE = (
    "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_REST_TOKEN",
    "KV_REST_API_URL",
    "KV_REST_API_TOKEN",
    "REDIS_URL",
)
READ_ONLY = ("KV_REST_API_READ_ONLY_TOKEN", "UPSTASH_REDIS_REST_READ_ONLY_TOKEN")

# Names that other libraries and tutorials use for what tgauth reads under another one.
_MEANT = {
    "BOT_TOKEN": "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_TOKEN": "TELEGRAM_BOT_TOKEN",
    "TG_BOT_TOKEN": "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_API_TOKEN": "TELEGRAM_BOT_TOKEN",
    "BOT_USERNAME": "TELEGRAM_BOT_USERNAME",
    "TELEGRAM_BOT_NAME": "TELEGRAM_BOT_USERNAME",
    "TELEGRAM_CLIENT_ID": "TELEGRAM_BOT_ID",
    "TELEGRAM_OIDC_SECRET": "TELEGRAM_CLIENT_SECRET",
    "UPSTASH_REDIS_URL": "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_TOKEN": "UPSTASH_REDIS_REST_TOKEN",
    "KV_URL": "KV_REST_API_URL",
    "KV_TOKEN": "KV_REST_API_TOKEN",
    "KV_REST_TOKEN": "KV_REST_API_TOKEN",
    "REDIS_HOST": "REDIS_URL",
    "REDISCLOUD_URL": "REDIS_URL",
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NEAR = 0.88


class _Recorder(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.asked: list[str] = []

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.asked.append(name)
        return super().get(name, default)


def names_read() -> list[str]:
    """The variables that settings read, as they stand in lib/: an empty preview asks for every one."""
    recorder = _Recorder({"VERCEL_ENV": "preview"})
    with contextlib.suppress(Misconfigured):
        read_settings(recorder)
    return list(dict.fromkeys(recorder.asked))


def check_variables(variables: Variables) -> Iterator[Check]:
    """What is set, where, and what looks as if something else had been meant."""
    known = names_read()
    set_here = [name for name in known if name in variables.values and not name.startswith("VERCEL")]
    places: dict[str, list[str]] = {}
    for name in set_here:
        places.setdefault(variables.sources[name], []).append(name)
    listed = "; ".join(f"from {place}: {', '.join(names)}" for place, names in places.items())
    yield ok("variables", listed or "none of tgauth's is set")
    for place in variables.unread:
        yield warning("variables", f"{place} sets nothing", "write NAME=value there, or # before a comment")
    if empty := [name for name in variables.hidden if name in known and not name.startswith("VERCEL")]:
        yield warning(
            "variables",
            f"Vercel's CLI wrote no value for {', '.join(empty)}",
            "Vercel gives out no value of the type Secret (older: Sensitive). To check it too, put it into"
            f" the shell: {empty[0]}=… make doctor",
        )
    yield from _look_alikes(variables.values, known)


def _look_alikes(values: Mapping[str, str], known: list[str]) -> Iterator[Check]:
    store_is_set = any(name in values for name in STORE)
    if not store_is_set and (alone := [name for name in READ_ONLY if name in values]):
        yield warning(
            "look-alikes",
            f"of Redis only the read-only token is set ({alone[0]}), which tgauth never uses",
            "set the REST URL and the standard token, both from the database's page:"
            " docs/REDIS_SETUP.md#which-variables",
        )
    # Some of these are whole names of another library's.
    with_prefix = [] if store_is_set else [name for name in prefixed(values) if name not in _MEANT]
    if with_prefix:
        is_rest = any("_REST_" in name for name in with_prefix)
        pair = "KV_REST_API_URL and KV_REST_API_TOKEN to the two values"
        yield problem(
            "look-alikes",
            f"Redis's variables have a prefix in front ({', '.join(with_prefix)}), and nothing reads them"
            " there: sessions are in memory",
            f"set {pair if is_rest else 'REDIS_URL to its value'}, or connect the database again without"
            " a prefix; then deploy again: docs/REDIS_SETUP.md#which-variables",
        )
    for name in sorted(values):
        meant = _meant(name, known)
        if meant is None or meant in values or (meant in STORE and (store_is_set or with_prefix)):
            continue
        where = "docs/REDIS_SETUP.md#which-variables" if meant in STORE else "README.md#settings"
        yield warning(
            "look-alikes",
            f"{name} is set, which tgauth does not read",
            f"if it was meant for tgauth, set {meant} instead: {where}",
        )


def _meant(name: str, known: list[str]) -> str | None:
    """The variable that somebody who wrote `name` meant; None where it is known, or like none."""
    if name in known or name in READ_ONLY or name.startswith(("VERCEL_", "npm_")):
        return None
    upper = name.upper()
    if upper in _MEANT or upper in known:
        return _MEANT.get(upper, upper)
    # Vercel's Marketplace puts a custom prefix in front of every name; frameworks have theirs.
    for meant in known:
        if not meant.startswith("VERCEL") and upper.endswith(f"_{meant}"):
            return meant
    if not _NAME.fullmatch(name):
        return None
    near = difflib.get_close_matches(upper, [n for n in known if len(n) > 8], n=1, cutoff=_NEAR)
    return near[0] if near and not near[0].startswith("VERCEL") else None
