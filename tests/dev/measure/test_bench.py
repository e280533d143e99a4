"""The benchmark: what it counts is exact and what it compares is comparable; no time is held to anything."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dev.measure.bench import load
from dev.measure.bench.cost import A_DAY, DAYS
from dev.measure.bench.meter import Meter
from dev.measure.bench.report import Result, Spread, Table, Target, render
from dev.measure.bench.store import Address
from dev.measure.bench.traffic import Traffic
from dev.measure.bench.warm import ENDPOINTS, FLOOR, Pools
from dev.upstash.server import Upstash
from dev.vercel.runtime import Function
from tests.contract.tools import start_valkey

ROOT = Path(__file__).resolve().parents[3]
ROWS = {
    "verify": "`GET /telegram/verify`",
    "verify, HEAD": "`GET /telegram/verify` with",
    "verify, forged token": "anything forged",
    "refresh": "`POST /telegram/refresh`",
    "logout": "`POST /telegram/logout`",
    "logout, from initData": "… of a session made from initData",
    "start": "`GET` and `POST /telegram/start`",
    "login, widget": "`POST /telegram/login`",
    "login, initData": "`POST /telegram/login`",
    "login, initData again": "… with a Mini App's initData",
    "login, id_token": "`POST /telegram/login`",
    "callback, code": "`POST /telegram/login`",
    "callback, refused": "`GET` and `POST /telegram/start`",
    "sessions": "`GET /telegram/sessions`",
    "sessions, end one": "`DELETE` of one session",
    "sessions, end all": "`DELETE` of all",
    "relay, asked": "`GET /telegram/relay`",
    "relay, agreed": "`POST /telegram/relay` with a ticket",
    "relay, redeemed": "… with a code, also",
    "stats, refused": "`GET /stats` without",
}
"""How the row of a request begins in docs/REDIS_SETUP.md."""


def bench(*options: str) -> dict[str, Any]:
    """The figures of a quick run; a part whose tool is missing is not among them."""
    command = [sys.executable, "-m", "dev.measure.bench", "--quick", "--json", *options]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert process.returncode == 0, process.stderr
    figures: dict[str, Any] = json.loads(process.stdout)
    return figures


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    """One quick run of everything."""
    return bench()


@pytest.mark.slow
def test_every_requests_cost_is_the_documented_one(figures: dict[str, Any]) -> None:
    """Commands, round trips and the commands' names are those of docs/REDIS_SETUP.md."""
    rows = re.findall(
        r"^\| (.+?) \| (\d) \| (\d) \|(.*)\|$", (ROOT / "docs/REDIS_SETUP.md").read_text(), re.MULTILINE
    )
    costs = figures["cost"]["requests"]
    for way, beginning in ROWS.items():
        row, commands, trips, which = next(row for row in rows if row[0].startswith(beginning))
        cost = costs[way]
        assert (cost["commands"], cost["round_trips"]) == (int(commands), int(trips)), (way, row)
        assert (cost["store_sent"] > 0, cost["store_received"] > 0) == (trips != "0", trips != "0"), way
        assert set(cost["names"].split()) <= set(re.findall(r"[A-Z]{4,}", which)) or "again" in way
    once = costs["health, first"], costs["health, again"]
    assert [(cost["commands"], cost["names"]) for cost in once] == [(3, "HSETEX HGETEX HGETALL"), (0, "")]
    assert re.fullmatch(r"DBSIZE SCAN HKEYS x\d+", costs["stats"]["names"])
    assert costs.keys() == {*ROWS, "health, first", "health, again", "stats"}


@pytest.mark.slow
def test_a_month_is_the_sum_of_its_requests(figures: dict[str, Any]) -> None:
    """Verify, refresh and logout are one command and a login three, as often as the table says."""
    thousand, *_, most = figures["cost"]["month"]
    daily = A_DAY["verify"] + A_DAY["refresh"] + A_DAY["logout"] + 3 * A_DAY["login, widget"]
    assert (thousand["users"], thousand["commands"]) == (1000, round(1000 * DAYS * daily))
    assert thousand["dollars"] == pytest.approx(thousand["commands"] / 100_000 * 0.2)
    assert not most["fits_free"]
    assert 300 < figures["cost"]["bytes_a_session"] < 1500


@pytest.mark.slow
def test_cold_starts_are_measured(figures: dict[str, Any]) -> None:
    """Each start has a time and a peak of memory; where the build's tools are missing there is no table."""
    if "cold" not in figures:
        pytest.skip(
            "the Vercel build needs Node.js and uv; `make vercel-check`, which CI runs, fails without them"
        )
    plain, compiled = figures["cold"]["no bytecode"], figures["cold"]["bytecode"]
    assert 5 < plain["bundle_mb"] < compiled["bundle_mb"] < 225
    for kind in (plain, compiled):
        assert {"verify", "login, widget"} < kind["ways"].keys()
        for way in kind["ways"].values():
            assert all(
                way[time]["p50"] > 0 for time in ("cpu_ms", "floor_cpu_ms", "wall_ms", "floor_wall_ms")
            )
            assert 10 < way["peak_mb"] < 200


