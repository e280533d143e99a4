"""What docs/SECURITY.md requires and no module's own test holds."""

import hmac
from collections.abc import Callable

import pytest

from tests.site import Answer, Clock, Site

Send = Callable[[Site, str], Answer]

# What is presented, the secret's length as it is compared, and the answer when the comparison says no.
SECRETS: dict[str, tuple[Send, int, str]] = {
    "a token's signature": (lambda site, token: site.verify(cookie=token), 43, "invalid_session"),
    "a token's random part": (lambda site, token: site.verify(cookie=token), 23, "invalid_session"),
    "the same at a refresh": (lambda site, token: site.refresh(cookie=token), 23, "invalid_session"),
    "a widget's MAC": (lambda site, _: site.login(site.widget()), 32, "login_rejected"),
    "initData's MAC": (lambda site, _: site.login({"init_data": site.init_data()}), 32, "login_rejected"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_compared_in_constant_time(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A genuine secret goes whole through hmac.compare_digest, and what that says is what counts."""
    site = Site(clock, shared=True)
    token = site.login().token
    send, length, code = SECRETS[name]
    compare, seen = hmac.compare_digest, []

    def no(one: bytes, other: bytes) -> bool:
        if len(one) != length:
            return compare(one, other)
        seen.append(one == other)
        return False

    with monkeypatch.context() as patch:
        patch.setattr(hmac, "compare_digest", no)
        assert send(site, token).code == code
    assert True in seen
