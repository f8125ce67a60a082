"""The evaluation report: proportions with exact intervals and plain numbers, as JSON and as a markdown table."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from classifiers.training.intervals import clopper_pearson


@dataclass(frozen=True, slots=True)
class Proportion:
    """successes out of n, with the exact 95 % interval."""

    name: str
    successes: int
    n: int

    @property
    def value(self) -> float:
        """Return successes / n, NaN for n = 0."""
        return self.successes / self.n if self.n else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % Clopper-Pearson interval."""
        return clopper_pearson(self.successes, self.n)


@dataclass(frozen=True, slots=True)
class Number:
    """A measured number over n spectra that is no proportion."""

    name: str
    value: float
    n: int


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation measured.

    Attributes:
        title: what was evaluated, and on what.
        engines: bundle name to its digest.
        proportions: in the order of the table.
        numbers: likewise.
        confusion: rows true class, columns top class, by name; spectra counted.
    """

    title: str
    engines: dict[str, str]
    proportions: Sequence[Proportion]
    numbers: Sequence[Number]
    confusion: dict[str, dict[str, int]]

    def to_markdown(self) -> str:
        """Return a markdown table: measure, value, n, exact 95 % interval."""
        lines = [f"**{self.title}**", "", "| measure | value | n | 95 % interval |", "| --- | --- | --- | --- |"]
        for entry in self.proportions:
            if entry.n:
                low, high = entry.interval
                share = f"{entry.successes}/{entry.n} = {entry.value:.3f}"
                lines.append(f"| {entry.name} | {share} | {entry.n} | {low:.3f} .. {high:.3f} |")
        lines += [f"| {number.name} | {number.value:.3g} | {number.n} | |" for number in self.numbers if number.n]
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """Return the same numbers as JSON, keys sorted; NaN becomes null."""
        document: dict[str, Any] = {
            "title": self.title,
            "engines": self.engines,
            "proportions": [
                {**asdict(entry), "value": _finite(entry.value), "interval_95": entry.interval}
                for entry in self.proportions
            ],
            "numbers": [{**asdict(number), "value": _finite(number.value)} for number in self.numbers],
            "confusion": self.confusion,
        }
        return json.dumps(document, indent=1, sort_keys=True, allow_nan=False)

    def proportion(self, name: str) -> Proportion:
        """Return one proportion by its name.

        Raises:
            KeyError: no such measure.
        """
        for entry in self.proportions:
            if entry.name == name:
                return entry
        raise KeyError(name)

    def summary(self) -> dict[str, Any]:
        """Return measure to value, for a bundle's manifest."""
        shares = {entry.name: f"{entry.successes}/{entry.n}" for entry in self.proportions if entry.n}
        return shares | {number.name: round(number.value, 6) for number in self.numbers if number.n}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
