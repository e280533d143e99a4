"""Deployments of tgauth in this process, several at once, with a fault point in front of everything they ask.

The functions find settings and sessions in globals of their process. Here they are those of the instance that
the thread at hand is in; everything else is the real code.
"""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self
from urllib.parse import urlsplit

from werkzeug.test import Client

import lib.tgauth.telegram.provider
import lib.tgauth.web.endpoint
import lib.tgauth.web.request
from dev.prove.faults import client
from dev.prove.faults.client import HOST, ORIGIN, Answer, call, environ_of
from dev.prove.faults.points import HttpPoint, Point, closed_port, forward
from dev.prove.faults.redis_point import RedisPoint
from dev.telegram.app import Telegram
from dev.telegram.bot_api import CHAT_ID, BotApi
from dev.telegram.oidc import KEYS_PATH, TOKEN_PATH, Provider
from dev.upstash.faults import Fault, Target
from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from lib.tgauth import log
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.settings import Settings, read_settings
from lib.tgauth.settings.source import Source
from lib.tgauth.store.open import open_store
from lib.tgauth.store.pulse import Pulse
from lib.tgauth.telegram.jwks import Keys

STORE_LATE, TELEGRAM_LATE = 1.0, 4.0
"""Seconds that a late answer takes: within the deadline of one attempt."""

_PATHS: dict[Target, str] = {"token": TOKEN_PATH, "keys": KEYS_PATH, "bot": "/getChatMember"}
_here = threading.local()


class Instance:
    """One instance of a deployment: its settings, its store, and what it remembers until `renew`."""

    def __init__(self, settings: Settings, store: Any) -> None:
        self.settings = settings
        self.store = store
        self.renew()

    def renew(self) -> None:
        """As after a cold start."""
        self.service = SessionService(self.settings, self.store)
        self.store._pulse = Pulse()
        fetch = lib.tgauth.telegram.provider._fetch_keys
        self.keys = Keys(lambda: fetch(f"{self.settings.oauth_url}{KEYS_PATH}"))

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        value: object = None,
        host: str = HOST,
    ) -> Answer:
        """One request, with `value` as its JSON body if there is one."""
        path, _, query = target.partition("?")
        body = b"" if value is None else json.dumps(value).encode()
        given = {"Host": host, **({"Content-Type": "application/json"} if body else {}), **(headers or {})}
        before = getattr(_here, "instance", None), getattr(_here, "events", None)
        _here.instance, _here.events = self, []
        try:
            answer = call(_application(), environ_of(method, path, query, given, body))
            return replace(answer, events=tuple(_here.events))
        finally:
            _here.instance, _here.events = before


def dispatch() -> None:
    """From now on every thread's requests belong to the instance that it sends them to."""
    for module in (lib.tgauth.web.endpoint, lib.tgauth.web.request):
        module.get_settings = lambda: _here.instance.settings
    lib.tgauth.web.request.get_session_service = lambda: _here.instance.service
    lib.tgauth.telegram.provider._keys = lambda _: _here.instance.keys
    write = log.event

    def event(name: str, **values: Any) -> None:
        # What a thread does besides, as preparing a scene, belongs to no request.
        if getattr(_here, "events", None) is not None:
            _here.events.append(name)
        write(name, **values)

    log.event = event


def _application() -> Any:
    # Each function says at its import what is wrong with the settings: these are looked at first.
    from lib.tgauth.wsgi import app

    return app


