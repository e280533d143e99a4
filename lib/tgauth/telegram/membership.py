"""Asks the Bot API about the bot itself, and about members of the chat that logins require.

Source: https://core.telegram.org/bots/api#getchatmember and #chatmember. The bot must be in the chat; to see
the members of a channel, or of a group that hides them, it must be an administrator.
"""

import json
from typing import Any

from ..errors import IdentityProviderUnavailable, Misconfigured
from ..settings import Settings
from ..user import Membership
from .http import post_json

_NO_SUCH_USER = ("user not found", "participant_id_invalid", "member not found", "user_id_invalid")


_MOVED = "the group has become a supergroup, which has another id"
_CHAT_FAULTS = (
    (
        ("chat not found", "peer_id_invalid", "channel_invalid", "chat_id_invalid"),
        "Telegram finds no such chat, or the bot has never been in it",
        "check the @name, or the id (of a supergroup or channel: -100…), and add the bot as an administrator",
    ),
    (
        ("bot was kicked",),
        "the bot was removed from the chat",
        "take it off the chat's list of removed users and add it again, as an administrator",
    ),
    (
        ("bot is not a member", "channel_private"),
        "the bot is not in the chat",
        "add it to the chat as an administrator",
    ),
    (
        ("member list is inaccessible", "chat_admin_required"),
        "the bot may not see who is in the chat",
        "make it an administrator there",
    ),
    (
        ("chat was deleted", "chat was deactivated"),
        "the group was deleted",
        "set the id or @name of another chat",
    ),
    (
        ("to a supergroup chat",),
        _MOVED,
        "set the new id, which begins with -100",
    ),
)
"""Phrases in Telegram's text (undocumented; collected from reports of bots); what is wrong; the fix."""


def explain_chat(text: str, parameters: object) -> tuple[str, str]:
    """What is wrong with TELEGRAM_REQUIRE_CHAT, and what to do, when the Bot API will not tell who is there.

    `text` is its description; `parameters` are https://core.telegram.org/bots/api#responseparameters.
    """
    match parameters:
        case {"migrate_to_chat_id": int(chat_id)} if -(10**15) < chat_id < 0:
            return _MOVED, f"set TELEGRAM_REQUIRE_CHAT={chat_id}"
    for signs, wrong, fix in _CHAT_FAULTS:
        if any(sign in text.lower() for sign in signs):
            return wrong, fix
    return (
        "the bot cannot see this chat's members",
        "check the id or @name, add the bot to the chat and make it an administrator",
    )


def check_member(user_id: int, *, settings: Settings) -> Membership:
    """The user's membership of TELEGRAM_REQUIRE_CHAT; administrators and the creator count as members.

    Raises `Misconfigured` when the bot may not ask, `IdentityProviderUnavailable` when Telegram does not say.
    """
    match _ask(settings, "getChatMember", chat_id=settings.require_chat, user_id=user_id):
        case {"ok": True, "result": dict(member)}:
            return _belongs(member, user_id)
        case {"description": str(text)} as answer:
            return _refused(text, answer.get("parameters"))
    raise IdentityProviderUnavailable("the Bot API answered neither yes nor no")


def check_bot(settings: Settings) -> None:
    """Ask whether Telegram takes the token and, with TELEGRAM_REQUIRE_CHAT, whether the bot is in the chat.

    Raises the same as `check_member`. Source: https://core.telegram.org/bots/api#getme.
    """
    if settings.require_chat is not None:
        if check_member(settings.bot_id, settings=settings) != "member":
            wrong, fix = explain_chat("bot is not a member", None)
            raise Misconfigured(f"TELEGRAM_REQUIRE_CHAT: {wrong}; {fix}", cause="chat")
        return
    match _ask(settings, "getMe"):
        case {"ok": True}:
            return
        case {"description": str(text)}:
            _refused(text, None)
    raise IdentityProviderUnavailable("the Bot API answered neither yes nor no")


def _ask(settings: Settings, method: str, **parameters: object) -> dict[str, Any]:
    """The Bot API's answer; raises `IdentityProviderUnavailable` for anything else."""
    # The address contains the token, so it must never be logged.
    response = post_json(f"{settings.api_url}/bot{settings.require_bot_token()}/{method}", parameters)
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        answer = None
    match answer:
        case {"ok": True} if response.status == 200:
            return dict(answer)
        case {"ok": False, "error_code": 400 | 401 | 403 | 404 as code} if response.status == code:
            return dict(answer)
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


def _refused(text: str, parameters: object) -> Membership:
    """`unseen`, or raises `Misconfigured` for what the owner must change."""
    if any(sign in text.lower() for sign in _NO_SUCH_USER):
        return "unseen"
    if text.lower() in ("unauthorized", "not found"):
        reason = "TELEGRAM_BOT_TOKEN: Telegram refused it; copy it again from @BotFather"
        raise Misconfigured(reason, cause="bot_token")
    wrong, fix = explain_chat(text, parameters)
    raise Misconfigured(f"TELEGRAM_REQUIRE_CHAT: {wrong}; {fix}", cause="chat")
