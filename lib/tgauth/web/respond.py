"""Answers: JSON, problems, and the headers that all of them carry."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from ..errors import Problem
from ..sessions.base import Session
from .cookies import set_session_cookie, set_told_cookie
from .json import dump
from .request import Request
from .response import Headers, Response

SECURITY_HEADERS = Headers(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": (
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        ),
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Strict-Transport-Security": "max-age=63072000",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Origin, Sec-Fetch-Site",
    }
)


def json_response(
    value: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """`value` as application/json."""
    return Response(dump(value), status=status, content_type="application/json", headers=headers)


def see_other(location: str) -> Response:
    """303: the browser goes there with GET, whatever it came with (RFC 9110 §15.4.4)."""
    return Response(status=303, headers={"Location": location})


def problem_response(problem: Problem, request: Request) -> Response:
    """`problem` in the form of RFC 9457; `type` is a page that explains the code in the reader's language.

    Browsers that navigate are sent to that page, with `told` in a cookie that the page reads.
    """
    if request.shows_page:
        response = see_other(f"/error.html?code={problem.code}&reference={request.id}")
        if problem.told:
            told = urlsafe_b64encode(dump({**problem.told, "reference": request.id})).rstrip(b"=")
            set_told_cookie(response, told.decode("ascii"), origin=request.own_origin)
        return response
    body = {
        "type": f"/error.html?code={problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request.id,
        **problem.told,
    }
    return Response(
        dump(body),
        status=problem.status,
        headers=dict(problem.headers),
        content_type="application/problem+json",
    )


def no_content() -> Response:
    """204: done, with nothing to say."""
    return Response(status=204)


def session_response(session: Session, *, with_token: bool = False) -> Response:
    """The user and the session; `with_token` for clients that carry the token themselves."""
    value: dict[str, Any] = {
        "user": session.user.to_json(),
        "session": {
            "id": session.id,
            "created_at": session.created_at,
            "expires_at": session.expires_at,
            "method": session.method,
            "transport": session.transport,
        },
    }
    if with_token:
        value["token"] = session.token
    return json_response(value)


def keep_session(request: Request, response: Response, session: Session) -> Response:
    """Let the browser keep a cookie session until its latest end; the server tracks idle time."""
    if session.transport == "cookie":
        seconds = max(1, session.ends_at - int(request.service.now()))
        set_session_cookie(response, session.token, max_age=seconds, origin=request.own_origin)
    return response
