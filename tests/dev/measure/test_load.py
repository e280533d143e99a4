"""dev.measure.load: it finds the real functions right, and says so when they are not, or when they grow."""

import json
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.datastructures import Headers

from dev.measure.bench.traffic import BOT_TOKEN
from dev.measure.load import __main__ as command
from dev.measure.load.answers import Held, Wrong, expect, expect_session
from dev.measure.load.site import deployment
from dev.measure.load.soak import JUDGED_SECONDS, PEAK_MB, Result, Seen, failures, grows, soak
from dev.measure.load.traffic import Outcome
from dev.measure.load.visitor import MIX
from dev.measure.load.watch import MB, Sample, look
from dev.telegram.signing import sign_widget
from dev.upstash.valkey import Unavailable
from dev.vercel.proxy import Response
from tests.contract.tools import lacks

needs_proc = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
HOUR = 3600


def samples(*, megabytes_an_hour=0.0, steps=0, seconds=600):
    """A sample each second of a function of 40 MB that grows; `steps` blocks of 4 KiB come and go."""
    chance = random.Random(1)  # noqa: S311
    return [
        Sample(
            second,
            int(40 * MB + megabytes_an_hour * MB * second / HOUR) + chance.randint(-steps, steps) * 4096,
            threads=2,
            files=8,
        )
        for second in range(seconds)
    ]


def seen(rows, **changes):
    return replace(
        Seen(rows, 45 * MB, before=Sample(0, 30 * MB, 1, 5), after=Sample(600, 40 * MB, 1, 7)), **changes
    )


def result(one, *, errors=0):
    times = {"verify, cookie": [1.0, 2.0]}
    return Result(Outcome(times, {"verify, cookie": errors} if errors else {}), {"telegram/verify": one}, 4)


def answer(status, said=None):
    return Response(status, Headers(), json.dumps(said).encode() if said is not None else b"")


def run(**changes):
    try:
        return soak(seconds=3, rate=30, visitors=3, **changes)
    except Unavailable as reason:
        lacks(reason)


@needs_proc
@pytest.mark.slow
def test_the_functions_pass():
    """Some seconds of it bring every function the answers it must give, and figures of each."""
    found = run()
    assert found.outcome.examples == []
    assert failures(found) == []
    assert set(found.outcome.times) <= set(MIX)
    assert len(found.outcome.times) >= 6
    said = command.figures(found)
    assert said["all"]["errors"] == 0
    assert said["all"]["count"] >= 30
    for function in said["functions"].values():
        assert 10 < function["start_mb"] <= function["peak_mb"] < PEAK_MB
        assert min(function["threads"]) >= 1
        assert function["slope_judged"] is False
    assert sum(function["requests"] for function in said["functions"].values()) == said["all"]["count"]


def log_in(functions, number):
    """Somebody's new session, as a bearer."""
    user = {"id": 1_000_000_000 + number, "first_name": "Жук", "auth_date": int(time.time())}
    body = json.dumps({**sign_widget(user, BOT_TOKEN), "transport": "bearer"}).encode()
    headers = {"Content-Type": "application/json"}
    return functions["telegram/login"].request("POST", "/telegram/login", headers, body)


def growth(name, ask):
    """Bytes that a function takes for 6,000 requests more, once it has answered 6,000."""
    try:
        with deployment() as functions:
            taken = []
            for number in range(12_000):
                assert ask(functions, number).status == 200
                functions[name].logs.clear()
                if number % 6_000 == 5_999:
                    taken.append(look(functions[name].pid, 0).rss)
    except Unavailable as reason:
        lacks(reason)
    return taken[1] - taken[0]


@needs_proc
@pytest.mark.slow
def test_logging_in_stops_taking_memory():
    """Once it remembers as many used proofs as it may, 6,000 logins more leave less than 80 bytes each."""
    assert growth("telegram/login", log_in) < 6_000 * 80


@needs_proc
@pytest.mark.slow
def test_verifying_takes_no_memory():
    """6,000 verifies of some sessions after the first 6,000 leave less than 10 bytes each."""
    tokens = []

    def verify(functions, number):
        # A single one would be refused: 600 a minute are what a token is good for.
        if len(tokens) < 24:
            tokens.append(log_in(functions, number).json()["token"])
        headers = {"Authorization": f"Bearer {tokens[number % len(tokens)]}"}
        return functions["telegram/verify"].request("GET", "/telegram/verify", headers)

    assert growth("telegram/verify", verify) < 6_000 * 10


