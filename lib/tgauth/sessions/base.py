"""One deployment's sessions: whose session a token opens, and where a user's sessions are kept.

Logging in is in tgauth.sessions.login, a user's other sessions in tgauth.sessions.devices: functions over the
`Sessions` here. `SessionService` is the same object with the five methods that most callers need.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..errors import InvalidSession, Misconfigured, RateLimited, SharedStoreRequired
from ..memo import Latest, Memo, Tally
from ..settings import Settings
from ..store.base import Store, StoreFull
from ..user import Membership, Method, TelegramUser, Transport
from .issuer import Issuer
from .record import Record, load
from .revocation import ENDED, REVOKED_SECONDS
from .token import SLOT, Claims, recurs
from .visits import Visits

SESSION = "s:"
"""Field of a session record, by slot."""

_USES, _USES_SECONDS = 600, 60
"""How often one token may be used in so many seconds; more is a flood, or a page that asks in a loop."""

ENDED_SECONDS = 60
"""How long one process refuses what it has seen end without asking the store."""


class Session(NamedTuple):
    """A live session. `id` is public, `token` is secret; times are Unix seconds.

    `expires_at` is when it ends if it is not used again, `ends_at` when it ends whatever happens.
    """

    id: str
    token: str
    user: TelegramUser
    method: Method
    transport: Transport
    created_at: int
    expires_at: int
    ends_at: int

    def __repr__(self) -> str:
        return f"Session(id={self.id!r}, user={self.user!r}, method={self.method!r})"


class Sessions:
    """Sessions in one store. Safe to share between threads. `clock` gives Unix seconds; tests set it.

    `used` has the proofs that this process knows to be used or ended, and the logins that it has seen finish;
    floods are counted elsewhere, so that none pushes those out. `refused_codes`, `visits`, `members`, `asked`
    and `bot_problem` are for the web layer, which has no other place that lives as long as the process.
    """

    def __init__(self, settings: Settings, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.store = store
        self.now = clock
        self.issuer = Issuer(settings)
        self.users = f"tgauth:{settings.environment}:{settings.bot_id}:u:"
        self.ended = Tally(clock)
        self.used = Tally(clock)
        self.repeats = Tally(clock)
        self.token_uses = Tally(clock)
        self.refused_codes = Tally(clock)
        self.visits = Visits[Session]()
        self.bot_problem = Latest[Misconfigured | None](None, clock)
        self.members = Memo[Membership](clock)
        self.asked = Tally(clock)

    def open(self, token: str, transport: Transport | None) -> tuple[Claims, Record | None]:
        """What the token says, and the record it carries, as far as no command is needed to know.

        `transport` is how it came, or None where that does not matter. Raises `InvalidSession`, and
        `RateLimited` for a token that is used too often. Neither logging in nor logging out calls this, so
        a flood of requests with somebody's token keeps them from neither.
        """
        claims, carried = self.issuer.open(token, self.now())
        if transport not in (None, claims.transport):
            raise InvalidSession(f"made for {claims.transport}, presented as {transport}")
        if not self.settings.permits(claims.user_id):
            raise InvalidSession("kept out by TELEGRAM_ALLOW or TELEGRAM_DENY")
        if self.knows_ended(token, claims):
            raise InvalidSession("ended, and still remembered here")
        if self.token_uses.count(_digest(token), _USES_SECONDS) > _USES:
            raise RateLimited(f"one token was used over {_USES} times in a minute")
        return claims, carried

    def record(self, token: str, claims: Claims, carried: Record | None, text: str | None) -> Record:
        """The record that the token was made for; `text` is what the primary holds in its slot.

        A token of memory mode brings its record along: an instance that has not seen it takes it in.
        """
        if record := self.matching(claims, text):
            return record
        if carried is not None:
            self._adopt(claims, carried)
            return carried
        # What has ended stays so: a new session always has a new `n`.
        self.remember_ended(token)
        raise InvalidSession("ended" if text is None else "ended, or superseded by the same login")

    def matching(self, claims: Claims, text: str | None) -> Record | None:
        """The record in `text` if it is the one of this very token."""
        record = load(text, claims.user_id) if text is not None else None
        return record if record is not None and hmac.compare_digest(record.n, claims.n) else None

    def remember_ended(self, token: str) -> None:
        """Refuse the token for a while without asking the store; other instances ask."""
        self.ended.remember(_digest(token), 1, ENDED_SECONDS)

    def knows_ended(self, token: str, claims: Claims) -> bool:
        """Whether this process has seen the token's session end."""
        return self.ended.knows(_digest(token)) or self.issuer.remembers_end(claims.n, self.now())

    def _adopt(self, claims: Claims, carried: Record) -> None:
        """Take in a session that another instance made, for limits and lists."""
        key, field = self.key(claims.user_id), SESSION + claims.slot
        idle = self.issuer.idle(claims.slot)
        self.store.delete(key, field)
        _, held = self.store.create(key, {field: carried.dump()}, window=idle, renew=field, ttl=idle)
        if ENDED + claims.slot in held or self.issuer.remembers_end(claims.n, self.now()):
            # A logout came in between, or ended the launch of this Mini App; what was just put back must not
            # look alive to the next login.
            self.store.delete(key, field)
            raise InvalidSession("ended")

    def live(self, held: Mapping[str, str], user_id: int) -> dict[str, Record]:
        """The sessions among a user's fields, by slot, without those past their absolute lifetime."""
        now = self.now()
        records = {
            name.removeprefix(SESSION): load(value, user_id)
            for name, value in held.items()
            if name.startswith(SESSION) and SLOT.fullmatch(name, len(SESSION))
        }
        return {
            slot: record
            for slot, record in records.items()
            if record
            # A record beside the mark of a launch that has ended is left over.
            and ENDED + slot not in held
            and now < self.issuer.ends_at(slot, record.created_at)
            and not self.issuer.remembers_end(record.n, now)
        }

    def end_session_alone(self, token: str) -> None:
        """End the session of `token` and nothing else: the initData that led to it may lead to another."""
        try:
            claims, _ = self.issuer.open(token, self.now())
        except InvalidSession:
            return
        self.store.delete(self.key(claims.user_id), SESSION + claims.slot)
        self.issuer.remember_end(claims.n, claims.issued_at)
        self.remember_ended(token)

    def end_slot(self, user_id: int, slot: str) -> bool:
        """End what is in `slot`, for good, and say whether there may have been something: one command."""
        key, field = self.key(user_id), SESSION + slot
        if not recurs(slot):
            return self.store.delete(key, field) > 0
        # One command: no record stands beside its mark, and what is done to the one leaves the other.
        mark = {field: "ended", ENDED + slot: str(int(self.now()))}
        try:
            self.store.put(key, mark, REVOKED_SECONDS)
        except StoreFull:
            # The session ends, and the error says that its initData was not ended with it.
            self.store.delete(key, field)
            raise
        return True

    def check(self) -> None:
        """Raise `StoreUnavailable` unless people can log in, as far as the store decides it."""
        prefix = self.users.removesuffix("u:")
        self.store.check(f"{prefix}h:{secrets.token_urlsafe(9)}")

    def require_shared_store(self) -> None:
        """Raises `SharedStoreRequired` where one instance cannot see what another keeps."""
        if self.issuer.degraded:
            raise SharedStoreRequired("without Redis other instances cannot be reached")

    def session(self, slot: str, record: Record, token: str) -> Session:
        """The live session in `slot`, as callers see it."""
        ends_at = self.issuer.ends_at(slot, record.created_at)
        return Session(
            id=slot,
            token=token,
            user=record.user,
            method=record.method,
            transport=record.transport,
            created_at=record.created_at,
            expires_at=min(int(self.now()) + self.issuer.idle(slot), ends_at),
            ends_at=ends_at,
        )

    def key(self, user_id: int) -> str:
        """The store's key of a user, which holds all their sessions."""
        return f"{self.users}{user_id}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
