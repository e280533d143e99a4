"""Telegram's OpenID Connect provider over HTTP: exchanging a code for an id_token, and the keys to check it.

Sources: https://core.telegram.org/bots/telegram-login, RFC 6749 §4.1.3 and §5.2, RFC 7636 §4.5.
"""

import contextlib
import json
import sys
import threading
from collections.abc import Collection, Iterator
from functools import lru_cache, partial

from .. import budget
from ..errors import IdentityProviderUnavailable, LoginRejected, Misconfigured
from ..http_client import Answer
from ..settings import Settings
from ..user import Proof, TelegramUser
from .http import get, post_form
from .jwks import Keys
from .oidc import redirect_uri, refused
from .transaction import Transaction

_SECRET_REFUSED = (
    "TELEGRAM_CLIENT_SECRET: Telegram refused it; copy the Client Secret of this bot from"  # noqa: S105
    " @BotFather > Bot Settings > Web Login (it is not the bot token)"
)


class CodeRefused(LoginRejected):
    """Telegram's token endpoint does not know the code, or it belongs to another login."""


def exchange_code(
    code: str, transaction: Transaction, *, settings: Settings, origin: str, now: float
) -> tuple[TelegramUser, Proof]:
    """Exchange the code of a login that this browser began.

    Raises `CodeRefused` for a code that is not valid, `LoginRejected` for an id_token that is not valid,
    `Misconfigured` when Telegram refuses the client secret or the redirect URI, and
    `IdentityProviderUnavailable` when it does not answer.
    """
    client_id, client_secret = str(settings.bot_id), settings.require_client_secret()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri(origin),
        "client_id": client_id,
        "code_verifier": transaction.verifier,
    }
    url = f"{settings.oauth_url}/token"
    with _preparing(settings.oauth_url, now):
        response = post_form(url, form, user=client_id, password=client_secret)
    id_token = _id_token(response)
    nonces = [transaction.nonce]
    user, _, _ = _verify(id_token, settings, nonces, nonce_required=False, now=now)
    return user, transaction.proof


def check(
    id_token: str, *, settings: Settings, nonces: Collection[str], nonce_required: bool, now: float
) -> tuple[TelegramUser, Proof, str | None]:
    """Verify an id_token from a client.

    Raises the same as `verify_id_token`, and `Misconfigured` without a client secret.
    """
    settings.require_client_secret()
    return _verify(id_token, settings, nonces, nonce_required=nonce_required, now=now)


def _verify(
    id_token: str, settings: Settings, nonces: Collection[str], *, nonce_required: bool, now: float
) -> tuple[TelegramUser, Proof, str | None]:
    from .id_token import verify_id_token

    keys = _keys(settings.oauth_url)
    return verify_id_token(
        id_token,
        find_key=partial(keys.find, now=now),
        expected_issuer=settings.oauth_url,
        expected_audience=str(settings.bot_id),
        expected_nonces=nonces,
        nonce_required=nonce_required,
        now=now,
    )


@contextlib.contextmanager
def _preparing(oauth_url: str, now: float) -> Iterator[None]:
    """At a cold start, import what checks the answer and fetch the keys while Telegram gives it.

    Each takes about as long as the others. What goes wrong with it is reported where it is needed.
    """
    if f"{__package__}.jwk" in sys.modules:
        yield
        return
    threads = [
        threading.Thread(target=_import_checks),
        threading.Thread(target=_fetch_ahead, args=[_keys(oauth_url), now]),
    ]
    # A machine may allow no more threads.
    with contextlib.suppress(RuntimeError):
        for thread in threads:
            thread.start()
    try:
        yield
    finally:
        for thread in threads:
            if thread.ident is not None:
                thread.join(min(budget.remaining(), budget.TELEGRAM_SECONDS))


def _import_checks() -> None:
    with contextlib.suppress(Exception):
        from . import id_token  # noqa: F401


def _fetch_ahead(keys: Keys, now: float) -> None:
    with contextlib.suppress(Exception):
        keys.prepare(now)


def _id_token(response: Answer) -> str:
    """The id_token in the token endpoint's answer; Telegram's access_token is of no use and is dropped."""
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        answer = None
    fields = answer if isinstance(answer, dict) else {}
    match response.status, fields:
        case 200, {"id_token": str(id_token)}:
            return id_token
        case 400 | 401, {"error": "invalid_grant"}:
            raise CodeRefused("Telegram refused the code")
        case 400 | 401, {"error": "invalid_client"}:
            raise Misconfigured(_SECRET_REFUSED)
        case 400 | 401, {"error": "invalid_request" | "unauthorized_client" | "invalid_scope" as error}:
            raise Misconfigured(refused(error))
    raise IdentityProviderUnavailable(f"the token endpoint gave no id_token (status {response.status})")


@lru_cache(maxsize=4)
def _keys(oauth_url: str) -> Keys:
    return Keys(lambda: _fetch_keys(f"{oauth_url}/.well-known/jwks.json"))


def _fetch_keys(url: str) -> bytes:
    response = get(url)
    if response.status != 200:
        raise IdentityProviderUnavailable(f"the JWKS URL answered {response.status}")
    return response.body
