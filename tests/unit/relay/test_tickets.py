"""Tickets and codes of previews (relay/tickets.py): what is signed, how long, and for which hosts."""

import functools
import re
from collections.abc import Iterator
from dataclasses import replace

import publicsuffixlist
import pytest
from ada_url import URL
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib.tgauth.errors import InvalidGrant, Misconfigured
from lib.tgauth.keys import Signer, hkdf, keys_of
from lib.tgauth.relay.tickets import Ticket, address, code_for, read_code, read_ticket
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram.transaction import begin
from tests.unit.telegram.proofs import NOW, base64url

HOST = "myapp-1x2y3z-myteam.vercel.app"
PATTERN = "myapp-*-myteam.vercel.app"
OLD, NEW = "o" * 32, "n" * 32
SHARED, OTHER = "canary-relay-secret-0123456789-01", "another-relay-secret-0123456789-0"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""RFC 7636, appendix B."""

STATE = "AbCdEfGhIjKlMnOpQrStUv-_"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture(scope="module", autouse=True)
def _suffixes() -> Iterator[None]:
    """The list of public suffixes is read once, and not by every test of a star."""
    with pytest.MonkeyPatch.context() as patch:
        read = functools.cache(publicsuffixlist.PublicSuffixList)
        patch.setattr(publicsuffixlist, "PublicSuffixList", read)
        yield


def deployment(secret=NEW, **env):
    """Settings of production, with whatever `env` changes; the ellipsis takes a variable away."""
    values = {
        "TELEGRAM_BOT_TOKEN": "123456789:AAE-test",
        "AUTH_SECRET": secret,
        "AUTH_RELAY_SECRET": SHARED,
        "AUTH_RELAY_HOSTS": PATTERN,
        **env,
    }
    return read_settings({name: value for name, value in values.items() if value is not ...})


PRODUCTION = deployment()
PREVIEW = deployment(VERCEL_ENV="preview", AUTH_RELAY_URL="https://example.com")
TICKET = Ticket(HOST, STATE, CHALLENGE, NOW)


def ticket_signer(secret=SHARED):
    """What signs tickets, derived here once more."""
    return Signer(hkdf(secret.encode(), b"tgauth/1\0relay ticket"))


def signed(text=None, *, secret=SHARED, **changes):
    """A ticket of any content under the genuine signature."""
    made = replace(TICKET, **changes)
    plain = f"{made.host}~{made.state}~{made.challenge}~{made.issued_at}" if text is None else text
    return ticket_signer(secret).sign(plain)


def coded(*, at=PRODUCTION, now=NOW, **changes):
    return code_for(replace(TICKET, **changes), at, now=now)


def redeemed(code, *, host=HOST, verifier=VERIFIER, at=PRODUCTION, now=NOW):
    return read_code(code, host=host, verifier=verifier, settings=at, now=now)


def refused_ticket(text, *, at=PRODUCTION, now=NOW):
    """Why the ticket was refused."""
    with pytest.raises(InvalidGrant) as caught:
        read_ticket(text, at, now=now)
    return caught.value.reason


def refused_code(code, **options):
    with pytest.raises(InvalidGrant) as caught:
        redeemed(code, **options)
    return caught.value.reason


def test_the_way_of_a_login():
    """A preview's ticket is read by production; its code is read for the same host and the right verifier."""
    transaction, _ = begin(PREVIEW, return_to="/", now=NOW)
    url = address(PREVIEW, transaction, f"https://{HOST}")
    start, _, text = url.partition("?ticket=")
    assert start == "https://example.com/telegram/relay"
    ticket = read_ticket(text, PRODUCTION, now=NOW + 5)
    assert ticket == Ticket(HOST, transaction.state, transaction.challenge, NOW)
    code = code_for(ticket, PRODUCTION, now=NOW + 300.9)
    found = redeemed(code, verifier=transaction.verifier, now=NOW + 310)
    assert found == replace(ticket, issued_at=NOW + 300)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (f"https://{HOST}", HOST),
        ("https://preview.example.com:8443", "preview.example.com:8443"),
        ("http://preview.localhost:3001", "preview.localhost:3001"),
    ],
)
def test_a_ticket_names_the_host_with_its_port(origin, host):
    """What the preview calls itself is what production sends the browser back to."""
    transaction, _ = begin(PREVIEW, return_to="/", now=NOW)
    text = address(PREVIEW, transaction, origin).partition("?ticket=")[2]
    ticket = read_ticket(text, deployment(AUTH_RELAY_HOSTS=host), now=NOW)
    assert (ticket.host, ticket.origin) == (host, origin)


