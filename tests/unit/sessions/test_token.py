"""The token of a session in a shared store (lib/tgauth/sessions/token.py)."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib.tgauth.clock import DAY
from lib.tgauth.errors import InvalidSession
from lib.tgauth.keys import keys_of
from lib.tgauth.sessions import degraded, token
from lib.tgauth.sessions.issuer import Issuer
from lib.tgauth.sessions.token import Claims, derived_slot, is_mini_app, random_n, random_slot, seal, unseal
from lib.tgauth.settings import read_settings

FORM = re.compile(r"tg1_[A-Za-z0-9_-]{56}\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
NOW = 1_800_000_000
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
OLD, NEW = "o" * 32, "n" * 32


def settings(secret=NEW, **env):
    """The settings of a deployment with a shared store."""
    return read_settings(
        {"TELEGRAM_BOT_TOKEN": "1:AAE", "AUTH_SECRET": secret, "REDIS_URL": "redis://localhost", **env}
    )


KEYS = keys_of(settings())
CLAIMS = Claims(279058397, random_slot("cookie"), NOW, random_n())
TOKEN = seal(CLAIMS, KEYS)


def raw(text):
    return urlsafe_b64decode(text[4:60])


def encoded(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@given(
    st.integers(0, 2**64 - 1),
    st.binary(min_size=12, max_size=12),
    st.integers(0, 2**40 - 1),
    st.binary(min_size=17, max_size=17),
)
@example(1, bytes(12), 0, bytes(17))
@example(2**52 - 1, b"\xff" * 12, 2**40 - 1, b"\xff" * 17)
@hypothesis_settings(max_examples=50, deadline=None)
def test_a_token_says_what_was_put_into_it(user_id, slot, issued_at, n):
    """Any claims come back from their token exactly, and the token has the documented form."""
    claims = Claims(user_id, encoded(slot), issued_at, encoded(n))
    sealed = seal(claims, KEYS)
    assert FORM.fullmatch(sealed)
    assert unseal(sealed, KEYS) == claims
    assert seal(claims, KEYS) == sealed


def test_layout():
    """The payload is 42 bytes: masked id, slot, time of issue and n, in this order."""
    payload = raw(TOKEN)
    assert len(payload) == 42
    assert encoded(payload[8:20]) == CLAIMS.slot
    assert int.from_bytes(payload[20:25]) == NOW
    assert encoded(payload[25:]) == CLAIMS.n


def test_no_two_tokens_are_alike():
    """1,000 tokens of one user are all different and all of the documented form."""
    tokens = {seal(Claims(279058397, random_slot("cookie"), NOW, random_n()), KEYS) for _ in range(1000)}
    assert all(FORM.fullmatch(sealed) for sealed in tokens)
    assert len({sealed[:60] for sealed in tokens}) == 1000


def test_randomness_is_the_secrets_modules(monkeypatch):
    """Slot and n are 12 and 17 bytes of `secrets`, and of no other generator."""
    asked = []

    def zeros(count):
        asked.append(count)
        return bytes(count)

    monkeypatch.setattr(token.secrets, "token_bytes", zeros)
    assert (random_slot("cookie"), random_n()) == ("A" * 16, "A" * 23)
    assert asked == [12, 17]


def test_the_owner_is_not_visible():
    """With another slot the same owner's token begins with 8 unrelated bytes: half their bits differ."""
    user_id = 279058397
    starts = [
        raw(seal(Claims(user_id, random_slot("cookie"), NOW, random_n()), KEYS))[:8] for _ in range(2000)
    ]
    assert len(set(starts)) == 2000
    distances = [
        (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()
        for a, b in pairwise(starts)
    ]  # fmt: skip
    assert 31 < mean(distances) < 33
    plain = user_id.to_bytes(8)
    assert not any(plain[4:] in start for start in starts)
    for bit in range(64):
        assert 800 < sum(int.from_bytes(start) >> bit & 1 for start in starts) < 1200


def test_the_mask_hangs_on_the_key():
    """The same claims under another key are masked otherwise, so knowing one's own id unmasks nobody."""
    other = keys_of(settings(OLD))
    assert raw(seal(CLAIMS, other))[:8] != raw(TOKEN)[:8]
    assert raw(seal(CLAIMS, other))[8:] == raw(TOKEN)[8:]


def test_every_changed_character_is_refused():
    """A token with one character changed to any other, wherever it is, opens nothing."""
    for position, genuine in enumerate(TOKEN):
        for character in ALPHABET + ".=+/ \n\x00éА٣":
            if character != genuine:
                changed = TOKEN[:position] + character + TOKEN[position + 1 :]
                assert unseal(changed, KEYS) is None, ascii(changed)


def test_every_lost_or_doubled_character_is_refused():
    """A token with one character missing, doubled or swapped with its neighbour opens nothing."""
    for position in range(len(TOKEN)):
        before, here, after = TOKEN[:position], TOKEN[position], TOKEN[position + 1 :]
        assert unseal(before + after, KEYS) is None
        assert unseal(before + here + here + after, KEYS) is None
        swapped = before + after[:1] + here + after[1:]
        assert swapped == TOKEN or unseal(swapped, KEYS) is None


def test_any_other_spelling_is_refused():
    """What is not a token letter for letter opens nothing, and breaks nothing."""
    for text in (
        "",
        "tg1_",
        TOKEN + "\n",
        "\n" + TOKEN,
        " " + TOKEN,
        TOKEN + " ",
        TOKEN + "=",
        TOKEN + ".",
        TOKEN[:60] + "==" + TOKEN[60:],
        "TG1_" + TOKEN[4:],
        "tg0_" + TOKEN[4:],
        "tg2_" + TOKEN[4:],
        TOKEN[4:],
        TOKEN.swapcase(),
        TOKEN + TOKEN,
        TOKEN[:60],
        TOKEN[:61],
        '"' + TOKEN + '"',
        "%74" + TOKEN[1:],
        "tg1_" + "A" * 56 + "." + "A" * 43,
        "\ud800",
        "tg1_" * 100_000,
    ):
        assert unseal(text, KEYS) is None, ascii(text)[:80]


def in_form(data):
    """74 bytes as a text of a token's form."""
    return f"tg1_{encoded(data[:42])}.{encoded(data[42:])}"


@given(st.text() | st.binary(min_size=74, max_size=74).map(in_form))
@hypothesis_settings(max_examples=50, deadline=None)
def test_a_token_cannot_be_made_up(text):
    """No text opens anything, even of the right form."""
    assert unseal(text, KEYS) is None


def test_a_signature_of_another_purpose_is_refused():
    """The same payload signed for degraded sessions, or with the raw secret as key, opens nothing."""
    for signer in (KEYS.degraded, type(KEYS.session)(NEW.encode())):
        assert unseal(signer.sign(TOKEN[:60]), KEYS) is None


@pytest.mark.parametrize(
    "env",
    [{"VERCEL_ENV": "preview"}, {"VERCEL_ENV": "development"}, {"TELEGRAM_BOT_TOKEN": "2:AAE"}],
    ids=str,
)
def test_a_token_is_of_one_environment_and_bot(env):
    """A token of another environment or bot opens nothing here, with the same secret."""
    assert unseal(TOKEN, keys_of(settings(**env))) is None
    assert unseal(seal(CLAIMS, keys_of(settings(**env))), KEYS) is None


def test_rotation():
    """While the old secret is still listed its tokens work; the newest signs; then they are gone."""
    before, during, after = settings(OLD), settings(f"{NEW},{OLD}"), settings(NEW)
    old = seal(CLAIMS, keys_of(before))
    assert unseal(old, keys_of(during)) == CLAIMS
    assert seal(CLAIMS, keys_of(during)) == TOKEN
    assert unseal(TOKEN, keys_of(during)) == unseal(TOKEN, keys_of(after)) == CLAIMS
    assert unseal(TOKEN, keys_of(before)) is None
    assert unseal(old, keys_of(after)) is None


def test_derived_slots():
    """One assertion leads to one slot, a different one for each transport and assertion."""
    slot = derived_slot("bearer", "auth_date=1")
    assert slot == derived_slot("bearer", "auth_date=1")
    assert re.fullmatch(r"[A-Za-z0-9_-]{16}", slot)
    assert len(
        {
            slot,
            derived_slot("cookie", "auth_date=1"),
            derived_slot("bearer", "auth_date=2"),
        }
    ) == 3  # fmt: skip


@pytest.mark.parametrize("transport", ["cookie", "bearer"])
def test_slots_say_how_their_token_travels(transport):
    """A slot's second bit is the transport, in both kinds of slot and in the token."""
    for number in range(200):
        for slot, recurs in (
            (random_slot(transport), False),
            (derived_slot(transport, f"auth_date={number}"), True),
        ):
            claims = Claims(1, slot, NOW, CLAIMS.n)
            assert (claims.transport, claims.recurs) == (transport, recurs)
            assert unseal(seal(claims, KEYS), KEYS) == claims
            first = urlsafe_b64decode(slot)[0]
            assert (first >> 7, first >> 6 & 1) == (recurs, transport == "bearer")


def test_a_slot_is_the_random_bytes_but_for_two_bits(monkeypatch):
    """All 94 other bits are of the generator, each from its own place."""
    data = bytes(range(0x91, 0x91 + 12))
    monkeypatch.setattr(token.secrets, "token_bytes", lambda count: data[:count])
    assert urlsafe_b64decode(random_slot("cookie")) == b"\x11" + data[1:]
    assert urlsafe_b64decode(random_slot("bearer")) == b"\x51" + data[1:]


@pytest.mark.parametrize("transport", ["cookie", "bearer"])
def test_a_mini_app_is_told_by_its_slot(transport):
    """Only what initData led to, and what travels as a bearer token, is a Mini App's."""
    assert is_mini_app(derived_slot(transport, "init data")) == (transport == "bearer")
    assert not is_mini_app(random_slot(transport))


@pytest.mark.parametrize(
    ("env", "idle", "mini_app"),
    [
        ({}, 30 * DAY, DAY),
        ({"MINI_APP_TTL": "600"}, 30 * DAY, 600),
        ({"MINI_APP_TTL": str(40 * DAY)}, 30 * DAY, 40 * DAY),
        ({"SESSION_TTL": "600"}, 600, DAY),
        ({"SESSION_MAX_AGE": "700"}, 700, 700),
    ],
    ids=str,
)
def test_each_kind_has_its_lifetime(env, idle, mini_app):
    """A Mini App's session lives MINI_APP_TTL and any other SESSION_TTL, and none over SESSION_MAX_AGE."""
    issuer = Issuer(settings(**env))
    in_all = int(env.get("SESSION_MAX_AGE", 90 * DAY))
    launch = {way: derived_slot(way, "init data") for way in ("cookie", "bearer")}
    for slot in (random_slot("cookie"), random_slot("bearer"), launch["cookie"]):
        assert (issuer.idle(slot), issuer.ends_at(slot, NOW)) == (idle, NOW + in_all)
    assert (issuer.idle(launch["bearer"]), issuer.ends_at(launch["bearer"], NOW)) == (mini_app, NOW + in_all)


def test_issuer_opens_a_token_within_its_time():
    """A token works from 60 s before its issue to its absolute end, and not at that second."""
    issuer = Issuer(settings(SESSION_MAX_AGE="1000"))
    assert issuer.ends_at(CLAIMS.slot, NOW) == NOW + 1000
    for now in (NOW - 60, NOW, NOW + 999.9):
        assert issuer.open(TOKEN, now) == (CLAIMS, None)
    for now in (NOW - 61, NOW + 1000, NOW + 1001, 0):
        with pytest.raises(InvalidSession):
            issuer.open(TOKEN, now)


def test_issuer_refuses_the_other_kind():
    """With a shared store a degraded token opens nothing, and without one a shared token opens nothing."""
    shared = settings()
    alone = read_settings({"TELEGRAM_BOT_TOKEN": "1:AAE", "AUTH_SECRET": NEW})
    assert keys_of(shared).session.keys == keys_of(alone).session.keys
    with pytest.raises(InvalidSession):
        Issuer(alone).open(TOKEN, NOW)
    payload = encoded(
        b'1|AAAAAAAAAAAAAAAA|{"c":1800000000,"m":"widget","t":"cookie","at":1,"n":"xxxxxxxxxxxxxxxxxxxxxxx"}'
    )
    other_kind = keys_of(alone).degraded.sign("tg0_" + payload)
    assert degraded.unseal(other_kind, keys_of(alone)) is not None
    with pytest.raises(InvalidSession):
        Issuer(shared).open(other_kind, NOW)


def test_every_refusal_is_one_problem():
    """A malformed, a forged and an expired token are told apart in the log only."""
    issuer = Issuer(settings())
    answers = set()
    forged = TOKEN[:-1] + ("A" if TOKEN[-1] != "A" else "E")
    for text, now in ((TOKEN, NOW + 10**9), ("x", NOW), (forged, NOW), (TOKEN, NOW - 10**6)):
        with pytest.raises(InvalidSession) as caught:
            issuer.open(text, now)
        problem = caught.value
        assert TOKEN[4:20] not in problem.reason
        answers.add((problem.status, problem.code, problem.title, problem.detail, problem.headers))
    assert len(answers) == 1
