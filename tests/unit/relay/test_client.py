"""A preview asks production whose login a code is (relay/client.py), and what may come of it."""

import json
import traceback
from http.client import HTTPException

import pytest

from lib.tgauth import log
from lib.tgauth.errors import IdentityProviderUnavailable, LoginRejected, Misconfigured
from lib.tgauth.http_client import Answer
from lib.tgauth.relay import client as relay_client
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram import http
from lib.tgauth.telegram.transaction import begin
from lib.tgauth.user import TelegramUser
from tests.unit.telegram.proofs import NO_ANSWERS, NOW

HOST = "myapp-1x2y3z-myteam.vercel.app"
CODE = f"{HOST}~canary-code"
SECRET = "canary-relay-secret-0123456789-01"
USER = {"id": 77123456, "first_name": "CanaryFirst"}
WHOLE = {
    "id": (1 << 52) - 1,
    "first_name": "Иван «Ваня» 🦊",
    "last_name": "O'Neil & Sons <b>",
    "username": "canary_username",
    "photo_url": "https://t.me/i/userpic/320/canary_photo.jpg",
    "language_code": "ru",
    "is_premium": True,
    "allows_write_to_pm": False,
    "sub": "1234567890123456789",
    "phone_number": "8880007123456",
}


class Production:
    """In place of the HTTP client: production, as far as a preview sees it, which gives one answer."""

    url = "https://production.example"

    def __init__(self):
        self.seen = []
        self.reply = (200, {"user": USER})

    def send(self, method, url, headers, body):
        self.seen.append((method, url, headers, body))
        if isinstance(self.reply, Exception):
            raise self.reply
        status, value = self.reply
        return Answer(status, value if isinstance(value, bytes) else json.dumps(value).encode())


@pytest.fixture
def production(monkeypatch):
    """It says that everybody is `USER`."""
    made = Production()
    monkeypatch.setattr(http, "_client", made)
    return made


def preview(url, **env):
    return read_settings(
        {
            "TELEGRAM_BOT_TOKEN": "123456789:AAE-test",
            "AUTH_SECRET": "s" * 32,
            "AUTH_RELAY_SECRET": SECRET,
            "AUTH_RELAY_URL": url,
            "VERCEL_ENV": "preview",
            **env,
        }
    )


def redeemed(url, transaction=None, origin=f"https://{HOST}", **env):
    settings = preview(url, **env)
    transaction = transaction or begin(settings, return_to="/", now=NOW)[0]
    return relay_client.ask_production(CODE, transaction, settings=settings, origin=origin)


def unavailable(url):
    """Why it counts as no answer."""
    with pytest.raises(IdentityProviderUnavailable) as caught:
        redeemed(url)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    for secret in ("canary", "production.example", HOST, SECRET):
        assert secret not in caught.value.reason
    return caught.value.reason


def test_what_is_asked(production):
    """One POST to production's relay with code, verifier and our host, and with nothing else of ours."""
    transaction, _ = begin(preview(production.url), return_to="/", now=NOW)
    redeemed(production.url, transaction)
    ((method, url, headers, body),) = production.seen
    assert (method, url) == ("POST", f"{production.url}/telegram/relay")
    assert json.loads(body) == {"code": CODE, "verifier": transaction.verifier, "host": HOST}
    assert headers == {"Accept": "application/json", "Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://a.example.com:8443", "a.example.com:8443"),
        ("http://preview.localhost:3001", "preview.localhost:3001"),
    ],
)
def test_the_host_is_the_origins(production, origin, host):
    """What production compares with the ticket: the port belongs to it, the scheme does not."""
    redeemed(production.url, origin=origin)
    assert json.loads(production.seen[0][3])["host"] == host


def test_who_it_is(production):
    """The user as production knows them, every field of it, and the proof of a login by relay, used once."""
    production.reply = (200, {"user": WHOLE})
    settings = preview(production.url)
    transaction, _ = begin(settings, return_to="/", now=NOW)
    user, proof = relay_client.ask_production(CODE, transaction, settings=settings, origin=f"https://{HOST}")
    assert user == TelegramUser(**WHOLE)
    assert user.to_json() == WHOLE
    assert (proof.method, proof.one_time, proof.issued_at) == ("relay", True, NOW)
    assert proof.check_string == transaction.proof.check_string
    assert proof.window == transaction.proof.window


def test_a_newer_production_may_say_more(production):
    """Previews of an older version go on working: what they do not know is left out."""
    production.reply = (200, {"user": {**USER, "stars": 5}, "canary": [1]})
    assert redeemed(production.url)[0] == TelegramUser(**USER)


