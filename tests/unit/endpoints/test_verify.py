"""GET /telegram/verify: who is logged in, until when, and the one answer for whoever is not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lib.tgauth.errors import StoreUnavailable
from lib.tgauth.sessions.service import SessionService
from tests.site import (
    BOT_TOKEN,
    DAY,
    ENV,
    NOW,
    OTHER_BOT_TOKEN,
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


def test_ids_tell_nothing_of_the_token(both: Site) -> None:
    """The session's public id neither is the token nor opens anything."""
    answer = both.login()
    public = answer.json()["session"]["id"]
    assert answer.token != public
    assert both.verify(cookie=public).status == 401
    assert both.verify(bearer=public).status == 401


def test_use_renews(clock: Clock) -> None:
    """Each verify moves the idle expiry; a session that is used lives on past SESSION_TTL."""
    site = Site(clock, {**ENV, "SESSION_TTL": "1000", "SESSION_MAX_AGE": "5000"}, shared=True)
    token = site.login().token
    for _ in range(4):
        clock.time += 999
        answer = site.verify(cookie=token)
        assert answer.json()["session"]["expires_at"] == min(clock.time + 1000, NOW + 5000)
        assert list(site.store.sessions().values()) == [answer.json()["session"]["expires_at"]]


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


@pytest.mark.parametrize(
    ("env", "lifetime"),
    [
        ({}, DAY),
        ({"SESSION_TTL": "600"}, 600),
        ({"SESSION_MAX_AGE": "700"}, 700),
        ({"SESSION_TTL": "9000000"}, DAY),
    ],
)
def test_without_a_store_a_session_ends_by_itself(clock: Clock, env: dict[str, str], lifetime: int) -> None:
    """A token that carries its session lives min(24 h, SESSION_TTL, SESSION_MAX_AGE) from its issue."""
    site = Site(clock, {**ENV, **env})
    token = site.login().token
    for elsewhere in (site, Site(clock, {**ENV, **env})):
        clock.time = NOW + lifetime - 1
        assert elsewhere.verify(cookie=token).json()["session"]["expires_at"] == NOW + lifetime
        clock.time = NOW + lifetime
        assert elsewhere.verify(cookie=token).status == 401


def test_a_token_from_the_future_is_none(both: Site) -> None:
    """A clock that was far ahead issues tokens that are refused until their time comes."""
    both.clock.time += 120
    token = both.login().token
    both.clock.time -= 120
    assert both.verify(cookie=token).code == "invalid_session"
    both.clock.time += 60
    assert both.verify(cookie=token).status == 200


def mutated(token: str) -> list[str]:
    """The token with one character changed, at every place, and in other ways near to it."""
    changed = [token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :] for i in range(len(token))]
    last = token[:-1]
    return [
        *changed,
        *(
            last + c
            for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            if last + c != token
        ),
        token + "=",
        token + "A",
        " " + token,
        token[1:],
        token[:-1],
        token.swapcase(),
        token.replace("tg0_", "tg1_").replace("tg1_", "tg0_")
        if token[:4] == "tg1_"
        else token.replace("tg0_", "tg1_"),
        token + "." + token,
        token.replace(".", ".."),
        token.rpartition(".")[0],
        "." + token.rpartition(".")[2],
        token[:5] + "\n" + token[5:],
        token + "\n",
    ]


def test_no_other_spelling_of_a_token_works(both: Site) -> None:
    """Of a token there is one spelling: change any character, and it opens nothing at no store command."""
    token = both.login().token
    both.store.calls.clear()
    for other in mutated(token):
        environ = {"HTTP_COOKIE": f"__Host-tgauth={other}"}
        answer = both.verify(environ=environ)
        assert answer.status == 401, other
    assert both.store.calls == []
    assert both.verify(cookie=token).status == 200


def other_kind(site: Site) -> str:
    """A token of the other kind of deployment, with the same secrets."""
    return Site(site.clock, shared=site.settings.store.kind == "memory").login().token


