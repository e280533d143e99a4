"""What each request costs at the store, counted by the local Upstash, and what that adds up to in a month."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby

from dev.measure.bench.growth import bytes_a_session
from dev.measure.bench.meter import Meter
from dev.measure.bench.report import Cell, Result, Table
from dev.measure.bench.store import local_store
from dev.measure.bench.traffic import Ask, deployment
from dev.vercel.runtime import Function

# https://upstash.com/docs/redis/overall/billing as of 18 June 2026: US dollars, GB = 10^9 bytes.
PRICES = "Upstash's prices of 18 June 2026"
FREE_COMMANDS, FREE_GB, FREE_TRAFFIC_GB = 500_000, 0.256, 10.0
PER_100K, PER_GB, STORED_GB = 0.20, 0.25, 1.0
TRAFFIC_GB, PER_TRAFFIC_GB = 200.0, 0.03

# What a user does on a day that they come, on average, and how many sessions live for each of them: those
# who come less often, and second devices.
A_DAY = {"verify": 20.0, "refresh": 1.0, "login, widget": 1 / 7, "logout": 1 / 30}
SESSIONS_EACH = 5
USERS = (1_000, 10_000, 100_000)
DAYS = 30


@dataclass(frozen=True)
class Cost:
    """Of one request: commands, round trips, and bytes of HTTP at the store and at the client."""

    commands: int
    round_trips: int
    names: str
    store_sent: int
    store_received: int
    request: int
    answer: int


def measure(*, quick: bool, note: Callable[[str], None]) -> Result:
    """Ask every endpoint once and count. Raises Unavailable."""
    costs: dict[str, Cost] = {}
    with ExitStack() as stack:
        store = stack.enter_context(local_store())
        address = store.address()
        meter = stack.enter_context(Meter(int(address.env["UPSTASH_REDIS_REST_URL"].rpartition(":")[2])))
        traffic = stack.enter_context(deployment(address))
        env = traffic.env | {"UPSTASH_REDIS_REST_URL": f"http://127.0.0.1:{meter.port}"}
        ways: dict[str, Callable[[], Ask]] = {
            "verify": traffic.verify,
            "verify, HEAD": lambda: traffic.verify(method="HEAD"),
            "verify, forged token": traffic.forged,
            "refresh": traffic.refresh,
            "logout": traffic.logout,
            "logout, from initData": traffic.logout_mini_app,
            "start": traffic.start,
            "login, widget": traffic.login_widget,
            "login, initData": traffic.login_init_data,
            "login, initData again": traffic.login_init_data_again,
            "login, id_token": traffic.login_id_token,
            "callback, code": traffic.callback,
            "callback, refused": traffic.callback_refused,
            "sessions": traffic.list_sessions,
            "sessions, end one": traffic.end_session,
            "sessions, end all": traffic.end_all,
            "relay, asked": traffic.relay_ask,
            "relay, agreed": traffic.relay_agree,
            "relay, redeemed": traffic.relay_redeem,
            "health, first": traffic.health,
            "health, again": traffic.health,
            "stats": traffic.stats,
            "stats, refused": traffic.stats_refused,
        }
        functions: dict[str, Function] = {}
        for way, make in ways.items():
            note(f"cost of {way}")
            ask = make()
            if ask.function not in functions:
                started = Function.from_source(f"api/{ask.function}.py", env)
                functions[ask.function] = stack.enter_context(started)
            before, sent, received = store.counts(), meter.sent, meter.received
            data = ask.encode()
            answer = functions[ask.function].raw(data)
            if answer[9:12] != b"%d" % ask.status:
                raise RuntimeError(f"{way}: {answer.decode()}\n{functions[ask.function].log_text}")
            commands, trips = (now - then for now, then in zip(store.counts(), before, strict=True))
            runs = [(name, len(list(run))) for name, run in groupby(store.seen(commands))]
            names = " ".join(name if times == 1 else f"{name} x{times}" for name, times in runs)
            bytes_at_store = meter.sent - sent, meter.received - received
            costs[way] = Cost(commands, trips, names, *bytes_at_store, len(data), len(answer))
    size = bytes_a_session(1_000 if quick else 10_000)
    return Result(
        {"requests": costs, "bytes_a_session": size, "assumed": A_DAY | {"sessions": SESSIONS_EACH}}
        | {"month": months(costs, size)},
        [_table(costs), _month(costs, size)],
    )


@dataclass(frozen=True)
class Month:
    """What so many daily users make in a month."""

    users: int
    commands: int
    stored_gb: float
    traffic_gb: float
    fits_free: bool
    dollars: float


def months(costs: dict[str, Cost], size: float) -> list[Month]:
    """Commands, data and money for `USERS`, from what one request costs and one session takes."""
    daily = sum(costs[way].commands * times for way, times in A_DAY.items())
    traffic = sum((costs[way].store_sent + costs[way].store_received) * times for way, times in A_DAY.items())
    found = []
    for users in USERS:
        commands = round(daily * users * DAYS)
        stored, moved = size * SESSIONS_EACH * users / 1e9, traffic * users * DAYS / 1e9
        free = commands <= FREE_COMMANDS and stored <= FREE_GB and moved <= FREE_TRAFFIC_GB
        dollars = commands / 1e5 * PER_100K
        dollars += max(0.0, stored - STORED_GB) * PER_GB + max(0.0, moved - TRAFFIC_GB) * PER_TRAFFIC_GB
        found.append(Month(users, commands, stored, moved, free, dollars))
    return found


def _table(costs: dict[str, Cost]) -> Table:
    columns = ("", "commands", "round trips", "to store", "from store", "request", "answer", "which")
    rows: list[list[Cell]] = []
    for way, cost in costs.items():
        row: list[Cell] = [way, cost.commands, cost.round_trips, cost.store_sent, cost.store_received]
        rows.append([*row, cost.request, cost.answer, cost.names])
    notes = ("One request each, in Vercel's runtime; bytes are of HTTP, without TLS.",)
    return Table("Cost of a request", columns, rows, notes)


def _month(costs: dict[str, Cost], size: float) -> Table:
    rows: list[list[Cell]] = []
    for month in months(costs, size):
        free = "yes" if month.fits_free else "no"
        row: list[Cell] = [f"{month.users:,} users", month.commands, month.stored_gb, month.traffic_gb]
        rows.append([*row, free, month.dollars])
    daily = sum(costs[way].commands * times for way, times in A_DAY.items())
    doing = ", ".join(f"{times:.3g} {way}" for way, times in A_DAY.items())
    notes = (
        f"Each user on each of {DAYS} days: {doing}.",
        f"For each there are {SESSIONS_EACH} live sessions of {size:.0f} bytes.",
        f"{PRICES}. Free: {FREE_COMMANDS:,} commands, {FREE_GB} GB, {FREE_TRAFFIC_GB:.0f} GB of traffic.",
        f"Pay as you go: ${PER_100K:.2f} for 100,000 commands, ${PER_GB} for a GB after {STORED_GB:.0f}, and",
        f"${PER_TRAFFIC_GB} for a GB of traffic after {TRAFFIC_GB:.0f}.",
        f"The free plan's commands are enough for {FREE_COMMANDS / DAYS / daily:,.0f} such users.",
    )
    columns = ("daily", "commands a month", "GB stored", "GB of traffic", "free plan", "pay as you go, $")
    return Table("Cost of a month", columns, rows, notes)
