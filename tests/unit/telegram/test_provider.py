"""Telegram's OpenID Connect over HTTP (telegram/provider.py), against the simulated one on a socket."""

import base64
import gzip
import json
import logging
import socket
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl

import pytest
from werkzeug.wrappers import Response

from dev.telegram.oidc import KEYS_PATH, TOKEN_PATH
from dev.telegram.serving import serving
from dev.telegram.users import USERS
from lib.tgauth import budget
from lib.tgauth.errors import IdentityProviderUnavailable, LoginRejected, Misconfigured
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram import http, provider
from lib.tgauth.telegram.transaction import begin

NOW = 1_800_000_000
ORIGIN = "https://tgauth.example"
CLIENT = "123456789"
SECRET = "canary-client-secret-0123456789"
ACCESS_TOKEN = "canary-access-token-0123456789"
USER = USERS[100000001]
PATHS = pytest.mark.parametrize("path", [TOKEN_PATH, KEYS_PATH], ids=["token", "keys"])


def settings_for(url, secret=SECRET):
    return read_settings(
        {
            "TELEGRAM_BOT_TOKEN": f"{CLIENT}:AAE-test",
            "TELEGRAM_CLIENT_SECRET": secret,
            "TELEGRAM_OAUTH_URL": url,
            "AUTH_SECRET": "s" * 32,
        }
    )


def simulated():
    return serving(redirect_origin=ORIGIN, client_id=CLIENT, client_secret=SECRET, clock=lambda: NOW)


@pytest.fixture(scope="module")
def running():
    with simulated() as found:
        yield found


@pytest.fixture(scope="module")
def another():
    """Another Telegram, where nothing of ours belongs."""
    with simulated() as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def client():
    """Connections are not left open."""
    yield
    http._client.close()


@pytest.fixture
def new_client():
    """As in a function that has just started, no connection is open."""
    http._client.close()


@pytest.fixture
def telegram(running):
    """The simulated Telegram without faults; its keys are not known yet."""
    running.provider.faults.clear()
    running.provider.requests.clear()
    running.provider.kid, running.provider.echo_nonce = "oidc-1", False
    provider._keys.cache_clear()
    yield running
    running.provider.faults.clear()
    provider._keys.cache_clear()
    budget.stop()


@pytest.fixture
def let_go():
    """Set when the test is over, so that no answer is being written for longer."""
    over = threading.Event()
    yield over
    over.set()


@pytest.fixture
def soon(monkeypatch, telegram):
    """An answer's time is short."""
    monkeypatch.setattr(http._client, "seconds", 0.2)


class Attempt:
    """A login that this browser began, with the code that Telegram gave it."""

    def __init__(self, telegram, **options):
        self.telegram = telegram
        self.settings = settings_for(telegram.url)
        self.transaction, _ = begin(self.settings, return_to="/", now=NOW)
        options.setdefault("challenge", self.transaction.challenge)
        self.code = telegram.provider.code_for(USER, **options)

    def redeem(self, **changes):
        arguments = {"settings": self.settings, "origin": ORIGIN, "now": NOW, **changes}
        return provider.exchange_code(self.code, self.transaction, **arguments)

    def secrets(self):
        """What neither the log nor an error may hold."""
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        return [SECRET, basic, self.code, self.transaction.verifier, self.transaction.nonce, ACCESS_TOKEN]


def checked(telegram, text, *, nonces=(), required=False, now=NOW, settings=None):
    return provider.check(
        text,
        settings=settings or settings_for(telegram.url),
        nonces=nonces,
        nonce_required=required,
        now=now,
    )


def asked(telegram):
    return [received.path for received in telegram.provider.requests]


def tells_nothing(error, secrets, capsys, caplog):
    """Neither the error, those behind it, nor any line that was logged has one of the secrets."""
    shown = "".join(traceback.format_exception(error)) + error.reason + repr(error)
    shown += capsys.readouterr().out + caplog.text
    for secret in secrets:
        assert secret not in shown
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


# What is sent, and what comes of it


