"""What the doctor says of Redis, asked of a real one and of a local Upstash (dev/doctor/store.py)."""

import re
import socket
from unittest.mock import Mock

import pytest

from dev.doctor import store
from dev.doctor.report import line
from dev.doctor.store import check_store
from dev.upstash.faults import Fault
from lib.tgauth.settings import read_settings
from lib.tgauth.store.upstash import UpstashStore

TOKEN = "123456789:AAE-test_token-of-no-bot"
RELAY = {"AUTH_RELAY_SECRET": "0123456789abcdef0123456789abcdef", "AUTH_RELAY_HOSTS": "a.example.com"}
PASSWORD = "password-of-redis"


def checked(**env):
    """The checks by name; none of the secrets is in them."""
    settings = read_settings({"TELEGRAM_BOT_TOKEN": TOKEN, **env})
    found = {check.name: check for check in check_store(settings)}
    for check in found.values():
        assert bool(check.fix) == (check.status != "ok"), check
        assert not any(word in line(check) for word in (TOKEN, PASSWORD, "local-upstash-token"))
    return found


def rest(upstash, **env):
    return checked(UPSTASH_REDIS_REST_URL=upstash.url, UPSTASH_REDIS_REST_TOKEN=upstash.token, **env)


def statuses(found):
    return {name: check.status for name, check in found.items()}


def user(valkey, *rules):
    """REDIS_URL for a user with all rights but for these rules."""
    valkey.run("ACL", "SETUSER", "doctor", "reset", "on", f">{PASSWORD}", "~tgauth:*", "+@all", *rules)
    return f"redis://doctor:{PASSWORD}@127.0.0.1:{valkey.port}"


def test_a_redis_that_is_all_right(valkey):
    """Over TCP: commands, version, eviction, distance; and nothing of the doctor's is left behind."""
    found = checked(REDIS_URL=valkey.url)
    assert statuses(found) == dict.fromkeys(
        ("redis", "redis-tls", "redis-version", "redis-eviction", "redis-commands", "redis-distance"), "ok"
    )
    assert re.fullmatch(r"Valkey 9\.[0-9.]+", found["redis-version"].message)
    assert re.fullmatch(
        r"one command takes \d+ ms from here \(median of 5\)", found["redis-distance"].message
    )
    assert valkey.run("DBSIZE") == 0


def test_an_upstash_that_is_all_right(valkey, upstash):
    """Over REST the same, with real commands on a key of the doctor's own, which is gone afterwards."""
    assert set(statuses(rest(upstash)).values()) == {"ok"}
    sent = {command[0] for command in upstash.seen}
    assert sent >= {"PING", "INFO", "HSETEX", "HGETEX", "HGETALL", "HTTL", "HGETDEL", "HGET", "HDEL"}
    keys = {command[1] for command in upstash.seen if command[0].startswith("H")}
    assert all(re.fullmatch(r"tgauth:doctor:[0-9a-f]{16}", key) for key in keys)
    assert len(keys) == 1
    assert valkey.run("DBSIZE") == 0


def test_a_server_that_is_not_there(monkeypatch):
    """A name that is gone, as an archived database's, is told from a port where nobody listens."""
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", Mock(side_effect=socket.gaierror(socket.EAI_NONAME, "x")))
        gone = checked(UPSTASH_REDIS_REST_URL="https://gone.upstash.io", UPSTASH_REDIS_REST_TOKEN="t")
    assert "archived" in gone["redis"].fix
    assert "look whether the server runs" in checked(REDIS_URL="redis://127.0.0.1:9")["redis"].fix


@pytest.mark.parametrize("after", range(1, 11))
def test_an_upstash_that_fails(valkey, upstash, after, monkeypatch):
    """Wherever it stops answering, that is said with the document that explains it: no exception."""
    send, asked = UpstashStore._send, []

    def failing(self, command):
        asked.append(command)
        if len(asked) >= after:
            upstash.fail(Fault("502"))
        return send(self, command)

    monkeypatch.setattr(UpstashStore, "_send", failing)
    found = rest(upstash)
    assert any(check.status != "ok" or "does not tell" in check.message for check in found.values())
    assert all("docs/REDIS_SETUP.md#" in check.fix for check in found.values() if check.status != "ok")
    valkey.flush()


@pytest.mark.parametrize(
    ("rule", "env", "name", "status"),
    [
        ("-hsetex", {}, "redis-commands", "problem"),
        ("-hgetex", {}, "redis-commands", "problem"),
        ("-httl", {}, "redis-commands", "problem"),
        ("-hgetdel", {}, "redis-commands", "warning"),
        ("-hgetdel", RELAY, "redis-commands", "problem"),
        ("-ping", {}, "redis", "problem"),
    ],
)
def test_a_server_that_lacks_a_command(valkey, rule, env, name, status):
    """HGETDEL is needed for the relay alone, the others for every session."""
    assert checked(REDIS_URL=user(valkey, rule), **env)[name].status == status
    assert valkey.run("DBSIZE") == 0


def test_a_server_that_does_not_tell(valkey):
    """Without the right to INFO nothing is claimed of version and eviction."""
    found = checked(REDIS_URL=user(valkey, "-info"))
    assert "redis-version" not in found
    assert "look yourself" in found["redis-eviction"].message
    assert found["redis-commands"].status == "ok"


def test_eviction(valkey, upstash):
    """A policy that deletes sessions is a warning, over TCP and REST."""
    valkey.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        for found in (checked(REDIS_URL=valkey.url), rest(upstash)):
            assert found["redis-eviction"].status == "warning"
            assert "allkeys-lru" in found["redis-eviction"].message
    finally:
        valkey.run("CONFIG", "SET", "maxmemory-policy", "noeviction")


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("redis://user:pw@redis.invalid:1", "warning"),
        ("rediss://user:pw@redis.invalid:1", "ok"),
        ("redis://redis:1", "ok"),
        ("redis://redis.railway.internal:1", "ok"),
    ],
)
def test_encryption(url, status, monkeypatch):
    """Over the open network without TLS is a warning, whether the server answers or not."""
    monkeypatch.setattr("lib.tgauth.store.redis.RedisStore._send", lambda *_: 1 / 0)
    found = checked(REDIS_URL=url)
    assert found["redis-tls"].status == status
    assert found["redis"].status == "problem"


def test_a_database_far_away(upstash, monkeypatch):
    """Above the limit the distance is a warning; the limit is lowered here, so that nobody waits."""
    monkeypatch.setattr(store, "FAR_MS", 0)
    assert rest(upstash)["redis-distance"].status == "warning"


def test_no_redis():
    """Sessions in memory are a warning, and in development as they should be."""
    assert statuses(checked()) == {"redis": "warning"}
    assert statuses(checked(VERCEL_ENV="development")) == {"redis": "ok"}


def test_a_server_that_keeps_nothing(monkeypatch, upstash):
    """An imitation that answers but does not store is a problem."""
    monkeypatch.setattr(UpstashStore, "renew", lambda *_: None)
    assert rest(upstash)["redis-commands"].status == "problem"
    monkeypatch.undo()
    monkeypatch.setattr(UpstashStore, "take", lambda self, key, field: self.read(key, field))
    assert rest(upstash)["redis-commands"].status == "problem"


def test_nothing_is_said_in_the_logs_form(upstash, capsys):
    """Opening a store writes a line to the log, which is no line of the doctor's."""
    rest(upstash)
    assert capsys.readouterr().out == ""
