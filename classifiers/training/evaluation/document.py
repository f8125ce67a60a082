"""The evaluation report as plain values: numbers with sample sizes, tables, curves, matrices, spectra; and as JSON.

A picture is drawn from these values alone (``ops.plots.report``), so the JSON holds every number that a picture shows,
but for the pixels of the example spectra.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeAlias

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
    """A measured number over n spectra that is no proportion; ``interval`` where one can be given."""

    name: str
    value: float
    n: int
    interval: tuple[float, float] | None = None


_INNERMOST_LIST = re.compile(r"\[[^\[\]{}\"]*\]")
Cell: TypeAlias = str | int | float | Proportion | Number


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under column headings."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Curve:
    """y over x; ``low`` and ``high`` are a band where there is one, ``n`` the spectra behind each point."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    n: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves in one frame.

    Attributes:
        style: ``line``, ``points`` (with the bands as error bars), ``marks`` (the same without lines between them),
            ``steps`` (a histogram's outline) or ``scatter`` (two curves a colour: pale dots, then crosses).
        y_log: a share of 0 has no dot, but its bar, up to the upper bound.
        diagonal: draw y = x.
        y_range: None: as the values are.
        x_names: what stands at x = 0, 1, 2 ... instead of numbers.
        x_range: None: as the values are.
        x_line: where a vertical line stands, with its name; None: nowhere.
    """

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    style: str = "line"
    x_log: bool = False
    y_log: bool = False
    diagonal: bool = False
    y_range: tuple[float, float] | None = None
    x_names: Sequence[str] = ()
    x_range: tuple[float, float] | None = None
    x_line: tuple[float, str] | None = None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Counts by true (row) and found (column) name."""

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Example:
    """One spectrum on the common grid, normalised, and what each pixel adds to the VAE's score; NaN where masked.

    ``reconstruction`` is what the VAE makes of it; empty where that cannot be computed.
    """

    title: str
    caption: str
    wavelength_angstrom: Sequence[float]
    flux: Sequence[float]
    error: Sequence[float]
    contribution: Sequence[float]
    reconstruction: Sequence[float] = ()


Item: TypeAlias = Table | Plot | Matrix | Example


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what a reader must know, and the items in order."""

    title: str
    text: str
    items: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation measured.

    Attributes:
        title: what was evaluated, and on what.
        engines: bundle name to its digest.
        proportions: in the order of the table.
        numbers: likewise.
        confusion: rows true class, columns top class, by name; spectra counted.
        sections: everything else.
        ran: what computed the answers and what they are answers to (``ran.ran``).
    """

    title: str
    engines: dict[str, str]
    proportions: Sequence[Proportion]
    numbers: Sequence[Number]
    confusion: dict[str, dict[str, int]]
    sections: Sequence[Section] = field(default=())
    ran: Sequence[Table] = field(default=())

    def to_markdown(self) -> str:
        """Return a markdown table: measure, value, n, 95 % interval (exact for proportions)."""
        lines = [f"**{self.title}**", "", "| measure | value | n | 95 % interval |", "| --- | --- | --- | --- |"]
        for entry in self.proportions:
            if entry.n:
                low, high = entry.interval
                share = f"{entry.successes}/{entry.n} = {entry.value:.3f}"
                lines.append(f"| {entry.name} | {share} | {entry.n} | {low:.3f} .. {high:.3f} |")
        for number in self.numbers:
            if number.n:
                interval = "" if number.interval is None else "{:.3g} .. {:.3g}".format(*number.interval)
                lines.append(f"| {number.name} | {number.value:.3g} | {number.n} | {interval} |")
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """Return the same numbers as JSON, keys sorted; NaN becomes null, proportions carry value and interval."""
        text = json.dumps(_plain(self), indent=1, sort_keys=True, allow_nan=False)
        return _INNERMOST_LIST.sub(lambda found: " ".join(found.group().split()), text)

    def proportion(self, name: str) -> Proportion:
        """Return one proportion by its name.

        Raises:
            KeyError: no such measure.
        """
        for entry in self.proportions:
            if entry.name == name:
                return entry
        raise KeyError(name)


def _plain(value: Any) -> Any:
    """Return a value as JSON types, floats to six significant digits."""
    if isinstance(value, Proportion):
        low, high = value.interval
        own = {"name": value.name, "successes": value.successes, "n": value.n}
        return {**own, "value": _plain(value.value), "interval_95": [_plain(low), _plain(high)]}
    if isinstance(value, Example):
        return {"title": value.title, "caption": value.caption}
    if is_dataclass(value):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
