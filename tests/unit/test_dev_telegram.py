"""dev/telegram.py: the simulated Telegram confirms logins as the real one does, and refuses as it does."""

import base64
import json
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.test import Client

from dev.telegram import BOT_ID, USERS, Telegram
from lib.environment import DEVELOPMENT_BOT_TOKEN
from lib.telegram.webapp import verify_webapp
from lib.telegram.widget import verify_widget

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


def test_age_of_a_proof_can_be_chosen(telegram: Client) -> None:
    """`age` and `auth_date` make proofs of another time."""
    widget = telegram.get("/_telegram/widget?user=100000001&age=600").json
    assert 599 < time.time() - widget["auth_date"] < 610
    widget = telegram.get("/_telegram/widget?user=100000001&auth_date=1700000000").json
    assert widget["auth_date"] == 1700000000


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/_telegram/widget", 404),
        ("/_telegram/widget?user=1", 404),
        ("/_telegram/widget?user=100000001&age=x", 400),
        ("/_telegram/nothing", 404),
    ],
)
def test_wrong_requests(telegram: Client, target: str, status: int) -> None:
    """An unknown user, a time that is no number and an unknown address are told apart from success."""
    assert telegram.get(target).status_code == status


def test_post_is_refused(telegram: Client) -> None:
    """Nothing here changes anything, so only GET and HEAD are answered."""
    assert telegram.post("/_telegram/widget?user=100000001").status_code == 405


def test_names_are_escaped(telegram: Client) -> None:
    """A user's name with markup in it, and what a request says, appear as text."""
    page = telegram.get("/_telegram/").text
    assert "&lt;b&gt;&#34;Bobby&#34;&lt;/b&gt;" in page
    assert "<b>" not in page
    refused = telegram.get("/_telegram/auth", query_string={"bot_id": "<script>"}).text
    assert "<script>" not in refused


def test_index_opens_mini_apps(telegram: Client) -> None:
    """The index has for every user a launch link of the form that Telegram uses."""
    page = telegram.get("/_telegram/").text
    assert page.count('href="/#tgWebAppData=') == len(USERS)
