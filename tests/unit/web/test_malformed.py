"""Malformed requests: each is answered as documented, none breaks anything, none logs anybody in."""

import json
import random
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lib.tgauth.sessions.service
import lib.tgauth.settings
from dev.prove.faults.client import environ_of
from tests.site import (
    APPS,
    BOT_TOKEN,
    COOKIE,
    ENV,
    METHODS,
    ORIGIN,
    OWN_PAGE,
    Clock,
    Site,
)

EXPECTED = {200, 204, 303, 400, 401, 403, 404, 405, 413, 414, 415}
LEAKS = (b"Traceback", b'File "', b"File \\", b"line ", b".py", b"Error:", BOT_TOKEN.encode())

Request = dict[str, Any]


class Material:
    """Real tokens, proofs and bodies of a deployment, for requests that are nearly right."""

    def __init__(self, site: Site) -> None:
        self.site = site
        foreign = Site(
            site.clock, {**ENV, "AUTH_SECRET": "x" * 40}, shared=site.settings.store.kind != "memory"
        )
        self.foreign_tokens = [foreign.login().token, foreign.bearer_login().token]
        logins = [site.login(), site.bearer_login()]
        self.tokens = [login.token for login in logins]
        self.slots = [login.json()["session"]["id"] for login in logins]
        self.widgets = [site.widget(BOT_TOKEN + "x") for _ in range(20)]
        self.init_data = [site.init_data(BOT_TOKEN + "x") for _ in range(20)]


