"""The `user` field of initData: JSON that Telegram wrote and we did not.

Source: https://core.telegram.org/bots/webapps#webappuser
"""

from pydantic import BaseModel, ValidationError

from lib.errors import LoginRejected
from lib.telegram.fields import TelegramId, Text
from lib.telegram.user import TelegramUser


class WebAppUser(BaseModel):
    """Telegram may add fields at any time, so unknown ones are ignored."""

    id: TelegramId
    first_name: Text
    last_name: Text | None = None
    username: Text | None = None
    photo_url: Text | None = None
    language_code: Text | None = None
    is_premium: bool | None = None
    allows_write_to_pm: bool | None = None


def parse_user(text: str) -> TelegramUser:
    """The user in a verified `user` field; raises `LoginRejected` for anything else."""
    try:
        user = WebAppUser.model_validate_json(text)
    except ValidationError:
        # The validator's own text quotes its input: names and ids stay out of the log.
        raise LoginRejected("user is not a WebAppUser") from None
    return TelegramUser(**user.model_dump())
