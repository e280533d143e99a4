"""The logins that this browser began: one cookie each, so that tabs do not disturb one another.

A cookie's name is `__Host-tgauth-tx-` and the first 8 characters of the state; the newest three are kept. A
finished login's cookie says for a minute where it led, because browsers request some addresses twice.
"""

import hashlib
import hmac
import re

from ..errors import LoginRejected
from ..telegram import transaction as transactions
from ..telegram.transaction import FINISHED, FINISHED_LIFETIME, LIFETIME, Transaction
from .cookies import cookie_name, read_cookies, set_cookie
from .request import Request
from .response import checked

_KEPT = 3
# If a browser holds many stale login cookies, remove only a few per response: headers have limits.
_REMOVED = 10
_NAME = re.compile(r"[A-Za-z0-9_-]{8}")


def begin_transaction(request: Request, *, return_to: str) -> Transaction:
    """Begin a login in this browser; expired logins, and the oldest over the limit, make way.

    No cookie is set on a host that Telegram does not send browsers back to.
    """
    now = request.service.now()
    transaction, value = transactions.begin(request.settings, return_to=return_to, now=now)
    if not request.on_own_origin:
        return transaction
    # Among logins begun in the same second, the cookie listed last is the newest (RFC 6265bis §5.8.3).
    pending = reversed(pending_transactions(request))
    newest = sorted(pending, key=lambda other: other.started_at, reverse=True)
    kept = {_name(other.state) for other in newest[: _KEPT - 1]}
    kept |= {name for name, held in _cookies(request).items() if held.startswith(FINISHED)}
    for name in list(_cookies(request).keys() - kept)[:_REMOVED]:
        if _NAME.fullmatch(name):
            _set(request, name, "", max_age=0)
    _set(request, _name(transaction.state), value, max_age=LIFETIME)
    request.notes["event"] = "login_started"
    return transaction


def pending_transactions(request: Request) -> list[Transaction]:
    """The logins that this browser began and that have not expired."""
    now, settings = request.service.now(), request.settings
    found = (transactions.resume(value, settings, now=now) for value in _cookies(request).values())
    return [transaction for transaction in found if transaction is not None]


def find_transaction(request: Request, state: str | None) -> Transaction | None:
    """The login with this state, if this browser began it."""
    presented = (state or "").encode()
    pending = pending_transactions(request)
    return next((held for held in pending if hmac.compare_digest(held.state.encode(), presented)), None)


def take_transaction(request: Request, state: str | None) -> Transaction:
    """The login with this state, which is thereby used, whatever becomes of the request.

    Raises `LoginRejected` when this browser did not begin it, or it was used in this process before.
    """
    transaction = require_transaction(request, state)
    mark_used(request, transaction)
    return transaction


def require_transaction(request: Request, state: str | None) -> Transaction:
    """Like `find_transaction`, but raises `LoginRejected` if there is none."""
    transaction = find_transaction(request, state)
    if transaction is None:
        raise LoginRejected("state names no login that this browser began in the last 10 minutes")
    return transaction


def mark_used(request: Request, transaction: Transaction) -> None:
    """Mark this login as used in this process and remove its cookie; the second time `LoginRejected`."""
    if not request.service.used.first(f"state|{transaction.state}", LIFETIME):
        raise LoginRejected("this login has been finished already")
    _set(request, _name(transaction.state), "", max_age=0)


def keep_finished(request: Request, transaction: Transaction) -> None:
    """Let this browser remember for a minute where the login led."""
    now, settings = request.service.now(), request.settings
    value = transactions.finish(transaction, settings, answer=_answer(request), now=now)
    _set(request, _name(transaction.state), value, max_age=FINISHED_LIFETIME)


def find_finished(request: Request, state: str | None) -> str | None:
    """Where the login with this state led, if the same visit finished it here in the last minute."""
    presented = (state or "").encode()
    found = (led for held, led in _finished(request) if hmac.compare_digest(held.encode(), presented))
    return next(found, None)


def _finished(request: Request) -> list[tuple[str, str]]:
    now, settings, answer = request.service.now(), request.settings, _answer(request)
    found = (
        transactions.read_finished(value, settings, answer=answer, now=now)
        for value in _cookies(request).values()
    )
    return [finished for finished in found if finished is not None]


def _answer(request: Request) -> str:
    """Telegram's answer, verbatim."""
    query: str = request.environ.get("QUERY_STRING", "")
    return query


def visit_name(request: Request) -> str:
    """A name for a visit that finishes a login, to tell such visits apart in this process."""
    return hashlib.sha256(_answer(request).encode()).hexdigest()


def _prefix(request: Request) -> str:
    return f"{cookie_name(request.own_origin)}-tx-"


def _cookies(request: Request) -> dict[str, str]:
    return read_cookies(request.environ.get("HTTP_COOKIE", ""), _prefix(request))


def _name(state: str) -> str:
    return state[:8]


def _set(request: Request, name: str, value: str, *, max_age: int) -> None:
    name = _prefix(request) + name
    header = checked(set_cookie(name, value, max_age=max_age, origin=request.own_origin))
    others = [other for other in request.set_cookies if not other.startswith(f"{name}=")]
    request.set_cookies = [*others, header]
