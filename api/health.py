"""GET /health: whether sessions work here, and where they are kept."""

from lib.errors import Misconfigured, StoreUnavailable
from lib.web.endpoint import Response, endpoint
from lib.web.request import Request
from lib.web.respond import json_response


def health(request: Request) -> Response:
    """200 `ok` or `degraded` (in memory, where every function has its own), 503 `down`."""
    try:
        service = request.service
        service.store.check()
    except (Misconfigured, StoreUnavailable) as problem:
        request.notes |= {"event": problem.event, "reason": problem.reason}
        down = {"status": "down", "store": None}
        return json_response(down, status=503, headers=dict(problem.headers))
    degraded = service.store.kind == "memory" and request.settings.on_vercel
    return json_response({"status": "degraded" if degraded else "ok", "store": service.store.kind})


app = endpoint(GET=health)
