"""Answers as WSGI has them (lib/tgauth/web/response.py)."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from lib.tgauth.web.endpoint import endpoint
from lib.tgauth.web.request import Request
from lib.tgauth.web.respond import json_response
from lib.tgauth.web.response import Headers, Response
from tests.site import ORIGIN, Site

BAD = ["a\r\nSet-Cookie: b=c", "a\nb", "a\rb", "a\x00b", "a\x7fb", "a\x0bb", "é", "я", "\u2028", "a\n"]


def sent(response: Response, method: str = "GET") -> tuple[str, list[tuple[str, str]], bytes]:
    """What a server is given."""
    started: list[Any] = []
    chunks = response({"REQUEST_METHOD": method}, lambda *start: started.append(start))  # type: ignore[arg-type,func-returns-value]
    return (*started[0], b"".join(chunks))


def test_what_is_sent() -> None:
    """Status, headers, cookies in their order, the length, and the body."""
    response = Response(b"abc", status=401, content_type="text/x", headers={"A": "1"})
    response.headers["B"] = "2"
    response.headers["A"] = "~ !"
    response.add_cookie("a=1")
    response.add_cookie("b=2")
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    headers = [("Content-Type", "text/x"), ("A", "~ !"), ("B", "2"), ("Content-Length", "3"), *cookies]
    assert sent(response) == ("401 Unauthorized", headers, b"abc")


def test_without_a_body() -> None:
    """HEAD has the headers of GET alone; 204 says nothing of a body; nothing to say is a body of no bytes."""
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "3")]
    assert sent(Response(b"abc"), "HEAD") == ("200 OK", headers, b"")
    assert sent(Response(status=204)) == ("204 No Content", [], b"")
    assert sent(Response(b"abc", status=204)) == ("204 No Content", [], b"")
    assert sent(Response(b"abc", status=304))[2] == b""
    assert "Content-Length" not in dict(sent(Response(b"abc", status=304))[1])
    assert sent(Response(status=303))[1][-1] == ("Content-Length", "0")


@pytest.mark.parametrize("value", BAD)
def test_no_value_is_more_than_a_value(value: str) -> None:
    """What would be a line of its own, or is read in different ways, is refused wherever it is put."""
    ways: list[Callable[[], object]] = [
        lambda: Response().headers.update(Location=value),
        lambda: Response().headers.setdefault("Location", value),
        lambda: Headers({"Location": value}),
        lambda: Response(headers={"Location": value}),
        lambda: Response(content_type=value),
        lambda: Response().headers.__setitem__("Location", value),
        lambda: Response().add_cookie(value),
    ]
    for way in ways:
        with pytest.raises(ValueError, match="header"):
            way()


@pytest.mark.parametrize("name", ["", "A B", "A:", "A\r\nB", "é", "A\x00", "A_B"])
def test_no_name_is_more_than_a_name(name: str) -> None:
    """What is no token of letters, digits and hyphens is no header."""
    with pytest.raises(ValueError, match="name"):
        Response(headers={name: "1"})


def test_names_are_of_any_case() -> None:
    """A header is there once, however its name is spelled, and the length is the body's whatever was set."""
    response = Response(b"abc", headers={"content-type": "text/x", "content-LENGTH": "7"})
    response.headers["CACHE-control"] = "no-cache"
    response.headers.fill(Headers({"Cache-Control": "no-store", "Vary": "Origin"}))
    _, headers, _ = sent(response)
    assert sorted(headers) == [
        ("CACHE-control", "no-cache"),
        ("Content-Length", "3"),
        ("Vary", "Origin"),
        ("content-type", "text/x"),
    ]


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: None,
        dict,
        lambda: "text",
        lambda: Response("text"),  # type: ignore[arg-type]
        lambda: Response(status=299),
        lambda: Response(status=0),
        lambda: Response().add_cookie("a\nb"),
    ],
)
def test_a_handlers_mistake_is_answered(
    site: Site, lines: Callable[[], list[Any]], mistake: Callable[[], Any]
) -> None:
    """What is no answer is 500 with all that every answer has, and one line in the log."""

    def handler(_: Request) -> Response:
        answer: Response = mistake()
        return answer

    handler.__module__ = "api.hello"
    site.verify()
    app = endpoint("/function", GET=handler)
    lines()
    chunks, status, headers = run_wsgi_app(app, EnvironBuilder(base_url=ORIGIN).get_environ())
    assert (status, b'"code":"internal"' in b"".join(chunks)) == ("500 Internal Server Error", True)
    assert headers["Cache-Control"] == "no-store"
    assert [line["event"] for line in lines()] == ["sys_crash"]


def test_a_handler_that_tries_is_answered(site: Site) -> None:
    """An owner's function that puts a line break into a header gets 500, and not that header."""

    def handler(request: Request) -> Response:
        return json_response({}, headers={"X-Name": request.headers["X-Name"]})

    handler.__module__ = "api.hello"
    site.verify()
    environ = EnvironBuilder(base_url=ORIGIN).get_environ() | {"HTTP_X_NAME": "a\r\nSet-Cookie: b=c"}
    chunks, status, headers = run_wsgi_app(endpoint("/function", GET=handler), environ)
    assert (status, b'"code":"internal"' in b"".join(chunks)) == ("500 Internal Server Error", True)
    assert "X-Name" not in headers
    assert "Set-Cookie" not in headers


def test_a_requests_headers() -> None:
    """By their names, for who asks who it is: `authenticate(request.headers, request.method)`."""
    environ = EnvironBuilder(
        base_url=ORIGIN, headers={"authorization": "Bearer x", "X-A-b": "1"}
    ).get_environ()
    headers = Request(environ).headers
    assert (headers["Authorization"], headers["X-A-B"]) == ("Bearer x", "1")