@pytest.mark.parametrize("kid", ["oidc-1", "oidc-es256-1"])
@pytest.mark.parametrize("echo", [False, True], ids=["no nonce", "nonce"])
def test_a_code_becomes_a_user(telegram, kid, echo):
    """A code is exchanged for the user who agreed, under either algorithm, with the nonce or without."""
    telegram.provider.kid, telegram.provider.echo_nonce = kid, echo
    attempt = Attempt(telegram)
    attempt.code = telegram.provider.code_for(
        USER, challenge=attempt.transaction.challenge, nonce=attempt.transaction.nonce
    )
    user, proof = attempt.redeem()
    names = {"first_name": user.first_name, "last_name": user.last_name, "username": user.username}
    assert {"id": user.id, **names} == USER
    assert user.sub
    assert user.sub != str(user.id)
    assert user.phone_number is None
    assert proof == attempt.transaction.proof
    assert asked(telegram) == [TOKEN_PATH, KEYS_PATH]


def test_what_is_sent(telegram):
    """One POST with the five fields of RFC 6749 §4.1.3 and RFC 7636 §4.5, the secret in Basic alone."""
    attempt = Attempt(telegram)
    attempt.redeem()
    token, keys = telegram.provider.requests
    assert (token.method, token.path) == ("POST", TOKEN_PATH)
    assert token.headers["Content-Type"] == "application/x-www-form-urlencoded"
    fields = parse_qsl(token.body.decode(), strict_parsing=True)
    assert sorted(fields) == [
        ("client_id", CLIENT),
        ("code", attempt.code),
        ("code_verifier", attempt.transaction.verifier),
        ("grant_type", "authorization_code"),
        ("redirect_uri", f"{ORIGIN}/telegram/callback"),
    ]
    scheme, _, credentials = token.headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(credentials).decode()) == ("Basic", f"{CLIENT}:{SECRET}")
    assert SECRET not in token.body.decode()
    assert (keys.method, keys.path, keys.body) == ("GET", KEYS_PATH, b"")
    assert "Authorization" not in keys.headers
    for received in (token, keys):
        assert received.headers["Accept"] == "application/json"
        assert received.headers["Accept-Encoding"] == "identity"
        assert "Cookie" not in received.headers


def test_a_code_with_any_character(telegram):
    """Whatever Telegram puts into a code arrives as it is."""
    attempt = Attempt(telegram)
    attempt.code = "a+b&c=d%20/e?#;'\"<>"
    with pytest.raises(LoginRejected):
        attempt.redeem()
    assert dict(parse_qsl(telegram.provider.requests[0].body.decode()))["code"] == attempt.code


def test_no_token_of_telegrams_comes_out(telegram, capsys):
    """access_token and id_token end here: neither is in the user, the proof or the log."""
    attempt = Attempt(telegram)
    id_token = telegram.provider.sign(telegram.provider.claims(USER))
    answer = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600, "id_token": id_token}
    telegram.provider.faults[TOKEN_PATH] = lambda _: Response(json.dumps(answer))
    shown = repr(attempt.redeem()) + capsys.readouterr().out
    for secret in (ACCESS_TOKEN, id_token, id_token.split(".")[2], *attempt.secrets()):
        assert secret not in shown


def test_keys_are_fetched_once(telegram):
    """Of many logins one fetches the keys; they are kept for an hour."""
    for _ in range(3):
        Attempt(telegram).redeem()
    assert asked(telegram).count(KEYS_PATH) == 1
    checked(telegram, telegram.provider.sign(telegram.provider.claims(USER)))
    assert asked(telegram).count(KEYS_PATH) == 1
    later = telegram.provider.sign(telegram.provider.claims(USER, iat=NOW + 3600, exp=NOW + 7200))
    checked(telegram, later, now=NOW + 3600)
    assert asked(telegram).count(KEYS_PATH) == 2


def test_every_issuer_has_keys_of_its_own(telegram, another):
    """Keys that were fetched from one address check no token of another."""
    another.provider.requests.clear()
    text = telegram.provider.sign(telegram.provider.claims(USER))
    checked(telegram, text)
    with pytest.raises(LoginRejected):
        checked(another, text)
    assert asked(another) == []
    checked(another, another.provider.sign(another.provider.claims(USER)))
    assert asked(another) == [KEYS_PATH]
    assert provider._keys(telegram.url) is provider._keys(telegram.url)
    assert provider._keys(telegram.url) is not provider._keys(another.url)


def test_twenty_at_once(telegram):
    """Logins in parallel share a client and are each their own."""
    attempts = [Attempt(telegram) for _ in range(20)]
    Attempt(telegram).redeem()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda attempt: attempt.redeem(), attempts))
    assert [proof for _, proof in found] == [attempt.transaction.proof for attempt in attempts]


