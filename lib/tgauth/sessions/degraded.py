"""Sessions without a shared store: the token carries the whole record, signed.

    tg0_ base64url( user id | slot | record ) . signature

So the next function knows a login, and a restart logs nobody out. Its limit: a logout reaches only this
instance; README.md says so, and how to set a store.
"""

import re
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict

from .. import log
from ..clock import DAY
from ..keys import SIGNATURE, Keys
from ..settings import Settings
from .record import Record, load
from .token import Claims

_PREFIX = "tg0_"
MAX_TOKEN = 3500
"""Bytes: what a cookie can hold with room for its name and attributes."""

_FORM = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{1,{MAX_TOKEN - 48}}}\.{SIGNATURE}")


def lifetime(settings: Settings) -> int:
    """Seconds from issue for which a degraded token works; it cannot be revoked elsewhere, so not long."""
    return min(DAY, settings.session_ttl, settings.session_max_age)


def mini_app_lifetime(settings: Settings) -> int:
    """As `lifetime`, for a Mini App's token."""
    return min(lifetime(settings), settings.mini_app_ttl)


def seal(user_id: int, slot: str, record: Record, keys: Keys) -> str:
    """The token that holds `record`."""
    payload = f"{user_id}|{slot}|{record.dump()}".encode()
    value = urlsafe_b64encode(payload).rstrip(b"=").decode("ascii")
    return keys.degraded.sign(_PREFIX + value)


def unseal(token: str, keys: Keys) -> tuple[Claims, Record] | None:
    """The claims and the record of a token that one of our keys signed, else None."""
    signed = keys.degraded.unsign(token) if _FORM.fullmatch(token) else None
    if signed is None:
        return None
    payload = signed.text.removeprefix(_PREFIX)
    decoded = urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    user_id, slot, text = decoded.split("|", 2)
    record = load(text, int(user_id))
    if record is None:
        return None
    return Claims(int(user_id), slot, record.created_at, record.n), record


class Ended:
    """The tokens that this instance has ended, by their `n`, each until the token would end by itself."""

    def __init__(self, limit: int = 100_000) -> None:
        self._ends: OrderedDict[str, int] = OrderedDict()
        self._limit = limit
        self._full = False
        self._lock = threading.Lock()

    def add(self, n: str, ends_at: int) -> None:
        """Refuse the token with this `n` until `ends_at` (Unix seconds)."""
        with self._lock:
            self._ends[n] = ends_at
            if len(self._ends) > self._limit:
                self._ends.popitem(last=False)
                if not self._full:
                    self._full = True
                    log.event(
                        "ended_sessions_forgotten", level="warning", reason="the oldest logouts are forgotten"
                    )

    def covers(self, n: str, now: float) -> bool:
        """Whether the token with this `n` was ended here."""
        with self._lock:
            while self._ends and next(iter(self._ends.values())) < now:
                self._ends.popitem(last=False)
            return n in self._ends
