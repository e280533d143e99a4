"""docs/examples/*.py, each as a function of its own in Vercel's runtime."""

import json
import re
from typing import Any

import pytest

from dev.vercel.proxy import HOST, Response
from tests.examples.conftest import EXAMPLES, NO_STORE, Start
from tests.site import COOKIE, OWN_PAGE, USER, Site

JSON = {"content-type": "application/json"}
ORIGIN = f"https://{HOST}"

# Variable, path, and what is sent with a POST.
WORKS: dict[str, tuple[str, str, str]] = {
    "vercel_function": ("app", "/api/hello", "/api/hello"),
    "vercel_handler": ("handler", "/api/me", "/api/me"),
    "fastapi_dependency": ("app", "/notes", "/notes?text=first"),
    "flask_decorator": ("app", "/notes", "/notes"),
}
pytestmark = pytest.mark.slow
EVERY = pytest.mark.parametrize("example", WORKS)


def ask(
    start: Start,
    example: str,
    method: str = "GET",
    *,
    cookie: str | None = None,
    bearer: str | None = None,
    env: Any = None,
    **headers: str,
) -> Response:
    """One request to the example; a POST has a body that all of them take."""
    variable, reading, writing = WORKS[example]
    # Uvicorn, which runs FastAPI, keeps a connection open otherwise, and here its end is the answer's.
    sent = {"connection": "close", **{name.replace("_", "-"): value for name, value in headers.items()}}
    sent |= {"cookie": f"theme=dark; {COOKIE}={cookie}"} if cookie else {}
    sent |= {"authorization": f"Bearer {bearer}"} if bearer else {}
    body = json.dumps({"text": "first"}).encode() if method == "POST" else b""
    path = writing if method == "POST" else reading
    return start(example, variable, env).request(method, path, {**sent, **(JSON if body else {})}, body)


def test_every_example_is_here() -> None:
    """No file goes without a test, and the list of them names each."""
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(WORKS)
    listed = re.findall(r"\]\(([\w.]+)\)", (EXAMPLES / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in EXAMPLES.iterdir() if path.name != "README.md")


@EVERY
def test_who_is_logged_in(start: Start, site: Site, example: str) -> None:
    """Cookie and bearer token both say who it is, and nobody else may keep the answer."""
    for carried in ({"cookie": site.login().token}, {"bearer": site.bearer_login().token}):
        answer = ask(start, example, **carried)  # type: ignore[arg-type]
        assert answer.status == 200, answer.body
        assert answer.all("Cache-Control") == ["no-store"]
        if example != "fastapi_dependency":
            assert answer.json()["id"] == USER["id"]


@EVERY
def test_nobody(start: Start, site: Site, example: str) -> None:
    """Without a session, and with one that has ended or was forged: 401 with a challenge."""
    token = site.login().token
    for carried in ({}, {"cookie": "x"}, {"cookie": token[:-2]}, {"bearer": token}, {"bearer": "x"}):
        for method in ("GET", "POST"):
            answer = ask(start, example, method, **carried, **OWN_PAGE)  # type: ignore[arg-type]
            assert answer.status == 401, answer.body
            assert (answer.header("WWW-Authenticate") or "").startswith('Bearer realm="tgauth"')
            assert answer.all("Cache-Control") == ["no-store"]
            assert answer.all("Set-Cookie") == []


@EVERY
def test_changes_from_our_own_pages(start: Start, site: Site, example: str) -> None:
    """A POST with the cookie comes from a page of this site; bearer tokens come from anywhere."""
    cookie, bearer = site.login().token, site.bearer_login().token
    for sent in (OWN_PAGE, {"Origin": ORIGIN}):
        assert ask(start, example, "POST", cookie=cookie, **sent).status in (200, 201)
    other = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert ask(start, example, "POST", bearer=bearer, **other).status in (200, 201)
    for sent in (other, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {}):
        assert ask(start, example, "POST", cookie=cookie, **sent).status in (401, 403), sent


@EVERY
def test_while_it_is_not_known(start: Start, site_with_store: Site, example: str) -> None:
    """A store that does not answer is 503 for members, who stay logged in, and 401 for strangers."""
    for carried in (
        {"cookie": site_with_store.login().token},
        {"bearer": site_with_store.bearer_login().token},
    ):
        answer = ask(start, example, env=NO_STORE, **carried)
        assert answer.status == 503, answer.body
        assert answer.header("Retry-After") == "5"
        assert answer.all("Cache-Control") == ["no-store"]
        assert answer.all("Set-Cookie") == []
        assert b"store_unavailable" in answer.body
    assert ask(start, example, env=NO_STORE, cookie="x").status == 401


def test_the_functions_own_manners(start: Start, site: Site) -> None:
    """HEAD, other methods, and bodies that are none are answered as tgauth's own functions do."""
    bearer = site.bearer_login().token
    head = ask(start, "vercel_function", "HEAD", bearer=bearer)
    assert (head.status, head.body) == (200, b"")
    wrong = ask(start, "vercel_function", "DELETE", bearer=bearer)
    assert (wrong.status, wrong.header("Allow")) == (405, "GET, HEAD, OPTIONS, POST")
    function = start("vercel_function")
    headers = {"authorization": f"Bearer {bearer}", **JSON}
    for body, status in ((b"{}", 400), (b"[]", 400), (b"{", 400), (b'{"text": "x"}', 201)):
        assert function.request("POST", "/api/hello", headers, body).status == status
    assert '"route":"/api/hello"' in function.log_text


def test_fastapi_keeps_people_apart(start: Start, site: Site) -> None:
    """What one writes the other does not read."""
    one, two = site.bearer_login().token, site.login({**site.widget(id=5), "transport": "bearer"}).token
    assert ask(start, "fastapi_dependency", "POST", bearer=one).json()[-1] == "first"
    assert ask(start, "fastapi_dependency", bearer=two).json() == []
