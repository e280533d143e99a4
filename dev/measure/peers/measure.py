"""What a peer's work costs: round trips at the store, a cold start, and verify on a warm process."""

import resource
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from dev.measure.peers.peers import Action, Peer
from dev.measure.peers.stores import Count, Stores


@dataclass(frozen=True)
class Sizes:
    """How much is measured: cold starts of each, verifies on a warm process after how many, and how often."""

    cold: int
    warm: int
    before: int
    times: int


@dataclass(frozen=True)
class Cost:
    """Milliseconds, each a median."""

    cold_wall: float
    cold_cpu: float
    warm_p50: float
    warm_cpu: float


def counts(peer: Peer, stores: Stores) -> dict[Action, Count]:
    """What reaches the store for each action of somebody who has logged in before, connections being open.

    Raises RuntimeError when who logged in is not known afterwards, or still is when they logged out.
    """
    found: dict[Action, Count] = {}
    with closing(peer.start("login", stores)) as login:
        first = peer.login(login)
        stores.restart()
        second = peer.login(login)
        found["login"] = stores.counted(peer.store)
    with closing(peer.start("verify", stores)) as verify, closing(peer.start("logout", stores)) as logout:
        known = peer.verify(verify, first)
        stores.restart()
        known &= peer.verify(verify, second)
        found["verify"] = stores.counted(peer.store)
        peer.logout(logout, first)
        stores.restart()
        peer.logout(logout, second)
        found["logout"] = stores.counted(peer.store)
        still_known = peer.verify(verify, first) or peer.verify(verify, second)
    if not known or still_known:
        raise RuntimeError(f"{peer.name}: known after the login {known}, after the logout {still_known}")
    return found


def costs(peers: Sequence[Peer], stores: Stores, sizes: Sizes) -> list[Cost]:
    """The cost of each peer. They take turns, so that what else this machine does meets all of them."""
    cookies = []
    for peer in peers:
        with closing(peer.start("login", stores)) as login:
            cookies.append(peer.login(login))
    turns = list(enumerate(zip(peers, cookies, strict=True)))
    walls: list[list[float]] = [[] for _ in peers]
    cpus: list[list[float]] = [[] for _ in peers]
    for number in range(sizes.cold + 1):
        for index, (peer, cookie) in turns:
            wall, cpu, _ = run(peer, stores, cookie, 1)
            # The first turn brings the files into memory.
            if number:
                walls[index].append(wall)
                cpus[index].append(cpu)
    p50s: list[list[float]] = [[] for _ in peers]
    warm: list[list[float]] = [[] for _ in peers]
    for _ in range(sizes.times):
        for index, (peer, cookie) in turns:
            _, before, _ = run(peer, stores, cookie, sizes.before)
            _, after, times = run(peer, stores, cookie, sizes.before + sizes.warm)
            p50s[index].append(statistics.median(times[sizes.before :]))
            # What starting and warming up cost is in both, and goes.
            warm[index].append((after - before) / sizes.warm)
    medians = ([statistics.median(figures) for figures in each] for each in (walls, cpus, p50s, warm))
    return [Cost(*figures) for figures in zip(*medians, strict=True)]


def run(peer: Peer, stores: Stores, cookie: str, verifies: int) -> tuple[float, float, list[float]]:
    """Start a process, verify so often, end it.

    Milliseconds from its start to its first answer, of CPU in all its life, and of each verify.
    """
    spent, started, times = _children(), time.perf_counter(), []
    wall = 0.0
    with closing(peer.start("verify", stores)) as app:
        for _ in range(verifies):
            asked = time.perf_counter()
            known = peer.verify(app, cookie)
            answered = time.perf_counter()
            wall = wall or answered - started
            times.append((answered - asked) * 1000)
            if not known:
                raise RuntimeError(f"{peer.name} forgot who logged in")
    return wall * 1000, (_children() - spent) * 1000, times


def _children() -> float:
    """Seconds of CPU that processes took which this one started and which have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
