"""The token of a session in a shared store: opaque, spelt in one way only, checked before any command.

    tg1_ base64url( user id 8 B, masked | slot 12 B | issued 5 B | n 17 B ) . signature

The mask hides the user's id from anybody who sees the token; `n` is in the record too, so a signature alone
opens nothing, and neither does a dump of the store.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from ..keys import SIGNATURE, Keys
from ..user import Transport

_PREFIX = "tg1_"
_FORM = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{56}}\.{SIGNATURE}")
SLOT = re.compile(r"[A-Za-z0-9_-]{16}")
_SLOT_BYTES = 12
# The first two bits of a slot say what kind of session it is; the other 94 tell sessions apart.
_RECURS, _BEARER = 0x80, 0x40
_N_BYTES = 17


class Claims(NamedTuple):
    """What a token says: whose session, in which slot, since when (Unix seconds), and its secret `n`."""

    user_id: int
    slot: str
    issued_at: int
    n: str

    @property
    def recurs(self) -> bool:
        """See `recurs`."""
        return recurs(self.slot)

    @property
    def transport(self) -> Transport:
        """How the session travels; a token that comes another way is refused before any command."""
        return "bearer" if _decode(self.slot)[0] & _BEARER else "cookie"


def recurs(slot: str) -> bool:
    """Whether a later session can be in the same slot, as with initData that is presented again."""
    return bool(_decode(slot)[0] & _RECURS)


def is_mini_app(slot: str) -> bool:
    """Whether initData led to this session, and its token travels as a bearer token."""
    return _decode(slot)[0] & (_RECURS | _BEARER) == _RECURS | _BEARER


def seal(claims: Claims, keys: Keys) -> str:
    """The token for `claims`; the same claims and key always give the same one."""
    slot = _decode(claims.slot)
    user_id = _masked(claims.user_id.to_bytes(8), slot, keys.masks[0])
    payload = user_id + slot + claims.issued_at.to_bytes(5) + _decode(claims.n)
    return keys.session.sign(_PREFIX + _encode(payload))


def unseal(token: str, keys: Keys) -> Claims | None:
    """The claims of a token that one of our keys signed, else None."""
    signed = keys.session.unsign(token) if _FORM.fullmatch(token) else None
    if signed is None:
        return None
    payload = _decode(signed.text.removeprefix(_PREFIX))
    slot = payload[8:20]
    return Claims(
        user_id=int.from_bytes(_masked(payload[:8], slot, keys.masks[signed.key])),
        slot=_encode(slot),
        issued_at=int.from_bytes(payload[20:25]),
        n=_encode(payload[25:]),
    )


def random_slot(transport: Transport) -> str:
    """The name of a new session, unique among one user's and never used again; it is public."""
    return _slot(secrets.token_bytes(_SLOT_BYTES), transport, recurs=False)


def derived_slot(transport: Transport, check_string: str) -> str:
    """The slot that one initData always leads to with this transport, whatever keys are in use."""
    digest = hashlib.sha256(check_string.encode()).digest()
    return _slot(digest[:_SLOT_BYTES], transport, recurs=True)


def _slot(data: bytes, transport: Transport, *, recurs: bool) -> str:
    flags = (_RECURS if recurs else 0) | (_BEARER if transport == "bearer" else 0)
    return _encode(bytes([data[0] & 0x3F | flags]) + data[1:])


def random_n() -> str:
    """136 random bits, which make a token impossible to guess even with the key."""
    return _encode(secrets.token_bytes(_N_BYTES))


def _masked(user_id: bytes, slot: bytes, key: bytes) -> bytes:
    mask = hmac.digest(key, slot, "sha256")
    return bytes(a ^ b for a, b in zip(user_id, mask, strict=False))


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
