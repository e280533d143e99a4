"""What the store keeps of a session: short JSON, without the user's id (the key has it) or a token."""

import json
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

from lib.telegram.user import Method, TelegramUser

Transport = Literal["cookie", "bearer"]

_MAX_USER_AGENT = 200
_USER_KEYS = {
    "f": "first_name",
    "l": "last_name",
    "u": "username",
    "p": "photo_url",
    "g": "language_code",
    "v": "is_premium",
    "w": "allows_write_to_pm",
}


@dataclass(frozen=True, slots=True)
class Record:
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
            "y": self.country,
            "at": self.proof_at,
            "n": self.n,
        }
        held = {key: value for key, value in values.items() if value not in (None, "")}
        return json.dumps(held, ensure_ascii=False, separators=(",", ":"))

    def shortened(self) -> "Record":
        """The record without what a cookie has no room for; Telegram's names have at most 64 characters."""
        user = replace(
            self.user,
            first_name=self.user.first_name[:64],
            last_name=self.user.last_name and self.user.last_name[:64],
            username=self.user.username and self.user.username[:32],
            language_code=self.user.language_code and self.user.language_code[:35],
            photo_url=None,
        )
        return replace(self, user=user, user_agent=self.user_agent[:80], country=self.country[:2])


def load(text: str, user_id: int) -> Record | None:
    """The record of `user_id` in `text`; None for what is none, which then is no session."""
    try:
        values = json.loads(text)
        if not isinstance(values, dict):
            return None
        user: dict[str, Any] = {name: values.get(key) for key, name in _USER_KEYS.items()}
        user["first_name"] = _text(values, "f")
        method, transport = values["m"], values["t"]
        if method not in get_args(Method) or transport not in get_args(Transport):
            return None
        return Record(
            user=TelegramUser(id=user_id, **user),
            created_at=int(values["c"]),
            method=cast(Method, method),
            transport=cast(Transport, transport),
            user_agent=_text(values, "a"),
            country=_text(values, "y"),
            proof_at=int(values["at"]),
            n=_text(values, "n"),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _text(values: dict[str, Any], key: str) -> str:
    return str(values.get(key, ""))
