"""What a bench says: a value, its reference from the same run, the bound; as JSON and as a table."""

from __future__ import annotations

import dataclasses
import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ops.version import versions


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row: ``key`` as in README, what was measured, the value and the reference with their units, the bound."""

    key: str
    what: str
    value: float
    unit: str
    reference: str
    reference_value: float
    bound: str
    met: bool | None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Return value / reference."""
        return self.value / self.reference_value if self.reference_value else float("nan")


def machine() -> str:
    """Return the processor and its number of cores in words."""
    model = platform.processor() or platform.machine()
    cores = 0
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            cores += 1
    return f"{model}, {cores} cores"


def to_json(rows: Sequence[Measurement], now: datetime) -> str:
    """Return the rows with machine, versions and date as JSON text."""
    body = {
        "date": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "measurements": [{**dataclasses.asdict(row), "ratio": row.ratio} for row in rows],
    }
    return json.dumps(body, indent=1)


def to_markdown(rows: Sequence[Measurement]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| | measured | value | reference in the same run | ratio | bound |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        met = {True: "met", False: "**not met**", None: ""}[row.met]
        lines.append(
            f"| {row.key} | {row.what} | {number(row.value)} {row.unit} | {row.reference}: "
            f"{number(row.reference_value)} {row.unit} | {row.ratio:.2f} | {row.bound} {met} |"
        )
        if row.note:
            lines.append(f"| | {row.note} | | | | |")
    return "\n".join(lines)


def number(value: float) -> str:
    """Return a number with three significant figures."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the percentile of values, ``share`` in 0..1."""
    return statistics.quantiles(values, n=1000, method="inclusive")[min(998, max(0, round(share * 1000) - 1))]
