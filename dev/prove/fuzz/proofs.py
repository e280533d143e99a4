"""Signed proofs: only exactly what was signed is accepted, and it names the same user."""

import json
import re
from base64 import urlsafe_b64decode
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from dev.prove.fuzz import material as m
from dev.prove.fuzz.mutate import Mutator
from dev.prove.fuzz.targets import Target, json_of, refused, require, text_of, values_of
from lib.tgauth.errors import (
    IdentityProviderUnavailable,
    InvalidGrant,
    InvalidSession,
    LoginRejected,
    LoginStale,
    MalformedRequest,
)
from lib.tgauth.relay import tickets
from lib.tgauth.sessions.issuer import Issuer
from lib.tgauth.sessions.record import load
from lib.tgauth.telegram import jwks
from lib.tgauth.telegram.id_token import verify_id_token
from lib.tgauth.telegram.transaction import resume
from lib.tgauth.telegram.webapp import verify_webapp, verify_webapp_signature
from lib.tgauth.telegram.widget import FIELDS, verify_widget

_ISSUERS = {"tg1": Issuer(m.SHARED), "tg0": Issuer(m.SETTINGS)}


def check_token(token: str) -> None:
    """Only tokens that were issued open, spelt exactly so."""
    for issuer in _ISSUERS.values():
        opened = refused(lambda issuer=issuer: issuer.open(token, m.NOW), InvalidSession)
        if opened:
            genuine = m.CARRYING if issuer.degraded else m.TOKENS
            require(token == genuine.get(opened[0].transport), "a token that was not issued opens")
            require(opened[0].user_id == m.USER.id, "a token opens somebody else's session")


def _signable(fields: dict[str, Any]) -> frozenset[tuple[str, str]]:
    """What Telegram can have signed: null, say, counts as absent."""
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    numbers = {n: str(value) for n, value in fields.items() if type(value) is int and abs(value) < 1 << 63}
    return frozenset((name, value) for name, value in (texts | numbers).items() if name != "hash")


_WIDGETS = frozenset(map(_signable, m.widgets()))


def check_widget(fields: dict[str, Any]) -> None:
    """Only what Telegram signed is taken, and the user is who it names."""
    found = refused(
        lambda: verify_widget(fields, bot_token=m.BOT_TOKEN, now=m.NOW),
        MalformedRequest,
        LoginRejected,
        LoginStale,
    )
    if found:
        every = _signable(fields)
        known = frozenset(pair for pair in every if pair[0] in FIELDS)
        require({known, every} & _WIDGETS, "widget fields that were not signed")
        require(found[0].id == m.USER.id and str(found[0].id) == str(fields["id"]), "somebody else")


def _decoded(query: str) -> frozenset[tuple[bytes, bytes]]:
    """Names and values of a query, by hand."""
    pairs = (part.partition(b"=") for part in query.encode("utf-8", "surrogatepass").split(b"&"))
    return frozenset(
        (unquote_to_bytes(name.replace(b"+", b" ")), unquote_to_bytes(value.replace(b"+", b" ")))
        for name, _, value in pairs
    )


def _without(pairs: frozenset[tuple[bytes, bytes]], *names: bytes) -> frozenset[tuple[bytes, bytes]]:
    return frozenset(pair for pair in pairs if pair[0] not in names)


@lru_cache(maxsize=1)
def _public_key() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key().public_bytes_raw()


LAUNCHES = m.init_data()
_BY_HASH = frozenset(_without(_decoded(text), b"hash") for text in LAUNCHES)
_BY_SIGNATURE = frozenset(_without(_decoded(text), b"hash", b"signature") for text in LAUNCHES)
_REFUSALS = (MalformedRequest, LoginRejected, LoginStale)


def check_init_data(text: str) -> None:
    """Only what was signed is taken, with the bot's token or with Telegram's key."""
    found = refused(lambda: verify_webapp(text, bot_token=m.BOT_TOKEN, now=m.NOW), *_REFUSALS)
    if found:
        require(_without(_decoded(text), b"hash") in _BY_HASH, "initData that was not signed")
        require(found[0].id == m.USER.id, "somebody else")
    signed = refused(
        lambda: verify_webapp_signature(text, bot_id=m.BOT_ID, now=m.NOW, public_key=_public_key()),
        *_REFUSALS,
    )
    if signed:
        require(_without(_decoded(text), b"hash", b"signature") in _BY_SIGNATURE, "initData of no signature")


