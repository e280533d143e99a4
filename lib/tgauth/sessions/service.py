"""SessionService: sessions made from a proof, found by a token, renewed by use, ended by a logout."""

import threading
from typing import Any

from ..errors import InvalidSession
from ..settings import get_settings
from ..store.open import open_store
from ..user import Proof, TelegramUser, Transport
from .base import ENDED_SECONDS, SESSION, Session, Sessions
from .revocation import ENDED


class SessionService(Sessions):
    """What most callers need of `Sessions`; a user's other sessions are in tgauth.sessions.devices.

    Every method raises `StoreUnavailable` when the store cannot be reached: nobody is logged out then.
    """

    def create_session(
        self,
        user: TelegramUser,
        proof: Proof,
        *,
        transport: Transport,
        user_agent: str = "",
        country: str = "",
        replaces: str | None = None,
    ) -> Session:
        """Log `user` in with what `proof` showed; raises as `login.refuse_known` and `login.log_in`."""
        # Imported only where somebody logs in: verify is the function that people wait for.
        from . import login

        login.refuse_known(self, user, proof, transport)
        return login.log_in(
            self,
            user,
            proof,
            transport=transport,
            user_agent=user_agent,
            country=country,
            replaces=replaces,
        )

    def get_session(self, token: str, transport: Transport | None = None, *, renew: bool = True) -> Session:
        """The live session of `token`; raises `InvalidSession` for anything else.

        `transport`, where given, is how the token came: one made for the other is refused. `renew` slides the
        idle expiry; without it, and with SESSION_READ=replica, nothing changes.
        """
        if not renew or self.settings.session_read == "replica":
            return self._read(token, transport)
        return self.refresh_session(token, transport)

    def refresh_session(self, token: str, transport: Transport | None = None) -> Session:
        """Renew the session of `token` for SESSION_TTL, or MINI_APP_TTL; SESSION_MAX_AGE stays.

        Raises as `get_session`.
        """
        claims, carried = self.open(token, transport)
        idle = self.issuer.idle(claims.slot)
        text = self.store.renew(self.key(claims.user_id), SESSION + claims.slot, idle)
        return self.session(claims.slot, self.record(token, claims, carried, text), token)

    def delete_session(self, token: str) -> bool:
        """Log `token` out, and say whether it was one of ours that this process has not seen end; idempotent.

        If initData led to the session, that initData no longer logs in. Any token that it led to ends it,
        even one whose own session has ended; only one past its absolute lifetime does not.
        """
        try:
            claims, carried = self.issuer.open(token, self.now())
        except InvalidSession:
            return False
        if self.ended.knows(claims.slot) if claims.recurs else self.knows_ended(token, claims):
            return False
        was_there = self.end_slot(claims.user_id, claims.slot)
        self.issuer.remember_end(claims.n, claims.issued_at)
        self.remember_ended(token)
        if claims.recurs:
            self.ended.remember(claims.slot, 1, ENDED_SECONDS)
        return was_there or carried is not None

    def get_stats(self) -> dict[str, Any]:
        """Which store, how many users with a session, how many sessions, and whether that is exact.

        In memory on Vercel it counts what this one instance has seen, so it is not exact.
        """
        count = self.store.count(self.users, SESSION, ENDED)
        local = self.issuer.degraded and self.settings.on_vercel
        return {
            "store": self.store.kind,
            "users": count.users,
            "sessions": count.sessions,
            "exact": count.exact and not local,
        }

    def _read(self, token: str, transport: Transport | None) -> Session:
        """As `get_session`, from whichever replica answers; that one may lag, so only the primary says no."""
        claims, carried = self.open(token, transport)
        if carried is not None:
            return self.session(claims.slot, carried, token)
        key, field = self.key(claims.user_id), SESSION + claims.slot
        text = self.store.read(key, field)
        if self.matching(claims, text) is None:
            text = self.store.renew(key, field, self.issuer.idle(claims.slot))
        return self.session(claims.slot, self.record(token, claims, None, text), token)


_service: SessionService | None = None
_lock = threading.Lock()


def get_session_service() -> SessionService:
    """This process's service, made at the first call; raises `Misconfigured` while settings are wrong."""
    global _service
    with _lock:
        if _service is None:
            settings = get_settings()
            _service = SessionService(settings, open_store(settings))
        return _service
