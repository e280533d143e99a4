"""Whether a store is alive, told from what requests saw of it, so that /health hardly asks."""

import threading
import time
from collections.abc import Callable

_FRESH_SECONDS = 60.0
_FAILURE_SECONDS = 10.0


class Pulse:
    """The outcome of the last call to a store. `clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._worked = False
        self._until = float("-inf")
        self._asking = threading.Lock()

    def note(self, *, worked: bool) -> None:
        """A call ended. A failure is news for 10 seconds, a success for 60."""
        self._worked, self._until = worked, self._clock() + (_FRESH_SECONDS if worked else _FAILURE_SECONDS)

    def check(self, ask: Callable[[], object]) -> bool:
        """Whether the store works; calls `ask` when nothing recent tells, one thread at a time.

        `ask` is a call to the store, which notes its own outcome and may raise.
        """
        with self._asking:
            if self._clock() >= self._until:
                ask()
            return self._worked
