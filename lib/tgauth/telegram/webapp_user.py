"""The `user` field of initData: JSON written by Telegram.

Source: https://core.telegram.org/bots/webapps#webappuser
"""

import json

from ..errors import LoginRejected
from ..user import TelegramUser, read_user_id

_FIELDS = (
    *("first_name", "last_name", "username", "photo_url", "language_code"),
    *("is_premium", "allows_write_to_pm"),
)


def parse_user(text: str) -> TelegramUser:
    """The user in a verified `user` field; raises `LoginRejected` if it is not JSON or has no id.

    Telegram may add fields at any time; unknown ones are ignored.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        # The parser's message quotes its input, and names and ids must stay out of the log.
        said = None
    user_id = read_user_id(said.get("id")) if isinstance(said, dict) else None
    if user_id is None:
        raise LoginRejected("user is not a WebAppUser")
    return TelegramUser.read(user_id, {name: said.get(name) for name in _FIELDS})
