"""lib.tgauth.web.request: sizes, media types, query and credentials, before anything else is looked at."""

import io
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from lib.tgauth.errors import BodyTooLarge, MalformedRequest
from lib.tgauth.web.request import MAX_BODY, Request
from tests.site import APPS, COOKIE, METHODS, ORIGIN, OWN_PAGE, Site

# The relay is not there without its secret.
POSTS = [path for path in APPS if METHODS[path] == "POST" and path != "/telegram/relay"]


class Input(io.BytesIO):
    """A body that counts what is read of it."""

    asked = 0

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size >= 0, "reads to the end, which a server may never reach"
        self.asked += size
        return super().read(size)


def send_raw(
    site: Site, path: str, body: bytes, length: Any, media_type: str = "application/json", method: str = ""
) -> tuple[int, int]:
    """The status, and how many bytes of the body were asked for."""
    site.verify()
    environ = EnvironBuilder(method=method or METHODS[path], base_url=ORIGIN, headers=OWN_PAGE).get_environ()
    stream = Input(body)
    environ |= {"wsgi.input": stream, "CONTENT_LENGTH": length, "CONTENT_TYPE": media_type, "PATH_INFO": path}
    if length is None:
        del environ["CONTENT_LENGTH"]
    _, status, _ = run_wsgi_app(APPS[path], environ)
    return int(status[:3]), stream.asked


def test_large_bodies_are_refused_unread(site: Site) -> None:
    """Over 16 KiB is 413 from the Content-Length alone, on every endpoint and method that takes requests."""
    for path in APPS:
        for length in ("16385", "20000", "999999999", "1000000000", "9" * 100, "9" * 5000):
            assert send_raw(site, path, b"{}", length) == (413, 0), (path, length)


ODD_LENGTHS = [
    *(
        "abc",
        "-1",
        "+2",
        " 2",
        "2 ",
        "2\n",
        "0x2",
        "1e1",
        "2.0",
        "2,2",
        "٢",
        "²",
        "1_0",
        "None",
        "two",
        "\x00",
    )
]


def test_odd_content_lengths_are_malformed(site: Site) -> None:
    """A Content-Length that is not plain digits is 400, unread."""
    for path in APPS:
        for length in ODD_LENGTHS:
            assert send_raw(site, path, b"{}", length) == (400, 0), (path, length)


def test_short_bodies_are_malformed(site: Site) -> None:
    """A body that ends before its Content-Length is 400: half a request is not a request."""
    for path in APPS:
        for length in (3, 100, 16_384):
            assert send_raw(site, path, b"{}", str(length)) == (400, length), (path, length)


@pytest.mark.parametrize("length", [None, "", "0", "00"])
@pytest.mark.parametrize(
    ("path", "status"), [("/telegram/logout", 204), ("/telegram/refresh", 401), ("/health", 200)]
)
def test_without_content_length_there_is_no_body(
    site: Site, path: str, status: int, length: str | None
) -> None:
    """No Content-Length means no body, whatever could be read."""
    assert send_raw(site, path, b"x" * 100, length, media_type="") == (status, 0)


@pytest.mark.parametrize("length", [None, ""])
def test_a_body_whose_length_nobody_said(length: str | None) -> None:
    """It is read where the server ends it, as far as any body, and else refused: it is not nothing."""

    def body(data: bytes, **more: Any) -> tuple[bytes, int]:
        stream = Input(data)
        environ = {
            "REQUEST_METHOD": "POST",
            "wsgi.input": stream,
            "HTTP_TRANSFER_ENCODING": "chunked",
            **more,
        }
        if length is not None:
            environ["CONTENT_LENGTH"] = length
        return Request(environ).body, stream.asked

    ended = {"wsgi.input_terminated": True}
    assert body(b"{}", **ended) == (b"{}", MAX_BODY + 1)
    assert body(b"x" * MAX_BODY, **ended)[0] == b"x" * MAX_BODY
    with pytest.raises(BodyTooLarge):
        body(b"x" * (MAX_BODY + 1), **ended)
    with pytest.raises(MalformedRequest):
        body(b"{}")


@pytest.mark.parametrize("path", ["/telegram/login", "/telegram/start"])
@pytest.mark.parametrize("length", [None, "", "0"])
def test_an_empty_body_is_no_json(site: Site, path: str, length: str | None) -> None:
    """Where JSON is needed, an empty body of the right type is 400, and one of no type is 415."""
    assert send_raw(site, path, b"", length)[0] == 400
    assert send_raw(site, path, b"", length, media_type="")[0] == 415


def test_no_more_than_the_content_length_is_read(site: Site) -> None:
    """What follows the announced body is not part of it."""
    assert send_raw(site, "/telegram/start", b"{}garbage", "2") == (200, 2)


