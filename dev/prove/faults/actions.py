"""Every request made to the functions while something fails, and which results are allowed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from dev.prove.faults import scene as scenes
from dev.prove.faults.client import ADMIN_TOKEN, NAVIGATION, OWN_PAGE, PREVIEW, Answer
from dev.prove.faults.deployment import Instance, Lane
from dev.prove.faults.scene import Held, Scene
from dev.upstash.faults import Target

Act = Callable[[Instance, Scene], Answer]
Prepare = Callable[[Lane, Scene], None]


@dataclass(frozen=True)
class Action:
    """A request to the deployment `at`, whose `targets` can fail.

    `ends` are the sessions that it is to end. A `login` makes one session more; what it is asked with works
    `once`. An `attack` must never work, whatever fails.
    """

    name: str
    act: Act
    at: str = "main"
    targets: tuple[Target, ...] = ("store",)
    prepare: Prepare | None = None
    ends: tuple[str, ...] = ()
    login: bool = False
    once: bool = False
    attack: bool = False


def _verify(who: Callable[[Scene], Held], method: str = "GET") -> Act:
    return lambda at, scene: at.send(method, "/telegram/verify", who(scene).headers)


def _logout(name: str) -> Act:
    return lambda at, scene: at.send("POST", "/telegram/logout", scene.sessions[name].headers)


def _end(name: str) -> Act:
    def end(at: Instance, scene: Scene) -> Answer:
        return at.send("DELETE", f"/telegram/sessions/{scene.sessions[name].id}", scene.mine.headers)

    return end


def _login(body: Callable[[Scene], Any], old: bool = False) -> Act:
    def login(at: Instance, scene: Scene) -> Answer:
        return at.send("POST", "/telegram/login", scene.mine.headers if old else OWN_PAGE, body(scene))

    return login


def _refresh(at: Instance, scene: Scene) -> Answer:
    return at.send("POST", "/telegram/refresh", scene.mine.headers)


def _revoke(query: str) -> Act:
    return lambda at, scene: at.send("DELETE", f"/telegram/sessions{query}", scene.mine.headers)


def _callback(host: str) -> Act:
    def callback(at: Instance, scene: Scene) -> Answer:
        headers = {**NAVIGATION, "Cookie": scene.held["cookie"]}
        return at.send("GET", f"/telegram/callback?{scene.held['query']}", headers, host=host)

    return callback


def _redirect(at: Instance, scene: Scene) -> Answer:
    """The widget's redirect mode."""
    query = urlencode({**scene.proof, "state": scene.held["state"]})
    return at.send("GET", f"/telegram/login?{query}", {**NAVIGATION, "Cookie": scene.held["cookie"]})


def _consent(at: Instance, scene: Scene) -> Answer:
    body = {"ticket": scene.held["ticket"], "user": scene.user_id}
    return at.send("POST", "/telegram/relay", scene.mine.headers, body)


_STORE_ACTIONS = (
    Action("verify", _verify(lambda scene: scene.mine)),
    Action("verify, HEAD", _verify(lambda scene: scene.mine, "HEAD")),
    Action("verify, bearer", _verify(lambda scene: scene.sessions["mini"])),
    Action("refresh", _refresh),
    Action("logout", _logout("mine"), ends=("mine",)),
    Action("logout, Mini App", _logout("mini"), ends=("mini",)),
    Action("login, widget", _login(lambda scene: scene.proof), login=True, once=True),
    Action("login again", _login(lambda s: s.proof, old=True), login=True, once=True, ends=("mine",)),
    Action("login, Mini App", _login(lambda scene: {"init_data": scene.mini_proof}), login=True),
    Action("list", lambda at, scene: at.send("GET", "/telegram/sessions", scene.mine.headers)),
    Action("end another", _end("other"), ends=("other",)),
    Action("end a Mini App", _end("mini"), ends=("mini",)),
    Action("end own", _end("mine"), ends=("mine",)),
    Action("end others", _revoke("?keep=current"), ends=("other", "mini")),
    Action("end all", _revoke(""), ends=("mine", "other", "mini")),
    Action("health", lambda at, _: at.send("GET", "/health")),
    Action("stats", lambda at, _: at.send("GET", "/stats", {"Authorization": f"Bearer {ADMIN_TOKEN}"})),
    Action("a dead token", _verify(lambda scene: scene.held["dead"]), prepare=scenes.log_out, attack=True),
    Action("a used widget", _login(lambda scene: scene.held["spent"]), prepare=scenes.log_out, attack=True),
    Action(
        "ended initData",
        _login(lambda scene: {"init_data": scene.held["ended"]}),
        prepare=scenes.ended_elsewhere,
        attack=True,
    ),
    Action(
        "a widget from before",
        _login(lambda scene: scene.held["unused"]),
        prepare=scenes.revoked,
        attack=True,
    ),
    Action(
        "initData from before",
        _login(lambda scene: {"init_data": scene.held["unused mini"]}),
        prepare=scenes.revoked,
        attack=True,
    ),
)

