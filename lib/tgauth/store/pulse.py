"""Whether a store lets people log in, told from the outcome of requests, so that /health rarely asks it."""

import threading
import time
from collections.abc import Callable

from ..errors import StoreUnavailable

_ALIVE_SECONDS = 300.0
_LOGIN_SECONDS = 3600.0
_FAILURE_SECONDS = 10.0

_LOGIN_COMMANDS = 3
_PING_COMMANDS = 1
# Together the 400 of a day. An hour's login and its eleven PINGs are 14, so that much comes back by itself.
_MOST = 64.0
_COMMANDS_A_SECOND = 336 / 86400


class Pulse:
    """The outcome of the last calls to a store. `clock` gives seconds and never goes back.

    A login that worked counts for an hour, any answer for five minutes, a failure for ten seconds. A refused
    command that is not part of a login does not count as a failure: it makes the next check try a login.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._answered = False
        self._problem: StoreUnavailable | None = None
        self._until = self._login_until = self._doubted_until = float("-inf")
        self._left, self._left_at = _MOST, clock()

    def note_success(self, *, is_login: bool = False) -> bool:
        """A call worked; `is_login` is one that writes as a login does. Says whether it was the first."""
        with self._lock:
            first, self._answered = not self._answered, True
            now = self._clock()
            # A successful read does not show that people can log in, only that the store can be reached.
            if is_login or (self._problem and self._problem.cause == "store_unreachable"):
                self._problem = None
            if is_login:
                self._login_until = now + _LOGIN_SECONDS
            if now < self._login_until:
                self._until = now + _ALIVE_SECONDS
            return first

    def note_doubt(self) -> None:
        """A call was refused that is not part of a login: the next check tries one."""
        with self._lock:
            self._login_until = float("-inf")

    def note_failure(self, problem: StoreUnavailable) -> None:
        """A call failed."""
        with self._lock:
            self._problem = problem
            self._until, self._login_until = self._clock() + _FAILURE_SECONDS, float("-inf")

    def check(self, *, login: Callable[[], object], ping: Callable[[], object]) -> None:
        """Raise `StoreUnavailable` unless people can log in.

        Where nothing recent tells, one thread at a time calls `ping` or, after a failure and once an hour,
        `login`; both note their own outcome and may raise.
        """
        with self._asking:
            self._ask(login, ping)
        with self._lock:
            problem = self._problem
        if problem:
            raise StoreUnavailable(problem.reason, cause=problem.cause)

    def _ask(self, login: Callable[[], object], ping: Callable[[], object]) -> None:
        with self._lock:
            now = self._clock()
            # Something other than a login failed: try one, but not for each of many such failures.
            in_doubt = self._problem is None and now >= self._login_until and now >= self._doubted_until
            is_due = now >= self._until or in_doubt
            self._left = min(_MOST, self._left + (now - self._left_at) * _COMMANDS_A_SECOND)
            self._left_at = now
            as_login = now >= self._login_until
            # A PING without an answer is sent again.
            if not is_due or self._left < (_LOGIN_COMMANDS if as_login else 2 * _PING_COMMANDS):
                return
            self._doubted_until = now + _FAILURE_SECONDS
        try:
            (login if as_login else ping)()
            cost = _LOGIN_COMMANDS if as_login else _PING_COMMANDS
        except StoreUnavailable as problem:
            # A command that never reached the store cost nothing, so the end of an outage is noticed at once.
            cost = (_LOGIN_COMMANDS if as_login else 2 * _PING_COMMANDS) if problem.reached else 0
        with self._lock:
            self._left -= cost
