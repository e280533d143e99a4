"""How a preview deployment, whose host Telegram does not know, lets people log in through production.

The preview sends the browser to production with a ticket. Production asks the user and sends the browser back
with a code, which the preview redeems from server to server, with the verifier that only it can derive. A
ticket is signed with AUTH_RELAY_SECRET, which both know; a code with a key that only production has.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Self

from ..clock import CLOCK_SKEW
from ..errors import InvalidGrant
from ..keys import SIGNATURE, Signer, hkdf, keys_of
from ..settings import Settings
from ..settings.hosts import LOOPBACK
from ..telegram.transaction import Transaction
from .hosts import is_listed

TICKET_SECONDS = 600
CODE_SECONDS = 60
"""Seconds for which it is valid after being signed."""

_FORM = re.compile(
    rf"([a-z0-9.-]{{1,253}}(?::[0-9]{{1,5}})?)~([A-Za-z0-9_-]{{24}})~([A-Za-z0-9_-]{{43}})~([1-9][0-9]{{0,11}})"
    rf"\.{SIGNATURE}"
)


@dataclass(frozen=True, slots=True)
class Ticket:
    """The host that asks, its transaction's state and challenge, and when that was (Unix seconds)."""

    host: str
    state: str
    challenge: str
    issued_at: int

    @property
    def origin(self) -> str:
        """The preview's origin: https, except for hosts on this machine."""
        return f"{'http' if LOOPBACK.fullmatch(self.host) else 'https'}://{self.host}"

    def answers_challenge(self, verifier: str) -> bool:
        """Whether `verifier` is the one that the preview made the challenge from (RFC 7636 §4.6, S256)."""
        digest = hashlib.sha256(verifier.encode()).digest()
        made = urlsafe_b64encode(digest).rstrip(b"=")
        return hmac.compare_digest(made, self.challenge.encode())

    def sign(self, by: Signer) -> str:
        """The ticket as text that needs no encoding in a URL."""
        return by.sign(f"{self.host}~{self.state}~{self.challenge}~{self.issued_at}")

    @classmethod
    def read(cls, text: str, by: Signer, *, now: float, lifetime: int) -> Self:
        """The ticket that was signed; raises `InvalidGrant` for anything else."""
        match = _FORM.fullmatch(text)
        if not match or by.unsign(text) is None:
            raise InvalidGrant("malformed, or signed with another secret")
        ticket = cls(match[1], match[2], match[3], int(match[4]))
        if not -CLOCK_SKEW <= now - ticket.issued_at < lifetime:
            raise InvalidGrant("expired")
        return ticket


def address(settings: Settings, transaction: Transaction, origin: str) -> str:
    """Where a preview sends the browser to log in."""
    host = origin.partition("://")[2]
    ticket = Ticket(host, transaction.state, transaction.challenge, transaction.started_at)
    return f"{settings.require_relay_url()}/telegram/relay?ticket={ticket.sign(_ticket_signer(settings))}"


def read_ticket(text: str, settings: Settings, *, now: float) -> Ticket:
    """The ticket of a preview that may log people in through this deployment.

    Raises `InvalidGrant`, and `Misconfigured` where AUTH_RELAY_HOSTS lets strangers in.
    """
    ticket = Ticket.read(text, _ticket_signer(settings), now=now, lifetime=TICKET_SECONDS)
    if not is_listed(ticket.host, settings.relay_hosts):
        raise InvalidGrant("the host is not in AUTH_RELAY_HOSTS")
    return ticket


def code_for(ticket: Ticket, settings: Settings, *, now: float) -> str:
    """The code that the preview can redeem, once, if it has the verifier."""
    code = Ticket(ticket.host, ticket.state, ticket.challenge, int(now))
    return code.sign(keys_of(settings).relay_code)


def read_code(code: str, *, host: str, verifier: str, settings: Settings, now: float) -> Ticket:
    """The ticket in a code that `host` redeems; raises `InvalidGrant`."""
    ticket = Ticket.read(code, keys_of(settings).relay_code, now=now, lifetime=CODE_SECONDS)
    if ticket.host != host:
        raise InvalidGrant("the code was issued to another host")
    if not ticket.answers_challenge(verifier):
        raise InvalidGrant("the verifier does not match")
    return ticket


def _ticket_signer(settings: Settings) -> Signer:
    return Signer(hkdf((settings.relay_secret or "").encode(), b"tgauth/1\0relay ticket"))
