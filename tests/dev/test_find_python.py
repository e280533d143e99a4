"""dev/find-python: which Python the commands run on, and which ones .ci/run tests on."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "dev/find-python"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The home of somebody who has 3.12 by name, a shim of 3.13 that fails, and 3.13 twice from pyenv."""
    for path, answers in (
        ("bin/python3.12", "echo 3.12 /named/3.12"),
        ("bin/python3.13", "exit 127"),
        ("bin/python3", "echo 3.12 /another/3.12"),
        (".pyenv/versions/3.13.0/bin/python3", "echo 3.13 /pyenv/3.13.0"),
        (".pyenv/versions/3.13.1/bin/python3", "echo 3.13 /pyenv/3.13.1"),
    ):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{answers}\n")
        file.chmod(0o755)
    return tmp_path


def found(home: Path, *options: str, **environment: str) -> list[str]:
    """What it prints there; Pythons of the real machine may follow."""
    variables = {"HOME": str(home), "PATH": f"{home}/bin:/usr/bin:/bin", **environment}
    return subprocess.run(
        [SCRIPT, *options], env=variables, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_the_first_that_runs(machine: Path) -> None:
    """The oldest version by name is taken, or the one that PYTHON names, if it can be run."""
    assert found(machine) == ["/named/3.12"]
    assert found(machine, PYTHON=f"{machine}/.pyenv/versions/3.13.1/bin/python3") == ["/pyenv/3.13.1"]
    with pytest.raises(subprocess.CalledProcessError):
        found(machine, PYTHON=f"{machine}/bin/python3.13")


def test_each_version(machine: Path) -> None:
    """With --each it prints one Python of every version that runs, the oldest first, and no broken shim."""
    assert found(machine, "--each")[:2] == ["/named/3.12", "/pyenv/3.13.0"]
