"""Proofs of each kind that must be refused, wherever they can come in, against a provider on a socket.

A row says which requirement it comes from, what is wrong and how it is sent; tests/unit/telegram/ has the
many ways in which the same can be wrong. Each refusal asks the store nothing, gives no session cookie, and of
a state that is not this browser's Telegram hears nothing. All answers of one code are the same bytes but for
the request id and, where somebody genuine is kept out, the account that is named to them. One header is left
out of that: where a transaction was spent, Set-Cookie removes its cookie, which only the browser that began
it can see.
"""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from dev.telegram.grants import OAuthError
from dev.telegram.signing import Keys
from tests.site import (
    DAY,
    NOW,
    OTHER_BOT_TOKEN,
    OWN_PAGE,
    USER,
    Answer,
    Site,
)
from tests.unit.web.telegram import (
    ALICE,
    KEYS,
    PAGE,
    TX,
    Browser,
    Telegram,
    fixtures,
    parameter,
    session_cookies,
)

running, telegram = fixtures

MAC = "ASVS V6.8.2: what vouches for a user is checked for its integrity"
SELF_CONTAINED = "ASVS V9.1.1: a self-contained token is validated by its signature or MAC"
ALGORITHM = "ASVS V9.1.2: only algorithms on an allow-list, and not none"
KEY_SOURCE = "ASVS V9.1.3: keys only from the pinned source"
VALIDITY = "ASVS V9.2.1: only within its validity time span"
KIND = "ASVS V9.2.2: a token is of the kind that is expected"
INPUT = "ASVS V2.2.1: input is validated against what is expected of it"
TYPES = "ASVS V15.3.5: types are checked, none is coerced"
POLLUTION = "ASVS V15.3.7: no parameter is taken from two places"
ONCE = "ASVS V2.3.1: the steps of a login are taken in order, and once"
ACCOUNT = "ASVS V6.8.1 and V10.5.2: the account is the id, not another claim"
ACCESS = "ASVS V7.4.2: whom the owner keeps out gets no session"
BOUND = "ASVS V10.1.2: an answer counts only in the browser and transaction that asked"
CSRF = "ASVS V10.2.1: the code flow is protected against request forgery"
MIX_UP = "ASVS V10.2.2 and RFC 9207: the issuer, where it is named, is ours"
CODE = "RFC 6749 section 4.1.2: a code is one, of printable characters, and used once"
PKCE = "RFC 7636 section 4.6: a code goes with its own verifier"
ISSUER = "OIDC Core 3.1.3.7 item 2: the issuer is exactly ours"
AUDIENCE = "OIDC Core 3.1.3.7 item 3: the audience is our client and nobody else"
PARTY = "OIDC Core 3.1.3.7 items 4 and 5: the authorized party, where it is named, is our client"
SIGNED = "OIDC Core 3.1.3.7 items 6 to 8: signed with the issuer's key, by the algorithm we expect"
EXPIRY = "OIDC Core 3.1.3.7 item 9: not expired"
ISSUED = "OIDC Core 3.1.3.7 item 10: issued just now"
NONCE = "OIDC Core 3.1.3.7 item 11: the nonce is the one that was sent"
REQUIRED = "OIDC Core section 2: the claims that must be there are there"

Send = Callable[[], Answer]


@dataclass
class Scene:
    """A deployment that keeps user 13 out, a browser, and somebody else's."""

    telegram: Telegram
    site: Site
    browser: Browser
    stranger: Browser

    @property
    def now(self) -> int:
        return int(self.site.clock())

    def post(self, body: Any, **headers: str) -> Send:
        return lambda: self.browser.login(body, headers={**OWN_PAGE, **headers})

    def arrive(self, query: str) -> Send:
        return lambda: self.browser.go("/telegram/login", query)

    def back(self, query: str, browser: Browser | None = None, **request: Any) -> Send:
        return lambda: (browser or self.browser).back(query, **request)


def scene(telegram: Telegram) -> Scene:
    """A new one, at the time `NOW`."""
    telegram.clock.time = NOW
    telegram.provider.faults.clear()
    site = telegram.site({"TELEGRAM_DENY": "13"})
    return Scene(telegram, site, Browser(site), Browser(site))


