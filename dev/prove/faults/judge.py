"""Which results a request may have while something fails, and what must hold afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from dev.prove.faults.actions import Action
from dev.prove.faults.client import COOKIE, PREVIEW, Answer
from dev.prove.faults.deployment import Instance, Lane
from dev.prove.faults.scene import Held, Scene
from dev.upstash.faults import Fault
from lib.tgauth import errors

Wrong = Literal["lost", "open", "5xx", "form", "slow"]

STORE_SECONDS = 3.0
TELEGRAM_SECONDS = 5.0 + STORE_SECONDS

_STORE = frozenset({"store", "redis"})
LEFT = "surplus_sessions_left"
"""What a login logs that could not end the sessions that it replaces: it has worked all the same."""

# What other answers of Telegram's mean: that the code, the client or the token is refused, or the user.
_MEANS = {
    ("token", "text reversed"): {"login_rejected"},
    ("relay", "400 HTML"): {"login_rejected"},
    ("relay", "text reversed"): {"login_rejected"},
}


@dataclass
class Verdict:
    """What is wrong with one case, each with what shows it."""

    wrong: list[tuple[Wrong, str]] = field(default_factory=list)

    def add(self, kind: Wrong, text: str) -> None:
        """One thing more."""
        self.wrong.append((kind, text))


def _problems(base: type[errors.Problem]) -> dict[str, int]:
    own = {base.code: base.status} if hasattr(base, "code") else {}
    for problem in base.__subclasses__():
        own |= _problems(problem)
    return own


DOCUMENTED = _problems(errors.Problem)
"""Every code that docs/API.md has, with its status."""


def judge(lane: Lane, action: Action, faults: tuple[Fault, ...], scene: Scene, answer: Answer) -> Verdict:
    """Look at the answer, and, now that the faults are over, at what became of everybody's sessions."""
    verdict = Verdict()
    _answer(verdict, action, faults, answer)
    # Where refused connections are the fault, the request went to another deployment than this.
    working = lane.at(action.at)
    if action.attack:
        if answer.worked:
            verdict.add("open", f"an attack was answered {answer.status}")
    elif answer.worked:
        _done(verdict, action, scene, working, answer)
    _sessions(verdict, action, scene, working, answer)
    if action.once or action.attack:
        _repeat(verdict, action, scene, working, answer)
    # What a refused proof has made stays where the store's answer was lost; nobody has its token.
    most = len(scene.sessions) + (action.login or (action.attack and answer.status == 503))
    if len(scene.live()) > most:
        verdict.add("open", f"{len(scene.live())} sessions, where there can be {most}")
    return verdict


def bound(faults: tuple[Fault, ...]) -> float:
    """Seconds that an answer may take while these happen."""
    return STORE_SECONDS if all(fault.target in _STORE for fault in faults) else TELEGRAM_SECONDS


def _answer(verdict: Verdict, action: Action, faults: tuple[Fault, ...], answer: Answer) -> None:
    """Is it one that the documents have, in the form that they give, in time?"""
    if answer.seconds > bound(faults):
        verdict.add("slow", f"{answer.seconds:.2f} s")
    if answer.status >= 500 and answer.status != 503:
        verdict.add("5xx", f"{answer.status} {answer.body[:200]!r}")
        return
    if answer.worked:
        return
    if answer.header("cache-control") != "no-store" or (
        answer.status == 503 and not answer.header("retry-after")
    ):
        verdict.add("form", f"headers {answer.headers}")
    if any(name == COOKIE for name in answer.cookies):
        verdict.add("lost", f"Set-Cookie with {answer.status}: {answer.all('set-cookie')}")
    if action.name.startswith("verify, HEAD"):
        return
    if action.name.startswith("health"):
        if answer.json().items() < {"status": "down", "store": None}.items():
            verdict.add("form", f"{answer.body!r}")
        return
    code = answer.code
    if code is None or DOCUMENTED.get(code) != answer.status or answer.json()["status"] != answer.status:
        verdict.add("form", f"{answer.status} {answer.headers} {answer.body[:200]!r}")
    elif not action.attack and code not in _expected(action, faults):
        # Whose request is genuine hears that something is down, and never that they are nobody.
        verdict.add("lost", f"{answer.status} {code}")


