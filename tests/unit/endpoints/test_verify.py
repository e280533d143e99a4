"""GET /telegram/verify: who is logged in, until when, and the one answer for whoever is not."""

from dataclasses import replace

import pytest

from lib.tgauth.sessions.service import SessionService
from tests.site import (
    ENV,
    METHODS,
    NOW,
    OWN_PAGE,
    USER,
    Answer,
    Clock,
    Site,
    in_parallel,
)


def test_answers_what_login_answered(both: Site) -> None:
    """Verify shows the same user and session as the login did, and never the token."""
    cookie, bearer = both.login(), both.bearer_login()
    by_cookie, by_bearer = both.verify(cookie=cookie.token), both.verify(bearer=bearer.token)
    assert by_cookie.json() == cookie.json()
    assert by_bearer.json() == {k: v for k, v in bearer.json().items() if k != "token"}
    for answer in (by_cookie, by_bearer):
        assert answer.header("Set-Cookie") is None
        assert list(answer.json()) == ["user", "session"]
        assert list(answer.json()["session"]) == ["id", "created_at", "expires_at", "method", "transport"]


@pytest.mark.parametrize(("unused", "status"), [(999, 200), (1000, 401), (1001, 401)])
def test_idle_sessions_end(clock: Clock, unused: int, status: int) -> None:
    """A session that is not used for SESSION_TTL ends to the second."""
    site = Site(clock, {**ENV, "SESSION_TTL": "1000", "SESSION_MAX_AGE": "5000"}, shared=True)
    token = site.login().token
    clock.time += 500
    assert site.verify(cookie=token).status == 200
    clock.time += unused
    assert site.verify(cookie=token).status == status


@pytest.mark.parametrize("head", [True, False])
def test_the_absolute_limit_holds_however_much_it_is_used(clock: Clock, head: bool) -> None:
    """At SESSION_MAX_AGE a session ends, used or not, and no store command is spent on it."""
    site = Site(clock, {**ENV, "SESSION_TTL": "1000", "SESSION_MAX_AGE": "5000"}, shared=True)
    token = site.login().token
    for _ in range(9):
        clock.time += 500
        assert site.refresh(cookie=token).status == 200
    clock.time = NOW + 4999
    assert site.verify(cookie=token).status == 200
    clock.time = NOW + 5000
    site.store.calls.clear()
    assert site.send("HEAD" if head else "GET", "/telegram/verify", cookie=token).status == 401
    assert site.refresh(cookie=token).status == 401
    assert site.store.calls == []


def group_a(site: Site) -> dict[str, str]:
    """A token for each reason there is to refuse one, made in a deployment where all of them can be."""
    clock, shared = site.clock, site.shared
    tokens = {
        "malformed": "x",
        "not signed": "tg1_" + "A" * 56 + "." + "A" * 43,
        "other secret": Site(clock, {**ENV, "AUTH_SECRET": "y" * 40}, shared=shared).login().token,
        "bearer's": site.bearer_login().token,
        "logged out": site.login().token,
        "replaced": site.login().token,
        "evicted": site.login(site.widget(id=50)).token,
    }
    site.logout(cookie=tokens["logged out"])
    site.login(cookie=tokens["replaced"])
    letting_in = replace(site.settings, deny=frozenset())
    before = Site(clock, shared=shared)
    before.store = site.store
    before.service = SessionService(letting_in, site.store, clock)  # type: ignore[arg-type]
    before.settings = letting_in
    tokens["denied user's"] = before.login(before.widget(id=13)).token
    for _ in range(3):
        clock.time += 1
        site.login(site.widget(id=50))
    if shared:
        tokens["unknown"] = Site(clock, shared=True).login().token
    clock.time = NOW + 100
    tokens["future"] = site.login().token
    clock.time = NOW
    return tokens


@pytest.mark.parametrize("path", ["/telegram/verify", "/telegram/refresh"])
def test_invalid_sessions_look_alike(both: Site, path: str) -> None:
    """Group A: whatever is wrong with a token, status, headers and body are the same bytes."""
    env = {
        **ENV,
        "TELEGRAM_DENY": "13",
        "SESSION_LIMIT": "3",
        "SESSION_TTL": "1000",
        "SESSION_MAX_AGE": "5000",
    }
    site = Site(both.clock, env, shared=both.shared)

    def ask(token: str) -> Answer:
        return site.send(METHODS[path], path, cookie=f"__Host-tgauth={token}", headers=OWN_PAGE)

    both.clock.time = NOW - 5000
    old = site.login().token
    both.clock.time = NOW - 1000
    idle = site.login().token
    both.clock.time = NOW
    answers = {"past its absolute limit": ask(old), "idle too long": ask(idle)}
    answers |= {name: ask(token) for name, token in group_a(site).items()}
    first = answers["malformed"].without_id()
    assert first[0] == 401
    assert answers["malformed"].code == "invalid_session"
    for name, answer in answers.items():
        assert answer.without_id() == first, name


def test_invalid_bearer_tokens_look_like_invalid_cookies(both: Site) -> None:
    """The answer does not depend on the transport either."""
    headers = {"X-Vercel-Id": "fra1::1"}
    assert both.verify(cookie="x", headers=headers) == both.verify(bearer="x", headers=headers)
    cookie = both.login().token
    assert both.verify(bearer=cookie, headers=headers) == both.verify(bearer="x", headers=headers)


def test_a_denied_users_live_sessions_end(both: Site) -> None:
    """TELEGRAM_DENY works on the sessions there are, at no store command, and for that user alone."""
    token, other = both.login().token, both.login(both.widget(id=5)).token
    both.settings = replace(both.settings, deny=frozenset({USER["id"]}))
    both.service = SessionService(both.settings, both.store, both.clock)  # type: ignore[arg-type]
    both.store.calls.clear()
    assert both.verify(cookie=token).code == "invalid_session"
    assert both.refresh(cookie=token).code == "invalid_session"
    assert both.store.calls == []
    assert both.verify(cookie=other).status == 200


def test_an_allow_list_ends_the_others_sessions(clock: Clock) -> None:
    """So does TELEGRAM_ALLOW for everybody it does not name."""
    open_, closed = Site(clock), Site(clock, {**ENV, "TELEGRAM_ALLOW": "5"})
    assert closed.verify(cookie=open_.login().token).status == 401
    assert closed.verify(cookie=open_.login(open_.widget(id=5)).token).status == 200


def test_parallel_verifies_of_a_session_from_elsewhere(clock: Clock) -> None:
    """An instance that sees a session for the first time in many threads at once serves them all."""
    token, site = Site(clock).login().token, Site(clock)
    assert {answer.status for answer in in_parallel(50, lambda _: site.verify(cookie=token))} == {200}
    assert len(site.store.sessions()) == 1
