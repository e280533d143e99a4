"""The floor: what any function with sessions in Upstash must pay, and nothing more.

It imports upstash_redis, builds its client and sends the commands that tgauth sends for the same request:
no token, no check, no log. Where it is a function of a build, this file is all of it, so it imports
nothing of the project.

    /answer                             no command
    /verify?key&field, /refresh?…       HGETEX
    /logout?key&field                   HDEL
    /login?key&field&marker             HSETEX, HGETEX and HGETALL in one transaction; the body is the record
"""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from upstash_redis import Redis

TTL = 30 * 86_400
WINDOW = 420

# The client's options are tgauth's: what it adds by default would make the floor higher.
redis = Redis(
    os.environ["UPSTASH_REDIS_REST_URL"],
    os.environ["UPSTASH_REDIS_REST_TOKEN"],
    allow_telemetry=False,
    read_your_writes=False,
)


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Send the commands of the path and give back what they gave."""
    names = environ["QUERY_STRING"].split("&")
    result: object = None
    match environ["PATH_INFO"]:
        case "/verify" | "/refresh":
            result = redis.execute(["HGETEX", names[0], "EX", TTL, "FIELDS", 1, names[1]])
        case "/logout":
            result = redis.execute(["HDEL", *names])
        case "/login":
            result = log_in(names, environ["wsgi.input"].read().decode())
    body = json.dumps({"result": result}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def log_in(names: list[str], record: str) -> object:
    """Store a record and the marker of its proof as `Store.create` does."""
    key, field, marker = names
    batch = redis.multi()
    batch.execute(["HSETEX", key, "FNX", "EX", WINDOW, "FIELDS", 2, field, record, marker, field])
    batch.execute(["HGETEX", key, "EX", TTL, "FIELDS", 1, field])
    batch.execute(["HGETALL", key])
    return batch.exec()
