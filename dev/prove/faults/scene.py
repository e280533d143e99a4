"""Somebody with three sessions, and proofs to log in with; all of it made without faults."""

import time
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from dev.prove.faults.client import BOT_TOKEN, COOKIE, OWN_PAGE, PREVIEW
from dev.prove.faults.deployment import Ground, Instance, Lane
from dev.telegram.signing import sign_init_data, sign_widget
from lib.tgauth.sessions import devices
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.telegram.login import Login, verify_login
from lib.tgauth.user import Transport


@dataclass(frozen=True)
class Held:
    """A session as its owner holds it."""

    token: str
    transport: Transport
    id: str

    @property
    def headers(self) -> dict[str, str]:
        """What goes with every request of it."""
        if self.transport == "bearer":
            return {"Authorization": f"Bearer {self.token}"}
        return {"Cookie": f"{COOKIE}={self.token}", **OWN_PAGE}


@dataclass
class Scene:
    """Somebody new: a cookie session, a bearer session and a Mini App's, and proofs for more.

    `held` has what an action prepares for itself.
    """

    ground: Ground
    user_id: int
    held: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sessions = {
            "mine": self.enter(),
            "other": self.enter("bearer"),
            "mini": self.enter("bearer", init_data=self.init_data()),
        }
        self.proof = self.widget()
        self.mini_proof = self.init_data()

    @property
    def mine(self) -> Held:
        """The cookie session."""
        return self.sessions["mine"]

    @property
    def user(self) -> dict[str, Any]:
        """As Telegram has them."""
        return {"id": self.user_id, "first_name": "Canary", "username": "canary_u"}

    def widget(self, age: int = 0) -> dict[str, Any]:
        """What the Login Widget returns, different every time."""
        unique = {"last_name": f"Nr {self.ground.number()}"}
        return dict(sign_widget({**self.user, **unique, "auth_date": int(time.time()) - age}, BOT_TOKEN))

    def init_data(self, age: int = 0) -> str:
        """What a Mini App is opened with, different every time."""
        fields = {"query_id": f"q{self.ground.number()}", "user": self.user}
        return sign_init_data({**fields, "auth_date": int(time.time()) - age}, BOT_TOKEN)

    def enter(
        self,
        transport: Transport = "cookie",
        *,
        widget: dict[str, Any] | None = None,
        init_data: str | None = None,
        at: SessionService | None = None,
    ) -> Held:
        """Log in past all faults, by default with a new widget."""
        service = at or self.ground.clean.service
        if init_data:
            login = Login(transport, init_data=init_data)
        else:
            login = Login(transport, widget=widget or self.widget())
        user, proof = verify_login(login, settings=service.settings, now=service.now())
        session = service.create_session(user, proof, transport=transport)
        return Held(session.token, session.transport, session.id)

    def live(self) -> set[str]:
        """The slots of all sessions that the store has."""
        return self.ground.live(self.user_id)


def begin_oidc(lane: Lane, scene: Scene) -> None:
    """Be about to come back from Telegram, with a code."""
    cookies, location = _start(lane.at("main"))
    challenge = parse_qs(urlsplit(location).query)["code_challenge"][0]
    state = parse_qs(urlsplit(location).query)["state"][0]
    code = lane.provider.code_for(cast(Any, scene.user), challenge=challenge)
    scene.held |= {"cookie": cookies, "query": f"code={code}&state={state}"}


def begin_widget(lane: Lane, scene: Scene) -> None:
    """Have asked for a login with the widget, and its state."""
    answer = lane.at("main").send("POST", "/telegram/start", OWN_PAGE, {})
    scene.held |= {"cookie": _cookie(answer.cookies), "state": answer.json()["state"]}
    scene.held["nonce"] = answer.json()["nonce"]


def begin_relay(lane: Lane, scene: Scene) -> None:
    """Be at production's page that asks for consent, sent there by the preview."""
    preview = lane.at("preview")
    cookies, location = _start(preview, PREVIEW)
    scene.held |= {"cookie": cookies, "ticket": parse_qs(urlsplit(location).query)["ticket"][0]}


def agree(lane: Lane, scene: Scene) -> None:
    """Have agreed: be about to come back to the preview, with a code."""
    begin_relay(lane, scene)
    body = {"ticket": scene.held["ticket"], "user": scene.user_id}
    answer = lane.at("main").send("POST", "/telegram/relay", scene.mine.headers, body)
    scene.held["query"] = urlsplit(answer.json()["url"]).query


def id_token(lane: Lane, scene: Scene) -> None:
    """Hold an id_token from a native SDK."""
    scene.held["id_token"] = lane.provider.sign(lane.provider.claims(cast(Any, scene.user)))


def forged_id_token(lane: Lane, scene: Scene) -> None:
    """Hold an id_token with another's signature."""
    id_token(lane, scene)
    signed, _, _ = scene.held["id_token"].rpartition(".")
    claims = {**lane.provider.claims(cast(Any, scene.user)), "name": "Another"}
    _, _, signature = lane.provider.sign(claims).rpartition(".")
    scene.held["id_token"] = f"{signed}.{signature}"


def join(lane: Lane, scene: Scene) -> None:
    """Be in the chat, and have logged in so long ago that Telegram is asked again."""
    lane.bot_api.members = {scene.user_id: "member"}
    scene.sessions["younger"] = scene.mine
    scene.sessions["mine"] = scene.enter(at=scene.ground.earlier(7200), widget=scene.widget(age=7200))


def join_and_begin_oidc(lane: Lane, scene: Scene) -> None:
    """Be in the chat, and about to come back from Telegram."""
    join(lane, scene)
    begin_oidc(lane, scene)


def leave(lane: Lane, scene: Scene) -> None:
    """As `join`, and have left since."""
    join(lane, scene)
    lane.bot_api.members = {scene.user_id: "left"}


def log_out(_: Lane, scene: Scene) -> None:
    """Have ended a session, whose proof and token somebody else has kept."""
    spent = scene.widget()
    dead = scene.enter(widget=spent)
    scene.ground.clean.service.delete_session(dead.token)
    scene.held |= {"dead": dead, "spent": spent}


def ended_elsewhere(_: Lane, scene: Scene) -> None:
    """Have ended a Mini App's session from another device; its initData is still fresh."""
    scene.held["ended"] = scene.init_data()
    dead = scene.enter("bearer", init_data=scene.held["ended"])
    scene.held["dead"] = dead
    devices.end_session(scene.ground.clean.service, scene.mine.token, dead.id)


def revoked(_: Lane, scene: Scene) -> None:
    """Have ended all other sessions; a proof from before was never used."""
    scene.held |= {"unused": scene.widget(), "unused mini": scene.init_data()}
    devices.revoke_sessions(scene.ground.clean.service, scene.mine.token, keep_current=True)
    scene.sessions = {"mine": scene.mine}


def _start(at: Instance, host: str = "tgauth.example") -> tuple[str, str]:
    answer = at.send("GET", "/telegram/start", host=host)
    return _cookie(answer.cookies), answer.headers["location"]


def _cookie(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())