class Ground:
    """What all lanes of a process share: the data, and a way to it without faults."""

    def __init__(self) -> None:
        self.valkey = Valkey()
        self.upstash = Upstash(self.valkey.port)
        settings = read_settings(client.ENV | {"REDIS_URL": self.valkey.url})
        self.clean = Instance(settings, open_store(settings))
        self._numbers = iter(range(70_000_000, 80_000_000))
        self._lock = threading.Lock()

    def number(self) -> int:
        """A number that nobody else has."""
        with self._lock:
            return next(self._numbers)

    def earlier(self, seconds: float) -> SessionService:
        """The sessions as they were made then."""
        return SessionService(self.clean.settings, self.clean.store, lambda: time.time() - seconds)

    def live(self, user_id: int) -> set[str]:
        """The slots of somebody's sessions, asked of Valkey itself."""
        pairs = self.valkey.run("HGETALL", f"tgauth:production:{client.BOT_ID}:u:{user_id}")
        texts = (
            [part.decode() for part in pairs if isinstance(part, bytes)] if isinstance(pairs, list) else []
        )
        held = dict(zip(texts[::2], texts[1::2], strict=True))
        return {name[2:] for name, value in held.items() if name.startswith("s:") and value.startswith("{")}

    def close(self) -> None:
        """Stop."""
        self.upstash.close()
        self.valkey.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Lane:
    """Deployments for one case at a time, and the points where its faults happen."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.bot_api = BotApi(client.BOT_TOKEN)
        self.store = HttpPoint(forward(ground.upstash.url), STORE_LATE)
        self.redis = RedisPoint(ground.valkey.port, STORE_LATE)
        self.telegram = HttpPoint(self._ask_telegram, TELEGRAM_LATE)
        self.production = HttpPoint(self._ask_production, TELEGRAM_LATE)
        self._closed, port = closed_port()
        url = f"{self.telegram.url}/_telegram"
        self.provider = Provider(
            url, client_id=str(client.BOT_ID), client_secret=client.CLIENT_SECRET, redirect_origin=ORIGIN
        )
        self._simulated = Client(Telegram(ORIGIN, self.provider, self.bot_api))
        telegram = {"TELEGRAM_OAUTH_URL": url, "TELEGRAM_API_URL": url}
        upstash = ground.upstash.env | {"UPSTASH_REDIS_REST_URL": self.store.url}
        nowhere = f"http://127.0.0.1:{port}"
        preview = {**upstash, "VERCEL_ENV": "preview", "VERCEL_URL": client.PREVIEW, "AUTH_ORIGIN": ""}
        self._env = {
            "main": telegram | upstash,
            "gated": telegram | upstash | {"TELEGRAM_REQUIRE_CHAT": str(CHAT_ID)},
            "replica": telegram | upstash | {"SESSION_READ": "replica"},
            "redis": telegram | {"REDIS_URL": self.redis.url},
            "preview": preview | {"AUTH_RELAY_URL": self.production.url},
            "no store": telegram | upstash | {"UPSTASH_REDIS_REST_URL": nowhere},
            "no redis": telegram | {"REDIS_URL": f"redis://127.0.0.1:{port}/0"},
            "no telegram": upstash | {"TELEGRAM_OAUTH_URL": nowhere},
            "no bot": telegram | upstash | {"TELEGRAM_API_URL": nowhere, "TELEGRAM_REQUIRE_CHAT": "-1"},
            "no production": preview | {"AUTH_RELAY_URL": nowhere},
        }
        self._instances: dict[str, Instance] = {}
        self._stores: dict[Source, Any] = {}
        self.points: dict[Target, Point] = {
            "store": self.store,
            "redis": self.redis,
            "token": self.telegram,
            "keys": self.telegram,
            "bot": self.telegram,
            "relay": self.production,
        }

    def at(self, name: str) -> Instance:
        """One of the deployments, made when it is first asked for."""
        if name not in self._instances:
            settings = read_settings(client.ENV | self._env[name])
            if settings.store not in self._stores:
                self._stores[settings.store] = open_store(settings)
            self._instances[name] = Instance(settings, self._stores[settings.store])
        return self._instances[name]

    def expect(self, *faults: Fault) -> None:
        """From now on let these happen, and no others."""
        for point in set(self.points.values()):
            point.expect(None)
        for fault in faults:
            self.points[fault.target].expect(fault, _PATHS.get(fault.target, ""))

    def injected(self) -> int:
        """How many faults have happened here so far."""
        return sum(point.injected for point in set(self.points.values()))

    def close(self) -> None:
        """Stop."""
        for point in (self.store, self.redis, self.telegram, self.production):
            point.close()
        self._closed.close()

    def _ask_telegram(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        given = {name: headers[name] for name in ("Authorization", "Content-Type") if headers.get(name)}
        answer = self._simulated.open(urlsplit(path).path, method=method, headers=given, data=body)
        return answer.status_code, answer.get_data()

    def _ask_production(self, method: str, path: str, _: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        answer = self.at("main").send(method, path, value=json.loads(body or b"null"))
        return answer.status, answer.body
