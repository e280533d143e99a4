"""The part of the Bot API that tgauth uses, simulated: the bot itself, and the members of a chat.

https://core.telegram.org/bots/api says what is asked and answered (#making-requests, #getme, #getchatmember,
#chatmember). It does not list the descriptions of errors; those here are the ones that bots report to get.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from dev.telegram.oidc import Received
from dev.telegram.users import USERS

CHAT_ID = -1001000000001
CHAT_NAME = "@tgauth_dev_chat"
METHOD_PATH = "/getChatMember"
BOT = {"is_bot": True, "first_name": "tgauth development bot", "username": "tgauth_dev_bot"}

STATES: Mapping[str, Mapping[str, object]] = {
    "creator": {"is_anonymous": False},
    "administrator": {
        "can_be_edited": False,
        "is_anonymous": False,
        "can_manage_chat": True,
        "can_delete_messages": True,
        "can_manage_video_chats": True,
        "can_restrict_members": True,
        "can_promote_members": False,
        "can_change_info": True,
        "can_invite_users": True,
        "can_post_stories": False,
        "can_edit_stories": False,
        "can_delete_stories": False,
    },
    "member": {},
    "restricted": {"is_member": True, "can_send_messages": False, "until_date": 0},
    "left": {},
    "kicked": {"until_date": 0},
}
"""The fields of a ChatMember beside `user` and `status`, by status."""

SAMPLES: Mapping[int, str] = dict(zip(USERS, STATES, strict=False))
"""What the sample users are in the development bot's chat: one of each; the last of them it does not know."""

_ADDRESS = re.compile(r"/bot([^/]*)/([^/]*)")
_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
_NUMBER = re.compile(r"-?[0-9]{1,19}")
_REFUSALS = {
    "left": "Forbidden: bot is not a member of the supergroup chat",
    "kicked": "Forbidden: bot was kicked from the supergroup chat",
}


class BotApi:
    """What the Bot API answers the bot of `token`, which is in one chat.

    `members` has what each user is there: a status, or a status and fields of its own, such as
    `{"status": "restricted", "is_member": False}`; who is not in it is answered with `unknown_user`.
    `bot_status` is what the bot itself is; with `moved_to` the group has become a supergroup of that id. For
    tests: `faults` answer in place of a method, by path
    ("/getChatMember"), while they are set; `requests` has what arrived, without the token.
    """

    def __init__(self, token: str, members: Mapping[int, str | Mapping[str, object]] | None = None) -> None:
        self.token = token
        self.chat_id = CHAT_ID
        self.chat_name = CHAT_NAME
        self._lock = threading.Lock()
        self.reset(members)

    def reset(self, members: Mapping[int, str | Mapping[str, object]] | None = None) -> None:
        """As nobody has used it; `members` alone are known."""
        self.members: dict[int, str | Mapping[str, object]] = dict(members or {})
        self.bot_status = "administrator"
        self.moved_to: int | None = None
        self.unknown_user = "Bad Request: user not found"
        self.faults: dict[str, Callable[[Request], Response]] = {}
        self.requests: list[Received] = []

    @staticmethod
    def serves(path: str) -> frozenset[str]:
        """The methods of an address of the Bot API, whatever token and method it names; none for others."""
        return frozenset({"POST"}) if _ADDRESS.fullmatch(path) else frozenset()

    def answer(self, path: str, request: Request) -> Response:
        """What the method at `path`, which must be served, answers."""
        match = _ADDRESS.fullmatch(path)
        token, name = match.groups() if match else ("", "")
        received = Received(request.method, f"/{name}", Headers(list(request.headers)), request.get_data())
        with self._lock:
            self.requests.append(received)
        if fault := self.faults.get(received.path):
            return fault(request)
        if not _TOKEN.fullmatch(token):
            return refusal(HTTPStatus.NOT_FOUND, "Not Found")
        if token != self.token:
            return refusal(HTTPStatus.UNAUTHORIZED, "Unauthorized")
        if name == "getMe":
            return success({"id": self._bot_id, **BOT})
        if received.path != METHOD_PATH:
            return refusal(HTTPStatus.NOT_FOUND, "Not Found")
        try:
            return self._chat_member(_parameters(request))
        except ValueError:
            return refusal(HTTPStatus.BAD_REQUEST, "Bad Request: can't parse JSON object")

    @property
    def _bot_id(self) -> int:
        return int(self.token.partition(":")[0])

    def _chat_member(self, asked: Mapping[str, str]) -> Response:
        chat, user = asked.get("chat_id", ""), asked.get("user_id", "")
        if not chat:
            return refusal(HTTPStatus.BAD_REQUEST, "Bad Request: chat_id is empty")
        if chat.lower() not in (str(self.chat_id), self.chat_name.lower()):
            return refusal(HTTPStatus.BAD_REQUEST, "Bad Request: chat not found")
        if self.moved_to is not None:
            text = "Bad Request: group chat was upgraded to a supergroup chat"
            return refusal(HTTPStatus.BAD_REQUEST, text, migrate_to_chat_id=self.moved_to)
        if not _NUMBER.fullmatch(user) or int(user) <= 0:
            return refusal(HTTPStatus.BAD_REQUEST, "Bad Request: invalid user_id specified")
        if self.bot_status in _REFUSALS:
            return refusal(HTTPStatus.FORBIDDEN, _REFUSALS[self.bot_status])
        state = self.bot_status if int(user) == self._bot_id else self.members.get(int(user))
        if state is None:
            return refusal(HTTPStatus.BAD_REQUEST, self.unknown_user)
        return success(chat_member(int(user), state))


def chat_member(user_id: int, state: str | Mapping[str, object]) -> dict[str, Any]:
    """A ChatMember object for this user."""
    own = {"status": state} if isinstance(state, str) else state
    person = {"id": user_id, "is_bot": False, "first_name": "Somebody", **USERS.get(user_id, {})}
    return {"user": person, **STATES.get(str(own["status"]), {}), **own}


def success(result: object) -> Response:
    """What the Bot API answers when all is well."""
    return _json({"ok": True, "result": result})


def refusal(code: int, description: str, **parameters: int) -> Response:
    """What the Bot API answers otherwise; `parameters` are such as `retry_after`, in seconds."""
    more = {"parameters": parameters} if parameters else {}
    return _json({"ok": False, "error_code": int(code), "description": description, **more}, code)


def _parameters(request: Request) -> dict[str, str]:
    """What was asked, in a JSON object; raises ValueError."""
    body = json.loads(request.get_data())
    if not isinstance(body, dict):
        raise ValueError
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}


def _json(value: object, status: int = HTTPStatus.OK) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), status, mimetype="application/json")
