"""Whether somebody is in the chat (telegram/membership.py), against the simulated Bot API on a socket."""

import json
import logging

import pytest

from dev.telegram.bot_api import CHAT_ID, CHAT_NAME, METHOD_PATH, chat_member, refusal, success
from lib.tgauth import budget
from lib.tgauth.errors import IdentityProviderUnavailable, Misconfigured
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram.membership import check_member
from tests.unit.telegram.proofs import BOT_ID, BOT_TOKEN, NO_ANSWERS, answering, json_of, reset

ALICE, MARIA = 100000001, 100000002
SECRETS = (BOT_TOKEN, BOT_TOKEN.partition(":")[2], "canary")


def check(bot, user_id=ALICE, *, chat=CHAT_ID, token=BOT_TOKEN):
    env = {"TELEGRAM_BOT_TOKEN": token, "TELEGRAM_REQUIRE_CHAT": str(chat), "TELEGRAM_API_URL": bot.url}
    return check_member(user_id, settings=read_settings(env))


@pytest.fixture
def unavailable(bot, tells_nothing):
    """`unavailable()`: that the check fails with `IdentityProviderUnavailable`, which tells nothing."""

    def checked():
        with pytest.raises(IdentityProviderUnavailable) as caught:
            check(bot)
        tells_nothing(caught.value, SECRETS)

    return checked


@pytest.fixture
def bot(running):
    """The simulated Bot API without faults, in whose chat Alice is."""
    running.bot_api.reset()
    running.bot_api.members[ALICE] = "member"
    yield running
    running.bot_api.reset()
    budget.stop()


# What is asked, and what the answers mean


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("creator", "member"),
        ("administrator", "member"),
        ("member", "member"),
        ({"status": "member", "until_date": 1}, "member"),
        ({"status": "restricted", "is_member": True}, "member"),
        ({"status": "restricted", "is_member": False}, "outsider"),
        ("left", "outsider"),
        ("kicked", "outsider"),
        ({"status": "kicked", "is_member": True}, "outsider"),
    ],
    ids=str,
)
@pytest.mark.parametrize("chat", [CHAT_ID, CHAT_NAME])
def test_every_status(bot, state, expected, chat):
    """Creator, administrator and member are in the chat, who is restricted may be; the others are not."""
    bot.bot_api.members[ALICE] = state
    assert check(bot, chat=chat) == expected


def test_what_is_sent(bot):
    """One POST to getChatMember with the chat and the user, and nothing else of ours."""
    check(bot)
    (asked,) = bot.bot_api.requests
    assert (asked.method, asked.path) == ("POST", METHOD_PATH)
    assert json.loads(asked.body) == {"chat_id": str(CHAT_ID), "user_id": ALICE}
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["Accept-Encoding"] == "identity"
    for name in ("Cookie", "Authorization"):
        assert name not in asked.headers


@pytest.mark.parametrize(
    "text", ["user not found", "User not found", "PARTICIPANT_ID_INVALID", "member not found"]
)
def test_a_user_whom_the_chat_does_not_know(bot, text):
    """Telegram's texts for somebody who never was there, or whom it does not show to this bot."""
    bot.bot_api.unknown_user = f"Bad Request: {text}"
    assert check(bot, MARIA) == "unseen"


# What only the owner can mend


