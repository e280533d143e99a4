"""docs/openapi.json is what `make openapi` writes, and a document that other programs can read."""

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from dev.openapi import document
from dev.openapi.answers import problems
from dev.openapi.document import references
from lib.tgauth import errors
from lib.tgauth.telegram.widget import FIELDS
from lib.tgauth.web.request import MAX_BODY, MAX_QUERY_FIELDS, MAX_URI

ROOT = Path(__file__).resolve().parents[2]
WRITTEN: dict[str, Any] = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))


def test_the_file_is_what_the_code_says() -> None:
    """The document is made anew here, and the one that is checked in has every byte of it."""
    assert document.text() == (ROOT / "docs/openapi.json").read_text(encoding="utf-8"), "run make openapi"


def test_it_is_openapi() -> None:
    """OpenAPI 3.1 by the specification's own schema, and every example of its own."""
    assert WRITTEN["openapi"].startswith("3.1.")
    validate(WRITTEN, cls=OpenAPIV31SpecValidator)
    broken = json.loads(json.dumps(WRITTEN))
    del broken["paths"]["/health"]["get"]["responses"]["200"]["description"]
    with pytest.raises(OpenAPIValidationError):
        validate(broken, cls=OpenAPIV31SpecValidator)


def test_every_error_is_somewhere() -> None:
    """Each code of errors.py is described, and each but the one for other methods by an operation."""
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and "code" in vars(kind)}
    assert {kind.code for kind in problems()} == codes - {None}
    used = {name for item in WRITTEN["paths"].values() for name in references(item)}
    answered = {
        name
        for reference in used
        if reference.startswith("#/components/responses/")
        for name in reference.rpartition("/")[2].removesuffix(".head").split(".")
    }
    assert answered == codes - {"method_not_allowed"}
    assert "method_not_allowed" in WRITTEN["components"]["responses"]


def test_every_reference_leads_somewhere_and_every_part_is_used() -> None:
    """Nothing dangles, and nothing is left over."""
    components = {
        f"#/components/{kind}/{name}"
        for kind, named in WRITTEN["components"].items()
        if kind != "securitySchemes"
        for name in named
    }
    # No operation is of another method.
    assert references(WRITTEN) == components - {"#/components/responses/method_not_allowed"}


def test_it_names_no_host() -> None:
    """Whoever deploys this has a host of their own."""
    assert WRITTEN["servers"] == [{"url": "/"}]
    for host in ("vercel.app", "localhost:", "127.0.0.1"):
        assert host not in json.dumps(WRITTEN)


def test_the_limits_are_those_of_the_code() -> None:
    """The numbers in the text are the constants."""
    said = WRITTEN["info"]["description"]
    for words in (f"{MAX_BODY} bytes", f"query {MAX_URI} together", f"{MAX_QUERY_FIELDS} fields"):
        assert words in said


def test_the_widgets_fields_are_those_of_the_code() -> None:
    """In a body, and in the query of the redirect mode."""
    assert set(WRITTEN["components"]["schemas"]["Widget"]["properties"]) == FIELDS
    query = WRITTEN["paths"]["/telegram/login"]["get"]["parameters"]
    assert {field["name"] for field in query if field.get("in") == "query"} > FIELDS


def test_what_the_code_knows_need_not_be_written() -> None:
    """HEAD, OPTIONS, the responses of problems and their texts, fields and patterns come from the code."""
    bare = json.loads(json.dumps(WRITTEN))
    for item in bare["paths"].values():
        item.pop("head", None)
        del item["options"]
    components = bare["components"]
    components["responses"] = {}
    components["schemas"]["Unauthenticated"] = {}
    components["schemas"]["SessionId"]["pattern"] = "old"
    components["schemas"]["User"]["properties"]["id"]["type"] = "string"
    components["schemas"]["User"]["properties"]["gone"] = {}
    assert document.document(bare) == WRITTEN


@pytest.mark.parametrize("change", ["method", "address", "gone"])
def test_what_the_functions_answer_must_be_described(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """A method or an address that is in one place alone stops the generator, which names it."""
    written = json.loads(json.dumps(WRITTEN))
    if change == "gone":
        written["paths"]["/telegram/nothing"] = {"get": {}}
    elif change == "address":
        monkeypatch.setattr(document, "_paths", lambda: [*WRITTEN["paths"], "/telegram/nothing"])
        monkeypatch.setattr(document, "_allowed", lambda _: "DELETE, OPTIONS")
    else:
        del written["paths"]["/telegram/sessions"]["delete"]
    with pytest.raises(ValueError, match=r"DELETE.*/telegram/sessions|GET.*/telegram/nothing"):
        document.document(written)


def test_a_field_without_a_description_stops_the_generator() -> None:
    """Who adds a field to a class must say what it is."""
    written = json.loads(json.dumps(WRITTEN))
    del written["components"]["schemas"]["User"]["properties"]["username"]
    with pytest.raises(KeyError, match="username"):
        document.document(written)
