"""dev/telegram/bot_api.py: the simulated Bot API answers getChatMember as Telegram documents it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from werkzeug.test import Client

from dev.telegram.app import Telegram
from dev.telegram.bot_api import CHAT_ID, CHAT_NAME, SAMPLES, STATES
from dev.telegram.serving import Serving, serving
from dev.telegram.users import USERS
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN

TOKEN = "987654321:AAbot-api_0123456789"
ALICE = 100000001
ASKED = {"chat_id": CHAT_ID, "user_id": ALICE}
HTTP = httpx.Client(trust_env=False)


@pytest.fixture(scope="module")
def running() -> Iterator[Serving]:
    with serving(
        redirect_origin="https://x.example", client_id="1", client_secret="s", bot_token=TOKEN
    ) as found:
        yield found


@pytest.fixture
def telegram(running: Serving) -> Serving:
    running.bot_api.reset()
    running.bot_api.members[ALICE] = "member"
    return running


def ask(telegram: Serving, token: str = TOKEN, method: str = "getChatMember", **fields: Any) -> Any:
    """The answer to a JSON body, after a look at its form."""
    answer = HTTP.post(f"{telegram.url}/bot{token}/{method}", json={**ASKED, **fields})
    assert answer.headers["Content-Type"] == "application/json"
    value = answer.json()
    assert value["ok"] is (answer.status_code == 200)
    assert value.get("error_code", 200) == answer.status_code
    return value


@pytest.mark.parametrize("status", STATES)
def test_every_status(telegram: Serving, status: str) -> None:
    """A ChatMember has its user, its status, and the fields that this status has."""
    telegram.bot_api.members[ALICE] = status
    found = ask(telegram)["result"]
    assert found == {"user": {**USERS[ALICE], "is_bot": False}, "status": status, **STATES[status]}


def test_restricted_inside_and_outside(telegram: Serving) -> None:
    """Who is restricted may have left; `is_member` says so, and only there."""
    for inside in (True, False):
        telegram.bot_api.members[ALICE] = {"status": "restricted", "is_member": inside}
        assert ask(telegram)["result"]["is_member"] is inside
    assert [status for status, fields in STATES.items() if "is_member" in fields] == ["restricted"]


@pytest.mark.parametrize("chat", [CHAT_ID, str(CHAT_ID), CHAT_NAME, CHAT_NAME.upper()])
def test_names_of_the_chat(telegram: Serving, chat: Any) -> None:
    """A chat is asked for by its id, as a number or as text, or by its @name, in any case."""
    assert ask(telegram, chat_id=chat)["ok"]


@pytest.mark.parametrize(
    ("changes", "code", "description"),
    [
        ({"chat_id": -1001}, 400, "Bad Request: chat not found"),
        ({"chat_id": CHAT_NAME[1:]}, 400, "Bad Request: chat not found"),
        ({"chat_id": ""}, 400, "Bad Request: chat_id is empty"),
        ({"user_id": 5}, 400, "Bad Request: user not found"),
        ({"user_id": "Alice"}, 400, "Bad Request: invalid user_id specified"),
        ({"user_id": 0}, 400, "Bad Request: invalid user_id specified"),
        ({"token": "987654321:AAwrong"}, 401, "Unauthorized"),
        ({"token": "nonsense"}, 404, "Not Found"),
        ({"token": ""}, 404, "Not Found"),
        ({"method": "getNothing"}, 404, "Not Found"),
    ],
    ids=str,
)
def test_refusals(telegram: Serving, changes: dict[str, Any], code: int, description: str) -> None:
    """Each mistake has its code and description."""
    assert ask(telegram, **changes) == {"ok": False, "error_code": code, "description": description}


@pytest.mark.parametrize(
    ("status", "verb"), [("left", "bot is not a member of"), ("kicked", "bot was kicked from")]
)
def test_a_bot_outside_the_chat(telegram: Serving, status: str, verb: str) -> None:
    """It is told nothing, whoever it asks about."""
    telegram.bot_api.bot_status = status
    found = ask(telegram)
    assert (found["error_code"], found["description"]) == (403, f"Forbidden: {verb} the supergroup chat")


def test_the_development_bots_chat() -> None:
    """In the development bot's chat the sample users are one of each, and one is not known there."""
    client = Client(Telegram("http://localhost:3000"))
    found = {}
    for user_id in USERS:
        asked = {"chat_id": CHAT_NAME, "user_id": user_id}
        answer = client.post(f"/_telegram/bot{DEVELOPMENT_BOT_TOKEN}/getChatMember", json=asked)
        found[user_id] = (answer.get_json().get("result") or {}).get("status")
    assert {user_id: status for user_id, status in found.items() if status} == SAMPLES
    assert list(SAMPLES.values()) == list(STATES)
    assert list(found.values()).count(None) == 1
    index = client.get("/_telegram/").text
    assert CHAT_NAME in index
