"""Codes that production gives to previews: one for a ticket, each taken once."""

import json
from typing import Any

from ..errors import InvalidGrant
from ..keys import keys_of
from ..sessions.base import Sessions
from ..settings import Settings
from ..user import TelegramUser

_CODE, _USED = "code", "used"


def keep_code(
    sessions: Sessions, state: str, user: TelegramUser, *, seconds: int, ticket_seconds: int
) -> None:
    """Keep for `seconds` which user the code of the ticket with this `state` stands for.

    Raises `InvalidGrant` if the ticket, which can be presented for `ticket_seconds`, was used before, and as
    `require_shared_store`.
    """
    sessions.require_shared_store()
    # Signed, so that write access to the store is not enough to say who somebody is.
    said = f"{state}{json.dumps(user.to_json())}"
    fields = {_CODE: keys_of(sessions.settings).relay_user.sign(said), _USED: "1"}
    key = _key(sessions.settings, state)
    created, _ = sessions.store.create(key, fields, window=ticket_seconds, renew=_CODE, ttl=seconds)
    if not created:
        raise InvalidGrant("the ticket was used before")


def take_code(sessions: Sessions, state: str) -> dict[str, Any]:
    """The user, as the API shows one; raises `InvalidGrant` from the second time on."""
    sessions.require_shared_store()
    text = sessions.store.take(_key(sessions.settings, state), _CODE)
    if text is None:
        raise InvalidGrant("the code was used before, or has expired")
    signed = keys_of(sessions.settings).relay_user.unsign(text)
    if signed is None or not signed.text.startswith(state):
        raise InvalidGrant("what the store has of the code is not ours")
    user: dict[str, Any] = json.loads(signed.text.removeprefix(state))
    return user


def _key(settings: Settings, state: str) -> str:
    return f"tgauth:{settings.environment}:{settings.bot_id}:c:{state}"
