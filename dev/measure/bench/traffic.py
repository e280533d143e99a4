"""Requests as browsers send them to a deployment, each with what it needs to be answered in full.

Every call gives another one: a token that was logged out and a proof that was used are worth nothing twice.
"""

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dev.measure.bench import people
from dev.measure.bench.store import Address
from dev.telegram.oidc import Provider
from dev.telegram.serving import serving
from dev.telegram.signing import Field, sign_init_data, sign_widget
from dev.upstash.resp import Connection
from dev.vercel.proxy import HOST, encode_request
from lib.tgauth.relay import tickets
from lib.tgauth.relay.codes import keep_code
from lib.tgauth.sessions.base import Session
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.settings import read_settings
from lib.tgauth.store.redis import RedisStore
from lib.tgauth.telegram import transaction
from lib.tgauth.telegram.login import Login, verify_login

BOT_TOKEN = "123456:benchmark"
CLIENT_SECRET = "benchmark-client-secret"
ADMIN_TOKEN = "benchmark-admin-token-of-32-characters"
ORIGIN = f"https://{HOST}"
PREVIEW = "myapp-1x2y3z-myteam.vercel.app"
COOKIE = "__Host-tgauth"
ENV = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "TELEGRAM_API_URL": "http://127.0.0.1:9",
    "TELEGRAM_BOT_USERNAME": "benchmark_bot",
    "AUTH_SECRET": "benchmark-secret-of-32-characters",
    "ADMIN_TOKEN": ADMIN_TOKEN,
    "AUTH_RELAY_SECRET": "benchmark-relay-secret-of-32-characters",
    "AUTH_RELAY_HOSTS": "myapp-*-myteam.vercel.app",
    "VERCEL": "1",
    "VERCEL_ENV": "production",
    "VERCEL_PROJECT_PRODUCTION_URL": HOST,
}
_PAGE = {
    "user-agent": people.USER_AGENT,
    "accept": "*/*",
    "accept-encoding": "gzip, deflate, br",
    "accept-language": "ru-RU,ru;q=0.9",
    "referer": f"{ORIGIN}/",
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "cors",
    "sec-fetch-dest": "empty",
    "x-vercel-ip-country": "RU",
}
_DOCUMENT = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@dataclass(frozen=True)
class Ask:
    """A request to one function, and the status that it must be answered with."""

    function: str
    method: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    query: str = ""
    status: int = 200
    path: str = ""

    @property
    def target(self) -> str:
        """Path and query; vercel.json has the functions at their own names."""
        return f"{self.path or f'/{self.function}'}{self.query}"

    def encode(self, number: int = 1) -> bytes:
        """The bytes that Vercel's proxy sends."""
        return encode_request(self.method, self.target, {**_PAGE, **self.headers}, self.body, number)


