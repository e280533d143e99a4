"""Where somebody is logged in, and ending that from one of their devices.

Everything here is asked with a token, and done only while that token's own session lives.
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


class Devices(Sessions):
    """The part of `SessionService` that looks after a user's other sessions."""

    def list_sessions(
        self, token: str, transport: Transport | None = None, *, renew: bool = True
    ) -> list[Device]:
        """The sessions of the user whose token this is, newest first; raises `InvalidSession`."""
        claims, held = self._show(token, transport, renew=renew)
        live = self._live(held, claims.user_id)
        slots = sorted(live, key=lambda slot: (live[slot].created_at, slot), reverse=True)
        left = self.store.remaining(self._key(claims.user_id), *(SESSION + slot for slot in slots))
        return [
            self._device(slot, live[slot], seconds, current=slot == claims.slot)
            for slot, seconds in zip(slots, left, strict=True)
        ]

    def require_user(self, token: str, user_id: int) -> None:
        """Raises `InvalidSession` unless the token is this user's; whether it opens anything is not asked."""
        claims, _ = self._issuer.open(token, self.now())
        if claims.user_id != user_id:
            raise InvalidSession("another user than the one whose sessions were shown")

    def end_session(self, token: str, slot: str, transport: Transport | None = None) -> bool:
        """End a session of the same user and say whether there was one; raises `InvalidSession`."""
        claims, held = self._show(token, transport, ends=True)
        if slot not in self._live(held, claims.user_id):
            return False
        self._end(claims.user_id, slot)
        if slot == claims.slot:
            self._forget(token)
        return True

    def revoke_sessions(
        self, token: str, transport: Transport | None = None, *, keep_current: bool = False
    ) -> None:
        """End all sessions of the user, or all others; no proof from before makes one again.

        Raises `InvalidSession`.
        """
        claims, held = self._show(token, transport, ends=True)
        key, kept = self._key(claims.user_id), SESSION + claims.slot if keep_current else ""
        proofs = [record.proof_at for record in self._live(held, claims.user_id).values()]
        at = max(int(self.now()), Revocation.among(held).at, *proofs)
        revocation = Revocation(at, claims.n if keep_current else "")

        def doomed(fields: Mapping[str, str]) -> list[str]:
            return [name for name in fields if name.startswith(SESSION) and name != kept]

        left = self.store.revoke(
            key, *doomed(held), mark=REVOKED, value=revocation.dump(), window=REVOKED_SECONDS
        )
        # A login that slipped in between has not seen the mark.
        if late := doomed(left):
            self.store.delete(key, *late)
        if not keep_current:
            self._forget(token)

    def _show(
        self, token: str, transport: Transport | None, *, renew: bool = True, ends: bool = False
    ) -> tuple[Claims, dict[str, str]]:
        """Everything the user's key holds, if the token's own session lives; `ends` is for what ends others.

        Raises `InvalidSession`, and then `SharedStoreRequired` where those could not be reached.
        """
        claims, carried = self._open(token, transport)
        if ends:
            self.require_shared_store()
        key, field = self._key(claims.user_id), SESSION + claims.slot
        idle = self._issuer.idle(claims.slot)
        text, held = self.store.show(key, field, idle if renew else None)
        if not renew and carried is None and self._matching(claims, text) is None:
            # What only reads may come from a replica that lags, so the primary has the last word.
            text, held = self.store.show(key, field, idle)
        record = self._record(token, claims, carried, text)
        return claims, held | {SESSION + claims.slot: record.dump()}

    def _device(self, slot: str, record: Record, seconds: int, *, current: bool) -> Device:
        now, idle = int(self.now()), self._issuer.idle(slot)
        if seconds < 0:
            # A replica that lags has not seen it yet, or it ended just now; the primary had it a moment ago.
            seconds = max(0, record.created_at + idle - now)
        return Device(
            id=slot,
            created_at=record.created_at,
            last_seen=max(record.created_at, min(now, now - (idle - seconds))),
            expires_at=min(now + seconds, self._issuer.ends_at(slot, record.created_at)),
            method=record.method,
            user_agent=record.user_agent,
            country=record.country,
            current=current,
        )
