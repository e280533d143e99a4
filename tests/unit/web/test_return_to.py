"""lib.tgauth.web.return_to: what it takes keeps a browser on this site; a WHATWG URL parser is the judge."""

import itertools
from urllib.parse import quote, unquote

import pytest
from ada_url import URL
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.tgauth.errors import MalformedRequest
from lib.tgauth.web.return_to import require_return_to
from tests.site import named

BASES = {
    "https://tgauth.example/telegram/callback": "https://tgauth.example",
    "http://localhost:3000/": "http://localhost:3000",
}

# What a browser takes to another site as it stands, although a naive check sees one "/" and lets it pass.
ELSEWHERE = {
    "backslash": "/\\e.com",
    "two backslashes": "/\\\\e.com",
    "backslash and slash": "/\\/e.com",
    "tab": "/\t/e.com",
    "line feed": "/\n/e.com",
    "carriage return": "/\r/e.com",
    "line end": "/\r\n/e.com",
    "tab and backslash": "/\t\\e.com",
    "many tabs": "/\t\t\t\t/e.com",
    "tab and full-width dot": "/\t/e．com",
    "backslash and name": "/\\tgauth.example@e.com/a",
}

REFUSED = ELSEWHERE | {
    "nothing": "",
    "space": " ",
    "no slash": "a/b",
    "query alone": "?a=b",
    "fragment alone": "#a",
    "dot": ".",
    "two dots": "../a",
    "space in front": " /a",
    "space in front of a host": " //e.com",
    "tab in front": "\t//e.com",
    "NUL in front": "\x00//e.com",
    "line feed at the end": "/a\n",
    "host": "//e.com",
    "host, three slashes": "///e.com",
    "host, four slashes": "////e.com",
    "host after backslashes": "\\\\e.com",
    "backslash in front": "\\/e.com",
    "host with name": "//tgauth.example@e.com",
    "nothing after two slashes": "//",
    "two slashes later": "/a//e.com",
    "two slashes at the end": "/a//",
    "two slashes in the query": "/?next=//e.com",
    "address in the query": "/?next=https://e.com",
    "address": "https://e.com",
    "own address": "https://tgauth.example/",
    "address with name": "https://a@e.com",
    "address with own name": "https://tgauth.example@e.com",
    "address like ours": "https://tgauth.example.e.com",
    "address without slashes": "https:e.com",
    "address with one slash": "https:/e.com",
    "address with backslashes": "https:\\\\e.com",
    "address with tab": "ht\ttps://e.com",
    "script": "javascript:alert(1)",
    "script that looks like an address": "javascript://tgauth.example/%0aalert(1)",
    "script with tab": "java\tscript:alert(1)",
    "data": "data:text/html,x",
    "dots, then a host": "/..//e.com",
    "dot, then a host": "/.//e.com",
    "dots and backslash": "/..\\e.com",
    "dots, encoded, then a host": "/%2e%2e//e.com",
    "dot, encoded, then a host": "/%2E//e.com",
    "dots and slash, encoded": "/%2e%2e%2f%2fe.com",
    "one dot of two, encoded": "/.%2e/a",
    "dots, encoded twice": "/%252e%252e/a",
    "dots, every character encoded": "/%25%32%65%25%32%65/a",
    "up": "/a/../b",
    "up at the end": "/a/..",
    "up and a query": "/..?a",
    "up and an encoded query": "/a/..%3Fa",
    "up with a parameter": "/..;/a",
    "up with an encoded parameter": "/..%3b/a",
    "here": "/.",
    "here later": "/a/./b",
    "hidden file": "/.env",
    "slash, encoded": "/%2fe.com",
    "slash, encoded in capitals": "/%2Fe.com",
    "slashes, encoded": "/%2f%2fe.com",
    "slash, encoded twice": "/%252fe.com",
    "slashes, encoded twice": "/%252f%252fe.com",
    "slash, half encoded twice": "/%25%32%66e.com",
    "slash, encoded later": "/a%2f/e.com",
    "backslash, encoded": "/%5ce.com",
    "backslash, encoded in capitals": "/%5Ce.com",
    "backslash, encoded twice": "/%255ce.com",
    "backslash, encoded later": "/a%5cb",
    "backslash in the query": "/?a=\\b",
    "backslash, encoded in the query": "/?a=%5Cb",
    "tab, encoded": "/%09/e.com",
    "tab, encoded, nothing else": "/a%09b",
    "tab, encoded twice": "/%2509/e.com",
    "tab and backslash, encoded": "/%09%5ce.com",
    "new header": "/\r\nSet-Cookie:x=y",
    "new header, encoded": "/%0d%0aSet-Cookie:x",
    "new header, encoded twice": "/%250d%250aSet-Cookie:x",
    "new header in the query": "/?a=%0D%0ALocation:%20x",
    "new header, as UTF-8 that some cut to bytes": "/嘍嘊Set-Cookie:x",
    "line feed, encoded": "/a%0a",
    "NUL": "/a\x00",
    "NUL, encoded": "/%00/e.com",
    "NUL, encoded at the end": "/a%00",
    "escape, encoded": "/%1b[2J",
    "delete": "/\x7f",
    "delete, encoded": "/a%7Fb",
    "next line, encoded": "/a%C2%85b",
    "fragment": "/a#b",
    "empty fragment": "/a#",
    "login in a fragment": "/#tgAuthResult=e30",
    "host in a fragment": "/#//e.com",
    "at": "/@e.com",
    "at, after a name": "/tgauth.example@e.com",
    "comma, which parts cookies": "/map?at=48.2,16.37",
    "semicolon": "/;/e.com",
    "parameter": "/a;jsessionid=1",
    "space inside": "/a b",
    "space at the end": "/a ",
    "brackets": "/[::1]",
    "quotation mark": '/"onload="alert(1)',
    "tag": "/<script>",
    "dollar": "/${a}",
    "bar": "/a|b",
    "caret": "/a^b",
    "backtick": "/`",
    "per cent alone": "/100%",
    "per cent and one digit": "/%2",
    "per cent and no digit": "/%zz",
    "per cent and Arabic digits": "/%٢٥",
    "per cent as JavaScript had it": "/%u002fe.com",
    "Cyrillic, not encoded": "/привет",
    "Arabic digit": "/٢",
    "dotless i": "/ı",
    "full-width slash": "/／e.com",
    "full-width slashes": "／／e.com",
    "full-width dots": "/．．/e.com",
    "full-width backslash": "/＼e.com",
    "ideographic full stop": "/。e。com",
    "division slash": "/∕e.com",
    "zero width space": "/\u200b/e.com",
    "no-break space": "/\xa0/e.com",
    "byte order mark": "\ufeff/a",
    "line separator": "/\u2028/e.com",
    "other direction": "/\u202e/moc.e",
    "half a surrogate pair": "/\ud800",
    "login": "/telegram/start",
    "login with query": "/telegram/start?return_to=/a",
    "login with proof": "/telegram/login?id=1&hash=0",
    "callback": "/telegram/callback?code=a&state=b",
    "below the endpoints": "/telegram/",
    "login in capitals": "/Telegram/Start",
    "login, encoded": "/%74elegram/start",
    "login, encoded twice": "/%2574elegram/start",
    "login, slash encoded": "/telegram%2Fstart",
    "login where the function is": "/api/telegram/start",
    "login where the function is, encoded": "/%61pi%2ftelegram/start",
    "long": "/" + "a" * 512,
    "very long": "/" + "a" * 1_000_000,
    "long, encoded": "/" + "%41" * 171,
    "very long and deep": "/" + "%25" * 100_000 + "2f",
}

