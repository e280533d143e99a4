"""What the doctor's HTTP client limits, and what it does not do (dev/doctor/client.py)."""

import pytest
import requests

from dev.doctor.client import MAX_ANSWER, Client, NoAnswer
from tests.sockets import dripping

SITE = "https://example.com/"


def test_an_answer_that_never_ends():
    """A body that comes byte by byte has the time of a whole answer, and no more."""
    with dripping(b"HTTP/1.1 200 OK\r\n\r\n") as port, pytest.raises(NoAnswer) as caught:
        Client(seconds=0.2).ask("GET", f"http://127.0.0.1:{port}/")
    assert str(caught.value) == "no whole answer within 0.2 seconds"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.SSLError("canary"), "its TLS certificate is not accepted here"),
        (
            requests.exceptions.ProxyError("canary"),
            "the proxy that HTTPS_PROXY or HTTP_PROXY names does not answer",
        ),
        (requests.ConnectTimeout("canary"), "no whole answer within 10 seconds"),
        (requests.ReadTimeout("canary"), "no whole answer within 10 seconds"),
        (
            requests.ConnectionError("NameResolutionError canary"),
            "its name is not known (no DNS record, or a typing error)",
        ),
        (requests.ConnectionError("canary"), "the connection was refused or broke"),
        (requests.exceptions.InvalidHeader("canary"), "no usable answer (InvalidHeader)"),
        (UnicodeError("canary"), "no usable answer (UnicodeError)"),
    ],
)
def test_why_there_is_no_answer(web, error, words):
    """Whatever goes wrong on the way has words of the doctor's own: those of an error can hold a secret."""
    web.get(SITE, body=error)
    with pytest.raises(NoAnswer) as caught:
        Client().ask("GET", SITE)
    assert str(caught.value) == words


@pytest.mark.parametrize("location", ["https://elsewhere.example/", "https://[x"])
def test_no_redirect_is_followed(web, location):
    """Nor is its target looked at, nor more of its body read than of any other answer."""
    web.get(SITE, status=308, headers={"Location": location}, body=b"a" * 1_000_000)
    assert len(Client().ask("GET", SITE).content) == MAX_ANSWER
    assert len(web.calls) == 1


def test_no_password_and_no_cookie_is_sent(web, tmp_path, monkeypatch):
    """Neither a password of ~/.netrc nor a cookie that came before; a proxy of the environment is used."""
    (tmp_path / "netrc").write_text("machine example.com login me password hunter22\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    web.get(SITE, headers={"Set-Cookie": "a=b"})
    client = Client()
    for _ in range(2):
        client.ask("GET", SITE)
    for call in web.calls:
        assert not {"Authorization", "Cookie"} & call.request.headers.keys()
        assert call.request.req_kwargs["proxies"]["https"] == "http://proxy.example:3128"
