"""What one process remembers for a while, so that repeating it costs nothing."""

import threading
from collections import OrderedDict
from collections.abc import Callable


class Memo[T]:
    """Values by name, each with a time to forget it; over `limit` the oldest goes. `clock`: Unix seconds."""

    def __init__(self, clock: Callable[[], float], limit: int = 4096) -> None:
        self._clock = clock
        self._limit = limit
        self._held: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, name: str, value: T, seconds: float) -> None:
        """Keep `value` for so many seconds from now, in place of what was there."""
        with self._lock:
            self._put(name, self._clock() + seconds, value)

    def recall(self, name: str) -> T | None:
        """The value that was remembered, until its time is over."""
        with self._lock:
            held = self._held.get(name)
            return held[1] if held and self._clock() < held[0] else None

    def knows(self, name: str) -> bool:
        """Whether there is such a value."""
        return self.recall(name) is not None

    def _put(self, name: str, ends_at: float, value: T) -> None:
        self._held[name] = (ends_at, value)
        self._held.move_to_end(name)
        # Drop expired entries from the old end; if all share one lifetime this drops every expired one.
        now = self._clock()
        while self._held:
            oldest, (over_at, _) = next(iter(self._held.items()))
            if len(self._held) <= self._limit and now < over_at:
                break
            del self._held[oldest]


class Tally(Memo[int]):
    """How often each name was counted, from its first time on and for so many seconds."""

    def count(self, name: str, seconds: float) -> int:
        """Count `name` once more, and say how often that was in its time: the seconds since the first."""
        with self._lock:
            ends_at, times = self._held.get(name, (0.0, 0))
            if self._clock() >= ends_at:
                ends_at, times = self._clock() + seconds, 0
            self._put(name, ends_at, times + 1)
            return times + 1

    def first(self, name: str, seconds: float) -> bool:
        """Count `name`, and say whether it was not known: of many who ask at once, one hears yes."""
        return self.count(name, seconds) == 1

    def times(self, name: str) -> int:
        """How often `name` was counted in its time so far; 0 once that is over."""
        return self.recall(name) or 0


class Latest[T]:
    """The latest answer to one question, for a while; `first` before any. `clock` gives Unix seconds."""

    def __init__(self, first: T, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answer = first
        self._until = float("-inf")
        self._lock = threading.Lock()

    def get(self, ask: Callable[[T], tuple[T, float]]) -> T:
        """The answer; once it is too old, `ask` is given it, and gives a new one with its seconds.

        One of several threads asks; the others meanwhile get the old answer.
        """
        if self._clock() >= self._until and self._lock.acquire(blocking=False):
            try:
                self._answer, seconds = ask(self._answer)
                self._until = self._clock() + seconds
            finally:
                self._lock.release()
        return self._answer
