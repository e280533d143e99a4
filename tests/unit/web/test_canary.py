"""Secrets in every flow and failure of every way to log in: in no log line, in no answer but their own."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from werkzeug.wrappers import Request, Response

import lib.tgauth.http_client
import lib.tgauth.telegram.id_token
import lib.tgauth.telegram.jwks
import lib.tgauth.telegram.provider
from lib.tgauth.errors import StoreUnavailable
from tests.site import (
    AUTH_SECRET,
    BOT_TOKEN,
    CLIENT_SECRET,
    IP,
    NAVIGATION,
    OWN_PAGE,
    SHARED_STORE,
    USER,
    Answer,
)
from tests.unit.web.telegram import KEYS, PAGE, TX, Browser, Telegram, fixtures, parameter

running, telegram = fixtures

PERSON = {
    "id": USER["id"],
    "first_name": "CanaryGiven",
    "last_name": "CanaryFamily",
    "username": "canary_username",
    "photo_url": "https://t.me/i/userpic/320/canary_photo.jpg",
}
PHONE = f"88800{USER['id'] % 10_000_000:07}"
AGENT = "Mozilla/5.0 canary-user-agent"
PUBLIC = [str(USER["id"]), "CanaryGiven", "CanaryFamily", "canary_username", "canary_photo", PHONE]
"""What the one person it belongs to may be told, in the answer to a login."""

CONFIGURED = [
    BOT_TOKEN,
    BOT_TOKEN.partition(":")[2],
    CLIENT_SECRET,
    AUTH_SECRET,
    SHARED_STORE["UPSTASH_REDIS_REST_TOKEN"],
    SHARED_STORE["UPSTASH_REDIS_REST_URL"],
]
MADE_UP = [
    "canary-error",
    "canary-junk",
    "canary-body",
    "canary-exception",
    "canary-answer",
    "canary-user-agent",
    IP,
]
# Parts of secrets that are no secrets: what every token and every cookie of the kind begins with.
SHORTEST = 16


class Watch:
    """Drives every way to log in, and remembers each secret that it meets and each answer that it gets."""

    def __init__(self, telegram: Telegram, *, shared: bool = True) -> None:
        self.telegram = telegram
        self.site = telegram.site(shared=shared)
        self.secrets: list[str] = []
        self.answers: list[Answer] = []
        self.restore()

    def restore(self) -> None:
        """Telegram works again; what its token endpoint is asked and answers are secrets."""
        provider = self.telegram.provider

        def token(request: Request) -> Response:
            response = provider._token(request)
            self.hide(*dict(request.form).values(), request.headers.get("Authorization", "")[6:])
            self.hide(*(str(value) for value in json.loads(response.get_data()).values()))
            return response

        provider.faults = {"/token": token}
        lib.tgauth.telegram.provider._keys.cache_clear()

    def hide(self, *values: str) -> None:
        """From now on these are secrets, and the parts of those that are signed."""
        public = {"authorization_code", "invalid_grant", "https://tgauth.example/telegram/callback"}
        for value in values:
            parts = [value, *value.split("."), value[-40:]]
            self.secrets += [part for part in parts if len(part) >= SHORTEST and part not in public]

    def browser(self, **cookies: str) -> "Watched":
        return Watched(self, cookies)

    def fails(self, answer: Answer, *codes: str) -> None:
        """It was refused with one of these codes, as a page or as a problem."""
        location = answer.header("Location") or ""
        code = parameter(location, "code") if location.startswith("/error.html") else answer.code
        assert code in codes, (codes, answer)


class Watched(Browser):
    """A browser whose every cookie, state, nonce and proof is a secret."""

    def __init__(self, watch: Watch, cookies: dict[str, str]) -> None:
        super().__init__(watch.site, cookies)
        self.watch = watch

    def send(self, method: str, path: str, **request: Any) -> Answer:
        headers = {"User-Agent": AGENT, "X-Forwarded-For": IP, "X-Real-IP": IP, **request.pop("headers", {})}
        answer = super().send(method, path, headers=headers, **request)
        self.watch.answers.append(answer)
        self.watch.hide(*answer.cookies.values())
        location = answer.header("Location") or ""
        if "/auth?" in location:
            self.watch.hide(*(parameter(location, name) for name in ("state", "nonce")))
        return answer

    def twin(self) -> "Watched":
        """Somebody who has all its cookies now."""
        other = self.watch.browser(**self.cookies)
        other.navigation = self.navigation
        return other

    def started(self) -> dict[str, Any]:
        value = self.start()
        self.watch.hide(value["state"], value["nonce"])
        return value

    def answer_of_telegram(self, **grant: Any) -> str:
        """Begin by GET, agree, and give the query of the way back."""
        location = self.begin("return_to=/after")
        code = self.watch.telegram.code(location, PERSON, **grant)
        self.watch.hide(code)
        return urlencode({"code": code, "state": parameter(location, "state")})

    def id_token(self, **claims: Any) -> str:
        token = self.watch.telegram.token(PERSON, **claims)
        self.watch.hide(token)
        return token

    def widget(self, **changes: Any) -> dict[str, Any]:
        fields = self.site.widget(**{**PERSON, **changes})
        self.watch.hide(str(fields["hash"]))
        return fields

    def init_data(self, **changes: Any) -> str:
        text = self.site.init_data(user={**PERSON, **changes})
        self.watch.hide(text, *dict(parse_qsl(text)).values())
        return text


@pytest.fixture
def watch(telegram: Telegram) -> Watch:
    return Watch(telegram)


def every_way(watch: Watch, navigation: dict[str, str]) -> Iterator[tuple[str, Callable[[], Answer]]]:
    """Every way to log in, prepared up to its last request, by browsers that look or do not."""
    for grant in ({}, {"scope": "openid profile phone"}):
        browser = watch.browser()
        browser.navigation = navigation
        query = browser.answer_of_telegram(**grant)
        yield "code", lambda b=browser, q=query: b.back(q)
        for transport in ("cookie", "bearer"):
            browser = watch.browser()
            token = browser.id_token(nonce=browser.started()["nonce"], **grant)
            body = {"id_token": token, "transport": transport}
            yield f"id_token, {transport}", lambda b=browser, body=body: b.login(body)
        browser = watch.browser()
        body = {"id_token": browser.id_token(**grant), "transport": "bearer"}
        yield "id_token without nonce", lambda b=browser, body=body: b.login(body, headers={})
    browser = watch.browser()
    yield "widget", lambda b=browser: b.login(b.widget(last_name="A"))
    browser = watch.browser()
    body = {"widget": browser.widget(last_name="B"), "state": browser.started()["state"]}
    yield "widget with a state", lambda b=browser, body=body: b.login(body)
    browser = watch.browser()
    browser.navigation = navigation
    query = urlencode({**browser.widget(last_name="C"), "state": browser.started()["state"]})
    yield "widget by redirect", lambda b=browser, q=query: b.go("/telegram/login", q)
    browser = watch.browser()
    yield "initData", lambda b=browser: b.login({"init_data": b.init_data()}, headers={})


def successes(watch: Watch) -> None:
    """Every way logs in, and its session is used and ended."""
    for navigation in (NAVIGATION, PAGE):
        for way, send in every_way(watch, dict(navigation)):
            watch.telegram.clock.time += 1
            answer = send()
            assert answer.status in (200, 303), way
            watch.hide(answer.token)
            browser = watch.browser(**{name: value for name, value in answer.cookies.items() if value})
            bearer = {} if browser.cookies else {"bearer": answer.token}
            for method, path in (
                ("GET", "/telegram/verify"),
                ("POST", "/telegram/refresh"),
                ("GET", "/telegram/sessions"),
                ("POST", "/telegram/logout"),
            ):
                assert browser.send(method, path, headers=OWN_PAGE, **bearer).status in (200, 204), way
            browser.send("GET", "/telegram/verify", **bearer)


def refusals(watch: Watch) -> None:
    """What is refused, each with a good proof that it was made of."""
    for navigation in (NAVIGATION, PAGE):
        stranger = watch.browser()
        stranger.navigation = navigation
        browser = watch.browser()
        browser.navigation = navigation
        query = browser.answer_of_telegram()
        watch.fails(stranger.back(query), "login_rejected")
        watch.fails(stranger.back(query + "&x=canary-junk&x=canary-junk"), "login_rejected")
        assert browser.twin().back(query).status == 303
        watch.fails(browser.back(query), "login_rejected")
        for text, code in (
            ("code=canary-junk", "login_rejected"),
            ("code=canary-junk%0A", "login_rejected"),
            ("error=canary-error", "login_rejected"),
            ("error=access_denied&error_description=canary-error", "login_cancelled"),
            ("error=invalid_scope&error_description=canary-error", "misconfigured"),
            ("error=server_error&error_uri=canary-error", "identity_provider_unavailable"),
            ("code=x&iss=https://canary-error.example", "login_rejected"),
        ):
            state = dict(parse_qsl(browser.answer_of_telegram()))["state"]
            watch.fails(browser.back(f"{text}&state={state}"), code)
        for claims in (
            {"iss": "https://canary-error.example"},
            {"aud": "canary-error"},
            {"nonce": "canary-error"},
            {"exp": 1},
            {"iat": 1},
            {"id": None},
            {"id": "canary-error"},
            {"sub": ["canary-error"]},
            {"sub": ""},
        ):
            token = browser.id_token(**{"nonce": browser.started()["nonce"], **claims})
            watch.fails(browser.login({"id_token": token}), "login_rejected")
            watch.telegram.answer_with(browser.id_token(**claims))
            watch.fails(browser.back(browser.answer_of_telegram()), "login_rejected")
            watch.restore()
        for headers in ({"kid": "canary-error"}, {"jku": "https://canary-error"}, {"alg": "canary-error"}):
            token = browser.id_token(headers=headers)
            watch.fails(browser.login({"id_token": token, "transport": "bearer"}), "login_rejected")
        token = browser.id_token()
        for text in (token[:-9], token + "canary-junk", token.replace(".", ".canary-junk", 1), "canary-junk"):
            watch.fails(browser.login({"id_token": text, "transport": "bearer"}), "login_rejected")
        fields = browser.widget()
        state = browser.started()["state"]
        confirm = stranger.go("/telegram/login", urlencode({**fields, "state": state}))
        assert (confirm.header("Location") or "").startswith("/confirm.html#")
        for body in (
            {**fields, "first_name": "canary-body"},
            {**fields, "hash": "canary-body"},
            {"init_data": browser.init_data() + "x"},
        ):
            watch.fails(browser.login(body), "login_rejected")
        for body in (
            {**fields, "id": "canary-body"},
            {"id_token": ["canary-body"]},
            {"state": "canary-body"},
        ):
            watch.fails(browser.login(body), "malformed_request")
        for text in (b'{"canary-body', b'{"canary-body":1,"canary-body":2}'):
            raw = {**OWN_PAGE, "Content-Type": "application/json"}
            answer = browser.send("POST", "/telegram/login", body=text, headers=raw)
            watch.fails(answer, "malformed_request")
        wrong = urlencode({**fields, "first_name": "canary-body", "state": state})
        watch.fails(browser.go("/telegram/login", wrong), "login_rejected")
        watch.fails(
            browser.go("/telegram/login", f"{urlencode(fields)}&hash=canary-body"), "malformed_request"
        )
        watch.fails(browser.go("/telegram/start", "return_to=//canary-body"), "malformed_request")
        watch.fails(browser.go("/telegram/login", "return_to=https://canary-body"), "malformed_request")
        started = {"json": {"return_to": "//canary-body"}, "headers": OWN_PAGE}
        watch.fails(browser.send("POST", "/telegram/start", **started), "malformed_request")
        started = {"json": {}, "headers": {"Origin": "https://canary-body.example"}}
        watch.fails(browser.send("POST", "/telegram/start", **started), "cross_site_blocked")
        image = {**NAVIGATION, "Sec-Fetch-Dest": "canary-body"}
        watch.fails(browser.go("/telegram/callback", query, headers=image), "cross_site_blocked")
        watch.fails(browser.go("/telegram/callback", "canary-body=1&" * 65 + query), "malformed_request")
        watch.fails(browser.go("/telegram/callback", query + "x" * 9000), "uri_too_long")


def sessions(watch: Watch) -> None:
    """Sessions in requests that are refused, while the store fails, and when they are over."""
    for transport in ("cookie", "bearer"):
        browser = watch.browser()
        token = browser.login({**browser.widget(last_name=transport), "transport": transport}).token
        watch.hide(token)
        bearer = {"bearer": token} if transport == "bearer" else {}

        def ask(
            method: str, path: str, *, b: Watched = browser, held: dict[str, str] = bearer, **more: Any
        ) -> Answer:
            return b.send(method, path, **{"headers": OWN_PAGE, **held, **more})

        assert ask("HEAD", "/telegram/verify", query="canary-junk=1").status == 200
        watch.fails(ask("PUT", "/telegram/verify"), "method_not_allowed")
        watch.fails(ask("DELETE", "/telegram/sessions/canary-junk"), "not_found", "shared_store_required")
        watch.fails(
            ask("DELETE", "/telegram/sessions", query="keep=canary-junk"),
            "malformed_request",
            "shared_store_required",
        )
        watch.fails(ask("GET", "/stats", bearer="canary-junk"), "not_found")
        other = {"cookie": token} if bearer else {"bearer": token, "cookie": None}
        watch.fails(ask("GET", "/telegram/verify", **{"bearer": None, **other}), "invalid_session")
        for authorization in (f"Bearer {token} {token}", f"Basic {token}"):
            headers = {"Authorization": authorization}
            answer = ask("GET", "/telegram/verify", bearer=None, cookie=None, headers=headers)
            watch.fails(answer, "malformed_request", "unauthenticated")
        twice = "; ".join([f"__Host-tgauth={token}"] * 2)
        watch.fails(ask("GET", "/telegram/verify", bearer=None, cookie=twice), "invalid_session")
        foreign = {"Origin": f"https://{IP}"}
        if not bearer:
            watch.fails(ask("POST", "/telegram/refresh", headers=foreign), "cross_site_blocked")
        for error in (StoreUnavailable("down"), RuntimeError(f"canary-exception {watch.secrets}")):
            watch.site.store.error = error
            for method, path in (
                ("GET", "/telegram/verify"),
                ("POST", "/telegram/refresh"),
                ("GET", "/telegram/sessions"),
                ("DELETE", "/telegram/sessions"),
                ("GET", "/health"),
            ):
                assert ask(method, path).status in (500, 503), path
            watch.site.store.error = None
        assert ask("POST", "/telegram/logout").status == 204
        watch.fails(ask("GET", "/telegram/verify"), "unauthenticated", "invalid_session")


def told(request: Request) -> str:
    """Everything that came with a request, as a careless server tells it in its errors."""
    return f"canary-answer {dict(request.form)} {request.headers.get('Authorization')}"


ECHOES: dict[str, Callable[[Request], Response]] = {
    "500": lambda r: Response(told(r), 500),
    "400": lambda r: Response(json.dumps({"error": "invalid_grant", "error_description": told(r)}), 400),
    "401": lambda r: Response(json.dumps({"error": "invalid_client", "error_description": told(r)}), 401),
    "an error of that name": lambda r: Response(json.dumps({"error": told(r)}), 400),
    "an id_token of that": lambda r: Response(json.dumps({"id_token": told(r)})),
    "a redirect there": lambda r: Response(status=302, headers={"Location": f"/?{r.get_data(as_text=True)}"}),
    "a header of that": lambda _: Response("{}", headers={"Content-Encoding": "canary-answer"}),
    "not HTTP": lambda _: Response("{}", headers={"Content-Length": "canary-answer"}),
    "no JSON": lambda r: Response(told(r)),
    "dropped": lambda _: dropped(),
}


def dropped() -> Response:
    raise ConnectionError("canary-answer")


def faults(watch: Watch) -> None:
    """Telegram out of order, in words of its own, while all ways are tried."""
    provider = watch.telegram.provider
    for path in ("/token", KEYS):
        for echo in ECHOES.values():
            for way, send in every_way(watch, dict(PAGE)):
                if way.startswith(("code", "id_token")) and (path == KEYS or way == "code"):
                    provider.faults[path] = echo
                    watch.fails(
                        send(),
                        "identity_provider_unavailable",
                        "login_rejected",
                        "misconfigured",
                        "login_stale",
                    )
                    watch.restore()


def crashes(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store, a provider, an HTTP client and a verifier that raise with everything they know in the text."""
    for error in (
        StoreUnavailable("down"),
        RuntimeError(f"canary-exception {watch.secrets}"),
        OSError(5, f"canary-exception {watch.secrets}"),
        UnicodeEncodeError("utf-8", f"canary-exception {watch.secrets[-1]}", 0, 1, "canary-exception"),
    ):
        for navigation in (NAVIGATION, PAGE):
            for _, send in every_way(watch, dict(navigation)):
                watch.site.store.error = error
                watch.fails(
                    send(), "store_unavailable" if isinstance(error, StoreUnavailable) else "internal"
                )
                watch.site.store.error = None

    def raising(*values: Any, **more: Any) -> Any:
        raise RuntimeError(f"canary-exception {values} {more} {watch.secrets}")

    places: list[tuple[Any, str, str]] = [
        (lib.tgauth.http_client.HttpClient, "send", "identity_provider_unavailable"),
        (lib.tgauth.telegram.id_token, "verify_id_token", "internal"),
        (lib.tgauth.telegram.jwks, "parse", "internal"),
        (lib.tgauth.telegram.provider, "_id_token", "internal"),
    ]
    for where, name, code in places:
        for way, send in every_way(watch, dict(PAGE)):
            if way.startswith("code") or (way.startswith("id_token") and name != "_id_token"):
                watch.restore()
                with monkeypatch.context() as patch:
                    patch.setattr(where, name, raising)
                    watch.fails(send(), code)
    watch.restore()


