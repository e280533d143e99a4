"""Who is logged in, for functions of your own: the cookie or bearer token that /telegram/verify takes, too.

In a handler for `tgauth.web.endpoint.endpoint` use `require_session`, in any other framework `authenticate`.
Both give the session without its token: what is not there gets into no answer and no log.
"""

import functools
from collections.abc import Callable, Mapping

from . import budget
from .errors import CrossSiteBlocked, MalformedRequest, Unauthorized
from .sessions.base import Session
from .web.endpoint import Handler, Response
from .web.membership import recheck_in_passing
from .web.request import Request

_NEEDED = ("authorization", "cookie", "host", "origin", "sec-fetch-site")


def require_session(handler: Callable[[Request, Session], Response]) -> Handler:
    """`handler` for those who are logged in; others get 401, cross-site requests that change something 403.

    While sessions cannot be reached the answer is 503, and 429 for a token that is used over 600 times a
    minute; neither logs anybody out.
    """

    @functools.wraps(handler)
    def guarded(request: Request) -> Response:
        return handler(request, _session(request))

    return guarded


def authenticate(headers: Mapping[str, str], method: str = "GET") -> Session | None:
    """The session that a request's headers carry, renewed; None for nobody.

    `headers` is what every framework calls so: names in any case. Give `method` for everything that changes
    something: a browser sends its cookie also with requests that another site made it send, and those count
    as nobody's. It waits for the store, 3 seconds at most, and now and then a second for Telegram where
    TELEGRAM_REQUIRE_CHAT is set, name resolution aside: in asynchronous code call it in a thread. Raises
    `StoreUnavailable` or `Misconfigured`, to be answered with 503, and `RateLimited`, with 429, for a token
    that is used over 600 times a minute. All are a `Problem` with its `status`; nobody is logged out.
    """
    found: dict[str, list[str]] = {name: [] for name in _NEEDED}
    for name, value in headers.items():
        if name.lower() in found:
            found[name.lower()].append(value)
    environ = {
        f"HTTP_{name.upper().replace('-', '_')}": ("; " if name == "cookie" else ", ").join(values)
        for name, values in found.items()
        if values
    }
    request = Request({**environ, "REQUEST_METHOD": method.upper()})
    with budget.request():
        try:
            return _session(request)
        except (Unauthorized, CrossSiteBlocked, MalformedRequest):
            return None


def _session(request: Request) -> Session:
    session = request.session(renew=request.method != "HEAD")
    recheck_in_passing(request, session)
    return session._replace(token="")
