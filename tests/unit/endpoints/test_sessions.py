"""GET and DELETE /telegram/sessions: where somebody is logged in, and ending that, over HTTP."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lib.tgauth.errors import StoreUnavailable
from tests.site import (
    COOKIE,
    DAY,
    NOW,
    ORIGIN,
    OWN_PAGE,
    USER,
    Answer,
    Clock,
    Site,
)

Lines = Callable[[], list[dict[str, Any]]]
PATH = "/telegram/sessions"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def site(clock: Clock) -> Site:
    """A production deployment with a shared store."""
    return Site(clock, shared=True)


def session_id(login: Answer) -> str:
    slot: str = login.json()["session"]["id"]
    return slot


def ids(site: Site, **credentials: str) -> list[str]:
    """The ids that the caller's list has."""
    answer = site.devices(**credentials)
    assert answer.status == 200, answer.body
    return [device["id"] for device in answer.json()["sessions"]]


def test_a_list(both: Site) -> None:
    """Each session with exactly the documented members, newest first, the caller's own marked."""
    headers = {**OWN_PAGE, "User-Agent": "Firefox/1", "X-Vercel-IP-Country": "DE"}
    first = both.login(headers=headers)
    both.clock.time += 100
    second = both.bearer_login()
    listed = both.devices(cookie=first.token).json()
    device = {"created_at": NOW, "expires_at": listed["sessions"][1]["expires_at"], "method": "widget"}
    assert listed["sessions"][0] | {"user_agent": ""} == {
        "id": session_id(second),
        "created_at": NOW + 100,
        "last_seen": NOW + 100,
        "expires_at": NOW + 100 + DAY,
        "method": "webapp",
        "user_agent": "",
        "country": "",
        "current": False,
    }
    assert listed["sessions"][1] | {"last_seen": 0} == device | {
        "id": session_id(first),
        "last_seen": 0,
        "user_agent": "Firefox/1",
        "country": "DE",
        "current": True,
    }
    assert list(listed) == ["sessions"]
    assert [d["current"] for d in both.devices(bearer=second.token).json()["sessions"]] == [True, False]


def test_a_list_holds_no_token(both: Site) -> None:
    """Neither the caller's token nor another one, nor anything of theirs, is in the answer."""
    tokens = [both.login().token, both.bearer_login().token]
    body = both.devices(cookie=tokens[0]).body.decode()
    for token in tokens:
        assert token[8:60] not in body
        assert token.rpartition(".")[2] not in body


@pytest.mark.parametrize("path", [PATH, f"/api{PATH}"])
def test_paths_of_a_list(site: Site, path: str) -> None:
    """The function answers under its public path, and under its own, as Vercel gives either."""
    login = site.login()
    answer = site.send("GET", PATH, cookie=login.token, environ={"PATH_INFO": path})
    assert [device["id"] for device in answer.json()["sessions"]] == [session_id(login)]


def test_head_changes_nothing(both: Site) -> None:
    """HEAD answers as GET does, and slides no expiry."""
    token = both.login().token
    before = both.store.sessions()
    both.clock.time += 50
    assert both.send("HEAD", PATH, cookie=token).status == 200
    assert both.store.sessions() == before


def test_a_query_on_a_list_is_ignored(site: Site) -> None:
    """GET takes no parameters, so what comes with it means nothing."""
    login = site.login()
    for query in ("keep=current", "id=x", "a=b"):
        assert site.devices(cookie=login.token, query=query).json() == site.devices(cookie=login.token).json()


def delete(site: Site, token: str, *, path: str = PATH, **request: Any) -> Answer:
    """DELETE with the cookie from our own page; `path` is as the client asked for it."""
    headers = {**OWN_PAGE, **request.pop("headers", {})}
    return site.send("DELETE", PATH, cookie=token, headers=headers, environ={"PATH_INFO": path}, **request)


