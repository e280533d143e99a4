"""One visitor of a loaded deployment: its people and sessions, and the result expected of each request.

No two visitors share a person, so that each knows at any time which of its sessions are live, and every
answer is right or wrong: its status, and whose session it names.
"""

import json
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from dev.measure.bench.traffic import BOT_TOKEN
from dev.measure.load.answers import COOKIE, PAGE, Held, Wrong, expect, expect_session
from dev.telegram.signing import sign_init_data, sign_widget
from dev.vercel.proxy import Response

MIX = {
    "verify, cookie": 46,
    "verify, bearer": 22,
    "verify, ended session": 5,
    "junk token": 6,
    "junk proof": 2,
    "refresh": 4,
    "login, widget": 3,
    "login, initData": 2,
    "login, initData again": 1,
    "logout": 3,
    "sessions": 2,
    "end another session": 1,
    "end all other sessions": 0.5,
    "start": 1.5,
    "health": 1,
}
"""How often each kind of request is made, in per cent; a login takes the place of what lacks a session."""

_PEOPLE = 3
# Well below SESSION_LIMIT: no login ends another session.
_SESSIONS = 12
# Of all people together, below MINI_APP_LIMIT of one.
_MINI_APPS = 9

Send = Callable[[str, str, str, Mapping[str, str], bytes], Response]
"""Sends `(function, method, target, headers, body)`."""


