"""The log: one JSON line a request, with what the owner needs and nothing that anybody else could use."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lib.tgauth import log
from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.sessions.service import SessionService
from tests.site import (
    APPS,
    BOT_TOKEN,
    ENV,
    METHODS,
    OTHER_BOT_TOKEN,
    OWN_PAGE,
    USER,
    Clock,
    Site,
    in_parallel,
    named,
    send,
)

ROOT = Path(__file__).parents[3]
Lines = Callable[[], list[dict[str, Any]]]

ALWAYS = {
    "time",
    "level",
    "event",
    "request_id",
    "route",
    "method",
    "status",
    "dur_ms",
    "ua_family",
    "env",
    "ip_ref",
}
SESSION = {"user_ref", "session_ref", "device_id", "auth_path"}
PROBLEM = {"code", "reason"}

EVENTS: dict[str, tuple[Callable[[Site], Any], str, str, set[str]]] = {
    "login": (lambda s: s.login(), "authn_login_success", "info", SESSION),
    "login initData": (lambda s: s.bearer_login(), "authn_login_success", "info", SESSION),
    "verify": (lambda s: s.verify(cookie=s.login().token), "request", "info", SESSION),
    "refresh": (lambda s: s.refresh(cookie=s.login().token), "session_renewed", "info", SESSION),
    "logout": (lambda s: s.logout(cookie=s.login().token), "authn_token_revoked", "info", set()),
    "logout nobody": (lambda s: s.logout(), "request", "info", set()),
    "start": (lambda s: s.start(), "login_started", "info", set()),
    "start, going there": (lambda s: s.go("/telegram/start"), "request", "info", set()),
    "callback": (lambda s: s.go("/telegram/callback"), "authn_login_fail", "warning", PROBLEM),
    "health": (lambda s: s.send("GET", "/health"), "request", "info", set()),
    "sessions": (lambda s: s.devices(cookie=s.login().token), "request", "info", set()),
    "end nobody's": (lambda s: s.end(), "request", "info", PROBLEM),
    "end no id": (lambda s: s.end("x", cookie=s.login().token), "request", "info", PROBLEM),
    "end misspelt": (
        lambda s: s.end(query="keep=x", cookie=s.login().token),
        "input_validation_fail",
        "warning",
        PROBLEM,
    ),
    "stats": (lambda s: s.send("GET", "/stats"), "request", "info", PROBLEM),
    "options": (lambda s: s.send("OPTIONS", "/telegram/login"), "request", "info", set()),
    "nobody": (lambda s: s.verify(), "request", "info", PROBLEM),
    "invalid": (lambda s: s.verify(cookie="x"), "session_invalid", "warning", PROBLEM),
    "rejected": (lambda s: s.login(s.widget(OTHER_BOT_TOKEN)), "authn_login_fail", "warning", PROBLEM),
    "stale": (lambda s: s.login(s.widget(auth_date=1)), "authn_login_fail", "warning", PROBLEM),
    "cross-site": (lambda s: s.login(headers={}), "malicious_csrf", "warning", PROBLEM),
    "malformed": (lambda s: s.start(json=[]), "input_validation_fail", "warning", PROBLEM),
    "too large": (lambda s: s.start(json="x" * 20_000), "input_validation_fail", "warning", PROBLEM),
    "too long": (lambda s: s.verify(query="x" * 9000), "input_validation_fail", "warning", PROBLEM),
    "wrong type": (
        lambda s: s.start(headers={"Content-Type": "x/y"}),
        "input_validation_fail",
        "warning",
        PROBLEM,
    ),
    "wrong method": (lambda s: s.send("PUT", "/health"), "request", "warning", PROBLEM),
}


def test_one_line_a_request(both: Site, lines: Lines) -> None:
    """Each request writes exactly one line: what happened, under which name, and with these fields only."""
    for name, (request, event, level, more) in EVENTS.items():
        with named(name):
            answer = request(Site(Clock(), shared=both.shared))
            *before, line = lines()
            assert len(before) <= 1
            assert all(other["event"] == "authn_login_success" for other in before)
            assert (line["event"], line["level"], line["status"]) == (event, level, answer.status)
            assert set(line) == ALWAYS | more
            assert line["env"] == "production"
            assert line["dur_ms"] >= 0
            stamp = datetime.fromisoformat(line["time"])
            assert stamp.utcoffset() is not None
            assert re.fullmatch(r"....-..-..T..:..:..\.\d{3}\+00:00", line["time"])
            if more == PROBLEM:
                assert line["code"] == answer.code
                assert line["request_id"] == answer.json()["request_id"]


def test_the_route_is_the_public_path(site: Site, lines: Lines) -> None:
    """The line names the route, never the path or query that was sent."""
    for path in APPS:
        site.send(METHODS[path], path, query="canary=1", environ={"PATH_INFO": "/canary"})
        (line,) = lines()
        # One function has both of these, and nothing else.
        route = path if path.startswith("/telegram/") else None
        assert (line.get("route"), line["method"]) == (route, METHODS[path])
        assert "canary" not in str(line)


def test_unknown_methods_have_no_name(site: Site, lines: Lines) -> None:
    """A method that is none is logged as other."""
    for method in ("CANARY", "<b>", "GET\r\n", "", "x" * 1000):
        site.send(method, "/health")
        assert [line["method"] for line in lines()] == ["other"], method


def test_the_reason_is_in_the_log_alone(site: Site, lines: Lines) -> None:
    """Answers of one code are alike; the log tells the owner what was wrong."""
    answers = [
        site.login(site.widget(OTHER_BOT_TOKEN)),
        site.login(site.widget(auth_date=int(site.clock()) + 99)),
    ]
    reasons = [line["reason"] for line in lines()]
    assert reasons == [
        "hash does not match (another bot's token, or changed data)",
        "auth_date lies in the future",
    ]
    for answer, reason in zip(answers, reasons, strict=True):
        assert reason.encode() not in answer.body


def test_a_replay_is_told_from_age(site: Site, lines: Lines) -> None:
    """A proof used twice and one too old are one answer and two reasons."""
    body = site.widget()
    site.login(body)
    site.login(body)
    site.login(site.widget(auth_date=1))
    other = Site(site.clock)
    other.service = SessionService(other.settings, site.store, site.clock)  # type: ignore[arg-type]
    other.login(body)
    assert [line.get("reason") for line in lines()] == [
        None,
        "proof already used or ended, and still remembered here",
        "auth_date is too old",
        "proof already used",
    ]


def test_references_join_what_belongs_together(both: Site, lines: Lines) -> None:
    """Lines of one user, session and address have the same references, others have others."""
    one, two, other = (
        both.login(),
        both.login(),
        both.login(both.widget(id=5), environ={"REMOTE_ADDR": "::1"}),
    )
    both.verify(cookie=one.token)
    first, second, third, again = lines()
    assert {name: first[name] for name in SESSION | {"ip_ref"}} == {
        name: again[name] for name in SESSION | {"ip_ref"}
    }
    assert (second["user_ref"], second["ip_ref"]) == (first["user_ref"], first["ip_ref"])
    assert second["session_ref"] != first["session_ref"]
    assert third["user_ref"] != first["user_ref"]
    assert third["ip_ref"] != first["ip_ref"]
    for line in (first, second, third):
        assert all(re.fullmatch("[0-9a-f]{12}", line[name]) for name in ("user_ref", "session_ref", "ip_ref"))
    assert first["device_id"] == one.json()["session"]["id"]
    assert {first["auth_path"], second["auth_path"]} == {"widget"}
    assert two.token != other.token


def test_references_need_the_key(clock: Clock, lines: Lines) -> None:
    """With another secret the same user and address have other references."""
    for secret in ("a" * 40, "b" * 40):
        Site(clock, {**ENV, "AUTH_SECRET": secret}).login()
    one, two = lines()
    assert one["user_ref"] != two["user_ref"]
    assert one["ip_ref"] != two["ip_ref"]


def test_logout_is_logged_on_an_instance_that_had_not_seen_the_session(clock: Clock, lines: Lines) -> None:
    """On Vercel logout is a process of its own: a session that ends there is logged as ended."""
    token = Site(clock).login().token
    other = Site(clock)
    lines()
    other.logout(cookie=token)
    assert [line["event"] for line in lines()] == ["authn_token_revoked"]


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML) Chrome/130.0 Safari/537.36",
            "Chrome",
        ),
        (
            "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15",
            "Safari",
        ),
        ("Mozilla/5.0 (X11; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox"),
        ("Mozilla/5.0 Chrome/130.0 Safari/537.36 Edg/130.0", "Edg"),
        ("Mozilla/5.0 (Linux; Android) Chrome/130 Telegram-Android/11.0", "Telegram"),
        ("curl/8.0", "curl"),
        ("canary", "other"),
        ("", "other"),
    ],
)
def test_user_agents_are_families(site: Site, lines: Lines, agent: str, family: str) -> None:
    """Of the User-Agent only the browser's family is logged."""
    site.verify(headers={"User-Agent": agent})
    (line,) = lines()
    assert line["ua_family"] == family
    assert "Mozilla" not in str(line)


