"""Every proof that must be refused, wherever it can come in, against a provider on a socket.

A row says which requirement it comes from, what is wrong and how it is sent. Each refusal asks the store
nothing, gives no session cookie, and of a state that is not this browser's Telegram hears nothing.
All answers of one code are the same bytes but for the request id and, where somebody genuine is kept out, the
account that is named to them. One header is left out of that: where a
transaction was spent, Set-Cookie removes its cookie, which only the browser that began it can see.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dev.telegram.grants import OAuthError
from dev.telegram.signing import Keys, sign_init_data, sign_widget
from tests.site import (
    AUTH_SECRET,
    BOT_TOKEN,
    CLIENT_SECRET,
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

    def post_text(self, body: bytes) -> Send:
        headers = {**OWN_PAGE, "Content-Type": "application/json"}
        return lambda: self.browser.send("POST", "/telegram/login", body=body, headers=headers)

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
    for index in (0, 3, -1):
        if (field, index) != ("auth_date", 0):
            widget_entries(
                f"{field} flipped at {index}",
                MAC,
                changed(field, lambda v, index=index: flip(v, index)),
                REJECTED,
            )
    if field not in ("id", "auth_date", "hash"):
        widget_entries(f"{field} taken out", MAC, lambda site, f=field: without(site.widget(), f), REJECTED)
        widget_entries(f"{field} emptied", MAC, changed(field, lambda _: ""), REJECTED)
widget_entries("first bit of auth_date flipped", MAC, changed("auth_date", lambda v: "2" + v[1:]), REJECTED)
widget_entries("id taken out", MAC, lambda site: without(site.widget(), "id"), REJECTED)
widget_entries("auth_date taken out", MAC, lambda site: without(site.widget(), "auth_date"), REJECTED)
widget_entries("hash missing", MAC, lambda site: without(site.widget(), "hash"), REJECTED, flat=MALFORMED)
widget_entries("nothing but a hash", MAC, lambda _site: {"hash": "0" * 64}, REJECTED)

BAD_HASHES: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "blank": lambda _: " ",
    "non-ASCII": lambda _: "é" * 64,
    "non-ASCII at the end": lambda v: v[:-1] + "é",
    "upper case": lambda v: v.upper() if v.upper() != v else "A" * 64,
    "line feed at the end": lambda v: v + "\n",
    "carriage return at the end": lambda v: v + "\r",
    "NUL at the end": lambda v: v + "\x00",
    "blank in front": lambda v: " " + v,
    "Arabic digits": lambda _: "\u0661" * 64,
    "full-width digits": lambda v: v.translate({ord("0") + n: 0xFF10 + n for n in range(10)}),
    "cut": lambda v: v[:-1],
    "one more": lambda v: v + "0",
    "doubled": lambda v: v + v,
    "0x": lambda v: "0x" + v[2:],
    "the other half": lambda v: v[32:] + v[:32],
    "long": lambda _: "0" * 5000,
}
for title, spoil in BAD_HASHES.items():
    widget_entries(f"hash {title}", MAC, changed("hash", spoil), REJECTED)

CONTROL = {
    "line feed": "A\nB",
    "line feed at the end": "A\n",
    "line feed that splits the check string": "X\nid=999",
}
for title, value in CONTROL.items():
    widget_entries(f"{title} in a name", INPUT, resigned(first_name=value), MALFORMED)


def split(site: Site) -> dict[str, Any]:
    """Other fields with the MAC of what was signed, since a line feed in one looks like two."""
    signed = sign_widget({"auth_date": NOW, "first_name": "X\nid=999", "id": "111"}, BOT_TOKEN)
    assert (
        signed["hash"]
        == sign_widget({"auth_date": NOW, "first_name": "X", "id": "999\nid=111"}, BOT_TOKEN)["hash"]
    )
    return {**signed, "first_name": "X", "id": "999\nid=111"}


widget_entries("fields split anew at a line feed", INPUT, split, MALFORMED)
for title, value in {
    "with a sign": "+77",
    "with a minus": "-77",
    "with an underscore": "7_7",
    "with blanks": " 77",
    "with a line feed": "77\n",
    "in Arabic digits": "\u0661\u0662",
    "in full-width digits": "\uff11",
    "with a leading zero": "077",
    "zero": "0",
    "empty": "",
    "a fraction": "7.0",
    "an exponent": "1e3",
    "of 17 digits": "1" * 17,
    "over 52 bits": str(1 << 52),
    "hexadecimal": "0x10",
}.items():
    widget_entries(f"id {title}", INPUT, resigned(id=value), MALFORMED)
    if "52 bits" not in title:
        widget_entries(f"auth_date {title}", INPUT, resigned(auth_date=value), MALFORMED)
for title, typed in {
    "true": True,
    "null": None,
    "a list": [1],
    "an object": {},
    "a float": 1.5,
    "huge": 1 << 70,
}.items():
    # What cannot be in an optional field counts as absent, so it is not what was signed.
    for field, code in {
        "id": MALFORMED,
        "auth_date": MALFORMED,
        "first_name": REJECTED,
        "hash": MALFORMED,
    }.items():
        widget_entries(
            f"{field} is {title}",
            TYPES,
            lambda s, f=field, t=typed: s.widget() | {f: t},
            code,
            redirect="-",
        )
widget_entries("a field that Telegram signed, changed", MAC, lambda s: s.widget(x="1") | {"x": "2"}, REJECTED)
widget_entries("a field beside forged ones", MAC, lambda s: s.widget() | {"id": "5", "x": "1"}, REJECTED)
widget_entries(
    "two fields that look like three", INPUT, resigned(**{"x": "1\nid=5", "first_name": "A"}), MALFORMED
)
widget_entries("a name of a field with =", INPUT, resigned(**{"x=1": "2"}), MALFORMED)
widget_entries("another bot's", MAC, lambda site: site.widget(OTHER_BOT_TOKEN), REJECTED)
widget_entries("a second from the future", VALIDITY, lambda s: s.widget(auth_date=NOW + 61), REJECTED)
widget_entries("far from the future", VALIDITY, lambda s: s.widget(auth_date=NOW + 10**9), REJECTED)
widget_entries("a second too old", VALIDITY, lambda s: s.widget(auth_date=NOW - 301), STALE)
widget_entries("of the first second", VALIDITY, lambda s: s.widget(auth_date=1), STALE)
widget_entries("of somebody kept out", ACCESS, lambda s: s.widget(id=13), NOT_ALLOWED)
widget_entries("signed without id", ACCOUNT, lambda s: s.widget(id=None), REJECTED)
widget_entries("signed without auth_date", VALIDITY, lambda s: s.widget(auth_date=None), REJECTED)


def shared_fields() -> dict[str, Any]:
    """What both kinds of proof can consist of."""
    return {"auth_date": NOW, "id": 5, "first_name": "X"}


widget_entries(
    "a Mini App's MAC", KIND, lambda _: dict(parse_qsl(sign_init_data(shared_fields(), BOT_TOKEN))), REJECTED
)
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


def twice_in_json(name: str) -> Callable[[Scene], Send]:
    def attempt(scene: Scene) -> Send:
        fields = scene.site.widget()
        text = json.dumps(fields)
        return scene.post_text(f'{text[:-1]},"{name}":{json.dumps(fields[name])}}}'.encode())

    return attempt


def twice_in_query(name: str) -> Callable[[Scene], Send]:
    def attempt(scene: Scene) -> Send:
        fields = {**scene.site.widget(), "state": scene.browser.start()["state"]}
        return scene.arrive(urlencode([*fields.items(), (name, fields[name])]))

    return attempt


for field in ("id", "first_name", "auth_date", "hash"):
    row(f"widget, {field} twice: JSON", POLLUTION, twice_in_json(field), MALFORMED)
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
    for index in (0, 7, -1):
        init_data_entries(
            f"{field} flipped at {index}",
            MAC,
            reread(lambda f, field=field, index=index: {**f, field: flip(f[field], index)}),
        )
    init_data_entries(f"{field} taken out", MAC, reread(lambda f, field=field: without(f, field)))
    init_data_entries(f"{field} emptied", MAC, reread(lambda f, field=field: {**f, field: ""}))
    init_data_entries(
        f"{field} twice",
        POLLUTION,
        lambda s, f=field: (d := s.init_data(key=bytes(32))) + f"&{f}={dict(parse_qsl(d))[f]}",
        MALFORMED,
    )
for title, spoil in BAD_HASHES.items():
    init_data_entries(f"hash {title}", MAC, reread(lambda f, spoil=spoil: {**f, "hash": spoil(f["hash"])}))
for title, value in CONTROL.items():
    init_data_entries(
        f"{title} in a field", INPUT, lambda s, value=value: s.init_data(start_param=value), MALFORMED
    )
init_data_entries("another field", MAC, reread(lambda f: {**f, "x": "1"}))
init_data_entries("another bot's", MAC, lambda s: s.init_data(OTHER_BOT_TOKEN))
init_data_entries("a second from the future", VALIDITY, lambda s: s.init_data(auth_date=NOW + 61))
init_data_entries("a second too old", VALIDITY, lambda s: s.init_data(auth_date=NOW - DAY - 1), STALE)
init_data_entries("auth_date in Arabic digits", INPUT, lambda s: s.init_data(auth_date="\u0661\u0668" * 5))
init_data_entries("auth_date with an underscore", INPUT, lambda s: s.init_data(auth_date="1_800_000_000"))
init_data_entries("of somebody kept out", ACCESS, lambda s: s.init_data(user={**USER, "id": 13}), NOT_ALLOWED)
init_data_entries("user without id", ACCOUNT, lambda s: s.init_data(user={"first_name": "A"}))
init_data_entries("user id true", TYPES, lambda s: s.init_data(user={**USER, "id": True}))
init_data_entries("user id a fraction", TYPES, lambda s: s.init_data(user={**USER, "id": 1.5}))
init_data_entries(
    "a widget's fields and MAC",
    KIND,
    lambda _s: urlencode({k: str(v) for k, v in sign_widget(shared_fields(), BOT_TOKEN).items()}),
)
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
    "an id_token and a widget": (
        lambda s: {"id_token": s.telegram.token(), "widget": s.site.widget()},
        MALFORMED,
    ),
    "an id_token and initData": (
        lambda s: {"id_token": s.telegram.token(), "init_data": s.site.init_data()},
        MALFORMED,
    ),
    "an id_token and a state": (
        lambda s: {"id_token": s.telegram.token(), "state": s.browser.start()["state"]},
        MALFORMED,
    ),
    "an id_token in a list": (lambda s: {"id_token": [s.telegram.token()]}, MALFORMED),
    "id_token null": (lambda _s: {"id_token": None}, MALFORMED),
    "initData in the JSON of an id_token": (
        lambda s: {"id_token": {"init_data": s.site.init_data()}},
        MALFORMED,
    ),
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


def claim(name: str, value: Any) -> Make:
    return lambda making: making.sign(**{name: value})


for title, value in {
    "with a slash": lambda iss: iss + "/",
    "of another host": lambda _: "https://oauth.telegram.org.evil.example",
    "of the real Telegram": lambda _: "https://oauth.telegram.org",
    "by https": lambda iss: iss.replace("http:", "https:"),
    "in upper case": str.upper,
    "without a path": lambda iss: iss.removesuffix("/_telegram"),
    "with a blank": lambda iss: iss + " ",
    "with a line feed": lambda iss: iss + "\n",
    "empty": lambda _: "",
    "a list": lambda iss: [iss],
    "null": lambda _: None,
    "missing": lambda _: MISSING,
}.items():
    token_entries(f"iss {title}", ISSUER, lambda m, v=value: m.sign(iss=v(m.claims["iss"])))
for title, value in {
    "another": lambda _: "987654322",
    "cut": lambda aud: aud[:-1],
    "longer": lambda aud: aud + "0",
    "a list with another": lambda aud: [aud, "987654322"],
    "a list with another first": lambda aud: ["987654322", aud],
    "a list with it twice": lambda aud: [aud, aud],
    "a list of another": lambda _: ["987654322"],
    "an empty list": lambda _: [],
    "a list in a list": lambda aud: [[aud]],
    "empty": lambda _: "",
    "a number": int,
    "a list of a number": lambda aud: [int(aud)],
    "an object": lambda aud: {aud: aud},
    "with a blank": lambda aud: aud + " ",
    "in Arabic digits": lambda aud: "".join(chr(0x660 + int(digit)) for digit in aud),
    "null": lambda _: None,
    "missing": lambda _: MISSING,
}.items():
    token_entries(f"aud {title}", AUDIENCE, lambda m, v=value: m.sign(aud=v(m.claims["aud"])))
for title, value in {
    "another": "987654322",
    "empty": "",
    "a list": ["987654321"],
    "a number": 987654321,
}.items():
    token_entries(f"azp {title}", PARTY, claim("azp", value))
token_entries("azp another beside a list", PARTY, lambda m: m.sign(aud=[m.claims["aud"]], azp="987654322"))
for title, value in {
    "just over": NOW - 60,
    "long over": 1,
    "zero": 0,
    "negative": -1,
    "text": str(NOW + 600),
    "a fraction": NOW + 600.5,
    "true": True,
    "null": None,
    "missing": MISSING,
}.items():
    token_entries(f"exp {title}", EXPIRY, claim("exp", value))
for title, value in {
    "a second too old": NOW - 601,
    "a second from the future": NOW + 61,
    "far from the future": 10**12,
    "zero": 0,
    "negative": -NOW,
    "text": str(NOW),
    "a fraction": NOW + 0.5,
    "true": True,
    "null": None,
    "missing": MISSING,
}.items():
    token_entries(f"iat {title}", ISSUED, claim("iat", value))
for title, value in {"a second from the future": NOW + 61, "text": str(NOW), "a fraction": NOW - 0.5}.items():
    token_entries(f"nbf {title}", VALIDITY, claim("nbf", value))
for title, value in {
    "missing": MISSING,
    "null": None,
    "empty": "",
    "a number": 5,
    "a list": ["5"],
    "long": "9" * 256,
}.items():
    token_entries(f"sub {title}", REQUIRED, claim("sub", value))
for title, value in {
    "missing": MISSING,
    "null": None,
    "zero": 0,
    "negative": -5,
    "true": True,
    "a fraction": 5.0,
    "over 52 bits": 1 << 52,
    "huge": 10**40,
    "empty": "",
    "text": "alice",
    "with a sign": "+5",
    "with an underscore": "1_7",
    "with a line feed": "5\n",
    "in Arabic digits": "\u0661",
    "a list": [5],
    "an object": {"id": 5},
}.items():
    token_entries(f"id {title}", ACCOUNT, claim("id", value))
token_entries(
    "without the profile scope", ACCOUNT, lambda m: m.sign(id=MISSING, name=MISSING, picture=MISSING)
)
token_entries("of somebody kept out", ACCESS, claim("id", 13), NOT_ALLOWED)

NONCES = "cookie,bearer,native,callback"
for title, value in {
    "another": "A" * 43,
    "empty": "",
    "a number": 5,
    "a list": ["A" * 43],
    "long": "A" * 5000,
    "non-ASCII": "é" * 43,
}.items():
    token_entries(f"nonce {title}", NONCE, claim("nonce", value), only=NONCES)
for title, spoil_nonce in {
    "cut": lambda nonce: nonce[:-1],
    "in another case": str.swapcase,
    "in a list": lambda nonce: [nonce],
    "with a blank": lambda nonce: nonce + " ",
}.items():
    token_entries(
        f"nonce {title}",
        NONCE,
        lambda m, v=spoil_nonce: m.sign(nonce=v(m.claims["nonce"])),
        only="cookie,bearer,callback with nonce",
    )
token_entries("nonce missing", NONCE, claim("nonce", MISSING), only="cookie")
token_entries("nonce null", NONCE, claim("nonce", None), only="cookie")
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


def handmade(header: Any, claims: Any, signature: bytes | Callable[[bytes], bytes] = b"") -> str:
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    signed = ".".join(map(b64, parts))
    return f"{signed}.{b64(signature(signed.encode()) if callable(signature) else signature)}"


_ours = Keys()
"""Keys under the issuer's names that are not the issuer's."""


def forged(kid: str) -> Make:
    return lambda m: _ours.sign(m.claims, kid)


def symmetric(secret: Callable[[Making], bytes], alg: str = "HS256") -> Make:
    """The confusion of a public key with a shared secret (CVE-2016-10555 and its kind)."""
    digest = {"HS256": "sha256", "HS512": "sha512"}[alg]
    header = {"alg": alg, "kid": "oidc-1", "typ": "JWT"}
    return lambda m: handmade(header, m.claims, lambda signed: hmac.digest(secret(m), signed, digest))


def public_jwk(m: Making) -> dict[str, str]:
    return m.scene.telegram.provider.jwks()["keys"][0]


def public_pem(m: Making) -> bytes:
    jwk = public_jwk(m)
    n, e = (int.from_bytes(unb64(jwk[name])) for name in ("n", "e"))
    return RSAPublicNumbers(e, n).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


for alg in ("none", "None", "NONE", "nOnE", "", "RS256 ", "rs256"):
    for title, signature in {"no signature": b"", "a signature": b"x" * 256}.items():
        token_entries(
            f"alg {alg!r} and {title}",
            ALGORITHM,
            lambda m, a=alg, s=signature: handmade({"alg": a, "kid": "oidc-1"}, m.claims, s),
        )
for title, secret in {
    "the public key": public_pem,
    "the public key's line": lambda m: public_pem(m).strip(),
    "the modulus": lambda m: public_jwk(m)["n"].encode(),
    "the key set": lambda m: json.dumps(m.scene.telegram.provider.jwks()).encode(),
    "the client secret": lambda _: CLIENT_SECRET.encode(),
    "the bot token": lambda _: BOT_TOKEN.encode(),
    "nothing": lambda _: b"",
}.items():
    token_entries(f"HS256 with {title}", ALGORITHM, symmetric(secret))
token_entries("HS512 with the public key", ALGORITHM, symmetric(public_pem, "HS512"))
for kid in ("oidc-eddsa-1", "oidc-es256k-1"):
    token_entries(f"signed with {kid}", ALGORITHM, lambda m, kid=kid: m.sign(kid))
    for title, headers in {
        "named ES256": {"alg": "ES256"},
        "named ES256 and oidc-es256-1": {"alg": "ES256", "kid": "oidc-es256-1"},
    }.items():
        token_entries(f"signed with {kid}, {title}", SIGNED, lambda m, kid=kid, h=headers: m.sign(kid, h))
for alg in ("RS384", "RS512", "PS256", "ES384", "EdDSA", "RSA1_5", "dir"):
    token_entries(f"alg {alg}", ALGORITHM, lambda m, a=alg: m.sign(headers={"alg": a}))
for value in (None, ["RS256"], 256, {"alg": "RS256"}, True):
    token_entries(
        f"alg {value!r} in the header",
        TYPES,
        lambda m, v=value: handmade({"alg": v, "kid": "oidc-1"}, m.claims),
    )
token_entries("right header, wrong RSA key", SIGNED, forged("oidc-1"))
token_entries("right header, wrong EC key", SIGNED, forged("oidc-es256-1"))
RSA, EC = {"kid": "oidc-1", "alg": "RS256"}, {"kid": "oidc-es256-1", "alg": "ES256"}
for title, (signer, headers) in {
    "RSA's signature, EC's kid": ("oidc-1", without(EC, "alg")),
    "RSA's signature, EC's kid and alg": ("oidc-1", EC),
    "RSA's signature, alg ES256": ("oidc-1", without(EC, "kid")),
    "EC's signature, RSA's kid": ("oidc-es256-1", without(RSA, "alg")),
    "EC's signature, RSA's kid and alg": ("oidc-es256-1", RSA),
    "EC's signature, alg RS256": ("oidc-es256-1", without(RSA, "kid")),
}.items():
    token_entries(title, SIGNED, lambda m, kid=signer, h=headers: m.sign(kid, h))
KIDS: tuple[Any, ...] = ("other", "", "oidc-1 ", "OIDC-1", "../oidc-1", "oidc-1\n", "\x00", "é", "x" * 5000)
for value in (*KIDS, None, 1, True, ["oidc-1"], {}):
    token_entries(f"kid {str(value)[:20]!r}", KEY_SOURCE, lambda m, v=value: m.sign(headers={"kid": v}))
for name, value in {
    "jku": lambda m: f"{m.claims['iss']}/.well-known/jwks.json",
    "x5u": lambda _: "https://evil.example/cert.pem",
    "jwk": public_jwk,
    "x5c": lambda _: ["MIIB"],
    "crit": lambda _: ["exp"],
    "b64": lambda _: True,
}.items():
    token_entries(
        f"{name} in the header, signed by the issuer",
        KEY_SOURCE,
        lambda m, n=name, v=value: m.sign(headers={n: v(m)}),
    )
    token_entries(
        f"{name} in the header, signed by that key",
        KEY_SOURCE,
        lambda m, n=name, v=value: _ours.sign(
            m.claims, "oidc-1", {n: _ours.jwks()["keys"][0] if n == "jwk" else v(m)}
        ),
    )
token_entries("b64 false and crit", KEY_SOURCE, lambda m: m.sign(headers={"b64": False, "crit": ["b64"]}))


def mangled(change: Callable[[str], str]) -> Make:
    return lambda m: change(m.sign())


def swapped(token: str, part: int, index: int) -> str:
    """The token with one other bit, of a decoded byte, so that it is no other spelling of the same."""
    parts = token.split(".")
    data = bytearray(unb64(parts[part]))
    data[index] ^= 1
    parts[part] = b64(bytes(data))
    return ".".join(parts)


for part, title in enumerate(("header", "payload", "signature")):
    for index in (0, 5, -1):
        token_entries(
            f"a bit of the {title} flipped at {index}",
            SELF_CONTAINED,
            mangled(lambda t, p=part, i=index: swapped(t, p, i)),
        )
for title, change in {
    "signature taken out": lambda t: t.rpartition(".")[0] + ".",
    "signature cut": lambda t: t[:-8],
    "without its last point": lambda t: t.rpartition(".")[0],
    "two parts": lambda t: t.partition(".")[2],
    "four parts": lambda t: t + ".x",
    "five parts": lambda t: t + ".x.x",
    "a line feed at the end": lambda t: t + "\n",
    "a blank in front": lambda t: " " + t,
    "padding": lambda t: t + "=",
    "standard base64": lambda t: t.replace("-", "+").replace("_", "/") + "+",
    "non-ASCII": lambda t: t[:-1] + "é",
    "half a surrogate pair": lambda t: t + "\\ud800",
    "NUL": lambda t: t + "\x00",
    "Bearer": lambda t: "Bearer " + t,
    "nothing": lambda _: "",
    "points": lambda _: "..",
    "another's payload": lambda t: ".".join((t.split(".")[0], b64(b"{}"), t.split(".")[2])),
    "long": lambda t: t + "A" * 12_000,
    "JSON": lambda t: json.dumps(dict(zip(("protected", "payload", "signature"), t.split("."), strict=True))),
}.items():
    token_entries(f"form, {title}", SELF_CONTAINED, mangled(change))
for title, payload in {
    "a list": b"[]",
    "null": b"null",
    "no JSON": b"x",
    "no UTF-8": b'{"iss":"\xff"}',
    "UTF-16": '{"iss":"x"}'.encode("utf-16"),
    "deep": b"[" * 5000,
    "deep in a claim": b'{"a":' * 2000,
    "NaN": b'{"iat":NaN}',
    "a number of many digits": b'{"iat":' + b"9" * 5000 + b"}",
    "nothing": b"",
}.items():
    token_entries(f"payload {title}", INPUT, lambda _m, p=payload: handmade(RSA, p, b"x" * 256))
for title, header in {
    "a list": b"[]",
    "null": b"null",
    "no JSON": b"x",
    "no UTF-8": b'{"alg":"\xff"}',
    "deep": b"[" * 5000,
}.items():
    token_entries(f"header {title}", INPUT, lambda m, h=header: handmade(h, m.claims, b"x" * 256))


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


def other_site(env: dict[str, str]) -> Callable[[Scene], Send]:
    """Cookie and state of another deployment of ours."""

    def attempt(scene: Scene) -> Send:
        foreign = Browser(scene.telegram.site(env))
        location = foreign.begin()
        scene.browser.cookies |= foreign.cookies
        return scene.back(f"code={scene.telegram.code(location)}&state={parameter(location, 'state')}")

    return attempt


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


def _twice(scene: Scene, state: str) -> str:
    (name,) = scene.browser.transactions
    value = scene.browser.cookies.pop(name)
    # As a Cookie header has them: one name, twice.
    scene.browser.cookies["x"] = f"1; {name}={value}; {name}={value}"
    return state


def _other_name(scene: Scene, state: str) -> str:
    """Names that only look like the transaction's."""
    (name,) = scene.browser.transactions
    value = scene.browser.cookies.pop(name)
    scene.browser.cookies |= {name.lower(): value, name.removeprefix("__Host-"): value, f"x{name}": value}
    return state