def run(app: str, environ: Request) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of one request."""
    given: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], None]:
        given.append((int(status[:3]), headers))
        return lambda _: None

    chunks = APPS[app](environ, start_response)
    body = b"".join(chunks)
    return *given[-1], body


def check(app: str, environ: Request) -> int:
    """Send the request and hold its answer to what every answer must be; gives its status."""
    method = environ["REQUEST_METHOD"].upper()
    status, headers, body = run(app, environ)
    named = {name.lower(): value for name, value in headers}
    if (status, app, method) == (503, "/telegram/sessions", "DELETE"):
        # What needs a shared store is refused without one, whoever asks.
        assert json.loads(body)["code"] == "shared_store_required"
    else:
        assert status in EXPECTED, (status, environ)
    assert all(
        count == 1 for name, count in Counter(name for name, _ in headers).items() if name != "Set-Cookie"
    )
    assert all("\r" not in value and "\n" not in value for value in named.values())
    assert named["cache-control"] == "no-store"
    assert not any(leak in body for leak in LEAKS), body
    for cookie in (value for name, value in headers if name == "Set-Cookie"):
        begun = app == "/telegram/start" and cookie.startswith(f"{COOKIE}-tx-")
        assert begun or re.match(rf"{COOKIE}(-tx-[A-Za-z0-9_-]{{8}})?=;", cookie), cookie
    if status == 303:
        # Sent on, logged in by nothing: to Telegram, to the login page, or to the page that asks.
        assert app in ("/telegram/start", "/telegram/login"), environ
        ours = (
            rf"({ORIGIN}/telegram/start\?redirected=1(&return_to=[\w%.-]+)?|/(\?return_to=[\w%.-]+)?)$"
            r"|/confirm\.html[?#]"
        )
        assert re.match(ours, named["location"]), named["location"]
    if status in (204, 303) or method == "HEAD":
        assert body == b""
    else:
        assert named["content-length"] == str(len(body))
        value = json.loads(body)
        if status >= 400:
            assert named["content-type"] == "application/problem+json"
            assert set(value) == {"type", "title", "status", "detail", "code", "request_id"}
            assert value["status"] == status
        else:
            assert named["content-type"] == "application/json"
            # Nobody is logged in: health and start are all that there is to say.
            assert app in ("/health", "/telegram/start"), (app, environ)
            assert "user" not in value
    return status


class Corpus:
    """A seeded stream of malformed requests."""

    def __init__(self, seed: int, material: Material) -> None:
        self.random = random.Random(seed)  # noqa: S311 (a corpus that is the same in every run)
        self.material = material
        self.tokens = material.tokens

    def text(self, most: int = 40) -> str:
        pick = self.random
        alphabet = pick.choice(
            [
                string.printable,
                "".join(map(chr, range(256))),
                "\x00\r\n\t ;,=\"'\\%&?#/.:@<>{}[]",
                "%0d%0a%00%2e%2f",
                "Az09-_.~+/=",
            ]
        )
        return "".join(pick.choices(alphabet, k=pick.randrange(most)))

    def mutated(self, text: str) -> str:
        """`text` with at least one change that is not white space around it."""
        pick, changed = self.random, text
        while changed.strip() == text.strip():
            at = pick.randrange(len(text))
            before, after = text[:at], text[at:]
            changed = pick.choice(
                [
                    before + pick.choice(string.ascii_letters) + after[1:],
                    before + self.text(4) + after,
                    before,
                    after,
                    text + text,
                    text[::-1],
                    text.upper(),
                    text.replace(".", pick.choice(["", "..", "%2e", ","])),
                    f'"{text}"',
                    text.encode().hex(),
                ]
            )
        return changed

    def method(self, path: str) -> str:
        if self.random.random() < 0.75:
            deleting = path == "/telegram/sessions" and self.random.random() < 0.7
            return "DELETE" if deleting else METHODS[path]
        return self.random.choice(
            ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "OPTIONS", self.text(12)]
        )

    def path(self, path: str) -> str:
        pick = self.random.random()
        if path == "/telegram/sessions" and pick < 0.4:
            return f"{path}/{self.random.choice(self.material.slots) if pick < 0.2 else self.text(20)}"
        if pick < 0.8:
            return path
        return "/" + self.text(60) if pick < 0.97 else "/" * self.random.randrange(8000, 9000)

    def query(self) -> str:
        pick = self.random
        return pick.choice(
            [
                lambda: "",
                lambda: self.text(),
                lambda: "&".join(f"{self.text(5)}={self.text(5)}" for _ in range(pick.randrange(100))),
                lambda: "&" * pick.randrange(200),
                lambda: f"token={pick.choice(self.tokens)}",
                lambda: "x" * pick.randrange(8000, 9000),
            ]
        )()

    def cookie(self) -> str:
        pick = self.random
        token = pick.choice(self.tokens)
        return pick.choice(
            [
                lambda: self.text(200),
                lambda: f"{COOKIE}={self.mutated(token)}",
                lambda: f"{COOKIE}={token}; {COOKIE}={self.text()}",
                lambda: f"{COOKIE.lower()}={token}",
                lambda: f"{self.text()}; {COOKIE}={self.text(100)}; {self.text()}",
                lambda: f"{COOKIE}={self.tokens[1]}",
                lambda: "; ".join(f"{self.text(6)}={self.text(6)}" for _ in range(50)),
            ]
        )()

    def authorization(self) -> str:
        pick = self.random
        token = pick.choice(self.tokens)
        return pick.choice(
            [
                lambda: self.text(100),
                lambda: f"Bearer {self.mutated(token)}",
                lambda: f"Bearer {self.tokens[0]}",
                lambda: f"Basic {token}",
                lambda: f"Bearer {self.text(60)}",
                lambda: f"Bearer{self.text(3)}{token}{self.text(3)}{token}",
            ]
        )()

    def headers(self) -> dict[str, str]:
        pick, headers = self.random, {}
        chances: list[tuple[float, str, Callable[[], str]]] = [
            (0.5, "Cookie", self.cookie),
            (0.3, "Authorization", self.authorization),
            (0.2, "X-Vercel-Id", self.text),
            (0.2, "X-Real-IP", self.text),
            (0.2, "X-Vercel-IP-Country", self.text),
            (0.2, "User-Agent", lambda: self.text(300)),
            (0.2, "Origin", lambda: pick.choice([self.text(), "null", ORIGIN, f"{ORIGIN}.evil.example"])),
            (0.1, "Host", self.text),
            (0.1, "X-Forwarded-Host", self.text),
            (0.05, "Content-Length", lambda: pick.choice([self.text(5), "-1", "9" * 50, "17000", "0", ""])),
        ]
        for chance, name, value in chances:
            if pick.random() < chance:
                headers[name] = value()
        if pick.random() < 0.8:
            headers |= OWN_PAGE
        else:
            headers["Sec-Fetch-Site"] = pick.choice(["cross-site", "none", self.text(8)])
        if pick.random() < 0.9:
            headers.setdefault("Content-Type", "application/json")
        elif pick.random() < 0.5:
            headers["Content-Type"] = self.text()
        return headers

    def value(self, depth: int = 0) -> Any:
        pick = self.random
        return pick.choice(
            [
                lambda: None,
                lambda: pick.choice([True, False]),
                lambda: pick.choice([0, -1, 1e308, 2**53, 2**63, 10**400, 0.1]),
                lambda: self.text(),
                lambda: "\ud800",
                lambda: [self.value(depth + 1) for _ in range(pick.randrange(4))] if depth < 4 else [],
                lambda: {self.text(5): self.value(depth + 1) for _ in range(4)} if depth < 4 else {},
            ]
        )()

    def login(self) -> Any:
        """A body that is nearly a login; its proof is another bot's, so no mutation can make it good."""
        pick = self.random
        widget = dict(pick.choice(self.material.widgets))
        init_data = pick.choice(self.material.init_data)
        name = pick.choice([*widget, "transport", self.text(8)])
        return pick.choice(
            [
                lambda: widget | {name: self.value()},
                lambda: {key: value for key, value in widget.items() if key != name},
                lambda: {"widget": widget | {name: self.value()}},
                lambda: {"widget": self.value()},
                lambda: {"init_data": self.mutated(init_data)},
                lambda: {"init_data": init_data + "&" + self.text()},
                lambda: {"init_data": self.value()},
                lambda: {
                    "init_data": init_data,
                    "transport": pick.choice(["cookie", "bearer", self.value()]),
                },
                lambda: {"widget": widget, "init_data": init_data},
                lambda: self.value(),
            ]
        )()

    def body(self) -> bytes:
        pick = self.random

        def broken() -> bytes:
            text = json.dumps(self.login()).encode()
            at = pick.randrange(len(text))
            return text[:at] + pick.randbytes(pick.randrange(3)) + text[at + pick.randrange(3) :]

        return pick.choice(
            [
                lambda: b"",
                lambda: json.dumps(self.login()).encode(),
                lambda: json.dumps(self.login(), ensure_ascii=False).encode("utf-8", "surrogatepass"),
                broken,
                lambda: pick.randbytes(pick.randrange(200)),
                lambda: self.text(200).encode("latin-1"),
                lambda: json.dumps(self.login()).encode("utf-16"),
                lambda: b"[" * pick.choice([10, 1000, 16_000, 17_000]),
                lambda: b'{"a":' * pick.choice([10, 1000, 3000]),
                lambda: b'{"id":' + b"9" * pick.choice([400, 5000, 16_000]) + b"}",
            ]
        )()

    def requests(self, count: int) -> Iterator[tuple[str, Request]]:
        paths = [*APPS, "/telegram/login", "/telegram/login"]
        for _ in range(count):
            app = self.random.choice(paths)
            # A real token would end its session here, whichever way it came.
            foreign = app == "/telegram/logout"
            self.tokens = self.material.foreign_tokens if foreign else self.material.tokens
            method = self.method(app)
            body = self.body() if method in ("POST", "DELETE") or self.random.random() < 0.2 else b""
            yield app, environ_of(method, self.path(app), self.query(), self.headers(), body)