NO_TEXT: dict[str, object] = {
    "None": None,
    "true": True,
    "false": False,
    "number": 1,
    "fraction": 1.5,
    "bytes": b"/a",
    "list": ["/a"],
    "tuple": ("/", "a"),
    "object": {"/a": "/a"},
}

TAKEN = {
    "root": "/",
    "path": "/a/b",
    "path with slash at the end": "/a/b/",
    "file": "/orders.html",
    "dots within": "/a..b/v1.2.3",
    "query": "/orders?id=5&x=y",
    "query of the root": "/?lang=ru",
    "empty query": "/a?",
    "question mark in the query": "/a?b?c",
    "path in the query": "/a?next=/b/c",
    "encoded path in the query": "/login?next=%2Fb%2Fc",
    "encoded at in the query": "/a?mail=b%40c.example",
    "encoded ampersand": "/a?name=B%26C",
    "time": "/a?t=10:30",
    "time with zone": "/a?t=2026-01-02T10:30:00+03:00",
    "colon in the path": "/a:b",
    "colon first": "/:3000",
    "plus": "/a?q=b+c",
    "comma, encoded": "/map?at=48.2%2C16.37",
    "space, encoded": "/a%20b",
    "per cent, encoded": "/a?discount=100%25",
    "number sign, encoded": "/a?colour=%23ff0000",
    "semicolon, encoded": "/a?b=%3B",
    "Cyrillic, encoded": "/%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82",
    "Cyrillic, encoded in small letters": "/%d0%bf?q=%d1%80",
    "Cyrillic, encoded twice": "/%25D0%25BF",
    "fox, encoded": "/%F0%9F%A6%8A",
    "windows-1251, encoded": "/%EF%F0",
    "full-width slashes, encoded: letters like others": "/%EF%BC%8F%EF%BC%8Fe.com",
    "all that need not be encoded": "/-._~?=&+:",
    "two dots at the end of a name": "/a..",
    "page of ours": "/devices.html",
    "name of an endpoint": "/telegram",
    "longer name": "/telegrams/a",
    "endpoint further down": "/a/telegram/start",
    "another API": "/api/orders.csv",
    "512 characters": "/" + "a" * 511,
    "512 characters, encoded": "/a" + "%41" * 170,
}

