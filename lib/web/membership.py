"""TELEGRAM_REQUIRE_CHAT: only members of a chat may log in, and stay logged in."""

from lib import budget
from lib.errors import MembershipRequired
from lib.web.request import Request


def require_member(request: Request, user_id: int, *, known_at: float = float("-inf")) -> None:
    """Ask Telegram, unless the user was found in the chat within TELEGRAM_REQUIRE_CHAT_TTL.

    `known_at` is when that is known to have been (Unix seconds). Raises `MembershipRequired`, and what
    `check_member` raises: where Telegram does not answer, nobody gets in, and nobody is logged out.
    """
    settings, service = request.settings, request.service
    if settings.require_chat is None or service.now() - known_at < settings.require_chat_ttl:
        return
    known = service.known_membership(user_id)
    if known is None:
        # What asks over HTTP is imported where there is such a chat, and nowhere else.
        from lib.telegram.membership import check_member

        known = check_member(user_id, settings=settings)
        service.remember_membership(user_id, member=known)
        # What Telegram took is no reason to give the store less time.
        budget.start()
    if not known:
        raise MembershipRequired("not in TELEGRAM_REQUIRE_CHAT")
