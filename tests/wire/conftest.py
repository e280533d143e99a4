"""Functions started in Vercel's runtime, shared by the wire tests of one run."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from dev.vercel.proxy import HOST
from dev.vercel.runtime import ROOT, Function

BOT_TOKEN = "987654321:AAwireCanaryabcdefghijklmnopqrstuvw"
AUTH_SECRET = "wire-canary-secret-0123456789-0123456789"
ORIGIN = f"https://{HOST}"
COOKIE = "__Host-tgauth"
ENV = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "TELEGRAM_API_URL": "http://127.0.0.1:9",
    "AUTH_SECRET": AUTH_SECRET,
    "VERCEL": "1",
    "VERCEL_ENV": "production",
    "VERCEL_PROJECT_PRODUCTION_URL": HOST,
    "VERCEL_DEPLOYMENT_ID": "dpl_wire",
}
ECHO = '''
"""Answers with what it was given."""

import json, logging, os, sys, threading

together = threading.Barrier(4)


def app(environ, start_response):
    match environ["PATH_INFO"]:
        case "/raise":
            raise RuntimeError("uncaught")
        case "/together":
            together.wait(10)
        case "/log":
            print("printed")
            print("complained", file=sys.stderr)
            logging.getLogger("echo").warning("warned")
    seen = {key: value for key, value in environ.items() if isinstance(value, str | bool | None)}
    seen["body"] = environ["wsgi.input"].read().decode("latin-1")
    seen["os.environ"] = dict(os.environ)
    seen["os.getcwd"] = os.getcwd()
    cookies = [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; Path=/")]
    start_response("200 OK", [("Content-Type", "application/json"), *cookies])
    return [json.dumps(seen).encode()]
'''


class StartFunction(Protocol):
    """Start a source function, or give the one that already runs with the same environment."""

    def __call__(self, path: str, env: Mapping[str, str] | None = None, root: Path = ROOT) -> Function: ...


@pytest.fixture(scope="session")
def function() -> Iterator[StartFunction]:
    """`function("api/status.py", env={...})`: a running Function; all of them end with the session."""
    started: dict[tuple[Path, str, frozenset[tuple[str, str]]], Function] = {}
    with ExitStack() as stack:

        def start(path: str, env: Mapping[str, str] | None = None, root: Path = ROOT) -> Function:
            key = (root, path, frozenset((env or {}).items()))
            if key not in started or not started[key].alive:
                started[key] = stack.enter_context(Function.from_source(path, env, root))
            return started[key]

        yield start


@pytest.fixture(scope="session")
def task_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a function of its own, api/echo.py."""
    root = tmp_path_factory.mktemp("task").resolve()
    (root / "api").mkdir()
    (root / "api/echo.py").write_text(ECHO)
    return root


@pytest.fixture(scope="session")
def echo(function: StartFunction, task_root: Path) -> Function:
    """A running function that answers with what it was given."""
    return function("api/echo.py", root=task_root)