def test_the_limit_is_exact(site: Site) -> None:
    """16,384 bytes are read, 16,385 are not."""
    padded = b"{}" + b" " * (16_384 - 2)
    assert (
        site.start(json=None, body=padded, headers={**OWN_PAGE, "Content-Type": "application/json"}).status
        == 200
    )
    assert site.start(json=None, body=padded + b" ", headers=OWN_PAGE).code == "body_too_large"


MEDIA_TYPES = [
    "",
    "text/plain",
    "text/plain; charset=application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/json",
    "application/json+x",
    "application/problem+json",
    "application/jsonp",
    "application",
    "application/json, text/plain",
    "text/plain, application/json",
    "*/*",
    "x;application/json",
    "\x00application/json",
    "application/ json",
]


def test_other_media_types(both: Site) -> None:
    """A body that is not declared as JSON is 415 on every POST, so no HTML form's does anything."""
    token = both.login().token
    both.store.calls.clear()
    for path in POSTS:
        for media_type in MEDIA_TYPES:
            headers = {**OWN_PAGE, "Content-Type": media_type}
            answer = both.send("POST", path, json=both.widget(), cookie=token, headers=headers)
            assert (answer.status, answer.code) == (415, "unsupported_media_type"), (path, media_type)
    assert both.store.calls == []


JSON_TYPES = [
    "application/json",
    "application/json; charset=utf-8",
    "APPLICATION/JSON;charset=UTF-8",
    "application/json ;x=y",
]


def test_json_media_types(site: Site) -> None:
    """JSON may be declared with parameters and in any case."""
    for path in POSTS:
        for media_type in JSON_TYPES:
            body = site.widget() if path == "/telegram/login" else {}
            headers = {**OWN_PAGE, "Content-Type": media_type}
            answer = site.send("POST", path, json=body, cookie=site.login().token, headers=headers)
            assert answer.status in (200, 204), (path, media_type)


@pytest.mark.parametrize("path", ["/telegram/login", "/telegram/start"])
def test_what_is_no_json_object(site: Site, path: str) -> None:
    """What lib.tgauth.web.json refuses is 400 where JSON is read."""
    headers = {**OWN_PAGE, "Content-Type": "application/json"}
    for body in (b"[]", b"{a: 1}", b'{"id":1,"id":1}', b'{"a":"\xff"}', b"[" * 16_384):
        answer = site.send("POST", path, body=body, headers=headers)
        assert (answer.status, answer.code) == (400, "malformed_request"), body[:20]
    assert site.store.calls == []


def test_deep_json_over_the_size_is_too_large(site: Site) -> None:
    """200,000 brackets are refused by size, before any parser sees them."""
    headers = {**OWN_PAGE, "Content-Type": "application/json"}
    answer = site.send("POST", "/telegram/login", body=b"[" * 200_000, headers=headers)
    assert (answer.status, answer.code) == (413, "body_too_large")


@pytest.mark.parametrize("path", APPS)
def test_the_limit_of_addresses_is_exact(site: Site, path: str) -> None:
    """Path and query may have 8,192 bytes together, and 64 fields."""
    query = "x" * (8192 - len(path))

    def code(query: str) -> str | None:
        return site.send(METHODS[path], path, query=query, headers=OWN_PAGE).code

    fine = code("")
    assert code(query) == fine
    assert code(query + "x") == "uri_too_long"
    assert code("&".join(["a=1"] * 64)) == fine
    assert code("&".join(["a=1"] * 65)) == "malformed_request"
    long = site.send(METHODS[path], path, environ={"PATH_INFO": "/" * 8193})
    assert long.code in ("uri_too_long", "not_found")


def test_the_scheme_has_no_case(both: Site) -> None:
    """`Bearer` is compared without case (RFC 9110 §11.1)."""
    token = both.bearer_login().token
    for scheme in ("Bearer ", "bearer ", "BEARER   ", "bEaReR   "):
        assert both.verify(headers={"Authorization": f"{scheme}{token}"}).status == 200, scheme


MALFORMED_AUTHORIZATION = [
    " ",
    "Bearer",
    "Bearer ",
    "Bearer  ",
    "Basic",
    "Basic ",
    " Basic dXNlcjpwYXNz",
    "{token}",
    "Bearer{token}",
    "Bearer\t{token}",
    "Bearer\xa0{token}",
    "Bearer: {token}",
    "Bearer={token}",
    "Bearer {token} x",
    "Bearer {token},Bearer {token}",
    "Bearer {token}, Bearer {token}",
    "Bearer {token},",
    'Bearer "{token}"',
    "Bearer token={token}",
    "Bearer {token}\r\n",
    "Bearer {token}\n",
    " Bearer {token}",
    "Bearer =",
    "Bearer a=b",
    "Bearer é",
    "Bearer {token}\x00",
    "Bearer Bearer {token}",
    "Bearer {token}, Basic dXNlcjpwYXNz",
    "Basic dXNlcjpwYXNz, Bearer {token}",
    "Basic dXNlcjpwYXNz,\tbearer {token}",
    "Bearerx {token}",
    "é {token}",
]


