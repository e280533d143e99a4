"""`python -m dev.serve`: tgauth on this machine, with a simulated Telegram, for development only.

The functions are the ones of api/, routed by vercel.json and run as Vercel runs them (see dev/serve/site.py).
Save a file and the next request runs it.
"""

import argparse
import contextlib
import errno
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from dev.serve.functions import Functions
from dev.serve.site import TELEGRAM, Site
from dev.upstash.server import Upstash
from dev.upstash.valkey import Unavailable, Valkey
from dev.variables import FILES, SHELL, Variables, read_variables

ROOT = Path(__file__).resolve().parents[2]

_STORES = ("UPSTASH_REDIS_REST_URL", "KV_REST_API_URL", "REDIS_URL")
_STORE_TOKENS = ("UPSTASH_REDIS_REST_TOKEN", "KV_REST_API_TOKEN")


class CannotStart(Exception):
    """Why the server cannot start, and what to do about it."""


def read_files(environ: MutableMapping[str, str], root: Path) -> list[str]:
    """Set in `environ` what it lacks and .env.local or .env in `root` has; lines say what came from where.

    Raises CannotStart.
    """
    try:
        found = read_variables(environ, root)
    except (OSError, ValueError) as error:
        raise CannotStart(f"{' or '.join(FILES)} cannot be read. Make it a text in UTF-8.") from error
    taken = {name: value for name, value in found.values.items() if not _of_a_deployment(name)}
    environ |= {name: value for name, value in taken.items() if found.sources[name] != SHELL}
    return list(_about(found))


def _of_a_deployment(name: str) -> bool:
    """Whether a variable says where a deployment is, which files have that Vercel's CLI wrote.

    This server is none: AUTH_ORIGIN would send logins there, VERCEL_ENV choose its keys in Redis, and VERCEL
    forbid the development bot. Whoever wants one of them here sets it in the shell.
    """
    return name in ("AUTH_ORIGIN", "VERCEL") or name.startswith("VERCEL_")


def _about(found: Variables) -> Iterator[str]:
    for file in FILES:
        names = [name for name, source in found.sources.items() if source == file]
        if taken := [name for name in names if not _of_a_deployment(name)]:
            yield f"from {file}: {', '.join(taken)}"
        left = [name for name in names if _of_a_deployment(name) and not name.startswith("VERCEL")]
        # There are up to thirty of Vercel's.
        left += ["VERCEL…"] * any(name.startswith("VERCEL") for name in names)
        if left:
            yield f"not from {file}: {', '.join(left)} (for a deployment; counts here from the shell alone)"
    if kept_back := [name for name in found.hidden if not _of_a_deployment(name)]:
        yield f"kept back by Vercel (Sensitive): {', '.join(kept_back)}"
    yield from (f"{place} sets nothing" for place in found.unread)


def set_defaults(environ: MutableMapping[str, str], origin: str) -> None:
    """Set the variables that the functions need here and that the environment leaves open.

    The simulated Telegram signs with the public development token and knows the public development secret
    alone: a bot's own token, where there is one, stays with the real Telegram.
    """
    # Not at the top: a mistake in lib/ must become a page, not end the server.
    from dev.telegram.oidc import DEVELOPMENT_CLIENT_SECRET
    from lib.tgauth.settings.reader import API_URL, DEVELOPMENT_BOT_TOKEN, OAUTH_URL

    environ.setdefault("VERCEL_ENV", "development")
    # A preview that has been told what Vercel calls it is known by that, as when it is deployed.
    if environ["VERCEL_ENV"] != "preview" or "VERCEL_URL" not in environ:
        environ.setdefault("AUTH_ORIGIN", origin)
    if not _has_own_bot(environ):
        environ["TELEGRAM_BOT_TOKEN"] = DEVELOPMENT_BOT_TOKEN
        environ.setdefault("TELEGRAM_CLIENT_SECRET", DEVELOPMENT_CLIENT_SECRET)
    if environ.get("TELEGRAM_BOT_TOKEN") == DEVELOPMENT_BOT_TOKEN:
        environ.setdefault("TELEGRAM_BOT_USERNAME", "tgauth_dev_bot")
        for name, real in (("TELEGRAM_OAUTH_URL", OAUTH_URL), ("TELEGRAM_API_URL", API_URL)):
            # A copied .env.example has the real addresses, where nobody knows the development bot.
            if environ.get(name, "").strip().rstrip("/") in ("", real):
                environ[name] = f"{origin}{TELEGRAM}"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address or local name; port 0 takes a free one. Raises CannotStart."""
    address = "127.0.0.1" if _is_local_name(host) else host
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise CannotStart(
            f"{host} is no loopback address. This server is for development: it shows tracebacks and lets\n"
            "anyone log in as anyone, so it listens on this machine only. Leave --host out."
        )
    in_use = f"Port {port} is in use. Stop what listens there, or choose another: make dev PORT={port + 1}"
    # Browsers try ::1 first for `localhost`, so a program on that address would take our visitors.
    with contextlib.suppress(OSError), socket.create_connection(("::1", port), timeout=1):
        raise CannotStart(in_use)
    try:
        return socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=128
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(in_use) from error
        raise CannotStart(f"Cannot listen on port {port}: {error.strerror}") from error


@contextlib.contextmanager
def local_upstash(environ: MutableMapping[str, str]) -> Iterator[str]:
    """A Valkey behind a local Upstash for the functions, and its URL; neither where a store is configured.

    Raises CannotStart.
    """
    if any(environ.get(name) for name in (*_STORES, *_STORE_TOKENS)):
        yield ""
        return
    try:
        valkey = Valkey()
    except Unavailable as missing:
        raise CannotStart(f"A local Upstash needs a Valkey behind it, and {missing}") from missing
    with valkey, Upstash(valkey.port) as upstash:
        environ.update(upstash.env)
        yield upstash.url


def resolve_local_names() -> None:
    """Let the functions find names below localhost on this machine, as browsers do (RFC 6761 §6.3).

    Not every system's resolver does so. Production and a preview of it need two names: a browser keeps one
    set of cookies for all ports of a name.
    """
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        local = isinstance(host, str) and _is_local_name(host)
        return resolve("127.0.0.1" if local else host, *arguments, **options)

    socket.getaddrinfo = getaddrinfo


class _Handler(WSGIRequestHandler):
    """Functions log their own requests; pages would only be noise."""

    def log_request(self, *_: Any) -> None:
        pass


def _is_local_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _has_own_bot(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a bot; with an id alone, only Telegram itself can sign for it."""
    return "TELEGRAM_BOT_TOKEN" in environ or "TELEGRAM_BOT_ID" in environ


