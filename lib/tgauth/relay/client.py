"""A preview redeems the code that production gave its browser, from server to server."""

import json

from ..errors import IdentityProviderUnavailable, LoginRejected
from ..settings import Settings
from ..telegram.http import post_json
from ..telegram.transaction import Transaction
from ..user import Proof, TelegramUser, is_user_id


def redeem(
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
    """The user in production's answer, which docs/API.md describes: the id is a number."""
    try:
        match json.loads(body):
            case {"user": {"id": int(user_id)} as said} if is_user_id(str(user_id)):
                return TelegramUser.read(user_id, said)
    except (ValueError, RecursionError):
        # The parser's own text quotes the answer.
        pass
    raise IdentityProviderUnavailable("production gave no user")
