"""Users with everything that a profile can have, and any number of sessions for them."""

import time
from collections.abc import Iterator, Sequence
from itertools import batched

from dev.upstash.resp import Command, Connection
from lib.tgauth.clock import DAY
from lib.tgauth.keys import keys_of
from lib.tgauth.sessions.record import Record
from lib.tgauth.sessions.token import Claims, random_n, random_slot, seal
from lib.tgauth.settings import Settings
from lib.tgauth.user import TelegramUser

USER_AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.1 Mobile/15E148 Safari/604.1"
)
_BATCH = 500


def user(number: int) -> TelegramUser:
    """Somebody with a profile of usual length; another number is somebody else."""
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


def key(settings: Settings, owner: int) -> str:
    """The key of a user's sessions."""
    return f"tgauth:{settings.environment}:{settings.bot_id}:u:{owner}"


def sessions(settings: Settings, numbers: range, per_user: int = 1) -> Iterator[tuple[Command, str]]:
    """The command that stores each session, as a login leaves it, and its token."""
    keys, now = keys_of(settings), int(time.time())
    for number in numbers:
        owner, slot = user(number // per_user), random_slot("cookie")
        record = Record(owner, now, "widget", "cookie", USER_AGENT, "RU", proof_at=now, n=random_n())
        stored = ("HSETEX", key(settings, owner.id), "FNX", "EX", 30 * DAY, "FIELDS", 1, f"s:{slot}")
        yield (*stored, record.dump()), seal(Claims(owner.id, slot, now, record.n), keys)


def store(
    connection: Connection, settings: Settings, numbers: range, per_user: int = 1
) -> Iterator[Sequence[tuple[Command, str]]]:
    """Store sessions and give back what was stored, some hundred at a time."""
    for batch in batched(sessions(settings, numbers, per_user), _BATCH):
        replies = connection.run([command for command, _ in batch])
        if replies != [1] * len(batch):
            raise RuntimeError(f"a session was not stored: {replies}")
        yield batch
