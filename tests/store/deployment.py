"""A deployment to test: instances in processes of their own, the people who log in, and what they hold."""

import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Literal

from dev.telegram.signing import sign_init_data, sign_widget
from dev.upstash.valkey import Valkey
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.settings import read_settings
from lib.tgauth.store.base import Store
from tests import site
from tests.site import BOT_ID, BOT_TOKEN, COOKIE, OWN_PAGE

ROOT = Path(__file__).resolve().parents[2]
ADMIN_TOKEN = "canary-admin-token-0123456789-0123456789"
ENV = {**site.ENV, "ADMIN_TOKEN": ADMIN_TOKEN}
START_SECONDS = 20

_PORT = re.compile(r"^port (\d+)$|Listening at: http://127\.0\.0\.1:(\d+)", re.MULTILINE)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer(site.Answer):
    """What came back, and how long it took (seconds)."""

    seconds: float = 0.0


@dataclass(frozen=True)
class Held:
    """A session as its owner holds it."""

    token: str
    transport: Literal["cookie", "bearer"]
    id: str
    user_id: int

    @property
    def headers(self) -> dict[str, str]:
        """What goes with every request of it."""
        if self.transport == "bearer":
            return {"Authorization": f"Bearer {self.token}"}
        return {"Cookie": f"{COOKIE}={self.token}", **OWN_PAGE}


class Person:
    """Somebody with a Telegram account that no other test has."""

    def __init__(self) -> None:
        self.id = 70_000_000 + next(_numbers)
        self.key = f"tgauth:production:{BOT_ID}:u:{self.id}"

    def widget(self, auth_date: float | None = None) -> dict[str, Any]:
        """What the Login Widget returns, different every time."""
        number = next(_numbers)
        fields = {"id": self.id, "first_name": "Canary", "last_name": f"Nr {number}", "username": "canary_u"}
        return dict(sign_widget({**fields, "auth_date": _seconds(auth_date)}, BOT_TOKEN))

    def init_data(self, auth_date: float | None = None) -> str:
        """What a Mini App is opened with, different every time."""
        user = {"id": self.id, "first_name": "Canary", "username": "canary_u"}
        query_id = f"canaryquery{next(_numbers)}"
        fields = {"query_id": query_id, "user": user, "auth_date": _seconds(auth_date)}
        return sign_init_data(fields, BOT_TOKEN)


class Instance:
    """A running instance. `lines` is all it printed. Requests may be sent from several threads at once."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.command, self.env = command, env
        self.lines: list[str] = []
        self.port = 0
        self._ended = False
        self._grew = threading.Condition()
        self._local = threading.local()
        self._connections: list[HTTPConnection] = []
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait(self) -> "Instance":
        """Come back when it listens."""
        with self._grew:
            self._grew.wait_for(lambda: self.port or self._ended, START_SECONDS)
        if not self.port:
            self.close()
            raise RuntimeError(f"the instance did not start:\n{self.output}")
        return self

    @property
    def output(self) -> str:
        """Everything it printed."""
        return "".join(list(self.lines))

    def close(self) -> None:
        """End the process; the output stays."""
        for connection in self._connections:
            connection.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 20,
    ) -> Answer:
        """One request on this thread's connection, sent again on a new one if the old one has ended."""
        started = time.perf_counter()
        for last in (False, True):
            connection = self._connection(timeout)
            fresh = connection.sock is None
            try:
                connection.request(method, target, body, {"Host": "tgauth.example", **(headers or {})})
                response = connection.getresponse()
                read = response.read()
                return Answer(response.status, response.getheaders(), read, time.perf_counter() - started)
            except (HTTPException, ConnectionError):
                connection.close()
                if fresh or last:
                    raise
        raise AssertionError

    def post(self, target: str, value: object, headers: Mapping[str, str] | None = None) -> Answer:
        """One request with a JSON body."""
        body = json.dumps(value).encode()
        return self.send("POST", target, {"Content-Type": "application/json", **(headers or {})}, body)

    def log_in(
        self, proof: Mapping[str, Any] | str, *, bearer: bool = False, old: Held | None = None
    ) -> Answer:
        """POST a login: initData as a Mini App does, a widget's fields for a cookie or with `bearer`."""
        if isinstance(proof, str):
            return self.post("/telegram/login", {"init_data": proof}, old.headers if old else {})
        headers = {**OWN_PAGE, **(old.headers if old else {})}
        transport = "bearer" if bearer else "cookie"
        return self.post("/telegram/login", {"widget": proof, "transport": transport}, headers)

    def enter(self, person: Person, kind: str = "cookie", *, old: Held | None = None) -> Held:
        """Log in with a new proof and hold what that gave; `kind` is cookie, bearer or mini."""
        proof = person.init_data() if kind == "mini" else person.widget()
        return held(self.log_in(proof, bearer=kind == "bearer", old=old))

    def verify(self, session: Held, method: str = "GET") -> Answer:
        return self.send(method, "/telegram/verify", session.headers)

    def refresh(self, session: Held) -> Answer:
        return self.send("POST", "/telegram/refresh", session.headers)

    def logout(self, session: Held) -> Answer:
        return self.send("POST", "/telegram/logout", session.headers)

    def list(self, session: Held) -> Answer:
        return self.send("GET", "/telegram/sessions", session.headers)

    def end(self, session: Held, slot: str) -> Answer:
        return self.send("DELETE", f"/telegram/sessions/{slot}", session.headers)

    def revoke(self, session: Held, *, keep: bool = False) -> Answer:
        target = "/telegram/sessions" + ("?keep=current" if keep else "")
        return self.send("DELETE", target, session.headers)

    def ids(self, session: Held) -> set[str]:
        """The ids of all sessions that the list shows."""
        answer = self.list(session)
        assert answer.status == 200, answer.body
        return {listed["id"] for listed in answer.json()["sessions"]}

    def _connection(self, timeout: float) -> HTTPConnection:
        if not hasattr(self._local, "connection"):
            self._local.connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            self._connections.append(self._local.connection)
        connection: HTTPConnection = self._local.connection
        return connection

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._grew:
                self.lines.append(line)
                if not self.port and (match := _PORT.search(line)):
                    self.port = int(match[1] or match[2])
                self._grew.notify_all()
        with self._grew:
            self._ended = True
            self._grew.notify_all()


