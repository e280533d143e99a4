"""What the doctor looks at: a tree, a Redis, an Upstash, and everything outside."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import responses

from dev.serve.process import ROOT
from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from tests.contract.tools import start_valkey


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    """Everything outside; what is not registered cannot be reached."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The repository as far as Vercel builds it, and a function of the owner's."""
    shutil.copytree(ROOT / "api", tmp_path / "api", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("api/own/mine.py", "api/_part.py", "public/index.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("requirements.txt", "vercel.json"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with start_valkey() as server:
        yield server


@pytest.fixture(scope="module")
def _upstash(valkey: Valkey) -> Iterator[Upstash]:
    with Upstash(valkey.port) as server:
        yield server


@pytest.fixture
def upstash(_upstash: Upstash) -> Upstash:
    """An Upstash without faults, which has seen nothing yet."""
    _upstash.reset()
    return _upstash
