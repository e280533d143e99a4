"""/telegram/start: GET sends the browser to Telegram, POST tells a login page how to do so itself."""

from typing import Any
from urllib.parse import urlencode

from ..errors import MalformedRequest
from ..relay import tickets
from ..telegram import oidc, widget
from ..web.endpoint import Response, endpoint
from ..web.login import require_login_method, send_to_telegram, warn_of_another_address
from ..web.navigation import navigation
from ..web.request import Request
from ..web.respond import json_response
from ..web.return_to import require_return_to
from ..web.transactions import begin_transaction


def start(request: Request) -> Response:
    """200 with the methods that are set up, each with the addresses that begin a login in this browser."""
    body = request.json()
    if not body.keys() <= {"return_to"}:
        raise MalformedRequest("the body may have return_to and nothing else")
    return_to = require_return_to(body.get("return_to", "/"))
    request.require_own_page()
    settings, origin = request.settings, request.require_own_origin()
    require_login_method(request)
    warn_of_another_address(request, origin)
    transaction = begin_transaction(request, return_to=return_to)
    answer: dict[str, Any] = {
        "methods": [],
        "bot_username": settings.bot_username,
        "client_id": str(settings.bot_id),
        "state": transaction.state,
        "nonce": transaction.nonce,
        "relay_url": None,
        "oidc_url": None,
        "widget_auth_url": None,
        "widget_redirect_url": None,
    }
    if settings.uses_relay:
        answer["methods"].append("relay")
        answer["relay_url"] = tickets.address(settings, transaction, origin)
        return json_response(answer)
    if settings.client_secret is not None:
        answer["methods"].append("oidc")
        answer["oidc_url"] = oidc.authorization_url(settings, transaction, origin)
    if settings.bot_token is not None:
        page = {"state": transaction.state} | ({"return_to": return_to} if return_to != "/" else {})
        answer["methods"].append("widget")
        answer["widget_auth_url"] = widget.authorization_url(
            settings, origin=origin, return_to=f"{origin}/?{urlencode(page)}"
        )
        answer["widget_redirect_url"] = f"{origin}/telegram/login?state={transaction.state}"
    return json_response(answer)


app = endpoint("/telegram/start", GET=navigation(send_to_telegram), POST=start)
