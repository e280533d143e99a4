"""Who somebody is on Telegram, and what proved it. A leaf."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, Self

Method = Literal["widget", "webapp", "oidc", "relay"]

Transport = Literal["cookie", "bearer"]
"""How a session travels."""

Membership = Literal["member", "outsider", "unseen"]
"""Somebody's place in the chat of TELEGRAM_REQUIRE_CHAT; `unseen`: Telegram will not tell this bot."""

# No name needs these two, and much of the software that a name reaches cannot take them.
_BLANK = {ord("\n"): " ", 0: " "}


_USER_ID = re.compile(r"[1-9][0-9]{0,15}")


def is_user_id(text: str) -> bool:
    """Whether `text` is a Telegram id: at most 52 significant bits (https://core.telegram.org/bots/api#user).

    In plain digits: int() alone would take '1_7', ' 17' and Arabic digits too.
    """
    return bool(_USER_ID.fullmatch(text)) and int(text) < 1 << 52


def read_user_id(value: object) -> int | None:
    """A Telegram id in JSON, a number or the digits of one; None for anything else."""
    if type(value) is int:
        return value if 0 < value < 1 << 52 else None
    return int(value) if isinstance(value, str) and is_user_id(value) else None


def read_text(value: object) -> str | None:
    """Text as it is kept and shown: U+000A and U+0000 become spaces. None if it is empty or not text."""
    if not isinstance(value, str):
        return None
    try:
        # Half of a surrogate pair, which JSON can spell, has no UTF-8: no store and no answer can carry it.
        value.encode()
    except UnicodeEncodeError:
        return None
    return value.translate(_BLANK) or None


def _read_flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


_READERS: dict[str, Callable[[object], str | bool | None]] = {
    **dict.fromkeys(("first_name", "last_name", "username", "photo_url", "language_code"), read_text),
    **dict.fromkeys(("is_premium", "allows_write_to_pm"), _read_flag),
    **dict.fromkeys(("sub", "phone_number"), read_text),
}


@dataclass(frozen=True, slots=True)
class TelegramUser:
    """A Telegram account, the same whichever way it logged in.

    `id` is the account's key for good; names and username change and are sold
    (https://core.telegram.org/widgets/login-legacy, https://core.telegram.org/bots/webapps#webappuser).
    What Telegram did not send is None. `sub` is what OpenID Connect calls the account; it is another number
    than `id`, and no key (https://core.telegram.org/bots/telegram-login). `phone_number` is there only when
    the user granted it.
    """

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    photo_url: str | None = None
    language_code: str | None = None
    is_premium: bool | None = None
    allows_write_to_pm: bool | None = None
    sub: str | None = None
    phone_number: str | None = None

    @classmethod
    def read(cls, user_id: int, said: Mapping[str, object]) -> Self:
        """The user in what Telegram, or the store, says of them; a value of another type counts as absent."""
        known: dict[str, Any] = {name: read(said.get(name)) for name, read in _READERS.items()}
        # Some accounts have no first name.
        return cls(user_id, **known | {"first_name": known["first_name"] or ""})

    def to_json(self) -> dict[str, Any]:
        """The user as the API shows it, without what is not known."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in pairs if value is not None}

    def who(self) -> dict[str, Any]:
        """The fields by which a person recognises which of their accounts it is."""
        shown = ("id", "first_name", "last_name", "username")
        return {name: value for name, value in self.to_json().items() if name in shown}


class Proof(NamedTuple):
    """What sessions need to know of the message by which Telegram vouched for somebody.

    `check_string` is what was signed, or for a code the state: it, and not a signature that has several
    spellings, tells two proofs apart. `issued_at` is Unix seconds; the proof is valid for `window` more
    seconds at most.
    A `one_time` proof logs in once; other kinds are meant to be presented again and lead to the same session.
    """

    method: Method
    check_string: str
    issued_at: int
    window: int
    one_time: bool
