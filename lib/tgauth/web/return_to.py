"""Where a login leads: only ever to a path of this site.

The rule is that of OWASP ASVS 5.0 V3.7.2 and RFC 9700 §4.11, made narrow: a short alphabet instead of a
list of tricks. It refuses much that would be harmless, too; what is to pass can be percent-encoded.
"""

import re
from urllib.parse import unquote

from ..errors import MalformedRequest

MAX_LENGTH = 512

# No "#": on this site's pages a fragment is a login ("#tgAuthResult=…", "/confirm.html#…"). No ";", "," and
# "@", which servers, proxies and cookies read in ways of their own. Nothing outside ASCII: browsers would
# encode it.
_PATH = re.compile(r"/(?:[A-Za-z0-9._~/?=&+:-]|%[0-9A-Fa-f]{2})*")

# "//" and "\" begin a host where they stand first (WHATWG URL, "relative slash state"), and "/." may bring
# them there; browsers drop tab and line ends before they look. Below /telegram/ logins begin, and end in a
# circle.
_ASTRAY = re.compile(r"//|/\.|[\\\x00-\x1f\x7f-\x9f]|\A(?:/api)?/telegram/", re.IGNORECASE)


def require_return_to(value: object) -> str:
    """`value`, if it is surely a path of this site, with or without a query; else `MalformedRequest`.

    It is what a browser may be sent to as it is, in `Location`: at most 512 characters, all of an alphabet
    that has one reading, and decoded once or twice it holds no `//`, no segment with a dot in front, no
    backslash and no control character, and does not lead to a login again.
    """
    # To search the second decoding is enough: nothing that is astray is decoded to something else.
    if (
        not isinstance(value, str)
        or len(value) > MAX_LENGTH
        or not _PATH.fullmatch(value)
        or _ASTRAY.search(unquote(unquote(value)))
    ):
        raise MalformedRequest("return_to is no path of this site")
    return value
