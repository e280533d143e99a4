"""What README.md shows is what happens."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.serve.process import running
from tests.contract.tools import lacks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """The origin of a dev server with nothing set."""
    with running(ROOT) as server:
        yield server.origin


def test_the_transcript_works(origin: str, tmp_path: Path) -> None:
    """The curl transcript runs as it stands, and each answer is the one in the comment below it."""
    if not shutil.which("curl"):
        lacks("curl is not installed")
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    script = next(block for block in blocks if "curl" in block)
    expected = [line[2:] for line in script.splitlines() if re.match(r"# (\{|\d)", line)]
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script.replace("http://localhost:3000", origin)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=30,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": str(tmp_path), "no_proxy": "*"},
    )
    answers = done.stdout.splitlines()
    assert len(answers) == len(expected)
    for answer, pattern in zip(answers, expected, strict=True):
        assert re.match(re.escape(pattern).replace(r"\.\.\.", ".*"), answer), (pattern, answer)
