"""What each address takes and answers that no class says. The methods come from the functions."""

from dataclasses import dataclass, field

from dev.openapi.forms import Schema, ref
from lib.tgauth.errors import (
    BodyTooLarge,
    CrossSiteBlocked,
    IdentityProviderUnavailable,
    InternalError,
    InvalidGrant,
    InvalidSession,
    LoginCancelled,
    LoginRejected,
    LoginStale,
    MalformedRequest,
    MembershipRequired,
    Misconfigured,
    NotAllowed,
    NotFound,
    Problem,
    RateLimited,
    RelayRequired,
    SharedStoreRequired,
    StoreUnavailable,
    Unauthenticated,
    UnsupportedMediaType,
    UriTooLong,
)
from lib.tgauth.telegram.widget import FIELDS

type Problems = tuple[type[Problem], ...]

FORM: Problems = (MalformedRequest, BodyTooLarge, UriTooLong, InternalError)
"""What every request but OPTIONS can be refused with."""

_STORE: Problems = (Misconfigured, StoreUnavailable)
_SESSION: Problems = (Unauthenticated, InvalidSession, RateLimited, *_STORE)
_LOGIN: Problems = (
    CrossSiteBlocked,
    LoginRejected,
    LoginStale,
    NotAllowed,
    MembershipRequired,
    IdentityProviderUnavailable,
    *_STORE,
)

PRESENTED: list[Schema] = [{"cookie": []}, {"bearer": []}]
ANYBODY: list[Schema] = [{}, *PRESENTED]
"""A session may come with the request, and then it is ended or used; nobody needs one."""


@dataclass(frozen=True)
class Success:
    """An answer that is no problem; `schemas` names what it can hold, `sets` that a cookie may come along."""

    description: str
    schemas: tuple[str, ...] = ()
    sets: bool = False


@dataclass(frozen=True)
class Operation:
    """One method of one address.

    `navigation` is for browsers that go there (web/navigation.py), `guarded` for what a cookie does only
    from the site's own pages. `fields` are those of the query.
    """

    tag: str
    summary: str
    answers: dict[int, Success]
    problems: Problems = ()
    description: str = ""
    fields: dict[str, Schema] = field(default_factory=dict)
    bodies: tuple[str, ...] = ()
    body_required: bool = True
    security: list[Schema] = field(default_factory=list)
    navigation: bool = False
    guarded: bool = False


