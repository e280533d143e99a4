"""Logging in: from a proof to one session, whatever happens on the way."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from math import inf

from .. import budget, log
from ..errors import InvalidSession, LoginStale, NotAllowed, RateLimited, StoreUnavailable
from ..store.base import Unanswered
from ..user import Proof, TelegramUser, Transport
from .base import PROOF, SESSION, Session, Sessions
from .record import Record
from .revocation import ENDED, Revocation, ended_at
from .token import Claims, derived_slot, is_mini_app, random_n, random_slot

_PER_MINUTE = 60
_ROUNDED = 2
"""Seconds by which the store's times, which are whole, can make a last use look later than it was."""


class Creation(Sessions):
    """The part of `SessionService` that makes sessions."""

    def create_session(
        self,
        user: TelegramUser,
        proof: Proof,
        *,
        transport: Transport,
        user_agent: str = "",
        country: str = "",
        replaces: str | None = None,
        admit: Callable[[], None] | None = None,
    ) -> Session:
        """Log `user` in with what `proof` showed, and end the session of the token `replaces`.

        `admit` is called where nothing that is known here speaks against the login, and raises what does.
        A one-time proof works once; another kind leads to the session it led to before, while that lives.
        Raises `LoginStale` for a proof that was used, revoked or ended, `NotAllowed` for a user whom the
        settings keep out, `RateLimited` for initData that comes again and again.
        """
        if not self.settings.permits(user.id):
            raise NotAllowed("kept out by TELEGRAM_ALLOW or TELEGRAM_DENY", told={"user": user.who()})
        self._limit(proof, transport)
        if admit:
            admit()
        record = Record(
            user,
            int(self.now()),
            proof.method,
            transport,
            user_agent,
            country,
            proof_at=proof.issued_at,
            n=random_n(),
        )
        if self._issuer.degraded:
            record = record.shortened()
        slot, live = self._put(record, proof)
        try:
            self._end_surplus(user.id, live, slot, replaces)
        except StoreUnavailable as problem:
            # The login has succeeded, and its proof works no second time.
            log.event("surplus_sessions_left", level="error", reason=problem.reason)
        return self._session(slot, live[slot], self._issuer.issue(slot, live[slot]))

    def _limit(self, proof: Proof, transport: Transport) -> None:
        """What this process already knows of the proof costs no command."""
        if self._spent.knows(_name(proof, transport)):
            raise LoginStale("proof already used or ended, and still remembered here")
        if not proof.one_time and self._spent.count(f"times|{_marker(proof)}", 60) > _PER_MINUTE:
            raise RateLimited("one initData over 60 times a minute")

    def _put(self, record: Record, proof: Proof) -> tuple[str, dict[str, Record]]:
        """Store the session and give its slot, which may be an older one's, among all the user's live ones.

        A second attempt, where it is not known what became of the first, has a slot and an `n` of its own:
        the proof's marker then tells which of them won.
        """
        user_id, ours = record.user.id, set[str]()
        for last in (False, True):
            attempt = record._replace(n=random_n())
            ours.add(attempt.n)
            slot, *elsewhere = slots(proof, record.transport)
            try:
                created, held = self._attempt(slot, attempt, proof)
            except Unanswered:
                if last or not budget.remaining():
                    raise
                continue
            live = self._live(held, user_id)
            if proof.one_time:
                self._spent.remember(_name(proof, record.transport), proof.window)
                slot = held.get(PROOF + _marker(proof), slot)
                if not created and (slot not in live or live[slot].n not in ours):
                    raise LoginStale("proof already used")
            if _is_over(proof, (slot, *elsewhere), live.get(slot), ours, held):
                self.store.delete(self._key(user_id), SESSION + slot)
                self._spent.remember(_name(proof, record.transport), proof.window)
                raise LoginStale("the session of this initData, or all sessions, were ended since")
            if slot in live:
                return slot, live
            # What is there is past its absolute lifetime, or no record: it makes room for a new session.
            self.store.delete(self._key(user_id), SESSION + slot)
        raise StoreUnavailable("the new session is not in the store; turn eviction off")

    def _attempt(self, slot: str, record: Record, proof: Proof) -> tuple[bool, dict[str, str]]:
        fields = {SESSION + slot: record.dump()}
        if proof.one_time:
            fields[PROOF + _marker(proof)] = slot
        return self.store.create(
            self._key(record.user.id),
            fields,
            window=proof.window,
            renew=SESSION + slot,
            ttl=self._issuer.idle(slot),
        )

    def _end_surplus(self, user_id: int, live: Mapping[str, Record], new: str, replaces: str | None) -> None:
        """End the session that was presented at the login, and those over the limit used longest ago.

        A Mini App makes room for a Mini App (MINI_APP_LIMIT), and all others for each other (SESSION_LIMIT).
        """
        surplus = set[str]()
        presented = self._presented(replaces)
        if replaces and presented and presented.user_id != user_id:
            self.drop_session(replaces)
        elif replaces and presented and presented.slot != new:
            self._issuer.bury(presented.n, presented.issued_at)
            if presented.slot in live and live[presented.slot].n == presented.n:
                surplus.add(presented.slot)
                self._forget(replaces)
        kind = is_mini_app(new)
        limit = self.settings.mini_app_limit if kind else self.settings.session_limit
        stay = [slot for slot in live.keys() - surplus - {new} if is_mini_app(slot) == kind]
        if (over := len(stay) + 1 - limit) > 0:
            last_uses = self._last_uses(user_id, live, stay)
            surplus.update(
                sorted(stay, key=lambda slot: (last_uses[slot], live[slot].created_at, slot))[:over]
            )
        for slot in surplus:
            self._issuer.bury(live[slot].n, live[slot].created_at)
        if surplus:
            self.store.delete(self._key(user_id), *(SESSION + slot for slot in surplus))

    def _last_uses(self, user_id: int, live: Mapping[str, Record], slots: list[str]) -> dict[str, int]:
        """When each of these sessions was used last (Unix seconds), told by the time that it has left.

        One that looks as if it was not used since its login has the time of that: logins at the same moment
        must agree on the order, or together they would end more than is too much.
        """
        now = int(self.now())
        left = self.store.remaining(self._key(user_id), *(SESSION + slot for slot in slots))

        def last_use(slot: str, seconds: int) -> int:
            made_at = live[slot].created_at
            used_at = now - self._issuer.idle(slot) + seconds
            # A time to live over today's was set before the setting was lowered, and tells nothing.
            return used_at if made_at + _ROUNDED < used_at <= now + _ROUNDED else made_at

        return {slot: last_use(slot, seconds) for slot, seconds in zip(slots, left, strict=True)}

    def _presented(self, token: str | None) -> Claims | None:
        try:
            return self._issuer.open(token, self.now())[0] if token else None
        except InvalidSession:
            return None


