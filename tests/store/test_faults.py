"""The store fails in seventeen ways, before a request takes effect and after it, at every endpoint.

Whatever happens: nobody who is logged in is told that they are not, no cookie goes, nothing is said to have
worked that did not, and an answer comes within three seconds.
"""

import itertools
import socket
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
from tests.store.conftest import Launch, credentials
from tests.store.deployment import (
    ADMIN_TOKEN,
    AUTH_SECRET,
    BOT_TOKEN,
    DAY,
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

QUICK = (
    "drop",
    "reset",
    "huge",
    "truncated",
    "wrong shape",
    "error with 200",
    "401",
    "429",
    "500",
    "502",
    "302",
)
MOST_SECONDS = 3.0


class TooLate(AssertionError):
    """The answer came, and took longer than that."""


Kind = Any
Figure = Callable[[str], None]


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
        self.longest = (0.0, "")
        self.cases = self.unsure = self.wrong = self._checked = 0
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
        """Do it while the faults last, and note how long it took."""
        answer = ENDPOINTS[endpoint](self.at, scene)
        self.longest = max(self.longest, (answer.seconds, endpoint))
        self.cases += 1
        return answer

    def judge(self, endpoint: str, scene: Scene, answer: Answer) -> None:
        """Fail unless the answer is one that may be given; the faults are over when this is called."""
        try:
            self._judge(endpoint, scene, answer)
        except AssertionError as error:
            self.wrong += 1
            error.add_note(endpoint)
            raise

    def _judge(self, endpoint: str, scene: Scene, answer: Answer) -> None:
        alive = live(self.valkey, scene.person)
        worked = 200 <= answer.status < 300
        assert worked or answer.status == 503, (answer.status, answer.body)
        if not worked:
            self.unsure += 1
            assert endpoint == "health" or answer.header("Retry-After"), answer.headers
            assert not answer.all("Set-Cookie"), answer.headers
            assert not answer.body or answer.json().get("code", "store_unavailable") == "store_unavailable"
        if answer.seconds >= MOST_SECONDS:
            raise TooLate(f"{answer.seconds:.2f} s")
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

    def case(self, endpoint: str, *faults: Fault | None) -> None:
        """One endpoint, with these faults for its requests to the store; None lets one pass."""
        scene = self.scene()
        self.upstash.fail(*cast(tuple[Fault, ...], faults))
        answer = self.act(endpoint, scene)
        self.upstash.reset()
        self.judge(endpoint, scene, answer)

    def check_log(self) -> None:
        """Fail if anything printed since the last time holds a secret, or if the instance broke down."""
        lines = self.at.lines[self._checked :]
        check_output("".join(lines), self.common + self._secrets)
        self._checked += len(lines)
        self._secrets.clear()


def check_output(output: str, secrets: list[str]) -> None:
    """Fail if an instance printed a secret, a traceback or nothing."""
    assert output
    assert not [secret for secret in secrets if secret in output]
    assert "sys_crash" not in output
    assert "Traceback" not in output


@contextmanager
def laboratory(valkey: Valkey, env: dict[str, str], *flags: str) -> Iterator[Lab]:
    """A lab of its own, whose instance has `env` besides the credentials."""
    with ExitStack() as stack:
        upstash = stack.enter_context(Upstash(valkey.port))
        at = instance({**ENV, **credentials(upstash), **env}, *flags)
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
def _lab(valkey: Valkey, figure: Figure) -> Iterator[Lab]:
    with laboratory(valkey, {}, "--asks") as lab:
        yield lab
        figure(
            f"{lab.cases} requests at a failing store: {lab.unsure} answered 503, {lab.wrong} wrongly; "
            f"the longest took {lab.longest[0]:.2f} s ({lab.longest[1]})"
        )


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
    for kind, sequence in itertools.product(kinds, SEQUENCES):
        try:
            lab.case(endpoint, *faults(kind, sequence, after))
        except AssertionError as error:
            error.add_note(f"{endpoint}: {kind} {'after' if after else 'before'} the effect, {sequence}")
            raise
    lab.check_log()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", QUICK)
def test_every_quick_fault_at_verify_and_login(lab: Lab, kind: Kind, after: bool) -> None:
    """Each of the quick faults, in every request, at the endpoints that everybody uses."""
    for endpoint in ("verify", "login", "logout", "list", "health", "stats"):
        lab.case(endpoint, *faults(kind, "always", after))
    lab.check_log()


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        ("hang", False),
        pytest.param("hang", True, marks=pytest.mark.slow),
        pytest.param("drip", False, marks=pytest.mark.slow),
        pytest.param("drip", True, marks=pytest.mark.slow),
    ],
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


