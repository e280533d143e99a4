"""Ways to break tgauth, each of which the faults must reveal: a check that cannot fail proves nothing.

A function of these takes effect in the process that calls it.
"""

import threading
from collections.abc import Callable
from typing import Any

import lib.tgauth.http_client
import lib.tgauth.store.hashes
import lib.tgauth.store.upstash
import lib.tgauth.web.endpoint
import lib.tgauth.web.membership
from lib.tgauth.errors import Problem, StoreUnavailable, Unavailable
from lib.tgauth.sessions import login
from lib.tgauth.web.cookies import set_session_cookie


def clears_cookies() -> None:
    """Every error removes the session's cookie."""
    real = lib.tgauth.web.endpoint.problem_response

    def problem_response(problem: Problem, request: Any) -> Any:
        response = real(problem, request)
        set_session_cookie(response, "", max_age=0, origin=request.own_origin)
        return response

    lib.tgauth.web.endpoint.problem_response = problem_response


def says_no_time() -> None:
    """An error does not say when to try again."""
    real = lib.tgauth.web.endpoint.problem_response

    def problem_response(problem: Problem, request: Any) -> Any:
        response = real(problem, request)
        response.headers.pop("Retry-After", None)
        return response

    lib.tgauth.web.endpoint.problem_response = problem_response


def misses() -> None:
    """A store that fails is one where nothing is."""
    real = lib.tgauth.store.hashes.HashStore.renew

    def renew(self: Any, key: str, field: str, ttl: int) -> str | None:
        try:
            return real(self, key, field, ttl)
        except StoreUnavailable:
            return None

    lib.tgauth.store.hashes.HashStore.renew = renew


def opens_the_gate() -> None:
    """Without Telegram's answer everybody is a member."""
    real = lib.tgauth.web.membership._membership

    def membership(request: Any, user_id: int) -> Any:
        try:
            return real(request, user_id)
        except Unavailable:
            return "member"

    lib.tgauth.web.membership._membership = membership


def takes_proofs_twice() -> None:
    """A second attempt leaves another mark than the first."""
    real = login._write
    lost = threading.local()

    def write(sessions: Any, slot: str, record: Any, proof: Any) -> tuple[bool, dict[str, str]]:
        if getattr(lost, "one", False):
            proof = proof._replace(check_string=f"{proof.check_string} again")
        lost.one = True
        made = real(sessions, slot, record, proof)
        lost.one = False
        return made

    login._write = write


def forgets_what_ended() -> None:
    """What a refused login has left in the store counts as a session."""
    real = login._ended_or_revoked

    def ended_or_revoked(*what: Any) -> bool:
        *_, record, ours = what
        return (record is None or record.n in ours) and real(*what)

    login._ended_or_revoked = ended_or_revoked


def keeps_the_old_session() -> None:
    """A login ends nothing."""
    login._make_room = lambda *_: None


def says_it_worked() -> None:
    """What cannot be deleted counts as deleted."""
    real = lib.tgauth.store.hashes.HashStore.delete

    def delete(self: Any, key: str, *fields: str) -> int:
        try:
            return real(self, key, *fields)
        except StoreUnavailable:
            return len(fields)

    lib.tgauth.store.hashes.HashStore.delete = delete


def breaks_down() -> None:
    """An error of the client's is one that nobody has thought of."""

    def explain(_: Any, error: Exception) -> StoreUnavailable:
        raise RuntimeError from error

    lib.tgauth.store.upstash.UpstashStore._explain = explain


def waits() -> None:
    """The store has 4.6 seconds for an attempt, whatever the request has left."""
    lib.tgauth.store.upstash.ATTEMPT_SECONDS = 4.6
    lib.tgauth.http_client.budget.remaining = lambda: float("inf")


SABOTAGE: dict[str, Callable[[], None]] = {
    "clears-cookies": clears_cookies,
    "says-no-time": says_no_time,
    "misses": misses,
    "opens-the-gate": opens_the_gate,
    "takes-proofs-twice": takes_proofs_twice,
    "forgets-what-ended": forgets_what_ended,
    "keeps-the-old-session": keeps_the_old_session,
    "says-it-worked": says_it_worked,
    "breaks-down": breaks_down,
    "waits": waits,
}
