"""The responses of each operation: what it answers when all is well, and the problems of errors.py."""

from http import HTTPStatus

from dev.openapi.endpoints import Operation, Problems, Success, problems
from dev.openapi.forms import Schema, ref
from lib.tgauth.errors import MethodNotAllowed, Unavailable
from lib.tgauth.web.cookies import cookie_name
from lib.tgauth.web.respond import SECURITY_HEADERS

HEADERS: dict[str, Schema] = {
    "Cache-Control": {"required": True, "schema": {"const": dict(SECURITY_HEADERS)["Cache-Control"]}},
    "Location": {"required": True, "schema": {"type": "string", "format": "uri-reference"}},
    "Set-Cookie": {
        "description": "The session's, a login's, which goes also when that fails, or the error page's.",
        "schema": {
            "type": "string",
            "pattern": (
                f"^({cookie_name(None)}|{cookie_name('http://localhost')})"
                "((-tx-[A-Za-z0-9_-]{8})?=[^;]*; Path=/; Max-Age=[0-9]+; HttpOnly"
                "|-told=[A-Za-z0-9_-]*; Path=/; Max-Age=60); SameSite=Lax(; Secure)?$"
            ),
        },
    },
}
_PAGE = "Where something is wrong and `Accept` has text/html, to /error.html with the code."
_LINKS = {
    "end": {
        "operationId": "delete_telegram_sessions_id",
        "parameters": {"id": "$response.body#/sessions/0/id"},
        "description": "End the newest session.",
    }
}


class Responses:
    """Writes the responses of operations; those of problems that are alike are `shared`."""

    def __init__(self) -> None:
        self.shared: dict[str, Schema] = {}
        self.shared["method_not_allowed"] = _problems((MethodNotAllowed,), {"Allow": _text(required=True)})

    def of(self, method: str, operation: Operation) -> Schema:
        """Every response of the operation, by status."""
        found: dict[int, Schema] = {}
        kinds = problems(method, operation)
        for status in {kind.status for kind in kinds}:
            found[status] = self._share(method, tuple(kind for kind in kinds if kind.status == status))
        if method == "HEAD" and operation.navigation:
            found[204] = _success(Success("Nothing is done for HEAD."), 204)
        else:
            found |= {status: _success(answer, status) for status, answer in operation.answers.items()}
        if method == "HEAD":
            found = {status: _without_content(response) for status, response in found.items()}
        return {str(status): found[status] for status in sorted(found)}

    def _share(self, method: str, kinds: Problems) -> Schema:
        name = ".".join(kind.code for kind in kinds)
        response = _problems(kinds)
        if method == "HEAD":
            name, response = f"{name}.head", _without_content(response)
        self.shared[name] = response
        return ref(name, "responses")


def preflight(allow: str) -> Schema:
    """The one answer to OPTIONS."""
    return {
        "204": {
            "description": "What the address answers.",
            "headers": {
                **_headers("Cache-Control"),
                "Allow": {"required": True, "schema": {"const": allow}},
                "Access-Control-Allow-Methods": {
                    "description": "For origins in `ALLOWED_ORIGINS`, as are the others.",
                    "schema": {"const": allow},
                },
                **dict.fromkeys(_CORS, _text()),
            },
        }
    }


_CORS = ("Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Access-Control-Max-Age")


def _success(answer: Success, status: int) -> Schema:
    redirects = status == HTTPStatus.SEE_OTHER
    names = ["Cache-Control", *(["Location"] if redirects else []), *(["Set-Cookie"] if answer.sets else [])]
    found: Schema = {
        "description": f"{answer.description} {_PAGE}" if redirects else answer.description,
        "headers": _headers(*names),
    }
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        found["headers"] |= _fixed([dict(Unavailable.headers)])
    if answer.schemas:
        found["content"] = {"application/json": {"schema": _one([ref(name) for name in answer.schemas])}}
    if "Sessions" in answer.schemas:
        found["links"] = _LINKS
    return found


def _problems(kinds: Problems, more: dict[str, Schema] | None = None) -> Schema:
    """The response of problems that have one status."""
    schema = _one([ref(kind.__name__) for kind in kinds])
    if len(kinds) > 1:
        mapping = {kind.code: ref(kind.__name__)["$ref"] for kind in kinds}
        schema["discriminator"] = {"propertyName": "code", "mapping": mapping}
    return {
        "description": ". ".join(f"`{kind.code}`: {kind.title}" for kind in kinds) + ".",
        "headers": {
            **_headers("Cache-Control", "Set-Cookie"),
            **_fixed([dict(kind.headers) for kind in kinds]),
            **(more or {}),
        },
        "content": {"application/problem+json": {"schema": schema}},
    }


def _one(forms: list[Schema]) -> Schema:
    return forms[0] if len(forms) == 1 else {"oneOf": forms}


def _without_content(response: Schema) -> Schema:
    return {name: value for name, value in response.items() if name not in ("content", "links")}


def _headers(*names: str) -> Schema:
    return {name: ref(name, "headers") for name in names}


def _text(**more: bool) -> Schema:
    return {**more, "schema": {"type": "string"}}


def _fixed(kinds: list[dict[str, str]]) -> Schema:
    """The headers that go with problems: each has one of the values that theirs have."""
    names = dict.fromkeys(name for headers in kinds for name in headers)
    return {
        name: {
            "required": all(name in headers for headers in kinds),
            "schema": {
                "type": "string",
                "enum": list(dict.fromkeys(headers[name] for headers in kinds if name in headers)),
            },
        }
        for name in names
    }