BREAKS = ["\n", "\r\n", "\r", "\x85", "\u2028", "\x00", "\x1b[31m", '"}\n{"event":"forged"}\n']


def test_no_text_makes_a_second_line(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks in names, headers, paths and methods never begin a line of the log."""
    for text in BREAKS:
        latin = text if text.isascii() or text == "\x85" else "\n"
        environ = {
            "HTTP_USER_AGENT": f"Chrome{latin}forged",
            "HTTP_X_VERCEL_ID": f"fra1{latin}forged",
            "HTTP_X_VERCEL_IP_COUNTRY": f"D{latin}",
            "HTTP_X_REAL_IP": f"1.2.3.4{latin}forged",
            "HTTP_ORIGIN": f"https://x{latin}forged",
            "HTTP_COOKIE": f"__Host-tgauth={latin}forged",
            "QUERY_STRING": latin,
        }
        init_data = site.init_data(user={**USER, "first_name": text})
        answer = site.login({"init_data": init_data}, environ=environ)
        assert answer.status == 200
        site.verify(bearer=answer.token, environ=environ)
        site.verify(environ=environ)
        site.send(f"PUT{latin}", "/health", environ=environ)
        written = capsys.readouterr().out
        assert written.endswith("\n")
        assert [line["route"] for line in map(json.loads, written.splitlines())] == [
            "/telegram/login",
            "/telegram/verify",
            "/telegram/verify",
            "/health",
        ]
        assert "forged" not in written


@pytest.mark.parametrize("bot_token", [None, BOT_TOKEN.replace(":", "")])
def test_a_missing_bot_token_is_named_in_the_log(
    environment: Callable[[dict[str, str]], None], lines: Lines, bot_token: str | None
) -> None:
    """The line of the 503 names the variable and the fix, and not the value."""
    reason = (
        "TELEGRAM_BOT_TOKEN: is malformed; copy it whole from @BotFather (123456:ABC-...)"
        if bot_token
        else "TELEGRAM_BOT_TOKEN: is not set; set the token that @BotFather gave you"
    )
    for path in APPS:
        environment({"TELEGRAM_BOT_TOKEN": bot_token} if bot_token else {})
        body = {"hash": "0" * 64} if path.endswith("login") else {} if path.endswith("start") else None
        assert send(METHODS[path], path, headers=OWN_PAGE, json_body=body).status == 503
        (line,) = lines()
        said = (line["event"], line["level"], line["route"], line["status"], line["reason"])
        assert said == ("misconfigured", "error", path, 503, reason)
        assert {"env", "ip_ref"} & set(line) == set()


@pytest.mark.parametrize(("settings", "said"), [({}, ["TELEGRAM_BOT_TOKEN: is not set"]), (ENV, [])])
def test_cold_start_says_what_is_wrong(settings: dict[str, str], said: list[str]) -> None:
    """A process that has wrong settings logs so once, however many functions it holds; else nothing."""
    output = subprocess.run(
        [sys.executable, "-c", "import lib.tgauth.wsgi"],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    lines = [json.loads(line) for line in output.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [("misconfigured", "error")] * len(said)
    assert [line["reason"].partition(";")[0] for line in lines] == said


def test_the_store_is_named_once(environment: Callable[[dict[str, str]], None], lines: Lines) -> None:
    """The first use of the store says which one it is; forty requests at once say it once."""
    environment({**ENV, "VERCEL_DEPLOYMENT_ID": "dpl_abc"})
    in_parallel(40, lambda _: send("GET", "/health"))
    events = [line["event"] for line in lines()]
    assert (events.count("store_selected"), events.count("request")) == (1, 40)
    send("GET", "/health")
    (line,) = lines()
    assert line["deployment"] == "dpl_abc"


def test_a_crash_is_one_line_with_a_stack_of_places(site: Site, lines: Lines) -> None:
    """A defect is logged with file, line and function of each frame, and without any value or message."""
    token = site.login().token
    site.store.error = RuntimeError(f"canary-exception {token}\nTraceback")
    lines()
    answer = site.verify(cookie=token)
    assert answer.code == "internal"
    (line,) = lines()
    assert (line["event"], line["level"], line["code"], line["reason"]) == (
        "sys_crash",
        "error",
        "internal",
        "RuntimeError",
    )
    assert line["request_id"] == answer.json()["request_id"]
    assert all(re.fullmatch(r"[^\s]+\.py:[1-9]\d* \S+", frame) for frame in line["stack"]), line["stack"]
    assert [frame.rpartition(" ")[2] for frame in line["stack"]][:2] == ["app", "_dispatch"]
    assert any("endpoints/verify.py:" in frame and frame.endswith(" verify") for frame in line["stack"])
    assert "canary" not in str(line)
    assert token not in str(line)


def test_a_deep_crash_has_thirty_places(lines: Lines) -> None:
    """Of a recursion without end only the last thirty frames are logged."""

    def recurse() -> None:
        recurse()

    try:
        recurse()
    except RecursionError as error:
        log.event("x", stack=log.stack(error.__traceback__))
    (line,) = lines()
    assert len(line["stack"]) == 30


def test_long_text_is_cut_and_nothing_is_left_out(lines: Lines) -> None:
    """Text over 2,048 characters is cut, None is left out, zero and false are not."""
    log.event("x", long="a" * 10_000, none=None, zero=0, no=False, empty="")
    (line,) = lines()
    assert len(line.pop("long")) == 2048
    line.pop("time")
    assert line == {"level": "info", "event": "x", "zero": 0, "no": False, "empty": ""}


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "ascii", "latin-1", "cp1251"])
def test_any_terminal_takes_the_lines(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Emoji and Cyrillic are written as they are where stdout can, else escaped; no line breaks a request."""
    stream = io.TextIOWrapper(buffer := io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    log.event("store_selected", message="⚠️ Жук")
    raw = buffer.getvalue().decode(encoding)
    assert json.loads(raw)["message"] == "⚠️ Жук"
    assert ("Жук" in raw) == encoding.lower().startswith("utf")


def test_half_a_surrogate_pair_does_not_break_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Text without UTF-8, such as an environment variable of odd bytes, is logged somehow."""
    stream = io.TextIOWrapper(buffer := io.BytesIO(), encoding="utf-8", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    log.event("x", deployment="dpl\udcff")
    assert json.loads(buffer.getvalue())["event"] == "x"


def test_a_store_failure_is_an_error_line(both: Site, lines: Lines) -> None:
    """A store that fails is an error for the owner, with its reason."""
    token = both.login().token
    both.store.error = StoreUnavailable("timeout")
    lines()
    both.verify(cookie=token)
    both.send("GET", "/health")
    for line in lines():
        assert (line["event"], line["level"], line["reason"]) == ("store_unavailable", "error", "timeout")


def test_a_log_that_cannot_be_written_breaks_no_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """When stdout is gone the client still gets its answer, and a login its cookie."""

    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Gone())
        answer = site.login()
        assert site.verify(cookie="x").code == "invalid_session"
    assert site.verify(cookie=answer.token).status == 200
