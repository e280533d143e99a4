"""Issues tokens, and reads presented ones as far as that is possible without the store.

With a shared store the record there decides (tgauth.sessions.token); without one the token carries it
(tgauth.sessions.degraded), and a token of the other kind is refused.
"""

from typing import NamedTuple

from ..clock import CLOCK_SKEW
from ..errors import InvalidSession
from ..keys import keys_of
from ..settings import Settings
from .record import Record
from .token import Claims, is_mini_app, seal, unseal


class Lifetime(NamedTuple):
    """Seconds that a session lives after its last use, and in all."""

    idle: int
    absolute: int


class Issuer:
    """The tokens of one deployment."""

    def __init__(self, settings: Settings) -> None:
        self.degraded = settings.store.kind == "memory"
        in_all = settings.session_max_age
        self._ordinary = Lifetime(min(settings.session_ttl, in_all), in_all)
        self._mini_app = Lifetime(min(settings.mini_app_ttl, in_all), in_all)
        self._keys = keys_of(settings)
        if self.degraded:
            # Imported only in memory mode.
            from . import degraded

            self._carrying, self._ended = degraded, degraded.Ended()
            ordinary, mini_app = degraded.lifetime(settings), degraded.mini_app_lifetime(settings)
            self._ordinary = Lifetime(ordinary, ordinary)
            self._mini_app = Lifetime(mini_app, mini_app)

    def issue(self, slot: str, record: Record) -> str:
        """The token of a session; the same for the same record."""
        if self.degraded:
            return self._carrying.seal(record.user.id, slot, record, self._keys)
        return seal(Claims(record.user.id, slot, record.created_at, record.n), self._keys)

    def open(self, token: str, now: float) -> tuple[Claims, Record | None]:
        """What a genuine token says, and the record it carries, if any.

        Raises `InvalidSession` for one that we did not issue, or that is too old.
        """
        claims: Claims | None
        if self.degraded:
            claims, carried = self._carrying.unseal(token, self._keys) or (None, None)
        else:
            claims, carried = unseal(token, self._keys), None
        if claims is None:
            raise InvalidSession("malformed, or not signed with a key of this deployment")
        if claims.issued_at > now + CLOCK_SKEW:
            raise InvalidSession("issued in the future")
        if now >= self.ends_at(claims.slot, claims.issued_at):
            raise InvalidSession("past its absolute lifetime")
        return claims, carried

    def idle(self, slot: str) -> int:
        """Seconds that the session in `slot` lives after its last use."""
        return self._lifetime(slot).idle

    def ends_at(self, slot: str, issued_at: int) -> int:
        """When the session in `slot` that began at `issued_at` ends, however much it is used."""
        return issued_at + self._lifetime(slot).absolute

    def _lifetime(self, slot: str) -> Lifetime:
        return self._mini_app if is_mini_app(slot) else self._ordinary

    def remembers_end(self, n: str, now: float) -> bool:
        """Whether this process has seen the degraded token with this `n` end."""
        return self.degraded and self._ended.covers(n, now)

    def remember_end(self, n: str, issued_at: int) -> None:
        """Refuse the degraded token with this `n` from now on; in a shared store its record is what ends."""
        if self.degraded:
            # As long as the longest-lived kind of token works.
            self._ended.add(n, issued_at + self._ordinary.absolute)
