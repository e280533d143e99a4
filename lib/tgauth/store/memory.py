"""A dict in this process, for development and for deployments without Redis."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from .base import Count, Store, counted

MAX_KEYS = 10_000
_SWEEP_EVERY = 60.0

Fields = dict[str, tuple[str, float]]


class MemoryStore(Store):
    """The store's contract on a dict: expiry is checked on every read and swept once a minute.

    Holds at most `max_keys` users; the least recently used goes first. `clock` gives Unix seconds.
    """

    kind = "memory"

    def __init__(self, clock: Callable[[], float] = time.time, max_keys: int = MAX_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._keys: OrderedDict[str, Fields] = OrderedDict()
        self._swept_at = clock()
        self._lock = threading.Lock()

    def create(
        self, key: str, fields: Mapping[str, str], *, window: int, renew: str, ttl: int
    ) -> tuple[bool, dict[str, str]]:
        with self._lock:
            held = self._live(key)
            created = not (held.keys() & fields.keys())
            if created:
                held.update({name: (value, self._clock() + window) for name, value in fields.items()})
            if renew in held:
                held[renew] = (held[renew][0], self._clock() + ttl)
            self._keep(key, held)
            return created, {name: value for name, (value, _) in held.items()}

    def renew(self, key: str, field: str, ttl: int) -> str | None:
        with self._lock:
            held = self._live(key)
            if field not in held:
                return None
            value = held[field][0]
            held[field] = (value, self._clock() + ttl)
            self._keep(key, held)
            return value

    def read(self, key: str, field: str) -> str | None:
        with self._lock:
            value, _ = self._live(key).get(field, (None, 0))
            return value

    def put(self, key: str, fields: Mapping[str, str], ttl: int) -> None:
        with self._lock:
            held = self._live(key)
            held |= {name: (value, self._clock() + ttl) for name, value in fields.items()}
            self._keep(key, held)

    def take(self, key: str, field: str) -> str | None:
        with self._lock:
            held = self._live(key)
            value, _ = held.pop(field, (None, 0))
            self._keep(key, held)
            return value

    def delete(self, key: str, *fields: str) -> int:
        with self._lock:
            held = self._live(key)
            deleted = sum(held.pop(field, None) is not None for field in fields)
            self._keep(key, held)
            return deleted

    def show(self, key: str, field: str, ttl: int | None) -> tuple[str | None, dict[str, str]]:
        with self._lock:
            held = self._live(key)
            if field in held and ttl is not None:
                held[field] = (held[field][0], self._clock() + ttl)
                self._keep(key, held)
            values = {name: value for name, (value, _) in held.items()}
            return values.get(field), values

    def remaining(self, key: str, *fields: str) -> list[int]:
        with self._lock:
            held, now = self._live(key), self._clock()
            return [math.ceil(held[field][1] - now) if field in held else -2 for field in fields]

    def revoke(self, key: str, *fields: str, mark: str, value: str, window: int) -> dict[str, str]:
        with self._lock:
            held = self._live(key)
            held[mark] = (value, self._clock() + window)
            self._keep(key, {name: field for name, field in held.items() if name not in fields})
            return {name: field[0] for name, field in held.items() if name not in fields}

    def count(self, prefix: str, field_prefix: str, ended_prefix: str) -> Count:
        with self._lock:
            self._sweep()
            held = [fields for key, fields in self._keys.items() if key.startswith(prefix)]
            found = [counted(fields, field_prefix, ended_prefix) for fields in held]
            return Count(users=sum(number > 0 for number in found), sessions=sum(found), exact=True)

    def check(self, key: str) -> None:
        pass

    def close(self) -> None:
        pass

    def _live(self, key: str) -> Fields:
        """The key's fields without the expired ones; changes take effect with `_keep`."""
        now = self._clock()
        if now - self._swept_at >= _SWEEP_EVERY:
            self._sweep()
        return {name: held for name, held in self._keys.get(key, {}).items() if held[1] > now}

    def _keep(self, key: str, held: Fields) -> None:
        self._keys.pop(key, None)
        if held:
            self._keys[key] = held
            if len(self._keys) > self._max_keys:
                self._keys.popitem(last=False)

    def _sweep(self) -> None:
        now = self._clock()
        self._swept_at = now
        for key, held in list(self._keys.items()):
            live = {name: field for name, field in held.items() if field[1] > now}
            if live:
                self._keys[key] = live
            else:
                del self._keys[key]
