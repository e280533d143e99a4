"""Visits that finish a login: if one comes twice at once, it is made once and both get its answer.

Browsers request some addresses twice, and drop the answer to the first request. Only visits under way in this
process are known; any other is refused like a login that is finished already.
"""

import threading
from collections.abc import Callable

WAIT = 8.0
"""Seconds, within which every request has its answer."""


class Visits[T]:
    """The visits under way in one process; safe to share between threads."""

    def __init__(self) -> None:
        self._under_way: dict[str, _Visit[T]] = {}
        self._lock = threading.Lock()

    def share(self, name: str, make: Callable[[], T]) -> T | None:
        """The result of `make`, which only the first of several simultaneous visits of this `name` calls.

        If `make` raises, the first visit raises that, and the others get None.
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
