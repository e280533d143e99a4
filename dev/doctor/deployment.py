"""A deployment as anybody sees it from outside. Only what /health tries is stored, for a minute."""

import statistics
import time
from collections.abc import Iterator
from urllib.parse import parse_qs

from requests import Response

from dev.doctor.client import Client, NoAnswer, cookies, fields
from dev.doctor.clock import check_clock
from dev.doctor.headers import check_api_headers, check_cookie, check_page
from dev.doctor.health import check_health
from dev.doctor.login import check_domain, oidc_hint, widget_hint
from dev.doctor.relay import check_relay
from dev.doctor.report import Check, ok, problem, warning
from dev.doctor.site import Site, barrier, origin_of, split, unexpected
from lib.tgauth.settings.hosts import LOOPBACK, www_twin

FAR_MS = 1000
"""Milliseconds for one request, above which people wait."""

JUNK = "tg1_tgauth-doctor-has-no-session"
STRANGER = "https://tgauth-doctor.invalid"

_ROUNDS = 5


def check_deployment(origin: str, client: Client, bypass: str = "") -> Iterator[Check]:
    """Everything that can be seen at `origin`; `bypass` opens Vercel's Deployment Protection."""
    extra = {"x-vercel-protection-bypass": bypass} if bypass and origin.startswith("https:") else {}
    site = Site(origin, client, extra)
    try:
        health = site.ask("GET", "/health")
    except NoAnswer as reason:
        yield problem(
            "reachable",
            f"{origin} does not answer: {reason}",
            "look whether the address is right and deployed",
        )
        return
    if (between := barrier(origin, health)) is not None:
        yield between
        return
    yield ok("reachable", f"{origin} answers")
    yield _https(origin)
    yield check_health(health)
    yield from check_clock(health, time.time(), "the deployment's")
    # Where a setting is wrong every function answers 503 misconfigured, which /health has explained.
    answers_nothing = fields(health).get("problem") in ("settings", "origin")
    for check in (_page, _pace) if answers_nothing else (_start, _junk, _cross_site, _page, _pace):
        try:
            yield from check(site)
        except NoAnswer as reason:
            yield problem(check.__name__.strip("_").replace("_", "-"), f"no answer: {reason}", "try again")


def _https(origin: str) -> Check:
    scheme, _, host = origin.partition("://")
    if scheme == "https":
        return ok("https", "the address is encrypted, and its certificate is checked with every request")
    if LOOPBACK.fullmatch(host):
        return ok("https", "not needed on this machine")
    return problem(
        "https",
        "the address is not encrypted: whoever is on the way can take sessions over",
        f"check https://{host} instead, and let http:// redirect there (Vercel does)",
    )


def _start(site: Site) -> Iterator[Check]:
    """Begin a login, as a page of the site does; nobody finishes it."""
    answer = site.ask("POST", "/telegram/start", json={}, Origin=site.origin, Sec_Fetch_Site="same-origin")
    yield from check_api_headers(answer.headers, https=site.https)
    if answer.status_code != 200:
        yield unexpected("login", "POST /telegram/start", answer)
        return
    own = _own_origin(answer) or site.origin
    # Only the names before the equals sign are looked at.
    begun = [cookie for cookie in cookies(answer) if "tgauth-tx-" in cookie.partition("=")[0]]
    if own != site.origin:
        # That the address is not encrypted has been said.
        if own != site.origin.replace("http:", "https:", 1):
            yield _elsewhere(site, own)
    elif not begun:
        yield problem("cookie", "POST /telegram/start sets no cookie", "let Set-Cookie pass through")
    else:
        yield ok("origin", f"logins begin and end here, at {own}")
        yield from check_cookie(begun[0], https=site.https)
    yield from _ways(site, answer, own)


def _elsewhere(site: Site, own: str) -> Check:
    """Logins of this address come back to another one, which may redirect to this one."""
    where = "docs/API.md#beginning-a-login"
    try:
        back = origin_of(site.client.ask("GET", f"{own}/health").headers.get("Location", ""))
    except NoAnswer:
        back = ""
    if back == site.origin:
        return problem(
            "origin",
            f"nobody can log in by the page's button: logins come back to {own}, which redirects here",
            f"set AUTH_ORIGIN={site.origin} and deploy again: {where}",
        )
    return warning(
        "origin",
        f"logins of {site.origin} begin and end at {own}, which is what the deployment takes for its own",
        f"open the site at {own}, and let other domains redirect there (Vercel: Settings > Domains); if"
        f" {site.origin} is the right one, set AUTH_ORIGIN={site.origin}: {where}",
    )