def test_a_ticket_has_one_form():
    """Host, state, challenge, whole seconds and a signature, in characters that a URL has as they are."""
    text = signed()
    assert re.fullmatch(r"[a-z0-9.:-]+(~[\w-]+){2}~[0-9]+\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", text)
    assert text.startswith(f"{HOST}~{STATE}~{CHALLENGE}~{NOW}.")
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", text), "RFC 3986 §2.3, unreserved"
    assert TICKET.sign(ticket_signer()) == text


def test_how_tickets_are_signed():
    """With a key of AUTH_RELAY_SECRET alone: deployments of other versions and bots must agree on it."""
    for at in (PRODUCTION, PREVIEW, deployment(OLD), deployment(TELEGRAM_BOT_TOKEN="987654321:AAE-test")):
        assert read_ticket(signed(), at, now=NOW) == TICKET


def test_a_ticket_has_one_spelling():
    """Every other last character, of which base64 decodes three to the same bytes, is refused."""
    text = signed()
    for character in ALPHABET + "=.~+/ \n":
        if character != text[-1]:
            refused_ticket(text[:-1] + character)
    for changed in (text + "=", text + "A", text[:-1], text + "\n", " " + text, text.upper(), text + "\x00"):
        refused_ticket(changed)


def test_no_character_of_a_ticket_can_be_changed():
    """Wherever one character is another, is missing, or is there twice, the ticket opens nothing."""
    text = signed()
    for at, character in enumerate(text):
        other = "b" if character != "b" else "c"
        for changed in (text[:at] + other + text[at + 1 :], text[:at] + text[at + 1 :]):
            refused_ticket(changed)
        if character != text[at - 1]:
            refused_ticket(text[:at] + character + text[at:])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "~~~",
        HOST,
        f"{HOST}~{STATE}~{CHALLENGE}",
        f"{HOST}~{STATE}~{CHALLENGE}~",
        f"{HOST}~{STATE}~{CHALLENGE}~0",
        f"{HOST}~{STATE}~{CHALLENGE}~0{NOW}",
        f"{HOST}~{STATE}~{CHALLENGE}~+{NOW}",
        f"{HOST}~{STATE}~{CHALLENGE}~-{NOW}",
        f"{HOST}~{STATE}~{CHALLENGE}~{NOW}.0",
        f"{HOST}~{STATE}~{CHALLENGE}~{NOW} ",
        f"{HOST}~{STATE}~{CHALLENGE}~{NOW}~{NOW}",
        f"{HOST}~{STATE}~{CHALLENGE}~{'9' * 13}",
        f"{HOST}~{STATE[:-1]}~{CHALLENGE}~{NOW}",
        f"{HOST}~{STATE}A~{CHALLENGE}~{NOW}",
        f"{HOST}~{STATE[:-1]}.~{CHALLENGE}~{NOW}",
        f"{HOST}~{STATE}~{CHALLENGE[:-1]}~{NOW}",
        f"{HOST}~{STATE}~{CHALLENGE}A~{NOW}",
        f"{HOST}~{STATE}~{CHALLENGE[:-1]}=~{NOW}",
        f"{HOST}~~{STATE}~{CHALLENGE}~{NOW}",
        f"~{HOST}~{STATE}~{CHALLENGE}~{NOW}",
        f"{'a' * 254}~{STATE}~{CHALLENGE}~{NOW}",
        f"~{STATE}~{CHALLENGE}~{NOW}",
        f"{HOST}\n~{STATE}~{CHALLENGE}~{NOW}",
        f"{HOST}:~{STATE}~{CHALLENGE}~{NOW}",
        f"{HOST}:123456~{STATE}~{CHALLENGE}~{NOW}",
        f"https://{HOST}~{STATE}~{CHALLENGE}~{NOW}",
        # Which int() would take.
        f"{HOST}~{STATE}~{CHALLENGE}~١٨٠٠٠٠٠٠٠٠",
        f"{HOST}~{STATE}~{CHALLENGE}~１８００００００００",
    ],
)
def test_what_is_no_ticket_is_refused_although_it_is_signed(text):
    """A genuine signature over anything else than the one form is worth nothing."""
    assert refused_ticket(signed(text)) == refused_ticket("") == refused_ticket(signed(secret=OTHER))


