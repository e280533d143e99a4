"""Telegram's OpenID Connect as the browser sees it (lib/tgauth/telegram/oidc.py)."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib.tgauth.errors import LoginCancelled, LoginRejected, Problem
from lib.tgauth.settings import read_settings
from lib.tgauth.telegram.oidc import SCOPE, authorization_code, authorization_url
from lib.tgauth.telegram.transaction import begin
from tests.unit.telegram.proofs import NOW

ISSUER = "https://oauth.telegram.org"
SECRET = "canary-client-secret"
SETTINGS = read_settings({"TELEGRAM_BOT_TOKEN": "123456789:AAE-canary", "TELEGRAM_CLIENT_SECRET": SECRET})
TRANSACTION, _ = begin(SETTINGS, return_to="/account", now=NOW)


def url(settings=SETTINGS, origin="https://tgauth.example"):
    return authorization_url(settings, TRANSACTION, origin)


def code(**answer):
    return authorization_code(answer, expected_issuer=ISSUER)


def test_where_the_browser_is_sent():
    """To Telegram's /auth with these parameters, each once, and no other, which would mean the widget."""
    scheme, host, path, query, fragment = urlsplit(url())
    assert (scheme, host, path, fragment) == ("https", "oauth.telegram.org", "/auth", "")
    pairs = parse_qsl(query, strict_parsing=True)
    assert len(pairs) == 8
    assert dict(pairs) == {
        "client_id": "123456789",
        "redirect_uri": "https://tgauth.example/telegram/callback",
        "response_type": "code",
        "scope": "openid profile",
        "state": TRANSACTION.state,
        "nonce": TRANSACTION.nonce,
        "code_challenge": TRANSACTION.challenge,
        "code_challenge_method": "S256",
    }


def test_nothing_secret_goes_through_the_browser():
    """Verifier, client secret, bot token and the way back stay here."""
    for secret in (TRANSACTION.verifier, SECRET, "AAE-canary", "account"):
        assert secret not in unquote(url())


def test_the_address_is_encoded():
    """A space is %20, which everybody reads alike, and no character is left that a browser would change."""
    query = url().partition("?")[2]
    assert "scope=openid%20profile" in query
    assert "redirect_uri=https%3A%2F%2Ftgauth.example%2Ftelegram%2Fcallback" in query
    assert re.fullmatch(r"[A-Za-z0-9_.~%=&-]+", query)
    # Telegram's own script puts a nonce into an address as it is.
    assert f"nonce={TRANSACTION.nonce}&" in query
    assert f"state={TRANSACTION.state}&" in query


def test_only_what_is_needed_is_asked_for():
    """`profile` brings the id; nobody is asked for the phone number or for messages."""
    assert SCOPE == "openid profile"


def test_another_telegram():
    """The endpoint is below the issuer, with its path."""
    settings = read_settings(
        {
            "TELEGRAM_BOT_TOKEN": "123456789:AAE",
            "TELEGRAM_CLIENT_SECRET": SECRET,
            "TELEGRAM_OAUTH_URL": "http://localhost:3000/_telegram/",
        }
    )
    sent = url(settings, "http://localhost:3000")
    assert sent.startswith("http://localhost:3000/_telegram/auth?")
    assert "redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Ftelegram%2Fcallback&" in sent


@pytest.mark.parametrize("value", ["x", "!", "~", "a.b-c_d/e+f=", "x" * 1024])
def test_a_code(value):
    """A code is 1 to 1024 printable ASCII characters, and is passed on as it came."""
    assert code(code=value) == value
    assert code(code=value, state="s") == value
    assert code(code=value, iss=ISSUER) == value


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"state": "s"},
        {"code": ""},
        {"code": " "},
        {"code": "a b"},
        {"code": "x\n"},
        {"code": "\nx"},
        {"code": "x\r\nX: y"},
        {"code": "x\x00"},
        {"code": "x\x7f"},
        {"code": "é"},
        {"code": "١"},
        {"code": "\ud800"},
        {"code": "x" * 1025},
        {"Code": "x"},
        {"code": "x", "iss": ""},
        {"code": "x", "iss": ISSUER + "/"},
        {"code": "x", "iss": "https://evil.example"},
        {"code": "x", "iss": "http://oauth.telegram.org"},
        {"code": "x", "error": ""},
        {"code": "x", "error": "canary1"},
        {"code": "x", "error": "access_denied "},
        {"code": "x", "error": "ACCESS_DENIED"},
        {"error": "invalid_grant"},
        {"error": "invalid_client"},
        {"error": "login_required"},
        {"error": "access_denied", "iss": "https://evil.example"},
        {"error": "invalid_scope", "iss": "https://evil.example"},
        {"error": "server_error", "iss": ""},
    ],
    ids=lambda answer: ascii(answer)[:60],
)
def test_what_is_no_answer_is_rejected(answer):
    """Another issuer's answer (RFC 9207), an unknown error, or no code of any form, is rejected."""
    with pytest.raises(LoginRejected) as caught:
        code(**answer)
    assert "canary" not in caught.value.reason
    assert "evil" not in caught.value.reason


def test_the_user_said_no():
    """`access_denied` is a choice, and not a failure of anybody's."""
    for extra in ({}, {"error_description": "canary"}, {"iss": ISSUER}, {"code": "x"}):
        with pytest.raises(LoginCancelled) as caught:
            code(error="access_denied", **extra)
        assert caught.value.reason == "the browser came back with error=access_denied"


@pytest.mark.parametrize("error", ["user_cancelled", "user_denied", "cancelled", "canceled"])
def test_other_words_for_no(error):
    """What else providers call it when the user said no is the same choice."""
    with pytest.raises(LoginCancelled):
        code(error=error)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        *dict.fromkeys(
            ["invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type"],
            "Allowed URLs",
        ).items(),
        *dict.fromkeys(["server_error", "temporarily_unavailable"], "try again later").items(),
        ("login_required", "RFC 6749"),
        ("a" * 40, "RFC 6749"),
    ],
)
def test_an_error_in_the_address_accuses_nobody(error, advice):
    """Anybody can write one there: the log says so, and what to look at if it was Telegram's."""
    with pytest.raises(Problem) as caught:
        code(error=error, error_description="canary", code="x")
    assert caught.value.reason.startswith(
        f"the browser came back with error={error}, which anybody can write; if "
    )
    assert advice in caught.value.reason
    assert "TELEGRAM_CLIENT_SECRET" not in caught.value.reason
    assert "canary" not in caught.value.reason
    assert caught.value.level == "warning"
    expected = {"Allowed URLs": "misconfigured", "try again later": "identity_provider_unavailable"}
    assert caught.value.code == expected.get(advice, "login_rejected")


@pytest.mark.parametrize("error", ["", "A", "a b", "a1", "a\n", "canary=TELEGRAM", "a" * 41, "é"], ids=ascii)
def test_what_is_no_name_of_an_error_is_not_quoted(error):
    """Only lowercase letters and underscores of a name's length get from the address into the log."""
    with pytest.raises(LoginRejected) as caught:
        code(error=error)
    assert "error=something that is not the name of an error" in caught.value.reason


@given(st.dictionaries(st.sampled_from(["code", "state", "error", "iss"]) | st.text(max_size=9), st.text()))
@example({"error": "access_denied", "code": "x"})
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_answer_is_a_code_or_a_problem(answer):
    """Whatever a callback is called with, it is a code as it came or a problem of the API."""
    try:
        found = authorization_code(answer, expected_issuer=ISSUER)
    except Problem:
        return
    assert found == answer["code"]
    assert "error" not in answer
