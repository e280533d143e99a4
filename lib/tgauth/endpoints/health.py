"""GET /health: whether people can log in here, and where their sessions are kept."""

from ..errors import Misconfigured, StoreUnavailable
from ..web.bot import find_bot_problem
from ..web.endpoint import Response, endpoint
from ..web.request import Request
from ..web.respond import json_response


def health(request: Request) -> Response:
    """200 `ok`; 200 `degraded` or 503 `down` with the `problem`, which the log line explains."""
    try:
        problem = _look(request)
    except (Misconfigured, StoreUnavailable) as error:
        request.notes |= {"event": error.event, "reason": error.reason}
        down = {"status": "down", "store": None, "problem": error.cause}
        return json_response(down, status=503, headers=dict(error.headers))
    answer = {"status": "degraded" if problem else "ok", "store": request.service.store.kind}
    return json_response(answer | ({"problem": problem} if problem else {}))


def _look(request: Request) -> str:
    """What is degraded, in one word; raises `Misconfigured` or `StoreUnavailable` if nobody can log in."""
    settings, service = request.settings, request.service
    settings.require_known_origin()
    if not settings.bot_id_only:
        settings.require_login_method()
    service.check()
    if problem := find_bot_problem(request):
        # Only OpenID Connect works without the token, and asking about the chat needs the token as well.
        only_way = settings.client_secret is None or settings.require_chat is not None
        if problem.cause == "bot_token" and only_way:
            raise Misconfigured(problem.reason, cause=problem.cause)
        request.notes |= {"event": problem.event, "reason": problem.reason}
        return problem.cause
    if service.store.kind == "memory" and settings.store_prefixed:
        return "memory_prefix"
    return "memory" if service.store.kind == "memory" and settings.on_vercel else ""


app = endpoint("/health", GET=health)
