"""An answer, for WSGI (PEP 3333)."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


class Headers(dict[str, str]):
    """Header fields by their names, which are spelled as they are sent.

    Setting one raises ValueError for a value that is no single line of ASCII.
    """

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(name, checked(value))


class Response:
    """`status`, `headers`, and `body`, which HEAD and 204 go without. `cookies` are Set-Cookie headers."""

    def __init__(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        content_type: str = "text/plain; charset=utf-8",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = Headers()
        self.cookies = list[str]()
        if status != 204:
            self.headers["Content-Type"] = content_type
        for name, value in (headers or {}).items():
            self.headers[name] = value

    def add_cookie(self, header: str) -> None:
        """Send one more Set-Cookie header; raises ValueError for what is no single line of ASCII."""
        self.cookies.append(checked(header))

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer the request that `environ` describes."""
        headers = [*self.headers.items(), *(("Set-Cookie", cookie) for cookie in self.cookies)]
        if self.status != 204:
            headers.append(("Content-Length", str(len(self.body))))
        start_response(f"{self.status} {HTTPStatus(self.status).phrase}", headers)
        return [] if self.status == 204 or environ["REQUEST_METHOD"] == "HEAD" else [self.body]


def checked(value: str) -> str:
    """`value` as it is; raises ValueError where it would be more than a header's value.

    That is RFC 9110 §5.5 without the tab, and without the bytes over 127 that readers disagree on.
    """
    if not (value.isascii() and value.isprintable()):
        raise ValueError("not a header's value")
    return value