FORMS: dict[str, Callable[..., Answer]] = {
    "path": lambda site, token, slot, query="": delete(site, token, path=f"{PATH}/{slot}", query=query),
    "own path": lambda site, token, slot, query="": delete(
        site, token, path=f"/api{PATH}/{slot}", query=query
    ),
    "body": lambda site, token, slot, query="": delete(site, token, json={"id": slot}, query=query),
    "body at its own path": lambda site, token, slot, query="": delete(
        site, token, path=f"/api{PATH}", json={"id": slot}, query=query
    ),
}
EACH_FORM = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@EACH_FORM
def test_ending_one(site: Site, form: Callable[[Site, str, str], Answer]) -> None:
    """However the id is given, that session ends and no other one; the caller keeps its cookie."""
    mine, other, third = site.login(), site.login(), site.bearer_login()
    answer = form(site, mine.token, session_id(other))
    assert (answer.status, answer.body, answer.header("Set-Cookie")) == (204, b"", None)
    assert site.verify(cookie=other.token).code == "invalid_session"
    assert sorted(ids(site, cookie=mine.token)) == sorted([session_id(mine), session_id(third)])
    again = form(site, mine.token, session_id(other))
    assert (again.status, again.code) == (404, "not_found")


@EACH_FORM
def test_ending_ones_own(site: Site, form: Callable[[Site, str, str], Answer]) -> None:
    """One's own id is a logout on the server."""
    mine, other = site.login(), site.login()
    assert form(site, mine.token, session_id(mine)).status == 204
    assert site.verify(cookie=mine.token).code == "invalid_session"
    assert ids(site, cookie=other.token) == [session_id(other)]


def test_ending_all(site: Site) -> None:
    """Without an id all sessions of the user end, and the cookie goes with them."""
    mine, other, bearer = site.login(), site.login(), site.bearer_login()
    foreign = site.login(site.widget(id=5))
    answer = delete(site, mine.token)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.all("Set-Cookie") == [f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"]
    for credentials in ({"cookie": mine.token}, {"cookie": other.token}, {"bearer": bearer.token}):
        assert site.verify(**credentials).code == "invalid_session"
    assert site.verify(cookie=foreign.token).status == 200


def test_ending_all_others(site: Site) -> None:
    """`?keep=current` ends the others and leaves the caller and its cookie alone."""
    mine, other, bearer = site.login(), site.login(), site.bearer_login()
    answer = delete(site, mine.token, query="keep=current")
    assert (answer.status, answer.header("Set-Cookie")) == (204, None)
    assert site.verify(cookie=other.token).code == "invalid_session"
    assert site.verify(bearer=bearer.token).code == "invalid_session"
    assert ids(site, cookie=mine.token) == [session_id(mine)]


def test_a_bearer_ends_sessions_without_a_page(site: Site) -> None:
    """A bearer token needs no page of ours, and no cookie is cleared for it."""
    cookie, other, mine = site.login(), site.bearer_login(), site.bearer_login()
    bearer = {"bearer": mine.token, "headers": {}}
    assert site.end(session_id(other), **bearer).status == 204
    assert site.end(query="keep=current", **bearer).status == 204
    assert site.verify(cookie=cookie.token).code == "invalid_session"
    answer = site.end(**bearer)
    assert (answer.status, answer.header("Set-Cookie")) == (204, None)
    assert site.verify(bearer=mine.token).code == "invalid_session"


NO_IDS = [
    "",
    "x",
    "A" * 15,
    "A" * 17,
    "A" * 15 + "=",
    "A" * 15 + "+",
    "A" * 15 + " ",
    "A" * 16 + "/",
    "A" * 16 + "\n",
    "A" * 15 + "é",
    "A" * 15 + "\x00",
    "%41" * 16,
    "a/b",
    "..",
    "../" * 5 + "A",
    "*",
    "all",
    "current",
    "undefined",
    "null",
    "s:" + "A" * 14,
]


def test_what_is_nobodys_is_one_answer(site: Site) -> None:
    """An id of another user's, of nobody's, ended or malformed, in path or body: the same 404 to the byte."""
    mine, theirs = site.login(), site.login(site.widget(id=5))
    theirs_too = site.login({"init_data": site.init_data(user={**USER, "id": 6}), "transport": "cookie"})
    ended = site.login()
    assert delete(site, mine.token, json={"id": session_id(ended)}).status == 204
    before = site.store.fields()
    unknown = ["A" * 16, "z" * 16, session_id(theirs), session_id(theirs_too), session_id(ended)]
    answers = [form(site, mine.token, slot) for form in FORMS.values() for slot in unknown]
    answers += [delete(site, mine.token, path=f"{PATH}/{slot}") for slot in NO_IDS]
    answers += [delete(site, mine.token, json={"id": slot}) for slot in NO_IDS]
    answers += [
        site.send("GET", PATH, cookie=mine.token, environ={"PATH_INFO": f"{PATH}/{session_id(mine)}"})
    ]
    assert {answer.code for answer in answers} == {"not_found"}
    assert len({repr(answer.without_id()) for answer in answers}) == 1
    assert site.store.fields() == before
    assert site.verify(cookie=theirs.token).status == 200


@pytest.mark.parametrize(
    "query",
    [
        "keep",
        "keep=",
        "keep=Current",
        "keep=current ",
        "keep=%20current",
        "keep=all",
        "keep=1",
        "keep=true",
        "Keep=current",
        "keep=current&keep=current",
        "keep=current&x=y",
        "x=y&keep=current",
        "keep=current;x=y",
        "keep=cur%00rent",
        "keepcurrent",
        "keep:current",
        "current",
        "except=current",
        "id=AAAAAAAAAAAAAAAA",
        "=",
        "=current",
        "%6b%65%65%70",
    ],
)
def test_a_misspelt_query_ends_nothing(site: Site, query: str) -> None:
    """What is not exactly `keep=current` is 400, and never "all"."""
    mine, other = site.login(), site.login()
    before = site.store.fields()
    site.store.calls.clear()
    answer = delete(site, mine.token, query=query)
    assert (answer.status, answer.code, answer.header("Set-Cookie")) == (400, "malformed_request", None)
    assert (site.store.calls, site.store.fields()) == ([], before)
    assert other


@pytest.mark.parametrize("query", ["&", "&&", "keep=current&", "&keep=current"])
def test_a_query_with_empty_parts_never_means_more(site: Site, query: str) -> None:
    """Empty parts of a query say nothing; with `keep=current` in it the caller's session always stays."""
    mine = site.login()
    answer = delete(site, mine.token, query=query)
    assert answer.status in (204, 400)
    if "keep" in query:
        assert site.verify(cookie=mine.token).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ID": "AAAAAAAAAAAAAAAA"},
        {"Id": "AAAAAAAAAAAAAAAA"},
        {"ids": ["AAAAAAAAAAAAAAAA"]},
        {"session": "AAAAAAAAAAAAAAAA"},
        {"id": "AAAAAAAAAAAAAAAA", "keep": "current"},
        {"keep": "current"},
        {"id": None},
        {"id": ""},
        {"id": False},
        {"id": 0},
        {"id": 5},
        {"id": []},
        {"id": ["AAAAAAAAAAAAAAAA"]},
        {"id": {}},
        {"id": {"id": "AAAAAAAAAAAAAAAA"}},
        {"": "AAAAAAAAAAAAAAAA"},
        [],
        ["AAAAAAAAAAAAAAAA"],
        "AAAAAAAAAAAAAAAA",
        None,
        5,
    ],
    ids=json.dumps,
)
def test_a_misspelt_body_ends_nothing(site: Site, body: Any) -> None:
    """A body that is there and names no session is a mistake, whose meaning is never "all"."""
    mine, other = site.login(), site.login()
    before = site.store.fields()
    for query in ("", "keep=current"):
        answer = delete(site, mine.token, body=json.dumps(body).encode(), headers=JSON, query=query)
        assert answer.status in (400, 404), query
        assert answer.header("Set-Cookie") is None
    assert site.store.fields() == before
    assert site.verify(cookie=other.token).status == 200


