"""Every error the API can answer, as RFC 9457 problem details.

    Problem
    ├── MalformedRequest        400  malformed_request
    ├── InvalidGrant            400  invalid_grant        a relay's ticket or code that is not valid
    ├── Unauthorized            401
    │   ├── Unauthenticated          unauthenticated      nothing was presented
    │   ├── InvalidSession           invalid_session      a token that is not valid, for whatever reason
    │   ├── LoginRejected            login_rejected       a proof that is not valid, for whatever reason
    │   ├── LoginStale               login_stale          a genuine proof, too old or used before
    │   └── LoginCancelled           login_cancelled      the user said no at Telegram
    ├── CrossSiteBlocked        403  cross_site_blocked
    ├── NotAllowed              403  not_allowed          a genuine user whom the owner keeps out
    ├── MembershipRequired      403  membership_required  a genuine user who is not in TELEGRAM_REQUIRE_CHAT
    ├── NotFound                404  not_found
    ├── MethodNotAllowed        405  method_not_allowed
    ├── BodyTooLarge            413  body_too_large
    ├── UriTooLong              414  uri_too_long
    ├── UnsupportedMediaType    415  unsupported_media_type
    ├── RateLimited             429  rate_limited
    ├── InternalError           500  internal
    └── Unavailable             503
        ├── Misconfigured            misconfigured        the owner must change a setting
        │   └── RelayRequired        relay_required       a preview whose host Telegram does not know
        ├── SharedStoreRequired      shared_store_required   without Redis this cannot be done
        ├── StoreUnavailable         store_unavailable    sessions cannot be reached; this ends none of them
        └── IdentityProviderUnavailable   identity_provider_unavailable   Telegram cannot be reached

A problem's `reason` is for the owner's log alone. Answers with the same code differ only in the request id,
and in what `not_allowed`, `membership_required` and `relay_required` add: the account, or where to go."""

from .problem import Problem as Problem


class MalformedRequest(Problem):
    """The request breaks the syntax that docs/API.md gives for it."""

    status = 400
    code = "malformed_request"
    title = "Malformed request"
    detail = "The request is not of the form that this endpoint documents."
    event = "input_validation_fail"


class InvalidGrant(Problem):
    """A relay's ticket or code is not valid; every reason looks the same (RFC 6749 §5.2)."""

    status = 400
    code = "invalid_grant"
    title = "Not a valid request to log in"
    detail = "This request to log in elsewhere has expired, was used, or was never made. Start again there."
    event = "authn_login_fail"


class Unauthorized(Problem):
    """The caller is not known; RFC 9110 §15.5.2 requires a challenge with every 401."""

    status = 401
    headers = (("WWW-Authenticate", 'Bearer realm="tgauth"'),)


class Unauthenticated(Unauthorized):
    """No credentials came with the request (the challenge then has no error code, RFC 6750 §3.1)."""

    code = "unauthenticated"
    title = "Not logged in"
    detail = "Log in first: this request carried no session."
    level = "info"


class InvalidSession(Unauthorized):
    """The token is not valid; malformed, forged, expired and revoked ones all look the same."""

    code = "invalid_session"
    title = "Session not valid"
    detail = "The session has ended or never existed. Log in again."
    event = "session_invalid"
    headers = (("WWW-Authenticate", 'Bearer realm="tgauth", error="invalid_token"'),)


class LoginRejected(Unauthorized):
    """The proof of identity was refused; every reason looks the same."""

    code = "login_rejected"
    title = "Login rejected"
    detail = "The login data is not valid. Start the login again from the login page."
    event = "authn_login_fail"


class LoginStale(Unauthorized):
    """The proof is Telegram's own, but too old or already used; the two look the same."""

    code = "login_stale"
    title = "Login expired"
    detail = "This login has expired or was already used. Start the login again."
    event = "authn_login_fail"


class LoginCancelled(Unauthorized):
    """The user said no when Telegram asked (RFC 6749 §4.1.2.1, access_denied)."""

    code = "login_cancelled"
    title = "Login cancelled"
    detail = "The login was cancelled at Telegram. Start it again to log in."
    event = "authn_login_fail"


