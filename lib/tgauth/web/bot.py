"""Whether the bot can do what logins need, according to Telegram; /health asks, at most once a minute."""

from .. import budget
from ..errors import IdentityProviderUnavailable, Misconfigured
from .request import Request

_SECONDS = 1
_GOOD_SECONDS = 3600
_OTHER_SECONDS = 60


def find_bot_problem(request: Request) -> Misconfigured | None:
    """Why Telegram refuses the bot, or why the bot cannot see TELEGRAM_REQUIRE_CHAT; None if all is well.

    Telegram has a second to answer. It is asked once an hour, and once a minute while something is wrong.
    If it does not answer, the last result stands: a login with the widget does not need it.
    """
    return request.service.bot_problem.get(lambda known: _ask(request, known))


def _ask(request: Request, known: Misconfigured | None) -> tuple[Misconfigured | None, float]:
    if request.settings.bot_token is None:
        return None, _GOOD_SECONDS
    # The HTTP client is imported only when it is needed.
    from ..telegram.membership import check_bot

    left = budget.remaining()
    budget.start(_SECONDS)
    try:
        check_bot(request.settings)
    except Misconfigured as problem:
        return problem, _OTHER_SECONDS
    except IdentityProviderUnavailable:
        return known, _OTHER_SECONDS
    finally:
        budget.start(left)
    return None, _GOOD_SECONDS
