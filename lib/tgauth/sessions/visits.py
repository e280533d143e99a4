"""Visits that finish a login: of two at once that are the very same, one does it, and both get its answer.

Browsers ask for some addresses twice, and drop what the first request is answered. Only visits that are under
way in this process are known; every other one is refused like any login that is finished already.
"""

import threading
from collections.abc import Callable

WAIT = 8.0
"""Seconds, within which every request has its answer."""


class Visits[T]:
    """Those of one process, safe to share between threads."""

    def __init__(self) -> None:
        self._under_way: dict[str, _Visit[T]] = {}
        self._lock = threading.Lock()

    def share(self, name: str, make: Callable[[], T]) -> T | None:
        """What `make` gives, called by the first of many visits of this `name` at once.

        Raises what it raises to that one; to the others it then gives None.
        """
        own = _Visit[T]()
        with self._lock:
            visit = self._under_way.setdefault(name, own)
        if visit is not own:
            visit.over.wait(WAIT)
            return visit.result
        try:
            own.result = make()
        finally:
            with self._lock:
                del self._under_way[name]
            own.over.set()
        return own.result


class _Visit[T]:
    def __init__(self) -> None:
        self.result: T | None = None
        self.over = threading.Event()
