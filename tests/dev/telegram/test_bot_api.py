"""dev/telegram/bot_api.py: the simulated Bot API answers getChatMember as Telegram documents it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from werkzeug.test import Client

from dev.telegram.app import Telegram
from dev.telegram.bot_api import CHAT_ID, CHAT_NAME, METHOD_PATH, SAMPLES, STATES, refusal
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


def test_who_is_no_sample_user(telegram: Serving) -> None:
    """A test may put anybody into the chat."""
    telegram.bot_api.members[7] = "left"
    found = ask(telegram, user_id=7)["result"]
    assert found == {"user": {"id": 7, "is_bot": False, "first_name": "Somebody"}, "status": "left"}


@pytest.mark.parametrize("send", ["json", "text in json", "form", "multipart", "query", "get"])
def test_four_ways_to_pass_parameters(telegram: Serving, send: str) -> None:
    """They come as JSON, as a form, as a form with parts, or in the query, with GET or POST."""
    url, texts = f"{telegram.url}/bot{TOKEN}/getChatMember", {n: str(value) for n, value in ASKED.items()}
    answer = {
        "json": lambda: HTTP.post(url, json=ASKED),
        "text in json": lambda: HTTP.post(url, json=texts),
        "form": lambda: HTTP.post(url, data=texts),
        "multipart": lambda: HTTP.post(url, files={name: (None, text) for name, text in texts.items()}),
        "query": lambda: HTTP.post(url, params=texts),
        "get": lambda: HTTP.get(url, params=texts),
    }[send]()
    assert (answer.status_code, answer.json()["result"]["status"]) == (200, "member")


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


def test_unknown_users_have_several_descriptions(telegram: Serving) -> None:
    """Telegram has been seen to say it in more than one way."""
    for text in ("Bad Request: PARTICIPANT_ID_INVALID", "Bad Request: member not found"):
        telegram.bot_api.unknown_user = text
        assert ask(telegram, user_id=5)["description"] == text


@pytest.mark.parametrize(
    ("status", "verb"), [("left", "bot is not a member of"), ("kicked", "bot was kicked from")]
)
def test_a_bot_outside_the_chat(telegram: Serving, status: str, verb: str) -> None:
    """It is told nothing, whoever it asks about."""
    telegram.bot_api.bot_status = status
    found = ask(telegram)
    assert (found["error_code"], found["description"]) == (403, f"Forbidden: {verb} the supergroup chat")


def test_method_names_have_no_case(telegram: Serving) -> None:
    """`getchatmember` is the same method."""
    assert ask(telegram, method="getchatmember")["ok"]


def test_json_that_is_none(telegram: Serving) -> None:
    """A body that says it is JSON and is none is refused."""
    for body in (b"{", b"[]", b'"x"'):
        headers = {"Content-Type": "application/json"}
        answer = HTTP.post(f"{telegram.url}/bot{TOKEN}/getChatMember", content=body, headers=headers)
        assert (answer.status_code, answer.json()["ok"]) == (400, False)


def test_other_http_methods(telegram: Serving) -> None:
    """Only GET and POST are known."""
    answer = HTTP.put(f"{telegram.url}/bot{TOKEN}/getChatMember")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


def test_faults_and_requests(telegram: Serving) -> None:
    """A fault answers while it is set, and what arrived is kept, without the token of its address."""
    telegram.bot_api.faults[METHOD_PATH] = lambda _: refusal(
        429, "Too Many Requests: retry after 5", retry_after=5
    )
    found = ask(telegram)
    assert (found["error_code"], found["parameters"]) == (429, {"retry_after": 5})
    telegram.bot_api.faults.clear()
    assert ask(telegram)["ok"]
    assert [(request.method, request.path) for request in telegram.bot_api.requests] == [
        ("POST", METHOD_PATH)
    ] * 2
    assert TOKEN not in repr(telegram.bot_api.requests)
    telegram.bot_api.reset()
    assert telegram.bot_api.requests == []
    assert ask(telegram)["description"] == "Bad Request: user not found"


def test_without_a_token_there_is_no_bot() -> None:
    """A simulated Telegram that was given no bot knows none."""
    with serving(redirect_origin="https://x.example", client_id="1", client_secret="s") as found:
        assert ask(found)["error_code"] == 401


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
