"""GET /health: whether people can log in here, and where their sessions are kept."""

from lib.errors import Misconfigured, StoreUnavailable
from lib.web.endpoint import Response, endpoint
from lib.web.membership import find_chat_problem
from lib.web.request import Request
from lib.web.respond import json_response


def health(request: Request) -> Response:
    """200 `ok`; 200 `degraded` and 503 `down` with the `problem`, which the log line explains."""
    try:
        settings, service = request.settings, request.service
        settings.require_known_origin()
        if not settings.bot_id_only:
            settings.require_login_method()
        service.check()
    except (Misconfigured, StoreUnavailable) as error:
        request.notes |= {"event": error.event, "reason": error.reason}
        down = {"status": "down", "store": None, "problem": error.cause}
        return json_response(down, status=503, headers=dict(error.headers))
    answer = {"status": "ok", "store": service.store.kind}
    if service.store.kind == "memory" and settings.store_prefixed:
        answer |= {"status": "degraded", "problem": "memory_prefix"}
    elif service.store.kind == "memory" and settings.on_vercel:
        answer |= {"status": "degraded", "problem": "memory"}
    elif reason := find_chat_problem(request):
        request.notes |= {"event": Misconfigured.event, "reason": reason}
        answer |= {"status": "degraded", "problem": "chat"}
    return json_response(answer)


app = endpoint(GET=health)
