"""What a function imports is its cold start: the heavy libraries stay out where they are not needed."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import packages_distributions
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import urlencode

import pytest

from dev.telegram.serving import Serving, serving
from dev.telegram.signing import sign_init_data, sign_widget
from dev.telegram.users import USERS

ROOT = Path(__file__).resolve().parents[2]
BOT_TOKEN = "987654321:AAimportsabcdefghijklmnopqrstuvwxyz"
ORIGIN = "https://tgauth.example"
ENV = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "AUTH_ORIGIN": ORIGIN,
    "TELEGRAM_API_URL": "http://127.0.0.1:9",
    "AUTH_RELAY_SECRET": "imports-relay-secret-0123456789-0123",
    "AUTH_RELAY_HOSTS": "app-*-team.vercel.app",
}
CLIENT_SECRET = "imports-client-secret-0123456789"
OIDC = {"TELEGRAM_CLIENT_SECRET": CLIENT_SECRET}
HEAVY = {
    "pydantic",
    "pydantic_core",
    "jwt",
    "cryptography",
    "redis",
    "httpx",
    "httpcore",
    "upstash_redis",
    "requests",
    "werkzeug",
    "itsdangerous",
    "publicsuffixlist",
}

# What a deployed function has no use for.
TOOLS = {"dev", "tests", "pytest", "hypothesis", "vercel_runtime"}

# Runs in a process of its own. For each line: import the function, serve one request as an instance that has
# just started, where there is one, and say what is loaded when.
PROGRAM = """
import importlib, io, json, os, sys

answers, sys.stdout = sys.stdout, sys.stderr
before = set(sys.modules)
for line in sys.stdin:
    method, module, env, headers, body = json.loads(line)
    os.environ.clear()
    os.environ.update(env)
    app = importlib.import_module(module).app
    answer = {"imported": sorted(set(sys.modules) - before)}
    for name, kept in (("lib.tgauth.settings", "_settings"), ("lib.tgauth.sessions.service", "_service")):
        if name in sys.modules:
            setattr(sys.modules[name], kept, None)

    def start_response(status, headers, exc_info=None):
        answer.update(status=int(status[:3]), headers=headers)
        return lambda data: None

    environ = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "QUERY_STRING": "", "SERVER_NAME": "x",
        "SERVER_PORT": "443", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "tgauth.example",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "https", "wsgi.errors": sys.stderr,
        "wsgi.input": io.BytesIO(body.encode()),
        "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body.encode())), **headers,
    }
    if method:
        answer["body"] = b"".join(app(environ, start_response)).decode()
    answer["served"] = sorted(set(sys.modules) - before)
    print(json.dumps(answer), file=answers, flush=True)
"""

type Serve = Callable[..., dict[str, Any]]


@contextmanager
def process() -> Iterator[Serve]:
    """A process in which functions are imported and serve requests, one after the other."""
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert running.stdin
    assert running.stdout
    asked, answers = running.stdin, running.stdout

    def serve(
        module: str,
        method: str = "POST",
        body: Any = None,
        *,
        path: str = "/",
        env: Mapping[str, str] | None = None,
        **headers: str,
    ) -> dict[str, Any]:
        """`imported` and `served` are the modules that are loaded before and after; no method, no request."""
        headers = {"HTTP_SEC_FETCH_SITE": "same-origin", "PATH_INFO": path} | headers
        text = "" if body is None else json.dumps(body)
        asked.write(json.dumps([method, module, {**ENV, **(env or {})}, headers, text]) + "\n")
        asked.flush()
        answer: dict[str, Any] = json.loads(answers.readline())
        answer["json"] = json.loads(answer["body"]) if answer.get("body") else None
        return answer

    limit = Timer(60, running.kill)
    limit.start()
    try:
        with running:
            yield serve
    finally:
        limit.cancel()


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """A process for all that needs nothing heavy: the first test after which it is loaded fails."""
    with process() as found:
        yield found


def packages(modules: list[str]) -> set[str]:
    """The top-level packages among modules."""
    return {module.partition(".")[0] for module in modules}


def widget() -> dict[str, Any]:
    return dict(sign_widget({"id": 5, "first_name": "Ann", "auth_date": int(time.time())}, BOT_TOKEN))


def init_data() -> str:
    return sign_init_data({"user": {"id": 5, "first_name": "Ann"}, "auth_date": int(time.time())}, BOT_TOKEN)


@pytest.fixture(scope="module")
def bearer(serve: Serve) -> str:
    """A session's token, made by a login at another instance."""
    token: str = serve("api.telegram.login", body={**widget(), "transport": "bearer"})["json"]["token"]
    return f"Bearer {token}"


