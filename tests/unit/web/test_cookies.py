"""The session cookie: its name, its attributes, and its place among others."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lib.tgauth.web.cookies import cookie_name, read_cookie, set_session_cookie
from lib.tgauth.web.response import Response
from tests.site import COOKIE, DAY, LOCAL_ENV, OWN_PAGE, Clock, Site

LOOPBACK_HOSTS = ["localhost", "localhost:3000", "127.0.0.1:3000", "preview.localhost:3000"]


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("https://tgauth.example", "__Host-tgauth"),
        (None, "__Host-tgauth"),
        ("https://localhost:3000", "__Host-tgauth"),
        ("http://localhost:3000", "tgauth"),
        ("http://127.0.0.1", "tgauth"),
    ],
)
def test_name_follows_the_origin(origin: str | None, name: str) -> None:
    """The cookie has the __Host- prefix everywhere but on plain http, which only loopback origins have."""
    assert cookie_name(origin) == name


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("", None),
        (f"{COOKIE}=tok", "tok"),
        (f"{COOKIE}=", ""),
        (COOKIE, None),
        (f"{COOKIE}=a=b==", "a=b=="),
        (f'{COOKIE}="tok"', '"tok"'),
        (f"\t {COOKIE}=tok \t", "tok"),
        (f"a=1; {COOKIE}=tok; b=2", "tok"),
        (f"a=1;{COOKIE}=tok;b=2", "tok"),
        (f"{COOKIE.lower()}=tok", None),
        (f"{COOKIE.upper()}=tok", None),
        (f"{COOKIE} =tok", None),
        (f"x{COOKIE}=tok", None),
        (f"{COOKIE}x=tok", None),
        (f"x={COOKIE}=tok", None),
        (f"a=1, {COOKIE}=tok", None),
        (f"\x0b{COOKIE}=tok", None),
        (f"\r\n {COOKIE}=tok", None),
        (f"\xa0{COOKIE}=tok", None),
        (f"tgauth=tok; $Version=1; {COOKIE.lower()}=other", None),
        (f"{COOKIE}=a; {COOKIE}=b", ""),
        (f"{COOKIE}=a; {COOKIE}=a", ""),
        (f"{COOKIE}=; {COOKIE}=a", ""),
        (f"{COOKIE}; {COOKIE}=a", "a"),
    ],
)
def test_read(header: str, value: str | None) -> None:
    """Our cookie is the one whose name is ours to the letter; two of it open nothing."""
    assert read_cookie(header, COOKIE) == value


def test_only_white_space_is_stripped() -> None:
    """Space and tab around a cookie are no part of it; any other character of ASCII is."""
    for character in (chr(code) for code in range(0x21, 0x7F) if chr(code) != ";"):
        assert read_cookie(f"\t {COOKIE}=tok{character} \t", COOKIE) == f"tok{character}"
        assert read_cookie(f"{character}{COOKIE}=tok", COOKIE) is None, character


NEIGHBOURS = [
    "é=1",
    "Path=/",
    '{"j":1}',
    "=v",
    "; ;;",
    'q="a\\"b',
    "a b c",
    "\x00=\x01",
    "[]=@",
    "x" * 3000,
    "expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "\xff\xfe=\xfd",
]


def test_malformed_neighbours_log_nobody_out(site: Site) -> None:
    """A cookie that no parser understands, before or behind ours, leaves ours as it is."""
    token = site.login().token
    for neighbour in NEIGHBOURS:
        for form in ("{0}; {1}", "{1}; {0}", "{0};{1};{0}"):
            header = form.format(neighbour, f"{COOKIE}={token}")
            assert site.verify(cookie=header).status == 200, header


def test_ten_malformed_neighbours_at_once(site: Site) -> None:
    """All of them together don't either, and logout still ends the session."""
    header = "; ".join([*NEIGHBOURS, f"{COOKIE}={site.login().token}", *NEIGHBOURS])
    assert site.verify(cookie=header).status == 200
    assert site.logout(cookie=header).status == 204
    assert site.verify(cookie=header).status == 401


@settings(max_examples=50)
@given(st.text(), st.text())
@example("a", "b;")
def test_any_neighbours(before: str, after: str) -> None:
    """Whatever stands beside it, the value is found, unless another cookie has the same name."""
    header = f"{before}; {COOKIE}=tok; {after}"
    if COOKIE not in before + after:
        assert read_cookie(header, COOKIE) == "tok"


