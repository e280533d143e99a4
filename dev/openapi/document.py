"""docs/openapi.json: written by hand, except for what the code knows, which this adds.

Addresses, what they take and answer, and descriptions are written by hand. The code knows which
methods there are (the applications are asked), the problems, and the responses, which are named after the
codes of their problems; what HEAD and OPTIONS answer; the fields of the classes; limits, patterns and
examples.
"""

import contextlib
import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from werkzeug.test import Client

from dev.openapi.answers import constants, described, problem_schemas
from dev.openapi.examples import examples
from dev.openapi.responses import Schema, head_of, head_of_visit, preflight, problem_response, ref

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs/openapi.json"
_RESPONSES = "#/components/responses/"


def document(written: dict[str, Any]) -> dict[str, Any]:
    """`written` with what the code knows; raises ValueError where its methods are not the applications'."""
    allowed = {path: _allowed(path) for path in _paths()}
    there = {(method, path) for path, allow in allowed.items() for method in _by_hand(allow)}
    known = {
        (method.upper(), path)
        for path, item in written["paths"].items()
        for method in item
        if method not in ("head", "options", "parameters")
    }
    if there != known:
        raise ValueError(f"docs/openapi.json: {sorted(there ^ known)} is in one place alone")
    paths = {path: _item(path, allow, written["paths"][path]) for path, allow in allowed.items()}
    named = {name for name in references(paths) if name.startswith(_RESPONSES)}
    names = {"method_not_allowed", *(name.removeprefix(_RESPONSES) for name in named)}
    components = {
        **written["components"],
        "schemas": problem_schemas(described(written["components"]["schemas"])),
        "responses": {name: problem_response(name) for name in sorted(names)},
    }
    found = {**written, "paths": paths, "components": components}
    for where, value in constants():
        _put(found, where, value)
    return found


def text() -> str:
    """The document as the file is to hold it."""
    written = json.loads(FILE.read_text(encoding="utf-8"))
    return json.dumps(document(written), indent=2, ensure_ascii=False) + "\n"


def references(part: Any) -> set[str]:
    """Every reference in a part of the document."""
    if isinstance(part, list):
        return set().union(*map(references, part))
    if not isinstance(part, dict):
        return set()
    own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
    return own.union(*map(references, part.values()))


def _paths() -> Iterable[str]:
    """The public addresses of vercel.json, with their parameters as OpenAPI writes them."""
    rewrites = json.loads((ROOT / "vercel.json").read_bytes())["rewrites"]
    return [re.sub(r":(\w+)", r"{\1}", rewrite["source"]) for rewrite in rewrites]


def _allowed(path: str) -> str:
    """What the application at this address says that it answers."""
    # Cold starts and requests are logged, which nobody who makes a document wants to read.
    with contextlib.redirect_stdout(io.StringIO()):
        from lib.tgauth.wsgi import app

        return Client(app, use_cookies=False).options(path).headers["Allow"]


def _by_hand(allow: str) -> set[str]:
    return set(allow.split(", ")) - {"HEAD", "OPTIONS"}


def _item(path: str, allow: str, written: Schema) -> Schema:
    """All methods of an address."""
    item = {"parameters": written["parameters"]} if "parameters" in written else {}
    for method in allow.lower().split(", "):
        if method == "options":
            item[method] = _preflight(path, allow)
        elif method == "head":
            item[method] = _head(written["get"])
        else:
            item[method] = _with_examples(written[method])
        item[method] = {"operationId": re.sub(r"\W+", "_", f"{method}{path}").strip("_")} | item[method]
    return item


def _head(get: Schema) -> Schema:
    """As GET; but a visit, which is what browsers make, does nothing."""
    is_visit = ref("Sec-Fetch-Mode", "parameters") in get.get("parameters", [])
    left_out = {"operationId", "parameters"} if is_visit else {"operationId"}
    responses = head_of_visit() if is_visit else head_of(get["responses"])
    return {name: value for name, value in get.items() if name not in left_out} | {"responses": responses}


def _preflight(path: str, allow: str) -> Schema:
    # Whatever they are: a preflight looks at nothing but the method.
    anything = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    return {
        "tags": ["operation"],
        "summary": "What the address answers",
        **({"parameters": anything} if anything else {}),
        "responses": preflight(allow),
        "security": [],
    }


def _with_examples(operation: Schema) -> Schema:
    """An operation with an example of each of its bodies that has one."""
    if "requestBody" not in operation:
        return operation
    content = operation["requestBody"]["content"]["application/json"]
    bodies = {reference.rpartition("/")[2] for reference in references(content["schema"])}
    shown = {name: {"value": value} for name, value in examples().items() if name in bodies}
    if shown:
        content = {**content, "examples": shown}
    body = {**operation["requestBody"], "content": {"application/json": content}}
    return {**operation, "requestBody": body}


def _put(part: Any, where: str, value: object) -> None:
    """Set what stands at a JSON pointer (RFC 6901); KeyError where nothing does."""
    *way, last = (step.replace("~1", "/") for step in where.split("/"))
    for step in way:
        part = part[int(step) if isinstance(part, list) else step]
    if last not in part:
        raise KeyError(where)
    part[last] = value