def test_malformed_authorization(both: Site) -> None:
    """A header that is neither `Bearer` and one token nor of another scheme is 400, whatever the cookie."""
    bearer, cookie = both.bearer_login().token, both.login().token
    both.store.calls.clear()
    for form in MALFORMED_AUTHORIZATION:
        environ = {"HTTP_AUTHORIZATION": form.format(token=bearer)}
        for path in ("/telegram/verify", "/telegram/refresh", "/telegram/logout"):
            answer = both.send(METHODS[path], path, cookie=cookie, headers=OWN_PAGE, environ=environ)
            assert (answer.status, answer.code) == (400, "malformed_request"), (path, form)
            assert answer.header("Set-Cookie") is None
        assert both.login(environ=environ).code == "malformed_request", form
    assert both.store.calls == []


OTHER_AUTHORIZATION = [
    "",
    "Basic c3RhZ2luZzpwdw==",
    "basic  c3RhZ2luZzpwdw==",
    "Basic {token}",
    "Token {token}",
    "DPoP {token}",
    "Negotiate YII=",
    "Basic c3RhZ2luZzpwdw==, Digest x",
    'Digest username="é", realm="for bearer tokens", nonce="x", qop=auth',
]


@pytest.mark.parametrize("form", OTHER_AUTHORIZATION)
def test_another_scheme_is_not_ours(both: Site, form: str) -> None:
    """What a browser sends to whatever stands in front, or an empty header, leaves it to the cookie."""
    bearer, cookie = both.bearer_login().token, both.login().token
    environ = {"HTTP_AUTHORIZATION": form.format(token=bearer)}
    assert both.verify(cookie=cookie, environ=environ).json()["session"]["transport"] == "cookie"
    assert both.refresh(cookie=cookie, environ=environ).status == 200
    assert both.refresh(cookie=cookie, environ=environ, headers={}).code == "cross_site_blocked"
    both.store.calls.clear()
    assert both.verify(environ=environ).code == "unauthenticated"
    assert both.logout(environ=environ, headers={}).code == "cross_site_blocked"
    assert both.store.calls == []
    assert both.login(environ=environ).cookies.keys() == {COOKIE}
    ended = both.logout(cookie=cookie, environ=environ)
    assert (ended.status, ended.cookies) == (204, {COOKIE: ""})
    assert both.verify(bearer=bearer).status == 200


def test_authorization_with_a_token_of_nobody(both: Site) -> None:
    """A well-formed bearer token that opens nothing is 401 invalid_token, without asking the store."""
    for token in ("x", "tg0_", "tg1_" + "A" * 56 + "." + "A" * 43, "a.b.c", "~+/-._=="):
        answer = both.verify(bearer=token)
        assert (answer.status, answer.code) == (401, "invalid_session"), token
    assert both.store.calls == []


def test_with_a_bearer_token_the_cookie_does_not_count(both: Site) -> None:
    """A bearer token that opens nothing is not mended by a good cookie."""
    cookie = both.login().token
    assert both.verify(cookie=cookie, bearer="x").code == "invalid_session"
    assert both.refresh(cookie=cookie, bearer="x").code == "invalid_session"
    ended = both.logout(cookie=cookie, bearer="x")
    assert (ended.status, ended.header("Set-Cookie")) == (204, None)
    assert both.verify(cookie=cookie).status == 200


def test_tokens_in_the_query_or_body_are_ignored(both: Site) -> None:
    """A token is taken from a header only."""
    token = both.bearer_login().token
    for name in ("token", "access_token", "session", COOKIE, "bearer", "authorization"):
        assert both.verify(query=f"{name}={token}").code == "unauthenticated", name
        refreshed = both.refresh(query=f"{name}={token}", json={name: token})
        assert refreshed.code == "unauthenticated", name
        assert both.logout(query=f"{name}={token}", json={name: token}).status == 204, name
        assert both.verify(bearer=token).status == 200, name


def test_transports_do_not_mix(both: Site) -> None:
    """A cookie's token is worth nothing as a bearer token, and the reverse; neither is harmed by the try."""
    cookie, bearer = both.login().token, both.bearer_login().token
    before = both.store.sessions()
    both.store.calls.clear()
    both.clock.time += 50
    for path in ("/telegram/verify", "/telegram/refresh", "/telegram/sessions"):
        method = METHODS[path]
        assert both.send(method, path, bearer=cookie, headers=OWN_PAGE).code == "invalid_session"
        assert both.send(method, path, cookie=bearer, headers=OWN_PAGE).code == "invalid_session"
    assert both.send("HEAD", "/telegram/verify", bearer=cookie).status == 401
    assert both.send("HEAD", "/telegram/verify", cookie=bearer).status == 401
    # The token says how it travels, so nothing was asked and no expiry moved.
    assert both.store.calls == []
    assert both.store.sessions() == before
    assert both.verify(cookie=cookie).status == 200
    assert both.verify(bearer=bearer).status == 200
