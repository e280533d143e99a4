"""A preview's login by way of production: in processes, on each store that instances can share."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from dev.upstash.server import Fault, Upstash
from dev.upstash.valkey import Valkey
from lib.tgauth.errors import InvalidGrant, StoreUnavailable
from lib.tgauth.keys import Signer, hkdf
from lib.tgauth.relay.codes import keep_code, take_code
from lib.tgauth.store.upstash import UpstashStore
from lib.tgauth.user import TelegramUser
from tests.store.conftest import credentials, start_instances
from tests.store.deployment import (
    AUTH_SECRET,
    BOT_ID,
    BOT_TOKEN,
    COOKIE,
    ENV,
    ORIGIN,
    Answer,
    Crowd,
    Held,
    Instance,
    Person,
    service,
)

HOST = "myapp-1x2y3z-myteam.vercel.app"
RELAY_SECRET = "canary-relay-secret-0123456789-01"
RELAY = {"AUTH_RELAY_SECRET": RELAY_SECRET, "AUTH_RELAY_HOSTS": "myapp-*-myteam.vercel.app"}
PREVIEW = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "AUTH_SECRET": AUTH_SECRET,
    "AUTH_RELAY_SECRET": RELAY_SECRET,
    "VERCEL": "1",
    "VERCEL_ENV": "preview",
    "VERCEL_URL": HOST,
}
DOCUMENT = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
AT_PREVIEW = {**DOCUMENT, "Host": HOST}


@dataclass(frozen=True)
class Project:
    """Two instances of production and one of a preview, all on one database."""

    a: Instance
    b: Instance
    preview: Instance


@pytest.fixture(scope="module", params=["upstash", "redis"])
def project(request: pytest.FixtureRequest, _upstash: Upstash, valkey: Valkey) -> Iterator[Project]:
    """The deployments, over REST and over TCP in turn; these tests have people and tickets of their own."""
    store = credentials(_upstash) if request.param == "upstash" else {"REDIS_URL": valkey.url}
    with ExitStack() as stack:
        a, b = start_instances(stack, [{**ENV, **RELAY, **store}] * 2)
        there = {**PREVIEW, **store, "AUTH_RELAY_URL": f"http://127.0.0.1:{a.port}"}
        (preview,) = start_instances(stack, [there])
        yield Project(a, b, preview)


@pytest.fixture(scope="module")
def production(_upstash: Upstash) -> Iterator[list[Instance]]:
    """Two instances of production, whose commands are counted."""
    with ExitStack() as stack:
        yield start_instances(stack, [{**ENV, **RELAY, **credentials(_upstash)}] * 2)


class Made:
    """A ticket with the genuine signature, and the verifier that goes with it."""

    def __init__(self, host: str = HOST, age: int = 0) -> None:
        self.verifier, self.state, self.host = secrets.token_urlsafe(32), secrets.token_urlsafe(18), host
        digest = hashlib.sha256(self.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        key = Signer(hkdf(RELAY_SECRET.encode(), b"tgauth/1\0relay ticket"))
        self.text = key.sign(f"{host}~{self.state}~{challenge}~{int(time.time()) - age}")

    @property
    def key(self) -> str:
        """Where production keeps what it knows of it."""
        return f"tgauth:production:{BOT_ID}:c:{self.state}"

    def agree(self, at: Instance, mine: Held) -> Answer:
        return at.post("/telegram/relay", {"ticket": self.text, "user": mine.user_id}, mine.headers)

    def code(self, at: Instance, mine: Held) -> str:
        answer = self.agree(at, mine)
        assert answer.status == 200, answer.body
        return parameter(answer.json()["url"], "code")

    def redeem(self, at: Instance, code: str, **changes: str) -> Answer:
        body = {"code": code, "verifier": self.verifier, "host": self.host} | changes
        return at.post("/telegram/relay", body)


def parameter(url: str, name: str) -> str:
    (value,) = parse_qs(urlsplit(url).query, strict_parsing=True)[name]
    return value


def one_user(answers: list[Answer], person: Person) -> None:
    """One of them has the user, and the others look all the same."""
    found, *rest = sorted(answers, key=lambda answer: answer.status)
    assert found.json()["user"]["id"] == person.id
    assert {(answer.status, answer.code) for answer in rest} == {(400, "invalid_grant")}
    assert len({json.dumps(answer.json() | {"request_id": ""}) for answer in rest}) == 1


def test_the_whole_way(project: Project, person: Person, valkey: Valkey) -> None:
    """A login begins in the preview, is agreed to at one instance of production and redeemed at another."""
    mine = project.b.enter(person)
    started = project.preview.send("GET", "/telegram/start?return_to=%2Fx", AT_PREVIEW)
    location = started.header("Location") or ""
    assert location.startswith(f"http://127.0.0.1:{project.a.port}/telegram/relay?ticket={HOST}~")
    asked = project.a.send("GET", location.partition(str(project.a.port))[2], DOCUMENT)
    assert (asked.header("Location") or "").startswith(f"{ORIGIN}/relay.html?ticket=")
    consent = {"ticket": parameter(location, "ticket"), "user": person.id}
    agreed = project.b.post("/telegram/relay", consent, mine.headers)
    url = agreed.json()["url"]
    cookie = {"Cookie": (started.header("Set-Cookie") or "").partition(";")[0]}
    target = url.removeprefix(f"https://{HOST}")
    back = project.preview.send("GET", target, {**AT_PREVIEW, **cookie})
    assert (back.status, back.header("Location")) == (303, "/x")
    (session,) = [text for text in back.all("Set-Cookie") if text.startswith(f"{COOKIE}=")]
    token = session.partition("=")[2].partition(";")[0]
    held = Held(token, "cookie", "", person.id)
    found = project.preview.send("GET", "/telegram/verify", {**held.headers, "Host": HOST})
    assert found.json()["user"] == project.a.verify(mine).json()["user"]
    assert found.json()["session"]["method"] == "relay"
    # Each has a session of its own, in a key of its own, and neither takes the other's token.
    assert project.a.verify(held).code == "invalid_session"
    assert project.preview.verify(mine).code == "invalid_session"
    for name in ("production", "preview"):
        assert valkey.run("EXISTS", f"tgauth:{name}:{BOT_ID}:u:{person.id}") == 1
    again = project.preview.send("GET", target, {**AT_PREVIEW, **cookie})
    assert (again.code, again.all("Set-Cookie")) == ("login_rejected", [])


@pytest.mark.parametrize("rounds", [2, pytest.param(40, marks=pytest.mark.slow)])
def test_a_code_is_redeemed_once(project: Project, crowd: Crowd, rounds: int) -> None:
    """Of many redemptions at once, at two instances, one gets the user, and nobody does later."""
    for _ in range(rounds):
        person, made = Person(), Made()
        code = made.code(project.a, project.a.enter(person))
        works = [partial(made.redeem, (project.a, project.b)[index % 2], code) for index in range(32)]
        one_user(crowd(works), person)
        assert {made.redeem(at, code).code for at in (project.a, project.b)} == {"invalid_grant"}


def test_fifty_redemptions(project: Project, crowd: Crowd, person: Person) -> None:
    """Fifty of them, as many at once as there are threads: one user."""
    made = Made()
    code = made.code(project.a, project.a.enter(person))
    answers = crowd.map(lambda index: made.redeem((project.a, project.b)[index % 2], code), range(50))
    # On a busy machine the store's time can run out for some: they are told so, and have no user either.
    one_user([answer for answer in answers if answer.code != "store_unavailable"], person)


@pytest.mark.parametrize("rounds", [2, pytest.param(40, marks=pytest.mark.slow)])
def test_a_ticket_gets_one_code(project: Project, crowd: Crowd, rounds: int) -> None:
    """Of many who agree at once with one ticket, two people among them, one gets the code, for themselves."""
    for _ in range(rounds):
        people, made = [Person(), Person()], Made()
        held = [project.a.enter(person) for person in people]
        works = [
            partial(made.agree, (project.a, project.b)[index % 2], held[index // 2 % 2])
            for index in range(24)
        ]
        answers = crowd(works)
        assert sorted(answer.status for answer in answers) == [200] + [400] * 23
        winner = next(index for index, answer in enumerate(answers) if answer.status == 200)
        code = parameter(answers[winner].json()["url"], "code")
        assert made.redeem(project.b, code).json()["user"]["id"] == people[winner // 2 % 2].id
        assert made.agree(project.a, held[0]).code == "invalid_grant"


def test_how_long_the_store_keeps_it(project: Project, valkey: Valkey, person: Person) -> None:
    """The code's user for two minutes, and that the ticket was used for twelve; then nothing is left."""
    made = Made()
    code = made.code(project.a, project.a.enter(person))
    left = valkey.run("HTTL", made.key, "FIELDS", 2, "code", "spent")
    assert isinstance(left, list)
    assert left[0] == pytest.approx(120, abs=3)
    assert left[1] == pytest.approx(720, abs=3)
    assert made.redeem(project.b, code).status == 200
    assert valkey.run("HLEN", made.key) == 1
    assert made.agree(project.a, project.a.enter(person)).code == "invalid_grant"
    assert valkey.run("HGET", made.key, "code") is None


