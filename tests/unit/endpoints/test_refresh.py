"""POST /telegram/refresh: as verify, and the cookie is renewed."""

from tests.site import COOKIE, DAY, ENV, NOW, Clock, Site


def test_answers_as_verify_and_renews_the_cookie(both: Site) -> None:
    """Refresh of a cookie session sets the same token again, and its body is verify's."""
    token = both.login().token
    answer = both.refresh(cookie=token)
    assert answer.json() == both.verify(cookie=token).json()
    assert answer.token == token
    assert len(answer.all("Set-Cookie")) == 1


def test_a_bearer_session_gets_no_cookie_and_no_token(both: Site) -> None:
    """The holder of a bearer token has it already."""
    login = both.bearer_login()
    answer = both.refresh(bearer=login.token, headers={})
    assert answer.status == 200
    assert answer.header("Set-Cookie") is None
    assert set(answer.json()) == {"user", "session"}
    assert login.token.encode() not in answer.body


def test_slides_the_expiry_but_not_the_absolute_limit(clock: Clock) -> None:
    """Refresh moves expires_at by SESSION_TTL at most to SESSION_MAX_AGE."""
    site = Site(clock, {**ENV, "SESSION_TTL": str(DAY), "SESSION_MAX_AGE": str(2 * DAY)}, shared=True)
    token = site.login().token
    expected = {
        0: NOW + DAY,
        DAY - 1: NOW + 2 * DAY - 1,
        DAY + 500: NOW + 2 * DAY,
        2 * DAY - 1: NOW + 2 * DAY,
    }
    for age, expires_at in expected.items():
        clock.time = NOW + age
        session = site.refresh(cookie=token).json()["session"]
        assert (session["expires_at"], session["created_at"]) == (expires_at, NOW)
    clock.time = NOW + 2 * DAY
    assert site.refresh(cookie=token).code == "invalid_session"


def test_refresh_cannot_bring_a_session_back(both: Site) -> None:
    """After logout a refresh is 401 and leaves nothing in the store."""
    token = both.login().token
    both.logout(cookie=token)
    assert both.refresh(cookie=token).code == "invalid_session"
    assert both.store.sessions() == {}
    assert both.verify(cookie=token).status == 401


def test_sets_no_cookie_for_whom_it_refuses(both: Site) -> None:
    """Neither a token that opens nothing nor a bearer token in the cookie gets one."""
    for cookie in (f"{COOKIE}=", f"{COOKIE}=x", both.bearer_login().token):
        answer = both.refresh(cookie=cookie)
        assert (answer.status, answer.header("Set-Cookie")) == (401, None)


def test_twenty_at_once(both: Site) -> None:
    """A page with many tabs refreshes in parallel and stays logged in with the same token."""
    from tests.site import in_parallel

    token = both.login().token
    assert {answer.token for answer in in_parallel(20, lambda _: both.refresh(cookie=token))} == {token}
