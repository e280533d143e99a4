"""What `pip install ./lib` gives: the package tgauth, whatever else is called api or lib."""

import json
import os
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

from dev.signing import sign_widget
from lib import tgauth

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "lib/pyproject.toml").read_text("utf-8"))["project"]
BOT_TOKEN = "987654321:AApackageabcdefghijklmnopqrstuvwxyz"

PROGRAM = """
import io, json, sys

import api, lib
from tgauth.auth import authenticate
from tgauth.wsgi import app

body = sys.stdin.buffer.read()
said = []
environ = {
    "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/telegram", "PATH_INFO": "/login", "QUERY_STRING": "",
    "HTTP_HOST": "example.com", "HTTP_SEC_FETCH_SITE": "same-origin", "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
    "REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "example.com", "SERVER_PORT": "443",
    "wsgi.url_scheme": "https",
}
answer = json.loads(b"".join(app(environ, lambda status, headers, exc_info=None: said.append(status))))
session = authenticate({"Authorization": f"Bearer {answer['token']}", "Host": "example.com"})
print(json.dumps([said, session.user.id, sorted(name for name in sys.modules if name.startswith("lib."))]))
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


@pytest.mark.slow
def test_beside_packages_of_the_owners(tmp_path: Path) -> None:
    """As a wheel, mounted, it logs in and tells who it is, beside packages that are called api and lib."""
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "build", "-q", "--wheel", "--out-dir", str(tmp_path), str(ROOT / "lib")], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed, owners = tmp_path / "installed", tmp_path / "owners"
    with zipfile.ZipFile(wheel) as file:
        file.extractall(installed)
    for name in ("api", "lib"):
        (owners / name).mkdir(parents=True)
        (owners / name / "__init__.py").touch()
    widget = sign_widget({"id": 5, "first_name": "Ann", "auth_date": int(time.time())}, BOT_TOKEN)
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps({"widget": dict(widget), "transport": "bearer"}),
        env={
            "PATH": os.defpath,
            "PYTHONPATH": f"{owners}{os.pathsep}{installed}",
            "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
            "AUTH_ORIGIN": "https://example.com",
        },
        cwd=owners,
        capture_output=True,
        text=True,
        check=True,
    )
    said, user_id, theirs = json.loads(process.stdout.splitlines()[-1])
    assert (said, user_id, theirs) == (["200 OK"], 5, [])
