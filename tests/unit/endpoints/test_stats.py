"""GET /stats: figures for who knows ADMIN_TOKEN, and nothing at all for everybody else."""

import hmac
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import Client

from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.wsgi import app as every_function
from tests.site import AUTH_SECRET, ENV, HOST, ORIGIN, OWN_PAGE, Answer, Clock, Site

ADMIN_TOKEN = "canary-admin-token, with a space 0123456789"
NO_TOKENS = [
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    f"Bearer {ADMIN_TOKEN}x",
    f"Bearer {ADMIN_TOKEN[:-1]}",
    f"Bearer {ADMIN_TOKEN.upper()}",
    f"Bearer  {ADMIN_TOKEN}",
    f" Bearer {ADMIN_TOKEN}",
    f"Bearer {ADMIN_TOKEN} ",
    f"Bearer {ADMIN_TOKEN}\n",
    f"Basic {ADMIN_TOKEN}",
    ADMIN_TOKEN,
    f"Bearer {AUTH_SECRET}",
    "Bearer None",
    "Bearer é\xff\x80",
    "x" * 5000,
]


@pytest.fixture
def admin(clock: Clock) -> Site:
    """A deployment whose owner has set ADMIN_TOKEN."""
    return Site(clock, {**ENV, "ADMIN_TOKEN": ADMIN_TOKEN})


def stats(site: Site, authorization: str | None, **request: Any) -> Answer:
    environ = {} if authorization is None else {"HTTP_AUTHORIZATION": authorization}
    return site.send(request.pop("method", "GET"), "/stats", environ=environ, **request)


def unknown(authorization: str | None) -> Answer:
    """What a path that there is not answers to the same request."""
    environ = {} if authorization is None else {"HTTP_AUTHORIZATION": authorization}
    answer = Client(every_function, use_cookies=False).get(
        "/nothing/here", base_url=ORIGIN, headers={"Host": HOST}, environ_overrides=environ
    )
    return Answer(answer.status_code, list(answer.headers), answer.get_data())


def test_the_figures(clock: Clock) -> None:
    """The right token gets the store, users and sessions, and whether they are all."""
    for extra, exact in (({}, True), ({"VERCEL": "1"}, False)):
        site = Site(clock, {**ENV, "ADMIN_TOKEN": ADMIN_TOKEN, **extra})
        site.login()
        site.login()
        site.login(site.widget(id=5))
        answer = stats(site, f"Bearer {ADMIN_TOKEN}")
        assert answer.status == 200
        assert answer.json() == {"store": "memory", "users": 2, "sessions": 3, "exact": exact}
        assert list(answer.json()) == ["store", "users", "sessions", "exact"]


@pytest.mark.parametrize("authorization", NO_TOKENS, ids=lambda text: ascii(text)[:30])
def test_without_the_token_there_is_nothing(admin: Site, clock: Clock, authorization: str | None) -> None:
    """A wrong token, none, and no ADMIN_TOKEN answer to the byte as an unknown path does."""
    wrong = stats(admin, authorization)
    assert (wrong.status, wrong.code) == (404, "not_found")
    none_set = stats(Site(clock), authorization)
    assert wrong.without_id() == none_set.without_id()
    assert wrong.without_id() == unknown(authorization).without_id()
    assert admin.store.calls == []


def test_a_session_is_no_admin(admin: Site) -> None:
    """Being logged in, by cookie or bearer, shows nothing."""
    assert admin.send("GET", "/stats", cookie=admin.login().token, headers=OWN_PAGE).status == 404
    assert admin.send("GET", "/stats", bearer=admin.bearer_login().token).status == 404
    assert admin.send("GET", "/stats", query=f"token={ADMIN_TOKEN}").status == 404


def test_the_comparison_takes_constant_time(admin: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is compared by hmac.compare_digest, all of it, and its answer is what counts."""
    seen: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        seen.append((one, other))
        return False

    right = f"Bearer {ADMIN_TOKEN}".encode()
    with monkeypatch.context() as patch:
        patch.setattr(hmac, "compare_digest", compare)
        assert stats(admin, f"Bearer {ADMIN_TOKEN}").status == 404
        assert stats(admin, "Bearer x").status == 404
        assert stats(admin, None).status == 404
    assert [sorted(pair) for pair in seen] == [sorted((text, right)) for text in (right, b"Bearer x", b"")]


def test_head(admin: Site) -> None:
    """HEAD is GET without its body, for the owner and for others."""
    head = stats(admin, f"Bearer {ADMIN_TOKEN}", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert stats(admin, "Bearer x", method="HEAD").status == 404


def test_a_store_that_fails(admin: Site) -> None:
    """The owner is told that the store is down; others see no difference."""
    admin.store.error = StoreUnavailable("canary")
    assert stats(admin, f"Bearer {ADMIN_TOKEN}").code == "store_unavailable"
    assert stats(admin, "Bearer x").code == "not_found"


def test_no_log_line_has_the_token(admin: Site, lines: Callable[[], list[dict[str, Any]]]) -> None:
    """Neither the right token nor a wrong one is logged, and nobody's session is looked at."""
    stats(admin, f"Bearer {ADMIN_TOKEN}")
    stats(admin, "Bearer wrong-canary")
    one, other = lines()
    assert (one["route"], one["status"], other["status"]) == ("/stats", 200, 404)
    assert "canary" not in f"{one}{other}"