def light(answer: dict[str, Any]) -> None:
    """Nothing heavy is loaded, neither by importing the function nor by serving the request."""
    assert packages(answer["imported"]) & HEAVY == set()
    assert packages(answer["served"]) & (HEAVY | TOOLS) == set()
    assert "lib" in packages(answer["imported"])


REQUESTS = [
    ("api.telegram.verify", "GET", "/telegram/verify", 200),
    ("api.telegram.refresh", "POST", "/telegram/refresh", 200),
    ("api.telegram.logout", "POST", "/telegram/logout", 204),
    ("api.telegram.sessions", "GET", "/telegram/sessions", 200),
    ("api.telegram.sessions", "DELETE", "/telegram/sessions", 503),
    ("api.status", "GET", "/health", 200),
    ("api.status", "GET", "/stats", 404),
    ("api.status", "PUT", "/health", 405),
    ("api.telegram.start", "POST", "/telegram/start", 400),
    ("api.telegram.callback", "POST", "/telegram/callback", 405),
    ("api.telegram.callback", "GET", "/telegram/callback", 401),
    ("api.telegram.login", "PUT", "/telegram/login", 405),
    ("api.telegram.login", "POST", "/telegram/login", 400),
]


@pytest.mark.parametrize(("module", "method", "path", "status"), REQUESTS)
def test_what_needs_nothing_heavy(
    serve: Serve, bearer: str, module: str, method: str, path: str, status: int
) -> None:
    """Nothing heavy is needed to serve a session of another instance, to say who is well, or to refuse."""
    body = {"x": 1} if method == "POST" else None
    answer = serve(module, method, body, path=path, HTTP_AUTHORIZATION=bearer)
    assert answer["status"] == status
    light(answer)


def test_stats(serve: Serve) -> None:
    """Nor is it to count."""
    token = "imports-admin-token-0123456789-0123456789"
    env = {"ADMIN_TOKEN": token}
    answer = serve("api.status", "GET", path="/stats", env=env, HTTP_AUTHORIZATION=f"Bearer {token}")
    assert (answer["status"], answer["json"]["store"]) == (200, "memory")
    light(answer)


STORES = {
    "upstash": (
        {"UPSTASH_REDIS_REST_URL": "http://127.0.0.1:{}", "UPSTASH_REDIS_REST_TOKEN": "t"},
        # It imports httpx, which lib/tgauth/store/upstash.py puts off for good.
        {"upstash_redis"},
    ),
    # redis-py looks whether cryptography is there, and loads no more than its name.
    "redis": ({"REDIS_URL": "redis://127.0.0.1:{}"}, {"redis", "cryptography"}),
}
FUNCTIONS = {
    "api.status": ("GET", "/health", 503),
    "api.telegram.login": ("POST", "/telegram/login", 503),
    "api.telegram.verify": ("GET", "/telegram/verify", 401),
    "api.telegram.sessions": ("GET", "/telegram/sessions", 401),
}


