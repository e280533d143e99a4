"""A deployment in this process: the real WSGI apps on a store and a clock that the test holds."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from werkzeug.test import Client

import lib.tgauth.sessions.service
import lib.tgauth.settings
from api.status import app as status
from api.telegram.callback import app as callback
from api.telegram.login import app as login
from api.telegram.logout import app as logout
from api.telegram.refresh import app as refresh
from api.telegram.relay import app as relay
from api.telegram.sessions import app as sessions
from api.telegram.start import app as start
from api.telegram.verify import app as verify
from dev.telegram.signing import sign_init_data, sign_widget
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.settings import read_settings
from lib.tgauth.store.base import Store
from lib.tgauth.store.memory import MemoryStore

NOW = 1_800_000_000
ORIGIN = "https://tgauth.example"
HOST = "tgauth.example"
COOKIE = "__Host-tgauth"
BOT_ID = 987654321
BOT_TOKEN = f"{BOT_ID}:AAcanaryBotTokenabcdefghijklmnopqrs"
OTHER_BOT_TOKEN = "555555555:AAsomebodyElsesBotTokenabcdefghijk"
AUTH_SECRET = "canary-auth-secret-0123456789-0123456789"
IP = "198.51.100.77"
ENV = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "AUTH_SECRET": AUTH_SECRET,
    "AUTH_ORIGIN": ORIGIN,
    # Nobody there: no test asks Telegram itself.
    "TELEGRAM_API_URL": "http://127.0.0.1:9",
}
SHARED_STORE = {
    "UPSTASH_REDIS_REST_URL": "https://canary.upstash.io",
    "UPSTASH_REDIS_REST_TOKEN": "canary-upstash-token",
}
LOCAL_ENV = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "VERCEL_ENV": "development",
    "TELEGRAM_API_URL": ENV["TELEGRAM_API_URL"],
}

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}
CLIENT_SECRET = "canary-client-secret-0123456789"
USER: dict[str, Any] = {
    "id": 77123456,
    "first_name": "CanaryFirst",
    "last_name": "CanaryLast",
    "username": "canary_username",
    "photo_url": "https://t.me/i/userpic/320/canary_photo.jpg",
}

APPS = {
    "/health": status,
    "/telegram/start": start,
    "/telegram/callback": callback,
    "/telegram/login": login,
    "/telegram/verify": verify,
    "/telegram/refresh": refresh,
    "/telegram/logout": logout,
    "/telegram/relay": relay,
    "/telegram/sessions": sessions,
    "/stats": status,
}
_READING = ("/health", "/telegram/callback", "/telegram/verify", "/telegram/sessions", "/stats")
METHODS = {path: "GET" if path in _READING else "POST" for path in APPS}
DAY = 86_400


@dataclass(frozen=True)
class Answer:
    """What came back: headers as sent, in their order."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) < 2, f"{name} is there twice"
        return values[0] if values else None

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The problem's code; None for an answer that is no problem."""
        problem = self.header("Content-Type") == "application/problem+json"
        return self.json()["code"] if problem and self.body else None

    @property
    def token(self) -> str:
        """The token that this login gave, in the cookie or in the body."""
        assert self.status in (200, 303), self.body
        for name in (COOKIE, "tgauth"):
            if self.cookies.get(name):
                return self.cookies[name]
        token: str = self.json()["token"]
        return token

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that this answer sets, by name; "" for those that it removes."""
        pairs = (header.partition(";")[0].partition("=") for header in self.all("Set-Cookie"))
        return {name: value for name, _, value in pairs}

    def without_id(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """The whole answer but for the request's id."""
        return self.status, self.headers, self.body.replace(self.json()["request_id"].encode(), b"")


class Clock:
    """Unix seconds, moved by hand."""

    def __init__(self) -> None:
        self.time: float = NOW

    def __call__(self) -> float:
        return self.time


OPERATIONS = frozenset(name for name in vars(Store) if not name.startswith("_")) - {"kind"}


