"""lib.tgauth.routes and lib.tgauth.wsgi: all endpoints as one application, and where each of them is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder

import lib.tgauth.sessions.service
import lib.tgauth.settings
from lib.tgauth.routes import ROUTES
from lib.tgauth.wsgi import app
from tests.site import APPS, HOST, METHODS, ORIGIN, OWN_PAGE, Answer, Site

ROOT = Path(__file__).parents[2]
REWRITES = json.loads((ROOT / "vercel.json").read_text("utf-8"))["rewrites"]
SOURCES = [rewrite["source"] for rewrite in REWRITES]


def ask(site: Site, method: str, path: str, **request: Any) -> Answer:
    """One request to the application that has all functions."""
    lib.tgauth.settings._settings = site.settings
    lib.tgauth.sessions.service._service = site.service
    cookie, mount = request.pop("cookie", None), request.pop("mount", "")
    headers = {"Host": HOST, **request.pop("headers", {})} | ({"Cookie": cookie} if cookie else {})
    answer = Client(app, use_cookies=False).open(
        base_url=ORIGIN,
        headers=headers,
        environ_overrides={
            "SCRIPT_NAME": mount,
            "PATH_INFO": path,
            "REQUEST_METHOD": method,
            "REMOTE_ADDR": "198.51.100.77",
        },
        **request,
    )
    return Answer(answer.status_code, list(answer.headers), answer.get_data())


def test_the_table_and_vercel_json_say_the_same() -> None:
    """Each address leads to the function that has its endpoint, and each file in api/ has an address."""
    rewrites = {rewrite["source"].replace(":id", "{id}"): rewrite["destination"] for rewrite in REWRITES}
    assert rewrites == {
        path: "/api/status" if path in ("/health", "/stats") else f"/api/telegram/{name}"
        for path, name in ROUTES.items()
    }
    files = {f"/{path.relative_to(ROOT).with_suffix('')}" for path in (ROOT / "api").rglob("*.py")}
    assert {*rewrites.values()} == files
    assert APPS.keys() == {path for path in ROUTES if "{" not in path}


@pytest.mark.parametrize("name", sorted({*ROUTES.values()}))
def test_an_endpoint_logs_its_address(
    site: Site, name: str, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """The route in the log is the address in the table, whatever was asked for."""
    path = next(path for path, module in ROUTES.items() if module == name)
    ask(site, "OPTIONS", path)
    assert lines()[-1]["route"] == path


@pytest.mark.parametrize(
    ("mount", "path", "status"),
    [
        ("", "/telegram/verify", 401),
        ("", "/telegram/verify/", 401),
        ("/telegram", "/verify", 401),
        ("/telegram", "/verify/", 401),
        ("/telegram", "/sessions", 401),
        ("/telegram", "/health", 404),
        ("/telegram", "/telegram/verify", 404),
        ("/telegram", "", 404),
        ("/auth", "/telegram/verify", 404),
        ("/auth/telegram", "/verify", 404),
        ("/telegram/", "/verify", 404),
        ("/telegram/sessions", "", 404),
        ("/health", "", 404),
    ],
)
def test_mounted(site: Site, mount: str, path: str, status: int) -> None:
    """At the root or mounted at /telegram every address is the same; below another prefix there is none."""
    assert ask(site, "GET", path, mount=mount).status == status


def test_a_session_is_named_where_it_is_mounted(site: Site) -> None:
    """The id in the path is found below the mount, too."""
    made = site.login()
    cookie, slot = f"__Host-tgauth={made.token}", made.json()["session"]["id"]
    other = site.login().json()["session"]["id"] if site.shared else slot
    answer = ask(site, "DELETE", f"/sessions/{other}", mount="/telegram", cookie=cookie, headers=OWN_PAGE)
    assert answer.status in (204, 503)
    assert ask(site, "GET", f"/sessions/{slot}", mount="/telegram", cookie=cookie).status == 404


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
    "/health/x",
    "//health",
    "/Health",
    "/healthx",
    "/xhealth",
    "/telegram",
    "/telegram/",
    "/telegram/verify/x",
    "/telegram/sessions/a/b",
    "/telegram/../health",
    "/%68ealth",
    "/health\n",
    "/health\x00",
    "/statsx",
    "/etc/passwd",
    "/lib/tgauth/wsgi.py",
    "/\xff",
]


@pytest.mark.parametrize("path", UNKNOWN, ids=ascii)
def test_unknown_addresses(site: Site, path: str) -> None:
    """What is not in the table is a 404 problem with the headers of every answer."""
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
    lib.tgauth.settings._settings = site.settings
    seen: list[str] = []
    environ = EnvironBuilder(base_url=ORIGIN).get_environ()
    del environ["PATH_INFO"]
    list(app(environ, lambda status, *_: seen.append(status)))  # type: ignore[arg-type,func-returns-value,return-value]
    assert seen == ["404 Not Found"]