def use(site: Site) -> None:
    """From here on the functions are this instance."""
    lib.tgauth.settings._settings = site.settings
    lib.tgauth.sessions.service._service = site.service


def go_through(
    clock: Clock, shared: bool, requests: int, capsys: pytest.CaptureFixture[str]
) -> Counter[tuple[str, int]]:
    """Send the first requests of the corpus; how often which function answered which status."""
    relay = {"AUTH_RELAY_SECRET": "canary-relay-secret-0123456789-01234", "AUTH_RELAY_HOSTS": "p.example.org"}
    site = Site(clock, {**ENV, **relay}, shared=shared)
    use(site)
    material = Material(site)
    before = site.store.fields()
    site.store.calls.clear()
    capsys.readouterr()
    seen: Counter[tuple[str, int]] = Counter()
    for app, environ in Corpus(20_261_122 + shared, material).requests(requests):
        seen[app, check(app, environ)] += 1
    assert set(site.store.calls) == {"check"}
    assert site.store.fields().keys() == before.keys()
    assert site.verify(cookie=material.tokens[0]).status == 200

    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.split("\n")
    assert len(lines) == requests + 2
    for line in lines[:-1]:
        assert isinstance(json.loads(line), dict)
    return seen


KINDS = pytest.mark.parametrize("shared", [False, True], ids=["degraded", "shared"])


@KINDS
def test_corpus(clock: Clock, shared: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 750 malformed requests none is a 5xx, shows our insides, logs anybody in, or writes."""
    seen = go_through(clock, shared, 750, capsys)
    assert {status for _, status in seen} >= {400, 401, 404, 405, 413, 414, 415}


@pytest.mark.slow
@KINDS
def test_the_whole_corpus(clock: Clock, shared: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor of 7,000, which reach every refusal, or they would prove little."""
    seen = go_through(clock, shared, 7000, capsys)
    assert {status for _, status in seen} == EXPECTED
    assert {status for app, status in seen if app == "/telegram/login"} >= {400, 401, 403, 405, 413, 414, 415}
    assert min(Counter(app for app, _ in seen.elements()).values()) > 500


latin = st.text(st.characters(max_codepoint=255), max_size=60)
junk_headers = st.dictionaries(
    st.sampled_from(
        [
            *(
                "Cookie",
                "Authorization",
                "Origin",
                "Sec-Fetch-Site",
                "Content-Type",
                "Content-Length",
                "Host",
            ),
            *("X-Vercel-Id", "X-Real-IP", "X-Vercel-Forwarded-For", "User-Agent", "X-Vercel-IP-Country"),
            *("Range", "Expect", "If-None-Match", "Transfer-Encoding", "Accept", "X-Forwarded-Proto"),
        ]
    ),
    latin,
)


@settings(max_examples=100, deadline=None, database=None)
@given(
    app=st.sampled_from(sorted(APPS)),
    method=latin,
    path=latin,
    query=latin,
    headers=junk_headers,
    body=st.binary(),
)
def test_any_bytes(
    app: str, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    """Whatever text a server hands on as method, path, query and headers, the answer is in form."""
    use(Site(Clock()))
    check(app, environ_of(method, path, query, headers, body))
    check(app, environ_of(METHODS[app], path, query, headers, body))
