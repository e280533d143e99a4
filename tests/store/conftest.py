"""One deployment for all these tests: two instances on a local Upstash over a real Valkey."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import pytest

from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from tests.contract.tools import start_valkey
from tests.store.deployment import ENV, Crowd, Instance, Person, instance

Launch = Callable[..., list[Instance]]


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A Valkey in real time, shared by everything here: tests keep apart by having users of their own."""
    with start_valkey() as server:
        yield server


@pytest.fixture
def timed_valkey() -> Iterator[Valkey]:
    """An empty Valkey whose time the test moves."""
    with start_valkey(faked_time=True) as server:
        yield server


@pytest.fixture(scope="session")
def _upstash(valkey: Valkey) -> Iterator[Upstash]:
    with Upstash(valkey.port) as upstash:
        yield upstash


@pytest.fixture
def upstash(_upstash: Upstash) -> Iterator[Upstash]:
    """The REST server that the two instances use, its counters at zero and nothing wrong with it."""
    _upstash.reset()
    yield _upstash
    _upstash.reset()


@pytest.fixture(scope="session")
def _instances(_upstash: Upstash) -> Iterator[list[Instance]]:
    with ExitStack() as stack:
        env = {**ENV, **credentials(_upstash)}
        yield start_instances(stack, [env, env])


@pytest.fixture
def instances(_instances: list[Instance], upstash: Upstash) -> list[Instance]:
    """Two instances of one deployment, which share nothing but the store."""
    return _instances


@pytest.fixture
def launch() -> Iterator[Launch]:
    """`launch(env, …, flags=())`: more instances, one for each environment; they end with the test."""
    with ExitStack() as stack:
        yield lambda *envs, flags=(): start_instances(stack, envs, flags)


@pytest.fixture(scope="session")
def crowd() -> Iterator[Crowd]:
    """Threads to do things at once with."""
    crowd = Crowd()
    yield crowd
    crowd.close()


@pytest.fixture
def person() -> Person:
    """Somebody new."""
    return Person()


def credentials(upstash: Upstash) -> dict[str, str]:
    """The variables that name the store behind `upstash`."""
    return {"UPSTASH_REDIS_REST_URL": upstash.url, "UPSTASH_REDIS_REST_TOKEN": upstash.token}


def start_instances(
    stack: ExitStack, envs: Sequence[Mapping[str, str]], flags: tuple[str, ...] = ()
) -> list[Instance]:
    """An instance for each environment, all of them running; they end with `stack`."""
    starting = [instance(env, *flags) for env in envs]
    for one in starting:
        stack.callback(one.close)
    return [one.wait() for one in starting]
