"""Reading from a replica that is two seconds behind: what it costs, and what it must not."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

import pytest

from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from tests.store.conftest import credentials, start_instances
from tests.store.deployment import ENV, Instance, Person

LAG = 2.0


@dataclass
class Region:
    """Two instances whose reads a lagging replica answers, in a time that the test moves."""

    upstash: Upstash
    instances: list[Instance]
    time: list[float]


@pytest.fixture(scope="module")
def _regions(valkey: Valkey) -> Iterator[Callable[[str], Region]]:
    with ExitStack() as stack:

        @cache
        def start(read: str) -> Region:
            now = [0.0]
            upstash = stack.enter_context(Upstash(valkey.port, clock=lambda: now[0]))
            env = {**ENV, **credentials(upstash), **({"SESSION_READ": read} if read else {})}
            return Region(upstash, start_instances(stack, [env, env]), now)

        yield start


@pytest.fixture
def region(_regions: Callable[[str], Region]) -> Iterator[Callable[[str], Region]]:
    """`region(read)`: a Region with this SESSION_READ, "" for the default."""
    used: list[Region] = []

    def get(read: str) -> Region:
        there = _regions(read)
        used.append(there)
        there.upstash.reset()
        there.time[0] = 0.0
        there.upstash.replica_lag = LAG
        return there

    yield get
    for there in used:
        there.upstash.reset()


@pytest.mark.parametrize("read", ["", "replica"])
def test_a_login_is_known_everywhere_at_once(
    region: Callable[[str], Region], person: Person, read: str
) -> None:
    """Right after a login every instance finds the session, though no replica has it yet."""
    a, b = region(read).instances
    for kind in ("cookie", "bearer", "mini"):
        mine = a.enter(person, kind)
        for at in (b, a):
            assert [at.verify(mine).status, at.verify(mine, "HEAD").status] == [200, 200]
            assert at.refresh(mine).status == 200
            assert mine.id in at.ids(mine)


@pytest.mark.parametrize("way", ["logout", "end", "others", "all"])
def test_a_revocation_lags_no_longer_than_the_replica(
    region: Callable[[str], Region], person: Person, way: str
) -> None:
    """Elsewhere a revoked session may be seen until the replica has caught up, and not a moment longer."""
    there = region("replica")
    a, b = there.instances
    mine, victim = a.enter(person), a.enter(person)
    there.time[0] += LAG
    assert b.verify(victim).status == 200
    revoke = {
        "logout": lambda: a.logout(victim),
        "end": lambda: a.end(mine, victim.id),
        "others": lambda: a.revoke(mine, keep=True),
        "all": lambda: a.revoke(mine),
    }[way]
    assert revoke().status == 204
    there.time[0] += LAG - 0.1
    assert b.verify(victim).status == 200, "the replica does not lag: this test shows nothing"
    # What decides goes to the primary, however old the replica is.
    assert a.list(victim).status == b.refresh(victim).status == 401
    # B has now heard from the primary that it is gone, and asks the replica no more.
    assert b.verify(victim).status == 401
    there.time[0] += 0.1
    assert [at.verify(victim).status for at in (a, b)] == [401, 401]


def test_the_replica_alone_ends_it_after_the_lag(region: Callable[[str], Region], person: Person) -> None:
    """With nobody asking the primary in between, verify sees the logout as soon as the lag is over."""
    there = region("replica")
    a, b = there.instances
    mine = a.enter(person)
    there.time[0] += LAG
    assert a.logout(mine).status == 204
    statuses = []
    for there.time[0] in (LAG, LAG + 1.9, 2 * LAG):
        statuses.append(b.verify(mine).status)
    assert statuses == [200, 200, 401]


@pytest.mark.parametrize("way", ["logout", "all"])
def test_by_default_a_revocation_does_not_lag(
    region: Callable[[str], Region], person: Person, way: str
) -> None:
    """Without SESSION_READ the primary answers: what one instance ended, the other refuses at once."""
    a, b = region("").instances
    mine = a.enter(person)
    assert b.verify(mine).status == 200
    assert (a.logout(mine) if way == "logout" else a.revoke(mine)).status == 204
    assert b.verify(mine).status == 401
