"""One JSON object a line on stdout, which is where Vercel's runtime collects logs.

What a line may hold is decided by those who write it; never a token, proof, name or secret. Here every value
is made harmless for whoever reads the log: control characters are escaped by JSON, long text is cut.
"""

import contextlib
import json
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

Level = Literal["info", "warning", "error"]
_MAX_TEXT = 2048
_lock = threading.Lock()


def event(name: str, *, level: Level = "info", **values: object) -> None:
    """Write one line; values that are None are left out."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "event": name,
        **{key: _cut(value) for key, value in values.items() if value is not None},
    }
    text = json.dumps(line, ensure_ascii=not _speaks_utf8(), separators=(",", ":"))
    # Half a surrogate pair has no UTF-8; its escape is the one that JSON has for it too.
    text = text.encode("utf-8", "backslashreplace").decode()
    # A log that cannot be written is no reason to fail the request.
    with _lock, contextlib.suppress(OSError, ValueError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def stack(tb: TracebackType | None) -> list[str]:
    """Where it happened: file, line and function, without values of variables or the error's own text."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(tb)][-30:]


def _speaks_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _cut(value: object) -> object:
    return value[:_MAX_TEXT] if isinstance(value, str) else value
