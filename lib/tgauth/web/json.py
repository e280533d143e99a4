"""JSON as strict as RFC 8259 allows: anything that two parsers could read differently is refused."""

import json
import math
from typing import Any, NoReturn

from ..errors import MalformedRequest


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; raises `MalformedRequest` for anything else.

    That includes encodings other than UTF-8, duplicate keys, NaN and Infinity, numbers too large for a
    float, nesting too deep to parse, and half surrogate pairs, which UTF-8 cannot encode.
    """
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise MalformedRequest("the body is not strict JSON") from None
    if not isinstance(value, dict):
        raise MalformedRequest("the body is not a JSON object")
    return value


def dump(value: object) -> bytes:
    """`value` as compact UTF-8 JSON, ending in a newline for people who read it in a terminal."""
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "replace")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError("too large for a float")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