_KEYS = jwks.parse(json.dumps(m.jwks()).encode())
ID_TOKENS = (m.id_token(), m.id_token(nonce="n"), m.id_token(aud=[str(m.BOT_ID)], given_name="A"))
_SIGNED = frozenset(token.rpartition(".")[0] for token in ID_TOKENS)


def _find_key(kid: str, algorithm: Any, _: Any) -> Any:
    if (kid, algorithm) not in _KEYS:
        raise LoginRejected("unknown kid")
    return _KEYS[kid, algorithm]


def check_id_token(token: str) -> None:
    """Only what the key's owner signed is taken: header and claims to the letter."""
    found = refused(
        lambda: verify_id_token(
            token,
            find_key=_find_key,
            expected_issuer=m.ISSUER,
            expected_audience=str(m.BOT_ID),
            expected_nonces=["n"],
            nonce_required=False,
            now=m.NOW,
        ),
        LoginRejected,
    )
    if found:
        require(token.rpartition(".")[0] in _SIGNED, "an id_token that was not signed")
        require(found[0].id == m.USER.id, "somebody else")


def check_jwks(document: str) -> None:
    """No key is made up: each is one of the document's, of a kind and a size that is taken."""
    keys = refused(lambda: jwks.parse(document.encode("utf-8", "surrogatepass")), IdentityProviderUnavailable)
    if keys is None:
        return
    require(keys, "no keys, and no complaint")
    listed = [entry for entry in json.loads(document)["keys"] if isinstance(entry, dict)]
    for (kid, algorithm), key in keys.items():
        require(key.algorithm == algorithm, "a key for another algorithm")
        same = [entry for entry in listed if entry.get("kid") == kid]
        require(same, "a key that the document does not have")
        kind = {"RS256": "RSA", "ES256": "EC"}[key.algorithm]
        require(any(entry.get("kty") == kind for entry in same), "a key of another kind")
        require(kind != "RSA" or key.public.key_size >= 2048, "a short RSA key")
        require(kind != "EC" or key.public.curve.name == "secp256r1", "another curve")


def check_relay(text: str) -> None:
    """Tickets and codes are taken as they were signed, to the letter, and neither as the other."""
    ticket = refused(lambda: tickets.read_ticket(text, m.SETTINGS, now=m.NOW), InvalidGrant)
    require(ticket is None or text == m.SIGNED_TICKET, "a ticket that was not signed")
    code = refused(
        lambda: tickets.read_code(text, host=m.PREVIEW, verifier=m.VERIFIER, settings=m.SETTINGS, now=m.NOW),
        InvalidGrant,
    )
    require(code is None or text == m.CODE, "a code that was not signed")
    again = refused(lambda: resume(text, m.SETTINGS, now=m.NOW))
    require(again is None or text == m.TRANSACTION, "a transaction that was not signed")


def check_record(text: str) -> None:
    """What the store gives is a record that can be written again, or none."""
    record = refused(lambda: load(text, m.USER.id))
    if record is not None:
        again = load(record.dump(), m.USER.id)
        # Only these two are cut, to what a login cuts them to.
        same = record._replace(user_agent=record.user_agent[:200], country=record.country[:2])
        require(again == same, "changed by writing")
        require(re.fullmatch(r"[A-Za-z0-9_-]{23}", record.n), "a secret of another form")


def _claims(mutator: Mutator) -> str:
    """An id_token with another header or other claims under the old signature, or changed as text."""
    pick = mutator.random
    token = pick.choice(ID_TOKENS)
    if pick.random() < 0.5:
        return mutator.text(token)
    parts = token.split(".")
    at = pick.randrange(2)
    value = mutator.value(json.loads(urlsafe_b64decode(parts[at] + "==")))
    parts[at] = m.encode(json.dumps(value).encode())
    return ".".join(parts)


_RECORDS = tuple(record.dump() for record in m.RECORDS.values())


def _widget_fields(mutator: Mutator) -> Any:
    value = values_of(*m.widgets())(mutator)
    return value if isinstance(value, dict) else {"value": value}


PROOFS = (
    Target("token", text_of(*m.TOKENS.values(), *m.CARRYING.values()), check_token),
    Target("widget", _widget_fields, check_widget),
    Target("initData", text_of(*LAUNCHES), check_init_data),
    Target("id_token", _claims, check_id_token),
    Target("JWKS", json_of(m.jwks()), check_jwks),
    Target("relay", text_of(m.SIGNED_TICKET, m.CODE, m.TRANSACTION), check_relay),
    Target("record", text_of(*_RECORDS), check_record),
)