@pytest.fixture(scope="module")
def labs(valkey: Valkey, figure: Figure) -> Iterator[list[Lab]]:
    """Six labs to wait in at the same time: each case needs the faults of a store for itself."""
    with ExitStack() as stack:
        labs = [stack.enter_context(laboratory(valkey, {}, "--asks")) for _ in range(6)]
        yield labs
        seconds, endpoint = max(lab.longest for lab in labs)
        wrong = sum(lab.wrong for lab in labs)
        figure(
            f"{sum(lab.cases for lab in labs)} requests at a store that hangs or drips in some of them: "
            f"{wrong} answered wrongly; the longest took {seconds:.2f} s ({endpoint})"
        )


def spread(labs: list[Lab], crowd: Crowd, cases: list[tuple[str, list[Fault | None]]]) -> list[str]:
    """Run all cases, as many at once as there are labs, and say what is wrong with them."""
    waiting, wrong = iter(cases), []
    late: list[tuple[str, list[Fault | None]]] = []

    def work(lab: Lab) -> None:
        # A list's iterator is safe to share between threads.
        for endpoint, pattern in waiting:
            try:
                lab.case(endpoint, *pattern)
            except TooLate:
                late.append((endpoint, pattern))
            except AssertionError as error:
                kinds = [f"{fault.kind}{' after' * fault.after}" if fault else "ok" for fault in pattern]
                wrong.append(f"{endpoint} with {kinds[:6]}: {str(error).partition('\n')[0]}")
        lab.check_log()

    crowd([partial(work, lab) for lab in labs])
    # With many at once the machine can be what took so long, and not the store: each once more, alone.
    for endpoint, pattern in late:
        labs[0].case(endpoint, *pattern)
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("sequence", ["first", "second", "from the second"])
@pytest.mark.parametrize("kind", ["hang", "drip"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_slow_faults_in_some_requests(
    labs: list[Lab], crowd: Crowd, kind: Kind, sequence: str, after: bool
) -> None:
    """An answer that fails to come in one request and comes in the next costs nobody a session either."""
    cases = [(endpoint, faults(kind, sequence, after)) for endpoint in ENDPOINTS]
    assert not spread(labs, crowd, cases)


@pytest.mark.slow
def test_no_sequence_of_faults_takes_longer(labs: list[Lab], crowd: Crowd) -> None:
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
    assert not spread(labs, crowd, cases)


@contextmanager
def full_backlog() -> Iterator[int]:
    """The port of a socket that listens and has no room for one connection more."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(20):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(address)
            except TimeoutError:
                yield address[1]
                return
        pytest.fail("the backlog does not fill")


@contextmanager
def closed_port() -> Iterator[int]:
    """A port on which nobody listens while this lasts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("fault", ["refused", "DNS fail", "connect timeout"])
def test_unreachable(lab: Lab, launch: Launch, crowd: Crowd, fault: str, figure: Figure) -> None:
    """A store that cannot be connected to: every endpoint answers 503 in time, and nobody is logged out."""
    with ExitStack() as stack:
        if fault == "DNS fail":
            url, flags = "https://canary-host.invalid", ("--asks", "--no-dns")
        else:
            port = stack.enter_context(closed_port() if fault == "refused" else full_backlog())
            url, flags = f"http://127.0.0.1:{port}", ("--asks",)
        token = "canary-unreachable-token"
        env = {**ENV, "UPSTASH_REDIS_REST_URL": url, "UPSTASH_REDIS_REST_TOKEN": token}
        (cut_off,) = launch(env, flags=flags)
        warm_up(cut_off)
        scenes = {endpoint: lab.scene() for endpoint in ENDPOINTS}
        answers = crowd([partial(ENDPOINTS[endpoint], cut_off, scene) for endpoint, scene in scenes.items()])
        for (endpoint, scene), answer in zip(scenes.items(), answers, strict=True):
            lab.judge(endpoint, scene, answer)
            assert endpoint == "start" or answer.status == 503
        secrets = [secret for scene in scenes.values() for secret in scene.secrets]
        check_output(cut_off.output, [*lab.common, *secrets, token])
        figure(f"{fault}: the longest answer took {max(answer.seconds for answer in answers):.2f} s")


@pytest.mark.parametrize("read", ["primary", "replica"])
def test_stale_reads(valkey: Valkey, read: str) -> None:
    """With a replica that has seen nothing yet every endpoint works: nobody is sent away, none is missing."""
    with laboratory(valkey, {"SESSION_READ": read}, "--asks") as lab:
        lab.upstash.replica_lag = 3600
        for endpoint in ENDPOINTS:
            scene = lab.scene()
            answer = lab.act(endpoint, scene)
            assert answer.status < 300, endpoint
            lab.judge(endpoint, scene, answer)
        lab.check_log()


def test_a_login_whose_answer_was_lost_works_when_it_is_sent_again(lab: Lab) -> None:
    """When it is not known whether the proof was spent, it still logs in or is refused as spent."""
    scene = lab.scene()
    lab.upstash.fail(*[Fault("drop", after=True)] * 2)
    first = lab.at.log_in(scene.proof)
    assert first.status == 503
    lab.upstash.reset()
    again = lab.at.log_in(scene.proof)
    assert again.status == 200 or again.code == "login_stale"
    # Whatever became of it, there is never a second session of it.
    assert len(live(lab.valkey, scene.person)) == 4


def test_a_junk_token_is_refused_whatever_the_store_does(lab: Lab, person: Person) -> None:
    """What needs no store to be refused is refused while there is none."""
    lab.upstash.fail(*[Fault("500")] * 10)
    forged = Held("tg1_" + "A" * 56 + "." + "A" * 43, "bearer", "A" * 16, person.id)
    assert lab.at.verify(forged).code == "invalid_session"
    assert lab.upstash.requests == 0


def test_the_store_recovers_at_once(lab: Lab) -> None:
    """The first request after an outage works: nothing remembers that the store was down."""
    scene = lab.scene()
    lab.upstash.fail(*[Fault("reset")] * 10)
    assert lab.at.verify(scene.mine).status == 503
    lab.upstash.reset()
    assert lab.at.verify(scene.mine).status == 200


def test_health_says_when_to_ask_again(lab: Lab) -> None:
    """Every 503 has a Retry-After, that of /health too."""
    lab.upstash.fail(*[Fault("500")] * 10)
    answer = lab.at.send("GET", "/health")
    assert answer.status == 503
    assert answer.header("Retry-After")


@pytest.mark.slow
def test_a_full_store_keeps_people_logged_in(timed_valkey: Valkey) -> None:
    """When writes are refused for want of room, people are verified and can log out; logins are 503."""
    with laboratory(timed_valkey, {}, "--asks") as lab:
        scene = lab.scene()
        used = str(timed_valkey.run("INFO", "memory")).partition("used_memory:")[2].partition("\\r")[0]
        timed_valkey.run("CONFIG", "SET", "maxmemory", str(int(used) // 2))
        assert lab.at.verify(scene.mine).status == 200
        assert lab.at.refresh(scene.mine).status == 200
        assert lab.at.log_in(scene.proof).code == "store_unavailable"
        assert lab.at.logout(scene.other).status == 204
        assert lab.at.verify(scene.other).status == 401
        lab.check_log()
