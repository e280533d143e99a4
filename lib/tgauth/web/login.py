"""The steps that all ways to log in share: going to Telegram, finding out who it is, making the session."""

from collections.abc import Callable
from urllib.parse import urlencode

from .. import budget, log
from ..errors import LoginRejected, RateLimited, RelayRequired
from ..relay import tickets
from ..sessions import login
from ..sessions.base import Session
from ..telegram import oidc
from ..telegram.login import Login, verify_login
from ..telegram.transaction import Transaction
from ..user import Proof, TelegramUser, Transport
from .endpoint import Response
from .membership import require_member
from .navigation import query_fields
from .request import REDIRECTED, Request
from .respond import keep_session, see_other
from .return_to import require_return_to
from .transactions import (
    begin_transaction,
    find_finished,
    keep_finished,
    mark_used,
    pending_transactions,
    require_transaction,
    take_transaction,
    visit_name,
)

_REFUSED_CODES, _REFUSED_SECONDS = 10, 60


def send_to_telegram(request: Request) -> Response:
    """303 to Telegram's login, or to our login page if only the widget is set up.

    On a host that Telegram does not know, 303 to the one that it knows: the cookie must be set there.
    """
    origin, settings = request.require_own_origin(), request.settings
    return_to = requested_return_to(request)
    if not request.on_own_origin:
        return see_other(f"{origin}/telegram/start?{REDIRECTED}=1{return_query(return_to, '&')}")
    require_login_method(request)
    if not settings.uses_relay and settings.client_secret is None:
        return see_other(f"/{return_query(return_to)}")
    transaction = begin_transaction(request, return_to=return_to)
    if settings.uses_relay:
        return see_other(tickets.address(settings, transaction, origin))
    response = see_other(oidc.authorization_url(settings, transaction, origin))
    # Telegram has been seen to refuse browsers that do not say where they come from.
    response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
    return response


def warn_of_another_address(request: Request, origin: str) -> None:
    """Tell the owner how people can log in where their browser is, if that is not at `origin`."""
    found = request.browser_origin
    if found == origin:
        return
    reason = (
        f"AUTH_ORIGIN: logins come back to {origin}, and a browser says it is at"
        f" {found or 'another address'}, which anybody can write; only if that is yours, and people open the"
        f" site there, set AUTH_ORIGIN{f'={found}' if found else ' to it'}"
    )
    log.event("other_origin", level="warning", request_id=request.id, reason=reason)


def require_login_method(request: Request) -> None:
    """Raises `RelayRequired` or `Misconfigured` where no browser can log in."""
    settings = request.settings
    if settings.uses_relay:
        settings.require_relay_url()
        return
    if settings.environment == "preview" and settings.canonical_origin is None:
        raise RelayRequired(
            "AUTH_RELAY_SECRET: is not set; docs/PREVIEWS.md has the steps, for here and production",
            told={"link": f"{settings.relay_url}/"} if settings.relay_url else None,
        )
    settings.require_login_method()


def prove_code(request: Request, code: str, transaction: Transaction) -> tuple[TelegramUser, Proof]:
    """Whose code it is: a preview asks production, other deployments ask Telegram; raises as both clients.

    Beginning a login is free, so anybody can bring codes they made up: after a number of refused ones from
    one network, raises `RateLimited` for the rest of the minute without asking Telegram. Other failures do
    not count.
    """
    budget.start(budget.TELEGRAM_SECONDS)
    settings, origin = request.settings, request.require_own_origin()
    # HTTP and cryptography are imported only for a browser that has begun a login.
    if settings.uses_relay:
        from ..relay import client

        return client.ask_production(code, transaction, settings=settings, origin=origin)
    from ..telegram import provider

    now, refused, network = request.service.now(), request.service.refused_codes, request.network
    if network and refused.times(network) >= _REFUSED_CODES:
        raise RateLimited(f"Telegram refused {_REFUSED_CODES} codes from this network within a minute")
    try:
        return provider.exchange_code(code, transaction, settings=settings, origin=origin, now=now)
    except provider.CodeRefused:
        if network:
            refused.count(network, _REFUSED_SECONDS)
        raise


def requested_return_to(request: Request) -> str:
    """Where the query asks to go after the login; raises `MalformedRequest`."""
    return require_return_to(query_fields(request).get("return_to", "/"))


def return_query(return_to: str, separator: str = "?") -> str:
    """The query with which another of our addresses later goes on to `return_to`."""
    return "" if return_to == "/" else f"{separator}{urlencode({'return_to': return_to})}"


def identify(request: Request, attempt: Login) -> tuple[TelegramUser, Proof]:
    """Whose login it is; checks, where that is required, that this browser began it.

    An id_token that carries a nonce or becomes a cookie session must answer a transaction of this browser:
    otherwise a token from any other site would do. Raises as the verifiers, and `LoginRejected`.
    """
    settings, now = request.settings, request.service.now()
    budget.start(budget.TELEGRAM_SECONDS)
    if attempt.state is not None:
        take_transaction(request, attempt.state)
    if attempt.id_token is None:
        return verify_login(attempt, settings=settings, now=now)
    # Imported only for a body with an id_token.
    from ..telegram.provider import check

    begun = {transaction.nonce: transaction for transaction in pending_transactions(request)}
    user, proof, nonce = check(
        attempt.id_token,
        settings=settings,
        nonces=begun.keys(),
        nonce_required=attempt.transport == "cookie",
        now=now,
    )
    if nonce is not None:
        take_transaction(request, begun[nonce].state)
    return user, proof


def finish_login(
    request: Request, state: str | None, prove: Callable[[Transaction], tuple[TelegramUser, Proof]]
) -> Response:
    """303 to `return_to` of the login with this state, with the session cookie; `prove` says whose it is.

    Browsers request some addresses twice. The same visit at the same time gets the same answer; later it gets
    303 to the same place, and nothing is done again. Another answer to the same login, or to one that failed,
    is refused. Raises as `prove` and `log_in`, and `LoginRejected`.
    """
    led = find_finished(request, state)
    if led is not None:
        return see_other(led)
    transaction = require_transaction(request, state)

    def finish() -> Session:
        mark_used(request, transaction)
        user, proof = prove(transaction)
        return log_in(request, user, proof, "cookie")

    session = request.service.visits.share(visit_name(request), finish)
    if session is None:
        raise LoginRejected("the same visit, at the same time, has failed")
    keep_finished(request, transaction)
    return keep_session(request, see_other(transaction.return_to), session)


def log_in(request: Request, user: TelegramUser, proof: Proof, transport: Transport) -> Session:
    """Make the session, in place of the one that the browser or app had.

    Raises as `refuse_known`, `require_member` and `login.log_in`.
    """
    # From here on the log says who was refused.
    request.notes["user_ref"] = request.reference("user", str(user.id))
    presented, carried_by = request.presented()
    login.refuse_known(request.service, user, proof, transport)
    require_member(request, user.id)
    # Telegram's time does not shorten the store's.
    budget.start()
    session = login.log_in(
        request.service,
        user,
        proof,
        transport=transport,
        user_agent=request.environ.get("HTTP_USER_AGENT", ""),
        country=request.environ.get("HTTP_X_VERCEL_IP_COUNTRY", ""),
        replaces=presented if carried_by == transport else None,
    )
    request.note_session(session)
    request.notes["event"] = "authn_login_success"
    return session
