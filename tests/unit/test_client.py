"""public/tgauth.js and its types: small, alone, and what the API says."""

import gzip
import inspect
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from lib.tgauth import errors
from lib.tgauth.sessions.devices import Device
from lib.tgauth.user import Method, TelegramUser, Transport

PUBLIC = Path(__file__).parents[2] / "public"
MODULE = (PUBLIC / "tgauth.js").read_text("utf-8")
TYPES = (PUBLIC / "tgauth.d.ts").read_text("utf-8")
OWN = {"framed", "network", "cookies_forbidden", "other_origin"}
"""The codes of what goes wrong before the API is reached."""


def interface(name: str) -> dict[str, str]:
    """The fields of an interface in the types, each with its type; one that may be missing with a "?"."""
    found = re.search(rf"^export interface {name} {{\n(.*?)^}}", TYPES, re.DOTALL | re.MULTILINE)
    assert found
    fields = re.findall(r"^  readonly (\w+)(\??): (.+);$", found[1], re.MULTILINE)
    return {field: kind + optional for field, optional, kind in fields}


def union(name: str) -> set[str]:
    """The members of a union of literals in the types, which names each once."""
    found = re.search(rf"^export type {name} =(.*?);$", TYPES, re.DOTALL | re.MULTILINE)
    assert found
    members = re.findall(r'"(\w+)"', found[1])
    assert len(members) == len(set(members))
    return set(members)


def literals(alias: Any) -> str:
    return " | ".join(f'"{member}"' for member in get_args(alias))


def declared(kind: type) -> dict[str, str]:
    """The fields of a class, as its JSON has them in TypeScript."""
    names = {int: "number", str: "string", bool: "boolean", Method: "Method"}
    names |= {known | None: f"{name}?" for known, name in list(names.items())[:3]}  # type: ignore[operator]
    return {name: names[hint] for name, hint in get_type_hints(kind).items()}


def test_it_is_small() -> None:
    """Comments and all, it is less than 4 KB on the way to a browser."""
    assert len(gzip.compress(MODULE.encode(), 9)) < 4096


def test_it_needs_nothing_else() -> None:
    """It imports what asks Telegram's client, and keeps a Mini App's launch in the tab; nothing else."""
    code = re.sub(r"(?s:/\*.*?\*/)|//.*", "", MODULE)
    assert re.findall(r"\bimport\b[^)]*\)", code) == ['import("./inside.js")']
    assert set(re.findall(r"\w*Storage\b.*?\(LAUNCH", code)) == {
        "sessionStorage.getItem(LAUNCH",
        "sessionStorage.setItem(LAUNCH",
    }
    assert code.count("Storage") == 2
    for word in ("document.cookie", "indexedDB", "caches", "eval"):
        assert word not in code, word


def test_the_types_name_what_it_exports() -> None:
    """Functions and classes are there under the same names, and nothing is left out."""
    export = r"^export (?:async )?(function|class) (\w+)"
    exported = re.findall(export, MODULE, re.MULTILINE)
    assert len(exported) == MODULE.count("export ")
    assert sorted(exported) == sorted(re.findall(export, TYPES, re.MULTILINE))


@pytest.mark.parametrize(("name", "options"), [("login", "LoginOptions"), ("request", "RequestOptions")])
def test_options_have_the_same_names(name: str, options: str) -> None:
    """What a function takes out of its options is what its types offer."""
    taken = re.search(rf"^export async function {name}\(.*{{ (.*) }} = {{}}\)", MODULE, re.MULTILINE)
    assert taken
    assert set(taken[1].split(", ")) == interface(options).keys()


def test_the_codes_are_those_of_the_api() -> None:
    """A problem's code is one of lib/tgauth/errors.py, or one of the client's own, which it does use."""
    api = {found.code for _, found in inspect.getmembers(errors, inspect.isclass) if "code" in vars(found)}
    assert union("ProblemCode") == api | OWN
    assert not api & OWN
    used = set(re.findall(r'"([a-z]+(?:_[a-z]+)*)"', "".join(re.findall(r"new Problem\(.*", MODULE))))
    assert used >= OWN
    assert used <= union("ProblemCode") | {"string"}


@pytest.mark.parametrize(("name", "kind"), [("User", TelegramUser), ("Device", Device)])
def test_the_fields_are_those_of_the_api(name: str, kind: type) -> None:
    """What a list of sessions and a user have, by name and type, and what may be missing."""
    assert interface(name) == declared(kind)


def test_the_unions_are_those_of_the_api() -> None:
    """Methods and transports are spelt as the API spells them."""
    assert union("Method") == set(get_args(Method))
    assert interface("Session")["transport"] == literals(Transport)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Session", ["id", "created_at", "expires_at", "method", "transport"]),
        ("Login", ["user", "session"]),
    ],
)
def test_a_login_is_what_the_api_answers(name: str, fields: list[str]) -> None:
    """The rest is as docs/API.md has it, and as lib/tgauth/web/respond.py makes it."""
    respond = (PUBLIC.parent / "lib/tgauth/web/respond.py").read_text("utf-8")
    body = respond.partition("def session_response")[2].partition("return")[0]
    assert list(interface(name)) == fields
    assert all(f'"{field}": ' in body for field in fields)
