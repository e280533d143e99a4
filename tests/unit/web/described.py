"""Holds what the functions answer against docs/openapi.json, and remembers what they answered."""

import copy
import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator, FormatChecker

from lib.tgauth.errors import LoginRejected, MalformedRequest
from lib.tgauth.telegram.checks import data_check_string
from lib.tgauth.telegram.webapp import _fields
from lib.tgauth.web.respond import SECURITY_HEADERS
from lib.tgauth.web.return_to import require_return_to
from tests.site import Answer

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[3] / "docs/openapi.json").read_text(encoding="utf-8")
)
PROBLEM = "application/problem+json"

type Shown = tuple[str, str, int, str | None]
"""Method, path as the document has it, status, and the problem's code (None for HEAD, which has no body)."""

FORMATS = FormatChecker(formats=())
"""Those of the document that are our own: no pattern says what they are."""

FORMATS.checks("return-to", MalformedRequest)(lambda text: bool(require_return_to(text)))
FORMATS.checks("init-data", (MalformedRequest, LoginRejected))(
    lambda text: bool(data_check_string(_fields(text)))
)

# On every answer, so the document has them nowhere; and those that describe the body.
_EVERYWHERE = set(SECURITY_HEADERS) | {"Content-Type", "Content-Length"}


def operations() -> list[tuple[str, str]]:
    """Every method and path of the document."""
    return [
        (method.upper(), path)
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method != "parameters"
    ]


def operation(method: str, path: str) -> dict[str, Any]:
    """What the document says of one of them."""
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """What a reference stands for."""
    while "$ref" in part:
        _, _, kind, name = part["$ref"].split("/")
        part = DOCUMENT["components"][kind][name]
    return part


def documented() -> set[Shown]:
    """Everything that the document says can be answered."""
    return {
        (method, path, int(status), code)
        for method, path in operations()
        for status, response in operation(method, path)["responses"].items()
        for code in _codes(resolved(response))
    }


def request_schema(path: str, method: str) -> dict[str, Any] | None:
    """The schema of the operation's body, if it takes one."""
    body = operation(method, path).get("requestBody")
    return body["content"]["application/json"]["schema"] if body else None


def valid(schema: dict[str, Any], value: Any) -> bool:
    """Whether the value is as described."""
    return bool(_validator(json.dumps(schema), closed=False).is_valid(value))


def check_response(response: dict[str, Any], answer: Answer) -> None:
    """Fails unless the answer has the headers and the body of this response, and no others."""
    response = resolved(response)
    _check_headers(response.get("headers", {}), answer)
    _check_body(response.get("content", {}), answer)


class Observer:
    """Checks every answer it is shown; `shown` is what it has seen."""

    def __init__(self) -> None:
        self.shown: set[Shown] = set()

    def see(self, method: str, path: str, query: str, sent: Any, answer: Answer) -> None:
        """Fails for an answer, or for a request that was taken, which the document does not have."""
        path = re.sub(r"^/telegram/sessions/.+$", "/telegram/sessions/{id}", path)
        described = operation(method, path)
        response = described["responses"].get(str(answer.status))
        assert response, f"{method} {path} answers {answer.status}, which is not documented: {answer.body!r}"
        check_response(response, answer)
        self.shown.add((method, path, answer.status, answer.code))
        if answer.status < 400 and answer.status != 303:
            self._check_taken(described, method, path, query, sent)
        elif answer.code == "malformed_request" and sent is not None and not query:
            assert not valid(request_schema(path, method) or {}, sent), f"{method} {path} refuses {sent}"

    def _check_taken(self, described: dict[str, Any], method: str, path: str, query: str, sent: Any) -> None:
        known = {field["name"] for field in map(resolved, described.get("parameters", []))}
        assert dict(parse_qsl(query)).keys() <= known, query
        if sent is not None:
            assert valid(request_schema(path, method) or {"not": {}}, sent), f"{method} {path} takes {sent}"


def _check_headers(headers: dict[str, Any], answer: Answer) -> None:
    for name, header in headers.items():
        values, form = answer.all(name), resolved(header)
        assert values or not form.get("required"), f"{name} is missing"
        for value in values:
            assert valid(form["schema"], value), f"{name}: {value}"
    unknown = {name for name, _ in answer.headers} - _EVERYWHERE - set(headers)
    assert not unknown, f"{sorted(unknown)} not documented"


def _check_body(content: dict[str, Any], answer: Answer) -> None:
    if not content:
        assert answer.body == b""
        return
    media_type = answer.header("Content-Type") or ""
    validator = _validator(json.dumps(content[media_type]["schema"]), closed=True)
    errors = [error.message for error in validator.iter_errors(answer.json())]
    assert not errors, (errors, answer.body)


def _codes(response: dict[str, Any]) -> set[str | None]:
    content = response.get("content", {})
    if PROBLEM not in content:
        return {None}
    schema = content[PROBLEM]["schema"]
    return {resolved(form)["properties"]["code"]["const"] for form in schema.get("oneOf", [schema])}


@cache
def _validator(schema: str, *, closed: bool) -> Draft202012Validator:
    """A validator; a `closed` one takes no field that is not described."""
    components = _closed(DOCUMENT["components"]) if closed else DOCUMENT["components"]
    return Draft202012Validator(
        {"allOf": [json.loads(schema)], "components": components}, format_checker=FORMATS
    )


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(item) for item in part]
    if not isinstance(part, dict):
        return copy.copy(part)
    found = {name: _closed(item) for name, item in part.items()}
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found
