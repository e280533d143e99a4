"""A preview redeems the code that production gave its browser, from server to server."""

from pydantic import BaseModel, ValidationError

from lib.errors import IdentityProviderUnavailable, LoginRejected
from lib.settings import Settings
from lib.telegram.checks import is_user_id
from lib.telegram.http import post_json
from lib.telegram.transaction import Transaction
from lib.telegram.user import Proof, TelegramUser


class Answer(BaseModel):
    """What production says of a good code."""

    user: TelegramUser


def redeem(
    code: str, transaction: Transaction, *, settings: Settings, origin: str
) -> tuple[TelegramUser, Proof]:
    """Whose login the code is.

    Raises `LoginRejected` for a code that is not good, `IdentityProviderUnavailable` when production does
    not answer.
    """
    host = origin.partition("://")[2]
    body = {"code": code, "verifier": transaction.verifier, "host": host}
    response = post_json(f"{settings.require_relay_url()}/telegram/relay", body)
    if response.status == 400:
        raise LoginRejected("production refused the code")
    if response.status != 200:
        raise IdentityProviderUnavailable(f"production answered {response.status}")
    try:
        user = Answer.model_validate_json(response.body, strict=True).user
    except ValidationError:
        raise IdentityProviderUnavailable("production gave no user") from None
    if not is_user_id(str(user.id)):
        raise IdentityProviderUnavailable("production gave no user")
    return user, transaction.proof._replace(method="relay")
