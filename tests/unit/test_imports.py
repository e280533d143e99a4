"""What a function imports is its cold start: the heavy libraries stay out where they are not needed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dev.signing import sign_init_data, sign_widget

ROOT = Path(__file__).resolve().parents[2]
BOT_TOKEN = "987654321:AAimportsabcdefghijklmnopqrstuvwxyz"
ENV = {"TELEGRAM_BOT_TOKEN": BOT_TOKEN, "AUTH_ORIGIN": "https://tgauth.example"}
HEAVY = {
    "pydantic",
    "pydantic_core",
    "jwt",
    "cryptography",
    "redis",
    "httpx",
    "httpcore",
    "upstash_redis",
    "requests",
}

# Runs in a process of its own: import the function, serve one request, and say what is loaded when.
PROGRAM = """
import io, json, sys

method, module, headers, body = json.loads(sys.stdin.read())
before = set(sys.modules)
app = __import__(module, fromlist=["app"]).app
imported = sorted(set(sys.modules) - before)
answer = {}

def start_response(status, headers, exc_info=None):
    answer["status"] = int(status[:3])
    return lambda data: None

environ = {
    "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_NAME": "x",
    "SERVER_PORT": "443", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "tgauth.example",
    "wsgi.version": (1, 0), "wsgi.url_scheme": "https", "wsgi.errors": sys.stderr,
    "wsgi.input": io.BytesIO(body.encode()),
    "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
    "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body.encode())), **headers,
}
answer["body"] = b"".join(app(environ, start_response)).decode()
answer["imported"] = imported
answer["served"] = sorted(set(sys.modules) - before)
print(json.dumps(answer))
"""


def serve(module: str, method: str = "POST", body: Any = None, **headers: str) -> dict[str, Any]:
    """Serve one request in a fresh process; `imported` and `served` are the modules loaded by then."""
    request = [
        method,
        module,
        {"HTTP_SEC_FETCH_SITE": "same-origin"} | headers,
        "" if body is None else json.dumps(body),
    ]
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", **ENV},
        timeout=60,
        check=True,
    )
    answer: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    answer["json"] = json.loads(answer["body"]) if answer["body"] else None
    return answer


def packages(modules: list[str]) -> set[str]:
    """The top-level packages among modules."""
    return {module.partition(".")[0] for module in modules}


def widget() -> dict[str, Any]:
    return dict(sign_widget({"id": 5, "first_name": "Ann", "auth_date": int(time.time())}, BOT_TOKEN))


def init_data() -> str:
    return sign_init_data({"user": {"id": 5, "first_name": "Ann"}, "auth_date": int(time.time())}, BOT_TOKEN)


@pytest.fixture(scope="module")
def bearer() -> str:
    """A session's token, made by a login in a process of its own."""
    token: str = serve("api.telegram.login", body={**widget(), "transport": "bearer"})["json"]["token"]
    return f"Bearer {token}"


def light(answer: dict[str, Any]) -> None:
    """Nothing heavy is loaded, neither by importing the function nor by serving the request."""
    assert packages(answer["imported"]) & HEAVY == set()
    assert packages(answer["served"]) & HEAVY == set()
    assert {"lib", "werkzeug"} <= packages(answer["imported"])


def test_verify(bearer: str) -> None:
    """Verify serves a session of another process without anything heavy."""
    answer = serve("api.telegram.verify", "GET", HTTP_AUTHORIZATION=bearer)
    assert (answer["status"], answer["json"]["user"]["id"]) == (200, 5)
    light(answer)


def test_refresh(bearer: str) -> None:
    """So does refresh."""
    answer = serve("api.telegram.refresh", HTTP_AUTHORIZATION=bearer)
    assert (answer["status"], answer["json"]["user"]["id"]) == (200, 5)
    light(answer)


def test_logout(bearer: str) -> None:
    """So does logout."""
    answer = serve("api.telegram.logout", HTTP_AUTHORIZATION=bearer)
    assert (answer["status"], answer["body"]) == (204, "")
    light(answer)


def test_health() -> None:
    """Health needs nothing heavy to say that it is well."""
    answer = serve("api.health", "GET")
    assert (answer["status"], answer["json"]["store"]) == (200, "memory")
    light(answer)


def test_start() -> None:
    """Start needs nothing heavy to lead to Telegram."""
    answer = serve("api.telegram.start", body={})
    assert (answer["status"], answer["json"]["methods"]) == (200, ["widget"])
    light(answer)


def test_login_with_the_widget() -> None:
    """A widget's login pays for no validator and no cryptography."""
    answer = serve("api.telegram.login", body=widget())
    assert (answer["status"], answer["json"]["user"]["id"]) == (200, 5)
    light(answer)


def test_login_with_init_data() -> None:
    """A Mini App's login loads pydantic when it comes, not before, and nothing else that is heavy."""
    answer = serve("api.telegram.login", body={"init_data": init_data()})
    assert (answer["status"], answer["json"]["user"]["id"]) == (200, 5)
    assert packages(answer["imported"]) & HEAVY == set()
    assert packages(answer["served"]) & HEAVY == {"pydantic", "pydantic_core"}


@pytest.mark.parametrize(
    ("module", "method"),
    [
        ("api.health", "PUT"),
        ("api.telegram.login", "GET"),
        ("api.telegram.login", "POST"),
        ("api.telegram.verify", "GET"),
        ("api.telegram.refresh", "POST"),
    ],
)
def test_errors(module: str, method: str) -> None:
    """Errors need nothing heavy either."""
    answer = serve(module, method, body={})
    assert answer["status"] in (400, 401, 405)
    light(answer)


def test_the_project_does_not_import_its_tools() -> None:
    """What is deployed imports nothing of dev/ or tests/, which are not deployed."""
    answer = serve("api.telegram.login", body={"init_data": init_data()})
    assert packages(answer["served"]) & {"dev", "tests", "pytest", "hypothesis", "vercel_runtime"} == set()
