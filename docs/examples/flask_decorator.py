"""Flask: a decorator for views that only people who are logged in may see.

Save it as api/notes.py in the project that tgauth is in, add flask to requirements.txt, and send its paths
to it in vercel.json: {"source": "/notes", "destination": "/api/notes"}. Elsewhere, run it with lib/
beside it.
"""

import functools
from collections.abc import Callable

from flask import Flask, Response, g, jsonify, make_response, request
from flask.typing import ResponseReturnValue

from lib.tgauth.auth import authenticate
from lib.tgauth.errors import Problem

app = Flask(__name__)
View = Callable[..., ResponseReturnValue]


def login_required(view: View) -> View:
    """`view` with `g.session`; 401 for nobody, 503 or 429 while that is unknown, which logs nobody out."""

    @functools.wraps(view)
    def guarded(*args: object, **kwargs: object) -> Response:
        try:
            g.session = authenticate(request.headers, request.method)
        except Problem as problem:
            response = make_response(jsonify(error=problem.code), problem.status, dict(problem.headers))
        else:
            if g.session is None:
                challenge = {"WWW-Authenticate": 'Bearer realm="tgauth"'}
                response = make_response(jsonify(error="unauthenticated"), 401, challenge)
            else:
                response = make_response(view(*args, **kwargs))
        response.headers["Cache-Control"] = "no-store"
        return response

    return guarded


@app.get("/notes")
@login_required
def read() -> ResponseReturnValue:
    return jsonify(id=g.session.user.id, name=g.session.user.first_name)


@app.post("/notes")
@login_required
def write() -> ResponseReturnValue:
    return jsonify(id=g.session.user.id, said=request.get_json()["text"]), 201