@dataclass(frozen=True)
class Row:
    """What is wrong (`attempt` prepares it and gives what sends it), and how it is refused.

    `asks` is how many token requests it costs.
    """

    source: str
    attempt: Callable[[Scene], Send]
    code: str = "login_rejected"
    asks: int = 0


ROWS: dict[str, Row] = {}


def row(name: str, *args: Any, **more: Any) -> None:
    assert name not in ROWS, name
    ROWS[name] = Row(*args, **more)


def flip(text: str, index: int) -> str:
    """Another character of the same kind there."""
    index %= len(text)
    return text[:index] + ("1" if text[index] != "1" else "2") + text[index + 1 :]


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def widget_entries(name: str, source: str, make: Callable[[Site], Any], code: str, **codes: str) -> None:
    """Rows for one set of fields: the widget's object, below `widget`, with a state, and by redirect."""

    def with_state(scene: Scene) -> Send:
        fields = make(scene.site)
        return scene.post({"widget": fields, "state": scene.browser.start()["state"]})

    def redirect(scene: Scene) -> Send:
        fields = make(scene.site)
        return scene.arrive(urlencode({**fields, "state": scene.browser.start()["state"]}))

    def bearer(scene: Scene) -> Send:
        fields = make(scene.site)
        return lambda: scene.site.login({"widget": fields, "transport": "bearer"}, headers={})

    ways: dict[str, Callable[[Scene], Send]] = {
        "flat": lambda scene: scene.post(make(scene.site)),
        "wrapped": lambda scene: scene.post({"widget": make(scene.site)}),
        "bearer": bearer,
        "state": with_state,
        "redirect": redirect,
    }
    for way, attempt in ways.items():
        expected = codes.get(way, code)
        if expected != "-":
            row(f"widget, {name}: {way}", source, attempt, expected)


def changed(name: str, change: Callable[[str], Any]) -> Callable[[Site], dict[str, Any]]:
    return lambda site: (fields := site.widget()) | {name: change(str(fields[name]))}


def resigned(**changes: Any) -> Callable[[Site], dict[str, Any]]:
    return lambda site: site.widget(**changes)


REJECTED, STALE, MALFORMED = "login_rejected", "login_stale", "malformed_request"
NOT_ALLOWED = "not_allowed"

for field in ("id", "first_name", "last_name", "username", "photo_url", "auth_date", "hash"):
    widget_entries(f"{field} flipped", MAC, changed(field, lambda v: flip(v, -1)), REJECTED)
widget_entries("last_name taken out", MAC, lambda site: without(site.widget(), "last_name"), REJECTED)
widget_entries("last_name emptied", MAC, changed("last_name", lambda _: ""), REJECTED)
widget_entries("hash missing", MAC, lambda site: without(site.widget(), "hash"), REJECTED, flat=MALFORMED)
widget_entries("nothing but a hash", MAC, lambda _site: {"hash": "0" * 64}, REJECTED)

BAD_HASHES: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "non-ASCII": lambda _: "é" * 64,
    "upper case": lambda v: v.upper() if v.upper() != v else "A" * 64,
    "line feed at the end": lambda v: v + "\n",
}
for title, spoil in BAD_HASHES.items():
    widget_entries(f"hash {title}", MAC, changed("hash", spoil), REJECTED)

widget_entries("line feed in a name", INPUT, resigned(first_name="A\nB"), MALFORMED)
for field in ("id", "auth_date"):
    widget_entries(f"{field} with a sign", INPUT, resigned(**{field: "+77"}), MALFORMED)
# What cannot be in an optional field counts as absent, so it is not what was signed.
for field, code in {
    "id": MALFORMED,
    "auth_date": MALFORMED,
    "first_name": REJECTED,
    "hash": MALFORMED,
}.items():
    widget_entries(f"{field} is true", TYPES, lambda s, f=field: s.widget() | {f: True}, code, redirect="-")