@pytest.mark.parametrize(("env", "loads"), STORES.values(), ids=STORES)
def test_only_the_client_in_use_is_loaded(env: dict[str, str], loads: set[str]) -> None:
    """Each store's client is loaded where its credentials are set, and not before a request needs it."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    env = {name: value.format(port) for name, value in env.items()}
    with process() as serve:
        for module in FUNCTIONS:
            assert packages(serve(module, "", env=env)["served"]) & HEAVY == set()
        for module, (method, path, status) in FUNCTIONS.items():
            body = {**widget(), "transport": "bearer"} if method == "POST" else None
            answer = serve(module, method, body, path=path, env=env, HTTP_AUTHORIZATION="Bearer x")
            assert packages(answer["served"]) & HEAVY == loads
            assert not [name for name in answer["served"] if name.startswith("cryptography.hazmat.bindings")]
            assert answer["status"] == status


@pytest.mark.parametrize(
    "env",
    [
        {"UPSTASH_REDIS_REST_URL": "https://x.upstash.io"},
        {"KV_REST_API_TOKEN": "t"},
        {"KV_REST_API_READ_ONLY_TOKEN": "t"},
        {"REDIS_URL": "nonsense"},
    ],
    ids=lambda env: next(iter(env)),
)
def test_credentials_that_cannot_be_used_load_no_client(serve: Serve, env: dict[str, str]) -> None:
    """Half a pair, a read-only token or a URL that is none is told without loading anything."""
    answer = serve("api.status", "GET", path="/health", env=env)
    assert answer["status"] == (200 if "KV_REST_API_READ_ONLY_TOKEN" in env else 503)
    light(answer)


@pytest.mark.parametrize("env", [{}, OIDC], ids=["widget", "oidc"])
def test_start(serve: Serve, env: dict[str, str]) -> None:
    """Start needs nothing heavy to tell a page how to log in, or to send a browser to Telegram."""
    answer = serve("api.telegram.start", body={}, env=env)
    assert (answer["status"], answer["json"]["methods"]) == (200, ["oidc", "widget"] if env else ["widget"])
    light(answer)
    answer = serve("api.telegram.start", "GET", env=env)
    location = dict(answer["headers"])["Location"]
    assert (answer["status"], location.startswith("https://oauth.telegram.org/auth?")) == (303, bool(env))
    light(answer)


@pytest.fixture(scope="module")
def begun(serve: Serve) -> dict[str, str]:
    """State and cookie of a login that was begun at another instance."""
    answer = serve("api.telegram.start", body={}, env=OIDC)
    cookie = dict(answer["headers"])["Set-Cookie"].partition(";")[0]
    return {"state": answer["json"]["state"], "cookie": cookie}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=x&state=AAAAAAAAAAAAAAAAAAAAAAAA",
        "code=x&code=x",
        "error=access_denied&state=STATE",
        "error=server_error&state=STATE",
        "code=%0A&state=STATE",
        "code=x&iss=https://evil.example&state=STATE",
    ],
)
def test_a_refused_callback(serve: Serve, begun: dict[str, str], query: str) -> None:
    """Who comes back without a code and a state of their own costs no HTTP client and no cryptography."""
    answer = serve(
        "api.telegram.callback",
        "GET",
        env=OIDC,
        QUERY_STRING=query.replace("STATE", begun["state"]),
        HTTP_COOKIE=begun["cookie"],
        HTTP_ACCEPT="text/html" if "denied" in query else "*/*",
    )
    expected = {"denied": 303, "server_error": 503}
    assert answer["status"] == next((code for sign, code in expected.items() if sign in query), 401)
    light(answer)


@pytest.mark.parametrize("env", [{}, OIDC], ids=["widget", "oidc"])
def test_the_widgets_redirect(serve: Serve, begun: dict[str, str], env: dict[str, str]) -> None:
    """Nothing heavy is needed to log in by it, to ask first, or to begin where nothing came."""
    queries = {
        urlencode({**widget(), "state": begun["state"]}): "/",
        urlencode(widget()): "/confirm.html#",
        "": "https://oauth.telegram.org/auth?" if env else "/",
    }
    for query, location in queries.items():
        answer = serve("api.telegram.login", "GET", env=env, QUERY_STRING=query, HTTP_COOKIE=begun["cookie"])
        assert (answer["status"], dict(answer["headers"])["Location"].startswith(location)) == (303, True)
        light(answer)


@pytest.fixture(scope="module")
def telegram() -> Iterator[Serving]:
    """A simulated Telegram that the processes can reach."""
    with serving(
        redirect_origin=ORIGIN, client_id=BOT_TOKEN.partition(":")[0], client_secret=CLIENT_SECRET
    ) as running:
        yield running


@pytest.fixture(scope="module")
def openid() -> Iterator[Serve]:
    """A process for what checks an id_token."""
    with process() as found:
        yield found


OPENID = {"cryptography"}


def test_login_with_an_id_token(openid: Serve, telegram: Serving) -> None:
    """What checks an id_token is loaded when one comes, and neither redis-py nor Upstash's client with it."""
    provider = telegram.provider
    body = {"id_token": provider.sign(provider.claims(USERS[100000001])), "transport": "bearer"}
    answer = openid("api.telegram.login", body=body, env={**OIDC, "TELEGRAM_OAUTH_URL": telegram.url})
    assert (answer["status"], answer["json"]["user"]["id"]) == (200, 100000001)
    assert packages(answer["served"]) & HEAVY == OPENID


