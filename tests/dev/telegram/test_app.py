"""dev/telegram/app.py: the simulated Telegram confirms and refuses logins as the real one does."""

import base64
import html
import json
import re
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from werkzeug.test import Client

from dev.telegram.app import Telegram
from dev.telegram.oidc import DEVELOPMENT_CLIENT_SECRET
from dev.telegram.proofs import BOT_ID
from dev.telegram.users import USERS
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN
from lib.tgauth.telegram.webapp import verify_webapp
from lib.tgauth.telegram.widget import verify_widget

ORIGIN = "http://localhost:3000"
ASKED = {"bot_id": BOT_ID, "origin": ORIGIN, "return_to": f"{ORIGIN}/?state=s"}


@pytest.fixture
def telegram() -> Client:
    return Client(Telegram(ORIGIN))


def auth_result(location: str) -> Any:
    encoded = urlsplit(location).fragment.removeprefix("tgAuthResult=")
    return json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))


@pytest.mark.parametrize("user", USERS.values(), ids=str)
def test_picking_a_user_redirects_with_a_proof(telegram: Client, user: dict[str, Any]) -> None:
    """The redirect leads to return_to, and its fragment holds a widget object that verifies as that user."""
    answer = telegram.get("/_telegram/auth", query_string={**ASKED, "user": user["id"]})
    assert answer.status_code == 302
    assert answer.location.startswith(f"{ORIGIN}/?state=s#tgAuthResult=")
    found, _ = verify_widget(auth_result(answer.location), bot_token=DEVELOPMENT_BOT_TOKEN, now=time.time())
    assert found.to_json() == user


def test_cancelling_redirects_with_false(telegram: Client) -> None:
    """Cancel comes back as a bare JSON false."""
    answer = telegram.get("/_telegram/auth", query_string={**ASKED, "user": "cancel"})
    assert auth_result(answer.location) is False


def test_confirm_page_asks_who(telegram: Client) -> None:
    """Without a choice a page, marked as simulated, has a way in for every user and a way out."""
    answer = telegram.get("/_telegram/auth", query_string=ASKED)
    assert answer.status_code == 200
    assert answer.text.count("Log in as ") == len(USERS)
    assert "Cancel" in answer.text
    assert "Simulated Telegram: local development only" in answer.text


@pytest.mark.parametrize(
    "changed",
    [
        {"bot_id": "42"},
        {"bot_id": ""},
        {"origin": "http://localhost:3001"},
        {"origin": "https://localhost:3000"},
        {"return_to": "http://localhost:3000.example.com/"},
        {"return_to": "http://localhost:3000@example.com/"},
        {"return_to": "http://localhost:3000\\@example.com/"},
        {"return_to": "//example.com/"},
        {"return_to": "/"},
        {"return_to": "http://[/"},
    ],
    ids=str,
)
def test_other_bots_and_sites_are_refused(telegram: Client, changed: dict[str, str]) -> None:
    """Another bot, another origin or a return address elsewhere gets no redirect and no proof."""
    answer = telegram.get("/_telegram/auth", query_string={**ASKED, **changed, "user": 100000001})
    assert answer.status_code == 200
    assert "Bot domain invalid" in answer.text
    assert "Location" not in answer.headers


def test_proofs_as_json(telegram: Client) -> None:
    """The JSON routes give proofs that verify, for scripts and curl."""
    now = time.time()
    widget = telegram.get("/_telegram/widget?user=100000002").json
    user, _ = verify_widget(widget, bot_token=DEVELOPMENT_BOT_TOKEN, now=now)
    assert user.first_name == "Мария"
    init_data = telegram.get("/_telegram/init_data?user=100000002").json["init_data"]
    user, _ = verify_webapp(init_data, bot_token=DEVELOPMENT_BOT_TOKEN, now=now)
    assert (user.id, user.language_code) == (100000002, "ru")
    assert "signature=" in init_data


def test_no_two_proofs_are_the_same(telegram: Client) -> None:
    """Logging in twice within a second gives two proofs, since each of them works once."""
    proofs = [telegram.get("/_telegram/widget?user=100000003").json["hash"] for _ in range(3)]
    answer = telegram.get("/_telegram/auth", query_string={**ASKED, "user": 100000003})
    proofs.append(auth_result(answer.location)["hash"])
    assert len(set(proofs)) == 4


