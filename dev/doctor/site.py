"""One deployment, how it is asked, and what answers instead when tgauth does not."""

from urllib.parse import SplitResult, urlsplit

from requests import Response

from dev.doctor.client import Client, cookies, fields
from dev.doctor.report import Check, problem

READ_THE_LOG = (
    "open the function's log (Vercel: Logs, or `vercel logs`), look for the event {event}: its reason names"
    " the variable and the fix; then deploy again: {where}"
)
_TROUBLE = "docs/REDIS_SETUP.md#troubleshooting"
_NO_RELAY = "nobody can log in on this preview: AUTH_RELAY_SECRET is not set"
_HINTS = {
    "misconfigured": ("the deployment is not configured", "misconfigured", _TROUBLE),
    "relay_required": (_NO_RELAY, "misconfigured", "docs/PREVIEWS.md#setting-it-up"),
    "store_unavailable": ("Redis does not answer", "store_unavailable", _TROUBLE),
    "internal": ("a function broke", "sys_crash", "docs/API.md#errors"),
}
_ELSE = "look at the deployment's page at Vercel, and at its log"
_VERCELS = {
    "NOT_FOUND": "look whether vercel.json has tgauth's rewrites (`make doctor` in the clone says), and"
    " whether the build made its functions: README.md#endpoints",
    "DEPLOYMENT_NOT_FOUND": "look at the address: there is no deployment, or it was deleted",
}


class Site:
    """One deployment, and the way to ask it."""

    def __init__(self, origin: str, client: Client, headers: dict[str, str]) -> None:
        self.origin = origin
        self.https = origin.startswith("https:")
        self.client = client
        self._headers = headers

    def ask(self, method: str, path: str, json: object = None, **headers: str) -> Response:
        """One request; the headers' names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Accept": "application/json", **self._headers, **named}
        return self.client.ask(method, f"{self.origin}{path}", headers=sent, json=json)


def barrier(origin: str, answer: Response) -> Check | None:
    """What stands before tgauth and answers in its place."""
    location = answer.headers.get("Location", "")
    # Vercel's login is seen as a redirect, or as a page with a cookie of that name.
    sso = origin_of(location) == "https://vercel.com" or any(
        c.startswith("_vercel_sso_nonce=") for c in cookies(answer)
    )
    if sso or answer.status_code == 401:
        return problem(
            "protection",
            "Vercel's Deployment Protection, or a password, answers before tgauth does",
            "check the production domain, which is open by default; or set VERCEL_AUTOMATION_BYPASS_SECRET in"
            " your shell (Settings > Deployment Protection > Protection Bypass for Automation) and run this"
            " again: docs/PREVIEWS.md#deployment-protection",
        )
    if 300 <= answer.status_code < 400:
        return _redirect(origin, location)
    if vercels := answer.headers.get("X-Vercel-Error"):
        return problem(
            "reachable", f"Vercel answers with an error of its own: {vercels}", _VERCELS.get(vercels, _ELSE)
        )
    if answer.status_code == 403 or answer.headers.get("X-Vercel-Mitigated"):
        return problem(
            "protection",
            "a firewall answers before tgauth does",
            "let requests to /health and /telegram/ pass: docs/PREVIEWS.md#deployment-protection",
        )
    if answer.status_code == 200 and answer.headers.get("Content-Type", "").startswith("text/html"):
        return problem(
            "reachable",
            f"{origin}/health shows a page, and not what tgauth answers",
            "look whether this address is tgauth's, and whether a rewrite such as /(.*) stands before"
            " tgauth's in vercel.json: put it last. `make doctor` in the clone names it:"
            " README.md#endpoints",
        )
    if "status" not in fields(answer):
        return problem(
            "reachable",
            f"{origin}/health answers {answer.status_code}, and not as tgauth does",
            "look whether this address is tgauth's, and whether vercel.json has its rewrites:"
            " README.md#endpoints",
        )
    return None


def _redirect(origin: str, location: str) -> Check:
    target = origin_of(location)
    if target not in ("", origin):
        return problem(
            "redirect",
            f"{origin} redirects to {target}",
            f"check {target} instead. If AUTH_ORIGIN, or a preview's AUTH_RELAY_URL, names {origin}, set"
            f" {target} there: requests from server to server follow no redirect: README.md#settings",
        )
    if split(location).path == "/health/":
        return problem(
            "redirect",
            "a slash is put behind every address, such as /health/, where nothing of tgauth is",
            'take "trailingSlash": true out of vercel.json, or let whatever stands in front leave /health,'
            " /stats and /telegram/ alone: README.md#endpoints",
        )
    return problem(
        "redirect",
        f"{origin} redirects to another address of its own",
        "let /health answer by itself: README.md#endpoints",
    )


def unexpected(name: str, what: str, answer: Response) -> Check:
    """An answer that is not the one which this request must get."""
    code = str(fields(answer).get("code", ""))
    if code in _HINTS:
        message, event, where = _HINTS[code]
        return problem(
            name, f"{message} ({answer.status_code} {code})", READ_THE_LOG.format(event=event, where=where)
        )
    said = f" {code}" if code else ", which is no answer of tgauth's"
    return problem(
        name,
        f"{what} is answered {answer.status_code}{said}",
        "look into the function's log, and whether vercel.json has its rewrites: docs/API.md#errors",
    )


def origin_of(url: str) -> str:
    """The origin of an address, without a user and password that it may have; empty for what is none."""
    parts = split(url)
    # Not netloc: what is before an @ in it may be a secret.
    port = parts.netloc.rpartition(":")[2]
    return (
        f"{parts.scheme}://{parts.hostname}{f':{port}' if port.isdigit() else ''}" if parts.hostname else ""
    )


def split(url: str) -> SplitResult:
    """The parts of an address that somebody else wrote; empty ones for what is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")
