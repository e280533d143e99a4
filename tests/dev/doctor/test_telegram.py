"""What the doctor asks Telegram, and what it makes of every answer (dev/doctor/telegram.py, login.py)."""

import json
import time
from email.utils import formatdate

import pytest
import requests
import responses

from dev.doctor.client import Client
from dev.doctor.login import check_login
from dev.doctor.report import line
from dev.doctor.telegram import check_bot
from lib.tgauth.settings import read_settings
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN

TOKEN = "123456789:AAE-test_token-of-no-bot"
CLIENT_SECRET = "client-secret-of-no-bot"
API = f"https://api.telegram.org/bot{TOKEN}"
OAUTH = "https://oauth.telegram.org"
ORIGIN = "https://example.com"
ME = {"id": 123456789, "is_bot": True, "first_name": "Example", "username": "Example_bot"}
HTML = "<html><h1>502 Bad Gateway</h1></html>"
CHAT = {"TELEGRAM_REQUIRE_CHAT": "-1001234567890"}


def answer(mock, method, result=None, *, status=200, **more):
    """What the Bot API says to a method."""
    body = {"ok": True, "result": result} if status == 200 else {"ok": False, "error_code": status, **more}
    mock.post(f"{API}/{method}", json=body, status=status)


def bot_answers(mock, webhook=None):
    """The Bot API knows the token, and tells of the webhook."""
    answer(mock, "getMe", ME)
    answer(mock, "getWebhookInfo", {"url": ""} if webhook is None else webhook)


def bot(**env):
    """The checks of the bot, by name."""
    settings = read_settings({"TELEGRAM_BOT_TOKEN": TOKEN, "AUTH_ORIGIN": ORIGIN, **env})
    return by_name(check_bot(settings, Client()))


def login(*wrong, **env):
    settings = read_settings({"TELEGRAM_BOT_TOKEN": TOKEN, "AUTH_ORIGIN": ORIGIN, **env})
    return by_name(check_login(settings, {*wrong}, Client()))


def by_name(checks):
    found = {check.name: check for check in checks}
    for check in found.values():
        assert bool(check.fix) == (check.status != "ok"), check
        assert not any(secret in line(check) for secret in (TOKEN, TOKEN[10:], CLIENT_SECRET))
    return found


def test_a_wrong_client_secret_is_no_wish_for_the_widget(web):
    """Where the client secret is set and wrong, nobody is told to enter the widget's domain at @BotFather."""
    assert not login("TELEGRAM_CLIENT_SECRET")
    assert not web.calls


def test_a_bot_that_is_all_right(web):
    """The token, the name in any case, the clock, and no webhook."""
    bot_answers(web)
    found = bot(TELEGRAM_BOT_USERNAME="@example_BOT")
    assert {name: check.status for name, check in found.items()} == {
        "bot-token": "ok",
        "bot-username": "ok",
        "webhook": "ok",
    }
    assert "@Example_bot" in found["bot-token"].message
    assert "TELEGRAM_BOT_USERNAME=Example_bot" in bot()["bot-username"].message


@pytest.mark.parametrize(("status", "said"), [(401, "Unauthorized"), (404, "Not Found")])
def test_a_token_that_telegram_refuses(web, status, said):
    """An old or mistyped token is a problem, and nothing else is asked with it."""
    answer(web, "getMe", status=status, description=said)
    (check,) = bot().values()
    assert (check.name, check.status) == ("bot-token", "problem")
    assert len(web.calls) == 1


