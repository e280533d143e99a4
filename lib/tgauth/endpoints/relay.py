"""/telegram/relay: production logs people in for preview deployments, whose hosts Telegram does not know.

GET is where a preview sends the browser, with a ticket. POST with a ticket is the user's consent; POST with a
code comes from the preview's server, which has no cookie.
"""

from urllib.parse import urlencode

from ..clock import CLOCK_SKEW
from ..errors import InvalidSession, MalformedRequest
from ..relay.codes import keep_code, take_code
from ..relay.tickets import CODE_SECONDS, TICKET_SECONDS, code_for, read_code, read_ticket
from ..web.endpoint import Response, endpoint
from ..web.navigation import navigation, query_fields
from ..web.request import Request
from ..web.respond import json_response, see_other


def ask(request: Request) -> Response:
    """303 to the page that says which host asks, and lets the user log in and agree."""
    request.settings.require_relay()
    text = query_fields(request).get("ticket", "")
    read_ticket(text, request.settings, now=request.service.now())
    request.service.require_shared_store()
    request.notes["event"] = "relay_asked"
    # Of this site's names, this is the one that has the sessions.
    return see_other(f"{request.require_own_origin()}/relay.html?{urlencode({'ticket': text})}")


def relay(request: Request) -> Response:
    """200 with the address to go to for a ticket; 200 with the user for a code."""
    request.settings.require_relay()
    match request.json():
        case {"ticket": str(text), "user": int(user_id), **others} if not others:
            return _agree(request, text, user_id)
        case {"code": str(code), "verifier": str(verifier), "host": str(host), **others} if not others:
            return _give_user(request, code, verifier, host)
    raise MalformedRequest("the body holds neither a ticket and a user nor a code, verifier and host")


def _agree(request: Request, text: str, user_id: int) -> Response:
    request.require_own_page()
    service, settings = request.service, request.settings
    ticket = read_ticket(text, settings, now=service.now())
    user = request.session().user
    if user.id != user_id:
        # Somebody else has logged in here meanwhile, and did not agree to this.
        raise InvalidSession("not the user who was asked")
    seconds = TICKET_SECONDS + 2 * CLOCK_SKEW
    keep_code(service, ticket.state, user, seconds=CODE_SECONDS + CLOCK_SKEW, ticket_seconds=seconds)
    answer = {"code": code_for(ticket, settings, now=service.now()), "state": ticket.state}
    request.notes["event"] = "relay_agreed"
    return json_response({"url": f"{ticket.origin}/telegram/callback?{urlencode(answer)}"})


def _give_user(request: Request, code: str, verifier: str, host: str) -> Response:
    settings, service = request.settings, request.service
    ticket = read_code(code, host=host, verifier=verifier, settings=settings, now=service.now())
    request.notes["event"] = "relay_redeemed"
    return json_response({"user": take_code(service, ticket.state)})


app = endpoint("/telegram/relay", GET=navigation(ask), POST=relay)
