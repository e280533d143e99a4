"""Whether two clocks agree, as precisely as the Date header's whole seconds can tell."""

from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from requests import Response

from dev.doctor.report import Check, ok, problem, warning
from lib.tgauth.clock import CLOCK_SKEW

WARN_SECONDS = CLOCK_SKEW / 2


def check_clock(answer: Response, now: float, whose: str) -> Iterator[Check]:
    """Compare the answer's Date with `now`, in Unix seconds, when it was there; nothing without a Date."""
    try:
        there = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return
    # The header was made at some time while we waited, in a second of which it does not say the rest.
    earliest, latest = there, there + 1 + answer.elapsed.total_seconds()
    apart = max(earliest - now, now - latest, 0)
    message = f"{whose} clock and this machine's are {apart:.0f} seconds apart"
    fix = (
        "one of the two is wrong. Let this machine set its clock from the network (NTP); a server whose clock"
        f" is over {CLOCK_SKEW} seconds off refuses genuine logins: docs/API.md#logging-in"
    )
    if apart > CLOCK_SKEW:
        yield problem("clock", message, fix)
    elif apart > WARN_SECONDS:
        yield warning("clock", message, fix)
    else:
        yield ok("clock", f"{whose} and this machine's agree")