widget_entries("a field that Telegram signed, changed", MAC, lambda s: s.widget(x="1") | {"x": "2"}, REJECTED)
widget_entries("another bot's", MAC, lambda site: site.widget(OTHER_BOT_TOKEN), REJECTED)
widget_entries("a second from the future", VALIDITY, lambda s: s.widget(auth_date=NOW + 61), REJECTED)
widget_entries("a second too old", VALIDITY, lambda s: s.widget(auth_date=NOW - 301), STALE)
widget_entries("of somebody kept out", ACCESS, lambda s: s.widget(id=13), NOT_ALLOWED)
widget_entries("signed without id", ACCOUNT, lambda s: s.widget(id=None), REJECTED)
widget_entries("signed without auth_date", VALIDITY, lambda s: s.widget(auth_date=None), REJECTED)
widget_entries("initData's own fields", KIND, lambda s: dict(parse_qsl(s.init_data())), REJECTED)


def used_widget(way: str) -> Callable[[Scene], Send]:
    def attempt(scene: Scene) -> Send:
        fields = scene.site.widget()
        assert scene.stranger.login(fields).status == 200
        if way == "redirect":
            return scene.arrive(urlencode({**fields, "state": scene.browser.start()["state"]}))
        if way == "state":
            return scene.post({"widget": fields, "state": scene.browser.start()["state"]})
        return scene.post(fields)

    return attempt


for way in ("flat", "state", "redirect"):
    row(f"widget, used: {way}", ONCE, used_widget(way), STALE)


def twice_in_query(name: str) -> Callable[[Scene], Send]:
    def attempt(scene: Scene) -> Send:
        fields = {**scene.site.widget(), "state": scene.browser.start()["state"]}
        return scene.arrive(urlencode([*fields.items(), (name, fields[name])]))

    return attempt


for field in ("id", "hash"):
    row(f"widget, {field} twice: redirect", POLLUTION, twice_in_query(field), MALFORMED)
row("widget, state twice: redirect", POLLUTION, twice_in_query("state"), MALFORMED)
row(
    "widget, in a query that is no UTF-8: redirect",
    INPUT,
    lambda s: s.arrive(f"first_name=%FF&hash={'0' * 64}&state={s.browser.start()['state']}"),
    MALFORMED,
)


def init_data_entries(name: str, source: str, make: Callable[[Site], str], code: str = REJECTED) -> None:
    """Rows for one initData, for a bearer token and for a cookie."""

    def bearer(scene: Scene) -> Send:
        body = {"init_data": make(scene.site)}
        return lambda: scene.site.login(body, headers={})

    row(f"initData, {name}: bearer", source, bearer, code)
    row(
        f"initData, {name}: cookie",
        source,
        lambda scene: scene.post({"init_data": make(scene.site), "transport": "cookie"}),
        code,
    )


def reread(change: Callable[[dict[str, str]], Any]) -> Callable[[Site], str]:
    """Signed initData with its decoded fields changed; what `change` returns replaces them."""

    def make(site: Site) -> str:
        fields = dict(parse_qsl(site.init_data(key=bytes(32)), keep_blank_values=True))
        return urlencode(change(fields) or fields, quote_via=quote)

    return make


for field in ("query_id", "user", "auth_date", "signature", "hash"):
    init_data_entries(
        f"{field} flipped", MAC, reread(lambda f, field=field: {**f, field: flip(f[field], -1)})
    )
init_data_entries("signature taken out", MAC, reread(lambda f: without(f, "signature")))
init_data_entries(
    "user twice",
    POLLUTION,
    lambda s: (d := s.init_data(key=bytes(32))) + f"&user={dict(parse_qsl(d))['user']}",
    MALFORMED,
)
for title, spoil in BAD_HASHES.items():
    init_data_entries(f"hash {title}", MAC, reread(lambda f, spoil=spoil: {**f, "hash": spoil(f["hash"])}))
init_data_entries("line feed in a field", INPUT, lambda s: s.init_data(start_param="A\nB"), MALFORMED)
init_data_entries("another bot's", MAC, lambda s: s.init_data(OTHER_BOT_TOKEN))
init_data_entries("a second from the future", VALIDITY, lambda s: s.init_data(auth_date=NOW + 61))
init_data_entries("a second too old", VALIDITY, lambda s: s.init_data(auth_date=NOW - DAY - 1), STALE)
init_data_entries("of somebody kept out", ACCESS, lambda s: s.init_data(user={**USER, "id": 13}), NOT_ALLOWED)
init_data_entries("user without id", ACCOUNT, lambda s: s.init_data(user={"first_name": "A"}))
init_data_entries("a whole widget", KIND, lambda s: urlencode(s.widget()))
init_data_entries("an id_token", KIND, lambda _s: "a.b.c", MALFORMED)
init_data_entries("nothing", INPUT, lambda _s: "", REJECTED)

