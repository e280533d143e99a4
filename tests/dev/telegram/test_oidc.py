"""dev/telegram/oidc.py: the simulated OpenID provider grants what Telegram documents, and no more."""

import base64
import hashlib
import html
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlsplit

import httpx
import jwt
import pytest

from dev.telegram.serving import Serving, serving
from dev.telegram.users import USERS
from tests.clock import Clock

ORIGIN = "https://tgauth.example"
CALLBACK = f"{ORIGIN}/telegram/callback"
CLIENT = "987654321"
SECRET = "a secret: with +, % and ü"
ALICE = USERS[100000001]
VERIFIER = secrets.token_urlsafe(40)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASKED = {
    "client_id": CLIENT,
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid profile",
    "state": "a state & more",
    "nonce": "a-nonce",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
POPUP = {
    "client_id": CLIENT,
    "redirect_uri": f"{ORIGIN}/any/page",
    "response_type": "post_message",
    "scope": "openid profile",
    "nonce": "a-nonce",
}

# A client for all, since each reads the certificates of the machine first.
HTTP = httpx.Client(trust_env=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def telegram(clock: Clock) -> Iterator[Serving]:
    with serving(redirect_origin=ORIGIN, client_id=CLIENT, client_secret=SECRET, clock=clock) as running:
        yield running


def basic(client_id: str = CLIENT, secret: str = SECRET) -> dict[str, str]:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def authorize(telegram: Serving, asked: Any = ASKED, **changes: Any) -> httpx.Response:
    fields = {name: value for name, value in {**asked, **changes}.items() if value is not None}
    return HTTP.get(f"{telegram.url}/auth", params=fields)


def returned(answer: httpx.Response) -> dict[str, str]:
    """What a redirect to the callback carries."""
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(f"{CALLBACK}?")
    assert answer.headers["Cache-Control"] == "no-store"
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query, strict_parsing=True))


def message(answer: httpx.Response) -> Any:
    """What a popup hands to its opener."""
    assert answer.status_code == 200
    assert f'data-origin="{ORIGIN}"' in answer.text
    found = re.search(r'data-message="([^"]*)"', answer.text)
    assert found
    return json.loads(html.unescape(found[1]))


def code(telegram: Serving, **changes: Any) -> str:
    return returned(authorize(telegram, user=ALICE["id"], **changes))["code"]


def redeem(
    telegram: Serving, code: str, headers: dict[str, str] | None = None, **changes: Any
) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        **changes,
    }
    form = {name: value for name, value in form.items() if value is not None}
    return HTTP.post(f"{telegram.url}/token", data=form, headers=basic() if headers is None else headers)


def verified(telegram: Serving, token: str) -> dict[str, Any]:
    """The claims of a token that one of the served keys signed, by its own algorithm."""
    key = jwt.PyJWKClient(f"{telegram.url}/.well-known/jwks.json").get_signing_key_from_jwt(token)
    # The clock of these tests is not the library's.
    return jwt.decode(
        token,
        key,
        algorithms=[key.algorithm_name],
        audience=CLIENT,
        issuer=telegram.url,
        options={"verify_exp": False, "verify_iat": False},
    )


def refused(answer: httpx.Response, error: str) -> None:
    """A token endpoint's refusal has the status, body and headers of RFC 6749 §5.2."""
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert set(answer.json()) == {"error", "error_description"}
    assert answer.json()["error"] == error
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in answer.headers) is (error == "invalid_client")


def test_code_flow(telegram: Serving, clock: Clock) -> None:
    """Picking a user gives a code and the state; the code gives an id_token with the documented claims."""
    answer = returned(authorize(telegram, user=ALICE["id"]))
    assert answer.keys() == {"code", "state"}
    assert answer["state"] == ASKED["state"]
    tokens = redeem(telegram, answer["code"])
    assert tokens.status_code == 200
    assert tokens.headers["Cache-Control"] == "no-store"
    assert tokens.headers["Content-Type"] == "application/json"
    said = tokens.json()
    assert said.keys() == {"access_token", "token_type", "expires_in", "id_token"}
    assert (said["token_type"], said["expires_in"]) == ("Bearer", 3600)
    assert jwt.get_unverified_header(said["id_token"])["alg"] == "RS256"
    claims = verified(telegram, said["id_token"])
    assert re.fullmatch("[1-9][0-9]{18}", claims.pop("sub"))
    assert claims == {
        "iss": telegram.url,
        "aud": CLIENT,
        "iat": clock.now,
        "exp": clock.now + 3600,
        "id": str(ALICE["id"]),
        "name": "Alice Johnson",
        "given_name": "Alice",
        "family_name": "Johnson",
        "preferred_username": "alice_dev",
    }


