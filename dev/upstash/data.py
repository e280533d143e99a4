"""The data behind dev/upstash/server.py: a Valkey, and on demand a replica that receives writes late."""

import re
import threading
from collections import deque
from collections.abc import Callable

from dev.upstash.resp import Pool, Reply, ReplyError

type Words = list[str]

# What Upstash may serve from a replica, as far as hashes and plain keys go.
_READS = re.compile(
    r"H(GET|MGET|GETALL|KEYS|VALS|LEN|EXISTS|SCAN|TTL|PTTL|EXPIRETIME)|M?GET|P?TTL|TYPE|EXISTS|SCAN|DBSIZE|PING",
    re.IGNORECASE,
)

# What Upstash has no REST for, and scripts and administration besides.
_UNAVAILABLE = re.compile(
    r"MULTI|EXEC|DISCARD|(UN)?WATCH|AUTH|HELLO|SELECT|QUIT|RESET|CLIENT|CLUSTER|MONITOR|[PS]?(UN)?SUBSCRIBE"
    r"|BL(POP|MOVE|MPOP)|BRPOP(LPUSH)?|BZ(POPMIN|POPMAX|MPOP)|XREAD(GROUP)?|WAIT(AOF)?"
    r"|(EVAL|EVALSHA|FCALL)(_RO)?|SCRIPT|FUNCTION|CONFIG|DEBUG|SHUTDOWN",
    re.IGNORECASE,
)


class Data:
    """A primary, which is database 0 of a Valkey, and its replica, database 1; safe from several threads.

    `clock` gives the seconds that `replica_lag` is measured in.
    """

    def __init__(self, valkey_port: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._primary, self._replica = Pool(valkey_port), Pool(valkey_port, database=1)
        self._lag = 0.0
        self._behind: deque[tuple[float, list[Words]]] = deque()
        # Held over a write and its way into `_behind`: the replica hears of writes in their order.
        self._order = threading.Lock()

    @property
    def replica_lag(self) -> float:
        """Seconds that the replica is behind; 0 is to have none."""
        return self._lag

    @replica_lag.setter
    def replica_lag(self, seconds: float) -> None:
        with self._order, self._primary.connection() as primary, self._replica.connection() as replica:
            self._lag = seconds
            self._behind.clear()
            replica.run([["FLUSHDB"]])
            keys = primary.run([["KEYS", "*"]])[0] if seconds else []
            if isinstance(keys, list):
                primary.run([["COPY", key, key, "DB", 1] for key in keys if isinstance(key, bytes)])

    def transaction(self, commands: list[Words]) -> list[Reply] | ReplyError:
        """The replies of MULTI … EXEC, or the error that discarded it as a whole."""
        for command in commands:
            if refused := _refusal(command):
                return refused
        *queued, done = self._write([["MULTI"], *commands, ["EXEC"]])
        if isinstance(done, list):
            return done
        return next((reply for reply in queued if isinstance(reply, ReplyError)), ReplyError(done))

    def pipeline(self, commands: list[Words]) -> list[Reply]:
        """The replies, each by itself; from the replica when there is one and nothing writes."""
        refusals = [_refusal(command) for command in commands]
        accepted = [command for command, refused in zip(commands, refusals, strict=True) if not refused]
        if self._lag and all(_READS.fullmatch(command[0]) for command in accepted):
            replies = iter(self._read(accepted))
        else:
            replies = iter(self._write(accepted))
        return [refused or next(replies) for refused in refusals]

    def flush(self) -> None:
        """Delete all data, on the replica too."""
        with self._order, self._primary.connection() as connection:
            self._behind.clear()
            connection.run([["FLUSHALL"]])

    def close(self) -> None:
        """Give all connections up."""
        self._primary.close()
        self._replica.close()

    def _write(self, commands: list[Words]) -> list[Reply]:
        if not self._lag:
            with self._primary.connection() as connection:
                return connection.run(commands)
        with self._order, self._primary.connection() as connection:
            replies = connection.run(commands)
            self._behind.append((self._clock() + self._lag, commands))
            return replies

    def _read(self, commands: list[Words]) -> list[Reply]:
        with self._order, self._replica.connection() as connection:
            while self._behind and self._behind[0][0] <= self._clock():
                connection.run(self._behind.popleft()[1])
            return connection.run(commands)


def _refusal(command: Words) -> ReplyError | None:
    if _UNAVAILABLE.fullmatch(command[0]):
        return ReplyError(f"ERR Command is not available: '{command[0]}'")
    return None
