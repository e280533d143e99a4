"""What Telegram's Bot API says about the bot, its webhook and the chat that logins require.

Source: https://core.telegram.org/bots/api#getme, #getwebhookinfo, #getchat, #getchatmember. The token is in
the address of every request, which is therefore never shown.
"""

import time
from collections.abc import Iterator
from typing import Any

from requests import Response

from dev.doctor.client import Client, NoAnswer, fields
from dev.doctor.clock import check_clock
from dev.doctor.report import Check, ok, problem, warning
from dev.doctor.site import split
from lib.tgauth.settings import Settings
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN
from lib.tgauth.telegram.membership import explain_chat

TELEGRAMS_OWN = ("https://api.telegram.org", "https://oauth.telegram.org")
_API = "the Bot API"
_MEMBERS = "docs/API.md#members-only"
_HOUR = 3600
_ANOTHER = "remove TELEGRAM_API_URL and TELEGRAM_OAUTH_URL to use Telegram's own: README.md#settings"
_NO_TOKEN = (401, 404)
"""How the Bot API answers a token that it does not know, and one that cannot be one."""


def check_bot(settings: Settings, client: Client) -> Iterator[Check]:
    """The token, the name, the webhook and the chat; nothing where there is no token."""
    if settings.bot_token is None:
        return
    if settings.bot_token == DEVELOPMENT_BOT_TOKEN:
        yield ok(
            "bot-token", "is the one of `make dev`, which Telegram itself does not know: not asked there"
        )
        return
    yield from reaching("bot-token", _API, settings.api_url, _bot(settings, client))


def _bot(settings: Settings, client: Client) -> Iterator[Check]:
    answer = _call(settings, client, "getMe")
    match answer.status_code, fields(answer):
        case 200, {"ok": True, "result": {"id": int(found), "username": str(name)}} if (
            found == settings.bot_id
        ):
            yield ok("bot-token", f"Telegram knows it: it is the token of @{name}, id {found}")
        case status, {"ok": False} if status in _NO_TOKEN:
            yield problem(
                "bot-token",
                "Telegram refuses TELEGRAM_BOT_TOKEN",
                "copy it again from @BotFather (/mybots, choose the bot, API Token); one from before a"
                " /revoke is no longer good: README.md#deploy",
            )
            return
        case status, _:
            yield strange("bot-token", _API, settings.api_url, status)
            return
    yield _username(settings, name)
    yield from check_clock(answer, time.time(), "Telegram's")
    yield from reaching("webhook", _API, settings.api_url, _webhook(settings, client))
    if settings.require_chat:
        yield from reaching("require-chat", _API, settings.api_url, _chat(settings, client))


def _username(settings: Settings, name: str) -> Check:
    if settings.bot_username is None:
        return ok(
            "bot-username",
            "TELEGRAM_BOT_USERNAME is not set; pages that show Telegram's own button need it:"
            f" TELEGRAM_BOT_USERNAME={name}",
        )
    if settings.bot_username.lower() == name.lower():
        return ok("bot-username", f"TELEGRAM_BOT_USERNAME is the bot's: @{name}")
    return problem(
        "bot-username",
        f"TELEGRAM_BOT_USERNAME is {settings.bot_username}, but the token is the one of {name}",
        f"set TELEGRAM_BOT_USERNAME={name}, or the token of the other bot: README.md#settings",
    )


