"""Telegram's OpenID Connect, simulated from its documentation, for local development and for tests.

https://core.telegram.org/bots/telegram-login says what is asked and answered; where it is silent (the
lifetime of a code, which error means what) RFC 6749 rules. Of what its discovery document offers, only what
tgauth uses is here: client_secret_basic and S256.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from werkzeug.datastructures import Headers, MultiDict
from werkzeug.wrappers import Request, Response

from dev.telegram.authorize import choose_page, hand_over, require_supported, send_back, unknown_page
from dev.telegram.grants import Codes, Grant, OAuthError, require_client, single, token_form
from dev.telegram.signing import Keys
from dev.telegram.users import User, find, full_name

DEVELOPMENT_CLIENT_SECRET = "tgauth-development-client-secret-never-use-this"

TOKEN_SECONDS = 3600
TOKEN_PATH = "/token"
KEYS_PATH = "/.well-known/jwks.json"

# One set a process: an RSA key takes a while to make.
_keys = Keys()


class Received(NamedTuple):
    """A request that a server sent: what arrived, for tests to look at."""

    method: str
    path: str
    headers: Headers
    body: bytes


class Provider:
    """One client's OpenID provider at `issuer`, whose endpoints are below it.

    Redirects go to `<redirect_origin>/telegram/callback` alone; a popup may belong to any page there. For
    tests: `faults` answer in place of an endpoint, by path ("/token"), while they are set; `requests` has
    what arrived at the token and keys endpoints; `kid` names the key that id_tokens are signed with;
    `latency` is the seconds by which each of their answers is late.
    """

    def __init__(
        self,
        issuer: str,
        *,
        client_id: str,
        client_secret: str,
        redirect_origin: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self.requests: list[Received] = []
        self.latency = 0.0
        self.faults: dict[str, Callable[[Request], Response]] = {}
        self.kid = "oidc-1"
        self.echo_nonce = False
        """Whether the code flow's id_token has the nonce; Telegram's has been seen both ways, lately not."""
        self._client_secret = client_secret
        self._redirect_origin = redirect_origin.lower().rstrip("/")
        self._clock = clock
        self._codes = Codes(clock)

    def serves(self, path: str) -> frozenset[str]:
        """The methods of one of the endpoints that servers ask; none for any other path."""
        if path == TOKEN_PATH:
            return frozenset({"POST"})
        return frozenset({"GET", "HEAD"}) if path == KEYS_PATH else frozenset()

    def answer(self, path: str, request: Request) -> Response:
        """What the endpoint at `path`, which must be served, answers."""
        received = Received(request.method, path, Headers(list(request.headers)), request.get_data())
        self.requests.append(received)
        if fault := self.faults.get(path):
            return fault(request)
        time.sleep(self.latency)
        return self._token(request) if path == TOKEN_PATH else _json(self.jwks())

    def sign(
        self,
        claims: Mapping[str, object],
        *,
        kid: str = "oidc-1",
        headers: Mapping[str, object] | None = None,
    ) -> str:
        """A JWT signed by one of the four keys; `headers` replace or add header fields, None removes one."""
        return _keys.sign(claims, kid, headers)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The published keys."""
        return _keys.jwks()

    def claims(self, user: User, *, scope: str = "openid profile", **changes: object) -> dict[str, Any]:
        """What an id_token for this user says now; `changes` replace or add claims, None removes one."""
        now, granted = int(self._clock()), scope.split()
        said: dict[str, Any] = {"iss": self.issuer, "aud": self.client_id, "sub": _subject(user)}
        said |= {"iat": now, "exp": now + TOKEN_SECONDS}
        if "profile" in granted:
            # Telegram's documentation shows a number and the whole name; this is what has been measured.
            said |= {"id": str(user["id"]), "name": full_name(user)}
            said |= {"given_name": user["first_name"], "family_name": user.get("last_name")}
            said |= {"preferred_username": user.get("username"), "picture": user.get("photo_url")}
        if "phone" in granted:
            said["phone_number"] = f"88800{user['id'] % 10_000_000:07}"
        return {name: value for name, value in {**said, **changes}.items() if value is not None}

    def code_for(
        self,
        user: User,
        *,
        scope: str = "openid profile",
        nonce: str | None = None,
        challenge: str | None = None,
    ) -> str:
        """A code as the authorization page hands it out when this user agrees."""
        redirect_uri = f"{self._redirect_origin}/telegram/callback"
        return self._codes.issue(Grant(user, redirect_uri, scope, nonce, challenge))

    def authorize(self, request: Request) -> Response:
        """The page that a browser is sent to: who logs in, or nobody; then back with the outcome."""
        args, origin = request.args, self._redirect_origin
        popup = args.get("response_type") == "post_message"
        redirect_uri = args.get("redirect_uri", "")
        # Without both there is nobody to send back to, not even with an error (RFC 6749 §4.1.2.1).
        if args.getlist("client_id") != [self.client_id] or not self._is_registered(args, popup):
            return unknown_page(origin, self.client_id, args)
        try:
            asked = single(args.lists())
            require_supported(asked)
            outcome = self._outcome(asked, popup)
        except OAuthError as error:
            outcome = error.to_json()
        else:
            if outcome is None:
                return choose_page(origin, asked)
        return hand_over(origin, outcome) if popup else send_back(redirect_uri, outcome, args.get("state"))

    def _outcome(self, asked: Mapping[str, str], popup: bool) -> dict[str, str] | None:
        """What comes of the user's choice, once there is one."""
        choice, scope, nonce = asked.get("user", ""), asked["scope"], asked.get("nonce")
        if choice == "cancel":
            raise OAuthError("access_denied", "the user cancelled the login")
        user = find(choice)
        if user is None:
            return None
        if popup:
            return {"result": self.sign(self.claims(user, scope=scope, nonce=nonce), kid=self.kid)}
        challenge = asked.get("code_challenge")
        return {"code": self._codes.issue(Grant(user, asked["redirect_uri"], scope, nonce, challenge))}

    def _token(self, request: Request) -> Response:
        try:
            form = token_form(request)
            require_client(request, form, self.client_id, self._client_secret)
            if "grant_type" not in form:
                raise OAuthError("invalid_request", "grant_type is missing")
            if form["grant_type"] != "authorization_code":
                raise OAuthError("unsupported_grant_type", "only authorization_code is supported")
            if "code" not in form or "redirect_uri" not in form:
                raise OAuthError("invalid_request", "code and redirect_uri are needed")
            grant = self._codes.redeem(form["code"], form["redirect_uri"], form.get("code_verifier"))
        except OAuthError as error:
            response = _json(error.to_json(), error.status)
            if error.status == HTTPStatus.UNAUTHORIZED:
                response.headers["WWW-Authenticate"] = 'Basic realm="Telegram"'
            return response
        claims = self.claims(grant.user, scope=grant.scope, nonce=grant.nonce if self.echo_nonce else None)
        tokens = {"access_token": secrets.token_urlsafe(24), "token_type": "Bearer"}
        return _json({**tokens, "expires_in": TOKEN_SECONDS, "id_token": self.sign(claims, kid=self.kid)})

    def _is_registered(self, args: MultiDict[str, str], popup: bool) -> bool:
        if not popup:
            return args.getlist("redirect_uri") == [f"{self._redirect_origin}/telegram/callback"]
        try:
            (redirect_uri,) = args.getlist("redirect_uri")
            parts = urlsplit(redirect_uri)
        except ValueError:
            return False
        return f"{parts.scheme}://{parts.netloc}" == self._redirect_origin


def _subject(user: User) -> str:
    """Nineteen digits that stay a user's and say nothing about the id, as Telegram's do."""
    digest = hashlib.sha256(f"simulated Telegram {user['id']}".encode()).digest()
    return str(10**18 + int.from_bytes(digest) % (9 * 10**18))


def _json(value: object, status: int = HTTPStatus.OK) -> Response:
    body = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(body, status, headers, mimetype="application/json")
