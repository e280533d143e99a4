"""The types of what Telegram says in JSON, for the models of each kind of it."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StrictStr

from lib.telegram.checks import is_user_id


def _id(value: object) -> int:
    """An id as a number, or as the digits of one."""
    if type(value) is int:
        value = str(value)
    if isinstance(value, str) and is_user_id(value):
        return int(value)
    raise ValueError


def _encodable(value: str) -> str:
    """JSON can spell half of a surrogate pair, which no store and no answer can carry."""
    value.encode()
    return value


TelegramId = Annotated[int, BeforeValidator(_id)]
Text = Annotated[StrictStr, AfterValidator(_encodable)]
