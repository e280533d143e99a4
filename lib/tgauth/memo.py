"""What one process remembers for a while, so that repeating it costs nothing."""

import threading
from collections import OrderedDict
from collections.abc import Callable


class Memo:
    """Names with a time to forget each; over `limit` the oldest goes. `clock` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float], limit: int = 4096) -> None:
        self._clock = clock
        self._limit = limit
        self._held: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, name: str, seconds: float) -> None:
        """Know `name` for so many seconds from now."""
        with self._lock:
            self._put(name, self._clock() + seconds, 1)

    def knows(self, name: str) -> bool:
        """Whether `name` was remembered and its time is not over."""
        return self.times(name) > 0

    def first(self, name: str, seconds: float) -> bool:
        """Remember `name`, and say whether it was not known: of many who ask at once, one hears yes."""
        return self.count(name, seconds) == 1

    def count(self, name: str, seconds: float) -> int:
        """How often `name` was counted in the `seconds` that began with the first time, this one included."""
        with self._lock:
            ends_at, times = self._held.get(name, (0.0, 0))
            if self._clock() >= ends_at:
                ends_at, times = self._clock() + seconds, 0
            self._put(name, ends_at, times + 1)
            return times + 1

    def times(self, name: str) -> int:
        """How often `name` was counted in its time so far; 0 once that is over."""
        with self._lock:
            ends_at, times = self._held.get(name, (0.0, 0))
            return times if self._clock() < ends_at else 0

    def _put(self, name: str, ends_at: float, times: int) -> None:
        self._held[name] = (ends_at, times)
        self._held.move_to_end(name)
        # The oldest go that are over; where all names have one lifetime, that is every one of them.
        now = self._clock()
        while self._held:
            oldest, (over_at, _) = next(iter(self._held.items()))
            if len(self._held) <= self._limit and now < over_at:
                break
            del self._held[oldest]


class Latest[T]:
    """The latest answer to one question, for a while; `first` before any. `clock` gives Unix seconds."""

    def __init__(self, first: T, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answer = first
        self._until = float("-inf")
        self._lock = threading.Lock()

    def get(self, ask: Callable[[T], tuple[T, float]]) -> T:
        """The answer; where it is too old, what `ask` gives, with its seconds, for the one that there was.

        Of many at once one asks, and the others hear what was known.
        """
        if self._clock() >= self._until and self._lock.acquire(blocking=False):
            try:
                self._answer, seconds = ask(self._answer)
                self._until = self._clock() + seconds
            finally:
                self._lock.release()
        return self._answer
