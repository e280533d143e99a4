"""The doctor as a command: exit codes, both outputs, and no secret in any of them (dev/doctor)."""

import itertools
import json
import os
import re
import subprocess
import sys

import pytest
import requests
import responses

import dev.doctor.__main__ as doctor
from dev.doctor.__main__ import main
from dev.serve.process import ROOT
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN

TOKEN = "123456789:AAE-canary-of-the-bot"
SECRETS = {
    "TELEGRAM_BOT_TOKEN": TOKEN,
    "TELEGRAM_CLIENT_SECRET": "canary-of-the-client",
    "AUTH_SECRET": "canary-of-sessions-0123456789abcdef,canary-of-old-sessions-0123456789",
    "UPSTASH_REDIS_REST_URL": "https://canary-host.upstash.io",
    "UPSTASH_REDIS_REST_TOKEN": "canary-of-upstash",
    "KV_REST_API_URL": "https://canary-host.upstash.io",
    "KV_REST_API_TOKEN": "canary-of-kv",
    "KV_REST_API_READ_ONLY_TOKEN": "canary-of-reading",
    "REDIS_URL": "rediss://default:canary-of-redis@redis.invalid:1",
    "AUTH_RELAY_SECRET": "canary-of-the-relay-0123456789abcdef",
    "ADMIN_TOKEN": "canary-of-the-owner-0123456789abcdef",
    "TELEGRAM_TOKEN": "123:canary-of-a-look-alike",
}
# What people paste in place of a value, each with the value in it.
SPOILED = (
    "{}",
    " {}\n",
    '"{}"',
    "{} {}",
    "{}\x1b[2J",
    "https://user:{}@host/",
    "{}é",
    "@{}",
    "NAME={}",
    "{},",
)
FAILURES = (
    {"body": requests.ConnectionError(f"{TOKEN} canary-of-upstash")},
    {"body": f"<html>{TOKEN} canary-of-the-client</html>", "status": 502},
    {"json": {"ok": False, "description": f"no {TOKEN}", "error": "invalid_client"}, "status": 401},
    {"json": {"ok": True, "result": {"id": 123456789, "username": "canary-of-the-client"}}},
)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A tree without .env files, and an environment without anything of ours."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setattr(doctor, "check_tree", lambda _: [])
    return tmp_path


@pytest.fixture
def unreachable(monkeypatch):
    """Both stores fail with an error that holds what it should not."""

    def fail(*_):
        raise ValueError("canary-of-upstash canary-of-redis")

    monkeypatch.setattr("lib.tgauth.store.upstash.UpstashStore._send", fail)
    monkeypatch.setattr("lib.tgauth.store.redis.RedisStore._send", fail)


def said(capsys):
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_without_settings(empty, capsys):
    """What is needed is a problem, which is exit code 1."""
    assert main([], empty) == 1
    out = said(capsys)
    assert "problem  settings: TELEGRAM_BOT_TOKEN: is not set" in out
    assert "1 problem, 0 warnings." in out


def test_with_warnings_alone(empty, capsys, monkeypatch):
    """Warnings are exit code 0."""
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", DEVELOPMENT_BOT_TOKEN)
    monkeypatch.setenv("VERCEL_ENV", "development")
    monkeypatch.setenv("TG_BOT_TOKEN", "x")
    monkeypatch.setenv("KV_URL", "x")
    assert main([], empty) == 0
    assert "0 problems, 1 warning." in said(capsys)


