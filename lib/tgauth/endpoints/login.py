"""/telegram/login: a session in exchange for proof of a Telegram identity.

POST takes the proof from a page or an app, GET from a browser that Telegram's widget or button sent here.
"""

from urllib.parse import urlencode

from ..errors import MalformedRequest
from ..telegram.login import OUR_FIELDS, Login, read_login
from ..telegram.widget import FIELDS
from ..web.endpoint import Response, endpoint
from ..web.login import (
    finish_login,
    identify,
    log_in,
    requested_return_to,
    return_query,
    send_to_telegram,
)
from ..web.navigation import navigation, query_fields
from ..web.request import Request
from ..web.respond import keep_session, see_other, session_response
from ..web.transactions import find_finished, find_transaction

MAX_FRAGMENT = 4096
"""Characters; the longest names, username and photo URL that Telegram allows fit."""


def login(request: Request) -> Response:
    """200 with user and session; the token is in the cookie, or in the body for bearer sessions."""
    attempt = read_login(request.json())
    if attempt.transport == "cookie":
        request.require_own_page()
    user, proof = identify(request, attempt)
    session = log_in(request, user, proof, attempt.transport)
    response = session_response(session, with_token=session.transport == "bearer")
    return keep_session(request, response, session)


def arrive(request: Request) -> Response:
    """303: logged in if this browser began the login; else to a page that asks, with nothing set or used.

    Links from a login_url button, and links in which somebody planted their own proof, carry no state of this
    browser. A user who declines a button's login arrives without any proof.
    """
    fields = query_fields(request)
    if not FIELDS & fields.keys():
        return send_to_telegram(request)
    # The hash will tell whether unknown fields are Telegram's.
    widget = {name: fields[name] for name in sorted(fields.keys() - OUR_FIELDS)}
    state = fields.get("state")
    if find_transaction(request, state) is None and find_finished(request, state) is None:
        query, fragment = return_query(requested_return_to(request)), urlencode(widget)
        if len(fragment) > MAX_FRAGMENT:
            # Fields that an advertiser added may be what makes it so long.
            fragment = urlencode({name: value for name, value in widget.items() if name in FIELDS})
        if len(fragment) > MAX_FRAGMENT:
            raise MalformedRequest("the widget's fields are longer than Telegram's can be")
        return see_other(f"/confirm.html{query}#{fragment}")
    # `finish_login` uses up the state.
    return finish_login(request, state, lambda _: identify(request, Login("cookie", widget=widget)))


app = endpoint("/telegram/login", GET=navigation(arrive), POST=login)
