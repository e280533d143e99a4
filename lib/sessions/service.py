"""Sessions: made from a proof, found by a token, renewed by use, ended by logout."""

import hashlib
import hmac
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lib.errors import InvalidSession, LoginRejected, LoginStale, StoreUnavailable
from lib.sessions.issuer import Issuer
from lib.sessions.record import Record, Transport, load
from lib.sessions.token import Claims, random_n
from lib.settings import Settings, get_settings
from lib.store.base import Store
from lib.store.open import open_store
from lib.telegram.user import Method, Proof, TelegramUser

_SESSION = "s:"
_PROOF = "p:"


@dataclass(frozen=True, slots=True)
class Session:
    """A live session. `id` is public and names it among the user's; times are Unix seconds.

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


class SessionService:
    """Creates, finds, renews and ends sessions in one store. Safe to share between threads.

    `clock` gives Unix seconds; tests set it.
    """

    def __init__(self, settings: Settings, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.store = store
        self.now = clock
        self._issuer = Issuer(settings)
        self._users = f"tgauth:{settings.environment}:{settings.bot_id}:u:"

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
        """Log `user` in with what `proof` showed, and end the session of the token `replaces`.

        A one-time proof works once and then raises `LoginStale`; another kind leads to the session it led
        to before, while that lives. Raises `LoginRejected` for a user whom the settings keep out.
        """
        if not self.settings.permits(user.id):
            raise LoginRejected("kept out by TELEGRAM_ALLOW or TELEGRAM_DENY")
        now = int(self.now())
        slot = self._issuer.slot(proof, transport)
        record = Record(
            user, now, proof.method, transport, user_agent, country, proof_at=proof.issued_at, n=random_n()
        )
        if self._issuer.degraded:
            record = record.shortened()
        fields = {_SESSION + slot: record.dump()}
        if proof.one_time:
            fields[_PROOF + _digest(proof.check_string)] = slot

        live = self._put(user.id, slot, fields, window=proof.window, one_time=proof.one_time)
        self._end_surplus(user.id, live, slot, replaces)
        return self._session(slot, live[slot], self._issuer.issue(slot, live[slot]))

    def get_session(self, token: str, *, renew: bool = True) -> Session:
        """The live session of `token`; raises `InvalidSession` for anything else.

        `renew` slides its idle expiry; without it nothing changes.
        """
        now = self.now()
        claims, carried = self._issuer.open(token, now)
        if not self.settings.permits(claims.user_id):
            raise InvalidSession("kept out by TELEGRAM_ALLOW or TELEGRAM_DENY")
        key, field = self._key(claims.user_id), _SESSION + claims.slot
        if renew:
            text = self.store.renew(key, field, self._issuer.ttl(claims.issued_at, now))
        else:
            text = self.store.read(key, field)
        record = load(text, claims.user_id) if text is not None else None
        if carried and (record is None or record.n != claims.n):
            record = self._adopt(claims, carried) if renew else carried
        if record is None:
            raise InvalidSession("ended, expired or evicted")
        if not hmac.compare_digest(record.n, claims.n):
            raise InvalidSession("superseded by a newer session of the same login")
        return self._session(claims.slot, record, token)

    def refresh_session(self, token: str) -> Session:
        """Renew the session of `token` for SESSION_TTL; SESSION_MAX_AGE stays. Raises as `get_session`."""
        return self.get_session(token)

    def delete_session(self, token: str) -> bool:
        """End the session of `token` and say whether it was one of ours that had not ended; idempotent."""
        try:
            claims, carried = self._issuer.open(token, self.now())
        except InvalidSession:
            return False
        key, field = self._key(claims.user_id), _SESSION + claims.slot
        self._issuer.bury(claims.n, claims.issued_at)
        if claims.recurs:
            # A token that was logged out must not end the session which the same initData made since.
            record = load(self.store.renew(key, field, 1) or "", claims.user_id)
            if record is None or not hmac.compare_digest(record.n, claims.n):
                return carried is not None
        return self.store.delete(key, field) > 0 or carried is not None

    def get_stats(self) -> dict[str, Any]:
        """Which store, how many users with a session, how many sessions, and whether that is exact.

        In memory on Vercel it counts what this one instance has seen, so it is not exact.
        """
        count = self.store.count(self._users, _SESSION)
        local = self._issuer.degraded and self.settings.on_vercel
        return {
            "store": self.store.kind,
            "users": count.users,
            "sessions": count.sessions,
            "exact": count.exact and not local,
        }

    def _put(
        self, user_id: int, slot: str, fields: Mapping[str, str], *, window: int, one_time: bool
    ) -> dict[str, Record]:
        """Store a new session, or find the one that is there, and return all the user's live ones."""
        key, field = self._key(user_id), _SESSION + slot
        for _ in range(2):
            created, held = self.store.create(key, fields, window=window, renew=field, ttl=self._issuer.idle)
            if not created and one_time:
                raise LoginStale("proof already used")
            live = self._live(held, user_id)
            if slot in live:
                return live
            # What is there is past its absolute lifetime, or no record: it makes room for a new session.
            self.store.delete(key, field)
        raise StoreUnavailable("the new session is not in the store")

    def _end_surplus(self, user_id: int, live: Mapping[str, Record], new: str, replaces: str | None) -> None:
        """End the session that was presented at the login, and the oldest over SESSION_LIMIT."""
        oldest_first = sorted((slot for slot in live if slot != new), key=lambda s: (live[s].created_at, s))
        surplus = set(oldest_first[: max(0, len(live) - self.settings.session_limit)])
        presented = self._presented(replaces)
        if replaces and presented and presented.user_id != user_id:
            self.delete_session(replaces)
        elif presented and presented.slot != new:
            self._issuer.bury(presented.n, presented.issued_at)
            if presented.slot in live and live[presented.slot].n == presented.n:
                surplus.add(presented.slot)
        for slot in surplus:
            self._issuer.bury(live[slot].n, live[slot].created_at)
        if surplus:
            self.store.delete(self._key(user_id), *(_SESSION + slot for slot in surplus))

    def _presented(self, token: str | None) -> Claims | None:
        try:
            return self._issuer.open(token, self.now())[0] if token else None
        except InvalidSession:
            return None

    def _adopt(self, claims: Claims, carried: Record) -> Record:
        """Take in a session that another instance made: the signature vouches for it."""
        key, field = self._key(claims.user_id), _SESSION + claims.slot
        ttl = self._issuer.ttl(claims.issued_at, self.now())
        self.store.delete(key, field)
        self.store.create(key, {field: carried.dump()}, window=ttl, renew=field, ttl=ttl)
        return carried

    def _live(self, held: Mapping[str, str], user_id: int) -> dict[str, Record]:
        """The sessions among a user's fields, without those past their absolute lifetime."""
        now = self.now()
        records = {
            name.removeprefix(_SESSION): load(value, user_id)
            for name, value in held.items()
            if name.startswith(_SESSION)
        }
        return {
            slot: record
            for slot, record in records.items()
            if record and now < self._issuer.ends_at(record.created_at)
        }

    def _session(self, slot: str, record: Record, token: str) -> Session:
        return Session(
            id=slot,
            token=token,
            user=record.user,
            method=record.method,
            transport=record.transport,
            created_at=record.created_at,
            expires_at=int(self.now()) + self._issuer.ttl(record.created_at, self.now()),
            ends_at=self._issuer.ends_at(record.created_at),
        )

    def _key(self, user_id: int) -> str:
        return f"{self._users}{user_id}"


def _digest(check_string: str) -> str:
    """A proof's name in the store: enough of SHA-256 that nobody finds a second proof with the same one."""
    digest = hashlib.sha256(check_string.encode()).digest()[:16]
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


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
