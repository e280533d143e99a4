"""What bodies may hold. The functions read them by hand, so tests/dev/test_openapi.py sends them there."""

from dev.openapi.forms import Schema, exactly, one_of, record, ref
from lib.tgauth.sessions.token import SLOT
from lib.tgauth.telegram.checks import _MAC, UNIX_TIME
from lib.tgauth.telegram.login import OUR_FIELDS
from lib.tgauth.telegram.widget import FIELDS
from lib.tgauth.user import _USER_ID, Transport
from lib.tgauth.web.return_to import _PATH, MAX_LENGTH

# A value that Telegram cannot have signed, as null, counts as absent.
_OPTIONAL = {"pattern": "^[^\\n]*$", "description": "Text; anything else counts as absent."}
_WIDGET: dict[str, Schema] = {
    "id": {
        "oneOf": [
            {"type": "integer", "minimum": 1, "exclusiveMaximum": 1 << 52},
            {"type": "string", "pattern": f"^{_USER_ID.pattern}$", "format": "telegram-id"},
        ],
        "description": "The Telegram id, of at most 52 bits.",
    },
    "auth_date": {
        "oneOf": [
            {"type": "integer", "minimum": 1, "maximum": 10**12 - 1},
            {"type": "string", "pattern": f"^{UNIX_TIME.pattern}$"},
        ],
        "description": "When Telegram signed it; Unix seconds.",
    },
    "hash": {
        "type": "string",
        "pattern": f"^{_MAC.pattern}$",
        "description": "What Telegram signed it with.",
    },
    **dict.fromkeys(("first_name", "last_name", "username", "photo_url"), _OPTIONAL),
}


def _others(*ours: str) -> Schema:
    """Fields that are not known, but for those of ours that do not belong here."""
    return {
        "additionalProperties": {"pattern": "^[^\\n]*$"},
        "propertyNames": {"pattern": "^[^=\\n]*$", "not": {"enum": sorted(ours)}},
    }


def schemas() -> dict[str, Schema]:
    """All of them by name."""
    optional = ["first_name", "last_name", "username", "photo_url"]
    widget = record(
        {name: _WIDGET[name] for name in sorted(FIELDS)},
        optional,
        description=(
            "What the login widget returns. The names are as Telegram signed them. Other fields may be there:"
            " Telegram signs every field that it sends, and may come to send more."
        ),
        **_others(*OUR_FIELDS),
    )
    beside = {"state": {"type": "string", "description": "The login must belong to this transaction."}}
    beside["transport"] = one_of(Transport, description="`cookie`, unless it says otherwise.")
    bearer = one_of(Transport, description="`bearer`, unless it says otherwise.")
    init_data = {
        "type": "string",
        "format": "init-data",
        "description": "`Telegram.WebApp.initData`, unchanged: a query string of at most 32 fields.",
    }
    id_token = {"type": "string", "description": "From telegram-login.js, or Telegram's SDKs for apps."}
    return {
        "ReturnTo": {
            "type": "string",
            "format": "return-to",
            "maxLength": MAX_LENGTH,
            "pattern": f"^{_PATH.pattern}$",
            "description": (
                "A path of this site, with or without a query. It holds no //, no segment that begins with a"
                " dot, no backslash and no control character, and is not below /telegram/ or /api/telegram/:"
                " as it stands, and decoded once or twice."
            ),
        },
        "StartRequest": exactly({"return_to": ref("ReturnTo")}, optional=["return_to"]),
        "Widget": widget,
        "WidgetLogin": record(
            {**widget["properties"], **beside}, [*optional, *beside], **_others(*(OUR_FIELDS - beside.keys()))
        ),
        "WrappedWidgetLogin": exactly({"widget": ref("Widget"), **beside}, optional=beside),
        "MiniAppLogin": exactly({"init_data": init_data, "transport": bearer}, optional=["transport"]),
        "IdTokenLogin": exactly(
            {"id_token": id_token, "transport": beside["transport"]}, optional=["transport"]
        ),
        "SessionId": {"type": "string", "pattern": f"^{SLOT.pattern}$", "description": "Which session."},
        "EndRequest": exactly({"id": ref("SessionId")}),
        "Consent": exactly(
            {
                "ticket": {"type": "string", "description": "What the preview sent along."},
                "user": {"type": "integer", "description": "The `id` of the person whom the page named."},
            }
        ),
        "Redemption": exactly(
            {
                "code": {"type": "string", "description": "What production sent the browser back with."},
                "verifier": {"type": "string", "description": "Of the challenge in the ticket."},
                "host": {"type": "string", "description": "The preview's host."},
            }
        ),
    }