class CrossSiteBlocked(Problem):
    """A request with cookies that another site may have caused."""

    status = 403
    code = "cross_site_blocked"
    title = "Cross-site request blocked"
    detail = "Cookies count only from this site's pages. Non-browser clients must send this site's Origin."
    event = "malicious_csrf"


class NotAllowed(Problem):
    """The user is genuine, but TELEGRAM_ALLOW or TELEGRAM_DENY keeps this account out."""

    status = 403
    code = "not_allowed"
    title = "Account not allowed"
    detail = "The owner of this site does not let this Telegram account log in. Use another account."
    event = "authz_fail"


class MembershipRequired(Problem):
    """The user is genuine, but not in the chat whose members alone may log in."""

    status = 403
    code = "membership_required"
    title = "Members only"
    detail = "Only members of this site's Telegram chat may log in. Join it, then log in again."
    event = "authz_fail"


class NotFound(Problem):
    """There is nothing here, or nothing that this caller may know of."""

    status = 404
    code = "not_found"
    title = "Not found"
    detail = "There is nothing at this address."
    level = "info"


class MethodNotAllowed(Problem):
    """The endpoint does not answer this method; `Allow` lists the ones it does."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"
    detail = "This endpoint answers only the methods in the Allow header."


class BodyTooLarge(Problem):
    """The body is over 16 KiB."""

    status = 413
    code = "body_too_large"
    title = "Body too large"
    detail = "The body may have at most 16384 bytes."
    event = "input_validation_fail"


class UriTooLong(Problem):
    """Path and query are over 8 KiB."""

    status = 414
    code = "uri_too_long"
    title = "Address too long"
    detail = "Path and query may have at most 8192 bytes together."
    event = "input_validation_fail"


class UnsupportedMediaType(Problem):
    """The body is not declared as JSON."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"
    detail = "Send the body as application/json."
    event = "input_validation_fail"


class RateLimited(Problem):
    """The same token or initData came too often, or one network sent too many bad codes."""

    status = 429
    code = "rate_limited"
    title = "Too many requests"
    detail = "This was sent too often. Wait a minute and try again."
    event = "excess_rate_limit_exceeded"
    headers = (("Retry-After", "60"),)


class InternalError(Problem):
    """A bug in tgauth; the traceback is in the log under the same request id."""

    status = 500
    code = "internal"
    title = "Internal error"
    detail = "Something broke on our side. Try again; the request id helps the owner find it in the log."
    event = "sys_crash"
    level = "error"


class Unavailable(Problem):
    """Not now; whatever the client holds stays valid."""

    status = 503
    level = "error"
    headers = (("Retry-After", "5"),)


class Misconfigured(Unavailable):
    """A setting is missing or wrong; `reason` names the variable and the fix, never the value."""

    code = "misconfigured"
    title = "Not configured"
    detail = "This deployment is not configured for that. Its log names the variable and the fix."
    event = "misconfigured"


class RelayRequired(Misconfigured):
    """Telegram knows production's address but not this preview's (docs/PREVIEWS.md)."""

    code = "relay_required"
    title = "Login is off in this preview"
    detail = "Telegram does not know this preview's address. The owner can turn on the relay for it."


class SharedStoreRequired(Unavailable):
    """Every function has its own memory, so sessions cannot be ended everywhere without Redis."""

    code = "shared_store_required"
    title = "Redis required"
    detail = "Sessions are kept in memory here, which no other instance sees. The owner can set up Redis."


class StoreUnavailable(Unavailable):
    """The session store does not answer, or its answer is not usable."""

    code = "store_unavailable"
    title = "Sessions unavailable"
    detail = "This site cannot tell right now who is logged in, or log anyone in. Try again in a minute."
    event = "store_unavailable"
    cause = "store"
    reached = True


class IdentityProviderUnavailable(Unavailable):
    """Telegram's token endpoint or its keys cannot be reached, or the answer is not usable."""

    code = "identity_provider_unavailable"
    title = "Telegram unavailable"
    detail = "Telegram cannot be reached right now. Start the login again in a few seconds."
    event = "identity_provider_unavailable"