class Traffic:
    """Makes requests for a deployment at `store`. `provider` is its Telegram, for OpenID Connect."""

    def __init__(self, store: Address, provider: Provider | None = None) -> None:
        self.env = {**ENV, **store.env}
        if provider:
            self.env |= {"TELEGRAM_CLIENT_SECRET": CLIENT_SECRET, "TELEGRAM_OAUTH_URL": provider.issuer}
        self.settings = read_settings(self.env)
        self._provider = provider
        self._connection = Connection(store.valkey_port)
        self._store = RedisStore(f"redis://127.0.0.1:{store.valkey_port}/0")
        self._service = SessionService(self.settings, self._store)
        self._numbers = itertools.count()

    def close(self) -> None:
        """Give the connections up."""
        self._connection.close()
        self._store.close()

    def tokens(self, count: int) -> list[str]:
        """As many cookie sessions, each of another user, that are in the store."""
        first = next(self._numbers)
        self._numbers = itertools.count(first + count)
        numbers = range(first, first + count)
        batches = people.store(self._connection, self.settings, numbers)
        return [token for batch in batches for _, token in batch]

    def verify(self, token: str | None = None, method: str = "GET") -> Ask:
        return Ask("telegram/verify", method, self._cookie(token))

    def forged(self) -> Ask:
        token = self.tokens(1)[0]
        return Ask("telegram/verify", "GET", self._cookie(f"{token[:-5]}AAAAA"), status=401)

    def refresh(self, token: str | None = None) -> Ask:
        return self._post("refresh", self._cookie(token))

    def logout(self, token: str | None = None) -> Ask:
        return self._post("logout", self._cookie(token), status=204)

    def logout_mini_app(self) -> Ask:
        return self._post("logout", _bearer(self._mini_app().token), status=204)

    def list_sessions(self) -> Ask:
        return Ask("telegram/sessions", "GET", self._cookie(None))

    def end_session(self) -> Ask:
        token = self.tokens(1)[0]
        slot = self._service.get_session(token).id
        return Ask("telegram/sessions", "DELETE", *_json({"id": slot}, self._cookie(token)), status=204)

    def end_all(self) -> Ask:
        return Ask("telegram/sessions", "DELETE", self._cookie(None), status=204)

    def start(self) -> Ask:
        return self._post("start", {}, {"return_to": "/"})

    def login_widget(self) -> Ask:
        return self._post("login", {}, self._widget())

    def login_init_data(self) -> Ask:
        return self._post("login", {}, {"init_data": self._init_data()})

    def login_init_data_again(self) -> Ask:
        init_data = self._init_data()
        self._log_in(init_data)
        return self._post("login", {}, {"init_data": init_data})

    def login_id_token(self) -> Ask:
        claims = self._telegram.claims(self._person())
        return self._post("login", {}, {"id_token": self._telegram.sign(claims), "transport": "bearer"})

    def callback(self) -> Ask:
        begun, value = transaction.begin(self.settings, return_to="/", now=time.time())
        code = self._telegram.code_for(self._person(), nonce=begun.nonce, challenge=begun.challenge)
        cookie = {"cookie": f"{COOKIE}-tx-{begun.state[:8]}={value}"}
        query = f"?code={code}&state={begun.state}"
        return Ask("telegram/callback", "GET", _DOCUMENT | cookie, query=query, status=303)

    def callback_from_afar(self) -> Ask:
        """With 100 ms between this machine and Telegram, at each of its two answers."""
        self._telegram.latency = 0.1
        return self.callback()

    def callback_refused(self) -> Ask:
        return Ask("telegram/callback", "GET", _DOCUMENT, query=f"?code=x&state={'A' * 24}", status=303)

    def relay_ask(self) -> Ask:
        return Ask("telegram/relay", "GET", _DOCUMENT, query=f"?ticket={self._ticket()[0]}", status=303)

    def relay_agree(self) -> Ask:
        token, (ticket, _) = self.tokens(1)[0], self._ticket()
        user = self._service.get_session(token).user
        return self._post("relay", self._cookie(token), {"ticket": ticket, "user": user.id})

    def relay_redeem(self) -> Ask:
        """As the preview asks, once its user has agreed."""
        ticket, verifier = self._ticket()
        read = tickets.read_ticket(ticket, self.settings, now=time.time())
        user = people.user(next(self._numbers))
        keep_code(self._service, read.state, user, seconds=120, ticket_seconds=720)
        code = tickets.code_for(read, self.settings, now=time.time())
        return self._post("relay", {}, {"code": code, "verifier": verifier, "host": PREVIEW})

    def health(self) -> Ask:
        return Ask("status", "GET", path="/health")

    def stats(self) -> Ask:
        return Ask("status", "GET", _bearer(ADMIN_TOKEN), path="/stats")

    def stats_refused(self) -> Ask:
        return Ask("status", "GET", status=404, path="/stats")

    def _post(
        self, name: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None, status: int = 200
    ) -> Ask:
        sent, data = (headers, b"") if body is None else _json(body, headers)
        return Ask(f"telegram/{name}", "POST", sent, data, status=status)

    def _cookie(self, token: str | None) -> dict[str, str]:
        return {"cookie": f"{COOKIE}={token or self.tokens(1)[0]}"}

    def _person(self) -> dict[str, Any]:
        person = people.user(next(self._numbers))
        names = ("id", "first_name", "last_name", "username", "photo_url")
        return {name: getattr(person, name) for name in names}

    def _widget(self) -> dict[str, Any]:
        return dict(sign_widget({**self._person(), "auth_date": int(time.time())}, BOT_TOKEN))

    def _init_data(self) -> str:
        user = {**self._person(), "language_code": "ru", "allows_write_to_pm": True}
        fields: dict[str, Field] = {
            "query_id": f"AAH{next(self._numbers)}",
            "user": user,
            "auth_date": int(time.time()),
        }
        return sign_init_data(fields, BOT_TOKEN)

    def _mini_app(self) -> Session:
        return self._log_in(self._init_data())

    def _log_in(self, init_data: str) -> Session:
        login = Login("bearer", init_data=init_data)
        user, proof = verify_login(login, settings=self.settings, now=time.time())
        return self._service.create_session(user, proof, transport="bearer", user_agent=people.USER_AGENT)

    def _ticket(self) -> tuple[str, str]:
        """A preview's ticket, and the verifier that goes with it."""
        begun, _ = transaction.begin(self.settings, return_to="/", now=time.time())
        settings = read_settings({**self.env, "AUTH_RELAY_URL": ORIGIN})
        query = parse_qs(urlsplit(tickets.address(settings, begun, f"https://{PREVIEW}")).query)
        return query["ticket"][0], begun.verifier

    @property
    def _telegram(self) -> Provider:
        if self._provider is None:
            raise RuntimeError("this deployment has no OpenID Connect")
        return self._provider


@contextmanager
def deployment(store: Address) -> Iterator[Traffic]:
    """Requests for a deployment at `store` where OpenID Connect is on, at a simulated Telegram."""
    bot = BOT_TOKEN.partition(":")[0]
    with serving(redirect_origin=ORIGIN, client_id=bot, client_secret=CLIENT_SECRET) as telegram:
        traffic = Traffic(store, telegram.provider)
        try:
            yield traffic
        finally:
            traffic.close()


def _json(body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    return {**headers, "content-type": "application/json"}, json.dumps(body).encode()


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
