"""The load, for a separate process, so that it disturbs neither what it measures nor the sampling."""

import http.client
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from dev.measure.load.answers import Wrong
from dev.measure.load.visitor import Visitor
from dev.vercel.proxy import Response, decode_response, encode_request, exchange

TIMEOUT = 20.0
_EXAMPLES = 10


@dataclass(frozen=True)
class Plan:
    """Each function's port, seconds to go on for, requests a second in all, and visitors at once."""

    ports: Mapping[str, int]
    seconds: float
    rate: float
    visitors: int


@dataclass
class Outcome:
    """Milliseconds of every request by kind, errors by kind, the first errors in words, seconds taken.

    `sent` counts the requests of each function; `late` is how many seconds the load was behind its plan at
    most.
    """

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    examples: list[str] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: float = 0.0
    late: float = 0.0


class Traffic:
    """Sends what a `Plan` says."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._numbers = itertools.count(1)
        self._outcome = Outcome()
        self._lock = threading.Lock()

    def run(self) -> Outcome:
        """Send everything; comes back when the last answer is there."""
        started = time.monotonic()
        visitors = [
            threading.Thread(target=self._visit, args=(number, started))
            for number in range(self._plan.visitors)
        ]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        self._outcome.seconds = time.monotonic() - started
        return self._outcome

    def _visit(self, number: int, started: float) -> None:
        visitor = Visitor(number, self._send)
        pause = self._plan.visitors / self._plan.rate
        due = started + pause * number / self._plan.visitors
        while due < started + self._plan.seconds and time.monotonic() < started + self._plan.seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            kind, wrong = visitor.choose(), None
            sent = time.monotonic()
            try:
                visitor.make(kind)
            except Wrong as error:
                wrong = str(error)
            except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
                # No answer, half of one, or one of another form.
                wrong = type(error).__name__
            self._note(kind, (time.monotonic() - sent) * 1000, sent - due, wrong)
            due += pause

    def _note(self, kind: str, milliseconds: float, late: float, wrong: str | None) -> None:
        with self._lock:
            self._outcome.late = max(self._outcome.late, late)
            self._outcome.times[kind].append(milliseconds)
            if wrong is not None:
                self._outcome.errors[kind] += 1
                if len(self._outcome.examples) < _EXAMPLES:
                    self._outcome.examples.append(f"{kind}: {wrong}")

    def _send(
        self, function: str, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Response:
        """One request on a connection of its own: the runtime closes it after each answer."""
        with self._lock:
            self._outcome.sent[function] += 1
        data = encode_request(method, target, headers, body, next(self._numbers))
        return decode_response(exchange(self._plan.ports[function], data, TIMEOUT), method)


def send(plan: Plan) -> Outcome:
    """Send what the plan says."""
    return Traffic(plan).run()
