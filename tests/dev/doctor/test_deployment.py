"""What the doctor sees of a deployment from outside (dev/doctor: deployment, site, headers, relay)."""

import json
import os
import subprocess
import sys
import time
from email.utils import formatdate

import pytest
import requests
import responses

from dev.doctor import deployment
from dev.doctor.client import Client
from dev.doctor.deployment import check_deployment
from dev.serve.process import ROOT, running
from dev.serve.router import Router
from lib.tgauth.web.respond import SECURITY_HEADERS

SITE = "https://example.com"
WWW = "https://www.example.com"
COOKIE = "__Host-tgauth-tx-PnOQCe3d=v; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
API_HEADERS = dict(SECURITY_HEADERS)
# Vercel adds the last one by itself.
PAGE_HEADERS = {**dict(Router(ROOT).headers("/")), "Strict-Transport-Security": "max-age=63072000"}
OIDC = {
    "methods": ["oidc", "widget"],
    "relay_url": None,
    "oidc_url": f"https://oauth.telegram.org/auth?client_id=1&redirect_uri={SITE}/telegram/callback",
    "widget_auth_url": f"https://oauth.telegram.org/auth?bot_id=1&origin={SITE}",
    "widget_redirect_url": f"{SITE}/telegram/login?state=x",
}
WIDGET = {**OIDC, "methods": ["widget"], "oidc_url": None}
TICKET = "https://prod.example/telegram/relay?ticket=app.example~x"
RELAY = {**OIDC, "methods": ["relay"], "relay_url": TICKET, "oidc_url": None, "widget_redirect_url": None}


def problem(status, code):
    return {"status": status, "json": {"code": code}, "content_type": "application/problem+json"}


HEALTH, START, VERIFY, PAGE = "GET /health", "POST /telegram/start", "GET /telegram/verify", "GET /"
STRANGER = f"{START} of a stranger"
GOOD = {
    HEALTH: {"json": {"status": "ok", "store": "upstash"}},
    START: {"json": OIDC, "headers": {**API_HEADERS, "Set-Cookie": COOKIE}},
    VERIFY: problem(401, "invalid_session"),
    STRANGER: problem(403, "cross_site_blocked"),
    PAGE: {"body": "<html>", "headers": PAGE_HEADERS},
}


def deploy(mock, site=SITE, changes=None):
    """A deployment that answers as tgauth does, but for `changes`."""
    for target, answer in {**GOOD, **(changes or {})}.items():
        method, path, *stranger = target.split()
        headers = {"Origin": deployment.STRANGER if stranger else site}
        match = [responses.matchers.header_matcher(headers)] if method == "POST" else []
        mock.add(method, f"{site}{path}", match=match, **answer)


def starting(**changes):
    """A deployment's changes, of which POST /telegram/start alone is one."""
    return {START: {**GOOD[START], **changes}}


def checked(site=SITE, **options):
    found = {check.name: check for check in check_deployment(site, Client(), **options)}
    for check in found.values():
        assert bool(check.fix) == (check.status != "ok"), check
    return found


def wrong(found):
    return {name: check.status for name, check in found.items() if check.status != "ok"}


def test_a_deployment_that_is_all_right(web):
    """Every check is there and ok, and the Allowed URLs are said exactly, for the name with www. too."""
    deploy(web)
    found = checked()
    assert wrong(found) == {}
    names = "reachable https health headers origin cookie login junk-token cross-site page pace"
    assert set(found) == set(names.split())
    urls = f"exactly these two: {SITE}/telegram/callback and {SITE};"
    assert urls in found["login"].message
    assert found["login"].message.endswith(f"{WWW}/telegram/callback and {WWW}")


def test_a_site_that_does_not_answer(web):
    """That is one problem, and nothing else is asked."""
    assert wrong(checked()) == {"reachable": "problem"}
    assert len(web.calls) == 1


def redirect(location, status=308):
    return {"status": status, "headers": {"Location": location}}


def vercels(error):
    return {"status": 404, "body": "x", "headers": {"X-Vercel-Error": error}}


