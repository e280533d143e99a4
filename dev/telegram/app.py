"""The simulated Telegram below /_telegram: it confirms logins and hands out proofs, for local development.

What it signs has the form that Telegram's has (see dev/telegram/signing.py), always with the public
development token, so nothing from here is worth anything to a real bot.
"""

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from markupsafe import Markup
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from dev.serve.pages import BANNER, page
from dev.telegram.bot_api import CHAT_NAME, SAMPLES, BotApi
from dev.telegram.oidc import DEVELOPMENT_CLIENT_SECRET, Provider
from dev.telegram.proofs import BOT_ID, init_data, launch, next_time, widget
from dev.telegram.signing import tg_auth_result
from dev.telegram.users import USERS, User, choices, find, who
from dev.telegram.ways import chat_page, ways_page
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN

_HERE = re.compile(r"http://(localhost|[a-z0-9.-]+\.localhost|127\.0\.0\.1)(:[0-9]+)?/_telegram")

_lock = threading.Lock()
_providers: dict[tuple[str, str], Provider] = {}
_bot_api = BotApi(DEVELOPMENT_BOT_TOKEN, SAMPLES)


class Telegram:
    """The WSGI application; `origin` is the one that the development bot is linked to.

    Without a `provider` it is the development bot's, which all of an origin share; so is the Bot API without
    a `bot_api`.
    """

    def __init__(self, origin: str, provider: Provider | None = None, bot_api: BotApi | None = None) -> None:
        self._origin = origin.lower().rstrip("/")
        self._provider = provider or _development_provider(self._origin)
        self._bot_api = bot_api or _bot_api

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request below /_telegram."""
        request = Request(environ)
        path = request.path.removeprefix("/_telegram") or "/"
        answers = {
            "/": self._index,
            "/auth": self._auth,
            "/chat": lambda _: chat_page(self._origin),
            "/popup.js": lambda _: _script("popup.js"),
            "/simulated.json": self._simulated,
            "/ways": lambda _: ways_page(self._origin),
            "/ways.js": lambda _: _script("ways.js"),
            "/widget": self._widget,
            "/init_data": self._init_data,
        }
        server = self._bot_api if self._bot_api.serves(path) else self._provider
        allowed = frozenset({"GET", "HEAD"}) if path in answers else server.serves(path)
        if not allowed:
            response = page("Not found", BANNER + Markup("<h1>Not found</h1>"), HTTPStatus.NOT_FOUND)
        elif request.method not in allowed:
            allow = {"Allow": ", ".join(sorted(allowed))}
            response = Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers=allow)
        elif path in answers:
            response = answers[path](request)
        else:
            response = server.answer(path, request)
        return response(environ, start_response)

    def _index(self, _: Request) -> Response:
        items = Markup("").join(
            Markup(
                '<li>{who}<p><a class="action" href="/#{launch}">Open as Mini App</a> '
                '<a href="/_telegram/widget?user={id}">widget</a> · '
                '<a href="/_telegram/init_data?user={id}">initData</a></p></li>\n'
            ).format(who=who(user), launch=launch(user), id=user["id"])
            for user in USERS.values()
        )
        body = BANNER + Markup(
            "<h1>Simulated Telegram</h1>\n"
            '<p>Stands in for Telegram while you develop. Log in from <a href="/">your login page</a>: its '
            "button leads here, and you pick who you are. What comes back is signed as Telegram signs it, "
            "with the public development token of bot {bot}, linked to {origin}.</p>\n"
            '<p><a class="action" href="/_telegram/ways">Ways to log in</a> '
            '<a class="action" href="/_telegram/chat">Chat with the bot</a></p>\n'
            "<p>A Mini App that Telegram opens logs in by itself. Your browser is not Telegram, so there the "
            "login page asks first.</p>\n"
            "<h2>Sample users</h2>\n<ul>{items}</ul>\n"
            "<h2>From the command line</h2>\n"
            "<pre>curl -s '{origin}/_telegram/init_data?user=100000001' |\n"
            "  curl -s {origin}/telegram/login -H 'Content-Type: application/json' -d @-</pre>\n"
            "<p><code>/_telegram/widget</code> and <code>/_telegram/init_data</code> take "
            "<code>age=600</code> (seconds) or <code>auth_date=1700000000</code>, for an old proof.</p>\n"
            "<h2>Members only</h2>\n"
            "<p>With <code>TELEGRAM_REQUIRE_CHAT={chat}</code> only members of a chat may log in. There the "
            "sample users are, from the first: {states}; the last is not known.</p>"
        ).format(
            bot=BOT_ID,
            origin=self._origin,
            items=items,
            chat=CHAT_NAME,
            states=", ".join(SAMPLES.values()),
        )
        return page("Simulated Telegram", body)

    def _auth(self, request: Request) -> Response:
        """What https://oauth.telegram.org/auth does: ask the user, then redirect with `#tgAuthResult=`.

        With client_id it is OpenID Connect instead, unless there are signs of the older way.
        """
        if "client_id" in request.args and not {"bot_id", "origin"} & request.args.keys():
            return self._provider.authorize(request)
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
        if user := find(choice):
            return redirect(f"{return_to}#tgAuthResult={tg_auth_result(widget(user, next_time(user)))}")

        def link(value: object) -> str:
            return (
                f"?{urlencode({'bot_id': BOT_ID, 'origin': origin, 'return_to': return_to, 'user': value})}"
            )

        body = BANNER + Markup(
            '<h1>Log in to {} as …</h1>\n{}\n<p><a class="action" href="{}">Cancel</a></p>'
        ).format(self._origin, choices(link), link("cancel"))
        return page("Log in (simulated Telegram)", body)

    def _invalid(self, request: Request) -> Response:
        """Telegram says no more than the title, with status 200; here the reason is worth knowing."""
        body = BANNER + Markup(
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

    def _simulated(self, _: Request) -> Response:
        """Whether the functions beside this Telegram send people to it, and not to the real one."""
        return _json({"simulated": _oauth_url() == self._provider.issuer})

    def _widget(self, request: Request) -> Response:
        return _proof(request, lambda user, at: widget(user, at))

    def _init_data(self, request: Request) -> Response:
        return _proof(request, lambda user, at: {"init_data": init_data(user, at)})


def _development_provider(origin: str) -> Provider:
    """The development bot's provider for this origin: one for all requests, since it remembers its codes."""
    # The functions check the issuer to the letter, and AUTH_ORIGIN does not change where they look for it.
    url = _oauth_url()
    issuer = url if _HERE.fullmatch(url) else f"{origin}/_telegram"
    with _lock:
        if (origin, issuer) not in _providers:
            _providers[origin, issuer] = Provider(
                issuer,
                client_id=BOT_ID,
                client_secret=DEVELOPMENT_CLIENT_SECRET,
                redirect_origin=origin,
            )
        return _providers[origin, issuer]


def _oauth_url() -> str:
    return os.environ.get("TELEGRAM_OAUTH_URL", "").strip().rstrip("/")


def _proof(request: Request, sign: Callable[[User, int], dict[str, Any]]) -> Response:
    user = find(request.args.get("user", ""))
    if user is None:
        return _json({"error": "user must be one of these", "users": list(USERS)}, HTTPStatus.NOT_FOUND)
    try:
        if "auth_date" in request.args:
            auth_date = int(request.args["auth_date"])
        elif "age" in request.args:
            auth_date = int(time.time()) - int(request.args["age"])
        else:
            auth_date = next_time(user)
        return _json(sign(user, auth_date))
    except ValueError:
        return _json({"error": "age and auth_date are whole seconds"}, HTTPStatus.BAD_REQUEST)


def _script(name: str) -> Response:
    body = (Path(__file__).parent / name).read_bytes()
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(body, headers=headers, content_type="text/javascript; charset=utf-8")


def _json(value: dict[str, Any], status: int = HTTPStatus.OK) -> Response:
    body = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    return Response(body, status, {"Cache-Control": "no-store"}, mimetype="application/json")


def _origin_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}".lower()
