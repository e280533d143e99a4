"""Authorization codes and the clients that redeem them: RFC 6749 §4.1.3 and §5.2, RFC 7636."""

import base64
import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote_plus

from werkzeug.wrappers import Request

from dev.telegram.users import User

CODE_SECONDS = 300
"""How long a code can be redeemed; Telegram does not say, this is ours."""

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class OAuthError(Exception):
    """What is wrong, as RFC 6749 names it, and for people."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description

    @property
    def status(self) -> int:
        """What the token endpoint answers."""
        return HTTPStatus.UNAUTHORIZED if self.error == "invalid_client" else HTTPStatus.BAD_REQUEST

    def to_json(self) -> dict[str, str]:
        """The two fields that both endpoints answer with."""
        return {"error": self.error, "error_description": self.description}


@dataclass(frozen=True)
class Grant:
    """What a user allowed: everything that the code for it is bound to, besides the one client."""

    user: User
    redirect_uri: str
    scope: str
    nonce: str | None = None
    challenge: str | None = None

    def answers_challenge(self, verifier: str | None) -> bool:
        """Whether the verifier is the one of the challenge; without a challenge there must be none."""
        if self.challenge is None or verifier is None:
            return self.challenge is verifier
        if not _VERIFIER.fullmatch(verifier):
            return False
        digest = hashlib.sha256(verifier.encode()).digest()
        return hmac.compare_digest(base64.urlsafe_b64encode(digest).decode().rstrip("="), self.challenge)


class Codes:
    """Codes that wait to be redeemed, from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Grant, float]] = {}

    def issue(self, grant: Grant) -> str:
        """A code for this grant."""
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._waiting[code] = grant, self._clock() + CODE_SECONDS
        return code

    def redeem(self, code: str, redirect_uri: str, verifier: str | None) -> Grant:
        """The grant; the first attempt spends the code, whatever comes of it. Raises OAuthError."""
        with self._lock:
            grant, end = self._waiting.pop(code, (None, 0.0))
        if grant is None or self._clock() >= end:
            raise OAuthError("invalid_grant", "the code is unknown, used or expired")
        if redirect_uri != grant.redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri is not the one that the code was made for")
        if not grant.answers_challenge(verifier):
            raise OAuthError("invalid_grant", "code_verifier does not answer the challenge")
        return grant


def token_form(request: Request) -> dict[str, str]:
    """The fields of a token request; raises OAuthError."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "the body must be application/x-www-form-urlencoded")
    return single(request.form.lists())


def single(fields: Iterable[tuple[str, list[str]]]) -> dict[str, str]:
    """Fields of which each must be there once (RFC 6749 §3.1, §3.2); empty ones count as absent."""
    found: dict[str, str] = {}
    for name, values in fields:
        if len(values) > 1:
            raise OAuthError("invalid_request", f"{name} is there more than once")
        if values[0]:
            found[name] = values[0]
    return found


def require_client(request: Request, form: dict[str, str], client_id: str, client_secret: str) -> None:
    """Authenticate by client_secret_basic; raises OAuthError."""
    named, secret = _basic(request.headers.get("Authorization", ""))
    if form.get("client_id", named) != named:
        raise OAuthError("invalid_request", "client_id is not the one of Authorization")
    genuine = hmac.compare_digest(secret.encode(), client_secret.encode())
    if named != client_id or not genuine:
        raise OAuthError("invalid_client", "client_id or client_secret is wrong")


def _basic(header: str) -> tuple[str, str]:
    """Id and secret, both form-encoded before they were joined (RFC 6749 §2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    try:
        named, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        colon = ""
    if scheme.lower() != "basic" or not colon:
        raise OAuthError("invalid_client", "Authorization is not Basic with an id and a secret")
    return unquote_plus(named), unquote_plus(secret)
