"""The same with the standard library's handler, for a function that you already have: GET and POST /api/me.

Save it as api/me.py in the project that tgauth is in. Vercel starts every function in the project's root
and bundles lib/ with each, so `from lib.tgauth.auth import …` works unchanged. (`make dev` only runs
functions with a WSGI `app`; try this one deployed, or in the runtime that tests/examples uses.)
"""

import json
from http.server import BaseHTTPRequestHandler

from lib.tgauth.auth import authenticate
from lib.tgauth.errors import Problem

MAX_BODY = 16 * 1024


class handler(BaseHTTPRequestHandler):
    """Vercel looks for a class of this name."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            # With the method, a cookie that another site made a browser send with a POST does not count.
            session = authenticate(self.headers, self.command)
        except Problem as problem:
            # 503 or 429, not 401: people who are logged in stay so.
            self._send(problem.status, {"error": problem.code}, *problem.headers)
            return
        if session is None:
            self._send(401, {"error": "unauthenticated"}, ("WWW-Authenticate", 'Bearer realm="tgauth"'))
            return
        length = self.headers.get("Content-Length", "0")
        body = self.rfile.read(min(int(length), MAX_BODY)) if length.isdecimal() else b""
        self._send(200, {"id": session.user.id, "name": session.user.first_name, "bytes": len(body)})

    def _send(self, status: int, value: dict[str, object], *headers: tuple[str, str]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        # Without it Vercel's network would be allowed to cache one person's answer.
        for name, text in (("Cache-Control", "no-store"), ("Content-Type", "application/json"), *headers):
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
