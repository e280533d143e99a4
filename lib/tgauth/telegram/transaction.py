"""A login begun in one browser, kept in its cookie until Telegram sends the browser back.

The cookie is signed, so nothing is stored for a login that nobody finishes. It holds no secret either: PKCE's
verifier and the nonce are derived from the state with a key that stays here.

Sources: RFC 9700 §2.1 and §4.7 (state), RFC 7636 §4 (PKCE), OpenID Connect Core §3.1.2.1 (nonce).
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

from ..clock import CLOCK_SKEW
from ..keys import SIGNATURE, keys_of
from ..settings import Settings
from ..user import Proof

LIFETIME = 600
"""Seconds from the start of a login to its end."""

FINISHED_LIFETIME = 60
"""Seconds for which a browser remembers where a finished login led."""

FINISHED = "done."
"""What the cookie of a finished login begins with."""

_STATE_BYTES = 18
_FORM = re.compile(rf"([A-Za-z0-9_-]{{24}})\.([1-9][0-9]{{0,11}})\.(/[A-Za-z0-9._~/?=&+:%-]*)\.{SIGNATURE}")


@dataclass(frozen=True, slots=True)
class Transaction:
    """`state` names it, `started_at` is Unix seconds, `return_to` the path to go to when it is done."""

    state: str
    started_at: int
    return_to: str
    _secret: bytes = field(repr=False)

    @property
    def verifier(self) -> str:
        """PKCE's code verifier, 43 characters."""
        return self._derive("verifier")

    @property
    def challenge(self) -> str:
        """PKCE's code challenge, S256."""
        return _base64url(hashlib.sha256(self.verifier.encode()).digest())

    @property
    def nonce(self) -> str:
        """What an id_token made for this login carries; needs no encoding in a URL."""
        return self._derive("nonce")

    @property
    def proof(self) -> Proof:
        """The proof that a login by code is remembered by; it counts from the time the login began."""
        window = LIFETIME + 2 * CLOCK_SKEW
        return Proof("oidc", f"state={self.state}", self.started_at, window, one_time=True)

    def _derive(self, purpose: str) -> str:
        return _base64url(hmac.digest(self._secret, f"{purpose}|{self.state}".encode(), "sha256"))


def begin(settings: Settings, *, return_to: str, now: float) -> tuple[Transaction, str]:
    """A new transaction, and its cookie's value."""
    keys, state = keys_of(settings), _base64url(secrets.token_bytes(_STATE_BYTES))
    transaction = Transaction(state, int(now), return_to, keys.transaction_secrets[0])
    value = f"{transaction.state}.{transaction.started_at}.{return_to}"
    return transaction, keys.transaction.sign(value)


def resume(value: str, settings: Settings, *, now: float) -> Transaction | None:
    """The transaction in a cookie; None if it has expired, or was not begun here."""
    match = _FORM.fullmatch(value)
    if not match:
        return None
    state, started_at, return_to = match[1], int(match[2]), match[3]
    if not -CLOCK_SKEW <= now - started_at < LIFETIME:
        return None
    keys = keys_of(settings)
    if (signed := keys.transaction.unsign(value)) is None:
        return None
    return Transaction(state, started_at, return_to, keys.transaction_secrets[signed.key])


def finish(transaction: Transaction, settings: Settings, *, answer: str, now: float) -> str:
    """The cookie's value once Telegram's `answer`, a query, has finished the login: it says where that led.

    It is signed together with the answer, since a different one may be for another account, and with a
    separate key, so that it cannot finish a login.
    """
    value = f"{transaction.state}.{int(now)}.{transaction.return_to}"
    signed = keys_of(settings).finished_transaction.sign(f"{value}\n{answer}")
    return f"{FINISHED}{value}.{signed.rpartition('.')[2]}"


def read_finished(value: str, settings: Settings, *, answer: str, now: float) -> tuple[str, str] | None:
    """State and `return_to` of the login in a cookie if this `answer` finished it; None otherwise."""
    match = _FORM.fullmatch(value, len(FINISHED)) if value.startswith(FINISHED) else None
    if not match or not -CLOCK_SKEW <= now - int(match[2]) < FINISHED_LIFETIME:
        return None
    text, _, signature = match[0].rpartition(".")
    signed = f"{text}\n{answer}.{signature}"
    return (match[1], match[3]) if keys_of(settings).finished_transaction.unsign(signed) else None


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