def test_which_nonce_an_id_token_carries(telegram):
    """An id_token from a page is checked like one from Telegram, and says which login it belongs to."""
    text = telegram.provider.sign(telegram.provider.claims(USER, nonce="two"))
    user, proof, nonce = checked(telegram, text, nonces=["one", "two"], required=True)
    assert (user.id, nonce) == (USER["id"], "two")
    assert proof.check_string == text.rpartition(".")[0]
    for nonces in ([], ["one"]):
        with pytest.raises(LoginRejected):
            checked(telegram, text, nonces=nonces)
    with pytest.raises(LoginRejected):
        checked(telegram, telegram.provider.sign(telegram.provider.claims(USER)), required=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"aud": "1"},
        {"iss": "https://oauth.telegram.org"},
        {"iat": NOW - 601},
        {"id": None},
    ],
    ids=str,
)
def test_telegrams_own_answer_is_checked_too(telegram, changes):
    """What the token endpoint answers is verified like any id_token; a bad one is worth no keys."""
    text = telegram.provider.sign(telegram.provider.claims(USER, **changes))
    telegram.provider.faults[TOKEN_PATH] = lambda _: Response(json.dumps({"id_token": text}))
    with pytest.raises(LoginRejected):
        Attempt(telegram).redeem()
    assert asked(telegram) == [TOKEN_PATH]


def test_the_answers_signature_is_checked_too(telegram):
    """TLS is no reason to trust the answer: an unsigned or foreign id_token from there is refused."""
    genuine = telegram.provider.sign(telegram.provider.claims(USER))
    for text in (
        genuine.rpartition(".")[0] + ".AAAA",
        telegram.provider.sign(telegram.provider.claims(USER), kid="oidc-es256-1", headers={"kid": "oidc-1"}),
        telegram.provider.sign(telegram.provider.claims(USER), kid="oidc-eddsa-1"),
        telegram.provider.sign(telegram.provider.claims(USER), headers={"kid": "other"}),
    ):
        telegram.provider.faults[TOKEN_PATH] = lambda _, text=text: Response(json.dumps({"id_token": text}))
        with pytest.raises(LoginRejected):
            Attempt(telegram).redeem()


def test_junk_costs_no_request(telegram):
    """An id_token that is refused for its claims or its form asks Telegram for nothing."""
    for text in ("", "x", "a.b.c", telegram.provider.sign(telegram.provider.claims(USER, aud="1"))):
        with pytest.raises(LoginRejected):
            checked(telegram, text)
    assert asked(telegram) == []


# What Telegram refuses


def test_a_code_works_once(telegram):
    """A code that was redeemed is refused by Telegram, as is one for another verifier or redirect URI."""
    attempt = Attempt(telegram)
    attempt.redeem()
    with pytest.raises(LoginRejected, match="refused the code"):
        attempt.redeem()
    for refused in (
        lambda: Attempt(telegram, challenge="x" * 43).redeem(),
        lambda: Attempt(telegram, challenge=None).redeem(),
        lambda: Attempt(telegram).redeem(origin="https://other.example"),
    ):
        with pytest.raises(LoginRejected, match="refused the code"):
            refused()


def test_a_wrong_secret_is_the_owners_fault(telegram, capsys, caplog):
    """The log names the variable and the fix, and the usual mistake, and not what it was set to."""
    attempt, wrong = Attempt(telegram), "canary-wrong-secret"
    with pytest.raises(Misconfigured, match=r"^TELEGRAM_CLIENT_SECRET: Telegram refused it") as caught:
        attempt.redeem(settings=settings_for(telegram.url, wrong))
    assert "bot token" in caught.value.reason
    tells_nothing(caught.value, [*attempt.secrets(), wrong], capsys, caplog)


def test_without_a_secret_nothing_is_sent(telegram, capsys, caplog):
    """A code that comes where OpenID Connect is off is not sent to Telegram without credentials."""
    attempt = Attempt(telegram)
    with pytest.raises(Misconfigured, match=r"^TELEGRAM_CLIENT_SECRET: is not set") as caught:
        attempt.redeem(settings=settings_for(telegram.url, ""))
    tells_nothing(caught.value, attempt.secrets(), capsys, caplog)
    assert asked(telegram) == []


