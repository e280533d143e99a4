"""What all session operations share: whose session a token opens, and where a user's sessions are."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..errors import InvalidSession, Misconfigured, RateLimited, SharedStoreRequired
from ..memo import Latest, Memo
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

PROOF = "p:"
"""Field that says which slot a one-time proof made."""

_USES, _USES_SECONDS = 600, 60
"""How often a token is looked at in so many seconds; more is a flood, or a page that asks in a loop."""

_GONE_SECONDS = 60
_OUTSIDER_SECONDS = 10
_UNANSWERED_SECONDS = 60


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
    """Sessions in one store. Safe to share between threads. `clock` gives Unix seconds; tests set it."""

    def __init__(self, settings: Settings, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.store = store
        self.now = clock
        self._issuer = Issuer(settings)
        self._users = f"tgauth:{settings.environment}:{settings.bot_id}:u:"
        self._gone = Memo(clock)
        self._spent = Memo(clock)
        # Memories of their own, so that no flood pushes out which proofs were used.
        self._uses = Memo(clock)
        self.refused_codes = Memo(clock)
        self.visits = Visits[Session]()
        self.bot_problem = Latest[Misconfigured | None](None, clock)
        self._members = Memo(clock, limit=4 * 4096)
        # So that somebody who joins need not wait, and who tries again and again costs nothing.
        self._members_for: dict[Membership, int] = {
            "member": settings.require_chat_ttl,
            "outsider": _OUTSIDER_SECONDS,
            "unseen": _OUTSIDER_SECONDS,
        }

    def _open(self, token: str, transport: Transport | None) -> tuple[Claims, Record | None]:
        """What the token says, and the record it carries, as far as no command is needed to know.

        `transport` is how it came, or None where that does not matter. Raises `InvalidSession`, and
        `RateLimited` for a token that is used too often. Neither a logout nor a login asks here, so nobody
        is kept from those by whoever else has the token.
        """
        claims, carried = self._issuer.open(token, self.now())
        if transport not in (None, claims.transport):
            raise InvalidSession(f"made for {claims.transport}, presented as {transport}")
        if not self.settings.permits(claims.user_id):
            raise InvalidSession("kept out by TELEGRAM_ALLOW or TELEGRAM_DENY")
        digest = _digest(token)
        if self._gone.knows(digest) or self._issuer.buried(claims.n, self.now()):
            raise InvalidSession("ended, and still remembered here")
        if self._uses.count(digest, _USES_SECONDS) > _USES:
            raise RateLimited(f"one token was used over {_USES} times in a minute")
        return claims, carried

    def _record(self, token: str, claims: Claims, carried: Record | None, text: str | None) -> Record:
        """The record that the token was made for, `text` being what the primary has in its place.

        A degraded token brings its own along, where this process has not seen it: its signature vouches.
        """
        if record := self._matching(claims, text):
            return record
        if carried is not None:
            self._adopt(claims, carried)
            return carried
        # What is gone stays gone: a new session always has a new `n`.
        self._forget(token)
        raise InvalidSession("ended" if text is None else "ended, or superseded by the same login")

    def _matching(self, claims: Claims, text: str | None) -> Record | None:
        """The record in `text` if it is the one of this very token."""
        record = load(text, claims.user_id) if text is not None else None
        return record if record is not None and hmac.compare_digest(record.n, claims.n) else None

    def _forget(self, token: str) -> None:
        """Refuse the token for a while without asking; other instances ask."""
        self._gone.remember(_digest(token), _GONE_SECONDS)

    def _adopt(self, claims: Claims, carried: Record) -> None:
        """Take in a session that another instance made, for limits and lists."""
        key, field = self._key(claims.user_id), SESSION + claims.slot
        idle = self._issuer.idle(claims.slot)
        self.store.delete(key, field)
        _, held = self.store.create(key, {field: carried.dump()}, window=idle, renew=field, ttl=idle)
        if ENDED + claims.slot in held or self._issuer.buried(claims.n, self.now()):
            # A logout came in between, or ended the launch of this Mini App; what was just put back must not
            # look alive to the next login.
            self.store.delete(key, field)
            raise InvalidSession("ended")

    def _live(self, held: Mapping[str, str], user_id: int) -> dict[str, Record]:
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
            # What was put beside the mark of a launch that has ended is left over.
            and ENDED + slot not in held
            and now < self._issuer.ends_at(slot, record.created_at)
            and not self._issuer.buried(record.n, now)
        }

    def delete_session(self, token: str) -> bool:
        """Log `token` out, and say whether it was one of ours that this process has not seen end; idempotent.

        Where initData led to the session, that logs in no more; any token that it led to will do, also one
        whose own session has ended, but for one past its absolute lifetime.
        """
        try:
            claims, carried = self._issuer.open(token, self.now())
        except InvalidSession:
            return False
        if claims.recurs:
            known = self._gone.knows(claims.slot)
        else:
            known = self._gone.knows(_digest(token)) or self._issuer.buried(claims.n, self.now())
        if known:
            return False
        ended = self._end(claims.user_id, claims.slot)
        self._issuer.bury(claims.n, claims.issued_at)
        self._forget(token)
        if claims.recurs:
            self._gone.remember(claims.slot, _GONE_SECONDS)
        return ended or carried is not None

    def drop_session(self, token: str) -> None:
        """End the session of `token` and nothing else: the initData that led to it may lead to another."""
        try:
            claims, _ = self._issuer.open(token, self.now())
        except InvalidSession:
            return
        self.store.delete(self._key(claims.user_id), SESSION + claims.slot)
        self._issuer.bury(claims.n, claims.issued_at)
        self._forget(token)

    def _end(self, user_id: int, slot: str) -> bool:
        """End what is in `slot`, for good, and say whether there may have been something: one command."""
        key, field = self._key(user_id), SESSION + slot
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
        prefix = self._users.removesuffix("u:")
        self.store.check(f"{prefix}h:{secrets.token_urlsafe(9)}")

    def require_shared_store(self) -> None:
        """Raises `SharedStoreRequired` where one instance cannot see what another keeps."""
        if self._issuer.degraded:
            raise SharedStoreRequired("without Redis other instances cannot be reached")

    def remember_membership(self, user_id: int, membership: Membership) -> None:
        """Note what Telegram said of the user and the chat, and no longer what it said before."""
        for kind, seconds in self._members_for.items():
            self._members.remember(f"{user_id}|{kind}", seconds if kind == membership else 0)
        if membership != "unseen":
            self._members.remember(f"{user_id}|asked", self._members_for[membership])

    def known_membership(self, user_id: int) -> Membership | None:
        """What Telegram said to this process last; None when it was not asked, or too long ago."""
        return next((kind for kind in self._members_for if self._members.knows(f"{user_id}|{kind}")), None)

    def first_to_ask(self, user_id: int) -> bool:
        """Whether the caller should ask Telegram about the user: one of many at once, and without an answer
        nobody for a minute.
        """
        return self._members.first(f"{user_id}|asked", _UNANSWERED_SECONDS)

    def first_use(self, name: str, seconds: float) -> bool:
        """Whether this process sees `name` for the first time in so many seconds, at no command."""
        return self._spent.first(name, seconds)

    def _session(self, slot: str, record: Record, token: str) -> Session:
        ends_at = self._issuer.ends_at(slot, record.created_at)
        return Session(
            id=slot,
            token=token,
            user=record.user,
            method=record.method,
            transport=record.transport,
            created_at=record.created_at,
            expires_at=min(int(self.now()) + self._issuer.idle(slot), ends_at),
            ends_at=ends_at,
        )

    def _key(self, user_id: int) -> str:
        return f"{self._users}{user_id}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
