"""What a library imports can be put off until it is used, unnoticed by all others."""

import importlib
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib.tgauth.deferred import deferred

ROOT = Path(__file__).resolve().parents[2]
NAME = "tgauth_test_package"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that leaves a file when it is loaded, and a library that imports it; the file's path."""
    loaded = tmp_path / "loaded"
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "__init__.py").write_text(
        f"import pathlib\nwith pathlib.Path({str(loaded)!r}).open('a') as file: file.write('x')\n"
        "from . import part as its_part\nvalue = 7\n"
    )
    (tmp_path / NAME / "part.py").write_text("value = 8\n")
    (tmp_path / f"{NAME}_user.py").write_text(f"import {NAME}\ndef use(): return {NAME}.value\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield loaded
    for name in [name for name in sys.modules if name.startswith(NAME)]:
        del sys.modules[name]


def times(loaded: Path) -> int:
    return len(loaded.read_text()) if loaded.exists() else 0


def test_it_is_loaded_when_it_is_used(package: Path) -> None:
    """And once, however often it is used."""
    with deferred(NAME):
        user = importlib.import_module(f"{NAME}_user")
    assert NAME not in sys.modules
    assert times(package) == 0
    assert (user.use(), user.use(), times(package)) == (7, 7, 1)


def test_an_import_afterwards_is_as_ever(package: Path) -> None:
    """Who imports it later gets the package itself, with its parts."""
    with deferred(NAME):
        user = importlib.import_module(f"{NAME}_user")
    real = importlib.import_module(NAME)
    assert (real.__file__ or "").endswith("__init__.py")
    assert importlib.import_module(f"{NAME}.part").value == 8
    assert (user.use(), sys.modules[NAME], times(package)) == (7, real, 1)


def test_what_is_loaded_stays(package: Path) -> None:
    """Nothing stands in for a package that is already there."""
    real = importlib.import_module(NAME)
    with deferred(NAME):
        assert sys.modules[NAME] is real
    assert sys.modules[NAME] is real


def test_used_inside_it_is_loaded_at_once(package: Path) -> None:
    """As by `from … import`, here or in another thread."""
    with deferred(NAME):
        exec(f"from {NAME} import value\nfrom {NAME} import part")  # noqa: S102
        assert times(package) == 1
        real = sys.modules[NAME]
    assert sys.modules[NAME] is real


def test_its_parts_can_be_imported_inside(package: Path) -> None:
    """A part that another thread imports is the package's own part later, and there is no second one."""
    with deferred(NAME):
        part = importlib.import_module(f"{NAME}.part")
        assert part.value == 8
    real = importlib.import_module(NAME)
    assert importlib.import_module(f"{NAME}.part") is part
    assert (times(package), real.its_part is part) == (1, True)


def test_it_can_be_looked_for_inside(package: Path) -> None:
    """Who asks whether the package is installed hears yes, and it stays as it is."""
    with deferred(NAME):
        assert importlib.util.find_spec(NAME) is not None
    assert times(package) == 0


def test_threads(package: Path) -> None:
    """Many that put it off, import it and use it at once all get it, and there is one."""
    users, found = 40, []
    ready = threading.Barrier(users)

    def use(number: int) -> None:
        ready.wait(10)
        if number % 2:
            with deferred(NAME):
                found.append(importlib.import_module(f"{NAME}_user").use())
        else:
            found.append(importlib.import_module(NAME).value)

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(users) as pool:
            for future in [pool.submit(use, number) for number in range(users)]:
                future.result(20)
    finally:
        sys.setswitchinterval(switch)
    assert (found, times(package)) == ([7] * users, 1)


def test_a_failed_import_leaves_nothing(package: Path) -> None:
    """The next attempt begins anew."""
    with pytest.raises(ModuleNotFoundError), deferred(NAME):
        importlib.import_module(f"{NAME}_nowhere")
    assert NAME not in sys.modules


def test_what_the_package_lacks(package: Path) -> None:
    """Its AttributeError is the package's own; a package that is not installed is reported as such."""
    with deferred(NAME):
        user = importlib.import_module(f"{NAME}_user")
    module = vars(user)[NAME]
    with pytest.raises(AttributeError, match=f"module '{NAME}' has no attribute 'nothing'"):
        _ = module.nothing
    with (
        pytest.raises(ModuleNotFoundError, match="tgauth_no_such_package"),
        deferred("tgauth_no_such_package"),
    ):
        importlib.import_module("tgauth_no_such_package")


UPSTASH = """
import sys
import lib.tgauth.store.upstash
assert "httpx" not in sys.modules
from upstash_redis import AsyncRedis, Redis
clients = [kind("https://x.upstash.io", "t")._http._client for kind in (Redis, AsyncRedis)]
import httpx
assert [type(client) for client in clients] == [httpx.Client, httpx.AsyncClient]
"""


def test_others_can_use_upstash_redis_beside_us() -> None:
    """Someone's own function makes the clients as they come, in a process where ours loaded the library."""
    command = [sys.executable, "-c", UPSTASH]
    subprocess.run(command, cwd=ROOT, env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}, check=True)
