"""starsessions over Redis: an application that logs in whoever it is told to, as its documents set it up.

`rolling`, which is off by default, renews the session with each request, as tgauth and Flask-Session do.
"""

import os

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starsessions import SessionAutoloadMiddleware, SessionMiddleware
from starsessions.stores.redis import RedisStore

DAYS_30 = 30 * 86_400


async def login(request: Request) -> JSONResponse:
    request.session["user"] = await request.json()
    return JSONResponse({"user": request.session["user"]})


async def verify(request: Request) -> JSONResponse:
    user = request.session.get("user")
    return JSONResponse({"user": user}, 200 if user else 401)


async def logout(request: Request) -> JSONResponse:
    request.session.clear()
    return JSONResponse({"user": None})


store = RedisStore(connection=Redis.from_url(os.environ["REDIS_URL"]))
app = Starlette(
    routes=[
        Route("/login", login, methods=["POST"]),
        Route("/verify", verify),
        Route("/logout", logout, methods=["POST"]),
    ],
    middleware=[
        Middleware(SessionMiddleware, store=store, lifetime=DAYS_30, rolling=True),
        Middleware(SessionAutoloadMiddleware),
    ],
)
