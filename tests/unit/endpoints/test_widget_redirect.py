"""GET /telegram/login: where Telegram's widget and buttons send browsers, and strangers' links too."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from tests.site import BOT_ID, COOKIE, ENV, NOW, ORIGIN, OTHER_BOT_TOKEN, Clock, Site
from tests.unit.web.telegram import PAGE, Browser

LOGIN = "/telegram/login"


def query(fields: dict[str, Any], **more: str) -> str:
    """As Telegram's script writes it: every value by encodeURIComponent."""
    return urlencode({**fields, **more}, quote_via=quote)


def confirm(location: str | None) -> tuple[str, dict[str, str]]:
    """The confirm page that a Location names, and the fields of its fragment."""
    address, mark, fragment = (location or "").partition("#")
    assert (address.partition("?")[0], mark) == ("/confirm.html", "#")
    pairs = parse_qsl(fragment, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return address, dict(pairs)


def texts(fields: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items()}


@pytest.fixture
def browser(both: Site) -> Browser:
    return Browser(both)


def test_with_the_state_of_this_browser_it_logs_in(browser: Browser) -> None:
    """The widget in redirect mode: logged in, and on to where the login began, without a proof."""
    started = browser.start(return_to="/orders?x=1")
    assert started["widget_redirect_url"] == f"{ORIGIN}{LOGIN}?state={started['state']}"
    answer = browser.go(LOGIN, query(browser.site.widget(), state=started["state"]))
    assert (answer.status, answer.header("Location"), answer.body) == (303, "/orders?x=1", b"")
    assert browser.cookies.keys() - browser.finished == {COOKIE}
    session = browser.verify().json()["session"]
    assert (session["method"], session["transport"]) == ("widget", "cookie")
    assert browser.site.store.calls.count("create") == 1


def test_it_ends_at_the_front_page_by_itself(browser: Browser) -> None:
    """Without return_to the login ends at `/`, and a return_to beside a state is not looked at."""
    for more in ({}, {"return_to": "/elsewhere"}, {"return_to": "//evil.example"}):
        state = browser.start()["state"]
        answer = browser.go(LOGIN, query(browser.site.widget(), state=state, **more))
        assert (answer.status, answer.header("Location")) == (303, "/")


@pytest.mark.parametrize("position", ["before", "after"])
def test_own_parameters_beside_telegrams(browser: Browser, position: str) -> None:
    """Parameters that are not Telegram's are not part of the proof, wherever they stand."""
    state = browser.start()["state"]
    proof = query(browser.site.widget(), state=state)
    own = "utm_source=x&next=%2Fy&user=1&query_id=2&signature=3&start_param=4"
    own += "&fbclid=%0A&a%3Db=&lang=&transport=bus"
    answer = browser.go(LOGIN, f"{own}&{proof}" if position == "before" else f"{proof}&{own}")
    assert (answer.status, answer.header("Location")) == (303, "/")
    assert browser.verify().status == 200


def test_names_of_all_kinds(browser: Browser) -> None:
    """What stands in an address may stand in a name, encoded as Telegram's script does or as forms are."""
    for name in ("Жук 🦊", "a+b", "a b", "a&b=c#d?e", "100%", "%41", '<b>"', "/../", "é" * 64):
        for encode in (quote, lambda text, *_, **__: quote(text).replace("%20", "+")):
            fields = browser.site.widget(first_name=name)
            sent = urlencode({**fields, "state": browser.start()["state"]}, quote_via=encode)
            assert browser.go(LOGIN, sent).status == 303
            assert browser.verify().json()["user"]["first_name"] == name


STRANGE: dict[str, Callable[[Browser], dict[str, str]]] = {
    "no state": lambda _: {},
    "an empty state": lambda _: {"state": ""},
    "a state of nobody": lambda _: {"state": "A" * 24},
    "a state that is none": lambda _: {"state": "é\n\x00" * 40},
    "another browser's state": lambda b: {"state": Browser(b.site).start()["state"]},
    "a state that is over": lambda b: {"state": late(b)},
    "a state whose cookie is gone": lambda b: {"state": forgotten(b)},
}


def late(browser: Browser) -> str:
    state: str = browser.start()["state"]
    browser.site.clock.time += 600
    return state


def forgotten(browser: Browser) -> str:
    state: str = browser.start()["state"]
    for name in browser.transactions:
        del browser.cookies[name]
    return state


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_what_this_browser_did_not_begin_is_confirmed_first(
    browser: Browser, strange: Callable[[Browser], dict[str, str]]
) -> None:
    """A button's login and an attacker's link lead to a page that asks: nothing is set, spent or ended."""
    browser.login(browser.site.widget(id=5))
    session = browser.cookies[COOKIE]
    more = strange(browser)
    fields = browser.site.widget()
    held, fields_before = dict(browser.cookies), browser.site.store.fields()
    browser.site.store.calls.clear()
    for headers in (PAGE, PAGE | {"Accept": "*/*"}):
        answer = browser.go(LOGIN, query(fields, **more), headers=headers)
        assert (answer.status, answer.body, answer.all("Set-Cookie")) == (303, b"", [])
        assert confirm(answer.header("Location")) == ("/confirm.html", texts(fields))
    assert browser.site.store.calls == []
    assert (browser.cookies, browser.site.store.fields()) == (held, fields_before)
    assert browser.cookies[COOKIE] == session
    assert browser.verify().json()["user"]["id"] == 5
    assert browser.login(fields).status == 200


def test_the_fragment_holds_what_came_and_nothing_of_ours(browser: Browser) -> None:
    """The state does not reach the page, and nothing in a name leaves the fragment."""
    fields = browser.site.widget(first_name="a&hash=b#c?d=e\u2028", last_name="\r\nSet-Cookie: x=y")
    answer = browser.go(LOGIN, query(fields, state="x", x="1", query_id="2"))
    assert confirm(answer.header("Location")) == (
        "/confirm.html",
        {**texts(fields), "x": "1", "query_id": "2"},
    )
    assert answer.all("Set-Cookie") == []
    assert (answer.header("Location") or "").isascii()
    assert not set(answer.header("Location") or "") & set(" \r\n\"'<>")


def test_a_field_that_is_new_at_telegram(browser: Browser) -> None:
    """Telegram signs every field that it sends: one that is not known yet locks nobody out, by either way."""
    fields = browser.site.widget(allows_write_to_pm="true", state_of_mind="ö")
    state = browser.start()["state"]
    answer = browser.go(LOGIN, query(fields, state=state, return_to="/x"))
    assert (answer.status, answer.header("Location")) == (303, "/")
    assert browser.verify().json()["user"]["id"] == fields["id"]
    assert browser.login(fields).code == "login_stale"

    fields = browser.site.widget(allows_write_to_pm="true", first_name="B")
    _, shown = confirm(browser.go(LOGIN, query(fields, return_to="/x")).header("Location"))
    assert shown == texts(fields)
    assert browser.login({"widget": shown}).status == 200


def test_foreign_parameters_as_long_as_they_like(browser: Browser) -> None:
    """What an advertiser adds is left out where it would make the fragment too long."""
    fields = browser.site.widget()
    for size in (10, 7000):
        answer = browser.go(LOGIN, query(fields, fbclid="x" * size, transport="bus", widget="1"))
        _, shown = confirm(answer.header("Location"))
        assert shown == texts(fields) | ({"fbclid": "x" * size} if size == 10 else {})
    assert browser.login({"widget": shown}).status == 200


def test_nothing_is_verified_before_it_is_confirmed(browser: Browser) -> None:
    """Without a state a forged proof goes the same way as a genuine one, so links tell nobody anything."""
    for fields in (
        browser.site.widget(OTHER_BOT_TOKEN),
        browser.site.widget(auth_date=1),
        {"hash": ""},
        {"id": "x"},
        {"first_name": "\x00\n"},
        {"auth_date": "1"},
    ):
        answer = browser.go(LOGIN, query(fields))
        assert confirm(answer.header("Location")) == ("/confirm.html", texts(fields))


def test_return_to_survives_the_question(browser: Browser) -> None:
    """A button's own return_to is kept for the page that asks, in its query."""
    fields = browser.site.widget()
    answer = browser.go(LOGIN, query(fields, return_to="/orders?x=1&y=2"))
    address, shown = confirm(answer.header("Location"))
    assert (address, shown) == ("/confirm.html?return_to=%2Forders%3Fx%3D1%26y%3D2", texts(fields))


@pytest.mark.parametrize(
    "bad", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\r\nb", "/telegram/login"]
)
@pytest.mark.parametrize("proof", [True, False], ids=["proof", "no proof"])
def test_a_bad_return_to_is_refused(browser: Browser, bad: str, proof: bool) -> None:
    """It is malformed, as at every start, and shown to people as a page."""
    sent = query(browser.site.widget() if proof else {}, return_to=bad)
    assert browser.go(LOGIN, sent).code == "malformed_request"
    answer = browser.go(LOGIN, sent, headers=PAGE)
    location = answer.header("Location") or ""
    assert location.startswith("/error.html?code=malformed_request&reference=")
    assert "evil" not in location
    assert (browser.cookies, browser.site.store.calls) == ({}, [])


@pytest.mark.parametrize("name", ["id", "hash", "state", "return_to", "x"])
def test_nothing_may_be_there_twice(browser: Browser, name: str) -> None:
    """Two values of one parameter are refused, equal or not, and the state is not spent by that."""
    state = browser.start()["state"]
    fields = {**browser.site.widget(), "state": state, "return_to": "/", "x": "1"}
    for value in (fields[name], "x"):
        for sent in (f"{query(fields)}&{query({name: value})}", f"{query({name: value})}&{query(fields)}"):
            assert browser.go(LOGIN, sent).code == "malformed_request"
    assert browser.site.store.calls == []
    assert browser.go(LOGIN, query(fields)).status == 303


def test_a_used_state(browser: Browser) -> None:
    """A state logs in once: the same address then leads for a minute to the same place, others ask."""
    state = browser.start(return_to="/x")["state"]
    saved, used = browser.copy(), query(browser.site.widget(), state=state)
    assert browser.go(LOGIN, used).header("Location") == "/x"
    browser.site.store.calls.clear()
    again = browser.go(LOGIN, used)
    assert (again.status, again.header("Location"), again.all("Set-Cookie")) == (303, "/x", [])
    assert saved.go(LOGIN, used).code == "login_rejected"
    another = browser.go(LOGIN, query(browser.site.widget(), state=state))
    assert confirm(another.header("Location"))[0] == "/confirm.html"
    assert browser.site.store.calls == []
    browser.site.clock.time += 60
    assert confirm(browser.go(LOGIN, used).header("Location"))[0] == "/confirm.html"


@pytest.mark.parametrize("more", [{}, {"return_to": "/x"}, {"state": "x"}, {"utm": "1"}])
def test_without_any_of_telegrams_fields_it_is_a_start(browser: Browser, more: dict[str, str]) -> None:
    """A user who refuses a button's login comes with nothing: they are led to the login page."""
    answer = browser.go(LOGIN, query({}, **more))
    expected = "/?return_to=%2Fx" if "return_to" in more else "/"
    assert (answer.status, answer.header("Location")) == (303, expected)
    assert (browser.cookies, browser.site.store.calls) == ({}, [])


def test_without_fields_it_starts_openid_connect_where_that_is_on(clock: Clock) -> None:
    """The same as GET /telegram/start there: to Telegram, with a transaction cookie."""
    browser = Browser(Site(clock, {**ENV, "TELEGRAM_CLIENT_SECRET": "canary-secret-123"}))
    location = browser.go(LOGIN, "return_to=/x").header("Location") or ""
    assert location.startswith(f"https://oauth.telegram.org/auth?client_id={BOT_ID}&")
    assert len(browser.transactions) == 1


@pytest.mark.parametrize(
    "name", ["id", "first_name", "last_name", "username", "photo_url", "auth_date", "hash"]
)
def test_any_one_of_telegrams_fields_is_a_login(browser: Browser, name: str) -> None:
    """Fields without the others are a proof that is none: the question without a state, 401 with one."""
    value = str(browser.site.widget()[name])
    assert confirm(browser.go(LOGIN, query({name: value})).header("Location"))[1] == {name: value}
    answer = browser.go(LOGIN, query({name: value}, state=browser.start()["state"]))
    assert answer.code == "login_rejected"
    assert browser.site.store.calls == []


def test_without_a_bot_token_it_is_the_owners_to_mend(clock: Clock) -> None:
    """With OpenID Connect alone a widget's answer cannot be checked: 503, no session."""
    env = {name: value for name, value in ENV.items() if name != "TELEGRAM_BOT_TOKEN"}
    site = Site(clock, {**env, "TELEGRAM_BOT_ID": str(BOT_ID), "TELEGRAM_CLIENT_SECRET": "canary-secret-123"})
    browser = Browser(site)
    sent = query(site.widget(), state=browser.start()["state"])
    answer = browser.go(LOGIN, sent)
    assert (answer.status, answer.code) == (503, "misconfigured")


def test_a_refused_post_with_a_foreign_state_spends_no_proof(browser: Browser) -> None:
    """What was refused for its state alone logs in where it belongs."""
    fields = browser.site.widget()
    assert browser.login({**fields, "state": "A" * 24}).code == "login_rejected"
    assert browser.site.store.calls == []
    assert browser.login({**fields, "state": browser.start()["state"]}).status == 200


def test_the_time_of_the_start_is_not_the_proofs(browser: Browser) -> None:
    """A login page may be open for as long as its state lives; the proof must be fresh by itself."""
    state = browser.start()["state"]
    browser.site.clock.time += 599
    answer = browser.go(LOGIN, query(browser.site.widget(auth_date=NOW), state=state))
    assert answer.code == "login_stale"


def test_a_link_that_is_too_long_leads_nowhere(clock: Clock) -> None:
    """What Telegram would never send is not passed on to the page that asks."""
    browser = Browser(Site(clock))
    long = {**browser.site.widget(), "first_name": "я" * 64, "last_name": "я" * 64}
    assert browser.go("/telegram/login", urlencode(long)).status == 303
    answer = browser.go("/telegram/login", urlencode({**long, "first_name": "я" * 1000}))
    assert (answer.status, answer.code) == (400, "malformed_request")
