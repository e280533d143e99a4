"""What all errors of the API have in common; the errors themselves are in lib/tgauth/errors.py."""

from collections.abc import Mapping
from typing import ClassVar

from .log import Level


class Problem(Exception):
    """An error that the API answers as application/problem+json.

    `code` is stable and part of the API, `detail` tells the reader what to do, `event` (OWASP logging
    vocabulary) and `level` go into the log line, and `headers` into the answer. `told` holds further members
    of the answer (RFC 9457 §3.2), for the person who made the request. Pass `level` for a problem that the
    caller only claims to have. `cause` is /health's word for where the owner has to look.
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    detail: ClassVar[str]
    event: ClassVar[str] = "request"
    level: Level = "warning"
    headers: ClassVar[tuple[tuple[str, str], ...]] = ()
    cause: str = "settings"

    def __init__(
        self,
        reason: str,
        *,
        told: Mapping[str, object] | None = None,
        level: Level | None = None,
        cause: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.level = level or self.level
        self.cause = cause or self.cause
        self.reason = reason
        self.told = told or {}
