"""A session as its owner holds it, and what an answer must be."""

import json
from dataclasses import dataclass
from typing import Any

from dev.vercel.proxy import HOST, Response
from lib.tgauth.web.cookies import cookie_name

COOKIE = cookie_name(None)
PAGE = {"sec-fetch-site": "same-origin", "origin": f"https://{HOST}", "content-type": "application/json"}


class Wrong(Exception):
    """An answer that is not what must come; the text says how, without tokens."""


@dataclass(eq=False)
class Held:
    """A live session as its owner holds it; `init_data` is what made it, while it was not used again."""

    owner: int
    id: str
    token: str
    transport: str
    init_data: str | None = None

    def headers(self) -> dict[str, str]:
        """What goes with every request of it."""
        if self.transport == "bearer":
            return {"authorization": f"Bearer {self.token}"}
        return {**PAGE, "cookie": f"theme=dark; {COOKIE}={self.token}"}


def expect(answer: Response, status: int, code: str | None = None) -> dict[str, Any]:
    """What the answer says; raises Wrong for another status or code."""
    said: dict[str, Any] = json.loads(answer.body) if answer.body else {}
    if (answer.status, said.get("code")) != (status, code):
        raise Wrong(f"{status} {code or ''} must come, {answer.status} {said.get('code', '')} came")
    return said


def expect_session(said: dict[str, Any], held: Held) -> None:
    """Raises Wrong unless this is `held`, its owner's session."""
    session = said.get("session", {})
    if (said.get("user", {}).get("id"), session.get("id"), session.get("transport")) != (
        held.owner,
        held.id,
        held.transport,
    ):
        raise Wrong("the answer names another user or session")
