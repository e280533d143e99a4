"""What this deployment asks over HTTP: Telegram, and in a preview its production deployment.

Only configured addresses are asked, no redirect is followed, and every answer has a deadline and a size.
"""

from functools import lru_cache

import httpx

from lib.deadline import Deadline, install
from lib.errors import IdentityProviderUnavailable

SECONDS = 5
"""For all that one login asks, beside what it asks of the store."""

MAX_ANSWER = 64 * 1024
"""Bytes."""


def ask(method: str, url: str, **request: object) -> httpx.Response:
    """One request, not retried; raises `IdentityProviderUnavailable` where no whole answer comes in time."""
    client, deadline = _client()
    deadline.start()
    try:
        return client.request(method, url, **request)  # type: ignore[arg-type]
    except Exception as error:
        # Its text can hold the URL and more.
        raise IdentityProviderUnavailable(f"no usable answer ({type(error).__name__})") from None


@lru_cache(maxsize=1)
def _client() -> tuple[httpx.Client, Deadline]:
    client = httpx.Client(follow_redirects=False, headers={"Accept": "application/json"})
    return client, install(client, seconds=SECONDS, max_bytes=MAX_ANSWER)
