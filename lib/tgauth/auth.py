"""Who is logged in, for your own functions, by the same cookie or bearer token as /telegram/verify.

In a handler for `tgauth.web.endpoint.endpoint` use `require_session`, in any other framework `authenticate`.
Both return the session without its token, so that it cannot end up in an answer or a log.
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
    """`handler` for logged-in users; others get 401, and cross-site requests that change something get 403.

    The answer is 503 while sessions cannot be reached, and 429 for a token that is used more than 600 times a
    minute; neither logs anyone out.
    """

    @functools.wraps(handler)
    def guarded(request: Request) -> Response:
        return handler(request, _session(request))

    return guarded


def authenticate(headers: Mapping[str, str], method: str = "GET") -> Session | None:
    """The session that a request's headers carry, renewed; None if nobody is logged in.

    `headers` is your framework's mapping of header names, in any case, to values. Pass `method` for every
    request that changes something: a browser sends its cookie also with requests that another site caused,
    and these count as not logged in. This waits for the store, at most 3 seconds, and sometimes one more for
    Telegram where TELEGRAM_REQUIRE_CHAT is set, not counting name resolution: call it in a thread from
    asynchronous code. Raises `StoreUnavailable` or `Misconfigured`, to be answered with 503, and
    `RateLimited`, to be answered with 429, for a token that is used more than 600 times a minute. Each is a
    `Problem` with a `status`; none of them logs anyone out.
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
