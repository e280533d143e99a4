"""The `user` field of initData: JSON that Telegram wrote and we did not.

Source: https://core.telegram.org/bots/webapps#webappuser
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, StrictStr, ValidationError

from lib.errors import LoginRejected
from lib.telegram.checks import is_user_id
from lib.telegram.user import TelegramUser


def _id(value: object) -> int:
    """An id as a number, or as the digits of one."""
    if type(value) is int and 0 < value < 1 << 64:
        value = str(value)
    if isinstance(value, str) and is_user_id(value):
        return int(value)
    raise ValueError("not a Telegram id")


def _encodable(value: str) -> str:
    """JSON can spell half of a surrogate pair, which no store and no answer can carry."""
    value.encode()
    return value


Text = Annotated[StrictStr, AfterValidator(_encodable)]


class WebAppUser(BaseModel):
    """Telegram may add fields at any time, so unknown ones are ignored."""

    id: Annotated[int, BeforeValidator(_id)]
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