# Small enough to try all, and all that can matter: slashes, dots, their codes and the codes of those, what a
# browser drops, what ends a path or a name, and a letter.
CHARACTERS = "/\\.%25eFc\t\n:@?#;a"
PIECES = [
    *("/", "\\", ".", "..", "?", "#", ":", "@", ";", "\t", "\r\n", "\x00", " ", "a", "e.com", "https:"),
    *("%2f", "%2F", "%5c", "%2e", "%2E%2e", "%3f", "%23", "%09", "%0d%0a", "%00", "%20", "%25", "%"),
    *("%252f", "%255C", "%252e", "%2509", "%2523", "2f", "5c", "2e", "%EF%BC%8F", "telegram", "%74elegram"),
]


def accepts(value: object) -> bool:
    """Whether `value` passes; whatever passes must come back as it was."""
    try:
        assert require_return_to(value) == value
    except MalformedRequest:
        return False
    return True


def naive(value: str) -> bool:
    """The check that most sites have had, before their advisory."""
    return value.startswith("/") and not value.startswith("//")


def readings(value: str) -> tuple[str, str, str]:
    """`value` as it stands, decoded once and decoded twice."""
    return value, unquote(value), unquote(unquote(value))


def stays(value: str) -> bool:
    """Whether a browser that is sent to `value` is on this site then, at a path with one slash in front."""
    for base, origin in BASES.items():
        try:
            url = URL(value, base=base)
        except ValueError:
            return False
        if url.origin != origin or url.pathname.startswith("//") or url.username or url.password:
            return False
    return True


def assert_safe(value: str) -> None:
    """Every reading of `value` is a path that a browser resolves to this site, and one line of a header."""
    assert value.isascii()
    assert len(value) <= 512
    for reading in set(readings(value)):
        assert naive(reading), value
        assert not set("\\\r\n\t\x00") & set(reading), value
        assert stays(reading), value
        assert not URL(reading, base="https://tgauth.example/").pathname.startswith("/telegram/"), value


