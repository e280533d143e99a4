"""Where tgauth runs: a host that keeps a process, and functions that come and go, with Redis and without."""

import http.client
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from dev.vercel.runtime import Function
from tests.store.conftest import credentials
from tests.store.deployment import ENV, OWN_PAGE, Answer, Instance, Person, held

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

Start = Callable[[Mapping[str, str]], Instance]


@pytest.fixture
def gunicorn() -> Iterator[Start]:
    """`gunicorn(env)`: gunicorn with two workers; whatever runs at the end of the test is stopped."""
    with ExitStack() as stack:

        def start(env: Mapping[str, str]) -> Instance:
            # UTF-8 mode: the log must not depend on where the tests run.
            process = Instance(GUNICORN, {**ENV, "PYTHONUTF8": "1", **env})
            stack.callback(process.close)
            return process.wait()

        yield start


def test_gunicorn_keeps_sessions_over_a_restart(gunicorn: Start, valkey: Valkey, person: Person) -> None:
    """With REDIS_URL a session outlives the process that made it, and both workers know it."""
    first = gunicorn({"REDIS_URL": valkey.url})
    mine, mini = first.enter(person), first.enter(person, "mini")
    assert {first.verify(mine).status for _ in range(20)} == {200}
    assert first.send("GET", "/health").json() == {"status": "ok", "store": "redis"}
    assert CONNECTED in first.output
    first.close()
    second = gunicorn({"REDIS_URL": valkey.url})
    assert [second.verify(session).status for session in (mine, mini)] == [200, 200]
    assert second.ids(mine) == {mine.id, mini.id}
    assert second.logout(mine).status == 204
    assert {second.verify(mine).status for _ in range(20)} == {401}
    assert IN_MEMORY not in second.output
    assert valkey.url not in first.output + second.output


def test_gunicorn_reads_bodies_in_chunks(gunicorn: Start, valkey: Valkey, person: Person) -> None:
    """A body whose length nobody said is that body, and not an empty one, which would end all sessions."""
    server = gunicorn({"REDIS_URL": valkey.url})
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


@pytest.mark.slow
def test_gunicorn_without_redis_says_so(gunicorn: Start, person: Person) -> None:
    """Without Redis the log says once for each worker that sessions are in memory; they work all the same."""
    only = gunicorn({})
    mine = only.enter(person)
    assert {only.verify(mine).status for _ in range(20)} == {200}
    assert 1 <= only.output.count(IN_MEMORY) <= 2
    assert CONNECTED not in only.output
    only.close()
    # The token carries the session, so even this restart logs nobody out.
    assert gunicorn({}).verify(mine).status == 200


class Functions:
    """Functions in Vercel's runtime, each a process of its own."""

    def __init__(self, stack: ExitStack, env: Mapping[str, str]) -> None:
        self._stack = stack
        self._env = {**ENV, "VERCEL": "1", "VERCEL_ENV": "production", **env}

    def start(self, name: str) -> Function:
        return self._stack.enter_context(Function.from_source(f"api/{name}.py", self._env))


def send(function: Function, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """One request to a function."""
    given = {"Content-Type": "application/json", **headers} if body else headers
    response = function.request(method, path, list(given.items()), body)
    return Answer(response.status, response.headers, response.body)


@pytest.fixture
def functions() -> Iterator[Callable[[Mapping[str, str]], Functions]]:
    """`functions(env)`: a deployment's functions, to be started by name."""
    with ExitStack() as stack:
        yield lambda env: Functions(stack, env)


def log_in(function: Function, person: Person) -> Answer:
    body = json.dumps(person.widget()).encode()
    return send(function, "POST", "/telegram/login", OWN_PAGE, body)


def test_vercel_functions_share_what_is_in_redis(
    functions: Callable[[Mapping[str, str]], Functions], upstash: Upstash, person: Person
) -> None:
    """A login in one function is known in another and in its successor, and a logout too."""
    deployment = functions(credentials(upstash))
    login, verify, logout = (deployment.start(f"telegram/{name}") for name in ("login", "verify", "logout"))
    mine = held(log_in(login, person))
    for _ in range(3):
        assert send(verify, "GET", "/telegram/verify", mine.headers).status == 200
    login.close()
    verify.close()
    again = deployment.start("telegram/verify")
    assert send(again, "GET", "/telegram/verify", mine.headers).status == 200
    assert send(logout, "POST", "/telegram/logout", mine.headers).status == 204
    assert send(again, "GET", "/telegram/verify", mine.headers).status == 401
    for function in (login, verify, again, logout):
        assert function.log_text.count(CONNECTED) == 1
        assert IN_MEMORY not in function.log_text
        assert not [secret for secret in (upstash.token, mine.token) if secret in function.log_text]


def test_vercel_functions_without_redis_say_so(
    functions: Callable[[Mapping[str, str]], Functions], person: Person
) -> None:
    """Without Redis each function warns once, and the token that one made works in another."""
    deployment = functions({})
    login, verify = deployment.start("telegram/login"), deployment.start("telegram/verify")
    mine = held(log_in(login, person))
    for _ in range(3):
        assert send(verify, "GET", "/telegram/verify", mine.headers).status == 200
    for function in (login, verify):
        assert function.log_text.count(IN_MEMORY) == 1
        assert CONNECTED not in function.log_text