@pytest.mark.parametrize(
    ("age", "good"), [(0, True), (599, True), (600, False), (601, False), (-60, True), (-61, False)]
)
def test_a_ticket_lives_for_ten_minutes(age, good):
    """To the second, and clocks may differ by a minute."""
    if good:
        assert read_ticket(signed(), PRODUCTION, now=NOW + age) == TICKET
    else:
        assert refused_ticket(signed(), now=NOW + age) == "expired"


@pytest.mark.parametrize(
    ("age", "good"),
    [(0, True), (59, True), (59.99, True), (60, False), (61, False), (-60, True), (-61, False)],
)
def test_a_code_lives_for_a_minute(age, good):
    """To the second, from the second in which it was made; the ticket's age does not matter any more."""
    code = coded(issued_at=NOW - 599)
    if good:
        assert redeemed(code, now=NOW + age).issued_at == NOW
    else:
        assert refused_code(code, now=NOW + age) == "expired"


def test_another_secret():
    """A ticket under another AUTH_RELAY_SECRET, or where there is none, or an empty one, is none."""
    for at in (deployment(AUTH_RELAY_SECRET=OTHER), deployment(AUTH_RELAY_SECRET=...)):
        refused_ticket(signed(), at=at)
    refused_ticket(signed(secret=OTHER))
    refused_ticket(signed(secret=""))


def test_ticket_and_code_are_two_things():
    """A ticket is no code, a code is no ticket, and neither is signed by any other key there is."""
    refused_code(signed())
    refused_ticket(coded())
    own = {name: getattr(keys_of(PRODUCTION), name) for name in vars(keys_of(PRODUCTION))}
    own |= {
        name: Signer(*([key] if isinstance(key, bytes) else key))
        for name, key in own.items()
        if not hasattr(key, "sign")
    }
    keys = dict(own)
    assert {"relay_code", "relay_user", "session", "transaction"} <= keys.keys()
    keys |= {"AUTH_SECRET": Signer(NEW.encode()), "AUTH_RELAY_SECRET": Signer(SHARED.encode())}
    keys |= {"without info": Signer(hkdf(SHARED.encode(), b"")), "ticket": ticket_signer()}
    keys |= {"empty ticket": ticket_signer(""), "ticket of AUTH_SECRET": ticket_signer(NEW)}
    for name, key in keys.items():
        text = TICKET.sign(key)
        if name != "ticket":
            refused_ticket(text)
        if name != "relay_code":
            refused_code(text)
    assert redeemed(TICKET.sign(own["relay_code"])) == TICKET


def test_a_code_is_one_hosts():
    """Only the host that the ticket named redeems it, in exactly that spelling."""
    code = coded()
    for host in (
        "",
        HOST.upper(),
        HOST + ".",
        HOST + ":443",
        f"https://{HOST}",
        f"x{HOST}",
        HOST[1:],
        "myapp-other-myteam.vercel.app",
        HOST + "\n",
        HOST.replace("a", "а"),
    ):
        assert refused_code(code, host=host) == "the code was issued to another host"
    ported = coded(host=HOST + ":8443")
    assert redeemed(ported, host=HOST + ":8443").host == HOST + ":8443"
    refused_code(ported)


def test_a_code_goes_with_its_verifier():
    """S256 of RFC 7636: the verifier of appendix B opens its challenge, and nothing else does."""
    code = coded()
    assert redeemed(code) == TICKET
    for verifier in (
        "",
        CHALLENGE,
        STATE,
        VERIFIER[:-1],
        VERIFIER + "=",
        VERIFIER + "\n",
        VERIFIER.lower(),
        " " + VERIFIER,
        "é" * 43,
        "\x00",
        "x" * 10_000,
    ):
        assert refused_code(code, verifier=verifier) == "the verifier does not match"


