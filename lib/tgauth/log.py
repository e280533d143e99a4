"""One JSON object per line on stdout, where Vercel's runtime collects logs.

Callers decide what a line holds, and that is never a token, proof, name or secret. Here every value is made
harmless for readers of the log: JSON escapes control characters, and long text is cut.
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
    # Half a surrogate pair cannot be encoded in UTF-8; this escape is also JSON's.
    text = text.encode("utf-8", "backslashreplace").decode()
    # A log that cannot be written must not fail the request.
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