class Visitor:
    """Makes one request after another; `number` tells visitors apart, and seeds what they choose."""

    def __init__(self, number: int, send: Send) -> None:
        self._send = send
        self._random = random.Random(number)  # noqa: S311 (chooses requests, no secrets)
        self._ids = iter(range(number * 1_000_000_000 + 1, (number + 1) * 1_000_000_000))
        self._people = [next(self._ids) for _ in range(_PEOPLE)]
        self._live: list[Held] = []
        self._ended: deque[Held] = deque(maxlen=20)
        self._spent: dict[str, Any] | None = None
        self._actions: dict[str, Callable[[], None]] = {
            "verify, cookie": lambda: self._verify(self._pick("cookie")),
            "verify, bearer": lambda: self._verify(self._pick("bearer")),
            "verify, ended session": self._verify_ended,
            "junk token": self._junk_token,
            "junk proof": self._junk_proof,
            "refresh": self._refresh,
            "login, widget": self._log_in_by_widget,
            "login, initData": self._log_in_by_init_data,
            "login, initData again": self._log_in_again,
            "logout": self._log_out,
            "sessions": self._list,
            "end another session": self._end_another,
            "end all other sessions": self._end_others,
            "start": self._start,
            "health": self._health,
        }

    def choose(self) -> str:
        """The kind of the next request: one of the mix that can be made now."""
        (kind,) = self._random.choices(list(MIX), list(MIX.values()))
        bearers = [held for held in self._live if held.transport == "bearer"]
        siblings = [held for held in self._live if len(self._of(held.owner)) > 1]
        needs = {
            "verify, cookie": len(self._live) > len(bearers),
            "verify, bearer": bool(bearers),
            "verify, ended session": bool(self._ended),
            "junk proof": self._spent is not None,
            "refresh": bool(self._live),
            "login, widget": len(self._live) < _PEOPLE * _SESSIONS,
            "login, initData": len(self._live) < _PEOPLE * _SESSIONS and len(bearers) < _MINI_APPS,
            "login, initData again": any(held.init_data for held in bearers),
            "logout": bool(self._live),
            "sessions": bool(self._live),
            "end another session": bool(siblings),
            "end all other sessions": bool(siblings),
        }
        if needs.get(kind, True):
            return kind
        if kind.startswith("login"):
            return "verify, cookie" if len(self._live) > len(bearers) else "login, widget"
        return "login, initData" if kind == "verify, bearer" else "login, widget"

    def make(self, kind: str) -> None:
        """Send a request of this kind; raises Wrong when not what must come of it came."""
        self._actions[kind]()

    def _pick(self, transport: str | None = None) -> Held:
        return self._random.choice([held for held in self._live if transport in (None, held.transport)])

    def _of(self, owner: int) -> list[Held]:
        return [held for held in self._live if held.owner == owner]

    def _verify(self, held: Held) -> None:
        answer = self._send("telegram/verify", "GET", "/telegram/verify", held.headers(), b"")
        expect_session(expect(answer, 200), held)

    def _verify_ended(self) -> None:
        held = self._random.choice(self._ended)
        answer = self._send("telegram/verify", "GET", "/telegram/verify", held.headers(), b"")
        expect(answer, 401, "invalid_session")

    def _junk_token(self) -> None:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        noise = "".join(self._random.choices(alphabet, k=99))
        # The right form with a signature of nobody's, and what has no form.
        token = self._random.choice([f"tg1_{noise[:56]}.{noise[56:98]}A", f"tg0_{noise}", "null", noise])
        held = Held(0, "", token, self._random.choice(["cookie", "bearer"]))
        function = self._random.choice(["verify", "verify", "verify", "refresh", "sessions"])
        method = "POST" if function == "refresh" else "GET"
        answer = self._send(f"telegram/{function}", method, f"/telegram/{function}", held.headers(), b"")
        expect(answer, 401, "invalid_session")

    def _junk_proof(self) -> None:
        if self._random.random() < 0.5:
            expect(self._log_in(self._spent), 401, "login_stale")
        else:
            expect(self._log_in({**(self._spent or {}), "hash": "0" * 64}), 401, "login_rejected")

    def _refresh(self) -> None:
        held = self._pick()
        answer = self._send("telegram/refresh", "POST", "/telegram/refresh", held.headers(), b"")
        expect_session(expect(answer, 200), held)
        if answer.cookies.get(COOKIE) != (held.token if held.transport == "cookie" else None):
            raise Wrong("the cookie was not renewed as it was")

    def _log_in_by_widget(self) -> None:
        owner = self._newcomer()
        name = f"L{self._random.getrandbits(64):x}"
        person: dict[str, str | int] = {"id": owner, "first_name": "Жук", "last_name": name}
        self._spent = dict(sign_widget({**person, "auth_date": int(time.time())}, BOT_TOKEN))
        answer = self._log_in(self._spent)
        self._keep(expect(answer, 200), Held(owner, "", answer.cookies.get(COOKIE, ""), "cookie"))

    def _log_in_by_init_data(self) -> None:
        owner = self._newcomer()
        user = {"id": owner, "first_name": "🦊 Load", "username": "load_fox", "language_code": "ru"}
        query_id = f"AA{self._random.getrandbits(64):x}"
        text = sign_init_data({"query_id": query_id, "user": user, "auth_date": int(time.time())}, BOT_TOKEN)
        said = expect(self._log_in({"init_data": text}), 200)
        self._keep(said, Held(owner, "", said.get("token", ""), "bearer", text))

    def _log_in_again(self) -> None:
        held = self._random.choice([held for held in self._live if held.init_data])
        text, held.init_data = held.init_data, None
        said = expect(self._log_in({"init_data": text}), 200)
        expect_session(said, held)
        if said.get("token") != held.token:
            raise Wrong("the same initData gave another token")

    def _log_out(self) -> None:
        held = self._pick()
        self._live.remove(held)
        answer = self._send("telegram/logout", "POST", "/telegram/logout", held.headers(), b"")
        expect(answer, 204)
        self._ended.append(held)

    def _list(self) -> None:
        held = self._pick()
        answer = self._send("telegram/sessions", "GET", "/telegram/sessions", held.headers(), b"")
        sessions = expect(answer, 200).get("sessions", [])
        if {session["id"] for session in sessions} != {one.id for one in self._of(held.owner)}:
            raise Wrong("not the sessions that are live")
        if [session["id"] for session in sessions if session["current"]] != [held.id]:
            raise Wrong("another session is called current")

    def _end_another(self) -> None:
        held = self._random.choice([held for held in self._live if len(self._of(held.owner)) > 1])
        other = self._random.choice([one for one in self._of(held.owner) if one is not held])
        self._live.remove(other)
        target = f"/telegram/sessions/{other.id}"
        expect(self._send("telegram/sessions", "DELETE", target, held.headers(), b""), 204)
        self._ended.append(other)

    def _end_others(self) -> None:
        held = self._random.choice([held for held in self._live if len(self._of(held.owner)) > 1])
        others = [one for one in self._of(held.owner) if one is not held]
        self._live = [one for one in self._live if one not in others]
        # Proofs of this second are refused from now on: the next login is another person's.
        self._people = [next(self._ids) if one == held.owner else one for one in self._people]
        target = "/telegram/sessions?keep=current"
        expect(self._send("telegram/sessions", "DELETE", target, held.headers(), b""), 204)
        self._ended.extend(others)

    def _start(self) -> None:
        answer = self._send(
            "telegram/start", "POST", "/telegram/start", PAGE, b'{"return_to":"/orders?id=5"}'
        )
        if expect(answer, 200).get("methods") != ["widget"] or not answer.header("set-cookie"):
            raise Wrong("no login was begun")

    def _health(self) -> None:
        said = expect(self._send("status", "GET", "/health", {}, b""), 200)
        if (said.get("status"), said.get("store")) != ("ok", "upstash"):
            raise Wrong("the store is not said to work")

    def _log_in(self, body: dict[str, Any] | None) -> Response:
        data = json.dumps(body).encode()
        return self._send("telegram/login", "POST", "/telegram/login", PAGE, data)

    def _newcomer(self) -> int:
        return min(self._people, key=lambda owner: len(self._of(owner)))

    def _keep(self, said: dict[str, Any], held: Held) -> None:
        held.id = said.get("session", {}).get("id", "")
        expect_session(said, held)
        if not held.token:
            raise Wrong("no token came")
        self._live.append(held)
