"""The store fails, before a request takes effect and after it, at every endpoint.

Whatever happens: nobody who is logged in is told that they are not, no cookie goes, nothing is said to have
worked that did not, and an answer comes within three seconds.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pytest

from dev.upstash.server import Fault, Upstash
from dev.upstash.valkey import Valkey
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.store.redis import RedisStore
from lib.tgauth.telegram.login import Login, verify_login
from tests.site import AUTH_SECRET, BOT_TOKEN, DAY
from tests.store.conftest import credentials
from tests.store.deployment import (
    ADMIN_TOKEN,
    ENV,
    Answer,
    Crowd,
    Held,
    Instance,
    Person,
    held,
    instance,
    live,
    service,
)

MOST_SECONDS = 3.0
Kind = Any


@dataclass
class Scene:
    """Somebody with three sessions, and a proof for a fourth."""

    person: Person
    mine: Held
    other: Held
    mini: Held
    proof: dict[str, Any]

    @property
    def secrets(self) -> list[str]:
        """What no answer to somebody else and no log line may hold."""
        sessions = (self.mine, self.other, self.mini)
        return [cast(str, self.proof["hash"]), *(session.token for session in sessions)]


Act = Callable[[Instance, Scene], Answer]

ENDPOINTS: dict[str, Act] = {
    "verify": lambda at, scene: at.verify(scene.mine),
    "verify with HEAD": lambda at, scene: at.verify(scene.mine, "HEAD"),
    "refresh": lambda at, scene: at.refresh(scene.mine),
    "logout": lambda at, scene: at.logout(scene.mine),
    "logout of a Mini App": lambda at, scene: at.logout(scene.mini),
    "login": lambda at, scene: at.log_in(scene.proof),
    "login again": lambda at, scene: at.log_in(scene.proof, old=scene.mine),
    "login of a Mini App": lambda at, scene: at.log_in(scene.person.init_data()),
    "list": lambda at, scene: at.list(scene.mine),
    "end another": lambda at, scene: at.end(scene.mine, scene.other.id),
    "end a Mini App": lambda at, scene: at.end(scene.mine, scene.mini.id),
    "end own": lambda at, scene: at.end(scene.mine, scene.mine.id),
    "end others": lambda at, scene: at.revoke(scene.mine, keep=True),
    "end all": lambda at, scene: at.revoke(scene.mine),
    "health": lambda at, _: at.send("GET", "/health"),
    "stats": lambda at, _: at.send("GET", "/stats", {"Authorization": f"Bearer {ADMIN_TOKEN}"}),
    "start": lambda at, scene: at.post("/telegram/start", {}, scene.mine.headers),
}


class Lab:
    """An instance on a store that fails, and the same sessions seen past all faults."""

    def __init__(self, valkey: Valkey, upstash: Upstash, at: Instance, sessions: SessionService) -> None:
        self.valkey, self.upstash, self.at, self.sessions = valkey, upstash, at, sessions
        self._checked = 0
        self.common = [BOT_TOKEN, AUTH_SECRET, ADMIN_TOKEN, upstash.token]
        # The log may name it.
        self._address = upstash.url.partition("//")[2]
        self._secrets: list[str] = []

    def scene(self) -> Scene:
        """A new scene, made without the faulty store."""
        person = Person()
        made = [self.enter(person, kind) for kind in ("cookie", "bearer", "mini")]
        scene = Scene(person, *made, proof=person.widget())
        self._secrets += scene.secrets
        return scene

    def enter(self, person: Person, kind: str) -> Held:
        """Log in past the faulty store."""
        if kind == "mini":
            login, transport = Login("bearer", init_data=person.init_data()), "bearer"
        else:
            login, transport = Login(cast(Any, kind), widget=person.widget()), kind
        user, proof = verify_login(login, settings=self.sessions.settings, now=time.time())
        session = self.sessions.create_session(user, proof, transport=cast(Any, transport))
        return Held(session.token, session.transport, session.id, user.id)

    def act(self, endpoint: str, scene: Scene) -> Answer:
        """Do it while the faults last."""
        return ENDPOINTS[endpoint](self.at, scene)

    def judge(self, endpoint: str, scene: Scene, answer: Answer) -> None:
        """Fail unless the answer is one that may be given; the faults are over when this is called."""
        alive = live(self.valkey, scene.person)
        worked = 200 <= answer.status < 300
        assert worked or answer.status == 503, (answer.status, answer.body)
        if not worked:
            assert answer.header("Retry-After"), answer.headers
            assert not answer.all("Set-Cookie"), answer.headers
            assert not answer.body or answer.json().get("code", "store_unavailable") == "store_unavailable"
        assert answer.seconds < MOST_SECONDS
        told = [self._address, *self.common, *scene.secrets]
        secrets = [secret for secret in told if secret.encode() in answer.body]
        assert not secrets
        gone = {
            "logout": [scene.mine],
            "logout of a Mini App": [scene.mini],
            "end another": [scene.other],
            "end a Mini App": [scene.mini],
            "end own": [scene.mine],
            "end others": [scene.other, scene.mini],
            "end all": [scene.mine, scene.other, scene.mini],
        }.get(endpoint, [])
        new: list[Held] = []
        # The presented session goes after the new one is there; where that fails, the login still counts.
        replaced = [scene.mine] if endpoint == "login again" and worked else []
        if worked:
            assert not alive & {session.id for session in gone}, "said to have ended, and lives"
            if endpoint == "list":
                listed = {session["id"] for session in answer.json()["sessions"]}
                assert listed == alive, "a session is missing from the list"
                assert min(session["expires_at"] for session in answer.json()["sessions"]) > time.time()
            if endpoint.startswith("login"):
                new = [held(answer)]
                assert new[0].id in alive, "a login without a session"
        for session in (scene.mine, scene.other, scene.mini):
            if session in replaced:
                continue
            assert session.id in alive or session in gone, "lost"
            expected = 200 if session.id in alive else 401
            assert self.at.verify(session).status == expected, "alive and not let in, or the reverse"
        for session in new:
            assert self.at.verify(session).status == 200
        assert len(alive) <= 4, "more sessions than logins"

    def case(self, endpoint: str, *faults: Fault | None) -> int:
        """How many requests an endpoint makes to the store with these faults for them; None lets one pass."""
        scene = self.scene()
        self.upstash.reset()
        self.upstash.fail(*cast(tuple[Fault, ...], faults))
        answer = self.act(endpoint, scene)
        requests = self.upstash.requests
        self.upstash.reset()
        self.judge(endpoint, scene, answer)
        return requests

    def check_log(self) -> None:
        """Fail if anything printed since the last time holds a secret, or if the instance broke down."""
        lines = self.at.lines[self._checked :]
        output = "".join(lines)
        assert output
        assert not [secret for secret in self.common + self._secrets if secret in output]
        assert "sys_crash" not in output
        assert "Traceback" not in output
        self._checked += len(lines)
        self._secrets.clear()


@contextmanager
def laboratory(valkey: Valkey, read: str) -> Iterator[Lab]:
    """A lab of its own, whose instance has this SESSION_READ."""
    with ExitStack() as stack:
        upstash = stack.enter_context(Upstash(valkey.port))
        at = instance({**ENV, **credentials(upstash), "SESSION_READ": read}, "--asks")
        stack.callback(at.close)
        store = RedisStore(valkey.url)
        stack.callback(store._redis.close)
        warm_up(at.wait())
        yield Lab(valkey, upstash, at, service(store, {"REDIS_URL": valkey.url}))


def warm_up(at: Instance) -> None:
    """Let it import what a cold start does: that is no part of the wait for the store."""
    assert at.log_in(Person().init_data(auth_date=time.time() - 2 * DAY)).code == "login_stale"
    assert at.verify(Held("tg1_", "bearer", "", 0)).code == "invalid_session"


@pytest.fixture(scope="module")
def _lab(valkey: Valkey) -> Iterator[Lab]:
    with laboratory(valkey, "primary") as lab:
        yield lab


@pytest.fixture
def lab(_lab: Lab) -> Lab:
    _lab.upstash.reset()
    return _lab


SEQUENCES: dict[str, tuple[bool, ...]] = {
    "always": (True,) * 12,
    "first": (True,),
    "second": (False, True),
    "third": (False, False, True),
    "from the second": (False, *[True] * 11),
    "from the third": (False, False, *[True] * 10),
}


def faults(kind: Kind, sequence: str, after: bool) -> list[Fault | None]:
    """One fault for each request of the sequence that goes wrong."""
    return [Fault(kind, after) if wrong else None for wrong in SEQUENCES[sequence]]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_quick_faults(lab: Lab, endpoint: str, after: bool) -> None:
    """A fault that shows at once, in all requests or some, before or after the effect, costs no session.

    These are some of them; `make faults` has the whole matrix.
    """
    kinds: tuple[Kind, ...] = ("drop", "429")
    requests = lab.case(endpoint)
    # Later than all requests nothing can go wrong.
    met = [name for name, wrong in SEQUENCES.items() if wrong.index(True) < max(requests, 1)]
    for kind, sequence in itertools.product(kinds, met):
        try:
            lab.case(endpoint, *faults(kind, sequence, after))
        except AssertionError as error:
            error.add_note(f"{endpoint}: {kind} {'after' if after else 'before'} the effect, {sequence}")
            raise
    lab.check_log()


@pytest.mark.parametrize(
    ("kind", "after"), [("hang", False), pytest.param("drip", True, marks=pytest.mark.slow)]
)
def test_slow_faults(lab: Lab, crowd: Crowd, kind: Kind, after: bool) -> None:
    """No answer, or a byte a second, in every request: every endpoint answers 503 within three seconds."""
    scenes = {endpoint: lab.scene() for endpoint in ENDPOINTS}
    lab.upstash.fail(*[Fault(kind, after)] * 200)
    answers = crowd([partial(lab.act, endpoint, scene) for endpoint, scene in scenes.items()])
    lab.upstash.reset()
    for (endpoint, scene), answer in zip(scenes.items(), answers, strict=True):
        lab.judge(endpoint, scene, answer)
        assert endpoint == "start" or answer.status == 503
    lab.check_log()


@pytest.mark.slow
def test_no_sequence_of_faults_takes_longer(lab: Lab) -> None:
    """Three seconds are for the whole answer, also when each of several operations needs a second attempt."""
    hang, fine = Fault("hang"), None
    cases: list[tuple[str, list[Fault | None]]] = [
        ("logout of a Mini App", [hang, hang]),
        ("login again", [hang, fine, hang, hang]),
        ("end another", [hang, fine, hang, hang]),
        ("end a Mini App", [hang, fine, hang, hang]),
        ("list", [fine, hang, hang]),
        ("end others", [fine, hang]),
        ("stats", [hang, fine, hang, fine, hang, hang]),
    ]
    for endpoint, pattern in cases:
        lab.case(endpoint, *pattern)
    lab.check_log()


def test_stale_reads(valkey: Valkey) -> None:
    """With a replica that has seen nothing yet every endpoint works: nobody is sent away, none is missing."""
    with laboratory(valkey, "replica") as lab:
        lab.upstash.replica_lag = 3600
        for endpoint in ENDPOINTS:
            scene = lab.scene()
            answer = lab.act(endpoint, scene)
            assert answer.status < 300, endpoint
            lab.judge(endpoint, scene, answer)
        lab.check_log()