@pytest.mark.parametrize("body", [b"{", b"x", b"id=AAAAAAAAAAAAAAAA", b'{"id":"A","id":"B"}', b"\xff", b" "])
def test_a_body_that_is_no_json_ends_nothing(site: Site, body: bytes) -> None:
    """Half a body, or one of another form, is 400."""
    mine = site.login()
    answer = delete(site, mine.token, body=body, headers=JSON)
    assert (answer.status, answer.code) == (400, "malformed_request")
    assert site.verify(cookie=mine.token).status == 200


def test_a_body_of_another_type_ends_nothing(site: Site) -> None:
    """A body that is not declared as JSON is 415, also where it would name a session."""
    mine, other = site.login(), site.login()
    body = json.dumps({"id": session_id(other)}).encode()
    for media_type in ("", "text/plain", "application/x-www-form-urlencoded"):
        answer = delete(site, mine.token, body=body, headers={"Content-Type": media_type})
        assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert len(ids(site, cookie=mine.token)) == 2


def test_an_id_twice_ends_nothing(site: Site) -> None:
    """An id in the path and one in the body could be two: that is 400."""
    mine, other = site.login(), site.login()
    for slot in (session_id(other), session_id(mine)):
        answer = delete(site, mine.token, path=f"{PATH}/{session_id(other)}", json={"id": slot})
        assert (answer.status, answer.code) == (400, "malformed_request")
    assert len(ids(site, cookie=mine.token)) == 2