@pytest.mark.parametrize(
    "failure",
    [
        {"body": requests.ConnectionError(f"https://x/bot{TOKEN}/getMe")},
        {"body": HTML, "status": 502},
        {"body": HTML, "status": 200},
        {"status": 302, "headers": {"Location": "https://elsewhere.example/"}},
        {"json": {"ok": False, "error_code": 429, "description": "Too Many Requests"}, "status": 429},
        {"json": {"ok": True, "result": {"id": 1, "username": "x"}}},
        {"json": [1]},
        {"body": "[" * 100_000},
    ],
)
def test_telegram_out_of_reach(web, failure):
    """No usable answer of Telegram's own host is a warning, since others may reach it; never a traceback."""
    web.post(f"{API}/getMe", **failure)
    (check,) = bot().values()
    assert (check.name, check.status) == ("bot-token", "warning")
    web.post(f"http://localhost:9/bot{TOKEN}/getMe", **failure)
    (check,) = bot(TELEGRAM_API_URL="http://localhost:9").values()
    assert (check.name, check.status) == ("bot-token", "problem")


def test_another_bots_name(web):
    """A name that is not the token's bot is a problem, with both names."""
    bot_answers(web)
    check = bot(TELEGRAM_BOT_USERNAME="other_bot")["bot-username"]
    assert check.status == "problem"
    assert "other_bot" in check.message
    assert "TELEGRAM_BOT_USERNAME=Example_bot" in check.fix


@pytest.mark.parametrize(
    ("offset", "status"), [(0, "ok"), (-20, "ok"), (40, "warning"), (-40, "warning"), (90, "problem")]
)
def test_the_clock(web, offset, status):
    """Over half of what logins tolerate is a warning, over that a problem."""
    date = formatdate(time.time() + offset, usegmt=True)
    web.post(f"{API}/getMe", json={"ok": True, "result": ME}, headers={"Date": date})
    assert bot()["clock"].status == status


def test_a_clock_that_cannot_be_read(web):
    """A Date that is none says nothing of clocks."""
    web.post(f"{API}/getMe", json={"ok": True, "result": ME}, headers={"Date": "today"})
    assert "clock" not in bot()


@pytest.mark.parametrize(
    ("info", "status", "says"),
    [
        ({"url": ""}, "ok", "none is set"),
        ({"url": "https://bot.example/hook/secret-path?s=1"}, "ok", "bot.example"),
        ({"url": "https://example.com/api/mybot"}, "ok", "example.com"),
        ({"url": "https://example.com/telegram/login"}, "warning", "takes none"),
        (
            {
                "url": "https://example.com/api/secret-path",
                "last_error_date": int(time.time()) - 60,
                "last_error_message": "Wrong response from the webhook: 401 Unauthorized",
                "pending_update_count": 7,
            },
            "warning",
            "401 Unauthorized); 7 are waiting",
        ),
        ({"url": "https://bot.example/", "last_error_date": int(time.time()) - 7200}, "ok", "bot.example"),
        ({"url": "https://[secret-path"}, "ok", "an unknown host"),
        ({}, "warning", "not what Telegram answers"),
        ([], "warning", "not what Telegram answers"),
    ],
)
def test_the_webhook(web, info, status, says):
    """A webhook that fails, or that leads into tgauth, is a warning; its path and query are not shown."""
    bot_answers(web, info)
    check = bot()["webhook"]
    assert (check.status, says in check.message) == (status, True), check
    assert "secret-path" not in line(check)


def test_a_webhook_that_is_not_told(web):
    """The connection breaks after the first answer."""
    answer(web, "getMe", ME)
    assert bot()["webhook"].status == "warning"


