"""The local deployment as one WSGI application: simulated Telegram, public/ and the functions of api/."""

import gzip
import mimetypes
import sys
import time
from collections.abc import Iterable
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.exceptions import ClientDisconnected
from werkzeug.test import run_wsgi_app
from werkzeug.utils import get_content_type
from werkzeug.wrappers import Response
from werkzeug.wsgi import get_input_stream

from dev.serve.functions import Functions, LoadFailed, describe
from dev.serve.pages import error_page
from dev.serve.router import Function, Page, Router

TELEGRAM = "/_telegram"

_MAX_BODY = 4_500_000  # Vercel's limit, for requests and responses
# Python knows the types by the machine's mime.types, which need not have them.
_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".ico": "image/x-icon", ".woff2": "font/woff2"}
# Of what public/ has. Vercel compresses more types, and with brotli
# (https://vercel.com/docs/how-vercel-cdn-works/compression).
_COMPRESSED = {"text/html", "text/css", "text/javascript", "image/svg+xml"}


class Site:
    """Answers what the deployment would answer, and everything below /_telegram besides."""

    def __init__(self, functions: Functions, origin: str) -> None:
        self._functions = functions
        self._origin = origin

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer; whatever the project's code raises becomes a page and a traceback in the terminal."""
        # Not PATH_INFO, which the server has percent-decoded.
        path, _, query = environ["REQUEST_URI"].partition("?")
        try:
            self._functions.refresh()
            if path == TELEGRAM or path.startswith(f"{TELEGRAM}/"):
                return self._functions.telegram()(self._origin)(environ, start_response)
            return self._deployment(environ, start_response, path, query)
        except LoadFailed as failure:
            return _show(
                f"{failure.file} could not be loaded",
                "Correct it and save: the next request loads it anew.",
                failure.text,
            )(environ, start_response)
        except Exception as error:
            return _show(
                f"{environ['REQUEST_METHOD']} {path} raised {type(error).__name__}",
                "Nothing caught this exception. A deployed function would answer with a 500 of Vercel's own.",
                describe(error),
            )(environ, start_response)

    def _deployment(
        self, environ: WSGIEnvironment, start_response: StartResponse, path: str, query: str
    ) -> Iterable[bytes]:
        router = self._functions.router()
        target = router.route(path)
        if isinstance(target, Function):
            call = function_environ(environ, path, query, target)
            if call is None:
                too_large = Response("FUNCTION_PAYLOAD_TOO_LARGE\n", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                return too_large(environ, start_response)
            # Buffered, so that what it raises while it answers is caught too.
            body, status, headers = run_wsgi_app(self._functions.app(target), call, buffered=True)
            # What a function sets itself wins over vercel.json.
            for name, value in router.headers(path):
                headers.setdefault(name, value)
            start_response(status, headers.to_wsgi_list())
            return body
        response = _page(environ, target) if target else _not_found(router, path)
        for name, value in router.headers(path):
            response.headers[name] = value
        if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "") and response.mimetype in _COMPRESSED:
            response.set_data(gzip.compress(response.get_data(), mtime=0))
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Vary"] = "Accept-Encoding"
        return response(environ, start_response)


def function_environ(
    environ: WSGIEnvironment, path: str, query: str, function: Function
) -> WSGIEnvironment | None:
    """The environ that a deployed function gets for this request, or None when its body is over the limit.

    PATH_INFO is the original path, neither percent-decoded nor rewritten. The body has been read. The
    `x-forwarded-…` headers say what the platform knows, whatever the client sent. A rewrite's named
    parameters join the query behind the client's own.
    """
    stream = get_input_stream(environ, max_content_length=None)
    try:
        body = stream.read(_MAX_BODY + 1)
    except ClientDisconnected:
        body = b""
    if len(body) > _MAX_BODY:
        return None
    client = environ["REMOTE_ADDR"]
    host = environ.get("HTTP_HOST", "")
    kept = {
        name: value
        for name, value in environ.items()
        if name.startswith("HTTP_") and not name.startswith("HTTP_X_FORWARDED_")
    }
    kept.pop("HTTP_TRANSFER_ENCODING", None)
    return {
        **kept,
        "HTTP_X_FORWARDED_FOR": client,
        "HTTP_X_FORWARDED_HOST": host,
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_X_REAL_IP": client,
        "HTTP_X_VERCEL_FORWARDED_FOR": client,
        "HTTP_X_VERCEL_ID": f"dev1::{token_hex(3)}-{int(time.time() * 1000)}-{token_hex(6)}",
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": environ.get("CONTENT_TYPE", ""),
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "&".join(filter(None, [query, *(f"{k}={v}" for k, v in function.params.items())])),
        "REMOTE_ADDR": client,
        "REQUEST_METHOD": environ["REQUEST_METHOD"],
        "SERVER_NAME": host or "lambda",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.errors": sys.stderr,
        "wsgi.input": BytesIO(body),
        "wsgi.multiprocess": False,
        "wsgi.multithread": False,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
    }


def _page(environ: WSGIEnvironment, page: Page) -> Response:
    if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
        return Response("METHOD_NOT_ALLOWED\n", HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})
    return _file(page)


def _not_found(router: Router, path: str) -> Response:
    """public/404.html, if there is one, but not below /api: so Vercel's builder lays it down."""
    page = None if path.startswith("/api") else router.route("/404.html")
    if isinstance(page, Page):
        return _file(page, HTTPStatus.NOT_FOUND)
    return Response("The page could not be found\n\nNOT_FOUND\n", HTTPStatus.NOT_FOUND)


def _file(page: Page, status: int = HTTPStatus.OK) -> Response:
    response = Response(page.file.read_bytes(), status, content_type=_content_type(page.file))
    response.headers["Cache-Control"] = "public, max-age=0, must-revalidate"
    return response


def _content_type(file: Path) -> str:
    known = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return get_content_type(known, "utf-8")


def _show(headline: str, advice: str, text: str) -> Response:
    print(f"\n{headline}\n{text}", file=sys.stderr, flush=True)
    return error_page(headline, advice, text)
