"""Which proof a login's body carries, and the check that goes with it."""

from dataclasses import dataclass
from typing import Any, cast

from ..errors import MalformedRequest
from ..settings import Settings
from ..user import Proof, TelegramUser, Transport
from .widget import verify_widget

OUR_FIELDS = frozenset({"state", "return_to", "transport", "widget", "init_data", "id_token"})
"""Fields that this site's own addresses take beside Telegram's; none of them is a field of Telegram's."""


@dataclass(frozen=True, slots=True)
class Login:
    """The proof that a login presents (widget fields, initData or an id_token), and how to carry the session.

    `state` is set when the login must belong to a transaction of this browser.
    """

    transport: Transport
    widget: dict[str, Any] | None = None
    init_data: str | None = None
    id_token: str | None = None
    state: str | None = None


def read_login(body: dict[str, Any]) -> Login:
    """The body of POST /telegram/login; raises `MalformedRequest`.

    It is the widget's object itself, or `{"widget": {…}}`, `{"init_data": "…"}` or `{"id_token": "…"}`, each
    with an optional `"transport"`; the default is a bearer token for a Mini App and a cookie for the others.
    A widget may come with the `"state"` of its transaction.
    """
    fields = dict(body)
    transport = fields.pop("transport", "bearer" if "init_data" in fields else "cookie")
    if transport not in ("cookie", "bearer"):
        raise MalformedRequest("transport is neither cookie nor bearer")
    way = cast(Transport, transport)
    match fields:
        case {"init_data": str(init_data)} if len(fields) == 1:
            return Login(way, init_data=init_data)
        case {"id_token": str(id_token)} if len(fields) == 1:
            return Login(way, id_token=id_token)
    if not isinstance(fields.get("state", ""), str):
        raise MalformedRequest("state is not text")
    state = fields.pop("state", None)
    match fields:
        case {"widget": dict(widget)} if len(fields) == 1 and not widget.keys() & OUR_FIELDS:
            return Login(way, widget=widget, state=state)
        case {"hash": _} if not fields.keys() & OUR_FIELDS:
            return Login(way, widget=fields, state=state)
    raise MalformedRequest("the body holds no login data, or more than one kind")


def verify_login(attempt: Login, *, settings: Settings, now: float) -> tuple[TelegramUser, Proof]:
    """Verify a login with widget fields or initData.

    Raises the same as its verifier, or `Misconfigured` if there is no key to check it with.
    """
    if attempt.init_data is None:
        return verify_widget(attempt.widget or {}, bot_token=settings.require_bot_token(), now=now)
    # A function that only sees widgets does not pay for importing the other kind.
    from .webapp import verify_webapp, verify_webapp_signature

    if settings.bot_id_only:
        return verify_webapp_signature(attempt.init_data, bot_id=settings.bot_id, now=now)
    return verify_webapp(attempt.init_data, bot_token=settings.require_bot_token(), now=now)
