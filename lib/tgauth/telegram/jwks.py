"""Telegram's public keys: fetched when needed, kept for an hour, never requested more than once a minute.

Sources: RFC 7517; https://core.telegram.org/bots/telegram-login. Telegram publishes keys of four kinds; one
that we cannot use is skipped without affecting the others.
"""

import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import budget, log
from ..clock import DAY, HOUR
from ..errors import IdentityProviderUnavailable, LoginRejected

if TYPE_CHECKING:
    from .jwk import Algorithm, Key

FRESH = HOUR
"""Seconds after which keys are fetched again."""

STALE = DAY
"""The most seconds for which keys are used while fetching fails."""

COOL_DOWN = 60
"""Seconds between two fetches, whatever keys tokens name."""

_RETRY = 10


class Keys:
    """The keys of one issuer, safe to share between threads. `fetch` returns the JWKS document."""

    def __init__(self, fetch: Callable[[], bytes]) -> None:
        self._fetch = fetch
        self._keys: dict[tuple[str, Algorithm], Key] = {}
        self._fetched_at = self._not_before = float("-inf")
        self._failed = False
        # Held while fetching, so that one of many logins at a cold start fetches the keys for all.
        self._lock = threading.Lock()

    def prepare(self, now: float) -> None:
        """Fetch the keys if that was never done, so that `find` need not."""
        with self._lock:
            if not self._keys:
                self._refresh(now)

    def find(self, kid: str, algorithm: "Algorithm", instead_of: "Key | None" = None, *, now: float) -> "Key":
        """The key for `algorithm` that `kid` names; `now` is Unix seconds.

        `instead_of` is the key that was found before and did not make the signature: Telegram may have
        replaced it under the same name by now. If it has not, the same key is returned again.

        Raises `LoginRejected` when there is no such key, `IdentityProviderUnavailable` when that is unknown.
        """
        # A known, fresh key is returned at once, whatever another thread is fetching.
        name = kid, algorithm
        held = self._keys.get(name)
        if held not in (None, instead_of) and now - self._fetched_at < FRESH:
            return held
        # acquire() takes no infinite timeout, which is what a thread without a budget has left.
        if not self._lock.acquire(timeout=min(budget.remaining(), threading.TIMEOUT_MAX)):
            raise IdentityProviderUnavailable("Telegram's keys are still being fetched")
        try:
            if now - self._fetched_at >= FRESH or self._keys.get(name) in (None, instead_of):
                self._refresh(now)
            held = self._keys.get(name) if now - self._fetched_at < STALE else None
            if held is not None and not (self._failed and held == instead_of):
                return held
            if self._failed:
                raise IdentityProviderUnavailable("Telegram's keys cannot be fetched")
            raise LoginRejected("id_token names a key that Telegram does not have")
        finally:
            self._lock.release()

    def _refresh(self, now: float) -> None:
        if now < self._not_before:
            return
        self._not_before = now + COOL_DOWN
        try:
            keys = parse(self._fetch())
        except IdentityProviderUnavailable as problem:
            log.event("jwks_unavailable", level="error", reason=problem.reason)
            self._failed = True
            if now - self._fetched_at >= STALE:
                self._not_before = now + _RETRY
            return
        log.event("jwks_refreshed", keys=len(keys))
        self._keys, self._fetched_at, self._failed = keys, now, False


def parse(document: bytes) -> "dict[tuple[str, Algorithm], Key]":
    """The keys in a JWKS that we can use, by id and algorithm: two key types may share an id (RFC 7517 §4.5).

    Raises `IdentityProviderUnavailable` when there is none.
    """
    # Cryptography: keys can be fetched while it is imported.
    from .jwk import read_key

    try:
        listed = json.loads(document)["keys"]
        found = [read_key(entry) for entry in listed]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise IdentityProviderUnavailable("Telegram's keys are not a JWKS") from None
    keys = {(key.id, key.algorithm): key for key in found if key is not None and key.id}
    if not keys:
        raise IdentityProviderUnavailable("none of Telegram's keys is for RS256 or ES256")
    return keys
