"""The doctor's HTTP requests: limited in time and size, without redirects or cookies."""

import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests

SECONDS = 10
"""For a whole answer. Until its body begins, each wait on the way has as many."""

MAX_ANSWER = 256 * 1024
"""Bytes; what is longer is cut there."""

_PIECE = 16
"""Bytes of the body between two looks at the time, so that a server which sends one by one is noticed."""


class NoAnswer(Exception):
    """Why there is no answer, in words to be shown: an exception's own can hold the URL and the token."""


class Client:
    """Keeps its connections. For one thread."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": "tgauth-doctor", "Accept-Encoding": "identity"})
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # With allow_redirects=False, requests would still read the whole body to prepare one.
        self._session.get_redirect_target = lambda _: None

    def ask(self, method: str, url: str, **sent: Any) -> requests.Response:
        """One request, not repeated, with what `requests` takes as `headers`, `json`, `data` or `auth`.

        Raises `NoAnswer`.
        """
        # Without an `auth` of ours, requests would send what ~/.netrc has for the host.
        sent.setdefault("auth", lambda request: request)
        deadline = time.monotonic() + self._seconds
        try:
            with self._session.request(method, url, stream=True, timeout=self._seconds, **sent) as answer:
                body = bytearray()
                for piece in answer.iter_content(_PIECE):
                    body += piece
                    if time.monotonic() > deadline:
                        raise requests.Timeout
                    if len(body) >= MAX_ANSWER:
                        break
                answer._content = bytes(body)
                return answer
        except Exception as error:
            late = isinstance(error, requests.Timeout) or time.monotonic() > deadline
            why = f"no whole answer within {self._seconds:g} seconds" if late else _explain(error)
            raise NoAnswer(why) from None


def cookies(answer: requests.Response) -> list[str]:
    """Its Set-Cookie headers."""
    return answer.raw.headers.getlist("Set-Cookie")


def fields(answer: requests.Response) -> dict[str, Any]:
    """The JSON object in its body; empty where there is none."""
    try:
        value = answer.json()
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _explain(error: Exception) -> str:
    match error:
        case requests.exceptions.SSLError():
            return "its TLS certificate is not accepted here"
        case requests.exceptions.ProxyError():
            return "the proxy that HTTPS_PROXY or HTTP_PROXY names does not answer"
        # The name of the cause is safe to look at, and its text is not shown.
        case requests.ConnectionError() if "NameResolutionError" in repr(error):
            return "its name is not known (no DNS record, or a typing error)"
        case requests.ConnectionError():
            return "the connection was refused or broke"
    return f"no usable answer ({type(error).__name__})"
