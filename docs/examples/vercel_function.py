"""Your own function for people who are logged in: GET and POST /api/hello.

Save it as api/hello.py: each file below api/ is a function. Callers who are not logged in get 401, a POST
that another site sent with their cookie 403, a token that is used too often 429, and everybody gets 503 while
sessions cannot be reached, which logs nobody out.
Answers carry Cache-Control: no-store, errors are problem+json, and the log has one line per request.
"""

from lib.tgauth.auth import require_session
from lib.tgauth.errors import MalformedRequest
from lib.tgauth.sessions.base import Session
from lib.tgauth.web.endpoint import Response, endpoint
from lib.tgauth.web.request import Request
from lib.tgauth.web.respond import json_response


def hello(_: Request, session: Session) -> Response:
    """Key your data by `session.user.id`: it is the same however somebody logs in, and never changes."""
    return json_response({"id": session.user.id, "hello": session.user.first_name})


def say(request: Request, session: Session) -> Response:
    """A body is a JSON object of at most 16 KiB; everything else is refused before this runs."""
    match request.json():
        case {"text": str(text)}:
            return json_response({"id": session.user.id, "said": text}, 201)
    raise MalformedRequest("text is missing or no string")


app = endpoint("/api/hello", GET=require_session(hello), POST=require_session(say))
