"""The same faults on the way to Redis over TCP.

A unit is what a client sends before it waits: one command, or a transaction from MULTI to EXEC. Source:
https://redis.io/docs/latest/develop/reference/protocol-spec/ (RESP2 and RESP3).
"""

import contextlib
import socket
import threading
from io import BufferedReader

from dev.prove.faults.points import Point
from dev.upstash.faults import HANG_SECONDS, HUGE, Fault, drip, reset

# Over TCP there is no status; an error takes the place of the last answer.
ERRORS = {
    "ERR": b"-ERR internal\r\n",
    "LOADING": b"-LOADING Redis is loading the dataset in memory\r\n",
    "NOPERM": b"-NOPERM this user has no permissions\r\n",
    "MASTERDOWN": b"-MASTERDOWN Link with MASTER is down\r\n",
    "EXECABORT": b"-EXECABORT Transaction discarded because of previous errors.\r\n",
    "OOM": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "READONLY": b"-READONLY You can't write against a read only replica.\r\n",
    "number": b":7\r\n",
    "status": b"+OK\r\n",
    "nothing": b"_\r\n",
    "no elements": b"*0\r\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "garbage": bytes(range(256)),
}

# What a client says when it connects is no operation.
_GREETINGS = (b"HELLO", b"CLIENT", b"AUTH", b"SELECT")


class RedisPoint(Point):
    """Passes Redis' protocol on to `port`, from `url`."""

    def __init__(self, port: int, late: float) -> None:
        super().__init__(late)
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.expect(None)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self._port)) as server,
        ):
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            asked, answered = client.makefile("rb"), server.makefile("rb")
            while unit := _unit(asked):
                greeting = any(word in unit[0].upper() for word in _GREETINGS)
                fault, released = (None, self._released) if greeting else self.next()
                if fault is None or fault.after:
                    answers = _pass_on(unit, server, answered)
                else:
                    answers = [b""] * len(unit)
                if fault and not self._inflict(fault, unit, answers, client, released):
                    return
                if fault and fault.kind == "late":
                    released.wait(self.late)
                    answers = answers if fault.after else _pass_on(unit, server, answered)
                if fault is None or fault.kind == "late":
                    client.sendall(b"".join(answers))

    def _inflict(
        self,
        fault: Fault,
        unit: list[bytes],
        answers: list[bytes],
        client: socket.socket,
        released: threading.Event,
    ) -> bool:
        """Do what the fault says, and say whether the connection goes on."""
        kind = fault.kind
        # Without an answer there is still one for every command but the last.
        before = answers[:-1] if fault.after else [b"+OK\r\n", *[b"+QUEUED\r\n"] * len(unit)][: len(unit) - 1]
        whole = b"".join(answers) or b"$100\r\n" + b"A" * 102
        match kind:
            case "late":
                return True
            case "hang":
                released.wait(HANG_SECONDS)
            case "drip":
                drip(client, whole, released)
            case "huge":
                client.sendall(b"".join(before) + b"$%d\r\n" % HUGE + b"A" * HUGE + b"\r\n")
            case "truncated" | "reset":
                client.sendall(whole[: len(whole) // 2])
                if kind == "reset":
                    reset(client)
            case _ if kind in ERRORS:
                client.sendall(b"".join(before) + ERRORS[kind])
        return kind in ERRORS and kind not in ("HTTP", "garbage")


def _pass_on(unit: list[bytes], server: socket.socket, answered: BufferedReader) -> list[bytes]:
    server.sendall(b"".join(unit))
    return [_value(answered) for _ in unit]


def _unit(reader: BufferedReader) -> list[bytes]:
    """The commands that come before an answer is waited for; none at the end."""
    unit: list[bytes] = []
    while command := _value(reader):
        unit.append(command)
        if b"\r\nMULTI\r\n" not in unit[0] or b"\r\nEXEC\r\n" in command:
            break
    return unit


def _value(reader: BufferedReader) -> bytes:
    """One value of the protocol as it stands; nothing at the end of the stream."""
    line = reader.readline()
    kind, size = line[:1], line[1:-2]
    if kind in (b"$", b"=", b"!") and int(size) >= 0:
        return line + reader.read(int(size) + 2)
    if kind in (b"*", b"~", b">") and int(size) >= 0:
        return line + b"".join(_value(reader) for _ in range(int(size)))
    if kind == b"%":
        return line + b"".join(_value(reader) for _ in range(2 * int(size)))
    return line