KINDS: dict[str, tuple[Callable[[Scene], Any], str]] = {
    "a widget as id_token": (lambda s: {"id_token": s.site.widget()}, MALFORMED),
    "a widget's hash as id_token": (lambda s: {"id_token": str(s.site.widget()["hash"])}, REJECTED),
    "initData as id_token": (lambda s: {"id_token": s.site.init_data()}, REJECTED),
    "initData as widget": (lambda s: {"widget": s.site.init_data()}, MALFORMED),
    "an id_token as widget": (lambda s: {"widget": s.telegram.token()}, MALFORMED),
    "an id_token as hash": (lambda s: s.site.widget() | {"hash": s.telegram.token()}, REJECTED),
    "an id_token as initData": (lambda s: {"init_data": s.telegram.token()}, MALFORMED),
    "an id_token as initData's hash": (lambda s: {"init_data": f"hash={s.telegram.token()}"}, REJECTED),
    "a session token as id_token": (
        lambda s: {"id_token": s.stranger.login(s.site.widget()).token},
        REJECTED,
    ),
    "a transaction cookie as id_token": (
        lambda s: {"id_token": (s.browser.begin(), s.browser.cookies[s.browser.transactions[0]])[1]},
        REJECTED,
    ),
    "a code as id_token": (lambda s: {"id_token": s.telegram.code(s.browser.begin())}, REJECTED),
}
for title, (body, code) in KINDS.items():
    row(f"kinds, {title}", KIND, lambda s, body=body: s.post(body(s)), code)


@dataclass
class Making:
    """What an id_token is made of: change it before it is signed, or sign it in another way."""

    scene: Scene
    claims: dict[str, Any]

    def sign(self, kid: str = "oidc-1", headers: Any = None, **changes: Any) -> str:
        claims = {name: value for name, value in {**self.claims, **changes}.items() if value is not MISSING}
        return self.scene.telegram.provider.sign(claims, kid=kid, headers=headers)


MISSING = object()
Make = Callable[[Making], str]


def token_entries(name: str, source: str, make: Make, code: str = REJECTED, *, only: str = "") -> None:
    """Rows for one id_token: for a cookie and for a bearer token with the browser's nonce, for a bearer token
    without one, and as what the token endpoint gives for a code, with and without the nonce.
    """

    def made(scene: Scene, nonce: str | None) -> str:
        return make(Making(scene, scene.telegram.provider.claims(ALICE, nonce=nonce)))

    def cookie(scene: Scene) -> Send:
        return scene.post({"id_token": made(scene, scene.browser.start()["nonce"])})

    def bearer(scene: Scene) -> Send:
        return scene.post({"id_token": made(scene, scene.browser.start()["nonce"]), "transport": "bearer"})

    def native(scene: Scene) -> Send:
        body = {"id_token": made(scene, None), "transport": "bearer"}
        return lambda: scene.site.login(body, headers={})

    def callback(scene: Scene, nonce: bool = False) -> Send:
        location = scene.browser.begin()
        scene.telegram.answer_with(made(scene, parameter(location, "nonce") if nonce else None))
        return scene.back(f"code={scene.telegram.code(location)}&state={parameter(location, 'state')}")

    ways: dict[str, tuple[Callable[[Scene], Send], int]] = {
        "cookie": (cookie, 0),
        "bearer": (bearer, 0),
        "native": (native, 0),
        "callback": (callback, 1),
        "callback with nonce": (lambda scene: callback(scene, nonce=True), 1),
    }
    for way, (attempt, asks) in ways.items():
        if not only or way in only.split(","):
            row(f"id_token, {name}: {way}", source, attempt, code, asks=asks)


def claims(**changes: Any) -> Make:
    return lambda making: making.sign(**changes)