_TELEGRAM_ACTIONS = (
    Action("login, redirect", _redirect, prepare=scenes.begin_widget, login=True, once=True),
    Action(
        "callback",
        _callback("tgauth.example"),
        targets=("token", "keys", "store"),
        prepare=scenes.begin_oidc,
        login=True,
        once=True,
    ),
    Action(
        "login, id_token",
        _login(lambda scene: {"id_token": scene.held["id_token"], "transport": "bearer"}),
        targets=("keys", "store"),
        prepare=scenes.id_token,
        login=True,
        once=True,
    ),
    Action(
        "a forged id_token",
        _login(lambda scene: {"id_token": scene.held["id_token"], "transport": "bearer"}),
        targets=("keys",),
        prepare=scenes.forged_id_token,
        attack=True,
    ),
    Action(
        "login, member",
        _login(lambda scene: scene.proof),
        at="gated",
        targets=("bot", "store"),
        prepare=scenes.join,
        login=True,
        once=True,
    ),
    Action(
        "callback, member",
        _callback("tgauth.example"),
        at="gated",
        targets=("token", "keys", "bot", "store"),
        prepare=scenes.join_and_begin_oidc,
        login=True,
        once=True,
    ),
    Action(
        "verify, member",
        _verify(lambda scene: scene.mine),
        at="gated",
        targets=("bot", "store"),
        prepare=scenes.join,
    ),
    Action("refresh, member", _refresh, at="gated", targets=("bot", "store"), prepare=scenes.join),
    Action(
        "login, outsider",
        _login(lambda scene: scene.proof),
        at="gated",
        targets=("bot", "store"),
        prepare=scenes.leave,
        attack=True,
    ),
    Action(
        "refresh, outsider",
        _refresh,
        at="gated",
        targets=("bot", "store"),
        prepare=scenes.leave,
        ends=("mine",),
        attack=True,
    ),
    Action("relay, consent", _consent, prepare=scenes.begin_relay, once=True),
    Action(
        "relay, at the preview",
        _callback(PREVIEW),
        at="preview",
        targets=("relay", "store"),
        prepare=scenes.agree,
        once=True,
    ),
)

_REPLICA = ("verify", "verify, bearer", "list", "a dead token", "refresh")

_UNREACHABLE = {"token": "no telegram", "bot": "no bot", "relay": "no production"}


def actions() -> list[Action]:
    """All of them: with the store over REST, from a replica, and over TCP; with Telegram; in a preview."""
    found = [*_STORE_ACTIONS, *_TELEGRAM_ACTIONS]
    for action in _STORE_ACTIONS:
        if action.name in _REPLICA:
            found.append(replace(action, name=f"{action.name}, replica", at="replica"))
        found.append(replace(action, name=f"{action.name}, TCP", at="redis", targets=("redis",)))
    return found


def unreachable(action: Action, target: Target) -> str | None:
    """The deployment that is as the action's, but for a target that refuses connections."""
    if target in ("store", "redis") and action.at in ("main", "redis"):
        return "no store" if target == "store" else "no redis"
    return _UNREACHABLE.get(target)
