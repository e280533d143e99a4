"""Addresses that browsers are sent to by a link, by Telegram, or by one of our redirects.

Only a real navigation has an effect: a link preview, a prefetch, a frame or an image in another page has none
(Fetch Metadata, https://www.w3.org/TR/fetch-metadata/).
"""

import functools
from urllib.parse import parse_qsl

from ..errors import CrossSiteBlocked, MalformedRequest
from .endpoint import Handler, Response
from .request import Request
from .respond import no_content


def navigation(handler: Handler) -> Handler:
    """`handler` for whole pages only: HEAD is answered without it, and its problems are shown as a page."""

    @functools.wraps(handler)
    def navigate(request: Request) -> Response:
        if request.method == "HEAD":
            return no_content()
        _require_navigation(request)
        request.shows_page = "text/html" in request.environ.get("HTTP_ACCEPT", "")
        return handler(request)

    return navigate


def query_fields(request: Request) -> dict[str, str]:
    """The fields of the query; raises `MalformedRequest` if one appears twice or is not UTF-8."""
    query = request.environ.get("QUERY_STRING", "")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise MalformedRequest("the query is not UTF-8") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise MalformedRequest("a field of the query appears twice")
    return fields


def _require_navigation(request: Request) -> None:
    mode, dest = (request.environ.get(f"HTTP_SEC_FETCH_{name}") for name in ("MODE", "DEST"))
    if mode not in ("navigate", None):
        raise CrossSiteBlocked("Sec-Fetch-Mode is not navigate")
    # If a service worker of this site passes a page's request on with fetch(), its destination becomes empty
    # (https://github.com/w3c/ServiceWorker/issues/1803). No script can set the mode to navigate.
    if dest not in ("document", None) and (mode, dest) != ("navigate", "empty"):
        raise CrossSiteBlocked("Sec-Fetch-Dest is not document")
    if any("prefetch" in request.environ.get(f"HTTP_{name}", "") for name in ("SEC_PURPOSE", "PURPOSE")):
        raise CrossSiteBlocked("a prefetch")