def group_a(site: Site) -> dict[str, str]:
    """A token for each reason there is to refuse one, made in a deployment where all of them can be."""
    clock = site.clock
    shared = site.settings.store.kind != "memory"
    tokens = {
        "malformed": "x",
        "empty": "",
        "right form": "tg1_" + "A" * 56 + "." + "A" * 43,
        "right form, carrying": "tg0_" + "A" * 200 + "." + "A" * 43,
        "of the other kind": other_kind(site),
        "other secret": Site(clock, {**ENV, "AUTH_SECRET": "y" * 40}, shared=shared).login().token,
        "preview's": Site(clock, {**ENV, "VERCEL_ENV": "preview"}, shared=shared).login().token,
        "development's": Site(clock, {**ENV, "VERCEL_ENV": "development"}, shared=shared).login().token,
        "other bot's": "",
        "bearer's": site.bearer_login().token,
        "denied user's": "",
        "evicted": "",
    }
    other = Site(clock, {**ENV, "TELEGRAM_BOT_TOKEN": OTHER_BOT_TOKEN}, shared=shared)
    tokens["other bot's"] = other.login(other.widget(OTHER_BOT_TOKEN)).token
    tokens["logged out"] = site.login().token
    site.logout(cookie=tokens["logged out"])
    tokens["replaced"] = site.login().token
    site.login(cookie=tokens["replaced"])
    signed = site.login().token
    tokens["bad signature"] = signed[:-1] + ("A" if signed[-1] != "A" else "E")
    letting_in = replace(site.settings, deny=frozenset())
    before = Site(clock, shared=shared)
    before.store = site.store
    before.service = SessionService(letting_in, site.store, clock)  # type: ignore[arg-type]
    before.settings = letting_in
    tokens["denied user's"] = before.login(before.widget(id=13)).token
    tokens["evicted"] = site.login(site.widget(id=50)).token
    for _ in range(3):
        clock.time += 1
        site.login(site.widget(id=50))
    if shared:
        unknown = Site(clock, shared=True)
        tokens["unknown"] = unknown.login().token
    clock.time = NOW
    clock.time += 100
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
    site = Site(both.clock, env, shared=both.settings.store.kind != "memory")
    method = "GET" if path.endswith("verify") else "POST"
    number = 0

    def ask(token: str) -> Answer:
        nonlocal number
        number += 1
        headers = {**OWN_PAGE, "X-Vercel-Id": f"fra1::{number:04}"}
        return site.send(method, path, cookie=f"__Host-tgauth={token}", headers=headers)

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


def test_an_invalid_session_keeps_its_cookie(both: Site) -> None:
    """401 does not delete the cookie: only logout does."""
    assert both.verify(cookie="x").header("Set-Cookie") is None


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


def test_users_see_themselves(both: Site) -> None:
    """Each token shows its own user, whoever else is logged in."""
    tokens = {user: both.login(both.widget(id=user)).token for user in range(1, 20)}
    for user, token in tokens.items():
        assert both.verify(cookie=token).json()["user"]["id"] == user


def test_the_store_failing_is_503_and_logs_nobody_out(both: Site) -> None:
    """With the store down the answer is 503 with Retry-After, and the session is there afterwards."""
    token = both.login().token
    both.store.error = StoreUnavailable("down")
    for answer in (both.verify(cookie=token), both.refresh(cookie=token)):
        assert (answer.status, answer.code, answer.header("Retry-After")) == (503, "store_unavailable", "5")
        assert answer.header("Set-Cookie") is None
    both.store.error = None
    assert both.verify(cookie=token).status == 200


@pytest.mark.parametrize(
    "request_",
    [
        lambda s: s.verify(),
        lambda s: s.verify(cookie="x"),
        lambda s: s.verify(cookie=other_kind(s)),
        lambda s: s.verify(bearer="tg1_" + "A" * 56 + "." + "A" * 43),
        lambda s: s.refresh(cookie="tg0_" + "A" * 56 + "." + "A" * 43),
        lambda s: s.logout(cookie="x"),
        lambda s: s.login(s.widget(OTHER_BOT_TOKEN)),
        lambda s: s.login({"init_data": s.init_data(OTHER_BOT_TOKEN)}),
        lambda s: s.login(s.widget(auth_date=1)),
        lambda s: s.start(),
    ],
)
def test_junk_costs_no_store_command(both: Site, request_: Callable[[Site], Answer]) -> None:
    """Without a genuine token or proof the store is never asked."""
    request_(both)
    assert both.store.calls == []