@pytest.mark.parametrize(
    ("chat", "member", "status", "says"),
    [
        ({"type": "supergroup"}, {"status": "administrator"}, "ok", "sees who"),
        ({"type": "channel"}, {"status": "creator"}, "ok", "sees who"),
        ({"type": "supergroup"}, {"status": "member"}, "warning", "no administrator"),
        ({"type": "supergroup"}, {"status": "restricted"}, "warning", "no administrator"),
        ({"type": "supergroup"}, {"status": "left"}, "problem", "is not in the chat"),
        ({"type": "supergroup"}, {"status": "kicked"}, "problem", "was removed from the chat"),
        ({"type": "private"}, {"status": "member"}, "problem", "id of a person"),
        ({"type": "supergroup"}, {"status": "unheard of"}, "warning", "not what Telegram answers"),
        (400, (400, "Bad Request: chat not found"), "problem", "chat not found"),
        (403, (403, "Forbidden: bot was kicked from the supergroup chat"), "problem", "was kicked"),
        ({"type": "supergroup"}, None, "warning", "cannot be reached"),
    ],
)
def test_the_chat_whose_members_may_log_in(web, chat, member, status, says):
    """The bot must be an administrator of it: everything else is told from what Telegram says of the bot."""
    bot_answers(web)
    if isinstance(chat, int):
        answer(web, "getChat", status=chat, description="no")
    else:
        answer(web, "getChat", {"id": -1001234567890, **chat})
    if isinstance(member, tuple):
        answer(web, "getChatMember", status=member[0], description=member[1])
    elif member:
        answer(web, "getChatMember", {"user": ME, **member})
    check = bot(**CHAT)["require-chat"]
    assert (check.status, says in check.message) == (status, True), check
    if member:
        asked = json.loads(web.calls[-1].request.body)
        assert asked == {"chat_id": "-1001234567890", "user_id": 123456789}


def test_the_development_bot_is_not_asked_about(web):
    """Telegram does not know it."""
    assert bot(TELEGRAM_BOT_TOKEN=DEVELOPMENT_BOT_TOKEN, VERCEL_ENV="development")["bot-token"].status == "ok"
    assert login(TELEGRAM_BOT_TOKEN=DEVELOPMENT_BOT_TOKEN, VERCEL_ENV="development").keys() == {"login"}
    assert len(web.calls) == 0


@pytest.mark.parametrize(
    ("reply", "status", "says"),
    [
        ({"body": "<html>Log in</html>"}, "ok", "nothing against example.com"),
        ({"body": "Bot domain invalid"}, "problem", "not this bot's domain"),
        ({"body": HTML, "status": 502}, "warning", "502"),
        ({"body": requests.ReadTimeout(TOKEN)}, "warning", "within 10 seconds"),
    ],
)
def test_the_widgets_domain(web, reply, status, says):
    """Telegram's page says when a domain is not the bot's; what to send to @BotFather is said in any case."""
    web.get(f"{OAUTH}/auth", **reply)
    found = login()
    assert "send example.com" in found["login"].message
    assert (found["widget-domain"].status, says in found["widget-domain"].message) == (status, True)
    assert "origin=https%3A%2F%2Fexample.com&" in web.calls[0].request.url


@pytest.mark.parametrize(
    ("known", "status"), [("example.com", "ok"), ("www.example.com", "ok"), ("other.example", "problem")]
)
def test_the_widgets_domain_with_a_twin(web, known, status):
    """Without AUTH_ORIGIN the bot's domain may be that of either name, with www. or without."""

    def answer(request):
        registered = f"origin=https%3A%2F%2F{known}&" in request.url
        return 200, {}, "Log in" if registered else "Bot domain invalid"

    web.add_callback(responses.GET, f"{OAUTH}/auth", callback=answer)
    found = login(AUTH_ORIGIN="", VERCEL_PROJECT_PRODUCTION_URL="example.com")
    assert "send example.com or www.example.com, whichever" in found["login"].message
    assert found["widget-domain"].status == status


def test_the_allowed_urls_with_a_twin(web):
    """Without AUTH_ORIGIN the Allowed URLs of both names are said; with it, those of one."""
    other = "https://www.example.com/telegram/callback and https://www.example.com"
    both = {"TELEGRAM_CLIENT_SECRET": CLIENT_SECRET, "VERCEL_PROJECT_PRODUCTION_URL": "example.com"}
    web.post(f"{OAUTH}/token", json={"error": "invalid_grant"}, status=400)
    web.get(f"{OAUTH}/.well-known/jwks.json", body=HTML)
    assert other in login(AUTH_ORIGIN="", **both)["login"].message
    assert "www." not in login(**both)["login"].message