def test_a_plain_challenge_is_none():
    """PKCE's other method, where challenge and verifier are one text, is not spoken here."""
    refused_code(coded(challenge=VERIFIER), verifier=VERIFIER)


def test_nothing_shows_a_secret():
    """A ticket that is printed, and the reason of a refusal, have no key, no code and no signature."""
    text, code = signed(), coded()
    key = hkdf(SHARED.encode(), b"tgauth/1\0relay ticket")
    shown = [f"{read_ticket(text, PRODUCTION, now=NOW)!r} {PRODUCTION!r} {PREVIEW!r}"]
    shown += [refused_ticket(text, now=NOW + 600), refused_ticket(text + "A"), refused_ticket(code)]
    shown += [refused_code(code, verifier="canary-verifier"), refused_code(code, host="canary-host")]
    shown += [refused_ticket(signed(host="canary.example"))]
    for secret in (SHARED, key.hex(), repr(key), text[-43:], code[-43:], NEW, "canary"):
        assert not [line for line in shown if secret in line]


def test_without_an_address_of_production():
    """A preview that does not know where production is says which variable is missing."""
    lost = deployment(VERCEL_ENV="preview")
    transaction, _ = begin(lost, return_to="/", now=NOW)
    with pytest.raises(Misconfigured, match=r"^AUTH_RELAY_URL: "):
        address(lost, transaction, f"https://{HOST}")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (HOST, f"https://{HOST}"),
        ("localhost:3000", "http://localhost:3000"),
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("localhost.example.com", "https://localhost.example.com"),
        ("127.0.0.1.example.com", "https://127.0.0.1.example.com"),
        ("127.0.0.2", "https://127.0.0.2"),
        ("x-localhost", "https://x-localhost"),
    ],
)
def test_origins(host, origin):
    """https, but for this machine itself."""
    assert replace(TICKET, host=host).origin == origin


SPOOFED = {
    "a project of somebody else": "x-myteam.vercel.app",
    "somebody else's team": "myapp-git-main-otherteam.vercel.app",
    "our name in front": "myapp-x-myteam.vercel.app.evil.example",
    "our name in front, with a dash": "myapp-x-myteam.vercel.app-evil.example",
    "our name without its end": "myapp-x-myteam.vercel.ap",
    "another top": "myapp-x-myteam.vercel.com",
    "another domain": "myapp-x-myteam.evil.example",
    "other text where a dot is": "myapp-x-myteam-vercel.app",
    "the star over a dot": "myapp-x.evil.example-myteam.vercel.app",
    "the star over one dot": "myapp-a.b-myteam.vercel.app",
    "the star is a dot": "myapp-.-myteam.vercel.app",
    "the star is nothing": "myapp--myteam.vercel.app",
    "the star and its dash are nothing": "myapp-myteam.vercel.app",
    "a label in front": "evil.myapp-x-myteam.vercel.app",
    "an empty label in front": ".myapp-x-myteam.vercel.app",
    "an empty label inside": "myapp-x-myteam..vercel.app",
    "letters in front": "xmyapp-x-myteam.vercel.app",
    "a dot at the end": "myapp-x-myteam.vercel.app.",
    "a port": "myapp-x-myteam.vercel.app:8443",
    "the port of https": "myapp-x-myteam.vercel.app:443",
    "an empty port": "myapp-x-myteam.vercel.app:",
    "the port is a name": "myapp-x-myteam.vercel.app:443.evil.example",
    "a user": "myapp-x-myteam.vercel.app@evil.example",
    "the star is a user": "myapp-x@evil.example-myteam.vercel.app",
    "upper case": "MYAPP-X-MYTEAM.VERCEL.APP",
    "upper case in the star": "myapp-X-myteam.vercel.app",
    "IDN": "myapp-ñ-myteam.vercel.app",
    "IDN look-alike": "myаpp-x-myteam.vercel.app",
    "full-width dot": "myapp-x-myteam．vercel.app",
    "Kelvin sign": "myapp-\u212a-myteam.vercel.app",
    "soft hyphen": "myapp-x\u00ad-myteam.vercel.app",
    "punycode of another": "xn--mypp-x-myteam-o6k.vercel.app",
    "IPv4": "127.0.0.1",
    "IPv4 as a number": "2130706433",
    "IPv4 in hexadecimal": "0x7f000001",
    "IPv6": "[::1]",
    "percent-encoded dot": "myapp-x%2eevil.example-myteam.vercel.app",
    "a slash": "evil.example/myapp-x-myteam.vercel.app",
    "a backslash": "evil.example\\myapp-x-myteam.vercel.app",
    "a question mark": "evil.example?myapp-x-myteam.vercel.app",
    "a fragment": "evil.example#myapp-x-myteam.vercel.app",
    "a blank": "myapp-x -myteam.vercel.app",
    "a line feed": "myapp-x\n-myteam.vercel.app",
    "a line feed at the end": "myapp-x-myteam.vercel.app\n",
    "a NUL": "myapp-x\x00-myteam.vercel.app",
    "an underscore": "myapp-x_y-myteam.vercel.app",
    "the pattern itself": PATTERN,
    "two hosts": "myapp-x-myteam.vercel.app,evil.example",
    "localhost": "localhost",
    "loopback name": "myapp-x-myteam.vercel.app.localhost",
    "nothing": "",
    "too long": f"myapp-{'x' * 253}-myteam.vercel.app",
}


