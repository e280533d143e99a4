"""Whether the bot can do what logins need of it, as Telegram says: asked by /health, hardly ever."""

from .. import budget
from ..errors import IdentityProviderUnavailable, Misconfigured
from .request import Request

_SECONDS = 1
_GOOD_SECONDS = 3600
_OTHER_SECONDS = 60


def find_bot_problem(request: Request) -> Misconfigured | None:
    """What Telegram has against the bot, or keeps it from seeing TELEGRAM_REQUIRE_CHAT; None for nothing.

    Telegram has a second to answer: it is asked once an hour, and once a minute while something is wrong.
    Without its answer what was known stays: a widget's login needs nothing of it.
    """
    return request.service.bot_problem.get(lambda known: _ask(request, known))


def _ask(request: Request, known: Misconfigured | None) -> tuple[Misconfigured | None, float]:
    if request.settings.bot_token is None:
        return None, _GOOD_SECONDS
    # What asks over HTTP is imported when it is needed.
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