@needs_proc
@pytest.mark.slow
def test_a_wrong_answer_is_an_error(monkeypatch, capsys):
    """When one function has another secret, what it answers to good sessions is counted, told, and fails."""
    other = {"telegram/verify": {"AUTH_SECRET": "another-secret-0123456789-0123456789-0"}}
    found = run(changes=other)
    errors = found.outcome.errors
    assert errors["verify, cookie"] == len(found.outcome.times["verify, cookie"]) > 0
    assert set(errors) <= {"verify, cookie", "verify, bearer"}
    assert "200  must come, 401 invalid_session came" in found.outcome.examples[0]
    assert [text.partition(" ")[0] for text in failures(found)] == [str(sum(errors.values()))]
    monkeypatch.setattr(command, "soak", lambda **_: found)
    monkeypatch.setattr("sys.argv", ["dev.measure.load"])
    assert command.main() == 1
    assert "FAILED" in capsys.readouterr().out


def test_an_answer_is_what_it_must_be():
    """Another status, another code, or an error where none is meant is wrong; the rest is what was said."""
    assert expect(answer(200, {"a": 1}), 200) == {"a": 1}
    assert expect(answer(204), 204) == {}
    assert expect(answer(401, {"code": "invalid_session"}), 401, "invalid_session")
    for wrong, status, code in (
        (answer(401, {"code": "invalid_session"}), 200, None),
        (answer(200, {}), 401, "invalid_session"),
        (answer(401, {"code": "login_stale"}), 401, "login_rejected"),
        (answer(503, {"code": "store_unavailable"}), 401, "invalid_session"),
    ):
        with pytest.raises(Wrong):
            expect(wrong, status, code)


def test_an_answer_names_the_right_session():
    """Another user, session or transport in the answer is wrong, and so is none."""
    held = Held(42, "slot", "token", "cookie")
    said = {"user": {"id": 42}, "session": {"id": "slot", "transport": "cookie"}}
    expect_session(said, held)
    for changes in (
        {"user": {"id": 43}},
        {"session": {"id": "slot", "transport": "bearer"}},
        {"session": {}},
    ):
        with pytest.raises(Wrong):
            expect_session({**said, **changes}, held)
    with pytest.raises(Wrong):
        expect_session({}, held)


@pytest.mark.parametrize("steps", [0, 60])
def test_a_leak_is_seen(steps):
    """Memory that grows by 15 MB an hour does so by the slope, beyond the noise, and fails."""
    leaking = seen(samples(megabytes_an_hour=15, steps=steps))
    assert 14 < leaking.slope.bytes_an_hour / MB < 16
    assert grows(leaking)
    assert "memory grows" in failures(result(leaking))[0]


@pytest.mark.parametrize("steps", [0, 60, 500])
def test_noise_is_no_leak(steps):
    """Memory that goes up and down by some blocks does not grow."""
    assert not grows(seen(samples(steps=steps)))


def test_a_bounded_growth_is_no_leak():
    """A few hundred kilobytes more, as a memory that fills takes, are no leak, however straight they come."""
    filling = seen(samples(megabytes_an_hour=4))
    assert filling.slope.bytes_an_hour > filling.slope.noise
    assert not grows(filling)


def test_warm_up_does_not_count():
    """What is loaded with the first requests is no growth."""
    warm = samples()
    assert not grows(
        seen([replace(one, rss=one.rss - 20 * MB) if one.seconds < 200 else one for one in warm])
    )


def test_a_short_run_has_no_slope():
    """Below two minutes after the warm-up nothing is said about growth."""
    assert not grows(seen(samples(megabytes_an_hour=1000, seconds=JUDGED_SECONDS)))


def test_what_fails():
    """An error, a peak over the target, and threads or files that stay open fail; a good run does not."""
    good = seen(samples())
    assert failures(result(good)) == []
    assert "2 of 2 requests" in failures(result(good, errors=2))[0]
    assert "60.1 MB at its peak" in failures(result(replace(good, peak=int(60.1 * MB))))[0]
    assert "1 threads before, 6 after" in failures(result(replace(good, after=Sample(600, 0, 6, 5))))[0]
    assert "5 open files before, 10 after" in failures(result(replace(good, after=Sample(600, 0, 1, 10))))[0]
    assert failures(Result(Outcome(), {}, 4))
