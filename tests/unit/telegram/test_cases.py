"""Proofs as Telegram or its clients send them, that were refused once (tests/cases/telegram)."""

import json
from pathlib import Path
from typing import Any

import pytest

from lib.tgauth.errors import LoginRejected
from lib.tgauth.telegram.webapp import verify_webapp
from lib.tgauth.telegram.widget import verify_widget
from lib.tgauth.user import Proof, TelegramUser

FILES = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[2] / "cases" / "telegram").glob("*.json"))
    if path.stem[:2] in ("06", "08", "12", "13", "16", "17")
}

EXPECTED: dict[str, set[TelegramUser] | str] = {
    "06-name-with-C1-9C": {TelegramUser(4000000003, "Ann\x9ca")},
    "06-name-with-DEL": {TelegramUser(4000000003, "Ann\x7fa")},
    "06-name-with-NEL": {TelegramUser(4000000003, "Ann\x85a")},
    "08-init-data-without-first-name": {
        TelegramUser(4000000005, "", language_code="ru"),
        TelegramUser(4000000005, ""),
    },
    "12-empty-init-data": "initData is empty (opened from a keyboard button or inline mode)",
    "13-widget-with-null-fields": {TelegramUser(4000000007, "Ann")},
    "16-widget-with-a-new-signed-field": {TelegramUser(4000000008, "Ann")},
    "17-optional-field-of-another-type": {TelegramUser(4000000009, "Ann")},
}


def logins(case: dict[str, Any]) -> list[tuple[TelegramUser, Proof]]:
    """Whose login each proof of the case is."""
    options = {"bot_token": case["bot_token"], "now": case["now"]}
    launches = case.get("init_data", [])
    found = [verify_widget(case["widget"], **options)] if "widget" in case else []
    for text in [launches] if isinstance(launches, str) else launches:
        found.append(verify_webapp(text, **options))
    return found


@pytest.mark.parametrize("name", FILES)
def test_what_telegram_sends_is_taken(name: str) -> None:
    """Each proof logs in whom it names, with what can be known of them; what is none says why."""
    expected = EXPECTED[name]
    if isinstance(expected, str):
        with pytest.raises(LoginRejected) as caught:
            logins(FILES[name])
        assert caught.value.reason == expected
        return
    assert {user for user, _ in logins(FILES[name])} == expected


def test_every_case_is_tried() -> None:
    """No case that was copied here is left out."""
    assert FILES.keys() == EXPECTED.keys()
