"""Where somebody is logged in, and ending that from one of their devices.

Each function takes a token, and does its work only while that token's own session lives.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ..errors import InvalidSession
from ..user import Method, Transport
from .base import SESSION, Sessions
from .record import Record
from .revocation import REVOKED, REVOKED_SECONDS, Revocation
from .token import Claims


class Device(NamedTuple):
    """One session as its owner sees it in a list; times are Unix seconds."""

    id: str
    created_at: int
    last_seen: int
    expires_at: int
    method: Method
    user_agent: str
    country: str
    current: bool


def list_sessions(
    sessions: Sessions, token: str, transport: Transport | None = None, *, renew: bool = True
) -> list[Device]:
    """The sessions of the user whose token this is, newest first; raises `InvalidSession`."""
    claims, held = _show(sessions, token, transport, renew=renew)
    live = sessions.live(held, claims.user_id)
    slots = sorted(live, key=lambda slot: (live[slot].created_at, slot), reverse=True)
    left = sessions.store.remaining(sessions.key(claims.user_id), *(SESSION + slot for slot in slots))
    return [
        _device(sessions, slot, live[slot], seconds, current=slot == claims.slot)
        for slot, seconds in zip(slots, left, strict=True)
    ]


def require_user(sessions: Sessions, token: str, user_id: int) -> None:
    """Raises `InvalidSession` unless the token is this user's; does not check whether its session lives."""
    claims, _ = sessions.issuer.open(token, sessions.now())
    if claims.user_id != user_id:
        raise InvalidSession("another user than the one whose sessions were shown")


def end_session(sessions: Sessions, token: str, slot: str, transport: Transport | None = None) -> bool:
    """End a session of the same user and say whether there was one; raises `InvalidSession`."""
    claims, held = _show(sessions, token, transport, ends=True)
    if slot not in sessions.live(held, claims.user_id):
        return False
    sessions.end_slot(claims.user_id, slot)
    if slot == claims.slot:
        sessions.remember_ended(token)
    return True


def revoke_sessions(
    sessions: Sessions, token: str, transport: Transport | None = None, *, keep_current: bool = False
) -> None:
    """End all sessions of the user, or all others; no proof from before makes one again.

    Raises `InvalidSession`.
    """
    claims, held = _show(sessions, token, transport, ends=True)
    key, kept = sessions.key(claims.user_id), SESSION + claims.slot if keep_current else ""
    proofs = [record.proof_at for record in sessions.live(held, claims.user_id).values()]
    at = max(int(sessions.now()), Revocation.among(held).at, *proofs)
    revocation = Revocation(at, claims.n if keep_current else "")

    def doomed(fields: Mapping[str, str]) -> list[str]:
        return [name for name in fields if name.startswith(SESSION) and name != kept]

    left = sessions.store.revoke(
        key, *doomed(held), mark=REVOKED, value=revocation.dump(), window=REVOKED_SECONDS
    )
    # A login that slipped in between has not seen the mark.
    if late := doomed(left):
        sessions.store.delete(key, *late)
    if not keep_current:
        sessions.remember_ended(token)


def _show(
    sessions: Sessions,
    token: str,
    transport: Transport | None,
    *,
    renew: bool = True,
    ends: bool = False,
) -> tuple[Claims, dict[str, str]]:
    """All that the user's key holds, if the token's own session lives; `ends`: the caller will end some.

    Raises `InvalidSession`, and then `SharedStoreRequired` where other sessions could not be reached.
    """
    claims, carried = sessions.open(token, transport)
    if ends:
        sessions.require_shared_store()
    key, field = sessions.key(claims.user_id), SESSION + claims.slot
    idle = sessions.issuer.idle(claims.slot)
    text, held = sessions.store.show(key, field, idle if renew else None)
    if not renew and carried is None and sessions.matching(claims, text) is None:
        # A replica that lags may have answered, so the primary has the last word.
        text, held = sessions.store.show(key, field, idle)
    record = sessions.record(token, claims, carried, text)
    return claims, held | {SESSION + claims.slot: record.dump()}


def _device(sessions: Sessions, slot: str, record: Record, seconds: int, *, current: bool) -> Device:
    now, idle = int(sessions.now()), sessions.issuer.idle(slot)
    if seconds < 0:
        # A replica that lags has not seen it yet, or it ended just now; the primary had it a moment ago.
        seconds = max(0, record.created_at + idle - now)
    return Device(
        id=slot,
        created_at=record.created_at,
        last_seen=max(record.created_at, min(now, now - (idle - seconds))),
        expires_at=min(now + seconds, sessions.issuer.ends_at(slot, record.created_at)),
        method=record.method,
        user_agent=record.user_agent,
        country=record.country,
        current=current,
    )
