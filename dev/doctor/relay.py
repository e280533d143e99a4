"""A preview's way to log in: whether production accepts the ticket that the preview signs."""

from collections.abc import Iterator

from dev.doctor.client import Client, NoAnswer, fields
from dev.doctor.report import Check, ok, problem
from dev.doctor.site import split
from lib.tgauth.settings.hosts import LOOPBACK

_STEPS = "docs/PREVIEWS.md#setting-it-up"
_LOG = "docs/PREVIEWS.md#productions-log"


def check_relay(url: str, preview: str, client: Client) -> Iterator[Check]:
    """Go to production with the ticket, as a browser would; that does not spend it, and stores nothing."""
    production = url.partition("/telegram/")[0]
    host = production.partition("://")[2]
    if not production.startswith("https://") and not LOOPBACK.fullmatch(host):
        yield problem("relay", "production's address is not https", f"correct AUTH_RELAY_URL: {_STEPS}")
        return
    try:
        answer = client.ask("GET", url, headers={"Accept": "application/json"})
    except NoAnswer as reason:
        yield problem("relay", f"{production} does not answer: {reason}", f"correct AUTH_RELAY_URL: {_STEPS}")
        return
    code = fields(answer).get("code")
    location = answer.headers.get("Location", "")
    if answer.status_code == 303 and split(location).path == "/relay.html":
        yield ok("relay", f"{production} logs people in for this preview")
    elif answer.status_code == 404:
        yield problem(
            "relay",
            f"{production} logs nobody in for previews",
            f"set AUTH_RELAY_SECRET in production, too, and deploy it again: {_STEPS}",
        )
    elif code == "invalid_grant":
        yield problem(
            "relay",
            f"{production} does not take this preview's ticket",
            f"look whether both have the same AUTH_RELAY_SECRET, and whether AUTH_RELAY_HOSTS has"
            f" {preview.partition('://')[2]}: {_LOG}",
        )
    elif code == "shared_store_required":
        yield problem("relay", f"{production} has no Redis", f"set it up there: {_STEPS}")
    elif 300 <= answer.status_code < 400:
        yield problem(
            "relay",
            f"{production} redirects",
            f"set AUTH_RELAY_URL to the address that it leads to: {_STEPS}",
        )
    else:
        yield problem(
            "relay",
            f"{production} answers {answer.status_code} {code or ''}".rstrip(),
            f"401, 403: it is protected. Else its log says why: {_LOG}",
        )
