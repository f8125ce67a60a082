"""What telemetry is told about a commit once it has happened: counts by closed sets of labels; pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from stream.records.finished import SKY_FIBRE, Finished


@dataclass(slots=True)
class Tally:
    """Counts of committed records.

    Attributes:
        out: L2 records by (survey, lane).
        dead: dead letters by (survey, lane, reason).
        classes: L2 records by (lane, top class).
        unknown: L2 records flagged unknown by (lane, reason).
        p_values: conformal p-values by lane, sky fibres left out.
        append_ms: append times of the inputs by lane, UTC [ms since 1970].
    """

    out: Counter[tuple[str, str]] = field(default_factory=Counter)
    dead: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    classes: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    p_values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    append_ms: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, records: Iterable[Finished]) -> None:
        """Count committed records."""
        for _, _, _, _, lane, survey, append_ms, reason, top_class, unknown_reason, p_value in records:
            if append_ms >= 0:
                self.append_ms[lane].append(append_ms)
            if reason is not None:
                self.dead[survey, lane, reason] += 1
                continue
            self.out[survey, lane] += 1
            self.classes[lane, top_class] += 1
            if unknown_reason is not None:
                self.unknown[lane, unknown_reason] += 1
            if not math.isnan(p_value) and unknown_reason != SKY_FIBRE:
                self.p_values[lane].append(p_value)
