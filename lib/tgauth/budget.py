"""How much time the request at hand has left for waiting, whatever it waits for and how often.

One request can need several answers of the store, and each may be asked for twice. A leaf: the web layer
starts the clock, the stores look at it. A thread that no request runs in has no limit.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 2.4
"""So that the answer is out within three seconds, on a machine that has other things to do besides."""

TELEGRAM_SECONDS = 5
"""For all that one request asks of Telegram, or of the relay, before the store has its own."""

_NEVER = float("inf")

_request = threading.local()


def start(seconds: float = SECONDS) -> None:
    """A request, or another part of it that may take so long, begins in this thread."""
    _request.ends_at = time.monotonic() + seconds


def remaining() -> float:
    """Seconds that are left, not below 0."""
    ends_at: float = getattr(_request, "ends_at", _NEVER)
    return max(0.0, ends_at - time.monotonic())


def stop() -> None:
    """The request is over; what its thread does next is not part of it."""
    _request.ends_at = _NEVER


@contextmanager
def request() -> Iterator[None]:
    """What a request does by itself; inside of another it is part of that one, and has that one's time."""
    if remaining() != _NEVER:
        yield
        return
    start()
    try:
        yield
    finally:
        stop()
