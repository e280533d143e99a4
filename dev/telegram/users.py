"""The people that the simulated Telegram knows."""

from typing import Any

from markupsafe import Markup

type User = dict[str, Any]

_SAMPLES: tuple[User, ...] = (
    {"id": 100000001, "first_name": "Alice", "last_name": "Johnson", "username": "alice_dev"},
    {"id": 100000002, "first_name": "Мария", "last_name": "Соколова", "username": "maria_sokolova"},
    {"id": 100000003, "first_name": "Mei", "username": "mei_only"},
    {"id": 100000004, "first_name": "Иван", "last_name": "Безымянный"},
    {"id": 100000005, "first_name": "🦊 Lena", "last_name": "🌿", "username": "lena_fox"},
    {"id": 7000000006, "first_name": "Wolfeschlegelsteinhausenbergerdo" * 2, "username": "w" * 32},
    {"id": 100000007, "first_name": '<b>"Bobby"</b>', "last_name": "O'Tables & Co", "username": "o_tables"},
)

USERS: dict[int, User] = {user["id"]: user for user in _SAMPLES}
"""Sample users by id: Latin, Cyrillic, no last name, no username, emoji, a long name, HTML in a name."""


def find(text: str) -> User | None:
    """The sample user with this id in decimal digits."""
    return next((user for user in USERS.values() if str(user["id"]) == text), None)


def full_name(user: User) -> str:
    """First and last name, as people see it."""
    return f"{user['first_name']} {user.get('last_name', '')}".strip()


def who(user: User) -> Markup:
    """A line that tells sample users apart."""
    username = f"@{user['username']}" if "username" in user else "no username"
    return Markup("<strong>{}</strong> <small>{} · {}</small>").format(full_name(user), username, user["id"])


def choices(link: Any) -> Markup:
    """A list of all sample users, each with a button to log in; `link(id)` says where it leads."""
    items = Markup("").join(
        Markup('<li>{}<p><a class="action" href="{}">Log in as {}</a></p></li>\n').format(
            who(user), link(user["id"]), user["first_name"]
        )
        for user in USERS.values()
    )
    return Markup("<ul>{}</ul>").format(items)
