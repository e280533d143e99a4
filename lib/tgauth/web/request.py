"""A request, with what tgauth wants to know of it."""

import hmac
import re
import secrets
from functools import cached_property
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from ..errors import (
    BodyTooLarge,
    CrossSiteBlocked,
    MalformedRequest,
    Problem,
    Unauthenticated,
    UnsupportedMediaType,
    UriTooLong,
)
from ..keys import keys_of
from ..sessions.base import Session
from ..sessions.service import SessionService, get_session_service
from ..settings import Settings, get_settings, unknown_origin
from ..settings.hosts import HOST, LOOPBACK
from ..user import Transport
from .cookies import cookie_name, read_cookie
from .json import parse_object

MAX_BODY = 16 * 1024
MAX_URI = 8 * 1024
MAX_QUERY_FIELDS = 64

REDIRECTED = "redirected"
"""The query field of a browser that was sent to `Request.own_origin`: nobody is sent there twice."""

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")
# Credentials of another scheme (RFC 9110 §11.4): behind Basic authentication a browser sends them with every
# request. A list with a Bearer in it does not match.
_ANOTHER_SCHEME = re.compile(r"(?!bearer)[a-z0-9!#$%&'*+.^_`|~-]+ +(?=\S)((?!,\s*bearer).)*", re.IGNORECASE)
_REQUEST_ID = re.compile(r"[A-Za-z0-9:._-]{1,128}")


