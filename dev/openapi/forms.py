"""The few JSON Schema shapes that describe the API."""

from collections.abc import Iterable, Mapping
from typing import Any, get_args

type Schema = dict[str, Any]


def ref(name: str, kind: str = "schemas") -> Schema:
    """A reference to one of the document's components."""
    return {"$ref": f"#/components/{kind}/{name}"}


def record(properties: Mapping[str, Schema], optional: Iterable[str] = (), **more: Any) -> Schema:
    """An object that has these properties, all of them but the optional ones."""
    missing = set(optional)
    required = [name for name in properties if name not in missing]
    return {"type": "object", "properties": dict(properties), "required": required, **more}


def exactly(properties: Mapping[str, Schema], optional: Iterable[str] = (), **more: Any) -> Schema:
    """What a request may hold: these properties and no other."""
    return record(properties, optional, additionalProperties=False, **more)


def one_of(kind: Any, **more: Any) -> Schema:
    """The texts of a Literal."""
    return {"type": "string", "enum": list(get_args(kind)), **more}
