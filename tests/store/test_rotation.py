"""Changing AUTH_SECRET: a new entry in front logs nobody out, dropping the old one ends what it made."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from lib.tgauth.keys import keys_of
from lib.tgauth.sessions.token import unseal
from lib.tgauth.settings import read_settings
from tests.store.conftest import credentials, start_instances
from tests.store.deployment import ENV, Held, Instance, Person, held

OLD = "canary-old-secret-0123456789-0123456789"
NEW = "canary-new-secret-0123456789-0123456789"


def signed_with(token: str, secret: str) -> bool:
    """Whether `token` verifies with this one entry."""
    return unseal(token, keys_of(read_settings({**ENV, "AUTH_SECRET": secret}))) is not None


@pytest.fixture(scope="module")
def deployments(valkey: Valkey) -> Iterator[list[Instance]]:
    """The same deployment before, during and after a rotation."""
    with ExitStack() as stack:
        upstash = stack.enter_context(Upstash(valkey.port))
        env = {**ENV, **credentials(upstash)}
        secrets = (OLD, f"{NEW},{OLD}", NEW)
        yield start_instances(stack, [{**env, "AUTH_SECRET": secret} for secret in secrets])


def statuses(at: Instance, *sessions: Held) -> list[int]:
    return [at.verify(session).status for session in sessions]


def test_a_rotation_ends_what_the_dropped_key_made(deployments: list[Instance], person: Person) -> None:
    """Old and new tokens live beside each other while both keys are there; then only the new ones do."""
    before, during, after = deployments
    init_data = person.init_data()
    old = [before.enter(person), before.enter(person, "bearer"), held(before.log_in(init_data))]
    new = [during.enter(person), during.enter(person, "mini")]
    assert all(signed_with(session.token, OLD) for session in old)
    assert all(signed_with(session.token, NEW) for session in new)
    assert statuses(during, *old, *new) == [200] * 5
    assert statuses(before, *old, *new) == [200] * 3 + [401] * 2
    assert statuses(after, *old, *new) == [401] * 3 + [200] * 2

    everything = {session.id for session in (*old, *new)}
    assert during.ids(old[0]) == during.ids(new[0]) == everything
    # The initData that has a session under the old key does not get a second one.
    again = held(during.log_in(init_data))
    assert again.id == old[2].id
    assert signed_with(again.token, NEW)
    assert during.ids(new[0]) == everything
    assert statuses(during, old[2], again) == [200, 200]
    assert [during.refresh(old[0]).status, during.refresh(new[0]).status] == [200, 200]


def test_dropping_a_key_ends_tokens_and_no_records(deployments: list[Instance], person: Person) -> None:
    """Without its key a token opens nothing; the session is still listed, and the key brings it back."""
    before, during, after = deployments
    old, new = before.enter(person), during.enter(person)
    assert after.verify(old).status == 401
    assert during.verify(old).status == 200
    assert after.ids(new) == {old.id, new.id}


@pytest.mark.parametrize("by", ["old", "new"])
def test_list_end_and_revoke_reach_both_sides(deployments: list[Instance], person: Person, by: str) -> None:
    """During a rotation a token of either key ends sessions of the other one's."""
    before, during, _ = deployments
    old, older = before.enter(person), before.enter(person, "mini")
    new, newer = during.enter(person), during.enter(person, "mini")
    mine, theirs, their_mini = (old, new, newer) if by == "old" else (new, old, older)
    assert during.end(mine, theirs.id).status == 204
    assert statuses(during, mine, theirs, their_mini) == [200, 401, 200]
    assert during.revoke(mine).status == 204
    assert statuses(during, old, older, new, newer) == [401] * 4
    assert statuses(before, old, older) == [401] * 2
