"""SessionService: sessions made from a proof, found by a token, renewed by use, ended from any device."""

import threading
from typing import Any

from ..settings import get_settings
from ..store.open import open_store
from ..user import Transport
from .base import SESSION, Session
from .create import Creation
from .devices import Devices
from .revocation import ENDED


class SessionService(Creation, Devices):
    """All that can be done with sessions; making them and devices are in their own modules.

    Raises `StoreUnavailable` from every method when the store cannot be reached: nobody is logged out then.
    """

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
        claims, carried = self._open(token, transport)
        idle = self._issuer.idle(claims.slot)
        text = self.store.renew(self._key(claims.user_id), SESSION + claims.slot, idle)
        return self._session(claims.slot, self._record(token, claims, carried, text), token)

    def get_stats(self) -> dict[str, Any]:
        """Which store, how many users with a session, how many sessions, and whether that is exact.

        In memory on Vercel it counts what this one instance has seen, so it is not exact.
        """
        count = self.store.count(self._users, SESSION, ENDED)
        local = self._issuer.degraded and self.settings.on_vercel
        return {
            "store": self.store.kind,
            "users": count.users,
            "sessions": count.sessions,
            "exact": count.exact and not local,
        }

    def _read(self, token: str, transport: Transport | None) -> Session:
        """As `get_session`, from whichever replica answers; that one may lag, so only the primary says no."""
        claims, carried = self._open(token, transport)
        if carried is not None:
            return self._session(claims.slot, carried, token)
        key, field = self._key(claims.user_id), SESSION + claims.slot
        text = self.store.read(key, field)
        if self._matching(claims, text) is None:
            text = self.store.renew(key, field, self._issuer.idle(claims.slot))
        return self._session(claims.slot, self._record(token, claims, None, text), token)


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