class WatchedStore:
    """A MemoryStore that counts what it is asked, and fails with `error` if there is one."""

    kind = "memory"

    def __init__(self, clock: Clock) -> None:
        self.memory = MemoryStore(clock)
        self.calls: list[str] = []
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        if name not in OPERATIONS:
            raise AttributeError(name)

        def operation(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if self.error:
                raise self.error
            return getattr(self.memory, name)(*args, **kwargs)

        return operation

    def fields(self) -> dict[str, tuple[str, float]]:
        """Every field of every user, with its value and when it expires."""
        return {name: field for held in self.memory._keys.values() for name, field in held.items()}

    def sessions(self) -> dict[str, float]:
        """When each session in the store expires."""
        return {name: expires for name, (_, expires) in self.fields().items() if name.startswith("s:")}


class Site:
    """One instance of a deployment. `shared` gives it the tokens that go with a shared store."""

    _numbers = itertools.count(1)

    def __init__(self, clock: Clock, env: Mapping[str, str] = ENV, *, shared: bool = False) -> None:
        self.clock = clock
        self.shared = shared
        self.settings = read_settings({**env, **(SHARED_STORE if shared else {})})
        self.store = WatchedStore(clock)
        self.service = SessionService(self.settings, self.store, clock)  # type: ignore[arg-type]
        self.host = HOST

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        cookie: str | None = None,
        **request: Any,
    ) -> Answer:
        """One request to this instance, as `send` makes them; a cookie without a name is the session's."""
        lib.tgauth.settings._settings = self.settings
        lib.tgauth.sessions.service._service = self.service
        return send(
            method,
            path,
            json_body=json,
            headers={"Host": self.host, **(headers or {})},
            cookie=cookie if cookie is None or "=" in cookie else f"{COOKIE}={cookie}",
            **request,
        )

    def widget(self, bot_token: str = BOT_TOKEN, **changes: Any) -> dict[str, Any]:
        """A widget's answer of now, different from every other; None leaves a field out."""
        fields = {
            **USER,
            "auth_date": int(self.clock()),
            "last_name": f"Canary{next(self._numbers)}",
        } | changes
        return dict(sign_widget({k: v for k, v in fields.items() if v is not None}, bot_token))

    def init_data(
        self,
        bot_token: str = BOT_TOKEN,
        user: Mapping[str, Any] = USER,
        key: bytes | None = None,
        **changes: Any,
    ) -> str:
        """A Mini App's initData of now, different from every other; None leaves a field out."""
        fields = {
            "query_id": f"canaryquery{next(self._numbers)}",
            "user": dict(user),
            "auth_date": int(self.clock()),
        } | changes
        return sign_init_data({k: v for k, v in fields.items() if v is not None}, bot_token, key)

    def login(
        self, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] = OWN_PAGE, **request: Any
    ) -> Answer:
        """POST a login, by default a new widget's for a cookie."""
        return self.send("POST", "/telegram/login", json=body or self.widget(), headers=headers, **request)

    def bearer_login(self, **request: Any) -> Answer:
        """Log in as a Mini App does."""
        return self.login({"init_data": self.init_data()}, headers={}, **request)

    def go(self, path: str, query: str = "", **request: Any) -> Answer:
        """A browser that goes there, from another site."""
        return self.send("GET", path, query=query, **{"headers": NAVIGATION, **request})

    def verify(self, **request: Any) -> Answer:
        return self.send("GET", "/telegram/verify", **request)

    def refresh(self, **request: Any) -> Answer:
        return self.send("POST", "/telegram/refresh", **{"headers": OWN_PAGE, **request})

    def logout(self, **request: Any) -> Answer:
        return self.send("POST", "/telegram/logout", **{"headers": OWN_PAGE, **request})

    def devices(self, **request: Any) -> Answer:
        return self.send("GET", "/telegram/sessions", **request)

    def end(self, slot: str | None = None, **request: Any) -> Answer:
        """End the session `slot`, named in the path, or all of them."""
        path = "/telegram/sessions" + ("" if slot is None else f"/{slot}")
        return self.send("DELETE", path, **{"headers": OWN_PAGE, **request})

    def start(self, **request: Any) -> Answer:
        return self.send("POST", "/telegram/start", **{"headers": OWN_PAGE, "json": {}, **request})


def send(
    method: str,
    path: str,
    *,
    json_body: Any = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    cookie: str | None = None,
    bearer: str | None = None,
    query: str = "",
    environ: Mapping[str, Any] | None = None,
) -> Answer:
    """One request to the app at `path`, with whatever settings and service are in force.

    `json_body` and `body` come with the headers that go with them, unless `headers` differ.
    """
    headers = dict(headers or {})
    if json_body is not None:
        body = json.dumps(json_body).encode()
        headers.setdefault("Content-Type", "application/json")
    if cookie is not None:
        headers["Cookie"] = cookie
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    # Vercel's runtime gives the path that was asked for, without decoding it.
    overrides = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method, "REMOTE_ADDR": IP}
    app = sessions if path.startswith("/telegram/sessions/") else APPS[path]
    answer = Client(app, use_cookies=False).open(
        base_url=ORIGIN,
        data=body,
        headers=headers,
        environ_overrides={**overrides, **(environ or {})},
    )
    return Answer(answer.status_code, list(answer.headers), answer.get_data())


@contextmanager
def named(row: str) -> Iterator[None]:
    """Whatever fails inside says which row of a table it was."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"in the row {row!r}")
        raise


def in_parallel(count: int, work: Callable[[int], Any]) -> list[Any]:
    """The results of `work(i)` in `count` threads that start together."""
    barrier = threading.Barrier(count)

    def run(index: int) -> Any:
        barrier.wait(10)
        return work(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