PROFILE = {"id", "name", "given_name", "family_name", "preferred_username"}


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", set()),
        ("openid phone", {"phone_number"}),
        ("openid profile phone", PROFILE | {"phone_number"}),
        ("profile openid telegram:bot_access unknown", PROFILE),
    ],
)
def test_scopes_decide_on_claims(telegram: Serving, scope: str, claims: set[str]) -> None:
    """Each scope adds its claims; without `profile` there is no Telegram id, and a phone has no plus."""
    answer = redeem(telegram, code(telegram, scope=scope))
    said = verified(telegram, answer.json()["id_token"])
    assert said.keys() == claims | {"iss", "aud", "sub", "iat", "exp"}
    assert re.fullmatch("[1-9][0-9]{6,14}", said.get("phone_number", "1234567"))


def test_subject_is_stable_and_no_id(telegram: Serving) -> None:
    """Everybody has an opaque subject that stays, and that no other has."""
    subjects = [telegram.provider.claims(user)["sub"] for user in USERS.values()]
    assert len(set(subjects)) == len(USERS)
    assert subjects == [telegram.provider.claims(user)["sub"] for user in USERS.values()]
    assert not set(subjects) & {str(user) for user in USERS}


def test_popup_gets_an_id_token(telegram: Serving) -> None:
    """A popup hands an id_token with the nonce to its opener, and may only run the script that does it."""
    answer = authorize(telegram, POPUP, user=ALICE["id"])
    said = message(answer)
    assert said.keys() == {"event", "result"}
    assert said["event"] == "auth_result"
    claims = verified(telegram, said["result"])
    assert (claims["id"], claims["nonce"]) == (str(ALICE["id"]), "a-nonce")
    assert '<script type="module" src="popup.js"></script>' in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    script = HTTP.get(f"{telegram.url}/popup.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    token = message(authorize(telegram, POPUP, nonce=None, user=ALICE["id"]))["result"]
    assert "nonce" not in verified(telegram, token)


def test_cancelling(telegram: Serving) -> None:
    """Cancel comes back as access_denied with the state, or as a message to the popup's opener."""
    answer = returned(authorize(telegram, user="cancel"))
    assert (answer["error"], answer["state"]) == ("access_denied", ASKED["state"])
    assert answer.keys() == {"error", "error_description", "state"}
    assert "state" not in returned(authorize(telegram, user="cancel", state=None))
    assert message(authorize(telegram, POPUP, user="cancel"))["error"] == "access_denied"


@pytest.mark.parametrize(
    ("asked", "changes"),
    [
        (ASKED, {"client_id": "42"}),
        (ASKED, {"client_id": [CLIENT, CLIENT]}),
        (ASKED, {"redirect_uri": None}),
        (ASKED, {"redirect_uri": f"{CALLBACK}/"}),
        (ASKED, {"redirect_uri": f"{CALLBACK}?x=1"}),
        (ASKED, {"redirect_uri": f"{ORIGIN}/"}),
        (ASKED, {"redirect_uri": "https://evil.example/telegram/callback"}),
        (ASKED, {"redirect_uri": [CALLBACK, "https://evil.example/"]}),
        (ASKED, {"redirect_uri": f"{ORIGIN}/any/page", "response_type": "token"}),
        (POPUP, {"client_id": "42"}),
        (POPUP, {"redirect_uri": "https://tgauth.example.evil.example/"}),
        (POPUP, {"redirect_uri": "https://tgauth.example@evil.example/"}),
        (POPUP, {"redirect_uri": "http://tgauth.example/"}),
        (POPUP, {"redirect_uri": "//tgauth.example/"}),
        (POPUP, {"redirect_uri": "https://[/"}),
    ],
)
def test_unknown_clients_get_no_redirect(telegram: Serving, asked: Any, changes: Any) -> None:
    """For another client or an address that is not registered there is an error page, and nothing else."""
    answer = authorize(telegram, asked, **changes, user=ALICE["id"])
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "data-message" not in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profile openidx"}, "invalid_scope"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
        ({"nonce": ["one", "two"]}, "invalid_request"),
    ],
)
def test_bad_requests_come_back(telegram: Serving, changes: Any, error: str) -> None:
    """What a known client asks wrongly is said at its callback, with the state, and gives no code."""
    answer = returned(authorize(telegram, **changes, user=ALICE["id"]))
    assert answer.keys() == {"error", "error_description", "state"}
    assert (answer["error"], answer["state"]) == (error, ASKED["state"])


