"""POST /telegram/logout: the session ends, and whoever had none is as well off."""

import pytest

from lib.tgauth.errors import StoreUnavailable
from tests.site import COOKIE, OWN_PAGE, Clock, Site

GONE = f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"


def test_a_session_from_login_to_logout(both: Site) -> None:
    """Login, verify, refresh and logout follow each other; afterwards the token is dead on all."""
    token = both.login().token
    assert both.verify(cookie=token).status == 200
    assert both.refresh(cookie=token).status == 200
    answer = both.logout(cookie=token)
    assert (answer.status, answer.body, answer.all("Set-Cookie")) == (204, b"", [GONE])
    assert both.verify(cookie=token).code == "invalid_session"
    assert both.refresh(cookie=token).code == "invalid_session"
    assert both.send("HEAD", "/telegram/verify", cookie=token).status == 401
    assert both.store.sessions() == {}


def test_a_bearer_session(both: Site) -> None:
    """The same with a bearer token, without any cookie."""
    token = both.bearer_login().token
    answer = both.logout(bearer=token, headers={})
    assert (answer.status, answer.all("Set-Cookie")) == (204, [])
    assert both.verify(bearer=token).code == "invalid_session"


@pytest.mark.parametrize("cookie", [None, f"{COOKIE}=", "x", "é=1", f"{COOKIE}=a; {COOKIE}=b"])
def test_unknown_tokens_are_logged_out_too(both: Site, cookie: str | None) -> None:
    """204 and the cookie gone, whatever was in it, at no store command."""
    answer = both.logout(cookie=cookie)
    assert (answer.status, answer.all("Set-Cookie")) == (204, [GONE])
    assert both.store.calls == []


@pytest.mark.parametrize("transport", ["cookie", "bearer"])
def test_store_down_keeps_the_cookie(clock: Clock, transport: str) -> None:
    """When the session could not be ended the answer is 503, the cookie stays, and another try ends it."""
    site = Site(clock, shared=True)
    token = (site.login if transport == "cookie" else site.bearer_login)().token
    credentials = {transport: token}
    site.store.error = StoreUnavailable("down")
    answer = site.logout(**credentials)
    assert (answer.status, answer.code, answer.header("Set-Cookie")) == (503, "store_unavailable", None)
    site.store.error = None
    assert site.verify(**credentials).status == 200
    assert site.logout(**credentials).status == 204
    assert site.verify(**credentials).status == 401


def test_a_dead_token_replaces_nothing(both: Site) -> None:
    """A login that presents a token whose session is gone leaves what its initData has made since."""
    body = {"init_data": both.init_data()}
    dead = both.login(body).token
    both.login({"init_data": both.init_data()}, bearer=dead)
    alive = both.login(body).token
    assert alive != dead
    both.login({"init_data": both.init_data()}, bearer=dead)
    assert both.verify(bearer=alive).status == 200


def test_a_token_ends_its_session_whichever_way_it_comes(both: Site) -> None:
    """Who holds a genuine token may end its session, also on the transport where it opens nothing."""
    cookie, bearer = both.login().token, both.bearer_login().token
    assert both.logout(bearer=cookie, headers={}).status == 204
    assert both.verify(cookie=cookie).status == 401
    assert both.logout(cookie=bearer, headers={}).status == 403
    assert both.logout(cookie=bearer).status == 204
    assert both.verify(bearer=bearer).status == 401


def test_needs_no_body_and_no_type(both: Site) -> None:
    """Logout takes no body; an empty JSON object does no harm."""
    assert both.logout(cookie=both.login().token, headers=OWN_PAGE).status == 204
    assert both.logout(cookie=both.login().token, json={}).status == 204
