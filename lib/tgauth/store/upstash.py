"""Upstash Redis over REST: the store for production.

Uses upstash-redis for the protocol, with requests of our own: a deadline for every attempt, no hidden retry
after three seconds, a look at the status. Only name resolution is outside the deadline.
"""

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..deferred import deferred
from ..http_client import HttpClient
from ..http_connection import AnswerTooLong
from . import reasons
from .hashes import Command, HashStore
from .reasons import Reason

with deferred("httpx"):  # A third of a cold start, and `_Requests` below sends in its place.
    from upstash_redis import Redis
    from upstash_redis.errors import UpstashError
    from upstash_redis.http import format_response, make_headers

ATTEMPT_SECONDS = 1.2
"""For one HTTP request, from connecting to the last byte; an operation makes two at most."""

MAX_ANSWER = 1 << 20
"""Bytes of one answer; SESSION_LIMIT of the largest records stay far below."""

_ENCODING: Final = "base64"


class UpstashStore(HashStore):
    """The store over HTTP; `url` and `token` are the database's REST credentials."""

    kind = "upstash"

    def __init__(self, url: str, token: str, variable: str = "UPSTASH_REDIS_REST_URL") -> None:
        super().__init__(url, variable)
        self._http = _Requests(seconds=ATTEMPT_SECONDS, max_bytes=MAX_ANSWER)
        self._redis = _Redis(url, token, self._http)

    def close(self) -> None:
        self._http.close()

    def _send(self, command: Command) -> object:
        return self._redis.execute(command)

    def _send_all(self, commands: Sequence[Command], *, atomic: bool) -> object:
        batch = self._redis.multi() if atomic else self._redis.pipeline()
        for command in commands:
            batch.execute(command)
        return batch.exec()

    def _explain(self, error: Exception) -> tuple[Reason, bool]:
        match error:
            case _Refused(status=status, text=text):
                reason = reasons.known(text, reasons.UPSTASH)
                if reason is None and status == 400 and text:
                    reason = reasons.said(text, reasons.UPSTASH)
                by_itself = bool(text) and status < 500 and reason is not reasons.NO_DATABASE
                return reason or reasons.of_status(status), by_itself
            case UpstashError():
                reason = reasons.said(str(error), reasons.UPSTASH)
                return reason, reason is not reasons.NO_DATABASE
            case json.JSONDecodeError() | AnswerTooLong():
                return reasons.NOT_UPSTASH, False
            case ValueError() | LookupError() | AttributeError() | TypeError():
                return reasons.NOT_THE_FORM, False
        return reasons.unanswered(error, rest=True, secure=True), False


class _Redis(Redis):
    """upstash-redis's client, without telemetry, over requests of ours.

    Its own `__init__` is not called: that makes an HTTP client of httpx.
    """

    def __init__(self, url: str, token: str, http: "_Requests") -> None:
        self._url = url
        self._headers = make_headers(token, _ENCODING, allow_telemetry=False)
        self._http: Any = http
        # Threads share the client, so a read-your-writes token would be that of the last answer to any.
        self._read_your_writes = False


class _Requests(HttpClient):
    """Commands as HTTP requests, as upstash-redis asks its own client for them."""

    def execute(
        self, url: str, headers: Mapping[str, str], command: Sequence[Any], from_pipeline: bool = False
    ) -> object:
        """What the server says; raises `UpstashError` or `_Refused` for an error."""
        headers = {**headers, "Content-Type": "application/json"}
        text = json.dumps(command, ensure_ascii=False, separators=(",", ":"))
        status, body = self.send("POST", url, headers, text.encode())
        if status != 200:
            raise _Refused(status, _error_in(body))
        answer = json.loads(body)
        if from_pipeline and isinstance(answer, list):
            return [_decoded(format_response(part, None)) for part in answer]
        return _decoded(format_response(answer, None))


class _Refused(Exception):
    """Another HTTP status than 200, and what the database said with it, if anything."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status)
        self.status = status
        self.text = text


def _error_in(body: bytes) -> str:
    """The first error in an answer, which can be one for each command; empty where there is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    parts = answer if isinstance(answer, list) else [answer]
    return next((str(part["error"]) for part in parts if isinstance(part, dict) and "error" in part), "")


def _decoded(answer: Any) -> Any:
    """The texts of an answer, which must be base64, as was asked for; raises ValueError.

    Upstash's own client skips what is not base64, and a record that is read wrongly would log somebody out.
    """
    if isinstance(answer, list):
        return [_decoded(part) for part in answer]
    if not isinstance(answer, str):
        return answer
    # Upstash leaves this one word as it is.
    return answer if answer == "OK" else b64decode(answer, validate=True).decode()
