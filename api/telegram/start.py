"""POST /telegram/start: what a login page needs to send somebody to Telegram."""

import secrets
from urllib.parse import urlencode

from lib.errors import Misconfigured
from lib.web.endpoint import Response, endpoint
from lib.web.request import Request
from lib.web.respond import json_response


def start(request: Request) -> Response:
    """200 with the methods that are set up and the address of Telegram's login.

    `state` comes back in the query of `return_to`: the page that asked keeps it and takes no other login.
    """
    request.json()
    request.require_own_page()
    settings = request.settings
    settings.require_bot_token()
    if request.own_origin is None:
        raise Misconfigured("AUTH_ORIGIN: is not set; set this site's origin, such as https://example.com")
    state = secrets.token_urlsafe(16)
    query = urlencode(
        {
            "bot_id": settings.bot_id,
            "origin": request.own_origin,
            "return_to": f"{request.own_origin}/?state={state}",
        }
    )
    return json_response(
        {
            "methods": ["widget"],
            "bot_username": settings.bot_username,
            "client_id": str(settings.bot_id),
            "widget_auth_url": f"{settings.oauth_url}/auth?{query}",
            "state": state,
        }
    )


app = endpoint(POST=start)
