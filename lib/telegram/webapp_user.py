"""The `user` field of initData: JSON that Telegram wrote and we did not.

Source: https://core.telegram.org/bots/webapps#webappuser
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, StrictStr, ValidationError

from lib.errors import LoginRejected
from lib.telegram.checks import USER_ID
from lib.telegram.user import TelegramUser


def _id(value: object) -> int:
    """An id as int or as plain digits; int() alone would take '1_7' and Arabic digits too."""
    if type(value) in (int, str) and USER_ID.fullmatch(str(value)):
        return int(str(value))
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