def instance(env: Mapping[str, str], *flags: str) -> Instance:
    """An instance of werkzeug's server, starting."""
    return Instance([sys.executable, "-m", "tests.store.instance", *flags], env)


def held(answer: Answer) -> Held:
    """What a successful login gave to its user."""
    assert answer.status == 200, answer.body
    value = answer.json()
    if set_cookie := answer.header("Set-Cookie"):
        token, transport = set_cookie.partition("=")[2].partition(";")[0], "cookie"
        assert "token" not in value
    else:
        token, transport = value["token"], "bearer"
    assert value["session"]["transport"] == transport
    return Held(token, transport, value["session"]["id"], value["user"]["id"])


def service(store: Store, env: Mapping[str, str], clock: Callable[[], float] = time.time) -> SessionService:
    """The sessions of the same deployment, in this process; `env` says where they are kept."""
    return SessionService(read_settings({**ENV, **env}), store, clock)


def fields(valkey: Valkey, person: Person) -> dict[str, str]:
    """Everything that the store holds of somebody, asked of Valkey itself."""
    pairs = valkey.run("HGETALL", person.key)
    assert isinstance(pairs, list)
    texts = [part.decode() for part in pairs if isinstance(part, bytes)]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def live(valkey: Valkey, person: Person) -> set[str]:
    """The slots of all sessions of somebody that are in the store."""
    found = fields(valkey, person).items()
    return {name[2:] for name, value in found if name.startswith("s:") and value.startswith("{")}


class Crowd:
    """Threads that begin their work at the same moment; their connections stay open from call to call."""

    def __init__(self, size: int = 32) -> None:
        self._pool = ThreadPoolExecutor(size)
        self._size = size

    def __call__(self, works: Sequence[Callable[[], Any]]) -> list[Any]:
        """The results of all works, each in a thread of its own; raises what one of them raised."""
        assert len(works) <= self._size
        barrier = threading.Barrier(len(works))

        def run(work: Callable[[], Any]) -> Any:
            barrier.wait(20)
            return work()

        return list(self._pool.map(run, works))

    def map(self, work: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
        """The results of `work` for every value, as many at once as there are threads."""
        return list(self._pool.map(work, values))

    def close(self) -> None:
        self._pool.shutdown()


def _seconds(time_or_none: float | None) -> int:
    return int(time.time() if time_or_none is None else time_or_none)