for title, source, changes in (
    ("iss of another host", ISSUER, {"iss": "https://oauth.telegram.org.evil.example"}),
    ("iss missing", ISSUER, {"iss": MISSING}),
    ("aud another", AUDIENCE, {"aud": "987654322"}),
    ("aud a list with another", AUDIENCE, {"aud": ["987654321", "987654322"]}),
    ("azp another", PARTY, {"azp": "987654322"}),
    ("exp just over", EXPIRY, {"exp": NOW - 60}),
    ("iat a second too old", ISSUED, {"iat": NOW - 601}),
    ("iat a second from the future", ISSUED, {"iat": NOW + 61}),
    ("nbf a second from the future", VALIDITY, {"nbf": NOW + 61}),
    ("sub missing", REQUIRED, {"sub": MISSING}),
    ("id missing", ACCOUNT, {"id": MISSING}),
    ("id with a sign", ACCOUNT, {"id": "+5"}),
    ("id true", TYPES, {"id": True}),
):
    token_entries(title, source, claims(**changes))
token_entries("of somebody kept out", ACCESS, claims(id=13), NOT_ALLOWED)

NONCES = "cookie,bearer,native,callback"
token_entries("nonce another", NONCE, claims(nonce="A" * 43), only=NONCES)
token_entries("nonce empty", NONCE, claims(nonce=""), only=NONCES)
token_entries("nonce missing", NONCE, claims(nonce=MISSING), only="cookie")
token_entries(
    "nonce in another case",
    NONCE,
    lambda m: m.sign(nonce=m.claims["nonce"].swapcase()),
    only="cookie,bearer,callback with nonce",
)
token_entries(
    "nonce of another browser", BOUND, lambda m: m.sign(nonce=m.scene.stranger.start()["nonce"]), only=NONCES
)
token_entries(
    "nonce of the browser's other login",
    BOUND,
    lambda m: m.sign(nonce=m.scene.browser.start()["nonce"]),
    only="callback",
)
token_entries(
    "the state for a nonce", BOUND, lambda m: m.sign(nonce=m.scene.browser.start()["state"]), only=NONCES
)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def mangled(change: Callable[[list[str]], list[str]]) -> Make:
    """A signed token whose parts are others."""
    return lambda m: ".".join(change(m.sign().split(".")))


def swapped(parts: list[str], part: int) -> list[str]:
    """The token with one other bit, of a decoded byte, so that it is no other spelling of the same."""
    data = bytearray(unb64(parts[part]))
    data[-1] ^= 1
    return [*parts[:part], b64(bytes(data)), *parts[part + 1 :]]


_ours = Keys()
"""Keys under the issuer's names that are not the issuer's."""

UNSIGNED = b64(b'{"alg":"none","kid":"oidc-1"}')
token_entries("alg none", ALGORITHM, mangled(lambda parts: [UNSIGNED, parts[1], ""]))
token_entries("signed with another algorithm of the issuer's", ALGORITHM, lambda m: m.sign("oidc-eddsa-1"))
token_entries("right header, wrong RSA key", SIGNED, lambda m: _ours.sign(m.claims, "oidc-1"))
token_entries("right header, wrong EC key", SIGNED, lambda m: _ours.sign(m.claims, "oidc-es256-1"))
token_entries("RSA's signature, EC's kid", SIGNED, lambda m: m.sign(headers={"kid": "oidc-es256-1"}))
token_entries("kid of nobody", KEY_SOURCE, lambda m: m.sign(headers={"kid": "../oidc-1"}))
token_entries(
    "jwk in the header, signed by that key",
    KEY_SOURCE,
    lambda m: _ours.sign(m.claims, "oidc-1", {"jwk": _ours.jwks()["keys"][0]}),
)
for part, title in enumerate(("header", "payload", "signature")):
    token_entries(
        f"a bit of the {title} flipped", SELF_CONTAINED, mangled(lambda parts, p=part: swapped(parts, p))
    )
token_entries("signature taken out", SELF_CONTAINED, mangled(lambda parts: [*parts[:2], ""]))
token_entries("four parts", SELF_CONTAINED, mangled(lambda parts: [*parts, "x"]))
token_entries("empty", SELF_CONTAINED, lambda _m: "")
token_entries("payload deep", INPUT, mangled(lambda parts: [parts[0], b64(b"[" * 5000), parts[2]]))