def test_the_price(production: list[Instance], upstash: Upstash, person: Person) -> None:
    """Agreeing costs the session's command and three in one transaction; redeeming costs one."""
    a, b = production
    mine, made = a.enter(person), Made()

    def cost(action: Callable[[], Answer], status: int) -> tuple[int, int]:
        upstash.reset()
        answer = action()
        assert answer.status == status, answer.body
        return upstash.commands, upstash.requests

    assert cost(lambda: a.send("GET", f"/telegram/relay?{urlencode({'ticket': made.text})}"), 303) == (0, 0)
    code = ""

    def agree() -> Answer:
        nonlocal code
        answer = made.agree(a, mine)
        code = parameter(answer.json()["url"], "code")
        return answer

    assert cost(agree, 200) == (4, 2)
    assert cost(lambda: made.agree(b, mine), 400) == (4, 2)
    assert cost(lambda: made.redeem(b, code), 200) == (1, 1)
    assert cost(lambda: made.redeem(a, code), 400) == (1, 1)


FAULTS = ["drop", "reset", "truncated", "500", "502", "wrong shape"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", FAULTS)
def test_the_store_fails_while_a_code_is_redeemed(
    production: list[Instance], upstash: Upstash, person: Person, kind: Any, after: bool
) -> None:
    """503, asked once, and never two users: what was not carried out works again, what was does not."""
    a, b = production
    made = Made()
    code = made.code(a, a.enter(person))
    upstash.reset()
    upstash.fail(Fault(kind, after=after))
    assert made.redeem(b, code).code == "store_unavailable"
    assert upstash.requests == 1
    again = made.redeem(a, code)
    assert (again.status, again.code) == ((400, "invalid_grant") if after else (200, None))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", FAULTS)
def test_the_store_fails_while_the_user_agrees(upstash: Upstash, kind: Any, after: bool) -> None:
    """The transaction is sent once, and a ticket that may have been used is not used again."""
    store, state = UpstashStore(upstash.url, upstash.token), secrets.token_urlsafe(18)
    ours = service(store, {**RELAY, **credentials(upstash)})
    user = TelegramUser(5, "Canary")
    upstash.fail(Fault(kind, after=after))
    with pytest.raises(StoreUnavailable):
        keep_code(ours, state, user, seconds=120, ticket_seconds=720)
    assert upstash.requests == 1
    if after:
        with pytest.raises(InvalidGrant):
            keep_code(ours, state, user, seconds=120, ticket_seconds=720)
    else:
        keep_code(ours, state, user, seconds=120, ticket_seconds=720)
    assert take_code(ours, state) == user.to_json()
    store.close()


def test_no_line_holds_a_secret(project: Project, person: Person) -> None:
    """Neither ticket, code, verifier nor the relay's secret is in what any of the processes printed."""
    made = Made()
    mine = project.a.enter(person)
    code = made.code(project.a, mine)
    for text in (made.text, made.text[:-1], "x"):
        project.a.send("GET", f"/telegram/relay?{urlencode({'ticket': text})}")
        made.agree(project.a, mine)
    made.redeem(project.a, code[:-1])
    made.redeem(project.a, code, verifier="x")
    made.redeem(project.a, code)
    made.redeem(project.a, code)
    for one in (project.a, project.b, project.preview):
        for secret in (RELAY_SECRET, BOT_TOKEN, made.text[-43:], code[-43:], made.verifier, made.state):
            assert secret not in one.output
        assert mine.token not in one.output