_TEXT: Schema = {"type": "string"}
_USER_AND_SESSION = Success("The user and the session.", ("LoggedIn",))
_ENDED = Success("Done.", sets=True)
_RETURN_TO = {"return_to": ref("ReturnTo")}
_USER: dict[str, Schema] = {
    "user": {
        "type": "integer",
        "minimum": 1,
        "exclusiveMaximum": 1 << 52,
        "description": "Whose session it must be that asks, as a Telegram id: with another's nothing ends.",
    }
}

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/health"): Operation(
        "operation",
        "Whether people can log in here",
        {
            200: Success(
                "They can; `degraded` where something is second best, which `problem` names.", ("Health",)
            ),
            503: Success("They cannot; `problem` names where to look, the log the reason.", ("Down",)),
        },
    ),
    ("GET", "/stats"): Operation(
        "operation",
        "How many users and sessions there are",
        {200: Success("The figures.", ("Stats",))},
        (NotFound, *_STORE),
        "To everybody who does not know `ADMIN_TOKEN` there is nothing here.",
        security=[{"admin": []}],
    ),
    ("GET", "/telegram/start"): Operation(
        "login",
        "Send the browser to Telegram",
        {303: Success("To Telegram, to production in a preview, or to the login page.", sets=True)},
        (CrossSiteBlocked, Misconfigured, RelayRequired),
        fields={**_RETURN_TO, "redirected": {**_TEXT, "description": "Set by this site's own redirect."}},
        navigation=True,
    ),
    ("POST", "/telegram/start"): Operation(
        "login",
        "Begin a login of this browser",
        {200: Success("What a login page needs to send the browser on.", ("Start",), sets=True)},
        (CrossSiteBlocked, Misconfigured, RelayRequired),
        bodies=("StartRequest",),
        guarded=True,
    ),
    ("GET", "/telegram/callback"): Operation(
        "login",
        "Come back from Telegram with a code",
        {303: Success("Logged in, to where the login was to lead.", sets=True)},
        (*_LOGIN, LoginCancelled, RateLimited),
        "The browser that began the login must be the one that comes, with its transaction cookie. A second"
        " time, within a minute, it is 303 to the same place, and nothing else.",
        fields=dict.fromkeys(("code", "state", "iss", "error"), _TEXT),
        navigation=True,
    ),
    ("GET", "/telegram/login"): Operation(
        "login",
        "Come back from the widget or a button in a chat",
        {303: Success("Logged in, or to a page that asks first, or to where logins begin.", sets=True)},
        (*_LOGIN, RelayRequired),
        "Without a `state` of this browser nothing is verified, and /confirm.html asks whether to go on."
        " Fields that are not listed are ignored, unless Telegram signed them.",
        fields={**dict.fromkeys((*sorted(FIELDS), "state"), _TEXT), **_RETURN_TO},
        navigation=True,
    ),
    ("POST", "/telegram/login"): Operation(
        "login",
        "Log in with what Telegram signed",
        {
            200: Success(
                "Logged in: the token is in the cookie, or in `token` for a bearer session.", ("Login",), True
            )
        },
        (*_LOGIN, RateLimited),
        "A session that comes with the request ends.",
        bodies=("WidgetLogin", "WrappedWidgetLogin", "MiniAppLogin", "IdTokenLogin"),
        security=ANYBODY,
        guarded=True,
    ),
    ("GET", "/telegram/relay"): Operation(
        "preview",
        "Ask in production for a login in a preview",
        {303: Success("To the page that asks for consent.")},
        (CrossSiteBlocked, InvalidGrant, NotFound, Misconfigured, SharedStoreRequired),
        fields={"ticket": _TEXT},
        navigation=True,
    ),
    ("POST", "/telegram/relay"): Operation(
        "preview",
        "Consent to a login in a preview, or redeem its code",
        {
            200: Success(
                "For a ticket the address to go to, for a code the user.", ("RelayAddress", "RelayUser")
            )
        },
        (CrossSiteBlocked, InvalidGrant, NotFound, SharedStoreRequired, *_SESSION),
        "A ticket needs a session and is good for one consent. A code comes from the preview's server.",
        bodies=("Consent", "Redemption"),
        security=ANYBODY,
        guarded=True,
    ),
    ("GET", "/telegram/verify"): Operation(
        "session",
        "Who is logged in",
        {200: _USER_AND_SESSION},
        _SESSION,
        "GET renews the session, HEAD does not.",
        security=PRESENTED,
    ),
    ("POST", "/telegram/refresh"): Operation(
        "session",
        "Renew the session and its cookie",
        {200: Success("The user and the session.", ("LoggedIn",), sets=True)},
        (CrossSiteBlocked, IdentityProviderUnavailable, *_SESSION),
        "Who has left the chat of `TELEGRAM_REQUIRE_CHAT` is logged out here.",
        security=PRESENTED,
        guarded=True,
    ),
    ("POST", "/telegram/logout"): Operation(
        "session",
        "End the session",
        {204: Success("Ended, also when there was none.", sets=True)},
        (CrossSiteBlocked, *_STORE),
        "A Mini App's initData that led to the session logs in no more.",
        security=ANYBODY,
        guarded=True,
    ),
    ("GET", "/telegram/sessions"): Operation(
        "session",
        "Where the user is logged in",
        {200: Success("The user's sessions, newest first.", ("Sessions",))},
        _SESSION,
        security=PRESENTED,
    ),
    ("DELETE", "/telegram/sessions"): Operation(
        "session",
        "End all sessions, all others, or one",
        {204: _ENDED},
        (CrossSiteBlocked, NotFound, SharedStoreRequired, *_SESSION),
        "All without a body, all but the caller's with `keep=current`, and with a body the one it names.",
        fields={"keep": {"type": "string", "enum": ["current"]}, **_USER},
        bodies=("EndRequest",),
        body_required=False,
        security=PRESENTED,
        guarded=True,
    ),
    ("GET", "/telegram/sessions/{id}"): Operation(
        "session",
        "Nothing: a single session cannot be read",
        {},
        (NotFound,),
        "The list has what there is to know of it.",
    ),
    ("DELETE", "/telegram/sessions/{id}"): Operation(
        "session",
        "End one session",
        {204: Success("Ended.")},
        (CrossSiteBlocked, NotFound, SharedStoreRequired, *_SESSION),
        fields=_USER,
        security=PRESENTED,
        guarded=True,
    ),
}
"""Without HEAD, which is GET's, and OPTIONS, which is alike everywhere."""


def problems(method: str, operation: Operation) -> Problems:
    """Every problem that the operation can answer."""
    if method == "HEAD" and operation.navigation:
        return FORM
    writes = (UnsupportedMediaType,) if method not in ("GET", "HEAD") else ()
    return (*FORM, *writes, *operation.problems)
