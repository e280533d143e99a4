"""`endpoint("/path", GET=…, POST=…)`: a WSGI application made of handlers, one per method.

Whatever happens inside, the client gets an answer with the security headers, and the log gets one line.
"""

import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from .. import budget, log
from ..errors import InternalError, MethodNotAllowed, Misconfigured, Problem
from ..settings import Settings, get_settings, missing_package
from .request import Request
from .respond import SECURITY_HEADERS, no_content, problem_response
from .response import Response as Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

Handler = Callable[[Request], Response]

_FAMILIES = ("Telegram", "Edg", "OPR", "Firefox", "Chrome", "Safari", "curl", "python")


def endpoint(route: str, /, **handlers: Handler) -> "WSGIApplication":
    """An application that answers the given methods, HEAD if GET is one of them, and always OPTIONS.

    `route` is its public path, for the log: a request's own path can hold anything.
    """
    methods = sorted({*handlers, "OPTIONS", *(["HEAD"] if "GET" in handlers else [])})
    allow = ", ".join(methods)
    _announce()

    def app(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        started = time.perf_counter()
        request = Request(environ)
        budget.start()
        try:
            response = _dispatch(request, handlers, allow)
        except Problem as problem:
            response = _refuse(request, problem)
        except ModuleNotFoundError as error:
            request.notes["stack"] = log.stack(error.__traceback__)
            response = _refuse(request, missing_package(error))
        except Exception as error:
            # The error's own text can hold a secret (a header, a URL), so only its type and place are kept.
            request.notes["stack"] = log.stack(error.__traceback__)
            response = _refuse(request, InternalError(type(error).__name__))
        finally:
            budget.stop()
        for header in request.set_cookies:
            response.add_cookie(header)
        response.headers.fill(SECURITY_HEADERS)
        if response.status == 405:
            response.headers["Allow"] = allow
        try:
            _add_cors(request, response, allow)
            _log(request, response, route, time.perf_counter() - started)
        except Exception as error:
            # The answer exists, and matters more than its CORS headers and log line.
            log.event("sys_crash", level="error", stack=log.stack(error.__traceback__))
        return response(environ, start_response)

    return app


def _dispatch(request: Request, handlers: dict[str, Handler], allow: str) -> Response:
    handler = handlers.get("GET" if request.method == "HEAD" else request.method)
    if request.method == "OPTIONS":
        response = no_content()
        response.headers["Allow"] = allow
        return response
    if handler is None:
        raise MethodNotAllowed("no handler")
    request.check_shape()
    # The time that the body took to arrive does not count against the store's.
    budget.start()
    response = handler(request)
    if not isinstance(response, Response):
        raise TypeError("a handler returns a Response")
    return response


def _refuse(request: Request, problem: Problem) -> Response:
    request.notes |= {"event": problem.event, "code": problem.code, "reason": problem.reason}
    request.problem = problem
    return problem_response(problem, request)


def _add_cors(request: Request, response: Response, allow: str) -> None:
    """CORS for ALLOWED_ORIGINS: these use bearer tokens, so credentials are never allowed."""
    sender = request.environ.get("HTTP_ORIGIN")
    settings = _settings()
    if not sender or not settings or sender not in settings.allowed_origins:
        return
    response.headers["Access-Control-Allow-Origin"] = sender
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = allow
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers["Access-Control-Max-Age"] = "600"
    else:
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"


def _log(request: Request, response: Response, route: str, seconds: float) -> None:
    settings = _settings()
    agent = request.environ.get("HTTP_USER_AGENT", "")
    notes = {"event": "request", **request.notes}
    name = str(notes.pop("event"))
    if settings:
        notes |= {"env": settings.environment, "deployment": settings.deployment}
        notes["ip_ref"] = request.reference("ip", request.client_ip)
    log.event(
        name,
        level=request.problem.level if request.problem else _level(response.status),
        request_id=request.id,
        route=route or None,
        method=request.method if request.method in _METHODS else "other",
        status=response.status,
        dur_ms=round(seconds * 1000, 2),
        ua_family=next((family for family in _FAMILIES if family in agent), "other"),
        **notes,
    )


def _level(status: int) -> log.Level:
    """For answers that a handler returns without raising a Problem."""
    return "error" if status >= 500 else "warning" if status >= 400 else "info"


_METHODS = ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE")


def _settings() -> Settings | None:
    try:
        return get_settings()
    except Misconfigured:
        return None


@cache
def _announce() -> None:
    """Log once, at the cold start, what is wrong with the settings: answers are 503 until it is fixed."""
    problems = []
    try:
        settings = get_settings()
        # Mini Apps and OpenID Connect work without a token, for owners who chose that.
        problems += [] if settings.bot_id_only else [settings.bot_token_problem]
        settings.require_known_origin()
    except Misconfigured as error:
        problems.append(error.reason)
    if reason := "; ".join(filter(None, problems)):
        log.event("misconfigured", level="error", reason=reason)
