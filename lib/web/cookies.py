"""The session cookie: `__Host-tgauth`, or `tgauth` on http://localhost, where browsers refuse the prefix.

Source: RFC 6265bis §4.1.3.2 (the prefix), §5.6 (order of cookies is not defined, so two of ours are none).
"""

from werkzeug.wrappers import Response


def cookie_name(origin: str | None) -> str:
    """The cookie's name on `origin`; without one it is the secure name."""
    return "tgauth" if _insecure(origin) else "__Host-tgauth"


def read_cookie(header: str, name: str) -> str | None:
    """The value of cookie `name` in a Cookie header, whatever its neighbours look like.

    The standard library's parser drops every cookie when one is malformed, which logs people out. A name
    that is there twice gives "", which opens nothing: no rule says which of the two is ours.
    """
    pairs = (part.strip(" \t").partition("=") for part in header.split(";"))
    values = [value for key, separator, value in pairs if key == name and separator]
    if len(values) > 1:
        return ""
    return values[0] if values else None


def set_session_cookie(response: Response, value: str, *, max_age: int, origin: str | None) -> None:
    """Keep the session in the browser for `max_age` seconds; 0 removes it."""
    secure = "" if _insecure(origin) else "; Secure"
    response.headers.add(
        "Set-Cookie",
        f"{cookie_name(origin)}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}",
    )


def _insecure(origin: str | None) -> bool:
    # Settings allow http only on loopback hosts.
    return origin is not None and origin.startswith("http://")
