"""What a browser sends beside its proof: cookies, return_to, JSON. Each check reads it independently."""

import json
from typing import Any

from ada_url import URL
from pydantic_core import from_json

from dev.prove.fuzz import material as m
from dev.prove.fuzz.proofs import ID_TOKENS, LAUNCHES
from dev.prove.fuzz.targets import Target, json_of, refused, require, text_of, values_of
from lib.tgauth.errors import MalformedRequest
from lib.tgauth.telegram.login import read_login
from lib.tgauth.web.cookies import read_cookies
from lib.tgauth.web.json import parse_object
from lib.tgauth.web.return_to import require_return_to

NAME = "__Host-tgauth"


COOKIES = (
    f"{NAME}={m.TOKENS['cookie']}",
    f"a=b; {NAME}={m.TOKENS['cookie']}; c=d",
    f'{NAME}-tx-AbCdEfGh={m.TRANSACTION}; {NAME}="x"; theme=dark',
    f"é=1;{NAME}=a=b ; {NAME}-tx-=; =v; Path=/",
)


def _split(header: str) -> list[str]:
    """The parts between semicolons, character by character."""
    parts, part = [], ""
    for character in header:
        if character == ";":
            parts.append(part)
            part = ""
        else:
            part += character
    return [*parts, part]


def check_cookies(header: str) -> None:
    """RFC 6265 §5.4 in a reading of its own; junk beside our cookie does not hide it."""
    expected: dict[str, str] = {}
    for part in _split(header):
        while part[:1] in (" ", "\t") and part:
            part = part[1:]
        while part[-1:] in (" ", "\t") and part:
            part = part[:-1]
        at = part.find("=")
        if at >= 0 and part[:at].startswith(NAME):
            rest = part[len(NAME) : at]
            expected[rest] = "" if rest in expected else part[at + 1 :]
    require(refused(lambda: read_cookies(header, NAME)) == expected, "cookies are read as others")
    if "" not in expected:
        for both in (f"{header}; {NAME}=T", f"{NAME}=T; {header}"):
            require(read_cookies(both, NAME)[""] == "T", "a neighbour hides our cookie")


_BASES = ("https://tgauth.example/telegram/callback", "http://localhost:3000/")


def check_return_to(text: str) -> None:
    """A browser that is sent there stays on this site, whatever it was on."""
    taken = refused(lambda: require_return_to(text), MalformedRequest)
    if taken is None:
        return
    require(taken == text, "return_to is changed")
    for base in _BASES:
        address = URL(text, base=base)
        require(address.origin == URL(base).origin, f"leads to {address.origin}")
        require(not address.pathname.startswith("//"), "a path that another parser takes for a host")
        require(not address.hash, "a fragment")


def check_json(body: str) -> None:
    """What is taken is JSON to another parser too, means the same, and has no key twice."""
    data = body.encode("latin-1", "replace")
    value = refused(lambda: parse_object(data), MalformedRequest)
    if value is None:
        return
    require(isinstance(value, dict), "no object")
    try:
        other = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        require("recursion limit" in str(error), f"another parser refuses it: {error}")
        return
    require(_same(other, value), "another parser reads it otherwise")
    # One key of two that are equal would be left out here.
    require(_count(data) == _members(value), "a key is there twice")


def _same(one: Any, two: Any) -> bool:
    return bool(one == two) or json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)


def _count(data: bytes) -> int:
    found: list[int] = []
    json.loads(data, object_pairs_hook=lambda pairs: found.append(len(pairs)) or dict(pairs))
    return sum(found)


def _members(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_members, value.values()))
    return sum(map(_members, value)) if isinstance(value, list) else 0


def check_login_body(body: Any) -> None:
    """A body has one kind of proof, and says how the session travels."""
    if not isinstance(body, dict):
        return
    login = refused(lambda: read_login(body), MalformedRequest)
    if login is None:
        return
    kinds = [login.widget, login.init_data, login.id_token]
    require(sum(kind is not None for kind in kinds) == 1, "not one proof")
    require(login.transport in ("cookie", "bearer"), "no transport")
    require(body.get("transport", login.transport) == login.transport, "another transport than asked for")


_BODIES = (
    *m.widgets(),
    {"widget": m.widgets()[0], "transport": "bearer", "state": m.STATE},
    {"init_data": LAUNCHES[0], "transport": "cookie"},
    {"id_token": ID_TOKENS[0]},
    {"ticket": m.SIGNED_TICKET, "user": m.USER.id},
    {"code": m.CODE, "verifier": m.VERIFIER, "host": m.PREVIEW},
    {"return_to": "/account?tab=1"},
    {"id": m.SLOTS["cookie"]},
)
_PATHS = (
    "/",
    "/account",
    "/a/b/c?d=e&f=%20g",
    "/..%2fa",
    "/%2e%2e/a",
    "//e.com",
    "/\\e.com",
    "/a//b",
    "/é?x#y",
)


TEXTS = (
    Target("cookies", text_of(*COOKIES), check_cookies),
    Target("return_to", text_of(*_PATHS), check_return_to),
    Target("JSON", json_of(*_BODIES), check_json),
    Target("login body", values_of(*_BODIES), check_login_body),
)
