"""What schemas take from the code: fields of classes, problems, patterns and limits."""

from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, create_model

from lib.tgauth.errors import Problem
from lib.tgauth.sessions.base import Session
from lib.tgauth.sessions.degraded import _PREFIX as DEGRADED
from lib.tgauth.sessions.devices import Device
from lib.tgauth.sessions.token import _PREFIX as SHARED
from lib.tgauth.sessions.token import SLOT
from lib.tgauth.settings.source import StoreKind
from lib.tgauth.store.reasons import Cause
from lib.tgauth.telegram.checks import _MAC, UNIX_TIME
from lib.tgauth.telegram.login import OUR_FIELDS
from lib.tgauth.user import _USER_ID, TelegramUser, Transport
from lib.tgauth.web.cookies import cookie_name
from lib.tgauth.web.respond import SECURITY_HEADERS
from lib.tgauth.web.return_to import _PATH, MAX_LENGTH

_ANSWERED = ("id", "created_at", "expires_at", "method", "transport")
"""What the API shows of a session; the rest of `Session` stays inside."""

_COOKIES = (
    f"^({cookie_name(None)}|{cookie_name('http://localhost')})"
    "((-tx-[A-Za-z0-9_-]{8})?=[^;]*; Path=/; Max-Age=[0-9]+; HttpOnly"
    "|-told=[A-Za-z0-9_-]*; Path=/; Max-Age=60); SameSite=Lax(; Secure)?$"
)


def described(schemas: dict[str, Any]) -> dict[str, Any]:
    """The schemas with the fields that the classes have; a field without a description is a KeyError."""
    made = {"User": _fields(TelegramUser), "Session": _fields(Session, _ANSWERED), "Device": _fields(Device)}
    found = dict(schemas)
    for name, (fields, required) in made.items():
        said = schemas[name]["properties"]
        properties = {key: form | {"description": said[key]["description"]} for key, form in fields.items()}
        found[name] = {**schemas[name], "properties": properties, "required": required}
    return found


def problem_schemas(schemas: dict[str, Any]) -> dict[str, Any]:
    """The schemas with a schema for each problem, in the order of lib/tgauth/errors.py."""
    made = {kind.__name__: _problem(kind, schemas.get(kind.__name__, {})) for kind in problems()}
    names = list(schemas)
    first = min(names.index(name) for name in made if name in schemas)
    before = {name: schemas[name] for name in names[:first]}
    return before | made | {name: form for name, form in schemas.items() if name not in before | made}


def problems() -> list[type[Problem]]:
    """Every error the API can answer, in the order of lib/tgauth/errors.py."""

    def below(kind: type[Problem]) -> Iterable[type[Problem]]:
        if "code" in vars(kind):
            yield kind
        for inner in kind.__subclasses__():
            yield from below(inner)

    return list(below(Problem))


def constants() -> Iterator[tuple[str, object]]:
    """What else the code knows, each with its place in the document."""
    yield "components/headers/Cache-Control/schema/const", dict(SECURITY_HEADERS)["Cache-Control"]
    yield "components/headers/Set-Cookie/schema/pattern", _COOKIES
    yield "components/securitySchemes/cookie/name", cookie_name(None)
    tokens = f"{SHARED}…, or {DEGRADED}… where sessions are in memory"
    yield "components/securitySchemes/bearer/bearerFormat", tokens
    schemas = "components/schemas"
    for name in ("Stats", "Health"):
        yield f"{schemas}/{name}/properties/store/enum", list(get_args(StoreKind))
    down = ["settings", "origin", "bot_token", *get_args(Cause)]
    yield f"{schemas}/Down/properties/problem/enum", down
    for name in ("WidgetLogin", "WrappedWidgetLogin", "MiniAppLogin", "IdTokenLogin"):
        yield f"{schemas}/{name}/properties/transport/enum", list(get_args(Transport))
    for name, others in (("Widget", OUR_FIELDS), ("WidgetLogin", OUR_FIELDS - {"state", "transport"})):
        yield f"{schemas}/{name}/properties/id/oneOf/1/pattern", f"^{_USER_ID.pattern}$"
        yield f"{schemas}/{name}/properties/auth_date/oneOf/1/pattern", f"^{UNIX_TIME.pattern}$"
        yield f"{schemas}/{name}/properties/hash/pattern", f"^{_MAC.pattern}$"
        yield f"{schemas}/{name}/propertyNames/not/enum", sorted(others)
    yield f"{schemas}/ReturnTo/maxLength", MAX_LENGTH
    yield f"{schemas}/ReturnTo/pattern", f"^{_PATH.pattern}$"
    yield f"{schemas}/SessionId/pattern", f"^{SLOT.pattern}$"


def _problem(problem: type[Problem], written: dict[str, Any]) -> dict[str, Any]:
    """Answers of one code differ in the request id, and in what the person is told besides."""
    fixed = {
        "type": f"/error.html?code={problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
    }
    properties = {
        **{name: {"const": value} for name, value in fixed.items()},
        "request_id": {"type": "string", "description": "The log line with this id has the reason."},
    }
    told = {name: form for name, form in written.get("properties", {}).items() if name not in properties}
    required = [*properties, *(name for name in told if name in written["required"])]
    return {"type": "object", "properties": properties | told, "required": required}


def _fields(source: type, only: Iterable[str] | None = None) -> tuple[dict[str, Any], list[str]]:
    """The fields of a class, and those always there; what can be None is left out of an answer instead."""
    if is_dataclass(source):
        made = TypeAdapter(source).json_schema()
    else:
        hints: dict[str, Any] = {name: (kind, ...) for name, kind in get_type_hints(source).items()}
        made = create_model(source.__name__, **hints).model_json_schema()
    fields = {name: _present(made["properties"][name]) for name in only or made["properties"]}
    return fields, [name for name in fields if name in made["required"]]


def _present(form: dict[str, Any]) -> dict[str, Any]:
    known = next((kind for kind in form.get("anyOf", []) if kind != {"type": "null"}), form)
    return {name: value for name, value in known.items() if name not in ("title", "default")}