def test_names_are_escaped(telegram: Client) -> None:
    """A user's name with markup in it, and what a request says, appear as text."""
    page = telegram.get("/_telegram/").text
    assert "&lt;b&gt;&#34;Bobby&#34;&lt;/b&gt;" in page
    assert "<b>" not in page
    refused = telegram.get("/_telegram/auth", query_string={"bot_id": "<script>"}).text
    assert "<script>" not in refused


OIDC = {
    "client_id": BOT_ID,
    "redirect_uri": f"{ORIGIN}/telegram/callback",
    "response_type": "code",
    "scope": "openid",
}


def test_client_id_asks_for_openid_connect(telegram: Client) -> None:
    """With client_id the same address is OpenID Connect; with signs of the widget it stays the widget's."""
    assert "OpenID Connect" in telegram.get("/_telegram/auth", query_string=OIDC).text
    both = telegram.get("/_telegram/auth", query_string={**OIDC, **ASKED, "user": 100000001})
    assert "#tgAuthResult=" in both.location
    for sign in ({"bot_id": BOT_ID}, {"origin": ORIGIN}):
        answer = telegram.get("/_telegram/auth", query_string={**OIDC, **sign, "user": 100000001})
        assert "Bot domain invalid" in answer.text


def test_provider_outlives_a_request() -> None:
    """The development server makes the application anew for every request, and codes are still known."""
    answer = Client(Telegram(ORIGIN)).get("/_telegram/auth", query_string={**OIDC, "user": 100000001})
    form = {
        "grant_type": "authorization_code",
        "code": dict(parse_qsl(urlsplit(answer.location).query))["code"],
        "redirect_uri": OIDC["redirect_uri"],
    }
    client = (BOT_ID, DEVELOPMENT_CLIENT_SECRET)
    for _ in range(2):
        elsewhere = Client(Telegram("http://localhost:4000")).post("/_telegram/token", data=form, auth=client)
        assert elsewhere.json["error"] == "invalid_grant"
    assert "id_token" in Client(Telegram(ORIGIN)).post("/_telegram/token", data=form, auth=client).json


@pytest.mark.parametrize(
    ("url", "issuer", "simulated"),
    [
        (f"{ORIGIN}/_telegram", f"{ORIGIN}/_telegram", True),
        (f"{ORIGIN}/_telegram/", f"{ORIGIN}/_telegram", True),
        ("http://127.0.0.1:3000/_telegram", "http://127.0.0.1:3000/_telegram", True),
        (None, f"{ORIGIN}/_telegram", False),
        ("https://oauth.telegram.org", f"{ORIGIN}/_telegram", False),
        ("https://localhost.example/_telegram", f"{ORIGIN}/_telegram", False),
    ],
)
def test_whether_the_functions_use_it(
    monkeypatch: pytest.MonkeyPatch, url: str | None, issuer: str, simulated: bool
) -> None:
    """simulated.json says whether people are sent here, and the issuer is what the functions look for."""
    monkeypatch.delenv("TELEGRAM_OAUTH_URL", raising=False)
    if url:
        monkeypatch.setenv("TELEGRAM_OAUTH_URL", url)
    telegram = Telegram(ORIGIN)
    assert Client(telegram).get("/_telegram/simulated.json").json == {"simulated": simulated}
    assert telegram._provider.issuer == issuer


def test_chat_has_a_login_url_button_for_each_user(telegram: Client) -> None:
    """Agreeing opens the button's address with the user's signed fields behind it, refusing without."""
    page = telegram.get("/_telegram/chat").text
    links = [urlsplit(html.unescape(link)) for link in re.findall(r'class="action" href="([^"]+)"', page)]
    assert len(links) == 2 * len(USERS)
    for user, agree, refuse in zip(USERS.values(), links[::2], links[1::2], strict=True):
        assert refuse.geturl() == f"{ORIGIN}/telegram/login?return_to=%2F"
        assert agree.geturl().startswith(f"{refuse.geturl()}&")
        assert "+" not in agree.query
        fields = dict(parse_qsl(agree.query, strict_parsing=True))
        assert fields.pop("return_to") == "/"
        found, _ = verify_widget(fields, bot_token=DEVELOPMENT_BOT_TOKEN, now=time.time())
        assert found.to_json() == user
    assert page != telegram.get("/_telegram/chat").text
