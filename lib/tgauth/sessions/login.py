"""Logging in: from a proof to one session, whatever happens on the way.

`refuse_known` and then `log_in`, which writes the session with one transaction, looks at what the user's key
then holds, and makes room for it.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from math import inf

from .. import budget, log
from ..errors import InvalidSession, LoginStale, NotAllowed, RateLimited, StoreUnavailable
from ..store.base import Unanswered
from ..user import Proof, TelegramUser, Transport
from .base import SESSION, Session, Sessions
from .record import Record
from .revocation import ENDED, Revocation, ended_at
from .token import Claims, derived_slot, is_mini_app, random_n, random_slot

PROOF = "p:"
"""Field that says which slot a one-time proof made."""

_PER_MINUTE = 60
_ROUNDED = 2
"""Seconds by which the store's times, which are whole, can make a last use look later than it was."""


def refuse_known(sessions: Sessions, user: TelegramUser, proof: Proof, transport: Transport) -> None:
    """Refuse, at no command, what this process knows enough of.

    Raises `NotAllowed` for a user whom the settings keep out, `LoginStale` for a proof that was used or
    ended, `RateLimited` for initData that comes again and again.
    """
    if not sessions.settings.permits(user.id):
        raise NotAllowed("kept out by TELEGRAM_ALLOW or TELEGRAM_DENY", told={"user": user.who()})
    if sessions.used.knows(_name(proof, transport)):
        raise LoginStale("proof already used or ended, and still remembered here")
    if not proof.one_time and sessions.repeats.count(_marker(proof), 60) > _PER_MINUTE:
        raise RateLimited("one initData over 60 times a minute")


def log_in(
    sessions: Sessions,
    user: TelegramUser,
    proof: Proof,
    *,
    transport: Transport,
    user_agent: str = "",
    country: str = "",
    replaces: str | None = None,
) -> Session:
    """Make the session of `user`, whom `refuse_known` let pass, and end the session of the token `replaces`.

    A one-time proof works once; another kind leads to the session it led to before, while that lives. Raises
    `LoginStale` for a proof that was used, or from before the user's sessions were revoked or ended.
    """
    record = Record(
        user=user,
        created_at=int(sessions.now()),
        method=proof.method,
        transport=transport,
        user_agent=user_agent,
        country=country,
        proof_at=proof.issued_at,
        n=random_n(),
    )
    if sessions.issuer.degraded:
        record = record.shortened()
    slot, live = _settle(sessions, record, proof)
    try:
        _make_room(sessions, user.id, live, slot, replaces)
    except StoreUnavailable as problem:
        # The login has succeeded, and its proof works no second time.
        log.event("surplus_sessions_left", level="error", reason=problem.reason)
    return sessions.session(slot, live[slot], sessions.issuer.issue(slot, live[slot]))


def _settle(sessions: Sessions, record: Record, proof: Proof) -> tuple[str, dict[str, Record]]:
    """Write the session; returns the slot that the login ended up in, and all live sessions of the user.

    It may be an older session's slot, where initData comes again. There is a second attempt, with an `n` of
    its own, if no answer came, since the first may have taken effect or not, and if what stood in the slot
    was dead. Which attempt won is told by a one-time proof's marker, and by the `n` for initData.
    """
    user_id, ours = record.user.id, set[str]()
    for is_last in (False, True):
        written = record._replace(n=random_n())
        ours.add(written.n)
        slot = _slot(proof, record.transport)
        try:
            created, held = _write(sessions, slot, written, proof)
        except Unanswered:
            if is_last or not budget.remaining():
                raise
            continue
        live = sessions.live(held, user_id)
        if proof.one_time:
            sessions.used.remember(_name(proof, record.transport), 1, proof.window)
            slot = held.get(PROOF + _marker(proof), slot)
            if not created and (slot not in live or live[slot].n not in ours):
                raise LoginStale("proof already used")
        found = live.get(slot)
        if _ended_or_revoked(slot, proof, record.transport, held, found, ours):
            sessions.store.delete(sessions.key(user_id), SESSION + slot)
            sessions.used.remember(_name(proof, record.transport), 1, proof.window)
            raise LoginStale("the session of this initData, or all sessions, were ended since")
        if found:
            return slot, live
        # What is there is past its absolute lifetime, or not a record: it makes room for a new session.
        sessions.store.delete(sessions.key(user_id), SESSION + slot)
    raise StoreUnavailable("the new session is not in the store; turn eviction off")


def _slot(proof: Proof, transport: Transport) -> str:
    """A new place for a one-time proof; for initData always the same one, for each transport."""
    return random_slot(transport) if proof.one_time else derived_slot(transport, proof.check_string)


