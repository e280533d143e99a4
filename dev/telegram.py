"""The simulated Telegram below /_telegram: it confirms logins and hands out proofs, for local development.

What it signs has the form that Telegram's has (see dev/signing.py), always with the public development
token, so nothing from here is worth anything to a real bot.
"""

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from markupsafe import Markup
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from dev.pages import page
from dev.signing import Field, bot_id, sign_init_data, sign_widget, tg_auth_result
from lib.environment import DEVELOPMENT_BOT_TOKEN

BOT_ID = str(bot_id(DEVELOPMENT_BOT_TOKEN))

type User = dict[str, Any]

_SAMPLES: tuple[User, ...] = (
    {"id": 100000001, "first_name": "Alice", "last_name": "Johnson", "username": "alice_dev"},
    {"id": 100000002, "first_name": "Мария", "last_name": "Соколова", "username": "maria_sokolova"},
    {"id": 100000003, "first_name": "Mei", "username": "mei_only"},
    {"id": 100000004, "first_name": "Иван", "last_name": "Безымянный"},
    {"id": 100000005, "first_name": "🦊 Lena", "last_name": "🌿", "username": "lena_fox"},
    {"id": 7000000006, "first_name": "Wolfeschlegelsteinhausenbergerdo" * 2, "username": "w" * 32},
    {"id": 100000007, "first_name": '<b>"Bobby"</b>', "last_name": "O'Tables & Co", "username": "o_tables"},
)

USERS: dict[int, User] = {user["id"]: user for user in _SAMPLES}
"""Sample users by id: Latin, Cyrillic, no last name, no username, emoji, a long name, HTML in a name."""

_BANNER = Markup('<p class="banner">Simulated Telegram: local development only</p>')
# Telegram's key for `signature` is its own. Any other gives data of the same form.
_SIGNING_KEY = hashlib.sha256(b"simulated Telegram").digest()

_lock = threading.Lock()
_last: dict[int, int] = {}


class Telegram:
    """The WSGI application; `origin` is the one that the development bot is linked to."""

    def __init__(self, origin: str) -> None:
        self._origin = origin.lower().rstrip("/")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request below /_telegram."""
        request = Request(environ)
        answers = {
            "/": self._index,
            "/auth": self._auth,
            "/widget": self._widget,
            "/init_data": self._init_data,
        }
        answer = answers.get(request.path.removeprefix("/_telegram") or "/")
        if answer is None:
            response = page("Not found", _BANNER + Markup("<h1>Not found</h1>"), HTTPStatus.NOT_FOUND)
        elif request.method not in {"GET", "HEAD"}:
            response = Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        else:
            response = answer(request)
        return response(environ, start_response)

    def _index(self, _: Request) -> Response:
        items = Markup("").join(
            Markup(
                '<li>{who}<p><a class="action" href="/#{launch}">Open as Mini App</a> '
                '<a href="/_telegram/widget?user={id}">widget</a> · '
                '<a href="/_telegram/init_data?user={id}">initData</a></p></li>\n'
            ).format(who=_who(user), launch=_launch(init_data(user, int(time.time()))), id=user["id"])
            for user in USERS.values()
        )
        body = _BANNER + Markup(
            "<h1>Simulated Telegram</h1>\n"
            '<p>Stands in for Telegram while you develop. Log in from <a href="/">your login page</a>: its '
            "button leads here, and you pick who you are. What comes back is signed as Telegram signs it, "
            "with the public development token of bot {bot}, linked to {origin}.</p>\n"
            "<p>A Mini App that Telegram opens logs in by itself. Your browser is not Telegram, so there the "
            "login page asks first.</p>\n"
            "<h2>Sample users</h2>\n<ul>{items}</ul>\n"
            "<h2>From the command line</h2>\n"
            "<pre>curl -s '{origin}/_telegram/init_data?user=100000001' |\n"
            "  curl -s {origin}/telegram/login -H 'Content-Type: application/json' -d @-</pre>\n"
            "<p><code>/_telegram/widget</code> and <code>/_telegram/init_data</code> take "
            "<code>age=600</code> (seconds) or <code>auth_date=1700000000</code>, for an old proof.</p>"
        ).format(bot=BOT_ID, origin=self._origin, items=items)
        return page("Simulated Telegram", body)

    def _auth(self, request: Request) -> Response:
        """What https://oauth.telegram.org/auth does: ask the user, then redirect with `#tgAuthResult=`."""
        origin, return_to = request.args.get("origin", ""), request.args.get("return_to", "")
        if (
            request.args.get("bot_id") != BOT_ID
            or origin.lower().rstrip("/") != self._origin
            or _origin_of(return_to) != self._origin
        ):
            return self._invalid(request)
        choice = request.args.get("user", "")
        if choice == "cancel":
            return redirect(f"{return_to}#tgAuthResult={tg_auth_result(False)}")
        if user := _find(choice):
            return redirect(f"{return_to}#tgAuthResult={tg_auth_result(widget(user, _next_time(user)))}")

        def link(value: object) -> str:
            return (
                f"?{urlencode({'bot_id': BOT_ID, 'origin': origin, 'return_to': return_to, 'user': value})}"
            )

        items = Markup("").join(
            Markup('<li>{}<p><a class="action" href="{}">Log in as {}</a></p></li>\n').format(
                _who(user), link(user["id"]), user["first_name"]
            )
            for user in USERS.values()
        )
        body = _BANNER + Markup(
            '<h1>Log in to {} as …</h1>\n<ul>{}</ul>\n<p><a class="action" href="{}">Cancel</a></p>'
        ).format(self._origin, items, link("cancel"))
        return page("Log in (simulated Telegram)", body)

    def _invalid(self, request: Request) -> Response:
        """Telegram says no more than the title, with status 200; here the reason is worth knowing."""
        body = _BANNER + Markup(
            "<h1>Bot domain invalid</h1>\n"
            "<p>Telegram shows this when the bot is not linked to the site that asks. Here the bot must be "
            "{bot}, and origin and return_to must be {origin}.</p>\n"
            "<pre>bot_id={}\norigin={}\nreturn_to={}</pre>"
        ).format(
            *(request.args.get(name, "") for name in ("bot_id", "origin", "return_to")),
            bot=BOT_ID,
            origin=self._origin,
        )
        return page("Bot domain invalid", body)

    def _widget(self, request: Request) -> Response:
        return _proof(request, lambda user, at: widget(user, at))

    def _init_data(self, request: Request) -> Response:
        return _proof(request, lambda user, at: {"init_data": init_data(user, at)})