ERRORS = [
    ("invalid_grant", LoginRejected, "refused the code"),
    ("invalid_client", Misconfigured, "TELEGRAM_CLIENT_SECRET: Telegram refused it"),
    ("invalid_request", Misconfigured, "TELEGRAM_CLIENT_SECRET: Telegram answered invalid_request"),
    ("unauthorized_client", Misconfigured, "TELEGRAM_CLIENT_SECRET: Telegram answered unauthorized_client"),
    ("invalid_scope", Misconfigured, "TELEGRAM_CLIENT_SECRET: Telegram answered invalid_scope"),
    ("unsupported_grant_type", IdentityProviderUnavailable, "gave no id_token"),
    ("server_error", IdentityProviderUnavailable, "gave no id_token"),
    ("canary_error", IdentityProviderUnavailable, "gave no id_token"),
    ("", IdentityProviderUnavailable, "gave no id_token"),
    (None, IdentityProviderUnavailable, "gave no id_token"),
    (["invalid_grant"], IdentityProviderUnavailable, "gave no id_token"),
    (1, IdentityProviderUnavailable, "gave no id_token"),
]


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize(("error", "problem", "reason"), ERRORS)
def test_errors_of_the_token_endpoint(telegram, status, error, problem, reason, capsys, caplog):
    """Each error of RFC 6749 §5.2 is the user's to repeat, the owner's to mend or Telegram's, and says so."""
    attempt = Attempt(telegram)
    answer = {
        "error": error,
        "error_description": f"canary {attempt.code} {ACCESS_TOKEN}",
        "id_token": "x.y.z",
    }
    telegram.provider.faults[TOKEN_PATH] = lambda _: Response(json.dumps(answer), status)
    with pytest.raises(problem) as caught:
        attempt.redeem()
    assert reason in caught.value.reason
    assert "canary" not in caught.value.reason
    tells_nothing(caught.value, attempt.secrets(), capsys, caplog)
    assert asked(telegram) == [TOKEN_PATH]


@pytest.mark.parametrize("status", [200, 201, 403, 404, 429, 500, 502, 503])
@pytest.mark.parametrize("error", ["invalid_grant", "invalid_client", "invalid_request"])
def test_an_error_under_another_status_is_no_answer(telegram, status, error):
    """Only 400 and 401 are answers about this login; anything else is Telegram's fault, or a proxy's."""
    telegram.provider.faults[TOKEN_PATH] = lambda _: Response(json.dumps({"error": error}), status)
    with pytest.raises(IdentityProviderUnavailable, match=str(status)):
        Attempt(telegram).redeem()


@pytest.mark.parametrize("status", [201, 202, 203, 206, 400, 401, 404, 500])
def test_an_id_token_under_another_status_is_none(telegram, status):
    """A token counts in a 200 alone, and so do keys."""
    good = json.dumps({"id_token": telegram.provider.sign(telegram.provider.claims(USER))})
    telegram.provider.faults[TOKEN_PATH] = lambda _: Response(good, status)
    with pytest.raises(IdentityProviderUnavailable):
        Attempt(telegram).redeem()
    telegram.provider.faults.clear()
    keys = json.dumps(telegram.provider.jwks())
    telegram.provider.faults[KEYS_PATH] = lambda _: Response(keys, status)
    with pytest.raises(IdentityProviderUnavailable):
        Attempt(telegram).redeem()


# When Telegram answers nonsense, or not at all


def reset(_):
    raise ConnectionResetError


def json_of(value):
    return lambda _: Response(json.dumps(value), mimetype="application/json")


NONSENSE = {
    "reset": reset,
    "500": lambda _: Response(json.dumps({"error": "server_error", "id_token": ACCESS_TOKEN}), 500),
    "502 HTML": lambda _: Response(f"<html>{ACCESS_TOKEN}</html>", 502, mimetype="text/html"),
    "200 HTML": lambda _: Response(f"<html>{ACCESS_TOKEN}</html>", mimetype="text/html"),
    "204": lambda _: Response(status=204),
    "304": lambda _: Response(status=304),
    "200 nothing": lambda _: Response(b""),
    "200 cut": lambda _: Response(json.dumps({"id_token": ACCESS_TOKEN, "keys": []})[:-1]),
    "200 not UTF-8": lambda _: Response(b'{"id_token": "\xff", "keys": ["\xff"]}'),
    "200 deep": lambda _: Response(b"[" * 60_000),
    "200 long number": lambda _: Response(b"9" * 60_000),
    "200 error": json_of({"error": "invalid_request", "error_description": ACCESS_TOKEN}),
    "200 null": json_of(None),
    "200 list": json_of([{"id_token": "x"}]),
    "200 text": json_of(ACCESS_TOKEN),
    "200 true": json_of(True),
    "200 empty object": json_of({}),
    "200 null inside": json_of({"id_token": None, "keys": None}),
    "200 number inside": json_of({"id_token": 1, "keys": 1}),
    "200 list inside": json_of({"id_token": [ACCESS_TOKEN], "keys": [ACCESS_TOKEN]}),
    "200 object inside": json_of({"id_token": {"a": "b"}, "keys": {"a": "b"}}),
    "200 only access_token": json_of({"access_token": ACCESS_TOKEN, "token_type": "Bearer"}),
    "bad length": lambda _: Response(b"{}", headers={"Content-Length": "99"}),
    "gzip that is none": lambda _: Response(b"canary", headers={"Content-Encoding": "gzip"}),
}