def _is_over(
    proof: Proof, places: Sequence[str], record: Record | None, ours: set[str], held: Mapping[str, str]
) -> bool:
    """Whether what the proof began, in one of these slots, was ended, so that it may begin nothing more.

    `record` is what it leads to, in the first of them. A record that we did not just write either was there
    before the end, or was left by a login that was refused and whose clean-up did not reach the store.
    """
    began = record.created_at if record is not None and record.n not in ours else inf
    marks = {slot: held[ENDED + slot] for slot in places if ENDED + slot in held}
    # Ending replaces the record, so one beside its own mark is a leftover, whatever clocks say.
    ended = any(slot == places[0] or began >= ended_at(mark) for slot, mark in marks.items())
    revocation = Revocation.among(held)
    kept = record is not None and record.n == revocation.kept
    return ended or (revocation.at >= proof.issued_at and not kept)


def slots(proof: Proof, transport: Transport) -> list[str]:
    """Where the session of `proof` goes, and then where else one may be that the proof began.

    A proof that works once gets a new place; one that comes again always leads to the same, and it may have
    been presented for the other transport, too.
    """
    if proof.one_time:
        return [random_slot(transport)]
    other: Transport = "bearer" if transport == "cookie" else "cookie"
    return [derived_slot(way, proof.check_string) for way in (transport, other)]


def _name(proof: Proof, transport: Transport) -> str:
    """What a used or ended proof is remembered by; initData has a session of its own for each transport."""
    return _marker(proof) if proof.one_time else f"{transport}|{_marker(proof)}"


def _marker(proof: Proof) -> str:
    """A proof's name in the store: enough of SHA-256 that nobody finds a second proof with the same one."""
    digest = hashlib.sha256(proof.check_string.encode()).digest()[:16]
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