@pytest.mark.parametrize(
    "path", ["/", "/telegram", "/telegram/session", "/stats", "/x/telegram/sessions", "//"]
)
def test_another_path_is_none_of_ours(site: Site, path: str) -> None:
    """Whatever path the function is reached under, only its own means something."""
    mine = site.login()
    assert delete(site, mine.token, path=path).code == "not_found"
    assert site.verify(cookie=mine.token).status == 200


@pytest.mark.parametrize("request_", [{}, {"query": "keep=current"}, {"json": {"id": "A" * 16}}])
def test_who_may_end_sessions(site: Site, request_: dict[str, Any]) -> None:
    """Nobody, a forged token, one of the other transport and a dead one are 401 and end nothing."""
    cookie, bearer, dead = site.login().token, site.bearer_login().token, site.login().token
    site.logout(cookie=dead)
    before = site.store.fields()
    site.store.calls.clear()
    assert site.end(**request_).code == "unauthenticated"
    assert site.end(cookie=COOKIE + "=x", **request_).code == "invalid_session"
    assert site.end(cookie=bearer, **request_).code == "invalid_session"
    assert site.end(bearer=cookie, **request_).code == "invalid_session"
    assert site.store.calls == []
    assert site.end(cookie=dead, **request_).code == "invalid_session"
    assert site.store.fields() == before


def test_cross_site_requests_end_nothing(site: Site) -> None:
    """Whichever sessions are named, what another site caused is refused at no store call."""
    mine = site.login()
    slot = session_id(mine)
    named: list[dict[str, Any]] = [{}, {"query": "keep=current"}, {"slot": slot}, {"json": {"id": slot}}]
    site.store.calls.clear()
    for request in named:
        for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            answer = site.end(cookie=mine.token, headers=headers, **request)
            assert (answer.status, answer.code) == (403, "cross_site_blocked"), (request, headers)
            assert answer.header("Set-Cookie") is None
    assert site.store.calls == []


def test_our_own_pages_may_end_sessions(site: Site) -> None:
    """With either sign of our own page the request goes through."""
    for headers in (OWN_PAGE, {"Origin": ORIGIN}):
        site.clock.time += 1
        assert site.end(cookie=site.login().token, headers=headers).status == 204


def test_store_failures_end_nothing(site: Site) -> None:
    """With the store down it is 503, the cookie stays, and nobody was logged out."""
    mine, other = site.login(), site.login()
    site.store.error = StoreUnavailable("down")
    for answer in (
        site.devices(cookie=mine.token),
        delete(site, mine.token),
        delete(site, mine.token, query="keep=current"),
        delete(site, mine.token, json={"id": session_id(other)}),
        delete(site, mine.token, json={"id": session_id(mine)}),
    ):
        assert (answer.status, answer.code) == (503, "store_unavailable")
        assert answer.header("Set-Cookie") is None
    site.store.error = None
    assert len(ids(site, cookie=mine.token)) == 2


def test_without_a_shared_store(clock: Clock) -> None:
    """Ending sessions needs Redis; the answer says so, and the log is no alarm about the store."""
    site = Site(clock)
    mine, other = site.login(), site.login()
    for answer in (
        site.end(cookie=mine.token),
        site.end(cookie=mine.token, query="keep=current"),
        site.end(session_id(other), cookie=mine.token),
        site.end(cookie=mine.token, json={"id": session_id(other)}),
    ):
        assert (answer.status, answer.code, answer.header("Retry-After")) == (
            503,
            "shared_store_required",
            "5",
        )
        assert answer.header("Set-Cookie") is None
    assert len(ids(site, cookie=mine.token)) == 2


def test_what_is_logged(site: Site, lines: Lines) -> None:
    """Ending is an event of its own where it happened; a list and a 404 are requests."""
    mine, other, third = site.login(), site.login(), site.login()
    lines()
    expected = [
        (site.devices(cookie=mine.token), "request", "info"),
        (delete(site, mine.token, json={"id": session_id(other)}), "authn_token_revoked", "info"),
        (delete(site, mine.token, json={"id": session_id(other)}), "request", "info"),
        (delete(site, mine.token, query="keep=x"), "input_validation_fail", "warning"),
        (site.end(cookie=mine.token, headers={}), "malicious_csrf", "warning"),
        (delete(site, mine.token, query="keep=current"), "authn_token_revoked", "info"),
        (delete(site, third.token), "session_invalid", "warning"),
        (delete(site, mine.token), "authn_token_revoked", "info"),
    ]
    logged = lines()
    assert [(line["event"], line["level"]) for line in logged] == [
        (name, level) for _, name, level in expected
    ]
    assert {line["route"] for line in logged} == {PATH}
    for line, (answer, _, _) in zip(logged, expected, strict=True):
        assert line["status"] == answer.status
        assert session_id(other) not in json.dumps(line) or line.get("device_id") == session_id(other)


