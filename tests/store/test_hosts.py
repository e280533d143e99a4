"""Where tgauth runs: a host that keeps a process, and functions that come and go, with Redis and without."""

import http.client
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from dev.vercel.runtime import Function
from tests.site import OWN_PAGE
from tests.store.conftest import credentials
from tests.store.deployment import ENV, Answer, Instance, Person, held

CONNECTED = "✅ Redis connected for session storage"
IN_MEMORY = "⚠️ Sessions are kept in memory (Redis is not configured)"
GUNICORN = [
    sys.executable,
    "-m",
    "gunicorn",
    "lib.tgauth.wsgi:app",
    "-b",
    "127.0.0.1:0",
    "-w",
    "2",
    "--threads",
    "4",
]


@contextmanager
def gunicorn(valkey: Valkey) -> Iterator[Instance]:
    """Gunicorn with two workers on this Redis."""
    # UTF-8 mode: the log must not depend on where the tests run.
    process = Instance(GUNICORN, {**ENV, "PYTHONUTF8": "1", "REDIS_URL": valkey.url})
    try:
        yield process.wait()
    finally:
        process.close()


@pytest.fixture(scope="module")
def server(valkey: Valkey) -> Iterator[Instance]:
    """Gunicorn, running for all these tests."""
    with gunicorn(valkey) as running:
        yield running


def test_gunicorn_keeps_sessions_over_a_restart(server: Instance, valkey: Valkey, person: Person) -> None:
    """With REDIS_URL a session outlives the process that made it, and both workers know it."""
    with gunicorn(valkey) as first:
        mine, mini = first.enter(person), first.enter(person, "mini")
        assert {first.verify(mine).status for _ in range(20)} == {200}
        assert first.send("GET", "/health").json() == {"status": "ok", "store": "redis"}
    assert [server.verify(session).status for session in (mine, mini)] == [200, 200]
    assert server.ids(mine) == {mine.id, mini.id}
    assert server.logout(mine).status == 204
    assert {server.verify(mine).status for _ in range(20)} == {401}
    for process in (first, server):
        assert CONNECTED in process.output
        assert IN_MEMORY not in process.output
        assert valkey.url not in process.output


def test_gunicorn_reads_bodies_in_chunks(server: Instance, person: Person) -> None:
    """A body whose length nobody said is that body, and not an empty one, which would end all sessions."""
    mine, other, third = (server.enter(person, "mini") for _ in range(3))
    for body, status in (
        (json.dumps({"id": other.id}).encode(), 204),
        (b" " * 20_000, 413),
        (b"{", 400),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {mine.token}"}
        pieces = (body[at : at + 5] for at in range(0, len(body), 5))
        connection.request("DELETE", "/telegram/sessions", pieces, headers)
        assert connection.getresponse().status == status
        connection.close()
    assert [server.verify(session).status for session in (mine, other, third)] == [200, 401, 200]


def send(function: Function, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """One request to a function."""
    given = {"Content-Type": "application/json", **headers} if body else headers
    response = function.request(method, path, list(given.items()), body)
    return Answer(response.status, response.headers, response.body)


def test_vercel_functions_share_what_is_in_redis(upstash: Upstash, person: Person) -> None:
    """A login in one function is known in another and in its successor, and a logout too."""
    env = {**ENV, "VERCEL": "1", "VERCEL_ENV": "production", **credentials(upstash)}
    with ExitStack() as stack:

        def start(name: str) -> Function:
            return stack.enter_context(Function.from_source(f"api/telegram/{name}.py", env))

        login, verify, logout = start("login"), start("verify"), start("logout")
        mine = held(send(login, "POST", "/telegram/login", OWN_PAGE, json.dumps(person.widget()).encode()))
        for _ in range(3):
            assert send(verify, "GET", "/telegram/verify", mine.headers).status == 200
        login.close()
        verify.close()
        again = start("verify")
        assert send(again, "GET", "/telegram/verify", mine.headers).status == 200
        assert send(logout, "POST", "/telegram/logout", mine.headers).status == 204
        assert send(again, "GET", "/telegram/verify", mine.headers).status == 401
    for function in (login, verify, again, logout):
        assert function.log_text.count(CONNECTED) == 1
        assert IN_MEMORY not in function.log_text
        assert not [secret for secret in (upstash.token, mine.token) if secret in function.log_text]
