"""The objects that the API answers, made from the classes that the functions use for them.

A class that gains a field which is not described here stops the generator.
"""

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from typing import Any, Literal, get_type_hints

from pydantic import TypeAdapter, create_model

from dev.openapi.forms import Schema, one_of, record, ref
from lib.tgauth.errors import MembershipRequired, NotAllowed, Problem, RelayRequired
from lib.tgauth.sessions.base import Session
from lib.tgauth.sessions.devices import Device
from lib.tgauth.settings.source import StoreKind
from lib.tgauth.store.reasons import Cause
from lib.tgauth.user import TelegramUser

_ANSWERED = ("id", "created_at", "expires_at", "method", "transport")
"""What the API shows of a session; the rest of `Session` stays inside."""

_SECONDS = "Unix seconds."
_SESSION_ID = "Names the session among the user's. It is no secret."
_METHOD = "How the user proved who they are."

_USER = {
    "id": "The Telegram id: the key of the account, the same whichever way somebody logs in.",
    "first_name": "As Telegram said it at the login; empty for accounts that have none.",
    "last_name": "As Telegram said it at the login.",
    "username": "Without @. People change and sell it.",
    "photo_url": "Where Telegram keeps the picture; not in sessions in memory.",
    "language_code": "From a Mini App.",
    "is_premium": "From a Mini App.",
    "allows_write_to_pm": "From a Mini App.",
    "sub": "What OpenID Connect calls the account: another number than `id`, and no key.",
    "phone_number": "From OpenID Connect, where the user granted it.",
}
_SESSION = {
    "id": _SESSION_ID,
    "created_at": f"When the login was; {_SECONDS}",
    "expires_at": f"When it ends if it is not used again; {_SECONDS}",
    "method": _METHOD,
    "transport": "How the session travels; it is refused on the other way.",
}
_DEVICE = {
    "id": _SESSION_ID,
    "created_at": f"When the login was; {_SECONDS}",
    "last_seen": f"When it was used last; {_SECONDS}",
    "expires_at": f"When it ends if it is not used again; {_SECONDS}",
    "method": _METHOD,
    "user_agent": "What the login came with; empty where that is not known.",
    "country": "Two letters, from where the login came; empty where that is not known.",
    "current": "Whether this is the session that asked.",
}
_START = {
    "methods": "The ways of this deployment; in a preview that uses the relay, `relay` alone.",
    "bot_username": "The bot's name, for the widget.",
    "client_id": "The bot's id, for Telegram's own scripts.",
    "state": "Names this login; it comes back with Telegram's answer.",
    "nonce": "What an id_token for this browser must carry.",
    "relay_url": "Send the browser there: production logs people in for this preview.",
    "oidc_url": "Send the browser there: OpenID Connect.",
    "widget_auth_url": "Send the browser there: the widget without its script.",
    "widget_redirect_url": "`data-auth-url` of the widget.",
}
_STATS = {
    "store": "Where sessions are kept.",
    "users": "Users who have a session.",
    "sessions": "Sessions.",
    "exact": "Whether both were counted, and not estimated.",
}


_TOLD: dict[type[Problem], dict[str, Schema]] = {
    NotAllowed: {
        "user": record(
            {
                "id": {"type": "integer"},
                **{name: {"type": "string"} for name in ("first_name", "last_name", "username")},
            },
            optional=["last_name", "username"],
            description="The account that may not log in.",
        )
    },
    MembershipRequired: {
        "link": {
            "type": "string",
            "format": "uri",
            "description": "The chat to join, where it has a public name.",
        }
    },
    RelayRequired: {
        "link": {
            "type": "string",
            "format": "uri",
            "description": "Production's login page, where its address is known.",
        }
    },
}
"""Members that a problem has besides; a link where there is one."""