@pytest.mark.slow
def test_running_functions_are_measured(figures: dict[str, Any]) -> None:
    """Every endpoint answered requests beside the floor, and the parts of a request are in order."""
    warm = figures["warm"]
    assert {case["endpoint"] for case in warm} == set(ENDPOINTS)
    for case in warm:
        for side in (case["floor"], case["ours"]):
            assert side["requests"] > 0
            assert 0 < side["p50_ms"] <= side["p99_ms"]
            assert side["cpu_ms"] > 0
            assert 10 < side["peak_mb"] < 200


@pytest.mark.slow
def test_growth_is_measured(figures: dict[str, Any]) -> None:
    """Sessions take room that does not depend on how many there are."""
    sizes = figures["growth"]
    assert [size["sessions"] for size in sizes] == [1000, 2000]
    for size in sizes:
        assert 300 < size["bytes_each"] < 1500
        assert min(size["tcp_ms"], size["rest_ms"]) > 0


@pytest.mark.slow
def test_the_floor_sends_the_same_commands() -> None:
    """Word for word, but for whose session it is; and it finds and ends what it is asked for."""
    with ExitStack() as stack:
        valkey = stack.enter_context(start_valkey())
        upstash = stack.enter_context(Upstash(valkey.port))
        traffic = Traffic(Address(upstash.env, valkey.port, os.getpid()))
        stack.callback(traffic.close)
        pools = Pools(traffic, valkey.port)
        stack.callback(pools.close)
        floor = stack.enter_context(Function.from_source(FLOOR, traffic.env))
        for endpoint in ENDPOINTS:
            ours = stack.enter_context(Function.from_source(f"api/telegram/{endpoint}.py", traffic.env))
            sent = []
            for function, make in ((floor, pools.floor), (ours, pools.ours)):
                (request,) = make(endpoint, 1)
                upstash.reset()
                answer = function.raw(request)
                assert answer.startswith(b"HTTP/1.0 20"), answer
                assert b'"result": null' not in answer
                sent.append([[shape(word) for word in command] for command in upstash.seen])
            assert sent[0] == sent[1] != []


def shape(word: str) -> str:
    """A word without what differs between sessions."""
    kinds = {"tgauth:": "key", "s:": "slot", "p:": "marker", "{": "record"}
    named = next((kind for start, kind in kinds.items() if word.startswith(start)), word)
    return "slot" if re.fullmatch(r"[A-Za-z0-9_-]{16}", word) else named


def test_the_meter_counts_every_byte() -> None:
    """What goes through is unchanged, and counted by direction."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                received = connection.recv(100)
                connection.sendall(received * 3)

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            Meter(server.getsockname()[1]) as meter,
            socket.create_connection(("127.0.0.1", meter.port)) as client,
        ):
            client.sendall(b"12345")
            answer = b"".join(iter(lambda: client.recv(100), b""))
            assert (answer, meter.sent, meter.received) == (b"12345" * 3, 5, 15)
        thread.join()


def serve_once(answer: bytes, times: int) -> tuple[int, threading.Thread]:
    """The port of a server that gives this answer so many times."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server:
            for _ in range(times):
                connection, _ = server.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    port: int = server.getsockname()[1]
    return port, thread


def test_the_generator_sends_each_request_once() -> None:
    """All are sent, by however many connections, and each has a time."""
    port, thread = serve_once(b"HTTP/1.0 204 No Content\r\n\r\n", 6)
    done = load.drive(port, [b"x"] * 6, 204, 3, 10.0)
    thread.join()
    assert len(done.times) == 6
    assert 0 < max(done.times) <= done.elapsed
    assert (done + done).per_second == pytest.approx(done.per_second)


def test_the_generator_takes_no_wrong_answer() -> None:
    """An error is fast, and would look like speed."""
    port, thread = serve_once(b"HTTP/1.0 503 Service Unavailable\r\n\r\n", 1)
    with pytest.raises(RuntimeError, match="503"):
        load.drive(port, [b"x"], 200, 1, 10.0)
    thread.join()


def test_the_report() -> None:
    """Figures come out as they are, for people and as JSON, and a missed target is told from a met one."""
    assert Spread.of([4.0]) == Spread(4.0, 4.0, 4.0)
    assert Spread.of([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(3.0, 2.0, 4.0)
    table = Table("Title", ("", "count", "ratio"), [("a", 1000, 1.234), ("long", 2, 0.5)], ["note"])
    targets = [Target("low", 1.2, 1.1), Target("high", 1.2, 1.1, least=True)]
    results = {"part": Result({"spread": Spread(1.0, 0.5, 2.0)}, [table], targets)}
    text = render({"cpu": "x", "cores": 2}, results, as_json=False)
    assert "cpu x, cores 2" in text
    assert "Title\n  note\n\n        count  ratio\n  a     1,000   1.23\n  long      2   0.50" in text
    assert re.search(r"low +1\.20 +<= 1\.10 +MISSED\n", text)
    assert re.search(r"high +1\.20 +>= 1\.10 +met$", text)
    value = json.loads(render({"cpu": "x"}, results, as_json=True))
    assert value["part"] == {"spread": {"p50": 1.0, "p25": 0.5, "p75": 2.0}}
    assert [target["met"] for target in value["targets"]] == [False, True]
