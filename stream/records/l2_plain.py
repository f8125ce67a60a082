"""L2 records as plain dictionaries: the obvious form, by which ``l2_columns``, the fast one, checks itself; pure.

Every number is the float64 of what the engine answered; NaN is null. The times of classification and publication
travel in headers, so that the value is the same bytes on every replay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from classifiers.classifier import EngineUse, Lines, Verdicts
from classifiers.quality import Quality
from stream.decoded import Accepted, Identity, published_lane
from stream.records.identifiers import L2Identifiers

_NO_POSITION: Final = Quality.NO_POSITION.value
FLOAT_COLUMNS: Final = (
    "snr",
    "coverage",
    "p_other",
    "entropy",
    "aleatoric_entropy",
    "mutual_information",
    "redshift",
    "redshift_error",
    "radial_velocity_km_s",
    "radial_velocity_error_km_s",
    "p_qso",
    "redshift_qso",
    "redshift_qso_error",
    "p_qso_high_z",
    "qso_z_threshold",
    "p_bal",
    "anomaly_score",
    "anomaly_p_value",
    "anomaly_wavelength_angstrom",
    "anomaly_x_pixel",
    "anomaly_y_pixel",
    "unknown_p_value",
    "map_x",
    "map_y",
)
"""Columns of ``Verdicts`` that are nullable doubles of the L2 record."""
LINE_COLUMNS: Final = (
    "flux_error",
    "equivalent_width",
    "equivalent_width_error",
    "velocity_width",
    "velocity_width_error",
)
"""Arrays of ``Lines`` that are nullable doubles of a line of the L2 record, in its order."""


def l2_record(
    item: Accepted, identity: Identity, verdicts: Verdicts, row: int, engines: Sequence[EngineUse]
) -> dict[str, Any]:
    """Return the L2 record (schema ``l2_classification``) of one item of a batch, whose identity is given as well."""
    names = verdicts.class_names
    top = int(verdicts.top_class[row])
    zwarn = int(verdicts.zwarn[row])
    source = item.message.source
    return {
        "l2_id": L2Identifiers(engines).make(item.message),
        "source": {
            "topic": source.topic,
            "partition": source.partition,
            "offset": item.message.offset,
            "schema": item.schema,
        },
        "lane": published_lane(item.lane),
        **asdict(identity),
        **{name: _number(verdicts, name, row) for name in FLOAT_COLUMNS},
        "engines": [asdict(engine) for engine in verdicts.uses(engines, row)],
        "class_scheme": verdicts.class_scheme,
        "class_probabilities": _probabilities(names, verdicts.class_probabilities[row].tolist()),
        "top_class": names[top] if top >= 0 else None,
        "other_type": verdicts.other_type[row],
        "anomaly_image": None if verdicts.anomaly_image is None else verdicts.anomaly_image[row],
        "zwarn": zwarn if zwarn >= 0 else None,
        "redshift_alternatives": _alternatives(verdicts, row),
        "lines": [] if verdicts.lines is None else _lines(verdicts.lines, row),
        "line_flux_unit": line_flux_units(verdicts.lines, len(verdicts))[row],
        "unknown": bool(verdicts.unknown[row]),
        "unknown_rate": verdicts.unknown_rate,
        "unknown_reason": verdicts.unknown_reason[row],
        "quality_flags": quality_flags_of(item, int(verdicts.quality_flags[row])),
    }


def quality_flags_of(item: Accepted, flags: int) -> int:
    """Return the engines' quality flags, with NO_POSITION where the input has no coordinates."""
    return flags if item.identity.placed else flags | _NO_POSITION


def line_flux_units(lines: Lines | None, n: int) -> Sequence[str | None]:
    """Return the unit of each of n records' line fluxes; all None where nobody says it."""
    return lines.flux_unit if lines is not None and lines.flux_unit else [None] * n


def _number(verdicts: Verdicts, name: str, row: int) -> float | None:
    column = verdicts.columns.get(name)
    return None if column is None else _nullable(float(column[row]))


def _nullable(value: float) -> float | None:
    return value if value == value else None  # NaN differs from itself


def _alternatives(verdicts: Verdicts, row: int) -> list[dict[str, Any]]:
    out = []
    for place, index in enumerate(verdicts.alternative_class[row].tolist()):
        if index < 0:
            break
        out.append(
            {
                "class_name": verdicts.class_names[index],
                "redshift": float(verdicts.alternative_redshift[row, place]),
                "probability": float(verdicts.alternative_probability[row, place]),
            }
        )
    return out


def _lines(lines: Lines, row: int) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "flux": float(lines.flux[row, place]),
            **{name: _nullable(float(getattr(lines, name)[row, place])) for name in LINE_COLUMNS},
        }
        for place, name in enumerate(lines.names)
        if _nullable(float(lines.flux[row, place])) is not None
    ]


def _probabilities(names: Sequence[str], values: list[float]) -> dict[str, float]:
    """Return the class map; empty where the classifier said nothing (NaN)."""
    return {} if any(map(math.isnan, values)) else dict(zip(names, values, strict=True))
