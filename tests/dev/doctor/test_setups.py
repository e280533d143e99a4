"""Broken set-ups as owners have them, one a row: what the doctor says here, and of the site from outside."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import EllipsisType
from typing import Any, NamedTuple

import pytest
import responses
from dotenv import dotenv_values
from werkzeug.wrappers import Request, Response

import dev.doctor.__main__ as doctor
from dev.doctor.report import Check, Report
from dev.serve.process import ROOT
from dev.telegram.bot_api import refusal, success
from dev.telegram.serving import Serving, serving
from dev.upstash.faults import Fault
from dev.upstash.server import Upstash
from tests.certificates import Authority
from tests.contract.tools import start_valkey
from tests.dev.doctor.test_deployment import API_HEADERS, OIDC, SITE, deploy
from tests.dev.doctor.test_telegram import CLIENT_SECRET, ME, ORIGIN, TOKEN
from tests.sockets import redis_over_tls

CASES = ROOT / "tests/cases/platform"
QUOTED, COPIED, _ = (
    case["env"] for case in json.loads((CASES / "14_pasted_values.json").read_text())["cases"]
)
PREFIXED = {name: value or "" for name, value in dotenv_values(CASES / "07_prefix.env").items()}
OLD = "https://app-1x2y3z-team.vercel.app"
CHAT = -1001000000001
NO_UPSTASH = dict.fromkeys(("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"), ...)
CATCH_ALL = {"source": "/(.*)", "destination": "/index.html"}
HTML = {"body": "<!doctype html>", "content_type": "text/html"}

type Env = Mapping[str, str | EllipsisType]


class Scene(NamedTuple):
    """What can be broken: a tree, an Upstash in front of a real Valkey, and the simulated Telegram."""

    tree: Path
    upstash: Upstash
    telegram: Serving
    patch: pytest.MonkeyPatch
    stack: ExitStack

    def refuse(self, error: str, *commands: str) -> None:
        """Let the database answer these commands with an error."""
        run = self.upstash.run

        def refusing(path: str, sent: list[Any]) -> Any:
            return {"error": error} if sent[0][0] in commands else run(path, sent)

        self.patch.setattr(self.upstash, "run", refusing)

    def configure(self, **changes: object) -> None:
        """Change vercel.json."""
        config = json.loads((ROOT / "vercel.json").read_text()) | changes
        (self.tree / "vercel.json").write_text(json.dumps(config))


def rewritten(scene: Scene) -> None:
    scene.configure(rewrites=[CATCH_ALL, *json.loads((ROOT / "vercel.json").read_text())["rewrites"]])


def archived(scene: Scene) -> Env:
    """Its name is gone."""

    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if host == "gone.upstash.io":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **options)

    scene.patch.setattr(socket, "getaddrinfo", getaddrinfo)
    return {"UPSTASH_REDIS_REST_URL": "https://gone.upstash.io"}


def over_tls(scheme: str) -> Callable[[Scene], Env]:
    """A Redis with TLS, and a certificate of an authority that nobody was told of."""

    def build(scene: Scene) -> Env:
        authority = Authority(scene.tree)
        port = scene.stack.enter_context(redis_over_tls(authority.context("127.0.0.1")))
        return {**NO_UPSTASH, "REDIS_URL": f"{scheme}://default:password@127.0.0.1:{port}"}

    return build


def closed(_: Scene) -> Env:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return {**NO_UPSTASH, "REDIS_URL": f"redis://127.0.0.1:{port}"}


def down(problem: str) -> dict[str, Any]:
    return {"GET /health": {"json": {"status": "down", "store": None, "problem": problem}, "status": 503}}


def degraded(problem: str, store: str = "memory") -> dict[str, Any]:
    return {"GET /health": {"json": {"status": "degraded", "store": store, "problem": problem}}}


@dataclass(frozen=True)
class Setup:
    """A set-up, with the line that the doctor must say `here` and `outside`: name, status, part of the fix.

    `build` breaks what is not a variable, and may give variables too. From outside the site gives `answers`.
    """

    here: tuple[str, str, str] | None = None
    outside: tuple[str, str, str] | None = None
    env: Env = field(default_factory=dict)
    build: Callable[[Scene], Env | None] = lambda _: None
    answers: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = (SITE,)


SETUPS: dict[str, Setup] = {
    "an old Redis": Setup(
        ("redis-commands", "problem", "Redis 8 or Valkey 9.1"),
        ("health", "problem", "Redis 8 or Valkey 9.1"),
        build=lambda scene: scene.refuse("ERR unknown command 'HSETEX'", "HSETEX"),
        answers=down("store_too_old"),
    ),
    "a read-only token": Setup(
        ("redis-commands", "problem", "set the standard token"),
        ("health", "problem", "set the standard token"),
        build=lambda scene: scene.refuse("NOPERM this user has no permissions", "HSETEX"),
        answers=down("store_rights"),
    ),
    "a token of another database": Setup(
        ("redis", "problem", "from one database again"),
        ("health", "problem", "from the page of one database"),
        env={"UPSTASH_REDIS_REST_TOKEN": "of-another-database"},
        answers=down("store_credentials"),
    ),
    "a full database": Setup(
        ("redis-commands", "problem", "raise its plan"),
        ("health", "problem", "delete what else is in it"),
        build=lambda scene: scene.refuse("ERR DB capacity quota exceeded", "HSETEX"),
        answers=down("store_full"),
    ),
    "a quota that is used up": Setup(
        ("redis", "problem", "raise its plan"),
        ("health", "problem", "wait for the next month"),
        build=lambda scene: scene.upstash.fail(*[Fault("429")] * 9),
        answers=down("store_quota"),
    ),
    "an archived database": Setup(
        ("redis", "problem", "archived"),
        ("health", "problem", "archived"),
        build=archived,
        answers=down("store_unreachable"),
    ),
    "a closed port": Setup(
        ("redis", "problem", "look whether the server runs"),
        ("health", "problem", "says which of these it is"),
        build=closed,
        answers=down("store_unreachable"),
    ),
    "a certificate of one's own authority": Setup(
        ("redis", "problem", "SSL_CERT_FILE"),
        ("health", "problem", "says which of these it is"),
        build=over_tls("rediss"),
        answers=down("store_unreachable"),
    ),
    "a server that takes TLS alone": Setup(
        ("redis", "problem", "rediss://"),
        ("health", "problem", "says which of these it is"),
        build=over_tls("redis"),
        answers=down("store_unreachable"),
    ),
    "no Redis": Setup(
        ("redis", "warning", "set UPSTASH_REDIS_REST_URL"),
        ("health", "warning", "set UPSTASH_REDIS_REST_URL"),
        env=NO_UPSTASH,
        answers=degraded("memory"),
    ),
    "a prefix": Setup(
        ("look-alikes", "problem", "set KV_REST_API_URL and KV_REST_API_TOKEN"),
        ("health", "problem", "set KV_REST_API_URL"),
        env={**NO_UPSTASH, **PREFIXED},
        answers=degraded("memory_prefix"),
    ),
    "half a pair": Setup(
        ("settings", "problem", "set both"),
        ("health", "problem", "names the variable and the fix"),
        env={"UPSTASH_REDIS_REST_TOKEN": ...},
        answers=down("settings"),
    ),
    "a REST URL in REDIS_URL": Setup(
        ("settings", "problem", "set it as UPSTASH_REDIS_REST_URL"),
        ("health", "problem", "names the variable and the fix"),
        env={**NO_UPSTASH, "REDIS_URL": "https://a.upstash.io"},
        answers=down("settings"),
    ),
    "quotation marks": Setup(
        ("settings", "problem", "set the value without them"),
        ("health", "problem", "names the variable and the fix"),
        env=QUOTED,
        answers=down("settings"),
    ),
    "an origin without encryption": Setup(
        ("settings", "problem", "set https://host"),
        ("health", "problem", "names the variable and the fix"),
        env={"AUTH_ORIGIN": "http://example.com"},
        answers=down("settings"),
    ),
    "no origin": Setup(
        ("origin", "warning", "Enable access to System Environment Variables"),
        ("health", "problem", "Enable access to System Environment Variables"),
        env={"AUTH_ORIGIN": ...},
        answers=down("origin"),
    ),
    "an id of another bot": Setup(
        ("settings", "problem", "remove one of them"),
        ("health", "problem", "names the variable and the fix"),
        env={"TELEGRAM_BOT_ID": "42"},
        answers=down("settings"),
    ),
    "a name of another bot": Setup(
        ("bot-username", "problem", f"set TELEGRAM_BOT_USERNAME={ME['username']}"),
        env={"TELEGRAM_BOT_USERNAME": "another_bot"},
    ),
    "a revoked token": Setup(
        ("bot-token", "problem", "one from before a /revoke"),
        ("health", "problem", "one from before a /revoke"),
        env={"TELEGRAM_BOT_TOKEN": f"{ME['id']}:AAE-token_from_before"},
        answers=degraded("bot_token", "upstash"),
    ),
    "a wrong client secret": Setup(
        ("client-secret", "problem", "copy the Client Secret"),
        env={"TELEGRAM_CLIENT_SECRET": "client-secret-of-another"},
    ),
    "a chat that the bot is not in": Setup(
        ("require-chat", "problem", "docs/API.md#members-only"),
        ("health", "problem", "docs/API.md#members-only"),
        env={"TELEGRAM_REQUIRE_CHAT": str(CHAT - 1)},
        answers=degraded("chat", "upstash"),
    ),
    "a secret that was pasted": Setup(
        ("secret", "warning", "AUTH_SECRET=new,old"), env={"AUTH_SECRET": COPIED["AUTH_SECRET"]}
    ),
    "no secret": Setup(("secret", "warning", "AUTH_SECRET=new,<bot token>"), env={"AUTH_SECRET": ...}),
    "a catch-all before tgauth's rewrites": Setup(
        ("rewrites", "problem", "put it last"),
        ("reachable", "problem", "put it last"),
        build=rewritten,
        answers={"GET /health": HTML},
    ),
    "slashes at the end": Setup(
        ("rewrites", "problem", "take it out of vercel.json"),
        ("redirect", "problem", "trailingSlash"),
        build=lambda scene: scene.configure(trailingSlash=True),
        answers={"GET /health": {"status": 308, "headers": {"Location": "/health/"}}},
    ),
    "no rewrites": Setup(
        ("rewrites", "problem", '"source": "/telegram/…"'),
        ("reachable", "problem", "whether vercel.json has tgauth's rewrites"),
        build=lambda scene: scene.configure(rewrites=[]),
        answers={"GET /health": {"status": 404, "headers": {"X-Vercel-Error": "NOT_FOUND"}}},
    ),
    "a pyproject.toml for tools": Setup(
        ("layout", "problem", "remove pyproject.toml"),
        ("health", "problem", "names the variable and the fix"),
        build=lambda scene: (scene.tree / "pyproject.toml").write_text("[tool.ruff]\n") and None,
        answers=down("settings"),
    ),
    "Deployment Protection": Setup(
        outside=("protection", "problem", "VERCEL_AUTOMATION_BYPASS_SECRET"),
        answers={"GET /health": {"status": 401, "body": "<html>"}},
    ),
    "a name that redirects": Setup(
        outside=("redirect", "problem", "check https://www.example.com instead"),
        answers={"GET /health": {"status": 308, "headers": {"Location": "https://www.example.com/health"}}},
    ),
    "a name that no login comes back to": Setup(
        outside=("origin", "warning", f"set AUTH_ORIGIN={SITE}"),
        answers={
            "POST /telegram/start": {
                "json": json.loads(json.dumps(OIDC).replace(SITE, "https://other.example")),
                "headers": API_HEADERS,
            }
        },
    ),
    "no encryption": Setup(
        outside=("https", "problem", "check https://example.com instead"), arguments=("http://example.com",)
    ),
    "an earlier deployment": Setup(
        outside=("earlier", "problem", "Standard Protection"), arguments=(SITE, f"--old={OLD}")
    ),
}


@pytest.fixture(scope="module")
def upstash() -> Iterator[Upstash]:
    with start_valkey() as valkey, Upstash(valkey.port) as server:
        yield server


@pytest.fixture(scope="module")
def telegram() -> Iterator[Serving]:
    with serving(
        redirect_origin=ORIGIN, client_id=str(ME["id"]), client_secret=CLIENT_SECRET, bot_token=TOKEN
    ) as server:

        def get_me(asked: Request) -> Response:
            return success(ME) if TOKEN in asked.path else refusal(401, "Unauthorized")

        server.bot_api.faults["/getMe"] = get_me
        server.bot_api.faults["/getWebhookInfo"] = lambda _: success({"url": ""})
        yield server


@pytest.fixture
def scene(
    tmp_path: Path, upstash: Upstash, telegram: Serving, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """Everything as it should be; no variable of the machine's counts."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    shutil.copytree(ROOT / "api", tmp_path / "api", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "public").mkdir()
    (tmp_path / "public/index.html").touch()
    for name in ("requirements.txt", "vercel.json"):
        shutil.copy(ROOT / name, tmp_path)
    upstash.reset()
    with ExitStack() as stack:
        yield Scene(tmp_path, upstash, telegram, monkeypatch, stack)