WRONG_USERS = {
    "nobody": None,
    "a list": [USER],
    "text": "canary",
    "a number": 77123456,
    "nothing in it": {},
    "no id": {"first_name": "canary"},
    "id is text": {**USER, "id": "77123456"},
    "id is true": {**USER, "id": True},
    "id is a fraction": {**USER, "id": 77123456.0},
    "id is null": {**USER, "id": None},
    "id is zero": {**USER, "id": 0},
    "id is negative": {**USER, "id": -77123456},
    "id has over 52 bits": {**USER, "id": 1 << 52},
    "id has over 64 bits": {**USER, "id": 1 << 64},
}


@pytest.mark.parametrize("user", WRONG_USERS.values(), ids=WRONG_USERS)
def test_what_is_no_user_is_nobody(production, user):
    """Nothing is coerced, and no id that Telegram does not have gets any further."""
    production.reply = (200, {"user": user})
    unavailable(production.url)


@pytest.mark.parametrize(
    "said",
    [
        *({}, {"first_name": ""}, {"first_name": None}, {"first_name": 5}, {"first_name": "\ud83e"}),
        *({"last_name": 5}, {"username": {}}, {"photo_url": True}, {"language_code": ["ru"]}),
        *({"is_premium": "true"}, {"allows_write_to_pm": 1}, {"sub": 5}, {"phone_number": 8880007123456}),
    ],
    ids=str,
)
def test_what_is_not_known_of_a_user(production, said):
    """Whom production names logs in with what is known; a value of another type counts as absent."""
    production.reply = (200, {"user": {"id": 77123456, **said}})
    assert redeemed(production.url)[0] == TelegramUser(77123456, "")


GOOD = json.dumps({"user": USER}).encode()
UNUSABLE = {
    **NO_ANSWERS,
    "a list": (200, [{"user": USER}]),
    "half": (200, GOOD[:-2]),
    "two": (200, GOOD + GOOD),
    "not UTF-8": (200, b'{"user": {"id": 1, "first_name": "\xff"}}'),
    "deep user": (200, b'{"user":' * 7_000),
    "NaN": (200, b'{"user": {"id": NaN, "first_name": "canary"}}'),
    "long number": (200, b'{"user": {"id": ' + b"9" * 5000 + b', "first_name": "canary"}}'),
    "201": (201, {"user": USER}),
    "206": (206, {"user": USER}),
    "302": (302, {"user": USER}),
    "401": (401, {"code": "unauthenticated"}),
    "401 HTML": (401, b"<html>canary: authentication required</html>"),
    "403": (403, b"<html>canary</html>"),
    "404": (404, {"code": "not_found"}),
    "405": (405, {"code": "method_not_allowed"}),
    "413": (413, {"code": "body_too_large"}),
    "429": (429, b"canary"),
    "500 with a user": (500, {"user": USER}),
    "503": (503, {"code": "shared_store_required"}),
    "no connection": ConnectionRefusedError("canary"),
    "too late": TimeoutError("canary"),
    "no HTTP": HTTPException("canary"),
}


@pytest.mark.parametrize("reply", UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_answer(production, reply):
    """Whatever else production says, it is asked once, and nobody is logged in for it."""
    production.reply = reply
    unavailable(production.url)
    assert len(production.seen) == 1


@pytest.mark.parametrize(
    "body",
    [{"code": "invalid_grant"}, {"code": "malformed_request"}, {"user": USER}, b"<html>canary</html>", b""],
)
def test_a_refusal(production, body):
    """400, whatever it comes with, is a code that is not good."""
    production.reply = (400, body)
    with pytest.raises(LoginRejected) as caught:
        redeemed(production.url)
    assert "canary" not in caught.value.reason
    assert len(production.seen) == 1


def test_without_an_address():
    """The owner is told which variable is missing."""
    with pytest.raises(Misconfigured, match=r"^AUTH_RELAY_URL: "):
        redeemed("")


def test_no_traceback_shows_a_secret(production):
    """What an error tracker prints of a failure has no code, verifier, address or answer."""
    settings = preview(production.url)
    transaction, _ = begin(settings, return_to="/", now=NOW)
    for reply in (*((status, b"canary-answer") for status in (500, 200, 400)), OSError("canary-answer")):
        production.reply = reply
        with pytest.raises((IdentityProviderUnavailable, LoginRejected)) as caught:
            relay_client.ask_production(CODE, transaction, settings=settings, origin=f"https://{HOST}")
        shown = "".join(traceback.format_exception(caught.value)) + str(log.stack(caught.value.__traceback__))
        for secret in (CODE, transaction.verifier, production.url, "canary-answer", SECRET):
            assert secret not in shown