states("missing", CSRF, _missing)
states("empty", CSRF, lambda _scene, _state: "")
states("of another browser", BOUND, lambda scene, _state: parameter(scene.stranger.begin(), "state"))
states("in a browser without its cookie", BOUND, _forget)
states("used", ONCE, _used)
states("over", VALIDITY, moved(600))
states("from the future", VALIDITY, moved(-61))
states("cut", CSRF, lambda _scene, state: state[:-1])
states("longer", CSRF, lambda _scene, state: state + "A")
states("flipped", CSRF, lambda _scene, state: flip(state, 12))
states("of the same first characters", CSRF, lambda _scene, state: state[:8] + "A" * 16)
states("in another case", CSRF, lambda _scene, state: state.swapcase())
states("with a line feed", CSRF, lambda _scene, state: state + "\n")
states("with NUL", CSRF, lambda _scene, state: state + "\x00")
states("non-ASCII", CSRF, lambda _scene, _state: "é" * 24)
states("long", CSRF, lambda _scene, _state: "A" * 4000)
states(
    "the cookie's whole value",
    CSRF,
    lambda scene, _state: scene.browser.cookies[scene.browser.transactions[0]],
)
states(
    "with a cookie of another signature",
    CSRF,
    cookie_changed(lambda v: v[:-3] + v[-3:][::-1].swapcase() + "A"),
)
states("with a cookie of a flipped signature", CSRF, cookie_changed(lambda v: flip(v, -20)))
states("with a cookie that has no signature", CSRF, cookie_changed(lambda v: v.rpartition(".")[0]))
states(
    "with a cookie of a later start", CSRF, cookie_changed(lambda v: v.replace(f".{NOW}.", f".{NOW + 1}."))
)
states("with a cookie that leads elsewhere", CSRF, cookie_changed(lambda v: v.replace("./.", "./x.")))
states("with a cookie in quotes", CSRF, cookie_changed(lambda v: f'"{v}"'))
states("with a cookie that is there twice", POLLUTION, _twice)
states("with a cookie of another name", BOUND, _other_name)
row("state of another environment", BOUND, other_site({"VERCEL_ENV": "preview", "AUTH_SECRET": AUTH_SECRET}))
row("state of another secret", BOUND, other_site({"AUTH_SECRET": "another-secret-0123456789-0123456789"}))
row("state of another bot", BOUND, other_site({"TELEGRAM_BOT_TOKEN": OTHER_BOT_TOKEN}))


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
for title, value in {
    "with a blank": "a%20b",
    "with a line feed": "a%0Ab",
    "with a line end": "a%0D%0ASet-Cookie:x",
    "with NUL": "a%00",
    "non-ASCII": "%C3%A9",
    "full-width": "%EF%BC%91",
    "long": "a" * 1025,
}.items():
    answers(f"code {title}", CODE, lambda _s, _at, value=value: f"code={value}&state=STATE")
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
for title, issuer in {
    "empty": lambda _: "",
    "another": lambda _: "https://oauth.telegram.org",
    "with a slash": lambda url: url + "/",
}.items():
    answers(
        f"iss {title}",
        MIX_UP,
        lambda s, at, issuer=issuer: f"code={s.telegram.code(at)}&state=STATE&iss={issuer(s.telegram.url)}",
    )