def test_what_to_enter_while_the_domain_is_not_known(web):
    """It is said in words, which nobody copies; and that a new bot should have OpenID Connect."""
    web.post(f"{OAUTH}/token", json={"error": "invalid_grant"}, status=400)
    web.get(f"{OAUTH}/.well-known/jwks.json", body=HTML)
    widget = login(AUTH_ORIGIN="")["login"].message
    assert widget.endswith("choose the bot, send your site's domain")
    assert "a new bot should have OpenID Connect: README.md#at-botfather" in widget
    urls = login(AUTH_ORIGIN="", TELEGRAM_CLIENT_SECRET=CLIENT_SECRET)["login"].message
    assert "your site's origin (https:// and its domain), and the same with /telegram/callback" in urls
    assert "your-domain" not in widget + urls


def oidc(web, reply, keys=None):
    """Telegram's OpenID Connect: what the token endpoint says, and the keys."""
    web.post(f"{OAUTH}/token", **reply)
    web.get(f"{OAUTH}/.well-known/jwks.json", **(keys or {"body": HTML}))
    return login(TELEGRAM_CLIENT_SECRET=CLIENT_SECRET)


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ({"json": {"error": "invalid_grant"}, "status": 400}, "ok"),
        ({"json": {"error": "invalid_client"}, "status": 401}, "problem"),
        ({"json": {"error": "invalid_request"}, "status": 400}, "warning"),
        ({"json": {"error": "unauthorized_client"}, "status": 400}, "warning"),
        ({"body": HTML, "status": 502}, "warning"),
        ({"json": {"id_token": "x"}}, "warning"),
        ({"body": requests.ConnectionError(CLIENT_SECRET)}, "warning"),
    ],
)
def test_the_client_secret(web, reply, status):
    """Telegram refuses the client, or the code, which is none: that tells whether the secret is right."""
    found = oidc(web, reply)
    assert found["client-secret"].status == status
    message = found["login"].message
    assert f"{ORIGIN}/telegram/callback and {ORIGIN}" in message
    assert web.calls[0].request.headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("secret", "says", "env"),
    [
        ("123456789", "is the bot's id", {}),
        ("9876543210", "is a number", {}),
        (TOKEN[10:], "second half", {}),
        ("0123456789abcdef0123456789abcdeX", "another", {"AUTH_SECRET": "0123456789abcdef0123456789abcdeX"}),
        ("https://example.com", "an address", {}),
    ],
)
def test_what_a_client_secret_is_mistaken_for(web, secret, says, env):
    """Something else in its place is seen without asking, and is not sent."""
    web.get(f"{OAUTH}/.well-known/jwks.json", body=HTML)
    found = login(TELEGRAM_CLIENT_SECRET=secret, **env)
    assert found["client-secret"].status == "problem"
    assert says in found["client-secret"].message
    assert [call.request.method for call in web.calls] == ["GET"]


@pytest.mark.parametrize(
    "keys",
    [
        {"body": HTML},
        {"json": {"keys": []}},
        {"body": HTML, "status": 502},
        {"body": requests.ConnectionError("no")},
    ],
)
def test_telegrams_keys(web, keys):
    """Without one that can be used logins fail; the simulated Telegram's are those of test_setups.py."""
    assert (
        oidc(web, {"json": {"error": "invalid_grant"}, "status": 400}, keys)["oidc-keys"].status == "warning"
    )


def test_a_login_that_is_not_for_here(web):
    """A preview's browsers go to production, and a bot's id alone lets no browser in."""
    secret = "0123456789abcdef0123456789abcdef"
    assert not login(VERCEL_ENV="preview", AUTH_RELAY_SECRET=secret)
    assert not login(TELEGRAM_BOT_TOKEN="", TELEGRAM_BOT_ID="1", AUTH_SECRET=secret)
    assert len(web.calls) == 0
