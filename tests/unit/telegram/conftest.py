"""The simulated Telegram on a socket of its own, and what is told of what went wrong there."""

import traceback
from collections.abc import Callable, Iterable, Iterator

import pytest

from dev.telegram.serving import Serving, serving
from lib.tgauth.errors import Problem
from lib.tgauth.telegram import http
from tests.unit.telegram.proofs import BOT_ID, BOT_TOKEN, CLIENT_SECRET, NOW, ORIGIN


@pytest.fixture(scope="module")
def running() -> Iterator[Serving]:
    """One for all tests of a module, with our bot and its OpenID client, where it is always `NOW`."""
    with serving(
        redirect_origin=ORIGIN,
        client_id=str(BOT_ID),
        client_secret=CLIENT_SECRET,
        clock=lambda: NOW,
        bot_token=BOT_TOKEN,
    ) as found:
        yield found
    http._client.close()


@pytest.fixture
def tells_nothing(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Callable[[Problem, Iterable[str]], None]:
    """Checks that neither the error, those behind it, nor any line that was logged has one of the secrets."""

    def check(error: Problem, secrets: Iterable[str]) -> None:
        shown = "".join(traceback.format_exception(error)) + error.reason + repr(error)
        shown += capsys.readouterr().out + caplog.text
        for secret in secrets:
            assert secret not in shown
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None

    return check