def widget(user: User, auth_date: int) -> dict[str, str | int]:
    """The signed object that the Login Widget would return for this user."""
    return sign_widget({**user, "auth_date": auth_date}, DEVELOPMENT_BOT_TOKEN)


def init_data(user: User, auth_date: int) -> str:
    """The signed `initData` of a Mini App that this user opened; no two launches are the same."""
    language = "ru" if "а" <= user["first_name"][-1] <= "я" else "en"
    fields: dict[str, Field] = {
        "query_id": f"AAH{secrets.token_urlsafe(12)}",
        "user": {**user, "language_code": language, "allows_write_to_pm": True},
        "auth_date": auth_date,
    }
    return sign_init_data(fields, DEVELOPMENT_BOT_TOKEN, _SIGNING_KEY)


def _next_time(user: User) -> int:
    """Now, or the second after this user's last proof.

    Two proofs of one second would be the same one, which logs in once, and scripts log in fast.
    """
    with _lock:
        _last[user["id"]] = max(int(time.time()), _last.get(user["id"], 0) + 1)
        return _last[user["id"]]


def _proof(request: Request, sign: Callable[[User, int], dict[str, Any]]) -> Response:
    user = _find(request.args.get("user", ""))
    if user is None:
        return _json({"error": "user must be one of these", "users": list(USERS)}, HTTPStatus.NOT_FOUND)
    try:
        if "auth_date" in request.args:
            auth_date = int(request.args["auth_date"])
        elif "age" in request.args:
            auth_date = int(time.time()) - int(request.args["age"])
        else:
            auth_date = _next_time(user)
        return _json(sign(user, auth_date))
    except ValueError:
        return _json({"error": "age and auth_date are whole seconds"}, HTTPStatus.BAD_REQUEST)


def _json(value: dict[str, Any], status: int = HTTPStatus.OK) -> Response:
    body = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    return Response(body, status, {"Cache-Control": "no-store"}, mimetype="application/json")


def _find(text: str) -> User | None:
    return next((user for user in USERS.values() if str(user["id"]) == text), None)


def _who(user: User) -> Markup:
    name = f"{user['first_name']} {user.get('last_name', '')}".strip()
    username = f"@{user['username']}" if "username" in user else "no username"
    return Markup("<strong>{}</strong> <small>{} · {}</small>").format(name, username, user["id"])


def _launch(data: str) -> str:
    return f"tgWebAppData={quote(data, safe='')}&tgWebAppVersion=8.0&tgWebAppPlatform=web"


def _origin_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}".lower()