@pytest.mark.parametrize("query", ["keep=all", "keep=current&keep=current", "x=1"])
def test_the_query_beside_a_body_that_names_a_session(clock: Clock, query: str) -> None:
    """What is misspelt is refused there, too."""
    site = Site(clock, shared=True)
    other = site.login().json()["session"]["id"]
    cookie = site.login().token
    answer = site.end(json={"id": other}, query=query, cookie=cookie)
    assert (answer.status, answer.code) == (400, "malformed_request")
    assert len(site.store.sessions()) == 2


@EACH_FORM
def test_ending_one_of_the_user_whom_the_page_shows(site: Site, form: Callable[..., Answer]) -> None:
    """`user` says whose session it must be: with another's nothing ends, and no command is spent."""
    mine, other = site.login(), site.login()
    before = site.store.fields()
    site.store.calls.clear()
    answer = form(site, mine.token, session_id(other), query=f"user={USER['id'] + 1}")
    assert (answer.status, answer.code, answer.header("Set-Cookie")) == (401, "invalid_session", None)
    assert (site.store.calls, site.store.fields()) == ([], before)
    assert form(site, mine.token, session_id(other), query=f"user={USER['id']}").status == 204
    assert site.verify(cookie=other.token).code == "invalid_session"


@pytest.mark.parametrize("query", ["user={}", "user={}&keep=current", "keep=current&user={}"])
def test_ending_all_of_the_user_whom_the_page_shows(site: Site, query: str) -> None:
    """The same for all of them, and for all others, by cookie and by bearer."""
    mine, bearer = site.login(), site.bearer_login()
    before = site.store.fields()
    site.store.calls.clear()
    for credentials in ({"cookie": mine.token}, {"bearer": bearer.token}):
        answer = site.end(query=query.format(5), **credentials)
        assert (answer.status, answer.code, answer.header("Set-Cookie")) == (401, "invalid_session", None)
    assert (site.store.calls, site.store.fields()) == ([], before)
    assert delete(site, mine.token, query=query.format(USER["id"])).status == 204
    assert (site.verify(cookie=mine.token).status == 200) == ("keep" in query)
    assert site.verify(bearer=bearer.token).code == "invalid_session"


@pytest.mark.parametrize(
    "query",
    [
        "user",
        "user=",
        "user=me",
        "user=0",
        "user={user}.0",
        "user=+{user}",
        "user=0{user}",
        "user=-{user}",
        "user=%20{user}",
        "user={user}0000000000",
        "user={user}&user={user}",
        "user={user}&user=5",
        "User={user}",
        "users={user}",
        "user={user}&id=AAAAAAAAAAAAAAAA",
        "user={user}&x=y",
    ],
)
def test_a_misspelt_user_ends_nothing(site: Site, query: str) -> None:
    """What is not exactly a Telegram id is 400, however the session is named, and never "whoever it is"."""
    mine, other = site.login(), site.login()
    before = site.store.fields()
    site.store.calls.clear()
    query = query.format(user=USER["id"])
    for request in ({}, {"path": f"{PATH}/{session_id(other)}"}, {"json": {"id": session_id(other)}}):
        answer = delete(site, mine.token, query=query, **request)
        assert (answer.status, answer.code) == (400, "malformed_request"), request
    assert (site.store.calls, site.store.fields()) == ([], before)


def test_the_id_that_the_rewrite_adds(site: Site) -> None:
    """Vercel puts what `:id` stands for into the query, too: it is the same id, and changes nothing."""
    mine, other, third = site.login(), site.login(), site.login()
    for login, query in ((other, "id={}"), (third, "user={user}&id={}")):
        query = query.format(session_id(login), user=USER["id"])
        assert delete(site, mine.token, path=f"{PATH}/{session_id(login)}", query=query).status == 204
    assert ids(site, cookie=mine.token) == [session_id(mine)]
