"""A preview's login by way of production, in processes."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from lib.tgauth.keys import Signer, hkdf
from tests.site import AUTH_SECRET, BOT_ID, BOT_TOKEN, COOKIE, ORIGIN
from tests.store.conftest import credentials, start_instances
from tests.store.deployment import ENV, Answer, Crowd, Held, Instance, Person

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


@pytest.fixture(scope="module")
def project(_upstash: Upstash) -> Iterator[Project]:
    """The deployments; these tests have people and tickets of their own."""
    store = credentials(_upstash)
    with ExitStack() as stack:
        a, b = start_instances(stack, [{**ENV, **RELAY, **store}] * 2)
        there = {**PREVIEW, **store, "AUTH_RELAY_URL": f"http://127.0.0.1:{a.port}"}
        (preview,) = start_instances(stack, [there])
        yield Project(a, b, preview)


class Made:
    """A ticket with the genuine signature, and the verifier that goes with it."""

    def __init__(self) -> None:
        self.verifier, state = secrets.token_urlsafe(32), secrets.token_urlsafe(18)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        key = Signer(hkdf(RELAY_SECRET.encode(), b"tgauth/1\0relay ticket"))
        self.text = key.sign(f"{HOST}~{state}~{challenge}~{int(time.time())}")

    def agree(self, at: Instance, mine: Held) -> Answer:
        return at.post("/telegram/relay", {"ticket": self.text, "user": mine.user_id}, mine.headers)

    def code(self, at: Instance, mine: Held) -> str:
        answer = self.agree(at, mine)
        assert answer.status == 200, answer.body
        return parameter(answer.json()["url"], "code")

    def redeem(self, at: Instance, code: str) -> Answer:
        return at.post("/telegram/relay", {"code": code, "verifier": self.verifier, "host": HOST})


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


def test_the_price(project: Project, upstash: Upstash, person: Person) -> None:
    """Agreeing costs the session's command and three in one transaction; redeeming costs one."""
    a, b = project.a, project.b
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
