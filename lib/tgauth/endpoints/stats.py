"""GET /stats: how many users and sessions there are, for callers with ADMIN_TOKEN."""

import hmac

from ..errors import NotFound
from ..web.endpoint import Response, endpoint
from ..web.request import Request
from ..web.respond import json_response


def stats(request: Request) -> Response:
    """200 with the figures; 404 for everybody else."""
    expected = request.settings.admin_token
    presented = request.environ.get("HTTP_AUTHORIZATION", "")
    if expected is None or not hmac.compare_digest(presented.encode(), f"Bearer {expected}".encode()):
        raise NotFound("ADMIN_TOKEN is not set, or was not presented")
    return json_response(request.service.get_stats())


app = endpoint("/stats", GET=stats)
