"""What a browser sends to the OpenID provider and gets back: the checks, pages and redirects of /auth."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from dev.serve.pages import BANNER, page
from dev.telegram.grants import OAuthError
from dev.telegram.users import choices

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def require_supported(asked: Mapping[str, str]) -> None:
    """Raise OAuthError for a request that a registered client should not make."""
    if "response_type" not in asked:
        raise OAuthError("invalid_request", "response_type is missing")
    if asked["response_type"] not in ("code", "post_message"):
        raise OAuthError("unsupported_response_type", "response_type must be code")
    if "openid" not in asked.get("scope", "").split():
        raise OAuthError("invalid_scope", "scope must include openid")
    challenge, method = asked.get("code_challenge"), asked.get("code_challenge_method")
    if challenge is None and method is None:
        return
    # A method left out would mean `plain` (RFC 7636 §4.3), which no client here can want.
    if challenge is None or method != "S256":
        raise OAuthError("invalid_request", "code_challenge needs the method S256, and the reverse")
    if not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "code_challenge is malformed")


def choose_page(origin: str, asked: Mapping[str, str]) -> Response:
    """Ask who logs in, or nobody."""

    def link(value: object) -> str:
        return f"?{urlencode({**asked, 'user': value})}"

    body = BANNER + Markup(
        "<h1>Log in to {} as …</h1>\n<p>OpenID Connect, for: {}</p>\n{}\n"
        '<p><a class="action" href="{}">Cancel</a></p>'
    ).format(origin, asked["scope"], choices(link), link("cancel"))
    return page("Log in (simulated Telegram)", body)


def send_back(redirect_uri: str, outcome: Mapping[str, str], state: str | None) -> Response:
    """Redirect with the outcome, and with the state if there was one."""
    query = {**outcome, "state": state} if state is not None else outcome
    response = redirect(f"{redirect_uri}?{urlencode(query)}")
    response.headers["Cache-Control"] = "no-store"
    return response


def hand_over(origin: str, outcome: Mapping[str, str]) -> Response:
    """The end of a popup: popup.js gives the outcome to the page that opened it, and closes it."""
    body = BANNER + Markup(
        '<h1>Back to the page</h1>\n<p id="outcome" data-origin="{}" data-message="{}">'
        "This window closes by itself.</p>"
    ).format(origin, json.dumps({"event": "auth_result", **outcome}))
    return page("Log in (simulated Telegram)", body, script="popup.js")


def unknown_page(origin: str, client_id: str, args: MultiDict[str, str]) -> Response:
    """Say what is not registered, to the person who sees it."""
    body = BANNER + Markup(
        "<h1>Unknown client_id or redirect_uri</h1>\n"
        "<p>Telegram sends nobody to an address that @BotFather was not told. Here client_id must be "
        "{client}, and redirect_uri {origin}/telegram/callback or, for a popup, a page of {origin}.</p>\n"
        "<pre>client_id={}\nredirect_uri={}</pre>"
    ).format(
        *(", ".join(args.getlist(name)) for name in ("client_id", "redirect_uri")),
        client=client_id,
        origin=origin,
    )
    return page("Unknown client", body, HTTPStatus.BAD_REQUEST)
