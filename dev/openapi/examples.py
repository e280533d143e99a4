"""Bodies to try, by their schema: signed by the development bot for a given deployment and time."""

import hashlib
from base64 import urlsafe_b64encode
from typing import Any

from dev.telegram.signing import sign_init_data, sign_widget
from dev.telegram.users import USERS
from lib.tgauth.relay.tickets import Ticket, _ticket_signer, code_for
from lib.tgauth.settings import read_settings
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN

TIME = 1_800_000_000
"""Unix seconds at which the examples are good."""

ENV = {
    "VERCEL_ENV": "development",
    "TELEGRAM_BOT_TOKEN": DEVELOPMENT_BOT_TOKEN,
    "AUTH_ORIGIN": "https://app.example",
    "AUTH_RELAY_SECRET": "for-the-examples-of-the-document-only",
    "AUTH_RELAY_HOSTS": "app-git-fix-team.example",
}
"""The deployment that takes them."""


def examples() -> dict[str, dict[str, Any]]:
    """The same ones every time. An id_token has none: its key is Telegram's alone."""
    settings = read_settings(ENV)
    alice, mei, ivan = USERS[100000001], USERS[100000003], USERS[100000004]
    host, verifier = ENV["AUTH_RELAY_HOSTS"], "example-verifier-of-forty-three-characters-"
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode("ascii")
    ticket = Ticket(host, "example-state-of-24-char", challenge, TIME)
    return {
        "StartRequest": {"return_to": "/account?tab=devices"},
        "WidgetLogin": sign_widget({**alice, "auth_date": TIME}, DEVELOPMENT_BOT_TOKEN),
        "WrappedWidgetLogin": {
            "widget": sign_widget({**mei, "auth_date": TIME}, DEVELOPMENT_BOT_TOKEN),
            "transport": "bearer",
        },
        "MiniAppLogin": {
            "init_data": sign_init_data(
                {"query_id": "AAExample", "user": ivan, "auth_date": TIME}, DEVELOPMENT_BOT_TOKEN
            ),
        },
        "Consent": {"ticket": ticket.sign(_ticket_signer(settings)), "user": ivan["id"]},
        "Redemption": {
            "code": code_for(ticket, settings, now=TIME),
            "verifier": verifier,
            "host": host,
        },
    }
