"""What lib/store/base.py promises, held against every store."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.store.base import Count
from tests.contract.conftest import Subject

KEY = "tgauth:test:1:u:42"


def create(subject: Subject, slot: str, *, value: str = "{}", proof: str | None = None) -> bool:
    """Create a session field that idles out after 100 s, with an optional proof marker of 10 s."""
    fields = {f"s:{slot}": value} | ({f"p:{proof}": slot} if proof else {})
    created, _ = subject.store.create(KEY, fields, window=10, renew=f"s:{slot}", ttl=100)
    return created


def test_create_gives_back_everything_the_key_holds(subject: Subject) -> None:
    """The answer to a create holds the new fields and all older ones."""
    create(subject, "a", value="1", proof="x")
    created, held = subject.store.create(KEY, {"s:b": "2"}, window=10, renew="s:b", ttl=100)
    assert created
    assert held == {"s:a": "1", "p:x": "a", "s:b": "2"}


def test_create_is_all_or_nothing(subject: Subject) -> None:
    """When one of the fields is there, none is set, and what is there stays."""
    create(subject, "a", value="1", proof="x")
    created, held = subject.store.create(KEY, {"s:b": "2", "p:x": "b"}, window=10, renew="s:b", ttl=100)
    assert not created
    assert held == {"s:a": "1", "p:x": "a"}


def test_create_renews_the_field_that_is_there(subject: Subject) -> None:
    """Creating a session that lives already leaves its value and lets it live on."""
    create(subject, "a", value="1")
    subject.advance(90)
    assert not create(subject, "a", value="2")
    subject.advance(90)
    assert subject.store.read(KEY, "s:a") == "1"


def test_fields_live_for_times_of_their_own(subject: Subject) -> None:
    """The marker goes after its window, the session after its own time."""
    create(subject, "a", proof="x")
    subject.advance(9)
    assert subject.store.read(KEY, "p:x") == "a"
    subject.advance(2)
    assert subject.store.read(KEY, "p:x") is None
    assert subject.store.read(KEY, "s:a") == "{}"
    subject.advance(90)
    assert subject.store.read(KEY, "s:a") is None


def test_renew_slides_the_expiry(subject: Subject) -> None:
    """A field that is renewed again and again outlives its first time to live."""
    create(subject, "a", value="1")
    for _ in range(5):
        subject.advance(60)
        assert subject.store.renew(KEY, "s:a", 100) == "1"


def test_read_does_not_slide_the_expiry(subject: Subject) -> None:
    """Reading leaves the time to live as it is."""
    create(subject, "a", value="1")
    subject.advance(60)
    assert subject.store.read(KEY, "s:a") == "1"
    subject.advance(60)
    assert subject.store.read(KEY, "s:a") is None


def test_renew_brings_nothing_back(subject: Subject) -> None:
    """A deleted, an expired and an unknown field stay away, however often they are renewed."""
    create(subject, "a")
    subject.store.delete(KEY, "s:a")
    create(subject, "b")
    subject.advance(101)
    for field in ("s:a", "s:b", "s:never"):
        assert subject.store.renew(KEY, field, 100) is None
        assert subject.store.read(KEY, field) is None


def test_a_missing_field_is_no_error(subject: Subject) -> None:
    """Asking for what is not there says so and creates nothing."""
    assert subject.store.read(KEY, "s:a") is None
    assert subject.store.renew(KEY, "s:a", 100) is None
    assert subject.store.delete(KEY, "s:a") == 0
    assert subject.store.count("tgauth:test:1:u:", "s:").users == 0


def test_delete_counts_what_was_there(subject: Subject) -> None:
    """Delete says how many of the fields lived, and only those of this key go."""
    create(subject, "a")
    create(subject, "b")
    subject.store.create(KEY + "0", {"s:a": "other"}, window=10, renew="s:a", ttl=100)
    assert subject.store.delete(KEY, "s:a", "s:b", "s:c") == 2
    assert subject.store.read(KEY + "0", "s:a") == "other"


def test_an_expired_field_can_be_created_again(subject: Subject) -> None:
    """Once a marker has expired, its proof would be new again; that is why windows outlast proofs."""
    assert create(subject, "a", proof="x")
    assert not create(subject, "b", proof="x")
    subject.advance(11)
    assert create(subject, "b", proof="x")


def test_count_counts_users_and_their_sessions(subject: Subject) -> None:
    """Markers and other prefixes do not count."""
    create(subject, "a", proof="x")
    create(subject, "b")
    subject.store.create("tgauth:test:1:u:7", {"s:a": "1"}, window=10, renew="s:a", ttl=100)
    subject.store.create("tgauth:test:2:u:7", {"s:a": "1"}, window=10, renew="s:a", ttl=100)
    assert subject.store.count("tgauth:test:1:u:", "s:") == Count(users=2, sessions=3, exact=True)


def test_parallel_creates_with_one_proof_make_one_session(subject: Subject) -> None:
    """Of many at once exactly one is created, and everybody sees that one."""
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda n: create(subject, f"slot{n}", proof="x"), range(100)))
    assert sum(won) == 1
    _, held = subject.store.create(KEY, {"p:x": "-"}, window=10, renew="s:-", ttl=100)
    assert held == {f"s:slot{won.index(True)}": "{}", "p:x": f"slot{won.index(True)}"}


def test_ping_answers(subject: Subject) -> None:
    """A store that works raises nothing."""
    subject.store.ping()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_values_come_back_as_they_were(subject: Subject, value: str) -> None:
    """Any text that has UTF-8 survives, whatever alphabet it is in."""
    subject.store.delete(KEY, "s:a")
    create(subject, "a", value=value)
    assert subject.store.read(KEY, "s:a") == value
    assert subject.store.renew(KEY, "s:a", 100) == value