def _write(sessions: Sessions, slot: str, record: Record, proof: Proof) -> tuple[bool, dict[str, str]]:
    """One transaction: whether the slot and the proof were free, and all that the user's key then holds."""
    fields = {SESSION + slot: record.dump()}
    if proof.one_time:
        fields[PROOF + _marker(proof)] = slot
    return sessions.store.create(
        sessions.key(record.user.id),
        fields,
        window=proof.window,
        renew=SESSION + slot,
        ttl=sessions.issuer.idle(slot),
    )


def _ended_or_revoked(
    slot: str,
    proof: Proof,
    transport: Transport,
    held: Mapping[str, str],
    record: Record | None,
    ours: set[str],
) -> bool:
    """Whether what the proof began was ended or revoked, so that it may begin nothing more.

    `record` is what stands in `slot`. If its `n` is not one of `ours`, an earlier login wrote it: one from
    before the end, or one that was refused and whose clean-up did not reach the store.
    """
    # Ending replaces the record, so one beside its own mark is a leftover, whatever clocks say.
    if ENDED + slot in held:
        return True
    if not proof.one_time:
        # The same initData may also have been presented for the other transport, and ended there.
        other = held.get(ENDED + _slot(proof, "bearer" if transport == "cookie" else "cookie"))
        began_at = record.created_at if record and record.n not in ours else inf
        if other is not None and began_at >= ended_at(other):
            return True
    revocation = Revocation.among(held)
    is_kept = record is not None and record.n == revocation.kept
    return revocation.at >= proof.issued_at and not is_kept


def _make_room(
    sessions: Sessions, user_id: int, live: Mapping[str, Record], new: str, replaces: str | None
) -> None:
    """End the session that was presented at the login, and those over the limit used longest ago.

    A Mini App makes room for a Mini App (MINI_APP_LIMIT), and all others for each other (SESSION_LIMIT).
    """
    surplus = set[str]()
    presented = _claims_of(sessions, replaces)
    if replaces and presented and presented.user_id != user_id:
        sessions.end_session_alone(replaces)
    elif replaces and presented and presented.slot != new:
        sessions.issuer.remember_end(presented.n, presented.issued_at)
        if presented.slot in live and live[presented.slot].n == presented.n:
            surplus.add(presented.slot)
            sessions.remember_ended(replaces)
    kind = is_mini_app(new)
    limit = sessions.settings.mini_app_limit if kind else sessions.settings.session_limit
    stay = [slot for slot in live.keys() - surplus - {new} if is_mini_app(slot) == kind]
    if (over := len(stay) + 1 - limit) > 0:
        last_uses = _last_uses(sessions, user_id, live, stay)
        surplus.update(sorted(stay, key=lambda slot: (last_uses[slot], live[slot].created_at, slot))[:over])
    for slot in surplus:
        sessions.issuer.remember_end(live[slot].n, live[slot].created_at)
    if surplus:
        sessions.store.delete(sessions.key(user_id), *(SESSION + slot for slot in surplus))


def _last_uses(
    sessions: Sessions, user_id: int, live: Mapping[str, Record], slots: list[str]
) -> dict[str, int]:
    """When each of these sessions was used last (Unix seconds), told by the time that it has left.

    One that looks as if it was not used since its login has the time of that: logins at the same moment must
    agree on the order, or together they would end more than the surplus.
    """
    now = int(sessions.now())
    left = sessions.store.remaining(sessions.key(user_id), *(SESSION + slot for slot in slots))

    def last_use(slot: str, seconds: int) -> int:
        made_at = live[slot].created_at
        used_at = now - sessions.issuer.idle(slot) + seconds
        # A time to live over today's was set before the setting was lowered, and tells nothing.
        return used_at if made_at + _ROUNDED < used_at <= now + _ROUNDED else made_at

    return {slot: last_use(slot, seconds) for slot, seconds in zip(slots, left, strict=True)}


def _claims_of(sessions: Sessions, token: str | None) -> Claims | None:
    try:
        return sessions.issuer.open(token, sessions.now())[0] if token else None
    except InvalidSession:
        return None


def _name(proof: Proof, transport: Transport) -> str:
    """What a used or ended proof is remembered by; initData has a session of its own for each transport."""
    return _marker(proof) if proof.one_time else f"{transport}|{_marker(proof)}"


def _marker(proof: Proof) -> str:
    """A proof's name in the store: enough of SHA-256 that nobody finds a second proof with the same one."""
    digest = hashlib.sha256(proof.check_string.encode()).digest()[:16]
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