def _greeting(origin: str, upstash: str, settings: list[str]) -> str:
    own = os.environ.get("AUTH_ORIGIN", origin)
    telegram = f"simulated: {origin}{TELEGRAM}/"
    if _has_own_bot(os.environ):
        telegram = "the real one, for the bot that you set"
        if not own.startswith("https://"):
            telegram += "; to log in you need an https address: README.md#a-bot-of-your-own"
    store = next((name for name in _STORES if os.environ.get(name)), None)
    sessions = "in memory (no Redis is configured)"
    if store:
        environment = os.environ.get("VERCEL_ENV", "development")
        sessions = f"in the store that {store} names, under the keys of {environment}"
    if upstash:
        sessions = f"in a local Upstash at {upstash}, until this server stops"
    lines = [f"Telegram   {telegram}", f"Sessions   {sessions}"]
    if own != origin:
        lines.append(f"Logins     come back to {own} (AUTH_ORIGIN)")
    lines += [f"Settings   {text}" for text in settings]
    return "\n  ".join([f"tgauth is running at {origin}", *lines, "Stop       Ctrl-C"])


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:6]) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 65535")
    return int(text)


def main() -> int:
    """Serve until Ctrl-C; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.serve", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=_port, default=3000, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="a loopback address, or a name like app.localhost"
    )
    parser.add_argument(
        "--store",
        choices=("memory", "upstash"),
        default="memory",
        help="where sessions are kept when no Redis is configured (default: %(default)s)",
    )
    parser.add_argument(
        "--env-files", action="store_true", help="read .env.local and .env, as make dev does; the shell wins"
    )
    options = parser.parse_args()
    # A copied .env.example has names without values, which are as good as none.
    for name in [name for name, value in os.environ.items() if not value.strip()]:
        del os.environ[name]
    # Both, also where a parent has chosen to ignore them.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
            settings = read_files(os.environ, ROOT) if options.env_files else []
            listener = listen(options.host, options.port)
            upstash = stack.enter_context(local_upstash(os.environ)) if options.store == "upstash" else ""
            name = options.host if _is_local_name(options.host) else "localhost"
            _serve(listener, name, upstash, settings)
    except CannotStart as reason:
        print(reason, file=sys.stderr)
        return 1
    print("\nStopped.")
    return 0


def _serve(listener: socket.socket, name: str, upstash: str, settings: list[str]) -> None:
    """Serve until Ctrl-C as `name`; a local `upstash`'s URL and lines on `settings` are for the greeting."""
    host, port = listener.getsockname()[:2]
    origin = f"http://{name}:{port}"
    resolve_local_names()
    # Bytecode is matched by the second it was written in, which is too coarse for save and reload.
    sys.dont_write_bytecode = True
    functions = Functions(ROOT, lambda: set_defaults(os.environ, origin))
    server = make_server(
        host,
        port,
        Site(functions, os.environ.get("AUTH_ORIGIN", origin)),
        threaded=True,
        request_handler=_Handler,
        fd=listener.fileno(),
    )
    print(_greeting(origin, upstash, settings), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