answers("error unknown", CSRF, lambda _s, _at: "error=something&state=STATE")
answers("error empty", CSRF, lambda _s, _at: "error=&state=STATE")
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
    assert len(ROWS) > 1900


@pytest.fixture
def accepted(telegram: Telegram) -> Iterator[Site]:
    site = telegram.site()
    yield site
    assert len(site.store.sessions()) == 1


GOOD: dict[str, Callable[[Telegram, Browser], Answer]] = {
    "widget": lambda _t, b: b.login(b.site.widget()),
    "widget of a minute ahead": lambda _t, b: b.login(b.site.widget(auth_date=NOW + 60)),
    "widget of five minutes ago": lambda _t, b: b.login(b.site.widget(auth_date=NOW - 300)),
    "widget with a state": lambda _t, b: b.login({"widget": b.site.widget(), "state": b.start()["state"]}),
    "widget by redirect": lambda _t, b: b.go(
        "/telegram/login", urlencode({**b.site.widget(), "state": b.start()["state"]})
    ),
    "initData": lambda _t, b: b.login({"init_data": b.site.init_data(key=bytes(32))}),
    "initData of a minute ahead": lambda _t, b: b.login({"init_data": b.site.init_data(auth_date=NOW + 60)}),
    "initData of a day ago": lambda _t, b: b.login({"init_data": b.site.init_data(auth_date=NOW - DAY)}),
    "code": lambda t, b: b.back(t.agree(b.begin())),
    "code with our issuer": lambda t, b: b.back(t.agree(b.begin()) + f"&iss={quote(t.url, safe='')}"),
    "code in the last second": lambda t, b: (
        at := b.begin(),
        setattr(t.clock, "time", NOW + 599),
        b.back(f"code={t.code(at)}&state={parameter(at, 'state')}"),
    )[-1],
}
for title, claims in {
    "as it comes": {},
    "aud a list of us": {"aud": ["987654321"]},
    "azp us": {"azp": "987654321"},
    "exp a minute ago": {"exp": NOW - 59},
    "iat ten minutes ago": {"iat": NOW - 600},
    "iat a minute ahead": {"iat": NOW + 60},
    "nbf a minute ahead": {"nbf": NOW + 60},
    "id in digits": {"id": "100000001"},
    "id of 52 bits": {"id": (1 << 52) - 1},
    "claims that we do not know": {"ton": {"x": [1]}, "at_hash": "x", "acr": "1", "jti": "x"},
}.items():
    GOOD[f"id_token {title}: cookie"] = lambda t, b, c=claims: b.login(
        {"id_token": t.token(nonce=b.start()["nonce"], **c)}
    )
    GOOD[f"id_token {title}: native"] = lambda t, b, c=claims: b.login(
        {"id_token": t.token(**c), "transport": "bearer"}, headers={}
    )


@pytest.mark.parametrize("login", GOOD.values(), ids=GOOD)
def test_accepted(telegram: Telegram, accepted: Site, login: Callable[[Telegram, Browser], Answer]) -> None:
    """What the table changes one thing of does log in, up to the last second and the last bit."""
    assert login(telegram, Browser(accepted)).status in (200, 303)


def test_no_state_no_page_is_different_for_people(telegram: Telegram) -> None:
    """Shown as pages, refusals of one code differ in nothing but the reference, too."""
    site = telegram.site()
    pages = set()
    for name in (
        "state of another browser: callback",
        "callback, code unknown",
        "id_token, iss with a slash: callback",
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


def test_hashing_is_not_confused_by_length(telegram: Telegram) -> None:
    """A digest of the check string without the key is no MAC."""
    site = telegram.site()
    fields = without(site.widget(), "hash")
    lines = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    for key in (b"", hashlib.sha256(b"").digest(), BOT_TOKEN.encode()):
        forged_hash = hmac.digest(key, lines.encode(), "sha256").hex()
        assert site.login({**fields, "hash": forged_hash}).code == "login_rejected"
    assert site.login({**fields, "hash": hashlib.sha256(lines.encode()).hexdigest()}).code == "login_rejected"
