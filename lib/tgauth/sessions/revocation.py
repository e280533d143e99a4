"""Marks in a user's hash of what was ended for good: all sessions up to a time, or one initData."""

import re
from collections.abc import Mapping
from typing import NamedTuple, Self

from ..clock import DAY
from ..errors import StoreUnavailable

_TIME = re.compile(r"[0-9]{1,12}")

REVOKED = "r"
"""Field with a `Revocation`, as `time` or `time:n`."""

ENDED = "x:"
"""Field with the time (Unix seconds) when the session of a slot was logged out, or ended from another device.

The same initData must not bring it back. A field of its own: no use of the slot shortens or deletes it.
"""

REVOKED_SECONDS = DAY + 120
"""As long as the longest-lived proof is fresh, and twice what clocks may differ."""


def ended_at(mark: str) -> int:
    """The mark's time (Unix seconds); 0, which is before all sessions, if it is not a time."""
    return int(mark) if _TIME.fullmatch(mark) else 0


class Revocation(NamedTuple):
    """A user ended all their sessions, or all but one.

    Proofs from up to `at` (Unix seconds) no longer make a session. They lead only to the one whose record has
    the `n` that is `kept`: any other record is debris of a refused login.
    """

    at: int
    kept: str

    @classmethod
    def among(cls, held: Mapping[str, str]) -> Self:
        """The last one among a user's fields; if there was none, one that refuses nothing."""
        if REVOKED not in held:
            return cls(-1, "")
        at, _, kept = held[REVOKED].partition(":")
        if not _TIME.fullmatch(at):
            raise StoreUnavailable("a user's revocation is not a time; delete the field r of that key")
        return cls(int(at), kept)

    def dump(self) -> str:
        """The field's value."""
        return f"{self.at}:{self.kept}" if self.kept else str(self.at)