def test_code_works_once(telegram: Serving) -> None:
    """A code that was redeemed is refused from then on."""
    first = code(telegram)
    assert redeem(telegram, first).status_code == 200
    refused(redeem(telegram, first), "invalid_grant")


def test_failed_attempt_spends_the_code(telegram: Serving) -> None:
    """Who has a code but not its verifier cannot try again."""
    first = code(telegram)
    refused(redeem(telegram, first, code_verifier="x" * 43), "invalid_grant")
    refused(redeem(telegram, first), "invalid_grant")


def test_unknown_client_spends_nothing(telegram: Serving) -> None:
    """A code stays good when somebody without the secret presents it."""
    first = code(telegram)
    refused(redeem(telegram, first, basic(secret="wrong")), "invalid_client")
    assert redeem(telegram, first).status_code == 200


@pytest.mark.parametrize(("seconds", "works"), [(299, True), (300, False), (10_000, False)])
def test_codes_expire(telegram: Serving, clock: Clock, seconds: int, works: bool) -> None:
    """A code is good for less than five minutes."""
    first = code(telegram)
    clock.advance(seconds)
    assert (redeem(telegram, first).status_code == 200) is works


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "unknown"}, "invalid_grant"),
        ({"redirect_uri": f"{CALLBACK}/"}, "invalid_grant"),
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": CHALLENGE}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
        ({"code": None}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": [CALLBACK, CALLBACK]}, "invalid_request"),
        ({"client_id": "42"}, "invalid_request"),
    ],
)
def test_token_refusals(telegram: Serving, changes: dict[str, Any], error: str) -> None:
    """Whatever a code is bound to must be presented with it, and the request must be well formed."""
    first = code(telegram)
    refused(redeem(telegram, **{"code": first, **changes}), error)


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({}, {}),
        ({}, {"client_id": CLIENT}),
        (basic(secret="wrong"), {}),
        (basic(client_id="42"), {}),
        (basic(secret=""), {}),
        ({"Authorization": "Bearer x"}, {}),
        ({"Authorization": "Basic"}, {}),
        ({"Authorization": "Basic ???"}, {}),
        ({"Authorization": "Basic /////w=="}, {}),
        ({"Authorization": f"Basic {base64.b64encode(CLIENT.encode()).decode()}"}, {}),
    ],
)
def test_unknown_clients_are_refused(telegram: Serving, headers: Any, fields: Any) -> None:
    """Without the right id and secret the answer is 401 invalid_client."""
    refused(redeem(telegram, code(telegram), headers, **fields), "invalid_client")


def test_without_a_challenge_there_is_no_verifier(telegram: Serving) -> None:
    """PKCE is recommended, not required; but a verifier for no challenge shows that it was stripped."""
    changes = {"code_challenge": None, "code_challenge_method": None}
    assert redeem(telegram, code(telegram, **changes), code_verifier=None).status_code == 200
    refused(redeem(telegram, code(telegram, **changes)), "invalid_grant")


def test_published_keys(telegram: Serving) -> None:
    """The key set is the one of the provider, has Telegram's four names and forms, and no private half."""
    keys = HTTP.get(f"{telegram.url}/.well-known/jwks.json").json()["keys"]
    assert keys == telegram.provider.jwks()["keys"]
    assert [(key["kid"], key["kty"], key.get("crv"), key.get("use")) for key in keys] == [
        ("oidc-1", "RSA", None, None),
        ("oidc-es256-1", "EC", "P-256", "sig"),
        ("oidc-eddsa-1", "OKP", "Ed25519", "sig"),
        ("oidc-es256k-1", "EC", "secp256k1", "sig"),
    ]
    assert not {"d", "p", "q", "k"} & {name for key in keys for name in key}
