"""What the doctor found: lines for people, or one JSON object. No secret gets past this module."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

Status = Literal["ok", "warning", "problem"]

_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASS|KEY|CREDENTIAL|REDIS", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9_-]{10,}")
_SHORTEST_SECRET = 6
_URL = re.compile(r"[a-z]{4,6}://([^@/?#\s]*@)?[A-Za-z0-9.-]+(:[0-9]+)?/?[0-9]*$")
# What other servers say is shown too: nothing of it may move a terminal's cursor or turn text around.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_LONGEST = 700
_INDENT = 9


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `fix` says what to do, and where that is explained."""

    name: str
    status: Status
    message: str
    fix: str = ""


def ok(name: str, message: str) -> Check:
    """It is as it should be."""
    return Check(name, "ok", message)


def warning(name: str, message: str, fix: str) -> Check:
    """It works, but somebody should look at it."""
    return Check(name, "warning", message, fix)


def problem(name: str, message: str, fix: str) -> Check:
    """It does not work."""
    return Check(name, "problem", message, fix)


class Report:
    """Collects checks; what is to `hide` never comes out of it, whoever put it into a text."""

    def __init__(self) -> None:
        self._secrets: list[str] = []
        self.checks: list[Check] = []

    def hide(self, secrets: Iterable[str]) -> None:
        """Show *** in place of each of these."""
        # The longest first, or a part of one could be left.
        self._secrets = sorted({*self._secrets, *secrets}, key=len, reverse=True)

    def add(self, check: Check) -> Check:
        """Keep what may be shown of a check, and give it back."""
        shown = Check(check.name, check.status, self._clean(check.message), self._clean(check.fix))
        self.checks.append(shown)
        return shown

    def count(self, status: Status) -> int:
        """How many checks ended so."""
        return sum(check.status == status for check in self.checks)

    def to_json(self) -> str:
        """One object, for programs."""
        counts = {"problems": self.count("problem"), "warnings": self.count("warning")}
        return json.dumps({"checks": [asdict(check) for check in self.checks], **counts}, indent=2)

    def summary(self) -> str:
        """The last line, for people."""
        if self.count("ok") == len(self.checks):
            return f"All {len(self.checks)} checks are ok."
        return f"{self._counted('problem')}, {self._counted('warning')}."

    def _counted(self, status: Status) -> str:
        count = self.count(status)
        return f"{count} {status}{'' if count == 1 else 's'}"

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = _UNPRINTABLE.sub(" ", text)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def line(check: Check) -> str:
    """A check for people: a line, and below it the fix."""
    text = f"{check.status:<8} {check.name}: {check.message}"
    return f"{text}\n{' ' * _INDENT}fix: {check.fix}" if check.fix else text


def secrets_in(values: Mapping[str, str]) -> set[str]:
    """Everything in the environment that must not be shown, and every part of it that opens something."""
    found: set[str] = set()
    for name, value in values.items():
        text = value.strip()
        # Of a URL that is one, the password alone is secret, and the host what one wants to see.
        if _SECRET_NAME.search(name) and not (name.endswith("_URL") and _URL.match(text)):
            found |= {text, *(entry.strip() for entry in text.split(","))}
            # The bot's id, before the colon, is public.
            found.add(text.partition(":")[2])
            # Something that was pasted with too much around it.
            found |= {word for word in _WORD.findall(text) if not word.isdigit()}
        found |= _in_url(text)
    found |= {other for secret in found for other in (quote(secret, safe=""), unquote(secret))}
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def _in_url(text: str) -> set[str]:
    """The password of a URL, or what could be one where the URL is malformed."""
    if "@" not in text or "://" not in text:
        return set()
    try:
        password = urlsplit(text).password or ""
    except ValueError:
        password = ""
    return {password, text.partition("://")[2].rpartition("@")[0].partition(":")[2]}
