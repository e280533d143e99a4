"""Where a login leads: only ever to a path on this site.

This follows OWASP ASVS 5.0 V3.7.2 and RFC 9700 §4.11, more strictly: it allows a short alphabet instead of
listing known tricks. That refuses harmless paths too; percent-encode whatever has to pass.
"""

import re
from urllib.parse import unquote

from ..errors import MalformedRequest

MAX_LENGTH = 512

# No "#": on this site's pages a fragment is a login ("#tgAuthResult=…", "/confirm.html#…"). No ";", "," or
# "@", which servers, proxies and cookies read in different ways. Nothing outside ASCII: browsers would
# encode it.
_PATH = re.compile(r"/(?:[A-Za-z0-9._~/?=&+:-]|%[0-9A-Fa-f]{2})*")

# A leading "//" or "\" begins a host (WHATWG URL, "relative slash state"), and "/." may move one to the
# front; browsers drop tabs and line ends before they parse. Paths below /telegram/ would begin another login,
# in a circle.
_ASTRAY = re.compile(r"//|/\.|[\\\x00-\x1f\x7f-\x9f]|\A(?:/api)?/telegram/", re.IGNORECASE)


def require_return_to(value: object) -> str:
    """`value` if it is certainly a path on this site, with or without a query; else `MalformedRequest`.

    It can be sent to a browser as it is, in `Location`: at most 512 characters of an unambiguous alphabet.
    Decoded once or twice, it has no `//`, no segment that begins with a dot, no backslash and no control
    character, and it does not lead to another login.
    """
    # Searching the second decoding is enough: decoding never hides a match.
    if (
        not isinstance(value, str)
        or len(value) > MAX_LENGTH
        or not _PATH.fullmatch(value)
        or _ASTRAY.search(unquote(unquote(value)))
    ):
        raise MalformedRequest("return_to is not a path on this site")
    return value
