"""Codes that production gives to previews: a ticket gets one of them, and each is taken once."""

import json
from typing import Any

from ..errors import InvalidGrant
from ..keys import keys_of
from ..user import TelegramUser
from .base import Sessions

_CODE, _SPENT = "code", "spent"


class RelayCodes(Sessions):
    """The part of `SessionService` that lets previews log in."""

    def keep_code(self, state: str, user: TelegramUser, *, seconds: int, ticket_seconds: int) -> None:
        """Keep for `seconds` who logs in with the code of the ticket that has this `state`.

        Raises `InvalidGrant` when the ticket, which can come again for `ticket_seconds`, was used before.
        """
        self.require_shared_store()
        # Signed, so that who can write to the store still cannot say who somebody is.
        said = f"{state}{json.dumps(user.to_json())}"
        fields = {_CODE: keys_of(self.settings).relay_user.sign(said), _SPENT: "1"}
        created, _ = self.store.create(
            self._code_key(state), fields, window=ticket_seconds, renew=_CODE, ttl=seconds
        )
        if not created:
            raise InvalidGrant("the ticket was used before")

    def take_code(self, state: str) -> dict[str, Any]:
        """Whose login it was, as the API shows a user; raises `InvalidGrant` from the second time on."""
        self.require_shared_store()
        text = self.store.take(self._code_key(state), _CODE)
        if text is None:
            raise InvalidGrant("the code was used before, or has expired")
        signed = keys_of(self.settings).relay_user.unsign(text)
        if signed is None or not signed.text.startswith(state):
            raise InvalidGrant("what the store has of the code is not ours")
        user: dict[str, Any] = json.loads(signed.text.removeprefix(state))
        return user

    def _code_key(self, state: str) -> str:
        return f"tgauth:{self.settings.environment}:{self.settings.bot_id}:c:{state}"
