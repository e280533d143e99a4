"""Flask-Session over Redis: an application that logs in whoever it is told to, as its documents set it up."""

import os

from flask import Flask, Response, jsonify, request, session
from flask_session import Session
from redis import Redis

app = Flask(__name__)
app.config.update(
    SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(os.environ["REDIS_URL"]), SESSION_COOKIE_SECURE=True
)
Session(app)


@app.post("/login")
def login() -> Response:
    session["user"] = request.get_json()
    return jsonify(user=session["user"])


@app.get("/verify")
def verify() -> tuple[Response, int]:
    user = session.get("user")
    return jsonify(user=user), 200 if user else 401


@app.post("/logout")
def logout() -> Response:
    session.clear()
    return jsonify(user=None)
