"""An OpenID Connect `id_token` from Telegram: who signed it, for which client, when, and for which user.

Sources: https://core.telegram.org/bots/telegram-login, OpenID Connect Core §3.1.3.7, RFC 8725.
"""

import json
import re
from collections.abc import Callable, Collection
from typing import Annotated

from pydantic import BaseModel, Field, StrictInt, StrictStr

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
_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


class Claims(BaseModel):
    """The claims that we read; Telegram may add others at any time, and these are ignored.

    Claims that a login can be refused for are strict; any other claim of the wrong type counts as absent.
    """

    iss: StrictStr
    aud: StrictStr | list[StrictStr]
    azp: StrictStr | None = None
    sub: Annotated[StrictStr, Field(pattern=r"^[\x21-\x7e]{1,255}$")]
    iat: StrictInt
    exp: StrictInt
    nbf: StrictInt | None = None
    nonce: StrictStr | None = None
    id: object = None
    name: object = None
    given_name: object = None
    family_name: object = None
    preferred_username: object = None
    picture: object = None
    phone_number: object = None


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
        header, claims = json.loads(unverified), Claims.model_validate(json.loads(payload.decode()))
    except (ValueError, RecursionError):
        # Their texts quote the token.
        raise LoginRejected("id_token lacks a header or the claims it must have") from None
    algorithm, kid = _algorithm_and_key(header)
    _check(claims, issuer=expected_issuer, audience=expected_audience, now=now)
    user = _user(claims)
    if claims.nonce is None and nonce_required:
        raise LoginRejected("id_token without nonce: pass Telegram.Login the nonce from POST /telegram/start")
    if claims.nonce is not None and claims.nonce not in expected_nonces:
        raise LoginRejected("nonce does not belong to a login that this browser began")
    signing_input = token.rpartition(".")[0]
    key = find_key(kid, algorithm, None)
    if not _signed(signing_input, signature, key, algorithm):
        key = find_key(kid, algorithm, key)
        if not _signed(signing_input, signature, key, algorithm):
            raise LoginRejected("the signature of id_token does not match")
    window = MAX_AGE + 2 * CLOCK_SKEW
    return user, Proof("oidc", signing_input, claims.iat, window, one_time=True), claims.nonce


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


def _check(claims: Claims, *, issuer: str, audience: str, now: float) -> None:
    """OpenID Connect Core §3.1.3.7, items 2 to 5, 9 and 10; raises `LoginRejected`."""
    if claims.iss != issuer:
        raise LoginRejected("id_token is from another issuer")
    if claims.aud not in (audience, [audience]) or claims.azp not in (None, audience):
        raise LoginRejected("id_token is for another client")
    if claims.exp <= now - CLOCK_SKEW:
        raise LoginRejected("id_token has expired")
    if claims.iat > now + CLOCK_SKEW or (claims.nbf is not None and claims.nbf > now + CLOCK_SKEW):
        raise LoginRejected("id_token is from the future")
    if claims.iat < now - MAX_AGE:
        raise LoginRejected("id_token was issued too long ago")


def _user(claims: Claims) -> TelegramUser:
    """The user, with the whole name as the first name if Telegram does not split it.

    Raises `LoginRejected` if there is no `id`. A malformed phone number is dropped, not refused.
    """
    if claims.id is None:
        raise LoginRejected("id_token without id: the login must ask for the scope profile")
    user_id = read_user_id(claims.id)
    if user_id is None:
        raise LoginRejected("id_token has an id that is not a Telegram id")
    given = read_text(claims.given_name)
    whole = None if given else read_text(claims.name)
    phone = claims.phone_number
    said = {
        "first_name": given or whole,
        "last_name": None if whole else claims.family_name,
        "username": claims.preferred_username,
        "photo_url": claims.picture,
        "sub": claims.sub,
        "phone_number": phone if isinstance(phone, str) and _PHONE.fullmatch(phone) else None,
    }
    return TelegramUser.read(user_id, said)