def _ways(site: Site, answer: Response, own: str) -> Iterator[Check]:
    match fields(answer):
        case {"methods": ["relay"], "relay_url": str(url)}:
            yield from check_relay(url, own, site.client)
        case {"methods": ["oidc", *_]}:
            yield oidc_hint(own, _twin(own))
        case {"methods": ["widget"], "widget_auth_url": str(url)}:
            yield widget_hint(own, _twin(own))
            if LOOPBACK.fullmatch(own.partition("://")[2]) is None and url.startswith("https://"):
                yield from check_domain(url, own, site.client)
        case _:
            yield problem("login", "there is no way to log in", "set TELEGRAM_BOT_TOKEN: README.md#deploy")


def _twin(origin: str) -> str | None:
    """The other name that the site may have, with `www.` or without."""
    return www_twin(origin.partition("://")[2]) if origin.startswith("https:") else None


def _own_origin(answer: Response) -> str:
    """Where Telegram sends browsers back to, as the deployment tells its pages."""
    match fields(answer):
        case {"oidc_url": str(url)}:
            return origin_of(parse_qs(split(url).query).get("redirect_uri", [""])[0])
        case {"widget_redirect_url": str(url)}:
            return origin_of(url)
    return ""


def _junk(site: Site) -> Iterator[Check]:
    answer = site.ask("GET", "/telegram/verify", Authorization=f"Bearer {JUNK}")
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    match answer.status_code, fields(answer).get("code"):
        case 401, "invalid_session" if kind == "application/problem+json":
            yield ok("junk-token", "an invalid token is refused: 401 invalid_session")
        case 401, "unauthenticated":
            yield warning(
                "junk-token",
                "the header Authorization does not reach the functions, so Mini Apps and apps cannot log in",
                "let it pass through whatever stands in front of the deployment",
            )
        case _:
            yield unexpected("junk-token", "GET /telegram/verify with an invalid token", answer)


def _cross_site(site: Site) -> Iterator[Check]:
    """Browsers say so in Sec-Fetch-Site; older ones only name the origin."""
    by_name = site.ask("POST", "/telegram/start", json={}, Origin=STRANGER)
    by_kind = site.ask("POST", "/telegram/start", json={}, Origin=STRANGER, Sec_Fetch_Site="cross-site")
    answer = by_name if by_name.status_code != 403 else by_kind
    shared = answer.headers.get("Access-Control-Allow-Origin", "")
    if shared in ("*", STRANGER) or answer.headers.get("Access-Control-Allow-Credentials"):
        yield problem(
            "cross-site",
            "any site's pages may read the answers (Access-Control-Allow-Origin)",
            "take that header out of vercel.json or of what stands in front, and name the sites that may in"
            " ALLOWED_ORIGINS: README.md#settings",
        )
    elif answer.status_code == 403 and fields(answer).get("code") == "cross_site_blocked":
        yield ok("cross-site", "requests that another site makes are refused: 403 cross_site_blocked")
    else:
        yield unexpected("cross-site", "a request of another site's page", answer)


def _page(site: Site) -> Iterator[Check]:
    answer = site.ask("GET", "/", Accept="text/html")
    if answer.status_code == 200:
        yield from check_page(answer, https=site.https)
    else:
        yield warning(
            "page",
            f"/ answers {answer.status_code}; logins with the widget and every error need pages of public/",
            "deploy public/ too, or pages of your own in its place: README.md#endpoints",
        )


def _pace(site: Site) -> Iterator[Check]:
    """Without a session, so that Redis is not asked; the connection and the function are there by now."""
    taken = [site.ask("GET", "/telegram/verify").elapsed.total_seconds() * 1000 for _ in range(_ROUNDS)]
    message = f"a request takes {statistics.median(taken):.0f} ms from here (median of {_ROUNDS})"
    if statistics.median(taken) > FAR_MS:
        fix = "choose a region near your visitors (Vercel: Settings > Functions), with the database in it"
        yield warning("pace", message, fix)
    else:
        yield ok("pace", message)