@pytest.mark.parametrize("host", SPOOFED.values(), ids=SPOOFED)
def test_spoofed_hosts(host):
    """No host but what the pattern stands for, although its ticket has the genuine signature."""
    plain = f"{host}~{STATE}~{CHALLENGE}~{NOW}"
    reason = refused_ticket(ticket_signer().sign(plain))
    # What is no host at all is none whatever the list says.
    of_the_form = re.fullmatch(r"[a-z0-9.-]{1,253}(:[0-9]{1,5})?", host)
    assert reason.startswith("the host is not in" if of_the_form else "malformed")


@pytest.mark.parametrize(
    ("patterns", "host"),
    [
        (PATTERN, HOST),
        (PATTERN, "myapp-git-a-branch-myteam.vercel.app"),
        (PATTERN, "myapp-a-myteam.vercel.app"),
        (PATTERN, "myapp-0-myteam.vercel.app"),
        (PATTERN.upper(), HOST),
        (f"a.example , {PATTERN}", HOST),
        ("staging.example.com", "staging.example.com"),
        ("*.preview.example.com", "x.preview.example.com"),
        ("*.*.example.com", "a.b.example.com"),
        ("a*b*c.example.com", "a1b2c.example.com"),
        ("app.example.com:8443", "app.example.com:8443"),
        ("preview.localhost:3001", "preview.localhost:3001"),
    ],
)
def test_hosts_that_may(patterns, host):
    """What AUTH_RELAY_HOSTS names, with a star for part of one label or for all of it."""
    at = deployment(AUTH_RELAY_HOSTS=patterns)
    assert read_ticket(signed(host=host), at, now=NOW).host == host


@pytest.mark.parametrize(
    ("patterns", "host"),
    [
        (..., HOST),
        ("", HOST),
        ("staging.example.com", "staging-example.com"),
        ("staging.example.com", "a.staging.example.com"),
        ("staging.example.com", "staging.example.com.evil.example"),
        ("staging.example.com", "stagingxexample.com"),
        ("*.preview.example.com", "preview.example.com"),
        ("*.preview.example.com", "a.b.preview.example.com"),
        ("*.preview.example.com", ".preview.example.com"),
        ("*.preview.example.com", "xpreview.example.com"),
        ("*.*.example.com", "a.example.com"),
        ("a*b*c.example.com", "abc.example.com"),
        ("a*b*c.example.com", "a1b.c.example.com"),
        ("app.example.com:8443", "app.example.com"),
        ("app.example.com:8443", "app.example.com:443"),
        ("app.example.com", "app.example.com:8443"),
        ("preview.localhost:3001", "preview.localhost:3002"),
    ],
)
def test_hosts_that_may_not(patterns, host):
    """Without a list nobody may, and a star never reaches over a dot or stands for nothing."""
    at = deployment(AUTH_RELAY_HOSTS=patterns)
    assert refused_ticket(signed(host=host), at=at) == "the host is not in AUTH_RELAY_HOSTS"


