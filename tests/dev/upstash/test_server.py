"""The local Upstash: its protocol over raw HTTP, and what Upstash's own client makes of it."""

import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from typing import Any

import pytest
from upstash_redis import Redis

from dev.upstash.faults import Fault, FaultKind
from dev.upstash.server import TOKEN, Upstash
from dev.upstash.valkey import Valkey
from tests.clock import Clock
from tests.contract.tools import start_valkey


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with start_valkey() as server:
        yield server


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def server(valkey: Valkey, clock: Clock) -> Iterator[Upstash]:
    with Upstash(valkey.port, clock=clock) as started:
        yield started


@pytest.fixture
def upstash(server: Upstash) -> Upstash:
    """The server, as if it were new."""
    server.reset()
    server.flush()
    return server


@pytest.fixture
def redis(upstash: Upstash) -> Iterator[Redis]:
    """Upstash's own client, which asks for base64."""
    with Redis(upstash.url, upstash.token, rest_retries=0, allow_telemetry=False) as client:
        yield client


def send(
    upstash: Upstash,
    path: str,
    body: object,
    *,
    method: str = "POST",
    token: str | None = TOKEN,
    encoding: str | None = None,
    seconds: float = 5,
) -> tuple[int, bytes]:
    """One request on a connection of its own; the status and the body."""
    connection = HTTPConnection("127.0.0.1", upstash.port, timeout=seconds)
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    if encoding:
        headers["Upstash-Encoding"] = encoding
    try:
        connection.request(method, path, body if isinstance(body, bytes) else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def ask(upstash: Upstash, path: str, body: object, *, encoding: str | None = None) -> tuple[int, Any]:
    """One request with the right token; the status and the JSON of the answer."""
    status, answer = send(upstash, path, body, encoding=encoding)
    return status, json.loads(answer)


def until(condition: Callable[[], object]) -> None:
    """Wait for what another thread is about to do."""
    ends_at = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < ends_at


def test_the_client_gets_what_redis_says(redis: Redis) -> None:
    """Strings of every alphabet, numbers, lists, maps and nothing at all come through Upstash's client."""
    assert redis.set("a", "žluťoučký 🐎") is True
    assert redis.get("a") == "žluťoučký 🐎"
    assert redis.get("b") is None
    assert redis.hset("h", values={"x": "OK", "y": "2"}) == 2
    assert redis.hgetall("h") == {"x": "OK", "y": "2"}
    assert redis.hkeys("h") == ["x", "y"]
    assert redis.ping() == "PONG"


def test_the_client_gets_transactions_and_pipelines(redis: Redis) -> None:
    """The answers come in the order of the commands."""
    for batch in (redis.multi(), redis.pipeline()):
        batch.set("a", 1)
        batch.incr("a")
        batch.get("a")
        assert batch.exec() == [True, 2, "2"]


def test_base64_spares_the_simple_ok_alone(upstash: Upstash) -> None:
    """Asked for base64, every string is encoded, also a value that is OK, but not the status reply OK."""
    ok, pong = b64encode(b"OK").decode(), b64encode(b"PONG").decode()
    commands = [["SET", "a", "OK"], ["GET", "a"], ["PING"], ["MGET", "a", "b"], ["STRLEN", "a"], ["GET"]]
    status, answer = ask(upstash, "/pipeline", commands, encoding="base64")
    assert status == 200
    assert [element.get("result") for element in answer[:5]] == ["OK", ok, pong, [ok, None], 2]
    assert answer[5] == {"error": "ERR wrong number of arguments for 'get' command"}


def test_without_base64_text_is_plain(upstash: Upstash) -> None:
    """Strings come as they are; what is no UTF-8 is replaced."""
    assert ask(upstash, "/", ["SET", "a", "é"]) == (200, {"result": "OK"})
    assert ask(upstash, "/", ["GET", "a"]) == (200, {"result": "é"})
    ask(upstash, "/", ["SETRANGE", "a", 1, "x"])
    assert ask(upstash, "/", ["GET", "a"]) == (200, {"result": "\ufffdx"})


def test_numbers_stay_as_they_were_written(upstash: Upstash) -> None:
    """JSON numbers are arguments too, and none is rounded."""
    assert send(upstash, "/", b'["MSET","a",12345678901234567890,"b",1e3,"c",1.50]')[0] == 200
    result = {"result": ["12345678901234567890", "1e3", "1.50"]}
    assert ask(upstash, "/", ["MGET", "a", "b", "c"]) == (200, result)


def test_a_failed_command_is_400(upstash: Upstash) -> None:
    """A command that Redis refuses is answered with its error."""
    assert ask(upstash, "/", ["GET"]) == (400, {"error": "ERR wrong number of arguments for 'get' command"})
    status, answer = ask(upstash, "/", ["NOSUCH", "a"])
    assert (status, answer["error"].startswith("ERR unknown command")) == (400, True)


def test_a_pipeline_goes_on_after_an_error(upstash: Upstash) -> None:
    """One element fails by itself, the others have taken effect."""
    status, answer = ask(
        upstash, "/pipeline", [["SET", "a", 1], ["HGET", "a", "x"], ["WATCH", "a"], ["GET", "a"]]
    )
    assert status == 200
    assert [next(iter(element)) for element in answer] == ["result", "error", "error", "result"]
    assert answer[3] == {"result": "1"}


def test_a_transaction_goes_on_after_a_command_fails(upstash: Upstash) -> None:
    """A command that fails while the transaction runs stops and undoes nothing, as in Redis."""
    status, answer = ask(upstash, "/multi-exec", [["SET", "a", 1], ["HGET", "a", "x"], ["INCR", "a"]])
    assert status == 200
    assert [answer[0], answer[2]] == [{"result": "OK"}, {"result": 2}]
    assert answer[1]["error"].startswith("WRONGTYPE")


@pytest.mark.parametrize(
    "bad", [["GET"], ["NOSUCH"], ["WATCH", "a"], ["exec"], ["EVAL", "return 1", 0]], ids=str
)
def test_a_transaction_is_discarded_as_a_whole(upstash: Upstash, bad: list[object]) -> None:
    """With a command in it that cannot be queued nothing takes effect, and the answer is one object."""
    status, answer = ask(upstash, "/multi-exec", [["SET", "a", 1], bad])
    assert status == 400
    assert list(answer) == ["error"]
    assert answer["error"].startswith("ERR ")
    assert ask(upstash, "/", ["GET", "a"]) == (200, {"result": None})


@pytest.mark.parametrize("command", ["MULTI", "subscribe", "BLPOP", "SELECT", "CONFIG", "EVAL", "SHUTDOWN"])
def test_what_is_not_for_rest_is_refused(upstash: Upstash, command: str) -> None:
    """Commands that hold or change a connection, scripts and administration are not there."""
    error = {"error": f"ERR Command is not available: '{command}'"}
    assert ask(upstash, "/", [command, "a", 1]) == (400, error)
    assert ask(upstash, "/", ["PING"]) == (200, {"result": "PONG"})


@pytest.mark.parametrize("path", ["/", "/pipeline", "/multi-exec"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"{}",
        b"[]",
        b"[[]]",
        b"null",
        b'"PING"',
        b'[["PING"],"PING"]',
        b'[["GET",null]]',
        b'[["GET",true]]',
        b'[["GET",{}]]',
        b'[["GET",["a"]]]',
        b'[["GET",NaN]]',
        b'[["GET","\\ud800"]]',
        b'["GET","\\ud800"]',
        b"\xff",
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_command_is_400(upstash: Upstash, path: str, body: bytes) -> None:
    """An empty or malformed body is refused, and nothing of it is carried out."""
    status, answer = send(upstash, path, body)
    assert status == 400
    assert json.loads(answer)["error"].startswith("ERR ")
    assert upstash.commands == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_405(upstash: Upstash, method: str) -> None:
    """Only POST does anything."""
    assert send(upstash, "/", ["PING"], method=method)[0] == 405
    assert upstash.commands == 0


@pytest.mark.parametrize("token", [None, "", "wrong", f"x{TOKEN}", TOKEN.upper()])
def test_another_token_is_401(upstash: Upstash, token: str | None) -> None:
    """Without the token nothing runs, and the refusal is counted apart."""
    status, answer = send(upstash, "/", ["SET", "a", 1], token=token)
    assert status == 401
    assert json.loads(answer) == {"error": "WRONGPASS invalid or missing auth token"}
    assert (upstash.unauthorized, upstash.requests, upstash.commands) == (1, 0, 0)


def test_everything_is_counted(upstash: Upstash) -> None:
    """Requests, each command in them, and the commands themselves, until they are reset."""
    ask(upstash, "/", ["SET", "a", 1])
    ask(upstash, "/multi-exec", [["GET", "a"], ["GET", "b"]])
    assert (upstash.requests, upstash.commands) == (2, 3)
    assert upstash.seen == [["SET", "a", "1"], ["GET", "a"], ["GET", "b"]]
    upstash.reset()
    assert (upstash.requests, upstash.commands, upstash.seen) == (0, 0, [])
    assert ask(upstash, "/", ["GET", "a"]) == (200, {"result": "1"})
    upstash.flush()
    assert ask(upstash, "/", ["GET", "a"]) == (200, {"result": None})


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("full", 400, b"ERR DB capacity quota exceeded"),
        ("401", 401, b"WRONGPASS"),
        ("429", 429, b"ERR max requests limit exceeded"),
        ("500", 500, b""),
        ("502", 502, b"<html>"),
        ("302", 302, b""),
        ("error with 200", 200, b'{"error":'),
        ("wrong shape", 200, b'{"result":{'),
        ("huge", 200, b"A" * 1_000_000),
    ],
)
@pytest.mark.parametrize("after", [False, True])
def test_a_wrong_answer(upstash: Upstash, kind: FaultKind, status: int, body: bytes, after: bool) -> None:
    """One request goes wrong, before or after it has taken effect; the next one is right again."""
    upstash.fail(Fault(kind, after=after))
    answer = send(upstash, "/", ["SET", "a", 1])
    assert answer[0] == status
    assert body in answer[1]
    assert ask(upstash, "/", ["EXISTS", "a"]) == (200, {"result": int(after)})
    assert upstash.requests == 2


@pytest.mark.parametrize("kind", ["drop", "reset", "truncated"])
@pytest.mark.parametrize("after", [False, True])
def test_no_whole_answer(upstash: Upstash, kind: FaultKind, after: bool) -> None:
    """The connection ends before the answer does, whether the request has taken effect or not."""
    upstash.fail(Fault(kind, after=after))
    with pytest.raises((HTTPException, ConnectionError)):
        send(upstash, "/", ["SET", "a", 1])
    assert ask(upstash, "/", ["EXISTS", "a"]) == (200, {"result": int(after)})


def test_a_reset_is_one(upstash: Upstash) -> None:
    """A reset connection is told from one that just ends."""
    upstash.fail(Fault("reset"))
    with pytest.raises(ConnectionResetError):
        send(upstash, "/", ["PING"])


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_no_answer_in_time(upstash: Upstash, kind: FaultKind) -> None:
    """A request that hangs or drips lasts longer than its client, and ends with a reset of the server."""
    upstash.fail(Fault(kind))
    with pytest.raises(TimeoutError):
        send(upstash, "/", ["PING"], seconds=0.1)
    upstash.fail(Fault(kind))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(send, upstash, "/", ["PING"], seconds=30)
        until(lambda: upstash.requests == 2)
        upstash.reset()
        with pytest.raises((HTTPException, ConnectionError)):
            waiting.result(5)


def test_a_replica_is_behind(upstash: Upstash, clock: Clock) -> None:
    """Reads see what was written `replica_lag` seconds ago, and not before."""
    ask(upstash, "/", ["HSET", "old", "a", 1])
    upstash.replica_lag = 2
    ask(upstash, "/", ["HSET", "h", "a", 1])
    clock.advance(1.9)
    assert ask(upstash, "/", ["HGET", "old", "a"]) == (200, {"result": "1"})
    assert ask(upstash, "/", ["HGET", "h", "a"]) == (200, {"result": None})
    clock.advance(0.2)
    assert ask(upstash, "/", ["HGET", "h", "a"]) == (200, {"result": "1"})
    ask(upstash, "/", ["HDEL", "h", "a"])
    assert ask(upstash, "/", ["HGET", "h", "a"]) == (200, {"result": "1"})
    upstash.replica_lag = 0
    assert ask(upstash, "/", ["HGET", "h", "a"]) == (200, {"result": None})


def test_writes_and_transactions_see_the_primary(upstash: Upstash) -> None:
    """HGETEX, a transaction of reads, and a pipeline with a write are never stale."""
    upstash.replica_lag = 60
    ask(upstash, "/", ["HSET", "h", "a", 1])
    assert ask(upstash, "/", ["HGETEX", "h", "EX", 9, "FIELDS", 1, "a"]) == (200, {"result": ["1"]})
    assert ask(upstash, "/multi-exec", [["HGET", "h", "a"]]) == (200, [{"result": "1"}])
    assert ask(upstash, "/pipeline", [["HGET", "h", "a"], ["DEL", "x"]])[1][0] == {"result": "1"}
    assert ask(upstash, "/pipeline", [["HGET", "h", "a"], ["HLEN", "h"]])[1][0] == {"result": None}


def test_close_leaves_nothing(valkey: Valkey) -> None:
    """After close no thread runs, kept connections have ended, and nobody listens."""
    threads = set(threading.enumerate())
    upstash = Upstash(valkey.port)
    idle = socket.create_connection(("127.0.0.1", upstash.port), timeout=5)
    upstash.fail(Fault("hang"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(send, upstash, "/", ["PING"])
        until(lambda: upstash.requests)
        upstash.close()
        assert idle.recv(1) == b""
        with pytest.raises((HTTPException, ConnectionError)):
            waiting.result(5)
    idle.close()
    assert set(threading.enumerate()) <= threads
    with pytest.raises(ConnectionError):
        send(upstash, "/", ["PING"])