def test_refuses() -> None:
    """What is not surely a path of this site raises MalformedRequest, whose reason repeats none of it."""
    for name, value in {**REFUSED, **NO_TEXT}.items():
        with named(name), pytest.raises(MalformedRequest, match=r"^return_to is not a path on this site$"):
            require_return_to(value)


def test_takes() -> None:
    """Paths and queries that sites have come back unchanged, and a browser stays on this site with them."""
    for name, value in TAKEN.items():
        with named(name):
            assert require_return_to(value) == value
            assert_safe(value)


def test_the_oracle_sees_more_than_a_naive_check() -> None:
    """A browser leaves this site for paths that start with one slash: the oracle knows, and so must we."""
    for name, value in ELSEWHERE.items():
        assert naive(value), name
        assert not stays(value), name


def test_the_oracle_sees_what_somebody_decodes_first() -> None:
    """A path that is harmless as it stands leaves this site when a proxy or a page has decoded it."""
    for value in ("/%2fe.com", "/%5ce.com", "/%09/e.com", "/%252fe.com", "/%255ce.com", "/%2509/e.com"):
        assert value in REFUSED.values()
        assert stays(value), value
        assert not all(map(stays, readings(value))), value


def test_refuses_every_control_character_however_encoded() -> None:
    """No control character passes, be it as it stands, encoded once or encoded twice."""
    for code in (*range(0x00, 0x20), *range(0x7F, 0xA0)):
        once = quote(chr(code), safe="")
        for spelling in (chr(code), once, quote(once, safe="")):
            assert not accepts(f"/a{spelling}b"), code
            assert not accepts(f"/a?b={spelling}"), code


def test_takes_a_short_alphabet() -> None:
    """Of all characters below U+3000, letters, digits and nine signs of ASCII may stand unencoded."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    taken = {chr(code) for code in range(0x3000) if accepts(f"/a{chr(code)}b")}
    assert taken == set(letters + "-._~/?=&+:")


SHORT = [
    pytest.param(CHARACTERS, 3, 100, id="characters"),
    pytest.param(PIECES, 2, 40, id="pieces"),
    pytest.param(CHARACTERS, 4, 500, id="characters, longer", marks=pytest.mark.slow),
    pytest.param("/\\.%25f\t", 5, 500, id="fewer characters, still longer", marks=pytest.mark.slow),
    pytest.param(PIECES, 3, 500, id="pieces, longer", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("alphabet", "longest", "least"), SHORT)
def test_every_short_text_that_is_taken_is_safe(alphabet: str | list[str], longest: int, least: int) -> None:
    """All that can be put together from dangerous parts after a slash is refused or stays on this site."""
    accepted, refused, elsewhere = 0, 0, 0
    for length in range(longest + 1):
        for parts in itertools.product(alphabet, repeat=length):
            value = "/" + "".join(parts)
            if accepts(value):
                accepted += 1
                assert_safe(value)
            else:
                refused += 1
                elsewhere += naive(value) and not stays(value)
    assert accepted > least
    assert refused > 3 * accepted
    assert elsewhere > least


dangerous = st.text(alphabet="/\\.%2eE5cCfF09aA0dD\t\n:@?#;bgxyz", max_size=24)
harmless = st.text(alphabet="abcxyz059-_~=?&+:,", max_size=8)
encoded = st.text(max_size=6).map(lambda text: quote(text.encode("utf-8", "replace"), safe=""))
mixed = st.lists(harmless | encoded | st.sampled_from(PIECES), max_size=6).map("".join)


@pytest.mark.parametrize("examples", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_whatever_is_taken_is_safe(examples: int) -> None:
    """Texts of any kind are refused or stay on this site, and there are enough of both to tell."""
    seen = {True: 0, False: 0}

    @settings(max_examples=examples, deadline=None)
    @given(st.text() | st.builds(str.__add__, st.sampled_from(["/", "/", "/a/", ""]), dangerous | mixed))
    def check(value: str) -> None:
        taken = accepts(value)
        seen[taken] += 1
        if taken:
            assert_safe(value)

    check()
    assert seen[True] > examples // 20
    assert seen[False] > examples // 4
