"""TELEGRAM_REQUIRE_CHAT: only members of a chat may log in, and stay logged in."""

from lib import budget
from lib.errors import IdentityProviderUnavailable, InvalidSession, MembershipRequired
from lib.sessions.base import Session
from lib.telegram.user import Membership
from lib.web.request import Request


def require_member(request: Request, user_id: int) -> None:
    """Ask Telegram whether the user, who is about to log in, is in the chat.

    Raises `MembershipRequired`, and what `check_member` raises: without Telegram's answer nobody gets in.
    """
    chat = request.settings.require_chat
    if chat is not None and _membership(request, user_id) != "member":
        # A chat that has an id alone is joined by invitation, if at all.
        told = {"link": f"https://t.me/{chat[1:]}"} if chat.startswith("@") else None
        raise MembershipRequired("not in TELEGRAM_REQUIRE_CHAT", told=told)


def recheck_member(request: Request, session: Session) -> None:
    """Ask again, once TELEGRAM_REQUIRE_CHAT_TTL has passed since the login or the last answer here.

    Who has left is logged out: raises `InvalidSession`. Without Telegram's answer nobody is: raises what
    `check_member` raises, and `IdentityProviderUnavailable` where it knows nothing of the user.
    """
    settings, service, user_id = request.settings, request.service, session.user.id
    if settings.require_chat is None or service.now() - session.created_at < settings.require_chat_ttl:
        return
    membership = service.known_membership(user_id)
    if membership is None:
        left = budget.remaining()
        budget.start(budget.TELEGRAM_SECONDS)
        membership = _membership(request, user_id)
        # What Telegram took is no reason to give the store less time, and none to give it more.
        budget.start(left)
    if membership == "outsider":
        service.delete_session(session.token)
        raise InvalidSession("not in TELEGRAM_REQUIRE_CHAT")
    if membership == "unseen":
        raise IdentityProviderUnavailable(
            "the bot does not see this user in TELEGRAM_REQUIRE_CHAT; make it an administrator there"
        )


def _membership(request: Request, user_id: int) -> Membership:
    """What Telegram says, unless it was no a moment ago: who tries again and again costs nothing."""
    service = request.service
    known = service.known_membership(user_id)
    if known in ("outsider", "unseen"):
        return known
    # What asks over HTTP is imported where there is such a chat, and nowhere else.
    from lib.telegram.membership import check_member

    found = check_member(user_id, settings=request.settings)
    service.remember_membership(user_id, found)
    return found