def used_token(transport: str, *, keep: bool) -> Callable[[Scene], Send]:
    """A second use, by a browser that did or did not keep the cookie of its spent transaction."""

    def attempt(scene: Scene) -> Send:
        token = scene.telegram.token(nonce=scene.browser.start()["nonce"])
        body = {"id_token": token, "transport": transport}
        first = scene.browser.copy() if keep else scene.browser
        assert first.login(body).status == 200
        return scene.post(body)

    return attempt


def used_native(scene: Scene) -> Send:
    body = {"id_token": scene.telegram.token(), "transport": "bearer"}
    assert scene.site.login(body, headers={}).status == 200
    return lambda: scene.site.login(body, headers={})


for transport in ("cookie", "bearer"):
    row(f"id_token, used, its cookie kept: {transport}", ONCE, used_token(transport, keep=True))
    row(f"id_token, used, its cookie gone: {transport}", ONCE, used_token(transport, keep=False))
row("id_token, used: native", ONCE, used_native, STALE)


def too_late(scene: Scene) -> Send:
    """A token of now with the nonce of a login that began ten minutes ago."""
    nonce = scene.browser.start()["nonce"]
    scene.telegram.clock.time += 600
    return scene.post({"id_token": scene.telegram.token(nonce=nonce)})


row("id_token, nonce of a login that is over: cookie", VALIDITY, too_late)


def states(name: str, source: str, change: Callable[[Scene, str], str | None]) -> None:
    """Rows for a state that is not one of this browser's: at the callback, with good and bad codes, with an
    error, and beside a widget. `change` may change the browser's cookies and gives the state, None for no
    such parameter.
    """

    def state_of(scene: Scene) -> tuple[str, str]:
        location = scene.browser.begin()
        state = change(scene, parameter(location, "state"))
        return location, "" if state is None else f"&state={quote(state, safe='')}"

    def good(scene: Scene) -> Send:
        location, state = state_of(scene)
        return scene.back(f"code={scene.telegram.code(location)}{state}")

    def widget(scene: Scene) -> Send:
        state = change(scene, parameter(scene.browser.begin(), "state"))
        return scene.post({"widget": scene.site.widget(), "state": state})

    row(f"state {name}: callback", source, good)
    row(f"state {name}: junk code", source, lambda scene: scene.back(f"code=junk{state_of(scene)[1]}"))
    row(f"state {name}: error", source, lambda scene: scene.back(f"error=access_denied{state_of(scene)[1]}"))
    if change is not _missing:
        row(f"state {name}: widget", source, widget)


def _missing(_: Scene, __: str) -> None:
    return None


def _forget(scene: Scene, state: str) -> str:
    scene.browser.cookies.clear()
    return state


def _used(scene: Scene, state: str) -> str:
    assert scene.browser.copy().back(f"error=access_denied&state={state}").code == "login_cancelled"
    return state


def moved(seconds: int) -> Callable[[Scene, str], str]:
    def later(scene: Scene, state: str) -> str:
        scene.telegram.clock.time += seconds
        return state

    return later


def cookie_changed(change: Callable[[str], str]) -> Callable[[Scene, str], str]:
    def changed_cookie(scene: Scene, state: str) -> str:
        (name,) = scene.browser.transactions
        before = scene.browser.cookies[name]
        scene.browser.cookies[name] = change(before)
        assert scene.browser.cookies[name] != before
        return state

    return changed_cookie


states("missing", CSRF, _missing)
states("empty", CSRF, lambda _scene, _state: "")
states("of another browser", BOUND, lambda scene, _state: parameter(scene.stranger.begin(), "state"))
states("in a browser without its cookie", BOUND, _forget)
states("used", ONCE, _used)
states("over", VALIDITY, moved(600))
states("from the future", VALIDITY, moved(-61))
states("cut", CSRF, lambda _scene, state: state[:-1])
states("flipped", CSRF, lambda _scene, state: flip(state, 12))
states("of the same first characters", CSRF, lambda _scene, state: state[:8] + "A" * 16)
states("non-ASCII", CSRF, lambda _scene, _state: "é" * 24)
states("with a cookie of a flipped signature", CSRF, cookie_changed(lambda v: flip(v, -20)))
states("with a cookie that leads elsewhere", CSRF, cookie_changed(lambda v: v.replace("./.", "./x.")))