class Request:
    """One HTTP request; `environ` is WSGI's (PEP 3333).

    `notes` goes into its log line, `set_cookies` out with whatever answer there will be. `shows_page` says
    that a person is looking: what is wrong is then a page, not a JSON object. `problem` is what was wrong,
    once that is known.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.notes: dict[str, object] = {}
        self.set_cookies: list[str] = []
        self.shows_page = False
        self.problem: Problem | None = None

    @cached_property
    def id(self) -> str:
        """Vercel's id of this request, which its own logs show too; a random one elsewhere."""
        given = self.environ.get("HTTP_X_VERCEL_ID", "")
        return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)

    @cached_property
    def headers(self) -> dict[str, str]:
        """The header fields by their names, such as `User-Agent`."""
        fields = {name[5:]: value for name, value in self.environ.items() if name.startswith("HTTP_")}
        return {name.replace("_", "-").title(): value for name, value in fields.items()}

    @property
    def settings(self) -> Settings:
        """The owner's settings; raises `Misconfigured`."""
        return get_settings()

    @property
    def service(self) -> SessionService:
        """This process's sessions; raises `Misconfigured`."""
        return get_session_service()

    @cached_property
    def own_origin(self) -> str | None:
        """The origin of ours that was asked for (see `Settings.origin`)."""
        return self.settings.origin(self.environ.get("HTTP_HOST", ""))

    def require_own_origin(self) -> str:
        """`own_origin`; raises `Misconfigured` where it is not known."""
        if self.own_origin is None:
            raise unknown_origin()
        return self.own_origin

    @property
    def on_own_origin(self) -> bool:
        """Whether the browser is at `own_origin`, and not at another name of this site.

        Behind a rewrite of another server, Host is not what the browser sees. Then `Origin` says it, or
        that it comes from where it was sent to before.
        """
        origin, host = self.environ.get("HTTP_ORIGIN"), self.environ.get("HTTP_HOST", "").lower()
        return self.own_origin is not None and (
            self.own_origin == origin
            or self.own_origin.partition("://")[2] == host
            or f"{REDIRECTED}=1" in self.environ.get("QUERY_STRING", "").split("&")
        )

    @property
    def browser_origin(self) -> str | None:
        """The origin at which the browser says that it is, by Origin or else by Host; None for no origin."""
        sender = self.environ.get("HTTP_ORIGIN") or f"//{self.environ.get('HTTP_HOST', '')}"
        host = sender.partition("//")[2].lower()
        if len(host) > 253 or not HOST.fullmatch(host):
            return None
        return f"{'http' if LOOPBACK.fullmatch(host) else 'https'}://{host}"

    @cached_property
    def body(self) -> bytes:
        """The body, of at most 16 KiB. Vercel's runtime has read and de-chunked it; other servers may not say
        how long it is.
        """
        length = self.environ.get("CONTENT_LENGTH")
        if not length:
            return self._body_to_its_end()
        if not (length.isascii() and length.isdigit()):
            raise MalformedRequest("Content-Length is not a number")
        if len(length) > 9 or int(length) > MAX_BODY:
            raise BodyTooLarge("over 16 KiB")
        body: bytes = self.environ["wsgi.input"].read(int(length))
        if len(body) != int(length):
            raise MalformedRequest("the body is shorter than its Content-Length")
        return body

    def _body_to_its_end(self) -> bytes:
        if not self.environ.get("wsgi.input_terminated"):
            # Reading on could wait for ever. What is there must not pass for nothing: that can mean "all".
            if self.environ.get("HTTP_TRANSFER_ENCODING"):
                raise MalformedRequest("a body without its length")
            return b""
        body: bytes = self.environ["wsgi.input"].read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise BodyTooLarge("over 16 KiB")
        return body

    def check_form(self) -> None:
        """Raises what is wrong with the request as such, before anything in it is looked at."""
        query = self.environ.get("QUERY_STRING", "")
        if len(self.environ.get("PATH_INFO", "")) + len(query) > MAX_URI:
            raise UriTooLong("over 8 KiB")
        if query.count("&") >= MAX_QUERY_FIELDS:
            raise MalformedRequest("over 64 query fields")
        if self.body and self.method not in ("GET", "HEAD", "OPTIONS"):
            self._require_json()

    def json(self) -> dict[str, Any]:
        """The JSON object in the body; raises `UnsupportedMediaType` or `MalformedRequest`."""
        self._require_json()
        return parse_object(self.body)

    def session(self, *, renew: bool = True) -> Session:
        """The caller's live session; raises `Unauthenticated` or `InvalidSession`.

        A request that may change something must come from a page of ours, where it has a cookie.
        """
        token, transport = self.require_token(own_page=self.method not in ("GET", "HEAD"))
        session = self.service.get_session(token, transport, renew=renew)
        self.note_session(session)
        return session

    def require_token(self, *, own_page: bool = False) -> tuple[str, Transport]:
        """The token that was presented, and how; raises `Unauthenticated` when there is none.

        With `own_page`, for requests that change something, a cookie must come from a page of ours.
        """
        token, transport = self.presented()
        if own_page and transport == "cookie":
            self.require_own_page()
        if token is None:
            raise Unauthenticated("no session cookie and no bearer token")
        return token, transport

    def presented(self) -> tuple[str | None, Transport]:
        """The token that was presented, and how. With a bearer token the cookie does not count.

        Credentials of another scheme are for whatever stands in front of this site, and an empty header has
        none. Raises `MalformedRequest` for a `Bearer` that is not one token (RFC 6750 §2.1).
        """
        name = cookie_name(self.own_origin)
        authorization = self.environ.get("HTTP_AUTHORIZATION", "")
        if authorization and not _ANOTHER_SCHEME.fullmatch(authorization):
            match = _BEARER.fullmatch(authorization)
            if not match:
                raise MalformedRequest("Authorization is not one bearer token")
            return match[1], "bearer"
        return read_cookie(self.environ.get("HTTP_COOKIE", ""), name), "cookie"

    def require_own_page(self) -> None:
        """Raises `CrossSiteBlocked` unless one of our own pages sent this, and no other site.

        Fetch Metadata says so; where it is missing, Origin must be ours (OWASP CSRF cheat sheet).
        """
        site = self.environ.get("HTTP_SEC_FETCH_SITE")
        if site == "same-origin":
            return
        if site in ("same-site", "cross-site", "none"):
            raise CrossSiteBlocked(f"Sec-Fetch-Site is {site}")
        sender = self.environ.get("HTTP_ORIGIN")
        if not sender or sender == "null":
            raise CrossSiteBlocked("neither Sec-Fetch-Site nor Origin")
        if sender != self.require_own_origin():
            raise CrossSiteBlocked("Origin is not this site's own")

    def note_session(self, session: Session) -> None:
        """Let the log line say whose request this is, by names that only the owner's key can make."""
        self.notes |= {
            "user_ref": self.reference("user", str(session.user.id)),
            "session_ref": self.reference("session", session.token),
            "device_id": session.id,
            "auth_path": session.method,
        }

    def reference(self, kind: str, value: str) -> str:
        """A name for `value` in logs: the same for the same value, and no way back."""
        return hmac.digest(keys_of(self.settings).log, f"{kind}:{value}".encode(), "sha256").hex()[:12]

    @property
    def client_ip(self) -> str:
        """The client's address. On Vercel that is what its network found out, and no header of the client's.

        Elsewhere it is the peer's: behind a proxy the server must be told to take the proxy's word for it.
        """
        return self.environ.get("REMOTE_ADDR") or ""

    @property
    def network(self) -> str | None:
        """The network that the client is in: a /24 of IPv4, a /56 of IPv6.

        None where that is not known: an address that is not public is a proxy's, and so is the one that
        requests under another Host come from. A proxy's is everybody's.
        """
        host = self.environ.get("HTTP_HOST", "").lower()
        if self.own_origin is None or self.own_origin.partition("://")[2] != host:
            return None
        try:
            address = ip_address(self.client_ip)
        except ValueError:
            return None
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if not address.is_global:
            return None
        length = 56 if address.version == 6 else 24
        return str(ip_network((address, length), strict=False))

    def _require_json(self) -> None:
        media_type = self.environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise UnsupportedMediaType("not application/json")