@pytest.mark.parametrize(
    ("answer", "name", "says", "fix"),
    [
        ({"status": 401, "body": "<html>"}, "protection", "Protection", "VERCEL_AUTOMATION_BYPASS_SECRET"),
        (redirect("https://vercel.com/sso-api?url=x", 302), "protection", "Protection", "_BYPASS_SECRET"),
        (
            {"body": "<html>", "headers": {"Set-Cookie": "_vercel_sso_nonce=x; Path=/"}},
            "protection",
            "Protection",
            "_BYPASS_SECRET",
        ),
        ({"status": 403, "body": "<html>"}, "protection", "firewall", "let requests to /health"),
        (
            redirect("https://u:hunter22@www.example.com/health"),
            "redirect",
            f"{SITE} redirects to {WWW}",
            f"check {WWW} instead. If AUTH_ORIGIN, or a preview's AUTH_RELAY_URL, names {SITE}, set {WWW}",
        ),
        (redirect("/de/health"), "redirect", "another address", "let /health answer by itself"),
        (redirect(f"{SITE}/de/health"), "redirect", "another address", "let /health answer by itself"),
        (redirect("https://[x"), "redirect", "another address", "let /health answer by itself"),
        (redirect("/health/"), "redirect", "a slash is put behind", '"trailingSlash": true'),
        (redirect(f"{SITE}/health/"), "redirect", "a slash is put behind", '"trailingSlash": true'),
        (vercels("NOT_FOUND"), "reachable", "NOT_FOUND", "vercel.json has tgauth's rewrites"),
        (vercels("DEPLOYMENT_NOT_FOUND"), "reachable", "DEPLOYMENT_NOT_FOUND", "it was deleted"),
        (vercels("FUNCTION_INVOCATION_FAILED"), "reachable", "FUNCTION_INVOCATION_FAILED", "at its log"),
        ({"body": "<!doctype html>", "content_type": "text/html"}, "reachable", "a page", "put it last"),
        ({"status": 404, "body": "not found"}, "reachable", "404", "whether this address is tgauth's"),
        ({"body": "<html>"}, "reachable", "200", "whether this address is tgauth's"),
        ({"json": []}, "reachable", "200", "whether this address is tgauth's"),
    ],
)
def test_what_stands_before_it(web, answer, name, says, fix):
    """Vercel's protection, redirects and other servers are told apart, each with its own way out.

    Then nothing else is asked.
    """
    web.get(f"{SITE}/health", **answer)
    found = checked()
    assert wrong(found) == {name: "problem"}
    assert says in found[name].message
    assert fix in found[name].fix
    assert "hunter22" not in found[name].message + found[name].fix
    assert len(web.calls) == 1


def test_the_bypass_of_deployment_protection(web):
    """It is sent with every request over https, and never without encryption."""
    deploy(web)
    checked(bypass="bypass-secret")
    assert {call.request.headers["x-vercel-protection-bypass"] for call in web.calls} == {"bypass-secret"}
    web.calls.reset()
    deploy(web, "http://example.com")
    checked("http://example.com", bypass="bypass-secret")
    assert not any("x-vercel-protection-bypass" in call.request.headers for call in web.calls)


def test_without_encryption(web):
    """http is a problem but for this machine."""
    deploy(web, "http://example.com")
    found = checked("http://example.com")
    assert wrong(found) == {"https": "problem"}
    assert f"check {SITE} instead" in found["https"].fix
    deploy(web, "http://localhost:3000")
    assert checked("http://localhost:3000")["https"].status == "ok"


def test_the_rest_is_looked_at_where_sessions_do_not_work(web):
    """A store that is down says nothing of cookies, headers and refusals."""
    down = {"json": {"status": "down", "store": None, "problem": "store_full"}, "status": 503}
    deploy(web, changes={HEALTH: down})
    found = checked()
    assert wrong(found) == {"health": "problem"}
    assert {"cookie", "headers", "cross-site"} <= found.keys()


def test_the_clock(web):
    """The deployment's, by the Date header, is compared with this machine's."""
    date = {"Date": formatdate(time.time() - 70, usegmt=True)}
    deploy(web, changes={HEALTH: {**GOOD[HEALTH], "headers": date}})
    assert checked()["clock"].status == "problem"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("misconfigured", "event misconfigured"),
        ("relay_required", "docs/PREVIEWS.md"),
        ("store_unavailable", "event store_unavailable"),
        ("internal", "event sys_crash"),
        ("something_else", "function's log"),
    ],
)
def test_a_deployment_that_cannot_log_in(web, code, says):
    """The code leads to the line of the log that has the reason."""
    deploy(web, changes={START: {**problem(503, code), "headers": API_HEADERS}})
    found = checked()
    assert wrong(found) == {"login": "problem"}
    assert says in found["login"].fix