def here(scene: Scene, setup: Setup) -> list[Check]:
    """What `make doctor` finds."""
    env: dict[str, str | EllipsisType] = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_CLIENT_SECRET": CLIENT_SECRET,
        "TELEGRAM_API_URL": scene.telegram.url,
        "TELEGRAM_OAUTH_URL": scene.telegram.url,
        "AUTH_ORIGIN": ORIGIN,
        "AUTH_SECRET": "pE3vDkYQm1z8RwTn0xHc6JbUa9sLfG2o",
        "UPSTASH_REDIS_REST_URL": scene.upstash.url,
        "UPSTASH_REDIS_REST_TOKEN": scene.upstash.token,
        **setup.env,
    }
    env |= setup.build(scene) or {}
    for name, value in env.items():
        if isinstance(value, str):
            scene.patch.setenv(name, value)
    return list(doctor.run(Report(), "", scene.tree))


def outside(setup: Setup) -> list[Check]:
    """What `make doctor URL=…` finds; OLD is a deployment that is all right."""
    report = Report()
    with (
        responses.RequestsMock(assert_all_requests_are_fired=False) as web,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(doctor, "Report", lambda: report)
        deploy(web, setup.arguments[0], **setup.answers)
        web.get(f"{OLD}/health", json={"status": "ok", "store": "upstash"})
        doctor.main([*setup.arguments])
    return report.checks


def wrong(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.status != "ok"]


def test_a_set_up_that_is_all_right(scene: Scene) -> None:
    """Nothing is wrong with what the rows below break."""
    found = here(scene, Setup())
    assert not wrong(found)
    assert {"redis-commands", "client-secret", "bot-token", "rewrites", "layout"} <= {
        check.name for check in found
    }
    assert not wrong(outside(Setup()))


def says(checks: list[Check], name: str, status: str, fix: str) -> bool:
    """Whether a line has all of it."""
    return any((check.name, check.status) == (name, status) and fix in check.fix for check in checks)


@pytest.mark.parametrize("name", [name for name, setup in SETUPS.items() if setup.here])
def test_here(scene: Scene, name: str) -> None:
    """`make doctor` names what is wrong with the settings or the tree, and the way out; no other problem."""
    expected = SETUPS[name].here
    found = here(scene, SETUPS[name])
    assert expected is not None
    assert says(found, *expected), wrong(found)
    problems = {check.name for check in found if check.status == "problem"}
    assert problems == ({expected[0]} if expected[1] == "problem" else set())


@pytest.mark.parametrize("name", [name for name, setup in SETUPS.items() if setup.outside])
def test_outside(name: str) -> None:
    """`make doctor URL=…` names what can be seen of it from outside, and the way out, and nothing else."""
    expected = SETUPS[name].outside
    found = outside(SETUPS[name])
    assert expected is not None
    assert says(found, *expected), wrong(found)
    assert {check.name for check in wrong(found)} == {expected[0]}