def test_login_with_a_code(openid: Serve, telegram: Serving) -> None:
    """The same for a callback that brings a code with a state of this browser."""
    env = {**OIDC, "TELEGRAM_OAUTH_URL": telegram.url}
    started = openid("api.telegram.start", body={}, env=env)
    url, state = started["json"]["oidc_url"], started["json"]["state"]
    challenge = url.partition("code_challenge=")[2].partition("&")[0]
    code = telegram.provider.code_for(USERS[100000001], challenge=challenge)
    answer = openid(
        "api.telegram.callback",
        "GET",
        env=env,
        QUERY_STRING=f"code={code}&state={state}",
        HTTP_COOKIE=dict(started["headers"])["Set-Cookie"].partition(";")[0],
    )
    assert (answer["status"], dict(answer["headers"])["Location"]) == (303, "/")
    assert packages(answer["served"]) & HEAVY == OPENID


def test_login_with_the_widget(serve: Serve) -> None:
    """A widget's login pays for no validator and no cryptography."""
    answer = serve("api.telegram.login", body=widget())
    assert (answer["status"], answer["json"]["user"]["id"]) == (200, 5)
    light(answer)


def test_login_with_init_data(serve: Serve) -> None:
    """Neither does a Mini App's login, by the bot's token."""
    answer = serve("api.telegram.login", body={"init_data": init_data()})
    assert (answer["status"], answer["json"]["user"]["id"]) == (200, 5)
    light(answer)


def installed(file: str) -> set[str]:
    """The packages that a requirements file names, as pip spells their names."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    names = (line.partition("==")[0] for line in lines if "==" in line)
    return {name.partition("[")[0].lower().replace("_", "-") for name in names}


@pytest.mark.parametrize(
    ("files", "modules"),
    [
        (
            ("requirements.txt",),
            ["lib.tgauth.wsgi", "lib.tgauth.telegram.provider", "lib.tgauth.store.redis"],
        ),
        (
            ("requirements.txt", "dev/requirements.txt"),
            [
                "dev.serve",
                "dev.telegram.app",
                "dev.telegram.oidc",
                "dev.telegram.bot_api",
                "lib.tgauth.wsgi",
                "lib.tgauth.telegram.provider",
            ],
        ),
    ],
    ids=["functions", "make dev"],
)
def test_nothing_is_imported_that_is_not_installed(files: tuple[str, ...], modules: list[str]) -> None:
    """Tests have more installed than a deployed function, or `make dev`; neither may come to need it."""
    there = set().union(*map(installed, files))
    hidden = [
        name
        for name, distributions in packages_distributions().items()
        if not there & {one.lower().replace("_", "-") for one in distributions}
    ]
    program = f"""
import importlib, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
for name in {modules}:
    importlib.import_module(name)
"""
    assert {"pytest", "hypothesis"} <= set(hidden)
    env = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", **ENV}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