def test_json(empty, capsys):
    """One object with every check and the numbers."""
    assert main(["--json"], empty) == 1
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"checks", "problems", "warnings"}
    assert (found["problems"], found["warnings"]) == (1, 0)
    assert all(set(check) == {"name", "status", "message", "fix"} for check in found["checks"])
    assert {check["status"] for check in found["checks"]} == {"ok", "problem"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["canary"],
        ["canary:3000"],
        ["ftp://example.com"],
        ["user:canary@example.com"],
        ["https://"],
        ["https://user:canary@example.com"],
        ["https://example.com:x"],
        ["https://[canary"],
        ["https://example.com", "canary"],
        ["--canary"],
        ["--json=canary"],
        ["--old=https://canary.example"],
        ["--old=canary", "https://example.com"],
        ["--old=https://user:canary@old.example", "https://example.com"],
        ["--old=https://canary.example:443/", "canary.example"],
    ],
)
def test_wrong_usage(arguments, capsys):
    """Exit code 2, and what was typed is not repeated: it can be a secret. OLD goes with another URL."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "canary" not in said(capsys)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("example.com", "https://example.com"),
        ("Example.com:8443/x", "https://example.com:8443"),
        ("https://example.com/health?x-vercel-protection-bypass=canary", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com", "http://example.com"),
        ("localhost:3000", "http://localhost:3000"),
        ("app.localhost:3000/", "http://app.localhost:3000"),
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
    ],
)
def test_the_origin_of_an_address(empty, web, capsys, given, asked):
    """It alone is used of URL and OLD; without a scheme it is encrypted, but on this machine."""
    web.get(f"{asked}/health", status=404)
    web.get("https://other.example/health", status=404)
    assert main([given, "--old", "other.example"], empty) == 1
    assert main(["other.example", "--old", given], empty) == 1
    assert [call.request.url for call in web.calls].count(f"{asked}/health") == 2
    assert "canary" not in said(capsys)


def test_an_earlier_deployment_never_gets_the_bypass_secret(empty, web, capsys, monkeypatch):
    """It is looked at even where the site is not there, and from outside, as anybody would."""
    monkeypatch.setenv("VERCEL_AUTOMATION_BYPASS_SECRET", "canary-of-the-bypass")
    web.get("https://example.com/health", status=404)
    web.get("https://old.example/health", json={"status": "ok", "store": "upstash"})
    assert main(["example.com", "--old=old.example"], empty) == 1
    site, old = (call.request.headers for call in web.calls)
    assert site["x-vercel-protection-bypass"] == "canary-of-the-bypass"
    assert "x-vercel-protection-bypass" not in old
    out = said(capsys)
    assert "problem  earlier: an earlier deployment still answers at https://old.example" in out
    assert "canary" not in out


def test_files_that_cannot_be_read(empty, capsys):
    """A .env that is no text is a problem, and the rest is still looked at."""
    (empty / ".env").write_bytes(b"\xff\xfe\x00")
    assert main([], empty) == 1
    out = said(capsys)
    assert "problem  variables: .env.local or .env cannot be read" in out
    assert "TELEGRAM_BOT_TOKEN: is not set" in out


def test_a_defect_of_its_own(empty, capsys, monkeypatch):
    """An exception that nobody expected is a problem that says where, without the exception's text."""
    monkeypatch.setattr(doctor, "check_settings", lambda *_: (1 / zero for zero in [0]))
    assert main([], empty) == 1
    out = said(capsys)
    assert "the doctor itself broke here (ZeroDivisionError in test_doctor.py, line" in out
    assert "Traceback" not in out


def spoiled_variables():
    """Every variable spoiled in every way; `make test` has each variable and each way, but not all pairs."""
    for (row, name), (column, spoiled) in itertools.product(enumerate(SECRETS), enumerate(SPOILED)):
        marks = () if row % len(SPOILED) == column else (pytest.mark.slow,)
        yield pytest.param(name, spoiled, marks=marks, id=f"{name}-{column}")


@pytest.mark.parametrize(("name", "spoiled"), list(spoiled_variables()))
def test_no_secret_is_shown(empty, capsys, monkeypatch, web, unreachable, name, spoiled):
    """One variable is spoiled and everything outside fails: no output holds a secret, or a traceback."""
    values = SECRETS | {name: spoiled.replace("{}", SECRETS[name])}
    rest = tuple(other for other in SECRETS if other.startswith(("UPSTASH", "KV")))
    dropped = ((), rest[:1], rest, rest)
    for without, failure, json_too in zip(dropped, FAILURES, (True, False) * 2, strict=True):
        web.reset()
        for method in (responses.GET, responses.POST):
            web.add(method, url=re.compile(".*"), **failure)
        for other in SECRETS:
            monkeypatch.delenv(other, raising=False)
        for other, value in values.items():
            if other not in without:
                monkeypatch.setenv(other, value)
        main(["--json"] if json_too else [], empty)
        out = said(capsys)
        assert "canary" not in out
        assert "Traceback" not in out
        assert "\x1b" not in out


def test_as_a_program():
    """`python -m dev.doctor` in a terminal that knows ASCII alone, and into a pipe that is closed."""
    env = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "ascii", "TELEGRAM_BOT_NAME": "é", "SECRET": "x"}
    command = [sys.executable, "-m", "dev.doctor"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("ok       variables: none of tgauth's is set\n")
    assert "problem  settings: " in done.stdout
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=30
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
