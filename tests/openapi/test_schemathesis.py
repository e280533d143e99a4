"""schemathesis sends the development server what docs/openapi.json allows and forbids.

schemathesis.toml says which of its checks cannot hold somewhere, and why; hooks.py who it is.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.serve.process import Server, running
from tests.openapi.hooks import ENV

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/openapi.json"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A development server with a store that other instances could share."""
    with running(ROOT, ENV, store="upstash") as found:
        yield found


def run(server: Server, who: str, document: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Let schemathesis test the server as `who`, with all checks; the same requests every time."""
    config = ROOT / "tests/openapi/schemathesis.toml"
    words = ["--config-file", str(config), "run", str(document), "--url", server.origin, "--no-color"]
    return subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *words, "--generation-deterministic", *options],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": "utf-8",
            "NO_PROXY": "*",
            "TGAUTH_SERVER": server.origin,
            "TGAUTH_WHO": who,
        },
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.mark.parametrize(
    ("who", "phases"),
    [
        # Who asks makes no difference to what coverage adds: one request for each thing wrong with the form.
        ("cookie", "examples,coverage"),
        ("bearer", "examples,fuzzing,stateful"),
        ("anonymous", "examples,fuzzing"),
    ],
)
def test_the_server_keeps_to_the_document(server: Server, who: str, phases: str) -> None:
    """Every operation, whoever asks: no answer is undocumented, and nothing forbidden is taken."""
    done = run(server, who, DOCUMENT, "--phases", phases, "--max-examples", "6", "--continue-on-failure")
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    operations = [
        method
        for item in json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"].values()
        for method in item
        if method != "parameters"
    ]
    assert f"Tested: {len(operations)}" in done.stdout
    assert done.stdout.count("✅") > len(phases.split(","))


def _without_401(document: dict[str, Any]) -> None:
    del document["paths"]["/telegram/verify"]["get"]["responses"]["401"]


def _another_store(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["Health"]["properties"]["store"]["enum"] = ["elsewhere"]


def _another_method(document: dict[str, Any]) -> None:
    document["paths"]["/health"]["post"] = document["paths"]["/health"]["get"] | {
        "operationId": "post_health"
    }


def test_it_notices(server: Server, tmp_path: Path) -> None:
    """A document that is wrong in three places is found out in each."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    for change in (_without_401, _another_store, _another_method):
        change(document)
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    paths = ("--include-path", "/health", "--include-path", "/telegram/verify")
    done = run(server, "anonymous", file, "--phases", "fuzzing", "--max-examples", "3", *paths)
    assert done.returncode == 1, done.stdout + done.stderr
    for found in ("Undocumented status code", "Response violates schema", "Allow header mismatch"):
        assert found in done.stdout, done.stdout
