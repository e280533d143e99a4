"""The figures as a table for people, with tgauth divided by each peer below it, or as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dev.measure.peers.measure import Cost
from dev.measure.peers.peers import Action, Peer
from dev.measure.peers.stores import Count

ACTIONS: tuple[Action, ...] = ("verify", "login", "logout")
COSTS = ("cold_wall", "cold_cpu", "warm_p50", "warm_cpu")
TARGET = 0.6
HEADS = ("cold start", "its CPU", "verify", "its CPU")
NOT_COMPARABLE = """
better-auth runs on plain Node and everything else in Vercel's Python runtime, which takes time of its own.
Neither is on Vercel: there is no TLS, no network, no database of Upstash's and no platform in any figure.

better-auth keeps its users in its memory adapter. A deployment has a database: a connection, and queries at a
login, which are not counted here. tgauth has no users but those with a session.

better-auth is timed without its rate limit, which is on by default in production and would end a run at 100
verifies; round trips are counted with it, too. tgauth has no limit by address.

better-auth puts off a session's end once a day, everything else at each verify. Its cookie cache is off, its
default: that asks nothing of the store, and notices no logout meanwhile.

better-auth-telegram takes a widget's proof as often as it comes for 24 hours. tgauth takes it once, and its
login pays for that.

Flask-Session and starsessions log nobody in: they are told who it is, and check nothing. Neither lists
somebody's sessions nor ends them all, for which better-auth and tgauth pay. They have no client for REST, so
beside them tgauth is measured over TCP, where MULTI and EXEC count as commands.

Python's packages are compiled to byte code beforehand, as pip does it. Vercel's builder does that where
VERCEL_PYTHON_COMPILEALL=1 is set: "no byte code" is tgauth as it is bundled otherwise. Node has no such cache
here, which Vercel says that it has in production, and reads its packages as npm installed them.

The CPU of a cold start is that of the whole process, its end included.
"""


@dataclass(frozen=True)
class Row:
    """One peer's figures. There is no cost where only the round trips were counted."""

    peer: Peer
    counts: Mapping[Action, Count]
    cost: Cost | None = None

    def figures(self) -> dict[str, float]:
        """Every figure by its name."""
        found: dict[str, float] = {}
        for action in ACTIONS:
            found[f"{action}_trips"] = self.counts[action].trips
            found[f"{action}_commands"] = len(self.counts[action].commands)
        return found | (asdict(self.cost) if self.cost else {})


def text(rows: Sequence[Row], versions: Mapping[str, str]) -> str:
    """A table for each kind of store; below each peer, how much of its figure tgauth's is."""
    lines = []
    for store, title in (("REST", "Over the REST of a local Upstash"), ("TCP", "Over TCP to a local Valkey")):
        heads = "".join(f"{action:>17}" for action in ACTIONS) + "".join(f"{head:>12}" for head in HEADS)
        lines += ["", title, f"{'':<31}{heads}"]
        ours = rows_of(rows, store)[0]
        for row in rows_of(rows, store):
            lines.append(f"{row.peer.name:<31}{cells(row.figures(), '')}")
            if not row.peer.name.startswith("tgauth"):
                lines.append(f"{'  tgauth divided by it':<31}{cells(ratios(ours, row), '×')}")
        lines += [f"  {row.peer.name}: {named(row.peer, versions)}" for row in rows_of(rows, store)]
    legend = "Round trips / commands of an action; medians of milliseconds; CPU of the peer's process alone."
    return "\n".join([*lines, "", legend, *targets(rows), "", "Not comparable:", NOT_COMPARABLE.rstrip()])


def cells(figures: Mapping[str, float], unit: str) -> str:
    """One line's figures: pairs of counts, then times; a dash where nothing was measured."""
    pairs = ([figures.get(f"{action}_{what}") for what in ("trips", "commands")] for action in ACTIONS)
    counts = "".join(f"{' / '.join(number(figure, unit) for figure in pair):>17}" for pair in pairs)
    return counts + "".join(f"{number(figures.get(name), unit):>12}" for name in COSTS)


def document(rows: Sequence[Row], versions: Mapping[str, str], machine: Mapping[str, Any]) -> dict[str, Any]:
    """The same for programs."""
    found = []
    for row in rows:
        versioned = {name: versions[name] for name in row.peer.packages}
        counted = {action: asdict(count) for action, count in row.counts.items()}
        cost = asdict(row.cost) if row.cost else None
        figures = {"versions": versioned, "counts": counted, "milliseconds": cost}
        if not row.peer.name.startswith("tgauth"):
            figures["tgauth_divided_by_it"] = ratios(rows_of(rows, row.peer.store)[0], row)
        found.append({"name": row.peer.name, "store": row.peer.store, **figures})
    return {"machine": dict(machine), "peers": found, "not_comparable": NOT_COMPARABLE.strip().split("\n\n")}


def targets(rows: Sequence[Row]) -> list[str]:
    """Whether tgauth's cold start keeps to its share of better-auth's, with byte code and without."""
    theirs = next(row.cost for row in rows if row.peer.name == "better-auth")
    lines = []
    for row in rows_of(rows, "REST"):
        if row.cost and theirs and row.peer.name.startswith("tgauth"):
            share = row.cost.cold_wall / theirs.cold_wall
            kept = "kept" if share <= TARGET else "missed"
            lines.append(
                f"{row.peer.name}: cold start {share:.2f}× of better-auth's, target {TARGET}×: {kept}"
            )
    return lines


def rows_of(rows: Sequence[Row], store: str) -> list[Row]:
    """Those that use this kind of store; tgauth is the first."""
    return [row for row in rows if row.peer.store == store]


def ratios(ours: Row, other: Row) -> dict[str, float]:
    """tgauth's figure divided by the other's, for each that both have."""
    mine, its = ours.figures(), other.figures()
    return {name: mine[name] / its[name] for name in its if name in mine and its[name]}


def named(peer: Peer, versions: Mapping[str, str]) -> str:
    """What it is made of, with versions."""
    return ", ".join(f"{name} {versions[name]}" for name in peer.packages)


def number(figure: float | None, unit: str = "") -> str:
    """Counts as they are, the rest with as many digits as mean something."""
    if figure is None:
        return "–"
    whole = isinstance(figure, int) or figure >= 100
    return f"{figure:.0f}{unit}" if whole else f"{figure:.2f}{unit}"
