"""/telegram/login: from a proof of who somebody is on Telegram to a session.

POST takes the proof from a page or an app, GET from a browser that Telegram's widget or button sends here.
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
"""Characters; names, username and photo of Telegram's greatest length stay below."""


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
    """303: logged in, if this browser asked for it; else to a page that asks, with nothing set or spent.

    A login_url button, and whoever sends a link with a proof of their own, come without a state of this
    browser. A user who refuses a button's login comes without any proof.
    """
    fields = query_fields(request)
    if not FIELDS & fields.keys():
        return send_to_telegram(request)
    # Whether the fields that are not known are Telegram's, the hash will tell.
    widget = {name: fields[name] for name in sorted(fields.keys() - OUR_FIELDS)}
    state = fields.get("state")
    if find_transaction(request, state) is None and find_finished(request, state) is None:
        query, fragment = return_query(requested_return_to(request)), urlencode(widget)
        if len(fragment) > MAX_FRAGMENT:
            # What makes it so long may be an advertiser's.
            fragment = urlencode({name: value for name, value in widget.items() if name in FIELDS})
        if len(fragment) > MAX_FRAGMENT:
            raise MalformedRequest("the widget's fields are longer than Telegram's can be")
        return see_other(f"/confirm.html{query}#{fragment}")
    # The state is spent there.
    return finish_login(request, state, lambda _: identify(request, Login("cookie", widget=widget)))


app = endpoint("/telegram/login", GET=navigation(arrive), POST=login)