@pytest.mark.parametrize(
    "cookie",
    [
        COOKIE.replace("__Host-", ""),
        COOKIE.replace("; Secure", ""),
        COOKIE.replace("HttpOnly; ", ""),
        COOKIE.replace("SameSite=Lax; ", ""),
        COOKIE.replace("Lax", "None"),
        COOKIE.replace("Path=/", "Path=/telegram"),
        f"{COOKIE}; Domain=example.com",
        "unrelated=1",
    ],
)
def test_every_attribute_of_the_cookie_counts(web, cookie):
    """Without one of them, or with a Domain, it is a problem."""
    deploy(web, changes=starting(headers={**API_HEADERS, "Set-Cookie": cookie}))
    assert wrong(checked()) == {"cookie": "problem"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Cache-Control", None),
        ("Cache-Control", "public, max-age=0"),
        ("Content-Security-Policy", None),
        ("Content-Security-Policy", "default-src 'self'"),
        ("Content-Security-Policy", "default-src 'none'"),
        ("Referrer-Policy", None),
        ("Referrer-Policy", "unsafe-url"),
        ("Strict-Transport-Security", None),
        ("Strict-Transport-Security", "max-age=0"),
        ("X-Content-Type-Options", None),
    ],
)
def test_every_header_of_the_api_counts(web, name, value):
    """One that is missing or weaker is a problem that names it."""
    headers = {key: text for key, text in {**API_HEADERS, name: value}.items() if text}
    deploy(web, changes=starting(headers={**headers, "Set-Cookie": COOKIE}))
    found = checked()
    assert wrong(found) == {"headers": "problem"}
    assert name in found["headers"].message


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("Content-Security-Policy", "", "no Content-Security-Policy"),
        ("Content-Security-Policy", "default-src 'self' 'unsafe-inline'", "scripts be 'unsafe-inline'"),
        ("Content-Security-Policy", "script-src 'self' 'unsafe-eval'", "scripts be 'unsafe-eval'"),
        ("Content-Security-Policy", "default-src 'self'; style-src 'unsafe-inline'", "styles be"),
        ("X-Content-Type-Options", "", "nosniff"),
        ("Strict-Transport-Security", "", "Strict-Transport-Security"),
        ("Referrer-Policy", "no-referrer", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin", "popup"),
    ],
)
def test_the_pages_headers(web, name, value, says):
    """They may be the owner's own, so what is weak is a warning."""
    deploy(web, changes={PAGE: {"body": "<html>", "headers": {**PAGE_HEADERS, name: value}}})
    found = checked()
    assert wrong(found) == {"page": "warning"}
    assert says in found["page"].message


@pytest.mark.parametrize(
    ("target", "answer", "name", "status"),
    [
        (PAGE, {"status": 404}, "page", "warning"),
        (VERIFY, {"status": 404, "body": "no"}, "junk-token", "problem"),
        (VERIFY, {"json": {"user": {"id": 1}}}, "junk-token", "problem"),
        (VERIFY, problem(401, "unauthenticated"), "junk-token", "warning"),
        (VERIFY, problem(503, "misconfigured"), "junk-token", "problem"),
        (VERIFY, {"status": 401, "json": {"code": "invalid_session"}}, "junk-token", "problem"),
        (STRANGER, {"json": OIDC}, "cross-site", "problem"),
        (
            STRANGER,
            {**problem(403, "cross_site_blocked"), "headers": {"Access-Control-Allow-Origin": "*"}},
            "cross-site",
            "problem",
        ),
        (STRANGER, problem(503, "misconfigured"), "cross-site", "problem"),
        (START, {**GOOD[START], "json": {"methods": []}}, "login", "problem"),
        (START, {**GOOD[START], "json": None, "body": "<html>"}, "login", "problem"),
    ],
)
def test_answers_that_are_not_tgauths(web, target, answer, name, status):
    """Each request has one right answer, and every other one shows."""
    deploy(web, changes={target: answer})
    assert wrong(checked()) == {name: status}


@pytest.mark.parametrize("refused", ["by name", "by kind"])
def test_both_signs_of_another_site_count(web, refused):
    """A stranger is refused for its Origin alone as for its Sec-Fetch-Site; one of the two is too little."""

    def start(request):
        if request.headers["Origin"] == SITE:
            return 200, {**API_HEADERS, "Set-Cookie": COOKIE}, json.dumps(OIDC)
        if ("Sec-Fetch-Site" in request.headers) == (refused == "by kind"):
            return 403, {}, json.dumps({"code": "cross_site_blocked"})
        return 200, {}, json.dumps(OIDC)

    deploy(web)
    for match in list(web.registered()):
        if match.method == "POST":
            web.remove(match)
    web.add_callback(responses.POST, f"{SITE}/telegram/start", callback=start)
    assert wrong(checked()) == {"cross-site": "problem"}


