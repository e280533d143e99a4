"""Responses that can be told from their names, or from another method's."""

from typing import Any

from dev.openapi.answers import problems
from lib.tgauth import errors

type Schema = dict[str, Any]

_FORM = (errors.MalformedRequest, errors.BodyTooLarge, errors.UriTooLong, errors.InternalError)
"""What every request but OPTIONS can be refused with."""

_CORS = ("Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Access-Control-Max-Age")
_TEXT = {"schema": {"type": "string"}}


def ref(name: str, kind: str) -> Schema:
    """A reference to one of the document's components."""
    return {"$ref": f"#/components/{kind}/{name}"}


def problem_response(name: str) -> Schema:
    """The response of problems that have one status: their codes, and `head` where the body is left out."""
    known = {kind.code: kind for kind in problems()}
    kinds = [known[code] for code in name.removesuffix(".head").split(".")]
    schemas = [ref(kind.__name__, "schemas") for kind in kinds]
    schema: Schema = schemas[0]
    if len(kinds) > 1:
        mapping = {kind.code: ref(kind.__name__, "schemas")["$ref"] for kind in kinds}
        schema = {"oneOf": schemas, "discriminator": {"propertyName": "code", "mapping": mapping}}
    response: Schema = {
        "description": ". ".join(f"`{kind.code}`: {kind.title}" for kind in kinds) + ".",
        "headers": {
            **{header: ref(header, "headers") for header in ("Cache-Control", "Set-Cookie")},
            **_fixed([dict(kind.headers) for kind in kinds]),
            **({"Allow": {"required": True, **_TEXT}} if name == "method_not_allowed" else {}),
        },
        "content": {"application/problem+json": {"schema": schema}},
    }
    return _without_content(response) if name.endswith(".head") else response


def head_of(responses: Schema) -> Schema:
    """What HEAD answers where GET answers these."""
    return {
        status: {"$ref": f"{response['$ref']}.head"} if "$ref" in response else _without_content(response)
        for status, response in responses.items()
    }


def head_of_visit() -> Schema:
    """What HEAD answers where GET is for browsers that go there."""
    nothing = {
        "description": "Nothing is done for HEAD.",
        "headers": {"Cache-Control": ref("Cache-Control", "headers")},
    }
    return {"204": nothing} | {str(kind.status): ref(f"{kind.code}.head", "responses") for kind in _FORM}


def preflight(allow: str) -> Schema:
    """The one answer to OPTIONS."""
    return {
        "204": {
            "description": "What the address answers.",
            "headers": {
                "Cache-Control": ref("Cache-Control", "headers"),
                "Allow": {"required": True, "schema": {"const": allow}},
                "Access-Control-Allow-Methods": {
                    "description": "For origins in `ALLOWED_ORIGINS`, as are the others.",
                    "schema": {"const": allow},
                },
                **dict.fromkeys(_CORS, _TEXT),
            },
        }
    }


def _without_content(response: Schema) -> Schema:
    return {name: value for name, value in response.items() if name not in ("content", "links")}


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
