"""The problems of the API (lib/tgauth/errors.py)."""

import ast
import inspect
import re
from http import HTTPStatus
from pathlib import Path

import pytest

from lib.tgauth import errors
from lib.tgauth.errors import Problem

ROOT = Path(__file__).parent.parent.parent
CLASSES = {
    name: found
    for name, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, Problem) and found is not Problem
}
LEAVES = {name: found for name, found in CLASSES.items() if "code" in found.__dict__}
EVERY = pytest.mark.parametrize("problem", LEAVES.values(), ids=LEAVES)


def drawn():
    """The tree in the module's docstring: name → (name of the class above, status, code)."""
    tree, above, statuses = {}, {0: "Problem"}, {}
    for line in errors.__doc__.splitlines():
        match = re.match(r"    ([│ ]*)[├└]── (\w+) *(\d{3})? *([a-z_]+)?", line)
        if match:
            depth = len(match[1]) // 4 + 1
            parent, name = above[depth - 1], match[2]
            above[depth] = name
            statuses[name] = int(match[3]) if match[3] else statuses[parent]
            tree[name] = (parent, statuses[name], match[4])
    return tree


def test_the_tree_is_drawn_as_it_is():
    """The docstring's tree names every class, what it derives from, its status and its code."""
    actual = {
        name: (found.__mro__[1].__name__, found.status, found.__dict__.get("code"))
        for name, found in CLASSES.items()
    }
    assert drawn() == actual


def test_codes_are_unique():
    """A code stands for one class, and so do title and detail."""
    for attribute in ("code", "title", "detail"):
        values = [getattr(found, attribute) for found in LEAVES.values()]
        assert len(set(values)) == len(values), attribute


@EVERY
def test_every_problem_is_whole(problem):
    """Whatever can be raised has a status, code, title, detail and event of its own or of its group."""
    assert HTTPStatus(problem.status).is_client_error or HTTPStatus(problem.status).is_server_error
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", problem.code)
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", problem.event)
    for text in (problem.title, problem.detail):
        assert text == text.strip()
        assert text[0].isupper()
    assert not problem.title.endswith(".")
    assert problem.detail.endswith(".")
    assert problem.__doc__


@EVERY
def test_texts_are_fixed(problem):
    """Title and detail have no place where something of the request could go in."""
    for text in (problem.title, problem.detail):
        assert isinstance(text, str)
        assert not re.search(r"[{}%$<>]|\\", text)


@EVERY
def test_the_reason_is_for_the_log(problem):
    """The reason is kept for the log and changes nothing that the client gets."""
    one, other = problem("canary"), problem("another")
    assert one.reason == str(one) == "canary"
    for attribute in ("status", "code", "title", "detail", "headers", "event"):
        assert getattr(one, attribute) == getattr(other, attribute)
        assert attribute not in vars(one)
        assert "canary" not in str(getattr(one, attribute))


@EVERY
def test_headers_fit_the_status(problem):
    """A 401 challenges (RFC 9110 §15.5.2), and a 429 or 503 says when to try again."""
    names = [name for name, _ in problem.headers]
    assert ("WWW-Authenticate" in names) == (problem.status == 401)
    assert ("Retry-After" in names) == (problem.status in (429, 503))
    assert len(set(names)) == len(names)


def test_only_a_refused_token_has_an_error_code_in_its_challenge():
    """Without credentials the challenge has no error code (RFC 6750 §3.1); with a bad token it does."""
    coded = {name for name, found in LEAVES.items() if any("error=" in value for _, value in found.headers)}
    assert coded == {"InvalidSession"}


def test_nobody_is_logged_out_by_our_faults():
    """What is our fault is a 5xx, which clients answer by keeping their session."""
    assert {name for name, found in LEAVES.items() if found.status >= 500} == {
        "IdentityProviderUnavailable",
        "InternalError",
        "Misconfigured",
        "RelayRequired",
        "SharedStoreRequired",
        "StoreUnavailable",
    }


def test_a_login_ends_in_one_of_these():
    """What a client can tell apart of a login: refused, too old, cancelled, or nobody's fault but ours."""
    logins = {found.code: found.status for found in LEAVES.values() if found.event == "authn_login_fail"}
    assert logins == {
        "login_rejected": 401,
        "login_stale": 401,
        "login_cancelled": 401,
        "invalid_grant": 400,
    }
    assert errors.IdentityProviderUnavailable.code == "identity_provider_unavailable"
    assert errors.IdentityProviderUnavailable.status == 503


def test_when_to_try_again():
    """Retry-After covers the minute that is counted, and a few seconds for what the owner or Redis mends."""
    waits = {
        name: dict(found.headers)["Retry-After"]
        for name, found in LEAVES.items()
        if "Retry-After" in dict(found.headers)
    }
    assert waits == {
        "IdentityProviderUnavailable": "5",
        "RateLimited": "60",
        "Misconfigured": "5",
        "RelayRequired": "5",
        "SharedStoreRequired": "5",
        "StoreUnavailable": "5",
    }


def test_only_leaves_are_raised():
    """Nothing in lib/ or api/ raises a class that has no code of its own."""
    groups = set(CLASSES) - set(LEAVES) | {"Problem"}
    raised = {
        node.exc.func.id
        for folder in ("lib", "api")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
    }
    assert "MalformedRequest" in raised
    assert not raised & groups