def answers(
    name: str, source: str, query: Callable[[Scene, str], str], code: str = REJECTED, asks: int = 0
) -> None:
    """A row for what comes back with a good state; `query` gets the address that the browser was sent to."""

    def attempt(scene: Scene) -> Send:
        location = scene.browser.begin()
        return scene.back(query(scene, location).replace("STATE", parameter(location, "state")))

    row(f"callback, {name}", source, attempt, code, asks=asks)


def redeemed(scene: Scene, location: str) -> str:
    code = scene.telegram.code(location)
    with suppress(OAuthError):
        scene.telegram.provider._codes.redeem(code, "", None)
    return f"code={code}&state=STATE"


def expired(scene: Scene, location: str) -> str:
    code = scene.telegram.code(location)
    scene.telegram.clock.time += 300
    return f"code={code}&state=STATE"


answers("without code", CODE, lambda _s, _at: "state=STATE")
answers("code empty", CODE, lambda _s, _at: "code=&state=STATE")
answers("code twice", POLLUTION, lambda s, at: f"code={(c := s.telegram.code(at))}&code={c}&state=STATE")
answers("two codes", POLLUTION, lambda s, at: f"code=x&code={s.telegram.code(at)}&state=STATE")
answers("state twice", POLLUTION, lambda s, at: f"code={s.telegram.code(at)}&state=STATE&state=STATE")
answers("another parameter twice", POLLUTION, lambda s, at: f"code={s.telegram.code(at)}&state=STATE&x=1&x=1")
answers("no UTF-8", INPUT, lambda s, at: f"code={s.telegram.code(at)}&state=STATE&x=%FF")
answers("code with a line end", CODE, lambda _s, _at: "code=a%0D%0ASet-Cookie:x&state=STATE")
answers("code unknown", CODE, lambda _s, _at: "code=unknown&state=STATE", asks=1)
answers("code of markup", CODE, lambda _s, _at: "code=%3Cscript%3E%26%3B&state=STATE", asks=1)
answers("code used", CODE, redeemed, asks=1)
answers("code over", VALIDITY, expired, asks=1)
for title, other_code in {
    "of another login": lambda s: s.telegram.code(s.browser.begin()),
    "of another browser": lambda s: s.telegram.code(s.stranger.begin()),
    "without a challenge": lambda s: s.telegram.provider.code_for(ALICE),
}.items():
    answers(f"code {title}", PKCE, lambda s, _at, c=other_code: f"code={c(s)}&state=STATE", asks=1)
answers(
    "iss another",
    MIX_UP,
    lambda s, at: f"code={s.telegram.code(at)}&state=STATE&iss=https://oauth.telegram.org",
)
answers("error unknown", CSRF, lambda _s, _at: "error=something&state=STATE")
answers("error and a code", CSRF, lambda s, at: f"error=something&code={s.telegram.code(at)}&state=STATE")
answers("error twice", POLLUTION, lambda _s, _at: "error=access_denied&error=access_denied&state=STATE")
answers("refused by the user", CSRF, lambda _s, _at: "error=access_denied&state=STATE", "login_cancelled")
answers(
    "refused by the user, with a code",
    CSRF,
    lambda s, at: f"error=access_denied&code={s.telegram.code(at)}&state=STATE",
    "login_cancelled",
)
answers(
    "refused, from another issuer",
    MIX_UP,
    lambda _s, _at: "error=access_denied&iss=https://evil.example&state=STATE",
)


def used_answer(scene: Scene) -> Send:
    """After the minute in which it leads where the first one led."""
    query = scene.telegram.agree(scene.browser.begin())
    assert scene.browser.back(query).status == 303
    scene.telegram.clock.time += 60
    return scene.back(query)


row("callback, used", ONCE, used_answer)


