"""Whether somebody is in the chat whose members alone may log in, asked of the Bot API.

Source: https://core.telegram.org/bots/api#getchatmember and #chatmember. The bot must be in the chat; to see
the members of a channel, or of a group that hides them, it must be an administrator.
"""

import json
from typing import Any

from lib.errors import IdentityProviderUnavailable, Misconfigured
from lib.settings import Settings
from lib.telegram.http import post_json
from lib.telegram.user import Membership

_NO_SUCH_USER = ("user not found", "participant_id_invalid", "member not found", "user_id_invalid")


def check_member(user_id: int, *, settings: Settings) -> Membership:
    """What the user is in TELEGRAM_REQUIRE_CHAT; administrators and the creator are members, too.

    Raises `Misconfigured` when the bot may not ask, `IdentityProviderUnavailable` when Telegram does not say.
    """
    # The Bot API has the token in its address, which therefore must never be logged.
    url = f"{settings.api_url}/bot{settings.require_bot_token()}/getChatMember"
    response = post_json(url, {"chat_id": settings.require_chat, "user_id": user_id})
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        answer = None
    match answer:
        case {"ok": True, "result": dict(member)} if response.status == 200:
            return _belongs(member, user_id)
        case {"ok": False, "error_code": 400 | 401 | 403 | 404 as code, "description": str(text)} if (
            response.status == code
        ):
            return _refused(text.lower())
    raise IdentityProviderUnavailable(f"the Bot API answered {response.status}")


def _belongs(member: dict[str, Any], user_id: int) -> Membership:
    match member:
        case {"user": {"id": int(found)}, "status": "creator" | "administrator" | "member"} if (
            found == user_id
        ):
            return "member"
        case {"user": {"id": int(found)}, "status": "restricted", "is_member": bool(inside)} if (
            found == user_id
        ):
            return "member" if inside else "outsider"
        case {"user": {"id": int(found)}, "status": "left" | "kicked"} if found == user_id:
            return "outsider"
    raise IdentityProviderUnavailable("the Bot API answered about somebody else, or with an unknown status")


def _refused(text: str) -> Membership:
    """Raises `Misconfigured` for what the owner must mend."""
    if any(sign in text for sign in _NO_SUCH_USER):
        return "unseen"
    if text in ("unauthorized", "not found"):
        raise Misconfigured("TELEGRAM_BOT_TOKEN: Telegram refused it; copy it again from @BotFather")
    raise Misconfigured(
        "TELEGRAM_REQUIRE_CHAT: the bot cannot see this chat's members; check the id or @name, add the bot to"
        " the chat and make it an administrator"
    )