def _webhook(settings: Settings, client: Client) -> Iterator[Check]:
    """tgauth has no use for a webhook; one that is there should work, and belongs to code of the owner's."""
    answer = _call(settings, client, "getWebhookInfo")
    info: dict[str, Any] = fields(answer).get("result") if answer.status_code == 200 else None  # type: ignore[assignment]
    if not isinstance(info, dict) or not isinstance(info.get("url"), str):
        yield strange("webhook", _API, settings.api_url, answer.status_code)
        return
    if not info["url"]:
        yield ok("webhook", "none is set, and tgauth needs none")
        return
    # Its path and query often hold a secret.
    address = split(info["url"])
    host, path = address.hostname or "an unknown host", address.path
    own = {(settings.canonical_origin or "").partition("://")[2], *settings.hosts}
    failed_at, pending = info.get("last_error_date"), info.get("pending_update_count")
    if host in own and path.startswith(("/telegram/", "/api/telegram/")):
        yield warning(
            "webhook",
            f"Telegram sends the bot's messages to {host}, to an address of tgauth's, which takes none",
            "point it to a function of yours with setWebhook, or remove it with deleteWebhook",
        )
    elif isinstance(failed_at, int) and time.time() - failed_at < _HOUR:
        yield warning(
            "webhook",
            f"Telegram could not deliver the bot's messages to {host} within the last hour"
            f" ({info.get('last_error_message', 'no reason given')}); {pending} are waiting",
            "logins do not need it; fix the function there, or remove the webhook with deleteWebhook",
        )
    else:
        yield ok("webhook", f"is set, at {host}, and is no concern of tgauth's")


def _chat(settings: Settings, client: Client) -> Iterator[Check]:
    where = {"chat_id": settings.require_chat}
    chat = _call(settings, client, "getChat", **where)
    member = _call(settings, client, "getChatMember", **where, user_id=settings.bot_id)
    result = fields(chat).get("result")
    if isinstance(result, dict) and result.get("type") == "private":
        yield problem(
            "require-chat",
            "TELEGRAM_REQUIRE_CHAT is the id of a person and not of a group or channel",
            f"set the chat's id, which begins with a minus sign, or its @name: {_MEMBERS}",
        )
        return
    match member.status_code, fields(member):
        case 200, {"ok": True, "result": {"status": "administrator" | "creator"}}:
            yield ok("require-chat", "the bot is an administrator of the chat and sees who is in it")
        case 200, {"ok": True, "result": {"status": "member" | "restricted"}}:
            yield warning(
                "require-chat",
                "the bot is in the chat, but is no administrator, so it may not see all members",
                f"make it an administrator of the chat: {_MEMBERS}",
            )
        case 200, {"ok": True, "result": {"status": "left" | "kicked" as outside}}:
            wrong, fix = explain_chat(
                "bot was kicked" if outside == "kicked" else "bot is not a member", None
            )
            yield problem("require-chat", f"{wrong}, so nobody can log in", f"{fix}: {_MEMBERS}")
        case 400 | 403, {"ok": False, "description": str(said)}:
            wrong, fix = explain_chat(said, fields(member).get("parameters"))
            yield problem(
                "require-chat",
                f"{wrong}, so nobody can log in; Telegram says: {said}",
                f"{fix}: {_MEMBERS}",
            )
        case status, _:
            yield strange("require-chat", _API, settings.api_url, status)


def _call(settings: Settings, client: Client, method: str, **parameters: object) -> Response:
    return client.ask("POST", f"{settings.api_url}/bot{settings.bot_token}/{method}", json=parameters)


def reaching(name: str, what: str, url: str, checks: Iterator[Check]) -> Iterator[Check]:
    """The checks; no answer from `what` at `url` is not a fault of the settings, unless they name it."""
    try:
        yield from checks
    except NoAnswer as reason:
        if url in TELEGRAMS_OWN:
            yield warning(
                name,
                f"{what} cannot be reached from here: {reason}",
                "try again; where this network blocks Telegram, a deployment elsewhere may still reach it",
            )
        else:
            yield problem(name, f"{what} cannot be reached: {reason}", _ANOTHER)


def strange(name: str, what: str, url: str, status: int) -> Check:
    """An answer that is not of Telegram's form."""
    text = f"{what} answers {status}, and not what Telegram answers"
    if url in TELEGRAMS_OWN:
        return warning(name, text, "try again later; a proxy or filter in this network can be the cause, too")
    return problem(name, text, _ANOTHER)
