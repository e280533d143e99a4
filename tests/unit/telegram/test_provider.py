"""Telegram's OpenID Connect over HTTP (telegram/provider.py), against the simulated one on a socket."""

import base64
import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest

from dev.telegram.oidc import KEYS_PATH, TOKEN_PATH
from dev.telegram.users import USERS
from lib.tgauth import budget
from lib.tgauth.errors import IdentityProviderUnavailable, LoginRejected, Misconfigured
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram import http, provider
from lib.tgauth.telegram.transaction import begin
from tests.unit.telegram.proofs import (
    BOT_ID,
    BOT_TOKEN,
    CLIENT_SECRET,
    NO_ANSWERS,
    NOW,
    ORIGIN,
    answering,
    json_of,
    reset,
)

ACCESS_TOKEN = "canary-access-token-0123456789"
USER = USERS[100000001]
PATHS = pytest.mark.parametrize("path", [TOKEN_PATH, KEYS_PATH], ids=["token", "keys"])


def settings_for(url, secret=CLIENT_SECRET):
    return read_settings(
        {
            "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
            "TELEGRAM_CLIENT_SECRET": secret,
            "TELEGRAM_OAUTH_URL": url,
            "AUTH_SECRET": "s" * 32,
        }
    )


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
        basic = base64.b64encode(f"{BOT_ID}:{CLIENT_SECRET}".encode()).decode()
        ours = [CLIENT_SECRET, basic, self.transaction.verifier, self.transaction.nonce]
        return [*ours, self.code, ACCESS_TOKEN]


def checked(telegram, text, *, nonces=(), required=False, now=NOW):
    settings = settings_for(telegram.url)
    return provider.check(text, settings=settings, nonces=nonces, nonce_required=required, now=now)


def asked(telegram):
    return [received.path for received in telegram.provider.requests]


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
        ("client_id", str(BOT_ID)),
        ("code", attempt.code),
        ("code_verifier", attempt.transaction.verifier),
        ("grant_type", "authorization_code"),
        ("redirect_uri", f"{ORIGIN}/telegram/callback"),
    ]
    scheme, _, credentials = token.headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(credentials).decode()) == ("Basic", f"{BOT_ID}:{CLIENT_SECRET}")
    assert CLIENT_SECRET not in token.body.decode()
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
    telegram.provider.faults[TOKEN_PATH] = json_of(answer)
    shown = repr(attempt.redeem()) + capsys.readouterr().out
    for secret in (ACCESS_TOKEN, id_token, id_token.split(".")[2], *attempt.secrets()):
        assert secret not in shown


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
    telegram.provider.faults[TOKEN_PATH] = json_of({"id_token": text})
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
        telegram.provider.faults[TOKEN_PATH] = json_of({"id_token": text})
        with pytest.raises(LoginRejected):
            Attempt(telegram).redeem()


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


def test_a_wrong_secret_is_the_owners_fault(telegram, tells_nothing):
    """The log names the variable and the fix, and the usual mistake, and not what it was set to."""
    attempt, wrong = Attempt(telegram), "canary-wrong-secret"
    with pytest.raises(Misconfigured, match=r"^TELEGRAM_CLIENT_SECRET: Telegram refused it") as caught:
        attempt.redeem(settings=settings_for(telegram.url, wrong))
    assert "bot token" in caught.value.reason
    tells_nothing(caught.value, [*attempt.secrets(), wrong])


def test_without_a_secret_nothing_is_sent(telegram, tells_nothing):
    """A code that comes where OpenID Connect is off is not sent to Telegram without credentials."""
    attempt = Attempt(telegram)
    with pytest.raises(Misconfigured, match=r"^TELEGRAM_CLIENT_SECRET: is not set") as caught:
        attempt.redeem(settings=settings_for(telegram.url, ""))
    tells_nothing(caught.value, attempt.secrets())
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
def test_errors_of_the_token_endpoint(telegram, status, error, problem, reason, tells_nothing):
    """Each error of RFC 6749 §5.2 is the user's to repeat, the owner's to mend or Telegram's, and says so."""
    attempt = Attempt(telegram)
    answer = {
        "error": error,
        "error_description": f"canary {attempt.code} {ACCESS_TOKEN}",
        "id_token": "x.y.z",
    }
    telegram.provider.faults[TOKEN_PATH] = json_of(answer, status)
    with pytest.raises(problem) as caught:
        attempt.redeem()
    assert reason in caught.value.reason
    assert "canary" not in caught.value.reason
    tells_nothing(caught.value, attempt.secrets())
    assert asked(telegram) == [TOKEN_PATH]


