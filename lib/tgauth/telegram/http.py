"""HTTP requests to Telegram and, from a preview, to its production deployment."""

import json
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlencode

from .. import budget
from ..errors import IdentityProviderUnavailable
from ..http_client import Answer, HttpClient

MAX_ANSWER = 64 * 1024
"""Bytes."""

_client = HttpClient(seconds=budget.TELEGRAM_SECONDS, max_bytes=MAX_ANSWER)


def get(url: str) -> Answer:
    """The answer; raises the same as `_ask`."""
    return _ask("GET", url)


def post_json(url: str, value: object) -> Answer:
    """The answer to `value`; raises the same as `_ask`."""
    return _ask("POST", url, {"Content-Type": "application/json"}, json.dumps(value).encode())


def post_form(url: str, fields: Mapping[str, str], *, user: str, password: str) -> Answer:
    """The answer to a form with Basic credentials (RFC 7617); raises the same as `_ask`."""
    credentials = b64encode(f"{user}:{password}".encode()).decode("ascii")
    headers = {
        "Authorization": f"Basic {credentials}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return _ask("POST", url, headers, urlencode(fields).encode())


def _ask(method: str, url: str, headers: Mapping[str, str] = {}, body: bytes | None = None) -> Answer:
    """One request, not retried; raises `IdentityProviderUnavailable` if no whole answer comes in time."""
    try:
        return _client.send(method, url, {"Accept": "application/json", **headers}, body)
    except Exception as error:
        # Its text can hold the URL and more.
        raise IdentityProviderUnavailable(f"no usable answer ({type(error).__name__})") from None
