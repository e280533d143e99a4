"""A request, and what tgauth needs to know about it."""

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
"""Query field that marks a browser sent to `Request.own_origin`, so that none is sent there twice."""

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")
# Credentials of another scheme (RFC 9110 §11.4): behind Basic authentication a browser sends them with every
# request. A list that contains a Bearer does not match.
_ANOTHER_SCHEME = re.compile(r"(?!bearer)[a-z0-9!#$%&'*+.^_`|~-]+ +(?=\S)((?!,\s*bearer).)*", re.IGNORECASE)
_REQUEST_ID = re.compile(r"[A-Za-z0-9:._-]{1,128}")


class Request:
    """One HTTP request; `environ` is WSGI's (PEP 3333).

    `notes` goes into its log line, and `set_cookies` out with the answer, whatever that is. `shows_page` says
    that a person is looking, so problems are shown as a page, not as JSON. `problem` is what was wrong, once
    that is known.
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
        """Which of this site's origins the request is for (see `Settings.origin`)."""
        return self.settings.origin(self.environ.get("HTTP_HOST", ""))

    def require_own_origin(self) -> str:
        """`own_origin`; raises `Misconfigured` if it is not known."""
        if self.own_origin is None:
            raise unknown_origin()
        return self.own_origin

    @property
    def on_own_origin(self) -> bool:
        """Whether the browser is at `own_origin` rather than at another name of this site.

        Behind another server's rewrite, Host is not the name that the browser sees. Then `Origin` tells, or
        the query field of a browser that was already sent here.
        """
        origin, host = self.environ.get("HTTP_ORIGIN"), self.environ.get("HTTP_HOST", "").lower()
        return self.own_origin is not None and (
            self.own_origin == origin
            or self.own_origin.partition("://")[2] == host
            or f"{REDIRECTED}=1" in self.environ.get("QUERY_STRING", "").split("&")
        )

    @property
    def browser_origin(self) -> str | None:
        """The origin that the browser says it is at, by Origin or else by Host; None if that is not valid."""
        sender = self.environ.get("HTTP_ORIGIN") or f"//{self.environ.get('HTTP_HOST', '')}"
        host = sender.partition("//")[2].lower()
        if len(host) > 253 or not HOST.fullmatch(host):
            return None
        return f"{'http' if LOOPBACK.fullmatch(host) else 'https'}://{host}"

    @cached_property
    def body(self) -> bytes:
        """The body, at most 16 KiB. Vercel's runtime has read and de-chunked it; others may not give its
        length.
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
            # Reading could block forever, and a body must not pass for an empty one, which can mean "all".
            if self.environ.get("HTTP_TRANSFER_ENCODING"):
                raise MalformedRequest("a body without a length")
            return b""
        body: bytes = self.environ["wsgi.input"].read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise BodyTooLarge("over 16 KiB")
        return body

    def check_shape(self) -> None:
        """Raises if the request as a whole is not acceptable, before a handler looks at it."""
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

        With a cookie, a request that may change something must come from one of our own pages.
        """
        token, transport = self.require_token(own_page=self.method not in ("GET", "HEAD"))
        session = self.service.get_session(token, transport, renew=renew)
        self.note_session(session)
        return session

    def require_token(self, *, own_page: bool = False) -> tuple[str, Transport]:
        """The token that was presented, and how; raises `Unauthenticated` when there is none.

        With `own_page`, for requests that change something, a cookie counts only from one of our own pages.
        """
        token, transport = self.presented()
        if own_page and transport == "cookie":
            self.require_own_page()
        if token is None:
            raise Unauthenticated("no session cookie and no bearer token")
        return token, transport

    def presented(self) -> tuple[str | None, Transport]:
        """The token that was presented, and how. A bearer token takes precedence over the cookie.

        Credentials of another scheme are meant for whatever stands in front of this site, and are ignored, as
        is an empty header. Raises `MalformedRequest` for a `Bearer` that is not one token (RFC 6750 §2.1).
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
        """Raises `CrossSiteBlocked` unless one of our own pages sent this request.

        Fetch Metadata tells; if it is missing, Origin must be ours (OWASP CSRF cheat sheet).
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
        """Let the log line say whose request this is, by references that only the owner's key can make."""
        self.notes |= {
            "user_ref": self.reference("user", str(session.user.id)),
            "session_ref": self.reference("session", session.token),
            "device_id": session.id,
            "auth_path": session.method,
        }

    def reference(self, kind: str, value: str) -> str:
        """A name for `value` in logs: always the same for the same value, and not reversible."""
        return hmac.digest(keys_of(self.settings).log, f"{kind}:{value}".encode(), "sha256").hex()[:12]

    @property
    def client_ip(self) -> str:
        """The client's address. On Vercel it comes from Vercel's network, not from a header of the client's.

        Elsewhere it is the peer's; behind a proxy, the server must be configured to trust the proxy's header.
        """
        return self.environ.get("REMOTE_ADDR") or ""

    @property
    def network(self) -> str | None:
        """The network that the client is in: a /24 of IPv4, a /56 of IPv6.

        None if that is not known: a private address is a proxy's, and so is the address of a request under
        another Host. Everybody behind a proxy shares its address.
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