def found(secrets: list[str], text: str) -> list[str]:
    return sorted(secret for secret in set(secrets) if secret in text)


def shows_nothing(watch: Watch, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    """Neither the log nor an answer has what is not its to tell; the lines, and all that was refused with."""
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
    secrets = [*watch.secrets, *CONFIGURED]
    assert found([*secrets, *PUBLIC, *MADE_UP, AGENT], captured.out) == []
    problems = "".join(
        f"{answer.headers}{answer.body.decode()}"
        for answer in watch.answers
        if answer.status >= 400 or (answer.header("Location") or "").startswith("/error.html")
    )
    cleared = re.sub(rf"{TX}[\w-]{{8}}=;", "", problems)
    assert found([*secrets, *PUBLIC, *MADE_UP, AGENT], cleared) == []
    for answer in watch.answers:
        everywhere = f"{answer.headers}{answer.body.decode()}"
        assert found(CONFIGURED, everywhere) == []
        if answer.status == 303:
            assert answer.body == b""
    return lines, problems


def test_nothing_shows_a_secret(
    watch: Watch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In all flows and failures of every login neither the log nor an answer shows a secret."""
    successes(watch)
    refusals(watch)
    faults(watch)
    crashes(watch, monkeypatch)
    lines, problems = shows_nothing(watch, capsys)
    assert len(lines) > 500
    assert len({*watch.secrets, *CONFIGURED}) > 1000
    assert len(problems) > 100_000


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "degraded"])
def test_no_session_shows_a_secret(
    telegram: Telegram, capsys: pytest.CaptureFixture[str], shared: bool
) -> None:
    """Nor do they in all that can become of a session, with either kind of token."""
    watch = Watch(telegram, shared=shared)
    sessions(watch)
    lines, _ = shows_nothing(watch, capsys)
    assert len(lines) > 35


def test_what_a_browser_must_not_learn(watch: Watch) -> None:
    """Verifiers, codes, id_tokens and access_tokens are in no answer at all, whether it worked or not."""
    queries = []
    for navigation in (NAVIGATION, PAGE):
        for _ in range(2):
            browser = watch.browser()
            browser.navigation = navigation
            queries.append(browser.answer_of_telegram())
            assert browser.back(queries[-1]).status == 303
            assert browser.back(queries[-1]).status == 303
            browser.send("GET", "/telegram/verify")
            browser.send("GET", "/telegram/sessions")
    asked = [dict(parse_qsl(received.body.decode())) for received in watch.telegram.received()]
    secrets = [form[name] for form in asked for name in ("code", "code_verifier")]
    assert len(secrets) == 8
    tokens = [secret for secret in watch.secrets if secret.startswith("eyJ") and secret.count(".") == 2]
    assert len(tokens) == 4
    for answer in watch.answers:
        assert found([*secrets, *tokens], f"{answer.headers}{answer.body.decode()}") == []


def test_the_store_holds_no_proof(watch: Watch) -> None:
    """A dump of the store after every kind of login has no token, code, state, nonce, hash or initData."""
    for way, send in every_way(watch, dict(NAVIGATION)):
        assert send().status in (200, 303), way
    dump = json.dumps({name: value for name, (value, _) in watch.site.store.fields().items()})
    dump += "".join(watch.site.store.memory._keys)
    public = {"https://t.me/i/userpic/320/canary_photo.jpg", json.dumps(PERSON)}
    assert found([secret for secret in [*watch.secrets, *CONFIGURED] if secret not in public], dump) == []
    assert len(watch.site.store.sessions()) == 12


def test_the_watch_sees(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    """What it looks for would be found: each kind of secret is known to it, and is where it belongs."""
    browser = watch.browser()
    query = browser.answer_of_telegram()
    sent = dict(parse_qsl(query))
    ((name, cookie),) = browser.cookies.items()
    answer = browser.back(query)
    watch.hide(answer.token)
    form = dict(parse_qsl(watch.telegram.received()[0].body.decode()))
    for secret in (*sent.values(), cookie, answer.token, form["code_verifier"], form["code"]):
        assert secret in watch.secrets
    assert sum(secret.startswith("eyJ") for secret in watch.secrets) >= 2
    assert found(watch.secrets, str(answer.headers)) != []
    assert name.startswith(TX)
    print(sent["code"])  # noqa: T201
    assert found(watch.secrets, capsys.readouterr().out) == [sent["code"]]
