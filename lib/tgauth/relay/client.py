"""A preview asks production whose code its browser brought, from server to server."""

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from ..errors import IdentityProviderUnavailable, LoginRejected
from ..settings import Settings
from ..telegram.http import post_json
from ..telegram.transaction import Transaction
from ..user import Proof, TelegramUser


class _User(BaseModel):
    """Who it is, as docs/API.md shows a user; the fields besides the id are read as Telegram's are."""

    model_config = ConfigDict(extra="allow")
    id: Annotated[StrictInt, Field(gt=0, lt=1 << 52)]


class _Given(BaseModel):
    """Production's answer to a code."""

    user: _User


def ask_production(
    code: str, transaction: Transaction, *, settings: Settings, origin: str
) -> tuple[TelegramUser, Proof]:
    """The user whose login the code stands for.

    Raises `LoginRejected` for a code that is not valid, `IdentityProviderUnavailable` when production does
    not answer.
    """
    host = origin.partition("://")[2]
    body = {"code": code, "verifier": transaction.verifier, "host": host}
    response = post_json(f"{settings.require_relay_url()}/telegram/relay", body)
    if response.status == 400:
        raise LoginRejected("production refused the code")
    if response.status != 200:
        raise IdentityProviderUnavailable(f"production answered {response.status}")
    return _user(response.body), transaction.proof._replace(method="relay")


def _user(body: bytes) -> TelegramUser:
    """The user in production's answer."""
    try:
        user = _Given.model_validate(json.loads(body)).user
    except (ValueError, RecursionError):
        # The parser's own text quotes the answer.
        raise IdentityProviderUnavailable("production gave no user") from None
    return TelegramUser.read(user.id, user.model_extra or {})
