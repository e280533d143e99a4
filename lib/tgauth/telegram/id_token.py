"""An OpenID Connect `id_token` from Telegram: who signed it, for which client, when, and for which user.

Sources: https://core.telegram.org/bots/telegram-login, OpenID Connect Core §3.1.3.7, RFC 8725.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..clock import CLOCK_SKEW
from ..errors import LoginRejected
from ..user import Proof, TelegramUser, read_text, read_user_id
from .jwk import Algorithm, Key, decode

ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "ES256")
"""The ones we accept. Tokens with Telegram's others, EdDSA and ES256K, lack the claims that name the user."""

MAX_AGE = 600
"""Seconds after its issue for which an id_token can log in; its own `exp` allows an hour."""

# Only the issuer's own keys may verify it, and no extension that we would have to understand is ignored.
_FOREIGN_HEADERS = {"jku", "jwk", "x5u", "x5c", "crit", "b64"}
_PHONE = re.compile(r"\+?[0-9]{3,32}")
_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")
_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_time(value: object) -> bool:
    return type(value) is int


def _is_subject(value: object) -> bool:
    return isinstance(value, str) and bool(_SUBJECT.fullmatch(value))


def _is_audience(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(map(_is_text, value)))


_REQUIRED: Mapping[str, Callable[[object], bool]] = {
    "iss": _is_text,
    "aud": _is_audience,
    "sub": _is_subject,
    "iat": _is_time,
    "exp": _is_time,
}
_OPTIONAL: Mapping[str, Callable[[object], bool]] = {"azp": _is_text, "nbf": _is_time, "nonce": _is_text}


def verify_id_token(
    token: str,
    *,
    find_key: Callable[[str, Algorithm, Key | None], Key],
    expected_issuer: str,
    expected_audience: str,
    expected_nonces: Collection[str],
    nonce_required: bool,
    now: float,
) -> tuple[TelegramUser, Proof, str | None]:
    """Check `token`; return the user, the proof to remember it by, and the nonce that it carries.

    Cheap checks come first: no key is fetched for a token that would be refused anyway. `find_key` is
    `tgauth.telegram.jwks.Keys.find`. Raises `LoginRejected`, and whatever `find_key` raises.
    """
    parts = _FORM.fullmatch(token)
    if not parts:
        raise LoginRejected("id_token is not a signed JWT")
    try:
        unverified, payload, signature = (decode(part) for part in parts.groups())
        header, claims = json.loads(unverified), read_claims(payload)
    except (ValueError, RecursionError):
        # Their texts quote the token.
        raise LoginRejected("id_token lacks a header or the claims it must have") from None
    algorithm, kid = _algorithm_and_key(header)
    _check(claims, issuer=expected_issuer, audience=expected_audience, now=now)
    user = _user(claims)
    nonce: str | None = claims.get("nonce")
    if nonce is None and nonce_required:
        raise LoginRejected("id_token without nonce: pass Telegram.Login the nonce from POST /telegram/start")
    if nonce is not None and nonce not in expected_nonces:
        raise LoginRejected("nonce does not belong to a login that this browser began")
    signing_input = token.rpartition(".")[0]
    key = find_key(kid, algorithm, None)
    if not _signed(signing_input, signature, key, algorithm):
        key = find_key(kid, algorithm, key)
        if not _signed(signing_input, signature, key, algorithm):
            raise LoginRejected("the signature of id_token does not match")
    window = MAX_AGE + 2 * CLOCK_SKEW
    return user, Proof("oidc", signing_input, claims["iat"], window, one_time=True), nonce


def _signed(signing_input: str, signature: bytes, key: Key, algorithm: Algorithm) -> bool:
    # A header cannot choose how a key is used.
    return key.algorithm == algorithm and key.signed(signing_input.encode(), signature)


def _algorithm_and_key(header: object) -> tuple[Algorithm, str]:
    if not isinstance(header, dict):
        raise LoginRejected("id_token lacks a header or the claims it must have")
    if header.keys() & _FOREIGN_HEADERS:
        raise LoginRejected("id_token brings a key of its own, or extensions")
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise LoginRejected("id_token is not signed with RS256 or ES256; choose RS256 at @BotFather")
    if not isinstance(kid, str):
        raise LoginRejected("id_token does not name its key")
    return algorithm, kid


def read_claims(payload: bytes) -> dict[str, Any]:
    """The claims; raises ValueError where one is missing, or has the wrong type, that a login is refused for.

    Others may come at any time. Those that say who it is are read by `TelegramUser.read`.
    """
    claims = json.loads(payload.decode())
    if not isinstance(claims, dict):
        raise ValueError
    if not all(has_form(claims.get(name)) for name, has_form in _REQUIRED.items()):
        raise ValueError
    given = {name: claims[name] for name in _OPTIONAL if claims.get(name) is not None}
    if not all(_OPTIONAL[name](value) for name, value in given.items()):
        raise ValueError
    return claims


def _check(claims: Mapping[str, Any], *, issuer: str, audience: str, now: float) -> None:
    """OpenID Connect Core §3.1.3.7, items 2 to 5, 9 and 10; raises `LoginRejected`."""
    if claims["iss"] != issuer:
        raise LoginRejected("id_token is from another issuer")
    if claims["aud"] not in (audience, [audience]) or claims.get("azp") not in (None, audience):
        raise LoginRejected("id_token is for another client")
    if claims["exp"] <= now - CLOCK_SKEW:
        raise LoginRejected("id_token has expired")
    if max(claims["iat"], claims.get("nbf") or 0) > now + CLOCK_SKEW:
        raise LoginRejected("id_token is from the future")
    if claims["iat"] < now - MAX_AGE:
        raise LoginRejected("id_token was issued too long ago")


def _user(claims: Mapping[str, Any]) -> TelegramUser:
    """The user, with the whole name as the first name if Telegram does not split it.

    Raises `LoginRejected` if there is no `id`. A malformed phone number is left out.
    """
    if claims.get("id") is None:
        raise LoginRejected("id_token without id: the login must ask for the scope profile")
    user_id = read_user_id(claims["id"])
    if user_id is None:
        raise LoginRejected("id_token has an id that is not a Telegram id")
    given = read_text(claims.get("given_name"))
    whole = None if given else read_text(claims.get("name"))
    phone = claims.get("phone_number")
    said = {
        "first_name": given or whole,
        "last_name": None if whole else claims.get("family_name"),
        "username": claims.get("preferred_username"),
        "photo_url": claims.get("picture"),
        "sub": claims["sub"],
        "phone_number": phone if isinstance(phone, str) and _PHONE.fullmatch(phone) else None,
    }
    return TelegramUser.read(user_id, said)
