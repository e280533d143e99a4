"""What the tests of sessions share: services on a store that counts, and that fails as it is told to."""

from collections.abc import Callable
from typing import Any

from lib.tgauth.clock import DAY
from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.sessions.base import Session
from lib.tgauth.sessions.service import SessionService
from lib.tgauth.settings import read_settings
from lib.tgauth.store.base import Store, Unanswered
from lib.tgauth.store.memory import MemoryStore
from lib.tgauth.user import Proof, TelegramUser, Transport
from tests.clock import Clock

ENV = {"TELEGRAM_BOT_TOKEN": "123456:token", "VERCEL_ENV": "production"}
REDIS = {"UPSTASH_REDIS_REST_URL": "https://x.upstash.io", "UPSTASH_REDIS_REST_TOKEN": "t"}
IVAN = TelegramUser(42, "Иван", "Петров", username="ivan")
OLGA = TelegramUser(43, "Ольга")
KEY = f"tgauth:production:123456:u:{IVAN.id}"
"""Where the store has what is Ivan's."""
OLD, NEW = "o" * 32, "n" * 32
"""AUTH_SECRET before and after a rotation."""
OPERATIONS = frozenset(name for name in vars(Store) if not name.startswith("_")) - {"kind"}
_counter = iter(range(10**9))


class WatchedStore:
    """A MemoryStore with a list of the operations asked for.

    `before["renew"]` is called once before the next renew, and may raise in its place. `lose["renew"] = 2`:
    the next two take effect and their answers are lost.
    """

    kind = "memory"

    def __init__(self, clock: Clock) -> None:
        self.memory = MemoryStore(clock)
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}
        self.lose: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in OPERATIONS:
            raise AttributeError(name)

        def operation(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if hook := self.before.pop(name, None):
                hook()
            answer = getattr(self.memory, name)(*args, **kwargs)
            if self.lose.get(name, 0):
                self.lose[name] -= 1
                raise Unanswered("the answer was lost")
            return answer

        return operation

    def fields(self, user: TelegramUser = IVAN) -> dict[str, str]:
        """What the store holds of a user."""
        held = self.memory._live(f"tgauth:production:123456:u:{user.id}")
        return {name: value for name, (value, _) in held.items()}

    def ends(self, user: TelegramUser = IVAN) -> dict[str, float]:
        """When each of a user's fields expires."""
        held = self.memory._live(f"tgauth:production:123456:u:{user.id}")
        return {name: expires for name, (_, expires) in held.items()}

    def slots(self, user: TelegramUser = IVAN) -> set[str]:
        """The user's slots in the store, live or ended."""
        return {name.removeprefix("s:") for name in self.fields(user) if name.startswith("s:")}


def down() -> None:
    """A store that fails, for `before`."""
    raise StoreUnavailable("down")


def unanswered() -> None:
    """A request to the store that is lost, for `before`."""
    raise Unanswered("the request was lost")


def service(
    clock: Clock, store: WatchedStore | None = None, *, shared: bool = True, **env: str
) -> SessionService:
    """An instance on `store`; `shared` treats it as the store of all instances, as Redis is."""
    settings = read_settings(ENV | (REDIS if shared else {}) | env)
    return SessionService(settings, store or WatchedStore(clock), clock)  # type: ignore[arg-type]


def widget(clock: Clock, *, at: float | None = None) -> Proof:
    """A widget's proof like no other, of now or of another time."""
    return Proof("widget", f"widget {next(_counter)}", int(clock() if at is None else at), 420, one_time=True)


def init_data(clock: Clock, *, at: float | None = None) -> Proof:
    """A Mini App's proof like no other; it may be presented again."""
    issued_at = int(clock() if at is None else at)
    return Proof("webapp", f"init data {next(_counter)}", issued_at, DAY + 120, one_time=False)


def log_in(
    sessions: SessionService,
    clock: Clock,
    proof: Proof | None = None,
    user: TelegramUser = IVAN,
    transport: Transport = "cookie",
    **options: Any,
) -> Session:
    """A session, by default a cookie's from a new widget."""
    return sessions.create_session(user, proof or widget(clock), transport=transport, **options)
