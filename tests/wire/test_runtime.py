"""What Vercel's runtime does before and around our code, pinned so that no upgrade changes it unseen."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dev.vercel.proxy import CLIENT_IP, HOST, decode_response
from dev.vercel.runtime import Function, FunctionError


def send(echo: Function, *lines: str, body: bytes = b"", half_close: bool = False) -> bytes:
    """Send a request exactly as written."""
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return echo.raw(head + body, half_close=half_close)


def seen(echo: Function, *lines: str, body: bytes = b"", half_close: bool = False) -> dict[str, Any]:
    """What the function was given for a request exactly as written."""
    result: dict[str, Any] = decode_response(send(echo, *lines, body=body, half_close=half_close)).json()
    return result


def test_path_and_query_arrive_undecoded(echo: Function) -> None:
    """PATH_INFO and QUERY_STRING keep their percent-encoding, unlike in other WSGI servers."""
    given = echo.request("GET", "/a%2Fb%00/%D0%B6?q=%41+b&q=").json()
    assert given["PATH_INFO"] == "/a%2Fb%00/%D0%B6"
    assert given["QUERY_STRING"] == "q=%41+b&q="


@pytest.mark.parametrize("target", ["//x", "http://evil.example/x", "/x#fragment"])
def test_unusual_targets_are_reduced_to_a_path(echo: Function, target: str) -> None:
    """A target's scheme, host, doubled leading slash and fragment never reach PATH_INFO or HTTP_HOST."""
    given = echo.request("GET", target).json()
    assert (given["PATH_INFO"], given["HTTP_HOST"]) == ("/x", HOST)


def test_client_address_scheme_and_host_come_from_headers(echo: Function) -> None:
    """REMOTE_ADDR is x-forwarded-for as sent, the scheme is x-forwarded-proto, and SERVER_NAME is Host."""
    given = echo.request("GET", "/", {"x-forwarded-for": "1.2.3.4, 5.6.7.8"}).json()
    assert given["REMOTE_ADDR"] == "1.2.3.4, 5.6.7.8"
    assert given["wsgi.url_scheme"] == "https"
    assert given["SERVER_NAME"] == given["HTTP_HOST"] == HOST
    assert echo.request("GET", "/").json()["REMOTE_ADDR"] == CLIENT_IP


def test_without_proxy_headers_the_address_is_none(echo: Function) -> None:
    """Without x-forwarded-for and x-real-ip, REMOTE_ADDR is None instead of a string, and the scheme http."""
    given = seen(echo, "GET / HTTP/1.1")
    assert given["REMOTE_ADDR"] is None
    assert given["wsgi.url_scheme"] == "http"


def test_internal_headers_are_hidden(echo: Function) -> None:
    """No x-vercel-internal-* header reaches the function, whoever sent it."""
    given = echo.request("GET", "/", {"x-vercel-internal-anything": "1"}).json()
    assert not [name for name in given if name.startswith("HTTP_X_VERCEL_INTERNAL")]


