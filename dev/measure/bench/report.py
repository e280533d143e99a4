"""What the parts of a benchmark give back, and how it is printed."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

type Cell = str | int | float


def percentile(times: Sequence[float], percent: int) -> float:
    """The time that so many per cent of requests were not slower than."""
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1] if len(times) > 1 else times[0]


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of some samples."""

    p50: float
    p25: float
    p75: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        """Of one sample it is that sample."""
        if len(samples) == 1:
            return cls(samples[0], samples[0], samples[0])
        low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(middle, low, high)

    def __str__(self) -> str:
        return f"{self.p50:.0f} ({self.p25:.0f}-{self.p75:.0f})"


@dataclass(frozen=True)
class Table:
    """Rows under a title; what must be known to read them is in `notes`."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        lines = [self.title, *(f"  {note}" for note in self.notes), ""]
        shown = [[_text(cell) for cell in row] for row in self.rows]
        columns = []
        for title, cells, texts in zip(
            self.columns, zip(*self.rows, strict=True), zip(*shown, strict=True), strict=True
        ):
            width = max(map(len, (title, *texts)))
            pad = str.ljust if isinstance(cells[0], str) else str.rjust
            columns.append([pad(text, width) for text in (title, *texts)])
        lines += ["  " + "  ".join(row).rstrip() for row in zip(*columns, strict=True)]
        return "\n".join(lines)


@dataclass(frozen=True)
class Target:
    """A figure and what it is to be: at most `limit`, or at least where `least` is set."""

    what: str
    figure: float
    limit: float
    least: bool = False

    @property
    def met(self) -> bool:
        return self.figure >= self.limit if self.least else self.figure <= self.limit


@dataclass(frozen=True)
class Result:
    """One part: the figures as they are, tables of them, and how they compare with the targets."""

    figures: Any
    tables: Sequence[Table] = ()
    targets: Sequence[Target] = field(default_factory=list)


def render(machine: dict[str, Any], results: dict[str, Result], *, as_json: bool) -> str:
    """All of a run, for people or as JSON."""
    targets = [target for result in results.values() for target in result.targets]
    if as_json:
        parts = {name: result.figures for name, result in results.items()}
        value = {
            "machine": machine,
            **parts,
            "targets": [asdict(target) | {"met": target.met} for target in targets],
        }
        return json.dumps(value, indent=2, default=asdict)
    heading = ", ".join(f"{name} {value}" for name, value in machine.items())
    tables = [table for result in results.values() for table in result.tables]
    rows = [
        (
            target.what,
            target.figure,
            f"{'>=' if target.least else '<='} {_text(target.limit)}",
            "met" if target.met else "MISSED",
        )
        for target in targets
    ]
    summary = [Table("Targets", ("", "figure", "target", ""), rows)] if rows else []
    return "\n\n".join([heading, *map(str, [*tables, *summary])])


def _text(cell: Cell) -> str:
    return f"{cell:.2f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else cell