@PATHS
@pytest.mark.parametrize("fault", NONSENSE)
def test_nonsense(telegram, path, fault, capsys, caplog):
    """Whatever is no answer of either endpoint is 503, in our own words, and nothing of it is shown."""
    caplog.set_level(logging.DEBUG)
    attempt = Attempt(telegram)
    telegram.provider.faults[path] = NONSENSE[fault]
    with pytest.raises(IdentityProviderUnavailable) as caught:
        attempt.redeem()
    tells_nothing(caught.value, attempt.secrets(), capsys, caplog)
    # One attempt: a code works once, and nobody is asked twice.
    assert asked(telegram).count(path) == 1
    telegram.provider.faults.clear()
    if path == TOKEN_PATH:
        Attempt(telegram).redeem()


@PATHS
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x-unknown", "gzip, gzip"])
def test_a_compressed_answer_is_refused(telegram, path, encoding):
    """An answer that unpacks to any size, and that nobody asked for, is not unpacked, though it is good."""
    good = {
        TOKEN_PATH: {"id_token": telegram.provider.sign(telegram.provider.claims(USER))},
        KEYS_PATH: telegram.provider.jwks(),
    }[path]
    body, headers = gzip.compress(json.dumps(good).encode()), {"Content-Encoding": encoding}
    telegram.provider.faults[path] = lambda _: Response(body, headers=headers)
    with pytest.raises(IdentityProviderUnavailable):
        Attempt(telegram).redeem()


@PATHS
def test_a_long_answer_is_cut(telegram, path):
    """Ten megabytes are not read: the limit is 64 KiB, however good what stands before it is."""
    assert http.MAX_ANSWER == 64 * 1024
    good = {
        TOKEN_PATH: {"id_token": telegram.provider.sign(telegram.provider.claims(USER))},
        KEYS_PATH: telegram.provider.jwks(),
    }[path]
    written = []

    def flood():
        yield json.dumps(good).encode()
        for number in range(160):
            written.append(number)
            yield b" " * 65_536

    telegram.provider.faults[path] = lambda _: Response(flood())
    with pytest.raises(IdentityProviderUnavailable):
        Attempt(telegram).redeem()
    assert len(written) < 150
    telegram.provider.faults[path] = lambda _: Response(json.dumps(good).encode() + b" " * 60_000)
    provider._keys.cache_clear()
    Attempt(telegram).redeem()


@PATHS
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(telegram, another, path, status):
    """A redirect would take code, verifier and secret, or the choice of keys, to somewhere else."""
    another.provider.requests.clear()
    for target in (another.url + path, telegram.url + path, path):
        telegram.provider.requests.clear()
        provider._keys.cache_clear()
        headers = {"Location": target}
        telegram.provider.faults[path] = lambda _, headers=headers: Response(b"", status, headers)
        with pytest.raises(IdentityProviderUnavailable):
            Attempt(telegram).redeem()
        assert asked(telegram).count(path) == 1
    assert asked(another) == []


