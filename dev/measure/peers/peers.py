"""What is measured: how each peer is started, and what it is sent for a login, a verify and a logout."""

import itertools
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from dev.measure.peers.bundle import VENDORED
from dev.measure.peers.install import HERE, PYTHON
from dev.measure.peers.stores import Stores
from dev.telegram.signing import sign_widget
from dev.vercel.proxy import HOST, Headers, Response, decode_response, encode_request, exchange
from dev.vercel.runtime import ROOT, SOURCE_BOOT, Function

BOT_TOKEN = "123456:benchmark-token-of-no-bot"
SECRET = "benchmark-secret-kX7-of-more-than-32-characters"
ORIGIN = f"https://{HOST}"
USER_ID, NAME = 5_000_000_001, "Benchmark"
# Some servers would wait for another request on the same connection, and the answer's end with them.
ONCE = {"Connection": "close"}
OWN_PAGE = {
    **ONCE,
    "Origin": ORIGIN,
    "Sec-Fetch-Site": "same-origin",
    "Content-Type": "application/json",
}
RUNTIME = ("vercel-runtime", "Python")
STOP_SECONDS = 20

_logins = itertools.count(1)

type Store = Literal["REST", "TCP"]
type Action = Literal["login", "verify", "logout"]
type Fields = Mapping[str, str | int]


class App(Protocol):
    """A running process that answers requests."""

    def request(
        self, method: str, target: str, headers: Headers = (), body: bytes = b"", timeout: float = 15.0
    ) -> Response: ...

    def close(self) -> int: ...


@dataclass(frozen=True)
class Peer:
    """Something that logs people in. `packages` are those whose versions name it, `paths` its addresses."""

    name: str
    packages: tuple[str, ...]
    store: Store
    start: Callable[[Action, Stores], App]
    paths: Mapping[Action, str]
    body: Callable[[Fields], object]

    def login(self, app: App) -> str:
        """Log in with a genuine proof of its own; the Cookie header for what follows."""
        # Two proofs of one second would be the same but for the name, and tgauth takes each once.
        number, now = str(next(_logins)), int(time.time())
        fields: Fields = {"id": USER_ID, "first_name": NAME, "last_name": number, "auth_date": now}
        body = json.dumps(self.body(sign_widget(fields, BOT_TOKEN))).encode()
        answer = app.request("POST", self.paths["login"], OWN_PAGE, body)
        if answer.status != 200:
            raise RuntimeError(f"{self.name} refused the login: {answer.status} {answer.body[:300]!r}")
        return "; ".join(f"{name}={value}" for name, value in answer.cookies.items() if value)

    def verify(self, app: App, cookie: str) -> bool:
        """Whether the cookie's owner is known by name. RuntimeError when the answer is neither yes nor no."""
        answer = app.request("GET", self.paths["verify"], {**ONCE, "Cookie": cookie})
        if answer.status not in (200, 401):
            raise RuntimeError(f"{self.name} did not verify: {answer.status} {answer.body[:300]!r}")
        return NAME.encode() in answer.body

    def logout(self, app: App, cookie: str) -> None:
        """End the session."""
        answer = app.request("POST", self.paths["logout"], {**OWN_PAGE, "Cookie": cookie}, b"{}")
        if answer.status not in (200, 204):
            raise RuntimeError(f"{self.name} did not log out: {answer.status} {answer.body[:300]!r}")


class Node:
    """A Node server, which says `port …` when it listens."""

    def __init__(self, script: str, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["node", script],
            cwd=HERE,
            env={"PATH": os.environ["PATH"], **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        said = self._process.stdout.readline() if self._process.stdout else ""
        port = re.fullmatch(r"port (\d+)\n", said)
        if not port:
            self.close()
            raise RuntimeError(f"{script} did not start: {said!r}")
        self._port = int(port[1])

    def request(
        self, method: str, target: str, headers: Headers = (), body: bytes = b"", timeout: float = 15.0
    ) -> Response:
        """The same bytes on a connection of its own as `Function.request` sends."""
        data = encode_request(method, target, headers, body, 1)
        return decode_response(exchange(self._port, data, timeout), method)

    def close(self) -> int:
        """End the process."""
        self._process.terminate()
        code = self._process.wait(STOP_SECONDS)
        if self._process.stdout:
            self._process.stdout.close()
        return code


def tgauth(store: Store, bundle: Path | None = None) -> Peer:
    """This repository: a function for each request, in Vercel's runtime; from `bundle` if there is one."""

    def start(action: Action, stores: Stores) -> App:
        env = {"TELEGRAM_BOT_TOKEN": BOT_TOKEN, "AUTH_SECRET": SECRET, "AUTH_ORIGIN": ORIGIN, "VERCEL": "1"}
        env |= stores.rest if store == "REST" else stores.tcp
        if bundle:
            env["PYTHONPATH"] = str(bundle / VENDORED)
        return Function.from_source(f"api/telegram/{action}.py", env, bundle or ROOT)

    client = "upstash-redis" if store == "REST" else "redis"
    paths: dict[Action, str] = {
        "login": "/telegram/login",
        "verify": "/telegram/verify",
        "logout": "/telegram/logout",
    }
    name = "tgauth, no byte code" if bundle else "tgauth"
    return Peer(name, (client, *RUNTIME), store, start, paths, lambda fields: {"widget": fields})


def better_auth(rate_limit: bool) -> Peer:
    """better-auth on plain Node, with the rate limit that it has in production, or without."""

    def start(_: Action, stores: Stores) -> App:
        env = {"TELEGRAM_BOT_TOKEN": BOT_TOKEN, "BETTER_AUTH_SECRET": SECRET, "ORIGIN": ORIGIN}
        more = {"NODE_ENV": "production", "RATE_LIMIT": str(int(rate_limit))}
        return Node("with_better_auth.mjs", {**env, **more, **stores.rest})

    packages = ("better-auth", "better-auth-telegram", "@upstash/redis", "Node.js")
    name = "better-auth, its rate limit on" if rate_limit else "better-auth"
    paths: dict[Action, str] = {
        "login": "/api/auth/telegram/signin",
        "verify": "/api/auth/get-session",
        "logout": "/api/auth/sign-out",
    }
    return Peer(name, packages, "REST", start, paths, dict)


def python(name: str, packages: tuple[str, ...], file: str) -> Peer:
    """An application of this folder in Vercel's runtime, all of it one function."""

    def start(_: Action, stores: Stores) -> App:
        handler = {
            "__VC_HANDLER_MODULE_NAME": file.removesuffix(".py"),
            "__VC_HANDLER_ENTRYPOINT": file,
            "__VC_HANDLER_ENTRYPOINT_ABS": str(HERE / file),
            "__VC_HANDLER_VARIABLE_NAME": "app",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return Function([str(PYTHON), "-s", "-c", SOURCE_BOOT], HERE, {**stores.tcp, **handler}, name)

    paths: dict[Action, str] = {"login": "/login", "verify": "/verify", "logout": "/logout"}
    return Peer(name, (*packages, "redis", *RUNTIME), "TCP", start, paths, dict)


def peers(bundle: Path) -> list[Peer]:
    """Over each kind of store tgauth, and after it whom to compare with it."""
    return [
        tgauth("REST"),
        tgauth("REST", bundle),
        better_auth(rate_limit=False),
        tgauth("TCP"),
        python("Flask-Session", ("Flask-Session", "flask"), "with_flask.py"),
        python("starsessions", ("starsessions", "starlette"), "with_starlette.py"),
    ]
