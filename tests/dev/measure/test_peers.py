"""dev.measure.peers: what it counts at the store, what it makes of the figures, and its pinned versions."""

import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from dev.measure.peers.install import HERE, versions
from dev.measure.peers.measure import Cost
from dev.measure.peers.peers import Action, better_auth, python, tgauth
from dev.measure.peers.stores import Count, Stores, tcp_count
from dev.measure.peers.table import NOT_COMPARABLE, Row, text
from dev.upstash.valkey import Unavailable
from tests.contract.tools import lacks

ROOT = Path(__file__).parents[3]
INFO = (
    b"# Stats\r\ntotal_reads_processed:4\r\n# Commandstats\r\n"
    b"cmdstat_get:calls=2,usec=9,usec_per_call=4.50\r\ncmdstat_set:calls=1,usec=5,usec_per_call=5.00\r\n"
    b"cmdstat_config|resetstat:calls=1,usec=30,usec_per_call=30.00\r\n"
)


def counts(trips: int) -> dict[Action, Count]:
    """So many round trips of one command for each action."""
    return {action: Count(trips, ("GET",) * trips) for action in ("verify", "login", "logout")}  # type: ignore[misc]


def rows(cold: float) -> list[Row]:
    """tgauth, with a cold start of `cold` milliseconds, and peers with figures that are easy to divide by."""
    others = Cost(1000.0, 500.0, 8.0, 4.0)
    return [
        Row(tgauth("REST"), counts(1), Cost(cold, 250.0, 4.0, 3.0)),
        Row(better_auth(rate_limit=False), counts(2), others),
        Row(tgauth("TCP"), counts(1), Cost(300.0, 100.0, 2.0, 1.0)),
        Row(python("Flask-Session", ("Flask-Session", "flask"), "with_flask.py"), counts(2), others),
        Row(better_auth(rate_limit=True), counts(4)),
    ]


def line(table: str, begins: str, below: int = 0) -> list[str]:
    """The cells of the line that begins so, or of one below it."""
    lines = table.splitlines()
    number = next(number for number, line in enumerate(lines) if line.startswith(begins))
    return re.split(r"\s{2,}", lines[number + below].strip())[1:]


def test_what_a_server_counted() -> None:
    """The question itself is neither a round trip nor a command."""
    assert tcp_count(INFO) == Count(3, ("GET", "GET", "SET"))
    with pytest.raises(ValueError, match="total_reads_processed"):
        tcp_count(b"ERR unknown command")


def test_a_transaction_is_one_round_trip() -> None:
    """Over TCP what goes together is one, and its commands are those that the server has carried out."""
    with ExitStack() as stack:
        try:
            stores = stack.enter_context(Stores())
        except Unavailable as missing:
            lacks(missing)
        client = stack.enter_context(Redis.from_url(stores.tcp["REDIS_URL"]))
        client.ping()
        stores.restart()
        client.get("a")
        pipeline = client.pipeline(transaction=True)
        pipeline.set("a", 1)
        pipeline.get("a")
        pipeline.execute()
        assert stores.counted("TCP") == Count(2, ("EXEC", "GET", "GET", "MULTI", "SET"))
        assert stores.counted("REST") == Count(0, ())


def test_the_table_divides_tgauth_by_each() -> None:
    """Below each peer stands tgauth's share of it, over the same kind of store; without a figure, a dash."""
    table = text(rows(cold=500), versions())
    shares = ["0.50× / 0.50×"] * 3
    assert line(table, "better-auth ") == ["2 / 2"] * 3 + ["1000", "500", "8.00", "4.00"]
    assert line(table, "better-auth ", below=1) == [*shares, "0.50×", "0.50×", "0.50×", "0.75×"]
    assert line(table, "better-auth, its rate limit on") == ["4 / 4"] * 3 + ["–"] * 4
    assert line(table, "better-auth, its rate limit on", below=1) == ["0.25× / 0.25×"] * 3 + ["–"] * 4
    assert line(table, "Flask-Session ", below=1) == [*shares, "0.30×", "0.20×", "0.25×", "0.25×"]
    assert "better-auth 1." in table
    assert NOT_COMPARABLE.strip() in table


@pytest.mark.parametrize(
    ("cold", "verdict"), [(600, "0.60× of better-auth's, target 0.6×: kept"), (601, "missed")]
)
def test_the_target_is_said_to_be_kept_or_missed(cold: float, verdict: str) -> None:
    """A cold start of more than 0.6 times better-auth's is a miss, and the table says so."""
    (said,) = [line for line in text(rows(cold), versions()).splitlines() if "target" in line]
    assert said.endswith(verdict)


def pins(path: Path) -> Mapping[str, str]:
    """Name and version of each line of a requirements file; a line without a version is an error."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    required = [line for line in lines if line and not line.startswith("-r ")]
    assert all(re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+", line) for line in required), required
    return dict(line.lower().split("==") for line in required)


def test_everything_is_pinned() -> None:
    """Whoever repeats the measurement has the same versions, and what tgauth shares is the same."""
    peers = pins(HERE / "requirements.txt")
    files = ("requirements.txt", "dev/requirements.txt", "requirements-dev.txt")
    ours = {name: pin for file in files for name, pin in pins(ROOT / file).items()}
    shared = {"redis", "vercel-runtime", "flask", "werkzeug"}
    assert {name: peers[name] for name in shared} == {name: ours[name] for name in shared}
    named = json.loads((HERE / "package.json").read_bytes())["dependencies"]
    locked = json.loads((HERE / "package-lock.json").read_bytes())["packages"]
    assert named == {name: locked[f"node_modules/{name}"]["version"] for name in named}
    assert all(package.get("integrity") for name, package in locked.items() if name)


def test_the_lock_file_names_no_registry() -> None:
    """npm asks the registry that its user has set, and not one that somebody else had."""
    assert "resolved" not in (HERE / "package-lock.json").read_text(encoding="utf-8")