@pytest.mark.parametrize("target", list(GOOD)[1:])
def test_a_connection_that_breaks_later(web, target):
    """One request without an answer is a problem of its own, and the others are still looked at."""
    deploy(web, changes={target: {"body": requests.ConnectionError("x")}})
    assert set(wrong(checked()).values()) == {"problem"}
    assert len(web.calls) > 5


def test_another_name_of_the_site(web):
    """Logins that belong to another origin set no cookie here: which one it is, and what to set."""
    deploy(web, "https://alias.example", starting(headers=API_HEADERS))
    found = checked("https://alias.example")
    assert wrong(found) == {"origin": "warning"}
    assert SITE in found["origin"].message
    assert "AUTH_ORIGIN=https://alias.example" in found["origin"].fix


def test_a_name_to_which_the_sites_own_redirects(web):
    """Where the origin that logins come back to leads here, the button is a circle: what to set."""
    here = "https://www.alias.example"
    deploy(web, here, starting(headers=API_HEADERS))
    web.get(f"{SITE}/health", status=308, headers={"Location": f"{here}/health"})
    found = checked(here)
    assert wrong(found) == {"origin": "problem"}
    assert SITE in found["origin"].message
    assert f"AUTH_ORIGIN={here}" in found["origin"].fix


def test_the_widgets_domain(web):
    """Where the widget is the way, Telegram's page is opened as a login would."""
    deploy(web, changes=starting(json=WIDGET))
    web.get("https://oauth.telegram.org/auth", body="Bot domain invalid")
    found = checked()
    assert "/setdomain" in found["login"].message
    assert found["widget-domain"].status == "problem"


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (redirect("https://prod.example/relay.html?ticket=x", 303), "ok", "logs"),
        (redirect("https://prod.example/error.html", 303), "problem", "redirects"),
        (redirect("https://www.prod.example/x"), "problem", "redirects"),
        ({"status": 404}, "problem", "nobody in for previews"),
        (problem(400, "invalid_grant"), "problem", "does not take"),
        (problem(503, "shared_store_required"), "problem", "no Redis"),
        ({"status": 401, "body": "<html>"}, "problem", "answers 401"),
        ({"body": requests.ConnectionError("x")}, "problem", "does not answer"),
    ],
)
def test_a_preview(web, answer, status, says):
    """Production is asked with the ticket that the preview signed, which is not shown."""
    deploy(web, changes=starting(json=RELAY))
    web.get("https://prod.example/telegram/relay", **answer)
    check = checked()["relay"]
    assert (check.status, says in check.message) == (status, True), check
    assert "ticket=" not in check.message + check.fix


def test_a_preview_whose_production_is_not_encrypted(web):
    """Then the ticket is not sent there."""
    deploy(web, changes=starting(json={**RELAY, "relay_url": TICKET.replace("https", "http")}))
    assert checked()["relay"].status == "problem"
    assert not any("prod.example" in call.request.url for call in web.calls)


def test_a_slow_deployment(web, monkeypatch):
    """Above the limit the pace is a warning; the limit is lowered here, so that nobody waits."""
    monkeypatch.setattr(deployment, "FAR_MS", 0)
    deploy(web)
    assert wrong(checked()) == {"pace": "warning"}


@pytest.mark.slow
def test_against_the_development_server():
    """The whole of it over real HTTP, as `make doctor URL=…` runs it: ok, under another name, and broken."""

    def run(*arguments):
        command = [sys.executable, "-m", "dev.doctor", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60
        )

    with running() as server:
        done = run(server.origin)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "0 problems, 1 warning." in done.stdout
        alias = run(server.origin.replace("localhost", "127.0.0.1"), f"--old={server.origin}")
        assert "warning  origin" in alias.stdout
        assert "problem  earlier" in alias.stdout
        assert "make dev" not in alias.stdout
    with running(env={"SESSION_TTL": "30d"}) as server:
        done = run(server.origin)
        assert done.returncode == 1
        assert "problem  health: is down" in done.stdout
        assert "1 problem, 0 warnings." in done.stdout
    assert run(server.origin).returncode == 1
