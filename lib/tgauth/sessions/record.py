"""What the store keeps of a session: short JSON, without the user's id (the key has it) or a token."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, get_args

from ..user import Method, TelegramUser, Transport

_MAX_USER_AGENT = 200
_USER_KEYS = {
    "f": "first_name",
    "l": "last_name",
    "u": "username",
    "p": "photo_url",
    "g": "language_code",
    "v": "is_premium",
    "w": "allows_write_to_pm",
    "s": "sub",
    "h": "phone_number",
}


_N = re.compile(r"[A-Za-z0-9_-]{23}")


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_time(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 40


_FORMS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("a", "y"), _is_text),
    **dict.fromkeys(("c", "at"), _is_time),
    "m": lambda value: value in get_args(Method),
    "t": lambda value: value in get_args(Transport),
    "n": lambda value: isinstance(value, str) and bool(_N.fullmatch(value)),
}


_REQUIRED = {"c", "at", "m", "t", "n"}


class Record(NamedTuple):
    """One session. `created_at` and `proof_at` (when Telegram vouched) are Unix seconds."""

    user: TelegramUser
    created_at: int
    method: Method
    transport: Transport
    user_agent: str
    country: str
    proof_at: int
    n: str

    def dump(self) -> str:
        """The record as the store keeps it."""
        user = {key: getattr(self.user, name) for key, name in _USER_KEYS.items()}
        values = {
            **user,
            "c": self.created_at,
            "m": self.method,
            "t": self.transport,
            "a": self.user_agent[:_MAX_USER_AGENT],
            "y": self.country[:2],
            "at": self.proof_at,
            "n": self.n,
        }
        held = {key: value for key, value in values.items() if value not in (None, "")}
        return json.dumps(held, ensure_ascii=False, separators=(",", ":"))

    def shortened(self) -> "Record":
        """The record cut to fit into a cookie; Telegram's names have at most 64 characters."""
        user = replace(
            self.user,
            first_name=self.user.first_name[:64],
            last_name=self.user.last_name and self.user.last_name[:64],
            username=self.user.username and self.user.username[:32],
            language_code=self.user.language_code and self.user.language_code[:35],
            photo_url=None,
        )
        return self._replace(user=user, user_agent=self.user_agent[:80], country=self.country[:2])


def load(text: str, user_id: int) -> Record | None:
    """The record of `user_id` in `text`; None if it is not a record, and so not a session."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not values.keys() >= _REQUIRED:
        return None
    if not all(_FORMS[key](value) for key, value in values.items() if key in _FORMS):
        return None
    return Record(
        user=TelegramUser.read(user_id, {name: values.get(key) for key, name in _USER_KEYS.items()}),
        created_at=values["c"],
        method=values["m"],
        transport=values["t"],
        user_agent=values.get("a") or "",
        country=values.get("y") or "",
        proof_at=values["at"],
        n=values["n"],
    )
