"""How much longer the current request may wait, in total, for the store and for Telegram.

One request can need several answers from the store, and each may be asked for twice. A leaf: the web layer
starts the clock and the stores read it. A thread that is not serving a request has no limit.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 2.4
"""Leaves enough to answer within three seconds on a machine that is busy with other work too."""

TELEGRAM_SECONDS = 5
"""For everything that one request asks of Telegram or the relay; the store's time starts afterwards."""

_NEVER = float("inf")

_request = threading.local()


def start(seconds: float = SECONDS) -> None:
    """Begin a request in this thread, or the next part of one, which may take `seconds`."""
    _request.ends_at = time.monotonic() + seconds


def remaining() -> float:
    """Seconds left, never below 0."""
    ends_at: float = getattr(_request, "ends_at", _NEVER)
    return max(0.0, ends_at - time.monotonic())


def stop() -> None:
    """The request is over; what its thread does next does not count."""
    _request.ends_at = _NEVER


@contextmanager
def request() -> Iterator[None]:
    """A request of its own; inside another one it is part of that one and shares its time."""
    if remaining() != _NEVER:
        yield
        return
    start()
    try:
        yield
    finally:
        stop()
