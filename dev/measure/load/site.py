"""The deployment under load: each function a process of Vercel's runtime, on a local Upstash over Valkey."""

import contextlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from dev.measure.load.visitor import BOT_TOKEN
from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from dev.vercel.proxy import HOST
from dev.vercel.runtime import Function

FUNCTIONS = (
    "health",
    "telegram/start",
    "telegram/login",
    "telegram/verify",
    "telegram/refresh",
    "telegram/logout",
    "telegram/sessions",
)
_ENV = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "TELEGRAM_API_URL": "http://127.0.0.1:9",
    "AUTH_SECRET": "load-secret-0123456789-0123456789-0123",
    "VERCEL": "1",
    "VERCEL_ENV": "production",
    "VERCEL_PROJECT_PRODUCTION_URL": HOST,
    "VERCEL_DEPLOYMENT_ID": "dpl_load",
}


class Watched(Function):
    """A function whose process can be looked at."""

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid


@contextlib.contextmanager
def deployment(changes: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[dict[str, Watched]]:
    """The running functions by name; `changes` are variables that single ones have otherwise.

    Raises `dev.upstash.valkey.Unavailable` when something is not installed.
    """
    with contextlib.ExitStack() as stack:
        valkey = stack.enter_context(Valkey())
        upstash = stack.enter_context(Upstash(valkey.port))
        store = {"UPSTASH_REDIS_REST_URL": upstash.url, "UPSTASH_REDIS_REST_TOKEN": upstash.token}

        def start(name: str) -> Watched:
            env = {**_ENV, **store, **(changes or {}).get(name, {})}
            return stack.enter_context(Watched.from_source(f"api/{name}.py", env))

        with ThreadPoolExecutor(len(FUNCTIONS)) as pool:
            functions = dict(zip(FUNCTIONS, pool.map(start, FUNCTIONS), strict=True))
        yield functions