def _expected(action: Action, faults: tuple[Fault, ...]) -> set[str]:
    # To a preview it is production that does not answer, also where production's store fails.
    codes = {"identity_provider_unavailable"} if action.at == "preview" else set()
    for fault in faults:
        if fault.target in _STORE:
            codes.add("store_unavailable")
        else:
            codes |= {"identity_provider_unavailable", *_MEANS.get((fault.target, fault.kind), set())}
    return codes


def _done(verdict: Verdict, action: Action, scene: Scene, at: Instance, answer: Answer) -> None:
    """What was said to have been done has been done."""
    live = scene.live()
    for name in action.ends:
        if scene.sessions[name].id in live and LEFT not in answer.events:
            verdict.add("open", f"the session {name} was said to have ended, and lives")
    if action.name.startswith("list"):
        listed = {session["id"] for session in answer.json()["sessions"]}
        if listed != live:
            verdict.add("lost", f"the list has {len(listed)} of {len(live)} sessions")
    token = answer.cookies.get(COOKIE) or (
        answer.json().get("token") if answer.status == 200 and answer.body else ""
    )
    if token and _status(at, Held(token, "cookie" if COOKIE in answer.cookies else "bearer", "")) != 200:
        verdict.add("lost", "the token of this answer does not verify")
    if action.login and not token:
        verdict.add("form", "a login without a token")


def _sessions(verdict: Verdict, action: Action, scene: Scene, at: Instance, answer: Answer) -> None:
    """Who was logged in is, at this instance and at another one, and who was logged out is not."""
    live = scene.live()
    elsewhere = scene.ground.clean
    elsewhere.renew()
    for name, session in scene.sessions.items():
        if session.id not in live and name not in action.ends:
            verdict.add("lost", f"the session {name} is gone")
            continue
        if name in action.ends and answer.worked and LEFT in answer.events:
            # Whether it lives is not known: it is remembered here as ended, and may have been ended.
            continue
        expected = 200 if session.id in live else 401
        for where, found in (
            ("here", _status(_as(at, scene), session)),
            ("elsewhere", _status(elsewhere, session)),
        ):
            if found != expected:
                kind: Wrong = "open" if found == 200 else "lost"
                verdict.add(kind, f"{where} the session {name} verifies with {found}, not {expected}")
    dead = scene.held.get("dead")
    if dead and 200 in (_status(_as(at, scene), dead), _status(elsewhere, dead)):
        verdict.add("open", "a session that was logged out verifies")


def _repeat(verdict: Verdict, action: Action, scene: Scene, at: Instance, answer: Answer) -> None:
    """What works once has not worked twice, and an attack does not work either when all is well."""
    worked = int(answer.worked)
    for new in (False, True):
        if new:
            at.renew()
        again = _calm(lambda: action.act(at, scene))
        # A visit that comes again leads where the first one led, and logs nobody in.
        worked += again.worked and (again.status != 303 or bool(again.cookies))
        # An instance that could not fetch Telegram's keys waits before it asks again.
        waits = again.status == 503 and again.code == "identity_provider_unavailable"
        if again.status >= 500 and not waits:
            verdict.add("5xx", f"when sent again: {again.status} {again.body[:200]!r}")
    if worked > (0 if action.attack else 1):
        verdict.add("open", f"what works {'never' if action.attack else 'once'} worked {worked} times")


def _as(at: Instance, scene: Scene) -> Instance:
    """A preview has sessions of its own: production's are asked for at production."""
    return scene.ground.clean if at.settings.environment == "preview" else at


def _status(at: Instance, session: Held) -> int:
    host = PREVIEW if at.settings.environment == "preview" else "tgauth.example"
    # Verify would ask about the chat, and log out who has left: the list only looks.
    path = "/telegram/verify" if at.settings.require_chat is None else "/telegram/sessions"
    return _calm(lambda: at.send("GET", path, session.headers, host=host)).status


def _calm(ask: Callable[[], Answer]) -> Answer:
    """The answer when nothing goes wrong; on a busy machine a deadline can pass all the same."""
    for _ in range(2):
        answer = ask()
        if answer.status != 503 or answer.code != "store_unavailable":
            return answer
    return ask()
