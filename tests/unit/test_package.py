"""What `pip install ./lib` gives: the package tgauth, whatever else is called api or lib."""

import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.telegram.signing import sign_init_data, sign_widget
from dev.upstash.server import Upstash
from dev.upstash.valkey import Unavailable, Valkey
from lib import tgauth
from tests.contract.tools import lacks

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "lib/pyproject.toml").read_text("utf-8"))["project"]
BOT_TOKEN = "987654321:AApackageabcdefghijklmnopqrstuvwxyz"

PROGRAM = """
import importlib, io, json, pkgutil, sys

import api, lib
import tgauth
from tgauth.auth import authenticate
from tgauth.wsgi import app

for module in pkgutil.walk_packages(tgauth.__path__, "tgauth."):
    importlib.import_module(module.name)
who = []
for login in json.load(sys.stdin):
    body, said = json.dumps(login).encode(), []
    environ = {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/telegram", "PATH_INFO": "/login", "QUERY_STRING": "",
        "HTTP_HOST": "example.com", "HTTP_SEC_FETCH_SITE": "same-origin", "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
        "REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "example.com", "SERVER_PORT": "443",
        "wsgi.url_scheme": "https",
    }
    answer = json.loads(b"".join(app(environ, lambda status, headers, exc_info=None: said.append(status))))
    session = authenticate({"Authorization": f"Bearer {answer.get('token')}", "Host": "example.com"})
    who.append([*said, session.user.id, session.method])
print(json.dumps([who, sorted(name for name in sys.modules if name.startswith("lib."))]))
"""


def test_one_version() -> None:
    """The package says the version that it is installed as."""
    assert PROJECT["version"] == tgauth.__version__


def test_the_packages_that_it_needs() -> None:
    """What it is installed with is what the template deploys, with the oldest version in place of a pin."""
    block = (ROOT / "requirements.txt").read_text("utf-8").partition("\n\n")[0]
    pinned = {line.partition("==")[0] for line in block.splitlines() if not line.startswith("#")}
    assert {name.partition(">=")[0] for name in PROJECT["dependencies"]} == pinned
    assert all(">=" in name for name in PROJECT["dependencies"])


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python of its own with the package, and the oldest version of each that this allows."""
    uv, place = str(Path(sys.executable).parent / "uv"), tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(place)], check=True)
    oldest = ["--resolution", "lowest-direct", str(ROOT / "lib")]
    subprocess.run([uv, "pip", "install", "-q", "--python", str(place), *oldest], check=True)
    return str(place / "bin/python")


@pytest.fixture(scope="module")
def stores() -> Iterator[dict[str, dict[str, str]]]:
    """Settings for each kind of store."""
    try:
        valkey = Valkey()
    except Unavailable as reason:
        lacks(reason)
    with valkey, Upstash(valkey.port) as upstash:
        yield {
            "memory": {},
            "upstash": {"UPSTASH_REDIS_REST_URL": upstash.url, "UPSTASH_REDIS_REST_TOKEN": upstash.token},
            "redis": {"REDIS_URL": f"redis://127.0.0.1:{valkey.port}"},
        }


@pytest.mark.slow
@pytest.mark.parametrize("store", ["memory", "upstash", "redis"])
def test_beside_packages_of_the_owners(
    python: str, stores: dict[str, dict[str, str]], tmp_path: Path, store: str
) -> None:
    """Installed and mounted, it logs in and tells who it is, beside packages that are called api and lib."""
    for owners in ("api", "lib"):
        (tmp_path / owners).mkdir()
        (tmp_path / owners / "__init__.py").touch()
    # Two of the stores are one server, where a proof works once.
    name, now = f"Ann of {store}", int(time.time())
    widget = dict(sign_widget({"id": 5, "first_name": name, "auth_date": now}, BOT_TOKEN))
    init_data = sign_init_data({"user": {"id": 6, "first_name": name}, "auth_date": now}, BOT_TOKEN)
    process = subprocess.run(
        [python, "-c", PROGRAM],
        input=json.dumps([{"widget": widget, "transport": "bearer"}, {"init_data": init_data}]),
        env={
            **stores[store],
            "PATH": os.defpath,
            "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
            "AUTH_SECRET": "canary-auth-secret-0123456789-0123456789",
            "AUTH_ORIGIN": "https://example.com",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not process.returncode, process.stderr
    who, theirs = json.loads(process.stdout.splitlines()[-1])
    assert (who, theirs) == ([["200 OK", 5, "widget"], ["200 OK", 6, "webapp"]], [])
