"""Malformed requests, as `make fuzz` makes them: each is answered as documented, and none breaks anything."""

import json

import pytest

from dev.prove.fuzz.http import HTTP, check, make
from dev.prove.fuzz.mutate import Mutator
from dev.prove.fuzz.strategies import hypothesize
from tests.site import BOT_TOKEN

LEAKS = (b"Traceback", b'File "', b"File \\", b"line ", b".py", b"Error:", BOT_TOKEN.encode())


@pytest.mark.parametrize("requests", [1500, pytest.param(14_000, marks=pytest.mark.slow)])
def test_corpus(requests: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Of so many none is a 5xx, shows our insides or gets a session; each has one line in the log."""
    mutator = Mutator(20_261_122)
    seen = set()
    for _ in range(requests):
        request = make(mutator)
        answer = check(request)
        assert not any(leak in answer.body for leak in LEAKS), request
        seen.add(answer.status)
    # They reach most refusals, or they would prove little.
    assert seen >= {200, 204, 303, 400, 401, 403, 404, 405, 415}
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert sum("status" in line for line in lines) == requests


def test_any_bytes() -> None:
    """Whatever text a server hands on as path, query, headers and body, the answer is in form."""
    hypothesize(HTTP[0], 1, check)