def test_one_command_a_request(both: Site) -> None:
    """Login, verify, refresh and logout take one store operation each."""
    token = both.login().token
    both.verify(cookie=token)
    both.refresh(cookie=token)
    both.logout(cookie=token)
    assert both.store.calls == ["create", "renew", "renew", "delete"]


def test_two_instances_accept_each_others_sessions(clock: Clock) -> None:
    """Without a shared store an instance takes in what another one made, also after a restart."""
    one, two = Site(clock), Site(clock)
    token, bearer = one.login().token, two.bearer_login().token
    for site in (two, one, Site(clock)):
        assert site.verify(cookie=token).json() == one.verify(cookie=token).json()
        assert site.refresh(bearer=bearer).status == 200


def test_logout_on_one_instance_does_not_reach_the_other(clock: Clock) -> None:
    """What a deployment without a shared store cannot do, as documented: the token lives on elsewhere."""
    one, two = Site(clock), Site(clock)
    token = one.login().token
    assert one.logout(cookie=token).status == 204
    assert one.verify(cookie=token).status == 401
    assert two.verify(cookie=token).status == 200
    assert one.verify(cookie=token).status == 401


def test_logout_holds_on_an_instance_that_had_not_seen_the_session(clock: Clock) -> None:
    """On Vercel logout is a process of its own: there, too, the token is dead from then on."""
    one, two = Site(clock), Site(clock)
    token = one.login().token
    assert two.logout(cookie=token).status == 204
    assert two.verify(cookie=token).status == 401
    assert two.refresh(cookie=token).status == 401


def test_rotating_the_secret_keeps_sessions(clock: Clock) -> None:
    """A new secret in front of the old one logs nobody out; without the old one all are logged out."""
    old, new = "o" * 40, "n" * 40
    for shared in (False, True):
        before = Site(clock, {**ENV, "AUTH_SECRET": old}, shared=shared)
        during = Site(clock, {**ENV, "AUTH_SECRET": f"{new},{old}"}, shared=shared)
        after = Site(clock, {**ENV, "AUTH_SECRET": new}, shared=shared)
        during.store.memory = after.store.memory = before.store.memory
        token = before.login().token
        assert during.verify(cookie=token).status == 200
        assert after.verify(cookie=token).status == 401
        assert after.verify(cookie=during.login().token).status == 200


def test_the_secret_comes_from_the_bot_token_by_default(clock: Clock) -> None:
    """Without AUTH_SECRET the bot token signs, so a revoked bot token ends every session."""
    env = {"TELEGRAM_BOT_TOKEN": BOT_TOKEN}
    token = Site(clock, env).login().token
    assert Site(clock, env).verify(cookie=token).status == 200
    assert Site(clock, {"TELEGRAM_BOT_TOKEN": BOT_TOKEN + "x"}).verify(cookie=token).status == 401


def test_parallel_requests_of_one_session(both: Site) -> None:
    """Threads share the app: fifty verifies and refreshes at once all succeed."""
    token = both.login().token
    answers = in_parallel(50, lambda i: (both.verify if i % 2 else both.refresh)(cookie=token))
    assert {answer.status for answer in answers} == {200}


def test_parallel_verifies_of_a_session_from_elsewhere(clock: Clock) -> None:
    """An instance that sees a session for the first time in many threads at once serves them all."""
    token, site = Site(clock).login().token, Site(clock)
    assert {answer.status for answer in in_parallel(50, lambda _: site.verify(cookie=token))} == {200}
    assert len(site.store.sessions()) == 1


def test_logout_wins_against_requests_in_flight(both: Site) -> None:
    """Whatever runs beside a logout, the session is gone once it has answered."""
    for _ in range(10):
        token = both.login().token
        in_parallel(
            8, lambda i, token=token: both.logout(cookie=token) if i == 4 else both.refresh(cookie=token)
        )
        assert both.verify(cookie=token).status == 401
