"""A deployment in this process, whose functions, store and clock are the test's own."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import lib.tgauth.sessions.service
import lib.tgauth.settings

# As in a process that has served a login: a cold start asks Telegram in another order.
import lib.tgauth.telegram.jwk
from tests.site import Clock, Site


@pytest.fixture(autouse=True)
def _reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test begins without settings and service, and leaves none behind."""
    monkeypatch.setattr(lib.tgauth.settings, "_settings", None)
    monkeypatch.setattr(lib.tgauth.sessions.service, "_service", None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(clock: Clock) -> Site:
    """A production deployment without a store, as most begin."""
    return Site(clock)


@pytest.fixture(params=["degraded", "shared"])
def both(request: pytest.FixtureRequest, clock: Clock) -> Site:
    """The deployment with either kind of token: what holds for one must hold for the other."""
    return Site(clock, shared=request.param == "shared")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], None]:
    """`environment({...})`: from here on the functions find exactly these variables, as in a cold start."""

    def set_environment(env: Mapping[str, str]) -> None:
        monkeypatch.setattr(os, "environ", dict(env))
        lib.tgauth.settings._settings = None
        lib.tgauth.sessions.service._service = None

    return set_environment


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """`lines()`: the log lines since the last call; stderr must be empty and every line a JSON object."""

    def read() -> list[dict[str, Any]]:
        captured = capsys.readouterr()
        assert captured.err == ""
        assert captured.out == "" or captured.out.endswith("\n")
        return [json.loads(line) for line in captured.out.split("\n")[:-1]]

    return read
