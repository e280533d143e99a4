"""FastAPI: a dependency that knows who is logged in.

Save it as api/notes.py in the project that tgauth is in, add fastapi to requirements.txt, and send its paths
to it in vercel.json: {"source": "/notes", "destination": "/api/notes"}. Elsewhere, run it with lib/
beside it. (`make dev` and `lib.tgauth.wsgi` run only WSGI, which this is not.)
"""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response

from lib.tgauth.auth import authenticate
from lib.tgauth.errors import Problem
from lib.tgauth.sessions.base import Session


# Not `async def`: looking into Redis waits, and FastAPI lets functions like this one wait in a thread.
def logged_in(request: Request, response: Response) -> Session:
    """The caller's session; 401 if there is none, 503 or 429 while that is unknown: nobody is logged out."""
    response.headers["Cache-Control"] = "no-store"
    try:
        session = authenticate(request.headers, request.method)
    except Problem as problem:
        headers = {"Cache-Control": "no-store", **dict(problem.headers)}
        raise HTTPException(problem.status, problem.code, headers) from None
    if session is None:
        headers = {"Cache-Control": "no-store", "WWW-Authenticate": 'Bearer realm="tgauth"'}
        raise HTTPException(401, "unauthenticated", headers)
    return session


LoggedIn = Annotated[Session, Depends(logged_in)]

app = FastAPI()
# For the example's sake: on Vercel each instance has its own memory.
notes: dict[int, list[str]] = {}


@app.get("/notes")
def read(session: LoggedIn) -> list[str]:
    return notes.get(session.user.id, [])


@app.post("/notes", status_code=201)
def write(session: LoggedIn, text: str) -> list[str]:
    mine = notes.setdefault(session.user.id, [])
    mine.append(text)
    return mine
