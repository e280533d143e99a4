"""Issues tokens and says what a presented one claims, as far as that needs no store.

With a shared store the record there decides (lib.sessions.token); without one the token carries it
(lib.sessions.degraded), and a token of the other kind is refused.
"""

from lib.errors import InvalidSession
from lib.sessions.keys import keyrings
from lib.sessions.record import Record, Transport
from lib.sessions.token import Claims, derived_slot, random_slot, seal, unseal
from lib.settings import Settings
from lib.telegram.user import Proof

_CLOCK_SKEW = 60


class Issuer:
    """The tokens of one deployment."""

    def __init__(self, settings: Settings) -> None:
        self.degraded = settings.store.kind == "memory"
        self.idle = min(settings.session_ttl, settings.session_max_age)
        """Seconds that a session lives after its last use."""
        self._absolute = settings.session_max_age
        self._keyrings = keyrings(settings)
        if self.degraded:
            # How to do without a store is imported where there is none, and nowhere else.
            from lib.sessions import degraded

            self._carrying, self._tombstones = degraded, degraded.Tombstones()
            self.idle = self._absolute = degraded.lifetime(settings)

    def slots(self, proof: Proof, transport: Transport) -> list[str]:
        """Where the session of `proof` goes, and then where else one may be that the proof began.

        A proof that works once gets a new place; one that comes again always leads to the same, and it may
        have been somewhere else with an older key or the other transport.
        """
        if proof.one_time:
            return [random_slot(transport)]
        other: Transport = "bearer" if transport == "cookie" else "cookie"
        return [
            derived_slot(keyring, way, proof.check_string)
            for way in (transport, other)
            for keyring in self._keyrings
        ]

    def older_slots(self, proof: Proof, transport: Transport) -> list[str]:
        """Where the session of a proof that comes again is if it began under an older key."""
        return [] if proof.one_time else self.slots(proof, transport)[1 : len(self._keyrings)]

    def issue(self, slot: str, record: Record) -> str:
        """The token of a session; the same for the same record."""
        if self.degraded:
            return self._carrying.seal(record.user.id, slot, record, self._keyrings[0])
        return seal(Claims(record.user.id, slot, record.created_at, record.n), self._keyrings[0])

    def open(self, token: str, now: float) -> tuple[Claims, Record | None]:
        """What a genuine token says, and the record it carries, if any.

        Raises `InvalidSession` for one that we did not issue, or that is too old.
        """
        claims: Claims | None
        if self.degraded:
            claims, carried = self._carrying.unseal(token, self._keyrings) or (None, None)
        else:
            claims, carried = unseal(token, self._keyrings), None
        if claims is None:
            raise InvalidSession("malformed, or not signed with a key of this deployment")
        if claims.issued_at > now + _CLOCK_SKEW:
            raise InvalidSession("issued in the future")
        if now >= self.ends_at(claims.issued_at):
            raise InvalidSession("past its absolute lifetime")
        return claims, carried

    def ends_at(self, issued_at: int) -> int:
        """When a session that began at `issued_at` ends, however much it is used (Unix seconds)."""
        return issued_at + self._absolute

    def buried(self, n: str, now: float) -> bool:
        """Whether the degraded token with this `n` was ended in this process."""
        return self.degraded and self._tombstones.covers(n, now)

    def bury(self, n: str, issued_at: int) -> None:
        """Refuse the degraded token with this `n` from now on; in a shared store its record is what ends."""
        if self.degraded:
            self._tombstones.add(n, self.ends_at(issued_at))
