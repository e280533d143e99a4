"""What schemathesis cannot know: how somebody logs in at Telegram, and the formats that are our own.

It runs in schemathesis's process. test_schemathesis.py says in variables where the server is and who asks.
"""

import hashlib
import itertools
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import requests
import schemathesis
from hypothesis import strategies as st

from dev.telegram.signing import sign_init_data, sign_widget
from dev.telegram.users import USERS
from lib.tgauth.relay.tickets import Ticket, _ticket_signer
from lib.tgauth.settings import read_settings
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN
from lib.tgauth.web.cookies import cookie_name

HOST, PREVIEW = "app.example", "app-git-fix-team.example"
ADMIN_TOKEN = "an-admin-token-of-32-characters-"
ENV = {
    "VERCEL_ENV": "development",
    "AUTH_ORIGIN": f"https://{HOST}",
    "ADMIN_TOKEN": ADMIN_TOKEN,
    "AUTH_RELAY_SECRET": "a-relay-secret-of-32-characters-",
    "AUTH_RELAY_HOSTS": PREVIEW,
}
"""What the server is started with: everything is set up, so that nothing is answered for a lack of it."""

_SERVER, _WHO = os.environ.get("TGAUTH_SERVER", ""), os.environ.get("TGAUTH_WHO", "")
_OWN_PAGE = {"Host": HOST, "Sec-Fetch-Site": "same-origin"}
_NAVIGATION = {"Host": HOST, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
_COOKIE = cookie_name(None)
_VERIFIER = "a-verifier-of-forty-three-characters-------"
_numbers = itertools.count()
_settings = read_settings({**ENV, "TELEGRAM_BOT_TOKEN": DEVELOPMENT_BOT_TOKEN})
_alice, _mei = USERS[100000001], USERS[100000003]


def _log_in(transport: str) -> str:
    """A new session's token."""
    fields = {**_alice, "last_name": f"N{next(_numbers)}", "auth_date": int(time.time())}
    body = {**sign_widget(fields, DEVELOPMENT_BOT_TOKEN), "transport": transport}
    answer = requests.post(f"{_SERVER}/telegram/login", json=body, headers=_OWN_PAGE, timeout=10)
    answer.raise_for_status()
    token: str = answer.json()["token"] if transport == "bearer" else answer.cookies[_COOKIE]
    return token


@schemathesis.auth(refresh_interval=None)
class Identity:
    """A genuine session for every request that can do with one, since the last may have ended it."""

    def get(self, case: schemathesis.Case, _: schemathesis.AuthContext) -> str | None:
        """The token, or None for who has none."""
        if _WHO == "anonymous" or not case.operation.definition.raw.get("security"):
            return None
        return ADMIN_TOKEN if case.path == "/stats" else _log_in(_WHO)

    def set(self, case: schemathesis.Case, data: str, _: schemathesis.AuthContext) -> None:
        """Present it, in place of what was made up."""
        if case.path == "/stats" or _WHO == "bearer":
            case.headers["Authorization"] = f"Bearer {data}"
        else:
            case.headers.pop("Authorization", None)
            case.headers.setdefault("Sec-Fetch-Site", "same-origin")
            case.cookies[_COOKIE] = data


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Let every other well-formed request that needs something of Telegram's or a preview's have it."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if _WHO == "anonymous" and "Authorization" in case.headers:
        # What a token is made of is RFC 6750's; OpenAPI has no place for it, so schemathesis takes any text.
        case.headers["Authorization"] = f"Bearer made-up.{next(_numbers)}"
    if next(_numbers) % 2:
        return
    match case.method, case.path:
        case "GET", "/telegram/callback":
            case.query, cookies = _come_back()
            case.cookies.update(cookies)
        case "GET", "/telegram/relay":
            case.query = {"ticket": _ticket()}
        case "POST", "/telegram/relay" if _WHO != "anonymous":
            case.body = {"ticket": _ticket(), "user": _alice["id"]}
        case "POST", "/telegram/relay":
            case.body = {"code": _code(), "verifier": _VERIFIER, "host": PREVIEW}


@schemathesis.check
def only_grants_are_refused(_: Any, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """For /telegram/relay, where schemathesis.toml lets 400 pass: what is well-formed is not malformed."""
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if positive and response.status_code == 400 and case.path == "/telegram/relay":
        assert response.json()["code"] == "invalid_grant"


def _come_back() -> tuple[dict[str, str], Mapping[str, str]]:
    """The query that the simulated Telegram sends a browser back with, and the cookies of that browser."""
    begun = _go(f"{_SERVER}/telegram/start")
    agreed = _go(f"{begun.headers['Location']}&user={_alice['id']}")
    return dict(parse_qsl(urlsplit(agreed.headers["Location"]).query)), begun.cookies.get_dict()


def _go(address: str) -> requests.Response:
    return requests.get(address, headers=_NAVIGATION, allow_redirects=False, timeout=10)


def _ticket() -> str:
    """What a preview sends a browser to production with."""
    challenge = urlsafe_b64encode(hashlib.sha256(_VERIFIER.encode()).digest()).rstrip(b"=").decode("ascii")
    ticket = Ticket(PREVIEW, f"{next(_numbers):024}", challenge, int(time.time()))
    return ticket.sign(_ticket_signer(_settings))


def _code() -> str:
    """What production sends that browser back with."""
    headers = {**_OWN_PAGE, "Authorization": f"Bearer {_log_in('bearer')}"}
    body = {"ticket": _ticket(), "user": _alice["id"]}
    answer = requests.post(f"{_SERVER}/telegram/relay", json=body, headers=headers, timeout=10)
    return parse_qs(urlsplit(answer.json()["url"]).query)["code"][0]


def _init_data(number: int) -> str:
    fields = {"query_id": f"q{number}", "user": _mei, "auth_date": int(time.time())}
    return sign_init_data(fields, DEVELOPMENT_BOT_TOKEN)


_SEGMENTS = st.lists(st.text("abcXYZ019-_~&=:+", min_size=1, max_size=8), max_size=4)
schemathesis.openapi.format("return-to", _SEGMENTS.map(lambda parts: "/to/" + "/".join(parts)))
schemathesis.openapi.format("init-data", st.integers(0, 1 << 40).map(_init_data))
schemathesis.openapi.format("telegram-id", st.integers(1, (1 << 52) - 1).map(str))