def schemas() -> dict[str, Schema]:
    """All of them by name."""
    return {
        "User": _from(TelegramUser, _USER, description="Who somebody is on Telegram."),
        "Session": _from(Session, _SESSION, only=_ANSWERED, description="A live session."),
        "Device": _from(Device, _DEVICE, description="A session as its owner sees it in a list."),
        "LoggedIn": record({"user": ref("User"), "session": ref("Session")}),
        "Login": record(
            {
                "user": ref("User"),
                "session": ref("Session"),
                "token": {"type": "string", "description": "Of a bearer session; others have the cookie."},
            },
            optional=["token"],
        ),
        "Sessions": record({"sessions": {"type": "array", "items": ref("Device")}}),
        "Start": _start(),
        "RelayAddress": record(
            {"url": {"type": "string", "format": "uri", "description": "Send the browser there."}}
        ),
        "RelayUser": record({"user": ref("User")}),
        "Stats": _stats(),
        "Health": record(
            {
                "status": one_of(Literal["ok", "degraded"]),
                "store": one_of(StoreKind),
                "problem": one_of(
                    Literal["memory", "memory_prefix", "chat", "bot_token"], description="Why it is degraded."
                ),
            },
            ["problem"],
        ),
        "Down": record(
            {
                "status": {"const": "down"},
                "store": {"type": "null"},
                "problem": one_of(
                    Literal["settings", "origin", "bot_token", Cause], description="Where to look."
                ),
            }
        ),
        **{problem.__name__: _problem(problem) for problem in problems()},
    }


def problems() -> list[type[Problem]]:
    """Every error the API can answer, in the order of lib/tgauth/errors.py."""

    def below(kind: type[Problem]) -> Iterable[type[Problem]]:
        if "code" in vars(kind):
            yield kind
        for inner in kind.__subclasses__():
            yield from below(inner)

    return list(below(Problem))


def _problem(problem: type[Problem]) -> Schema:
    """Answers of one code differ in the request id, and in what the person is told besides."""
    fixed = {
        "type": f"/error.html?code={problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
    }
    request_id = {"type": "string", "description": "The log line with this id has the reason."}
    constants: dict[str, Schema] = {name: {"const": value} for name, value in fixed.items()}
    told = _TOLD.get(problem, {})
    optional = [name for name in told if problem is not NotAllowed]
    return record({**constants, "request_id": request_id, **told}, optional)


def _start() -> Schema:
    text: Schema = {"type": "string"}
    address: Schema = {"type": ["string", "null"], "format": "uri"}
    forms: dict[str, Schema] = {
        "methods": {
            "type": "array",
            "items": one_of(Literal["oidc", "widget", "relay"]),
            "uniqueItems": True,
        },
        "bot_username": {"type": ["string", "null"]},
        "client_id": {**text, "pattern": "^[1-9][0-9]*$"},
        "state": text,
        "nonce": text,
        **dict.fromkeys(("relay_url", "oidc_url", "widget_auth_url", "widget_redirect_url"), address),
    }
    return record({name: {**form, "description": _START[name]} for name, form in forms.items()})


def _stats() -> Schema:
    count: Schema = {"type": "integer", "minimum": 0}
    forms = {"store": one_of(StoreKind), "users": count, "sessions": count, "exact": {"type": "boolean"}}
    return record({name: {**form, "description": _STATS[name]} for name, form in forms.items()})


def _from(
    source: type, described: Mapping[str, str], only: Iterable[str] | None = None, **more: Any
) -> Schema:
    """The fields of a class; what can be None is left out of an answer instead."""
    if is_dataclass(source):
        made = TypeAdapter(source).json_schema()
    else:
        hints: dict[str, Any] = {name: (kind, ...) for name, kind in get_type_hints(source).items()}
        made = create_model(source.__name__, **hints).model_json_schema()
    fields: dict[str, Schema] = {name: made["properties"][name] for name in only or made["properties"]}
    optional = [name for name in fields if name not in made["required"]]
    return record(
        {n: _present(form) | {"description": described[n]} for n, form in fields.items()}, optional, **more
    )


def _present(form: Schema) -> Schema:
    known = next((kind for kind in form.get("anyOf", []) if kind != {"type": "null"}), form)
    return {name: value for name, value in known.items() if name not in ("title", "default")}