@pytest.mark.parametrize(
    ("options", "variable", "fix"),
    [
        ({"token": f"{BOT_ID}:AAcanary-wrong"}, "TELEGRAM_BOT_TOKEN", "copy it again from @BotFather"),
        ({"chat": -1009}, "TELEGRAM_REQUIRE_CHAT", "check the @name, or the id"),
        ({"chat": "@canary_chat"}, "TELEGRAM_REQUIRE_CHAT", "check the @name, or the id"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(bot, options, variable, fix, tells_nothing):
    """A token that Telegram refuses, or a chat that it does not know, is the owner's: the log says which."""
    with pytest.raises(Misconfigured, match=f"^{variable}: ") as caught:
        check(bot, **options)
    assert fix in caught.value.reason
    tells_nothing(caught.value, SECRETS)


@pytest.mark.parametrize(
    ("code", "text", "wrong", "fix"),
    [
        (400, "Bad Request: chat not found", "finds no such chat", "check the @name, or the id"),
        (400, "Bad Request: CHAT_ADMIN_REQUIRED", "may not see who is", "make it an administrator there"),
        (
            400,
            "Bad Request: member list is inaccessible",
            "may not see who is",
            "make it an administrator there",
        ),
        (400, "Bad Request: group chat was upgraded to a supergroup chat", "another id", "begins with -100"),
        (400, "Bad Request: group chat was deactivated", "was deleted", "another chat"),
        (403, "Forbidden: the group chat was deleted", "was deleted", "another chat"),
        (
            403,
            "Forbidden: bot is not a member of the supergroup chat",
            "is not in the chat",
            "add it to the chat",
        ),
        (403, "Forbidden: bot was kicked from the supergroup chat", "was removed", "list of removed users"),
        (400, "Bad Request: chat_id is empty", "cannot see this chat's members", "make it an administrator"),
        (400, "Bad Request: invalid user_id specified", "cannot see", "make it an administrator"),
        (400, "canary", "cannot see", "make it an administrator"),
        (403, "canary", "cannot see", "make it an administrator"),
        (404, "canary", "cannot see", "make it an administrator"),
        (401, "canary", "cannot see", "make it an administrator"),
    ],
)
def test_a_bot_that_may_not_look_is_the_owners_too(bot, code, text, wrong, fix, tells_nothing):
    """Then nobody is said to be outside: it is 503, with what is wrong and the fix, in words of ours."""
    bot.bot_api.faults[METHOD_PATH] = lambda _: refusal(code, text)
    with pytest.raises(Misconfigured, match=r"^TELEGRAM_REQUIRE_CHAT: ") as caught:
        check(bot)
    problem, _, advice = caught.value.reason.partition("; ")
    assert (wrong in problem, fix in advice) == (True, True), caught.value.reason
    tells_nothing(caught.value, SECRETS)


def test_a_group_that_became_a_supergroup(bot):
    """Telegram says its new id, and so does the log: that is what to set."""
    bot.bot_api.moved_to = -1001234567890
    with pytest.raises(Misconfigured) as caught:
        check(bot)
    assert caught.value.reason.endswith("; set TELEGRAM_REQUIRE_CHAT=-1001234567890")


@pytest.mark.parametrize("moved_to", ["canary", True, 5, 0, -(10**15), -1.5, None, {"canary": 1}], ids=repr)
def test_a_new_id_that_cannot_be_one(bot, moved_to):
    """What is not the id of a group is not told to be set."""
    text = "Bad Request: group chat was upgraded to a supergroup chat"
    bot.bot_api.faults[METHOD_PATH] = lambda _: refusal(400, text, migrate_to_chat_id=moved_to)
    with pytest.raises(Misconfigured) as caught:
        check(bot)
    assert caught.value.reason.endswith("; set the new id, which begins with -100")


@pytest.mark.parametrize("status", ["left", "kicked"])
def test_a_bot_that_was_put_out(bot, status):
    """A bot that is not in the chat sees nobody in it, members included."""
    bot.bot_api.bot_status = status
    with pytest.raises(Misconfigured, match=r"^TELEGRAM_REQUIRE_CHAT: "):
        check(bot)


@pytest.mark.parametrize(("code", "text"), [(401, "Unauthorized"), (404, "Not Found")])
def test_a_refused_token(bot, code, text):
    """A revoked token is 401 Unauthorized, one that is no token 404 Not Found."""
    bot.bot_api.faults[METHOD_PATH] = lambda _: refusal(code, text)
    with pytest.raises(Misconfigured, match=r"^TELEGRAM_BOT_TOKEN: "):
        check(bot)


# When Telegram answers nonsense, or not at all: neither yes nor no

MEMBER = chat_member(ALICE, "member")


NONSENSE = {
    **{name: answering(body, status) for name, (status, body) in NO_ANSWERS.items()},
    "reset": reset,
    "429": lambda _: refusal(429, "Too Many Requests: retry after 5", retry_after=5),
    "500 of the Bot API": lambda _: refusal(500, "Internal Server Error"),
    "cut before its end": answering(success(MEMBER).get_data()[:-1]),
    "two answers": answering(success(MEMBER).get_data() * 2),
    "result not UTF-8": answering(b'{"ok": true, "result": "\xff"}'),
    "list": json_of([{"ok": True, "result": MEMBER}]),
    "no result": json_of({"ok": True}),
    "no ok": json_of({"result": MEMBER}),
    "ok is 1": json_of({"ok": 1, "result": MEMBER}),
    "ok is text": json_of({"ok": "true", "result": MEMBER}),
    "ok is false": json_of({"ok": False, "result": MEMBER}),
    "result is true": json_of({"ok": True, "result": True}),
    "result is a list": json_of({"ok": True, "result": [MEMBER]}),
    "no description": json_of({"ok": False, "error_code": 400}, 400),
    "description is none": json_of({"ok": False, "error_code": 400, "description": None}, 400),
    "no code": json_of({"ok": False, "description": "Bad Request: user not found"}, 400),
    "code is text": json_of({"ok": False, "error_code": "400", "description": "user not found"}, 400),
    "code 409": json_of({"ok": False, "error_code": 409, "description": "user not found"}, 409),
    "code 500": json_of({"ok": False, "error_code": 500, "description": "user not found"}, 500),
}


@pytest.mark.parametrize("fault", NONSENSE)
def test_nonsense(bot, fault, unavailable):
    """What is no answer lets nobody in and puts nobody out, and is asked for once."""
    bot.bot_api.faults[METHOD_PATH] = NONSENSE[fault]
    unavailable()
    assert len(bot.bot_api.requests) == 1
    bot.bot_api.faults.clear()
    assert check(bot) == "member"


def without(name, **changes):
    return {key: value for key, value in {**MEMBER, **changes}.items() if key != name}


@pytest.mark.parametrize(
    "member",
    [
        chat_member(MARIA, "member"),
        chat_member(MARIA, "left"),
        chat_member(-ALICE, "member"),
        without("user"),
        without("status"),
        without("", user=None),
        without("", user=ALICE),
        without("", user={}),
        without("", user={"id": str(ALICE)}),
        without("", user={"id": None}),
        without("", user={"id": [ALICE]}),
        without("", status=None),
        without("", status=True),
        without("", status="Member"),
        without("", status="member "),
        without("", status="owner"),
        without("", status="canary"),
        without("", status=["member"]),
        without("is_member", status="restricted"),
        without("", status="restricted", is_member=None),
        without("", status="restricted", is_member=1),
        without("", status="restricted", is_member="true"),
    ],
    ids=repr,
)
def test_an_answer_about_somebody_else_or_something_else(bot, member, unavailable):
    """A result about another user, or with a status that is not documented, is none."""
    bot.bot_api.faults[METHOD_PATH] = json_of({"ok": True, "result": member})
    unavailable()


@pytest.mark.parametrize("status", [201, 203, 206, 302, 400, 401, 404, 429, 500, 502, 503])
def test_a_member_under_another_status_is_none(bot, status, unavailable):
    """Telegram says yes with 200 alone; under another status it is a proxy's or a half-failed answer."""
    bot.bot_api.faults[METHOD_PATH] = json_of({"ok": True, "result": MEMBER}, status)
    unavailable()


@pytest.mark.parametrize("status", [200, 302, 429, 500, 502, 503])
def test_a_refusal_under_another_status_is_none(bot, status, unavailable):
    """The same for no: what ends sessions must be an answer of the Bot API's, whose two codes agree."""
    bot.bot_api.faults[METHOD_PATH] = json_of(
        {"ok": False, "error_code": 400, "description": "Bad Request: user not found"}, status
    )
    unavailable()


# The token is in the address, so the address is a secret


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_no_line_of_any_logger_has_the_token(bot, level, caplog, tells_nothing):
    """Vercel's runtime logs what any library logs at INFO, and many log the address of each request."""
    caplog.set_level(level)
    for answer in (None, NONSENSE["502 HTML"], NONSENSE["429"], reset):
        bot.bot_api.faults = {METHOD_PATH: answer} if answer else {}
        try:
            check(bot)
        except IdentityProviderUnavailable as error:
            tells_nothing(error, SECRETS)
