"""lib.web.app: all functions as one application, by the rewrites of vercel.json."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder

import lib.sessions.service
import lib.settings
import lib.web.app
from lib.web.app import app, routes
from tests.unit.web.conftest import APPS, HOST, METHODS, ORIGIN, OWN_PAGE, Answer, Site

ROOT = Path(__file__).parents[3]
REWRITES = json.loads((ROOT / "vercel.json").read_text("utf-8"))["rewrites"]
SOURCES = [rewrite["source"] for rewrite in REWRITES]


def ask(site: Site, method: str, path: str, **request: Any) -> Answer:
    """One request to the application that has all functions."""
    lib.settings._settings = site.settings
    lib.sessions.service._service = site.service
    cookie = request.pop("cookie", None)
    headers = {"Host": HOST, **request.pop("headers", {})} | ({"Cookie": cookie} if cookie else {})
    answer = Client(app, use_cookies=False).open(
        base_url=ORIGIN,
        headers=headers,
        environ_overrides={"PATH_INFO": path, "REQUEST_METHOD": method, "REMOTE_ADDR": "198.51.100.77"},
        **request,
    )
    return Answer(answer.status_code, list(answer.headers), answer.get_data())


@pytest.mark.parametrize(
    ("source", "matching", "others"),
    [
        ("/notes/:id", ["/notes/1"], ["/notes", "/notes/", "/notes/1/2"]),
        ("/notes/:rest*", ["/notes", "/notes/1", "/notes/1/2"], ["/notes/", "/notesx", "/notes//1"]),
        ("/notes/:rest+/x.y", ["/notes/1/x.y", "/notes/1/2/x.y"], ["/notes/x.y", "/notes/1/xzy"]),
    ],
)
def test_addresses_of_the_owners_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, matching: list[str], others: list[str]
) -> None:
    """Segments by name, one or many; a rewrite to another site is no function."""
    config = tmp_path / "vercel.json"
    there = {"source": "/app/:path*", "destination": "https://example.com/app/:path*"}
    config.write_text(json.dumps({"rewrites": [there, {"source": source, "destination": "/api/health"}]}))
    monkeypatch.setattr(lib.web.app, "_CONFIG", config)
    ((pattern, _),) = routes()
    assert [path for path in matching if not pattern.fullmatch(path)] == []
    assert [path for path in others if pattern.fullmatch(path)] == []


def test_every_function_has_an_address() -> None:
    """vercel.json leads to each file in api/ and to nothing else, and the tests know all of them."""
    files = {f"/{path.relative_to(ROOT).with_suffix('')}" for path in (ROOT / "api").rglob("*.py")}
    assert {rewrite["destination"] for rewrite in REWRITES} == files
    assert {f"/api{path}" for path in APPS} == files
    assert [answering for _, answering in routes()] == [
        APPS[rewrite["destination"].removeprefix("/api")] for rewrite in REWRITES
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_every_address_answers_as_its_function(both: Site, source: str) -> None:
    """Through the one application each address answers as the function of its own does."""
    path = source.replace(":id", "A" * 16)
    own = path.removesuffix("/" + "A" * 16)
    for method in ("GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS"):
        for headers in ({}, {"X-Vercel-Id": "fra1::1"}, OWN_PAGE):
            headers = {**headers, "X-Vercel-Id": "fra1::1"}
            there = both.send(method, own, headers=headers, environ={"PATH_INFO": path})
            assert ask(both, method, path, headers=headers) == there
    hidden = ("/stats", "/telegram/relay")
    assert ask(both, METHODS[own], path).code != "not_found" or own in hidden or path != own


def test_a_whole_session(site: Site) -> None:
    """Login, verify, list, and logout through one process."""
    login = ask(site, "POST", "/telegram/login", json=site.widget(), headers=OWN_PAGE)
    cookie = f"__Host-tgauth={login.token}"
    assert ask(site, "GET", "/telegram/verify", cookie=cookie).json() == login.json()
    listed = ask(site, "GET", "/telegram/sessions", cookie=cookie).json()["sessions"]
    assert [device["id"] for device in listed] == [login.json()["session"]["id"]]
    assert ask(site, "POST", "/telegram/logout", cookie=cookie, headers=OWN_PAGE).status == 204
    assert ask(site, "GET", "/telegram/verify", cookie=cookie).code == "invalid_session"


UNKNOWN = [
    "",
    "/",
    "//",
    "/nothing",
    "/api",
    "/api/health",
    "/health/",
    "/health/x",
    "//health",
    "/Health",
    "/healthx",
    "/xhealth",
    "/telegram",
    "/telegram/",
    "/telegram/verify/",
    "/telegram/verify/x",
    "/telegram/sessions/",
    "/telegram/sessions/a/b",
    "/telegram/../health",
    "/%68ealth",
    "/health\n",
    "/health\x00",
    "/statsx",
    "/etc/passwd",
    "/lib/web/app.py",
    "/\xff",
]


@pytest.mark.parametrize("path", UNKNOWN, ids=ascii)
def test_unknown_addresses(site: Site, path: str) -> None:
    """What vercel.json does not name is a 404 problem with the headers of every answer."""
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        answer = ask(site, method, path)
        assert (answer.status, answer.code) == (404, "not_found")
        assert answer.header("Cache-Control") == "no-store"
        assert answer.header("Content-Security-Policy")
        assert answer.header("Content-Type") == "application/problem+json"
    head = ask(site, "HEAD", path)
    assert (head.status, head.body) == (404, b"")
    assert site.store.calls == []


def test_an_unknown_address_is_logged_without_its_path(
    site: Site, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """The path of a 404 is the client's text, so it is in no line."""
    ask(site, "GET", "/canary/path")
    (line,) = lines()
    assert (line["status"], line["code"]) == (404, "not_found")
    assert "canary" not in str(line)


def test_a_path_that_is_missing(site: Site) -> None:
    """WSGI allows an empty PATH_INFO to be left out."""
    lib.settings._settings = site.settings
    seen: list[str] = []
    environ = EnvironBuilder(base_url=ORIGIN).get_environ()
    del environ["PATH_INFO"]
    list(app(environ, lambda status, *_: seen.append(status)))  # type: ignore[arg-type,func-returns-value,return-value]
    assert seen == ["404 Not Found"]
