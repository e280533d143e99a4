"""The doctor's HTTP client: one deadline for a whole answer, a size limit, no redirects, no cookies."""

import json
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict

SECONDS = 10
"""For a whole answer, from resolving the name to the last byte."""

MAX_ANSWER = 256 * 1024
"""Bytes; what is longer is cut there."""


class NoAnswer(Exception):
    """Why there is no answer, in words to be shown: an exception's own can hold the URL and the token."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `cookies` are its Set-Cookie headers, `seconds` what it took until they were there."""

    status: int
    headers: Mapping[str, str]
    cookies: tuple[str, ...]
    body: bytes
    seconds: float

    @property
    def fields(self) -> dict[str, Any]:
        """The JSON object in the body; empty where there is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Client:
    """Keeps its connections. For one thread."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._session = _session()

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        login: tuple[str, str] | None = None,
    ) -> Answer:
        """One request, not repeated; `login` is user and password. Raises `NoAnswer`."""
        sent = {"headers": headers, "json": json, "data": form}
        # Without an `auth` of ours, requests would send what ~/.netrc has for the host.
        sent["auth"] = login or (lambda request: request)
        outcome: Future[Answer] = Future()

        def run(session: requests.Session) -> None:
            try:
                outcome.set_result(_request(session, method, url, sent, self._seconds))
            except Exception as error:
                outcome.set_exception(error)

        # The timeouts of requests are for each wait, and name resolution has none: so it gets a thread, which
        # is left behind when the time is up.
        threading.Thread(target=run, args=[self._session], daemon=True).start()
        try:
            return outcome.result(self._seconds)
        except Exception as error:
            if not outcome.done():
                self._session = _session()
            raise NoAnswer(self._explain(error)) from None

    def _explain(self, error: Exception) -> str:
        match error:
            case requests.exceptions.SSLError():
                return "its TLS certificate is not accepted here"
            case TimeoutError() | requests.exceptions.Timeout():
                return f"no whole answer within {self._seconds:g} seconds"
            case requests.exceptions.ProxyError():
                return "the proxy that HTTPS_PROXY or HTTP_PROXY names does not answer"
            # The name of the cause is safe to look at, and its text is not shown.
            case requests.exceptions.ConnectionError() if "NameResolutionError" in repr(error):
                return "its name is not known (no DNS record, or a typing error)"
            case requests.exceptions.ConnectionError():
                return "the connection was refused or broke"
        return f"no usable answer ({type(error).__name__})"


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        """Nowhere: also where no redirect is followed, requests would read the whole body to prepare it."""
        return None


def _session() -> requests.Session:
    session = _Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": "tgauth-doctor", "Accept-Encoding": "identity"})
    return session


def _request(
    session: requests.Session, method: str, url: str, sent: Mapping[str, Any], seconds: float
) -> Answer:
    started = time.perf_counter()
    with session.request(
        method, url, stream=True, allow_redirects=False, timeout=seconds, **sent
    ) as response:
        took, body = time.perf_counter() - started, b""
        for chunk in response.iter_content(16 * 1024):
            body += chunk
            if len(body) >= MAX_ANSWER:
                break
        cookies = response.raw.headers.getlist("Set-Cookie")
        headers = CaseInsensitiveDict(response.headers)
        return Answer(response.status_code, headers, tuple(cookies), body[:MAX_ANSWER], took)