def slow_header(over):
    """A server of a few lines that drips its status line; werkzeug writes headers at once."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener:
            connection, _ = listener.accept()
            with connection:
                for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: y\r\n" * 100:
                    if over.wait(0.02):
                        return
                    connection.sendall(bytes([byte]))

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def drip(over, **headers):
    def body():
        for _ in range(200):
            if over.wait(0.02):
                return
            yield b" "

    return lambda _: Response(body(), headers=headers)


@PATHS
@pytest.mark.parametrize("slow", ["never", "drip", "drip with a length"])
def test_the_deadline_is_for_the_whole_answer(telegram, soon, let_go, path, slow, capsys, caplog):
    """An answer that does not come, or that comes byte by byte, holds a login no longer than its time."""
    attempt = Attempt(telegram)
    telegram.provider.faults[path] = {
        "never": lambda _: (let_go.wait(5), Response())[1],
        "drip": drip(let_go),
        "drip with a length": drip(let_go, **{"Content-Length": "200"}),
    }[slow]
    started = time.monotonic()
    with pytest.raises(IdentityProviderUnavailable) as caught:
        attempt.redeem()
    assert time.monotonic() - started < 0.5
    tells_nothing(caught.value, attempt.secrets(), capsys, caplog)


def test_the_deadline_is_for_the_headers_too(soon, let_go):
    """Headers that come byte by byte do not prolong it either."""
    settings = settings_for(slow_header(let_go))
    transaction, _ = begin(settings, return_to="/", now=NOW)
    started = time.monotonic()
    with pytest.raises(IdentityProviderUnavailable):
        provider.exchange_code("code", transaction, settings=settings, origin=ORIGIN, now=NOW)
    assert time.monotonic() - started < 0.5


def unused_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{}", "https://127.0.0.1:{}", "http://127.0.0.1:{}/canary-path"]
)
def test_nobody_listens(telegram, url, capsys, caplog):
    """A connection that is refused is 503 for the token and for the keys, and shows nothing."""
    caplog.set_level(logging.DEBUG)
    port = unused_port()
    settings = settings_for(url.format(port))
    transaction, _ = begin(settings, return_to="/", now=NOW)
    code = "canary-code-0123456789"
    with pytest.raises(IdentityProviderUnavailable) as caught:
        provider.exchange_code(code, transaction, settings=settings, origin=ORIGIN, now=NOW)
    tells_nothing(caught.value, [SECRET, code, transaction.verifier], capsys, caplog)
    assert "127.0.0.1" not in caught.value.reason
    assert "canary-path" not in caught.value.reason
    text = telegram.provider.sign(telegram.provider.claims(USER, iss=settings.oauth_url))
    with pytest.raises(IdentityProviderUnavailable) as caught:
        checked(telegram, text, settings=settings)
    tells_nothing(caught.value, [text, text.split(".")[1]], capsys, caplog)


def test_limits():
    """One login's requests have five seconds, and an answer 64 KiB."""
    assert (http._client.seconds, http._client.max_bytes) == (budget.TELEGRAM_SECONDS, http.MAX_ANSWER)
    assert (budget.TELEGRAM_SECONDS, http.MAX_ANSWER) == (5, 65_536)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_from_the_environment(telegram, new_client, monkeypatch, name):
    """A proxy in the environment, which would see the secret, is not used."""
    monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    for other in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
    Attempt(telegram).redeem()
    assert len(telegram.provider.requests) == 2


def test_no_password_from_the_users_netrc(telegram, new_client, monkeypatch, tmp_path):
    """What a .netrc says of the host is neither sent to it nor put in place of the client secret."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    Attempt(telegram).redeem()
    token, keys = telegram.provider.requests
    assert base64.b64decode(token.headers["Authorization"].split()[1]).decode() == f"{CLIENT}:{SECRET}"
    assert "Authorization" not in keys.headers


def test_cookies_are_not_kept(telegram, new_client):
    """A cookie that Telegram sets in one login is not sent in the next one, which is another user's."""
    good = json.dumps(telegram.provider.jwks())
    headers = {"Set-Cookie": "canary=1; Path=/"}
    telegram.provider.faults[KEYS_PATH] = lambda _: Response(good, headers=headers)
    telegram.provider.faults[TOKEN_PATH] = lambda _: Response(
        json.dumps({"id_token": telegram.provider.sign(telegram.provider.claims(USER))}), headers=headers
    )
    for _ in range(2):
        Attempt(telegram).redeem()
    assert [received.headers.get("Cookie") for received in telegram.provider.requests] == [None] * 3


def test_while_keys_cannot_be_fetched_those_of_the_day_are_used(telegram):
    """A login works without Telegram's keys being reachable for a day after they were, and then is 503."""
    Attempt(telegram).redeem()
    telegram.provider.faults[KEYS_PATH] = reset
    for later in (3600, 23 * 3600):
        text = telegram.provider.sign(telegram.provider.claims(USER, iat=NOW + later, exp=NOW + later + 60))
        assert checked(telegram, text, now=NOW + later)[0].id == USER["id"]
    later = 24 * 3600
    text = telegram.provider.sign(telegram.provider.claims(USER, iat=NOW + later, exp=NOW + later + 60))
    with pytest.raises(IdentityProviderUnavailable):
        checked(telegram, text, now=NOW + later)
