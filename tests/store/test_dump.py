"""Who reads the whole store finds nothing to log in with, no proof, and nothing that we sign with."""

import base64
import hashlib
import hmac
import itertools
import json
import re
from urllib.parse import parse_qsl, unquote

import pytest

from dev.telegram.signing import web_app_key
from dev.upstash.server import Upstash
from dev.upstash.valkey import Valkey
from lib.tgauth.keys import keys_of
from lib.tgauth.settings import read_settings
from tests.site import AUTH_SECRET, BOT_TOKEN
from tests.store.deployment import ADMIN_TOKEN, ENV, Held, Instance, Person, fields, held, live


def dump(valkey: Valkey) -> list[bytes]:
    """Every key of every database as bytes, with the names and values of all that it holds."""
    found: list[bytes] = []
    keys = valkey.run("KEYS", "*")
    assert isinstance(keys, list)
    for key in keys:
        assert isinstance(key, bytes)
        assert valkey.run("TYPE", key.decode()) == "hash"
        held_there = valkey.run("HGETALL", key.decode())
        assert isinstance(held_there, list)
        found += [key, *(part for part in held_there if isinstance(part, bytes))]
    return found


def spellings(secret: bytes) -> set[bytes]:
    """The ways in which bytes are written down."""
    ways = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        ways |= {encode(secret), encode(secret).rstrip(b"=")}
    return ways


def check_string(pairs: dict[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in sorted(pairs.items()) if name != "hash")


@pytest.fixture
def after_all_flows(instances: list[Instance], person: Person) -> tuple[list[Held], list[dict[str, str]]]:
    """Everything was done once and much of it is still alive: the sessions there were, and the proofs."""
    a, b = instances
    widgets = [person.widget() for _ in range(4)]
    init_datas = [person.init_data() for _ in range(3)]
    sessions = [held(a.log_in(proof, bearer=index == 1)) for index, proof in enumerate(widgets)]
    minis = [held(b.log_in(proof)) for proof in init_datas]
    mine = sessions[0]
    assert [at.verify(mine).status for at in (a, b)] == [200, 200]
    assert a.refresh(mine).status == b.refresh(minis[0]).status == 200
    assert len(a.ids(mine)) == 7
    assert a.end(mine, sessions[1].id).status == b.end(mine, minis[1].id).status == 204
    assert a.logout(sessions[2]).status == b.logout(minis[2]).status == 204
    sessions.append(b.enter(person, old=sessions[3]))
    somebody = Person()
    theirs = a.enter(somebody), b.enter(somebody, "mini"), a.enter(somebody)
    assert a.revoke(theirs[2], keep=True).status == 204
    proofs = [
        *[{name: str(value) for name, value in widget.items()} for widget in widgets],
        *[{**dict(parse_qsl(text)), "raw": text, "raw, decoded": unquote(text)} for text in init_datas],
    ]
    return [*sessions, *minis, *theirs], proofs


def test_the_store_holds_nothing_to_steal(
    valkey: Valkey, upstash: Upstash, after_all_flows: tuple[list[Held], list[dict[str, str]]], person: Person
) -> None:
    """No token, no signature, no proof and no key of ours is in a full dump, however it is written."""
    sessions, proofs = after_all_flows
    assert live(valkey, person)
    secret: set[bytes] = set()
    for session in sessions:
        payload, _, signature = session.token.removeprefix("tg1_").partition(".")
        raw = base64.urlsafe_b64decode(payload)
        secret |= {session.token.encode(), payload.encode(), signature.encode()}
        secret |= spellings(raw) | spellings(base64.urlsafe_b64decode(signature + "="))
        # The owner's id is masked in the token; the mask is a secret of ours.
        secret |= spellings(raw[:8]) | spellings(hashlib.sha256(session.token.encode()).digest())
    for proof in proofs:
        pairs = {name: value for name, value in proof.items() if not name.startswith("raw")}
        text = check_string(pairs)
        secret |= {text.encode(), proof["hash"].encode(), *spellings(bytes.fromhex(proof["hash"]))}
        secret |= {value.encode() for name, value in proof.items() if name.startswith("raw")}
        secret |= spellings(hashlib.sha256(text.encode()).digest())
        secret |= {pairs["query_id"].encode()} if "query_id" in pairs else set()
    for text in (BOT_TOKEN, BOT_TOKEN.partition(":")[2], AUTH_SECRET, ADMIN_TOKEN, upstash.token):
        secret |= spellings(text.encode()) | spellings(hashlib.sha256(text.encode()).digest())
    secret |= spellings(web_app_key(BOT_TOKEN))
    for keys in vars(keys_of(read_settings(ENV))).values():
        for key in [keys] if isinstance(keys, bytes) else getattr(keys, "keys", keys):
            secret |= spellings(key)
    everything = b"\n".join(dump(valkey))
    assert min(map(len, secret)) >= 8
    assert not {part for part in secret if part in everything}


def test_nothing_made_of_a_dump_is_a_token(
    instances: list[Instance],
    valkey: Valkey,
    upstash: Upstash,
    after_all_flows: tuple[list[Held], list[dict[str, str]]],
    person: Person,
) -> None:
    """The dump's strings, and tokens built of its records and signed with its strings, open nothing."""
    a, b = instances
    everything = fields(valkey, person)
    records = {name[2:]: json.loads(value) for name, value in everything.items() if value.startswith("{")}
    assert len(records) >= 3
    strings = {person.key, *everything, *everything.values()}
    strings |= {text for value in everything.values() for text in re.findall(r"[A-Za-z0-9_-]{16,}", value)}
    candidates = {part for text in strings for part in (text, f"tg1_{text}", f"tg0_{text}")}
    for slot, record in records.items():
        user_id, slot_raw = person.id.to_bytes(8), base64.urlsafe_b64decode(slot)
        for masked in (user_id, bytes(8)):
            raw = masked + slot_raw + record["c"].to_bytes(5)
            payload = base64.urlsafe_b64encode(raw + base64.urlsafe_b64decode(record["n"] + "=")).decode()
            prefixed = f"tg1_{payload}"
            assert len(payload) == 56
            keys = [record["n"], slot, person.key, everything[f"s:{slot}"], ""]
            macs = [hmac.digest(key.encode(), prefixed.encode(), "sha256") for key in keys]
            macs += [hashlib.sha256(prefixed.encode()).digest(), bytes(32)]
            ends = [base64.urlsafe_b64encode(mac).decode().rstrip("=") for mac in macs]
            candidates |= {prefixed, *(f"{prefixed}.{end}" for end in ends)}
    forms = [text for text in candidates if re.fullmatch(r"tg1_[\w-]{56}\.[\w-]{43}", text)]
    assert len(forms) >= len(records) * 2 * 7
    upstash.reset()
    usable = [text for text in candidates if text.isascii() and text.isprintable() and " " not in text]
    for text, way in itertools.product(usable, ("cookie", "bearer")):
        session = Held(text, way, "", person.id)  # type: ignore[arg-type]
        assert a.verify(session).status in (400, 401)
        # The other instance has not seen what the first refused.
        assert b.refresh(session).status in (400, 401)
    assert (upstash.commands, upstash.requests) == (0, 0)