@pytest.mark.parametrize("status", [200, 201, 403, 404, 429, 500, 502, 503])
@pytest.mark.parametrize("error", ["invalid_grant", "invalid_client", "invalid_request"])
def test_an_error_under_another_status_is_no_answer(telegram, status, error):
    """Only 400 and 401 are answers about this login; anything else is Telegram's fault, or a proxy's."""
    telegram.provider.faults[TOKEN_PATH] = json_of({"error": error}, status)
    with pytest.raises(IdentityProviderUnavailable, match=str(status)):
        Attempt(telegram).redeem()


@pytest.mark.parametrize("status", [201, 202, 203, 206, 302, 400, 401, 404, 500])
def test_an_id_token_under_another_status_is_none(telegram, status):
    """A token counts in a 200 alone, and so do keys."""
    good = {"id_token": telegram.provider.sign(telegram.provider.claims(USER))}
    telegram.provider.faults[TOKEN_PATH] = json_of(good, status)
    with pytest.raises(IdentityProviderUnavailable):
        Attempt(telegram).redeem()
    telegram.provider.faults.clear()
    telegram.provider.faults[KEYS_PATH] = json_of(telegram.provider.jwks(), status)
    with pytest.raises(IdentityProviderUnavailable):
        Attempt(telegram).redeem()


# When Telegram answers nonsense, or not at all


NONSENSE = {
    **{name: answering(body, status) for name, (status, body) in NO_ANSWERS.items()},
    "reset": reset,
    "500 with a token": json_of({"id_token": ACCESS_TOKEN}, 500),
    "cut before its end": answering(json.dumps({"id_token": ACCESS_TOKEN, "keys": []})[:-1].encode()),
    "error": json_of({"error": "invalid_request", "error_description": ACCESS_TOKEN}),
    "list": json_of([{"id_token": "x"}]),
    "null inside": json_of({"id_token": None, "keys": None}),
    "number inside": json_of({"id_token": 1, "keys": 1}),
    "list inside": json_of({"id_token": [ACCESS_TOKEN], "keys": [ACCESS_TOKEN]}),
    "object inside": json_of({"id_token": {"a": "b"}, "keys": {"a": "b"}}),
    "only access_token": json_of({"access_token": ACCESS_TOKEN, "token_type": "Bearer"}),
}


@PATHS
@pytest.mark.parametrize("fault", NONSENSE)
def test_nonsense(telegram, path, fault, caplog, tells_nothing):
    """Whatever is no answer of either endpoint is 503, in our own words, and nothing of it is shown."""
    caplog.set_level(logging.DEBUG)
    attempt = Attempt(telegram)
    telegram.provider.faults[path] = NONSENSE[fault]
    with pytest.raises(IdentityProviderUnavailable) as caught:
        attempt.redeem()
    tells_nothing(caught.value, [*attempt.secrets(), "canary"])
    # One attempt: a code works once, and nobody is asked twice.
    assert asked(telegram).count(path) == 1
    telegram.provider.faults.clear()
    if path == TOKEN_PATH:
        Attempt(telegram).redeem()


def test_limits():
    """One login's requests have five seconds, and an answer 64 KiB."""
    assert (http._client.seconds, http._client.max_bytes) == (budget.TELEGRAM_SECONDS, http.MAX_ANSWER)
    assert (budget.TELEGRAM_SECONDS, http.MAX_ANSWER) == (5, 65_536)


def test_every_issuer_has_keys_of_its_own(telegram):
    """Keys that were fetched from one address check no token of another."""
    assert provider._keys(telegram.url) is provider._keys(telegram.url)
    assert provider._keys(telegram.url) is not provider._keys(ORIGIN)


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


def test_a_machine_that_starts_no_thread(telegram, monkeypatch):
    """What checks the answer is then imported after it came, and the login works."""

    class Thread(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(provider, "threading", SimpleNamespace(Thread=Thread))
    monkeypatch.delitem(sys.modules, f"{provider.__package__}.jwk", raising=False)
    user, _ = Attempt(telegram).redeem()
    assert user.id == USER["id"]


def test_a_cold_start_asks_for_token_and_keys_at_once(telegram, monkeypatch):
    """What is imported and fetched does not wait for the code, and the keys are fetched once."""
    answer, keys_asked = telegram.provider.answer, threading.Event()

    def answer_keys_first(path, request):
        if path == KEYS_PATH:
            keys_asked.set()
        else:
            assert keys_asked.wait(10)
        return answer(path, request)

    monkeypatch.setattr(telegram.provider, "answer", answer_keys_first)
    monkeypatch.delitem(sys.modules, f"{provider.__package__}.jwk", raising=False)
    user, _ = Attempt(telegram).redeem()
    assert user.id == USER["id"]
    assert sorted(asked(telegram)) == [KEYS_PATH, TOKEN_PATH]