def test_a_label_has_63_characters_at_most():
    """A host that no name can be is not one of a pattern's, and comparing any takes no time."""
    at = deployment(AUTH_RELAY_HOSTS="a*b*c.example.com,*.*.example.com")
    for host in (f"a{'b' * 61}c.example.com", f"{'a' * 63}.b.example.com"):
        assert read_ticket(signed(host=host), at, now=NOW).host == host
    for host in (f"a{'b' * 62}c.example.com", f"{'a' * 64}.b.example.com", f"a{'b' * 230}.example.com"):
        assert refused_ticket(signed(host=host), at=at) == "the host is not in AUTH_RELAY_HOSTS"


@pytest.mark.parametrize(
    "patterns",
    [
        *("*.vercel.app", "**.vercel.app", "*-*.vercel.app", "*--*.vercel.app", "*.VERCEL.app"),
        *("*-team.vercel.app", "-*-team.vercel.app", "my*.vercel.app", "app*.vercel.app", "app-*.vercel.app"),
        *("ap*-team.vercel.app", "app-*-t.vercel.app", "app.*.vercel.app"),
        *("*.vercel.app:443", "*.vercel.app:8443", "**.now.sh", "app-*-team.vercel.app, *.vercel.app"),
        *("*.co.uk", "*.com.br", "*.netlify.app", "*.github.io", "*.pages.dev", "*.workers.dev"),
        *("a*b*.web.app", "*.ngrok-free.app", "*.fly.dev", "*.up.railway.app", "*.blob.core.windows.net"),
        # What a star stands for can be the last part of such a domain.
        *("x.*.kawasaki.jp", "*.*.kawasaki.jp", "*.x.kawasaki.jp", "*.app-*-team.kawasaki.jp"),
    ],
)
def test_no_pattern_lets_strangers_in(patterns):
    """Where anybody can have a name, a pattern says how one's own begin and end; the log says what to set."""
    at = deployment(AUTH_RELAY_HOSTS=patterns)
    with pytest.raises(Misconfigured) as caught:
        read_ticket(signed(), at, now=NOW)
    assert caught.value.reason.startswith("AUTH_RELAY_HOSTS: has an entry that strangers' hosts can match")
    assert caught.value.reason.endswith("as in app-*-team.vercel.app")


@pytest.mark.parametrize(
    "pattern",
    [
        *("app-*-team.vercel.app", "app-git-*-team.vercel.app", "app-*-x-*-team.vercel.app:443"),
        *("*.preview.example.com", "app-*.example-previews.com", "*.example.co.uk", "*-pr.example.github.io"),
        *("*.*.example.com", "a*b*c.example.com", "x.app-*-team.vercel.app", "*.corp.internal"),
    ],
)
def test_patterns_of_ones_own(pattern):
    """Below a domain of one's own a star may stand anywhere."""
    at = deployment(AUTH_RELAY_HOSTS=pattern)
    assert refused_ticket(signed(host="evil.example"), at=at) == "the host is not in AUTH_RELAY_HOSTS"


def test_forged_tickets_load_no_list():
    """The list of such domains is read for whoever has the secret, and where there is a star."""
    at = deployment(AUTH_RELAY_HOSTS="*.vercel.app")
    assert refused_ticket(signed(secret=OTHER), at=at) == "malformed, or signed with another secret"
    at = deployment(AUTH_RELAY_HOSTS="vercel.app,a.github.io")
    assert read_ticket(signed(host="a.github.io"), at, now=NOW).host == "a.github.io"


def test_hosts_are_looked_at_last():
    """Who cannot sign learns nothing of the list, and an old ticket is an old one."""
    assert "AUTH_RELAY_HOSTS" not in refused_ticket(signed(host="evil.example", secret=OTHER))
    assert refused_ticket(signed(host="evil.example"), now=NOW + 600) == "expired"


def permits(pattern, host):
    """The allow-list once more, plainly: label for label, a star for one or more of a-z, 0-9 and `-`."""
    names, _, port = pattern.removesuffix(":443").partition(":")
    asked, _, asked_port = host.partition(":")
    labels, found = names.split("."), asked.split(".")
    return (
        port == asked_port
        and (":" in host) == bool(asked_port)
        and len(labels) == len(found)
        and all(map(fits, labels, found))
        and all(0 < len(label) <= 63 for label in found)
        and all(set(label) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for label in found)
    )