def test_attributes_in_production(site: Site) -> None:
    """A login's cookie has the prefix and exactly the attributes that go with it, and no Domain."""
    answer = site.login()
    assert answer.all("Set-Cookie") == [
        f"__Host-tgauth={answer.token}; Path=/; Max-Age={DAY}; HttpOnly; SameSite=Lax; Secure"
    ]
    assert len(answer.all("Set-Cookie")[0]) < 4096


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
def test_attributes_on_loopback(clock: Clock, host: str) -> None:
    """On http://localhost, where browsers refuse prefix and Secure, the cookie goes without, and works."""
    site = Site(clock, LOCAL_ENV)
    site.host = host
    answer = site.login()
    assert answer.all("Set-Cookie") == [
        f"tgauth={answer.token}; Path=/; Max-Age={DAY}; HttpOnly; SameSite=Lax"
    ]
    assert site.verify(cookie=f"tgauth={answer.token}").status == 200
    assert site.verify(cookie=f"__Host-tgauth={answer.token}").code == "unauthenticated"
    gone = site.logout(cookie=f"tgauth={answer.token}")
    assert gone.all("Set-Cookie") == ["tgauth=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"]
    assert site.verify(cookie=f"tgauth={answer.token}").status == 401


@pytest.mark.parametrize("environment", ["production", "preview", "no such environment", ""])
def test_a_loopback_host_header_is_no_way_to_an_insecure_cookie(clock: Clock, environment: str) -> None:
    """Outside development a Host of localhost changes nothing about the cookie."""
    env = {"TELEGRAM_BOT_TOKEN": LOCAL_ENV["TELEGRAM_BOT_TOKEN"], "VERCEL_ENV": environment}
    site = Site(clock, env)
    site.host = "localhost:3000"
    assert (site.login().header("Set-Cookie") or "").startswith("__Host-tgauth=")
    assert (site.login().header("Set-Cookie") or "").endswith("; Secure")


def test_max_age_is_what_is_left_of_session_max_age(clock: Clock) -> None:
    """The cookie lives as long as the session can at most, and renewing it does not lengthen that."""
    site = Site(clock, shared=True)
    login = site.login()
    assert f"; Max-Age={90 * DAY};" in (login.header("Set-Cookie") or "")
    clock.time += 10 * DAY
    refreshed = site.refresh(cookie=login.token)
    assert refreshed.all("Set-Cookie") == [
        f"__Host-tgauth={login.token}; Path=/; Max-Age={80 * DAY}; HttpOnly; SameSite=Lax; Secure"
    ]


def test_deletion_has_the_attributes_of_the_cookie(site: Site) -> None:
    """Logout removes the cookie with the attributes it was set with; browsers would keep it otherwise."""
    answer = site.logout(cookie=site.login().token)
    assert answer.all("Set-Cookie") == ["__Host-tgauth=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"]


@pytest.mark.parametrize("second", ["", "planted", "same"])
@pytest.mark.parametrize("planted_first", [True, False])
def test_two_of_our_cookies_open_nothing(both: Site, second: str, planted_first: bool) -> None:
    """Of two cookies with our name neither counts, yet login and logout work and mend it."""
    token = both.login().token
    pair = [f"{COOKIE}={token}", f"{COOKIE}={token if second == 'same' else second}"]
    header = "; ".join(reversed(pair) if planted_first else pair)
    assert (both.verify(cookie=header).status, both.verify(cookie=header).code) == (401, "invalid_session")
    assert both.refresh(cookie=header).code == "invalid_session"
    assert both.login(cookie=header).status == 200
    gone = both.logout(cookie=header)
    assert (gone.status, len(gone.all("Set-Cookie"))) == (204, 1)
    assert both.verify(cookie=token).status == 200


def test_values_that_are_no_token(both: Site) -> None:
    """Whatever the cookie holds, verify answers 401 without asking the store, and login and logout work."""
    for value in ("", " ", "x", "tg0_", "tg1_", "é", '"', "\x00", "a" * 5000, "tg0_" + "A" * 4000):
        cookie = f"{COOKIE}={value}"
        both.store.calls.clear()
        assert both.verify(cookie=cookie).code == "invalid_session", value
        assert both.send("HEAD", "/telegram/verify", cookie=cookie).status == 401, value
        assert both.refresh(cookie=cookie).code == "invalid_session", value
        assert both.logout(cookie=cookie).status == 204, value
        assert both.store.calls == []
        assert both.login(cookie=cookie, headers=OWN_PAGE).status == 200, value


def test_header_cannot_be_split() -> None:
    """A value with a line break never becomes a header of its own."""
    with pytest.raises(ValueError, match="header"):
        set_session_cookie(Response(), "a\r\nSet-Cookie: b=c", max_age=1, origin=None)
