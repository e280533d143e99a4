"""The deployment under load: each function a process of Vercel's runtime, on a local Upstash over Valkey."""

import contextlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from dev.measure.bench.store import local_store
from dev.measure.bench.traffic import ENV
from dev.vercel.runtime import Function

FUNCTIONS = (
    "status",
    "telegram/start",
    "telegram/login",
    "telegram/verify",
    "telegram/refresh",
    "telegram/logout",
    "telegram/sessions",
)


@contextlib.contextmanager
def deployment(changes: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[dict[str, Function]]:
    """The running functions by name; `changes` are variables that single ones have otherwise.

    Raises `dev.upstash.valkey.Unavailable` when something is not installed.
    """
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(local_store()).address().env

        def start(name: str) -> Function:
            env = {**ENV, **store, **(changes or {}).get(name, {})}
            return stack.enter_context(Function.from_source(f"api/{name}.py", env))

        with ThreadPoolExecutor(len(FUNCTIONS)) as pool:
            functions = dict(zip(FUNCTIONS, pool.map(start, FUNCTIONS), strict=True))
        yield functions
