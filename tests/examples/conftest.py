"""The Python examples as functions of a deployment, in Vercel's own runtime."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.vercel.proxy import HOST
from dev.vercel.runtime import ROOT, SOURCE_BOOT, Function
from tests.site import BOT_TOKEN, Clock, Site

EXAMPLES = ROOT / "docs/examples"
ENV = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "TELEGRAM_API_URL": "http://127.0.0.1:9",
    "AUTH_SECRET": "examples-secret-0123456789-0123456789",
    "AUTH_ORIGIN": f"https://{HOST}",
    "VERCEL": "1",
    "VERCEL_ENV": "production",
}
NO_STORE = {
    "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9",
    "UPSTASH_REDIS_REST_TOKEN": "examples-no-store",
}
"""A store that does not answer."""

type Start = Callable[..., Function]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as its owner has it: lib/, and each example where its first lines say."""
    root = tmp_path_factory.mktemp("project").resolve()
    shutil.copytree(ROOT / "lib", root / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "api").mkdir()
    for example in EXAMPLES.glob("*.py"):
        shutil.copy(example, root / "api" / example.name)
    return root


@pytest.fixture(scope="session")
def start(project: Path) -> Iterator[Start]:
    """`start("vercel_function", name, env)`: the running function; all of them end with the session."""
    started: dict[tuple[str, bool], Function] = {}
    with ExitStack() as stack:

        def run(example: str, variable: str = "app", env: Mapping[str, str] | None = None) -> Function:
            key = (example, bool(env))
            if key not in started:
                entrypoint = f"api/{example}.py"
                handler = {
                    "__VC_HANDLER_MODULE_NAME": f"api.{example}",
                    "__VC_HANDLER_ENTRYPOINT": entrypoint,
                    "__VC_HANDLER_ENTRYPOINT_ABS": str(project / entrypoint),
                    "__VC_HANDLER_VARIABLE_NAME": variable,
                    "PYTHONDONTWRITEBYTECODE": "1",
                }
                command = [sys.executable, "-s", "-c", SOURCE_BOOT]
                function = Function(command, project, {**ENV, **(env or {}), **handler}, example)
                started[key] = stack.enter_context(function)
            return started[key]

        yield run


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    """tgauth itself, which logs people in for these functions; without a store, so that its tokens do."""
    return a_site(monkeypatch, shared=False)


@pytest.fixture
def site_with_store(monkeypatch: pytest.MonkeyPatch) -> Site:
    """The same with a store, for tokens that are looked up in one."""
    return a_site(monkeypatch, shared=True)


def a_site(monkeypatch: pytest.MonkeyPatch, *, shared: bool) -> Site:
    import lib.tgauth.sessions.service
    import lib.tgauth.settings

    monkeypatch.setattr(lib.tgauth.settings, "_settings", None)
    monkeypatch.setattr(lib.tgauth.sessions.service, "_service", None)
    clock = Clock()
    clock.time = time.time()
    return Site(clock, ENV, shared=shared)
