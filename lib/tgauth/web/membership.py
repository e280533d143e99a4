"""TELEGRAM_REQUIRE_CHAT: only members of a chat may log in, and stay logged in."""

from .. import budget, log
from ..errors import IdentityProviderUnavailable, InvalidSession, MembershipRequired, Problem
from ..sessions.base import Session
from ..user import Membership
from .request import Request

_SECONDS_IN_PASSING = 1
_OUTSIDER_SECONDS = 10
_UNANSWERED_SECONDS = 60


def require_member(request: Request, user_id: int) -> None:
    """Ask Telegram whether the user, who is about to log in, is in the chat.

    Raises `MembershipRequired`, and what `check_member` raises: without Telegram's answer nobody gets in.
    """
    chat = request.settings.require_chat
    if chat is not None and _membership(request, user_id) != "member":
        # A chat without an @name is joined by invitation, if at all.
        told = {"link": f"https://t.me/{chat[1:]}"} if chat.startswith("@") else None
        raise MembershipRequired("not in TELEGRAM_REQUIRE_CHAT", told=told)


def recheck_member(request: Request, session: Session) -> None:
    """Ask again, once TELEGRAM_REQUIRE_CHAT_TTL has passed since the login or the last answer here.

    People who have left are logged out: raises `InvalidSession`. Without an answer from Telegram nobody is:
    raises what `check_member` raises, and `IdentityProviderUnavailable` if it knows nothing of the user.
    """
    if not _is_due(request, session):
        return
    membership = request.service.members.recall(str(session.user.id))
    if membership in (None, "unseen"):
        membership = _ask_again(request, session.user.id, budget.TELEGRAM_SECONDS)
    _log_out_outsider(request, session, membership)


def recheck_in_passing(request: Request, session: Session) -> None:
    """As `recheck_member`, but people are waiting: it takes a second at most, and no answer changes nothing.

    Of several simultaneous requests one asks. Raises `InvalidSession`; the log says why there is no answer.
    """
    if not _is_due(request, session):
        return
    membership = request.service.members.recall(str(session.user.id))
    if membership is None and request.service.asked.first(str(session.user.id), _UNANSWERED_SECONDS):
        try:
            membership = _ask_again(request, session.user.id, _SECONDS_IN_PASSING)
        except Problem as problem:
            log.event(problem.event, level=problem.level, reason=problem.reason, request_id=request.id)
    _log_out_outsider(request, session, membership)


def _is_due(request: Request, session: Session) -> bool:
    settings, age = request.settings, request.service.now() - session.created_at
    return settings.require_chat is not None and age >= settings.require_chat_ttl


def _ask_again(request: Request, user_id: int, seconds: float) -> Membership:
    """What the user is by now, as Telegram says within so many seconds; raises as `recheck_member`."""
    left = budget.remaining()
    budget.start(seconds)
    try:
        membership = _membership(request, user_id)
    finally:
        # Telegram's time neither shortens nor extends the store's.
        budget.start(left)
    if membership == "unseen":
        raise IdentityProviderUnavailable(
            "the bot does not see this user in TELEGRAM_REQUIRE_CHAT; make it an administrator there"
        )
    return membership


def _log_out_outsider(request: Request, session: Session, membership: Membership | None) -> None:
    if membership == "outsider":
        # People who join again may bring the same initData: the next login asks about the chat anyway.
        request.service.end_session_alone(session.token)
        raise InvalidSession("not in TELEGRAM_REQUIRE_CHAT")


def _membership(request: Request, user_id: int) -> Membership:
    """Ask Telegram, unless it said no a few seconds ago: repeated attempts cost no request."""
    service, name = request.service, str(user_id)
    known = service.members.recall(name)
    if known in ("outsider", "unseen"):
        return known
    # The HTTP client is imported only where there is such a chat.
    from ..telegram.membership import check_member

    found = check_member(user_id, settings=request.settings)
    # People who just joined need not wait long.
    seconds = request.settings.require_chat_ttl if found == "member" else _OUTSIDER_SECONDS
    service.members.remember(name, found, seconds)
    if found != "unseen":
        service.asked.remember(name, 1, seconds)
    return found
