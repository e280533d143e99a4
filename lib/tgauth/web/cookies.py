"""Cookies. The session's is `__Host-tgauth`; on http://localhost, where browsers refuse it, `tgauth`.

Source: RFC 6265bis §4.1.3.2 (the prefix), §5.6 (cookies have no order, so two with our name count as none).
"""

from .response import Response


def cookie_name(origin: str | None) -> str:
    """The cookie's name on `origin`; the secure name if that is None."""
    return "tgauth" if _insecure(origin) else "__Host-tgauth"


def read_cookie(header: str, name: str) -> str | None:
    """The value of cookie `name` in a Cookie header, whatever its neighbours look like.

    The standard library's parser drops every cookie when one is malformed, which logs people out. A name
    that appears twice gives "", which is never valid: no rule says which of the two is ours.
    """
    return read_cookies(header, name).get("")


def read_cookies(header: str, prefix: str) -> dict[str, str]:
    """The cookies whose names begin with `prefix`, by the rest of the name, in order; see `read_cookie`."""
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, separator, value = part.strip(" \t").partition("=")
        if separator and name.startswith(prefix):
            rest = name[len(prefix) :]
            found[rest] = "" if rest in found else value
    return found


def set_cookie(name: str, value: str, *, max_age: int, origin: str | None, for_scripts: bool = False) -> str:
    """A Set-Cookie header that keeps `value` in the browser for `max_age` seconds; 0 removes it."""
    http_only = "" if for_scripts else "; HttpOnly"
    secure = "" if _insecure(origin) else "; Secure"
    return f"{name}={value}; Path=/; Max-Age={max_age}{http_only}; SameSite=Lax{secure}"


def set_session_cookie(response: Response, value: str, *, max_age: int, origin: str | None) -> None:
    """Keep the session in the browser for `max_age` seconds; 0 removes it."""
    response.add_cookie(set_cookie(cookie_name(origin), value, max_age=max_age, origin=origin))


def set_told_cookie(response: Response, value: str, *, origin: str | None) -> None:
    """Tell the error page what must not appear in an address; the page deletes the cookie as it reads it."""
    name = f"{cookie_name(origin)}-told"
    response.add_cookie(set_cookie(name, value, max_age=60, origin=origin, for_scripts=True))


def _insecure(origin: str | None) -> bool:
    # Settings allow http only on loopback hosts.
    return origin is not None and origin.startswith("http://")
