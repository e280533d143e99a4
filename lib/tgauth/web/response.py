"""An answer, for WSGI (PEP 3333)."""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


class Headers(MutableMapping[str, str]):
    """Header fields by case-insensitive name, each once, in its latest spelling.

    Setting one in any way raises ValueError for a name or value that a header cannot have.
    """

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self._fields: dict[str, tuple[str, str]] = {}
        self.update(fields or {})

    def fill(self, defaults: "Headers") -> None:
        """Take the fields from `defaults` that are not set here."""
        self._fields = {**defaults._fields, **self._fields}

    def pairs(self) -> list[tuple[str, str]]:
        """Name and value of each."""
        return list(self._fields.values())

    def __setitem__(self, name: str, value: str) -> None:
        if not (name.isascii() and name.replace("-", "").isalnum()):
            raise ValueError("not a header's name")
        self._fields[name.lower()] = (name, checked(value))

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()][1]

    def __delitem__(self, name: str) -> None:
        del self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)


class Response:
    """`status`, `headers`, and `body`, which is not sent for HEAD, 204 and 304.

    Raises ValueError for an unknown status, TypeError for a body that is not bytes.
    """

    def __init__(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        content_type: str = "text/plain; charset=utf-8",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = HTTPStatus(status)
        self.body = memoryview(body).tobytes()
        self.headers = Headers({} if status == 204 else {"Content-Type": content_type})
        self.headers.update(headers or {})
        self._cookies = list[str]()

    def add_cookie(self, header: str) -> None:
        """Send one more Set-Cookie header; raises ValueError unless it is a single line of ASCII."""
        self._cookies.append(checked(header))

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer the request that `environ` describes."""
        bare = self.status in (204, 304)
        self.headers.pop("Content-Length", None)
        headers = self.headers.pairs()
        if not bare:
            headers.append(("Content-Length", str(len(self.body))))
        headers += [("Set-Cookie", cookie) for cookie in self._cookies]
        start_response(f"{self.status} {self.status.phrase}", headers)
        return [] if bare or environ["REQUEST_METHOD"] == "HEAD" else [self.body]


def checked(value: str) -> str:
    """`value` unchanged; raises ValueError if it is not a valid header value.

    The rule is RFC 9110 §5.5 without the tab, and without bytes over 127, which readers disagree on.
    """
    if not (value.isascii() and value.isprintable()):
        raise ValueError("not a header's value")
    return value