def test_two_set_cookie_headers_survive(echo: Function) -> None:
    """Each Set-Cookie of an answer is sent as a header of its own."""
    assert echo.request("GET", "/").all("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]


def test_of_repeated_headers_the_last_counts(echo: Function) -> None:
    """Of several headers with one name, Cookie among them, only the last reaches the function."""
    given = echo.request(
        "GET", "/", [("Cookie", "a=1"), ("X-A", "1"), ("Cookie", "b=2"), ("X-A", "2")]
    ).json()
    assert (given["HTTP_COOKIE"], given["HTTP_X_A"]) == ("b=2", "2")


def test_underscores_and_hyphens_in_header_names_collide(echo: Function) -> None:
    """A header with underscores replaces the one with hyphens that came before it."""
    assert echo.request("GET", "/", {"X_Real_Ip": "6.6.6.6"}).json()["HTTP_X_REAL_IP"] == "6.6.6.6"


def test_header_bytes_arrive_as_latin1(echo: Function) -> None:
    """Header values are the bytes sent, read as latin-1, as WSGI asks."""
    name = "Жук".encode().decode("latin-1")
    assert echo.request("GET", "/", {"X-Name": name}).json()["HTTP_X_NAME"] == name


def test_folded_header_keeps_its_line_break(echo: Function) -> None:
    """A header folded over two lines arrives with CR LF inside: no header value may be echoed unchecked."""
    assert seen(echo, "GET / HTTP/1.1", "X-Folded: one", " two")["HTTP_X_FOLDED"] == "one\r\n two"


def test_bare_carriage_return_splits_a_header(echo: Function) -> None:
    """A CR inside a header value starts a new header."""
    given = seen(echo, "GET / HTTP/1.1", "X-One: 1\rX-Two: 2")
    assert (given["HTTP_X_ONE"], given["HTTP_X_TWO"]) == ("1", "2")


def test_header_without_colon_ends_the_headers(echo: Function) -> None:
    """A header line without a colon drops itself and all that follow, so the body is not read either."""
    given = seen(echo, "POST / HTTP/1.1", "X-One: 1", "nothing", "Content-Length: 5", body=b"hello")
    assert (given["HTTP_X_ONE"], given["body"]) == ("1", "")
    assert "HTTP_CONTENT_LENGTH" not in given


def test_hundred_headers_are_too_many(echo: Function) -> None:
    """99 headers reach the function; with 100 the runtime answers 431 with an HTML page of its own."""
    assert seen(echo, "GET / HTTP/1.1", *(f"X-{i}: 1" for i in range(99)))["HTTP_X_98"] == "1"
    answer = decode_response(send(echo, "GET / HTTP/1.1", *(f"X-{i}: 1" for i in range(100))))
    assert answer.status == 431
    assert answer.header("content-type") == "text/html;charset=utf-8"


def test_long_header_line_is_refused(echo: Function) -> None:
    """A header line over 64 KiB is answered 431 by the runtime."""
    assert decode_response(send(echo, "GET / HTTP/1.1", f"X-Long: {'a' * 65536}")).status == 431


def test_long_request_line_is_cut_and_run(echo: Function) -> None:
    """A request line over 64 KiB is cut and taken for HTTP/0.9: the function runs, the answer has no head."""
    answer = send(echo, f"GET /{'a' * 70000} HTTP/1.1", "Host: x")
    given = json.loads(answer)
    assert len(given["PATH_INFO"]) < 65537
    assert "HTTP_HOST" not in given


@pytest.mark.parametrize(
    ("line", "status"),
    [("GET / x HTTP/1.1", b"400"), ("GET / HTTP/one", b"400"), ("GET", b"400"), ("GET / HTTP/2.0", b"505")],
)
def test_malformed_request_line_is_refused(echo: Function, line: str, status: bytes) -> None:
    """A request line that is none is answered by the runtime, in HTML and not always with a head."""
    assert b"Error code: " + status in send(echo, line)


@pytest.mark.parametrize("method", ["PROPFIND", "get", "HEAD"])
def test_every_method_reaches_the_function(echo: Function, method: str) -> None:
    """The runtime passes on any method, and sends a body even for HEAD: leaving it out is ours to do."""
    assert f'"REQUEST_METHOD": "{method}"'.encode() in send(echo, f"{method} / HTTP/1.1")


@pytest.mark.parametrize("length", ["abc", "-1", "", "5;", "5, 5", "0x5"])
def test_bad_content_length_is_refused(echo: Function, length: str) -> None:
    """A Content-Length that is no whole number is answered 400 in HTML, and the function does not run."""
    answer = decode_response(send(echo, "POST / HTTP/1.1", f"Content-Length: {length}", body=b"hello"))
    assert answer.status == 400
    assert answer.header("content-type") == "text/html;charset=utf-8"


@pytest.mark.parametrize("length", ["+5", "0_5", "05"])
def test_odd_content_length_is_understood(echo: Function, length: str) -> None:
    """Whatever Python's int() takes passes as a Content-Length; the function is given the plain number."""
    given = seen(echo, "POST / HTTP/1.1", f"Content-Length: {length}", body=b"hello")
    assert (given["CONTENT_LENGTH"], given["body"]) == ("5", "hello")


def test_short_body_arrives_as_if_whole(echo: Function) -> None:
    """When the client ends before its Content-Length, the function gets what came, and that length."""
    given = seen(echo, "POST / HTTP/1.1", "Content-Length: 50", body=b"hello", half_close=True)
    assert (given["CONTENT_LENGTH"], given["body"]) == ("5", "hello")
    assert given["HTTP_CONTENT_LENGTH"] == "50"


def test_body_that_never_ends_is_waited_for(echo: Function) -> None:
    """While a body is short of its Content-Length the runtime waits, without a limit, and we do not run."""
    with pytest.raises(TimeoutError):
        echo.raw(b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\nhello", timeout=0.3)


def test_body_beyond_its_length_is_cut(echo: Function) -> None:
    """Bytes after Content-Length are dropped; of two Content-Length headers the first decides."""
    given = seen(echo, "POST / HTTP/1.1", "Content-Length: 5", "Content-Length: 9", body=b"hello you")
    assert (given["CONTENT_LENGTH"], given["body"]) == ("5", "hello")


def test_large_body_arrives_whole(echo: Function) -> None:
    """The runtime limits no body: without the platform's 4.5 MB, bounds are ours."""
    assert echo.request("POST", "/", body=b"a" * 6_000_000).json()["CONTENT_LENGTH"] == "6000000"


def test_chunked_body_arrives_joined(echo: Function) -> None:
    """A chunked body arrives joined, with its length in CONTENT_LENGTH and no HTTP_TRANSFER_ENCODING."""
    chunks = b"2\r\nhe\r\n3;note=1\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n"
    given = echo.request("POST", "/", {"transfer-encoding": "chunked"}, chunks).json()
    assert (given["CONTENT_LENGTH"], given["body"]) == ("5", "hello")
    assert "HTTP_TRANSFER_ENCODING" not in given
    assert "HTTP_X_TRAILER" not in given


@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, b"zz\r\nhello\r\n0\r\n\r\n"), ({"content-length": "5"}, b"5\r\nhello\r\n0\r\n\r\n")],
    ids=["bad chunk size", "also a length"],
)
def test_ambiguous_chunked_body_is_refused(echo: Function, headers: dict[str, str], body: bytes) -> None:
    """A chunked body that is malformed, or also has a Content-Length, is answered 400 by the runtime."""
    assert echo.request("POST", "/", {"transfer-encoding": "chunked", **headers}, body).status == 400


def test_requests_run_at_the_same_time(echo: Function) -> None:
    """Requests run in parallel threads although wsgi.multithread says no, so module state must bear it."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: echo.request("GET", "/together"), range(4)))
    assert [answer.status for answer in answers] == [200] * 4
    assert answers[0].json()["wsgi.multithread"] is False


def test_what_a_request_logs_carries_its_number(echo: Function) -> None:
    """print, stderr and logging become log messages of their request; the runtime adds an access line."""
    before = len(echo.logs)
    echo.request("GET", "/log", {"x-vercel-internal-request-id": "4711"})
    lines = [(line.source, line.text) for line in echo.logs[before:] if line.request_id == 4711]
    assert lines[:3] == [("stdout", "printed\n"), ("stderr", "complained\n"), ("warn", "warned")]
    assert '"GET /log HTTP/1.1" 200' in lines[3][1]


def test_uncaught_exception_closes_the_connection(echo: Function) -> None:
    """An uncaught exception ends the connection without an answer, is logged, and spares the process."""
    with pytest.raises(FunctionError, match="RuntimeError: uncaught"):
        echo.request("GET", "/raise")
    assert echo.request("GET", "/").status == 200