def comparable(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    """The answer without its request id, the name of who is kept out, and a spent transaction's removal."""
    for header in answer.all("Set-Cookie"):
        name, _, rest = header.partition("=")
        assert name.startswith(TX), header
        assert rest == "; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
    status, headers, body = answer.without_id()
    hidden = {"Set-Cookie"}
    if answer.code == NOT_ALLOWED:
        told = json.loads(body)
        assert told.pop("user")["id"] == 13
        body, hidden = json.dumps(told).encode(), {"Set-Cookie", "Content-Length"}
    return status, [pair for pair in headers if pair[0] not in hidden], body


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """The first answer of every code; all others must be like it."""
    return {}


STATUS = {NOT_ALLOWED: 403, REJECTED: 401, STALE: 401, "login_cancelled": 401, MALFORMED: 400}


def groups() -> dict[str, list[str]]:
    """The rows by what is wrong, whichever way it comes in."""
    found: dict[str, list[str]] = {}
    for name in ROWS:
        found.setdefault(name.partition(": ")[0], []).append(name)
    return found


@pytest.mark.parametrize("names", groups().values(), ids=groups())
def test_refused(telegram: Telegram, expected: dict[str, Any], names: list[str]) -> None:
    """Status, code, no session, nothing asked of the store, and not a byte that says what was wrong."""
    for name in names:
        row, at = ROWS[name], scene(telegram)
        send = row.attempt(at)
        store = at.site.store
        fields, calls = store.fields(), len(store.calls)
        telegram.forget()
        answer = send()
        assert (answer.status, answer.code) == (STATUS[row.code], row.code), (name, row.source)
        assert session_cookies(answer) == [], name
        assert store.calls[calls:] == [], name
        assert store.fields() == fields, name
        assert len(telegram.received()) == row.asks, name
        assert len(telegram.received(KEYS)) <= 1, name
        assert comparable(answer) == expected.setdefault(row.code, comparable(answer)), name


def test_every_row_names_its_source() -> None:
    """The table names a requirement for each row, and there is more than a row for each requirement."""
    sources = [row.source for row in ROWS.values()]
    assert all(source.startswith(("ASVS V", "OIDC Core ", "RFC ")) for source in sources)
    assert min(sources.count(source) for source in set(sources)) > 1


@pytest.fixture
def accepted(telegram: Telegram) -> Iterator[Site]:
    site = telegram.site()
    yield site
    assert len(site.store.sessions()) == 1


GOOD: dict[str, Callable[[Telegram, Browser], Answer]] = {
    "widget": lambda _t, b: b.login(b.site.widget()),
    "widget with a state": lambda _t, b: b.login({"widget": b.site.widget(), "state": b.start()["state"]}),
    "widget by redirect": lambda _t, b: b.go(
        "/telegram/login", urlencode({**b.site.widget(), "state": b.start()["state"]})
    ),
    "initData": lambda _t, b: b.login({"init_data": b.site.init_data(key=bytes(32))}),
    "code": lambda t, b: b.back(t.agree(b.begin())),
    "code with our issuer": lambda t, b: b.back(t.agree(b.begin()) + f"&iss={quote(t.url, safe='')}"),
    "code in the last second": lambda t, b: (
        at := b.begin(),
        setattr(t.clock, "time", NOW + 599),
        b.back(f"code={t.code(at)}&state={parameter(at, 'state')}"),
    )[-1],
    "id_token, cookie": lambda t, b: b.login({"id_token": t.token(nonce=b.start()["nonce"])}),
    "id_token, native": lambda t, b: b.login({"id_token": t.token(), "transport": "bearer"}, headers={}),
}


@pytest.mark.parametrize("login", GOOD.values(), ids=GOOD)
def test_accepted(telegram: Telegram, accepted: Site, login: Callable[[Telegram, Browser], Answer]) -> None:
    """What the table changes one thing of does log in."""
    assert login(telegram, Browser(accepted)).status in (200, 303)


def test_no_state_no_page_is_different_for_people(telegram: Telegram) -> None:
    """Shown as pages, refusals of one code differ in nothing but the reference, too."""
    site = telegram.site()
    pages = set()
    for name in (
        "state of another browser: callback",
        "callback, code unknown",
        "id_token, iss of another host: callback",
    ):
        scene = Scene(telegram, site, Browser(site), Browser(site))
        scene.browser.navigation = {**PAGE, "X-Vercel-Id": "fra1::canary"}
        answer = ROWS[name].attempt(scene)()
        telegram.provider.faults.clear()
        others = [pair for pair in answer.headers if pair[0] != "Set-Cookie"]
        pages.add((answer.status, tuple(others), answer.body))
    ((status, others, body),) = pages
    assert (status, dict(others)["Location"], body) == (
        303,
        "/error.html?code=login_rejected&reference=fra1::canary",
        b"",
    )
