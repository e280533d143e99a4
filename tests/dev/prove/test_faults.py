"""`make faults`, in short: nothing fails open or logs anybody out, and the run notices a tgauth that does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dev.prove.faults.actions import actions
from dev.prove.faults.points import HttpPoint
from dev.prove.faults.sabotage import SABOTAGE
from dev.upstash.faults import CHANGES, Fault, changed
from lib.tgauth.telegram.http import _client, get, post_json
from tests.contract.tools import start_valkey

ROOT = Path(__file__).resolve().parents[3]
WRONG = ("lost", "open", "5xx", "form", "slow")


def run(*options: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the figures of a short run in a process of its own."""
    start_valkey().close()
    command = [sys.executable, "-m", "dev.prove.faults", "--json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=600)
    assert done.stdout, done.stderr.decode()
    return done.returncode, json.loads(done.stdout)


@pytest.mark.slow
def test_a_short_run_finds_nothing() -> None:
    """Some faults of every action: no session is lost, nobody is let in, every answer is documented."""
    code, figures = run("--quick")
    assert figures["findings"] == []
    assert {name: figures[name] for name in WRONG} == dict.fromkeys(WRONG, 0)
    assert code == 0
    assert set(figures["matrix"]) == {action.name for action in actions()}
    assert figures["injected"] > 200


# Which action shows each, and by what; one store's errors are another's defects, so these are over TCP.
SHOWN = {
    "clears-cookies": ("list, TCP", "lost", "Set-Cookie with 503"),
    "says-no-time": ("list, TCP", "form", "headers"),
    "misses": ("verify, TCP", "lost", "401 invalid_session"),
    "opens-the-gate": ("login, outsider", "open", "an attack was answered 200"),
    "takes-proofs-twice": ("login, widget, TCP", "open", "what works once worked"),
    "forgets-what-ended": ("initData from before, TCP", "open", "what works never worked"),
    "keeps-the-old-session": ("login again, TCP", "open", "was said to have ended, and lives"),
    "says-it-worked": ("logout, TCP", "open", "was said to have ended, and lives"),
    "breaks-down": ("refresh", "5xx", "internal"),
    "waits": ("refresh", "slow", " s"),
}


@pytest.mark.slow
def test_a_broken_tgauth_is_noticed() -> None:
    """Each way to break it is counted as what it is, by an action that shows it."""
    assert set(SHOWN) == set(SABOTAGE)
    only = {action for action, _, _ in SHOWN.values()}
    code, figures = run(
        "--quick=8", *(f"--only={name}" for name in sorted(only)), *(f"--sabotage={name}" for name in SHOWN)
    )
    assert code == 1
    for action, what, shows in SHOWN.values():
        found = [one for one in figures["findings"] if one["case"].startswith(f"{action} (")]
        assert any(one["what"] == what and shows in one["shows"] for one in found), (action, what, found)
        assert figures[what]


def test_a_fault_strikes_when_it_says() -> None:
    """Once, or from there on."""
    assert [Fault("drop", nth=2).strikes(number) for number in (1, 2, 3)] == [False, True, False]
    assert [Fault("drop", nth=2, on=True).strikes(number) for number in (1, 2, 3)] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("kind", CHANGES)
def test_a_changed_answer_is_another_one(kind: str) -> None:
    """Whatever is changed in an answer shows in it, for one command and for a transaction."""
    for value in ({"result": ["eyJmIjoxfQ=="]}, [{"result": 1}, {"result": ["eyJmIjoxfQ=="]}]):
        body = json.dumps(value).encode()
        assert json.loads(changed(kind, body)) != value


def test_a_point_passes_on_and_fails_as_told() -> None:
    """Without a fault the answer is the real one; with one, the path that is meant fails."""
    point = HttpPoint(lambda *_: (200, b'{"real": 1}'), late=0.1)
    try:
        assert get(f"{point.url}/a").body == b'{"real": 1}'
        point.expect(Fault("502", target="token", on=True), "/token")
        assert get(f"{point.url}/a").status == 200
        assert post_json(f"{point.url}/token", {}).status == 502
        point.expect(None)
        assert post_json(f"{point.url}/token", {}).status == 200
        assert point.injected == 1
    finally:
        point.close()
        _client.close()
