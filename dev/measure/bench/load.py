"""The load generator: plain sockets in a separate process.

Vercel's runtime answers in HTTP/1.0 and closes, so every request has a connection of its own; its time is
from connecting to the last byte.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from dev.vercel.proxy import exchange


@dataclass
class Load:
    """What became of some requests: seconds of each, of all together, and of the generator's own CPU."""

    times: list[float] = field(default_factory=list)
    elapsed: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: "Load") -> "Load":
        return Load(self.times + other.times, self.elapsed + other.elapsed, self.cpu + other.cpu)

    @property
    def per_second(self) -> float:
        return len(self.times) / self.elapsed


type Drive = Callable[[int, Sequence[bytes], int, int, float], Load]


@contextmanager
def generator() -> Iterator[Drive]:
    """`drive` in another process, as long as the block lasts."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        yield lambda *plan: pool.submit(drive, *plan).result()


def drive(port: int, requests: Sequence[bytes], status: int, connections: int, seconds: float) -> Load:
    """Send the requests, so many at a time, until all are sent or the time is up.

    Raises RuntimeError for an answer with another status.
    """
    todo, load, failures = iter(requests), Load(), list[str]()
    lock = threading.Lock()
    ends_at = time.perf_counter() + seconds

    def send() -> None:
        times = []
        while not failures and time.perf_counter() < ends_at:
            # A list's iterator is safe to share: one step of it holds the interpreter's lock.
            request = next(todo, None)
            if request is None:
                break
            began = time.perf_counter()
            answer = exchange(port, request)
            times.append(time.perf_counter() - began)
            if answer[9:12] != b"%d" % status:
                failures.append(answer.decode(errors="replace") or "no answer")
        with lock:
            load.times += times

    threads = [threading.Thread(target=send) for _ in range(connections)]
    began, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.elapsed, load.cpu = time.perf_counter() - began, time.process_time() - cpu
    if failures:
        raise RuntimeError(failures[0])
    return load
