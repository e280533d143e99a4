"""What the simulated Telegram signs for its users, always with the public development token."""

import hashlib
import secrets
import threading
import time
from urllib.parse import quote

from dev.telegram.signing import Field, bot_id, sign_init_data, sign_widget
from dev.telegram.users import User
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN

BOT_ID = str(bot_id(DEVELOPMENT_BOT_TOKEN))

# Telegram's key for `signature` is its own. Any other gives data of the same form.
_SIGNING_KEY = hashlib.sha256(b"simulated Telegram").digest()

_lock = threading.Lock()
_last: dict[int, int] = {}


def widget(user: User, auth_date: int) -> dict[str, str | int]:
    """The signed object that the Login Widget would return for this user."""
    return sign_widget({**user, "auth_date": auth_date}, DEVELOPMENT_BOT_TOKEN)


def init_data(user: User, auth_date: int) -> str:
    """The signed `initData` of a Mini App that this user opened; no two launches are the same."""
    language = "ru" if "а" <= user["first_name"][-1] <= "я" else "en"
    fields: dict[str, Field] = {
        "query_id": f"AAH{secrets.token_urlsafe(12)}",
        "user": {**user, "language_code": language, "allows_write_to_pm": True},
        "auth_date": auth_date,
    }
    return sign_init_data(fields, DEVELOPMENT_BOT_TOKEN, _SIGNING_KEY)


def launch(user: User) -> str:
    """The fragment that a Mini App is opened with now."""
    data = quote(init_data(user, int(time.time())), safe="")
    return f"tgWebAppData={data}&tgWebAppVersion=8.0&tgWebAppPlatform=web"


def next_time(user: User) -> int:
    """Now, or the second after this user's last proof.

    Two proofs of one second would be the same one, which logs in once, and scripts log in fast.
    """
    with _lock:
        _last[user["id"]] = max(int(time.time()), _last.get(user["id"], 0) + 1)
        return _last[user["id"]]