def fits(label, text):
    """Whether one label matches, by trying every length for each star."""
    if not label:
        return not text
    if label[0] != "*":
        return text[:1] == label[0] and fits(label[1:], text[1:])
    return any(fits(label[1:], text[taken:]) for taken in range(1, len(text) + 1))


pieces = st.sampled_from(["myapp", "myteam", "x", "-", "--", "xn--", "evil", "1", "0x7f", "vercel", "com"])
stars = st.lists(st.one_of(pieces, st.just("*")), min_size=1, max_size=4).map("".join)
ends = st.sampled_from(["vercel.app", "example.com", "vercel.app.evil.example", "evil.example", "localhost"])
ports = st.sampled_from(["", ":443", ":80", ":8443", ":65536"])
patterns = st.builds(lambda labels, end, port: ".".join([*labels, end]) + port,
                     st.lists(stars, max_size=2), ends, ports)  # fmt: skip
odd = st.sampled_from(
    ["", ".", "@", "/", "\\", "%2e", ":", "#", "?", "x", "-", "．", "é", "A", "\n", "[", "~"]
)


@st.composite
def hosts_near(draw, pattern):
    """A host made from a pattern: each star something, and perhaps a trick somewhere."""
    parts = pattern.split("*")
    host = parts[0]
    for part in parts[1:]:
        host += draw(st.one_of(pieces, odd, ends)) + part
    at = draw(st.integers(0, len(host)))
    return host[:at] + draw(st.one_of(st.just(""), st.just(""), odd, ends, ports)) + host[at:]


def is_sent(data, listed):
    """That a browser with a ticket of some host near these patterns ends at a host that they stand for."""
    try:
        at = deployment(AUTH_RELAY_HOSTS=",".join(listed))
    except Misconfigured:
        assume(False)
    host = data.draw(hosts_near(data.draw(st.sampled_from(listed))))
    plain = f"{host}~{STATE}~{CHALLENGE}~{NOW}"
    allowed = any(permits(pattern, host) for pattern in listed)
    try:
        ticket = read_ticket(ticket_signer().sign(plain), at, now=NOW)
    except InvalidGrant:
        assert not allowed
        return
    except Misconfigured:
        assert any(re.search(r"\*.*\.vercel\.app(:|$)", pattern) for pattern in listed)
        return
    assert allowed
    try:
        url = URL(f"{ticket.origin}/telegram/callback?code=x")
    except ValueError:
        return  # a label that is no punycode, a port that is none: a browser goes nowhere
    assert (url.username, url.password, url.pathname) == ("", "", "/telegram/callback")
    reached = url.hostname + (f":{url.port}" if url.port else "")
    default = {"https:": ":443", "http:": ":80"}[url.protocol]
    assert any(permits(pattern.removesuffix(default), reached) for pattern in listed)
    assert url.protocol == "https:" or url.hostname.endswith("localhost")


@pytest.mark.parametrize("examples", [80, pytest.param(600, marks=pytest.mark.slow)])
def test_where_a_browser_is_sent(examples):
    """Whatever list and host: a browser that follows a ticket's address ends at a host on the list."""
    drawn = given(st.data(), st.lists(patterns, min_size=1, max_size=3))(is_sent)
    hypothesis_settings(max_examples=examples, deadline=None)(drawn)()


@given(
    st.text()
    | st.builds(
        lambda host, state, challenge, signature: f"{host}~{state}~{challenge}~{NOW}.{signature}",
        st.text("abz.-", min_size=1, max_size=40),
        st.binary(min_size=18, max_size=18).map(base64url),
        st.binary(min_size=32, max_size=32).map(base64url),
        st.binary(min_size=32, max_size=32).map(base64url),
    )
)
@hypothesis_settings(max_examples=150, deadline=None)
def test_it_cannot_be_made_up(text):
    """No text is a ticket or a code, even of the right form, and none breaks anything."""
    refused_ticket(text)
    refused_code(text)
