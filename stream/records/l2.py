"""L2 records of a batch: what was decoded and what the classifiers said, joined in the order of the schema; pure.

Every number is the float64 of what the engine answered; NaN is null. The time of classification and publication travels
in headers, so the value is the same bytes on every replay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from classifiers.classifier import EngineUse, Lines, Verdicts
from classifiers.quality import Quality
from stream.decoded import Accepted
from stream.encoding import Encode
from stream.errors import Fatal
from stream.records.finished import SKY_FIBRE, Finished
from stream.records.identifiers import L2Identifiers

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
    "unknown_p_value",
    "map_x",
    "map_y",
)
"""Columns of ``Verdicts`` that are nullable doubles of the L2 record."""


class VerdictsMismatch(Fatal):
    """A classifier's answer does not fit the items that it was given or the L2 record: a defect, not the data."""


class L2Writer:
    """Makes the L2 messages of one lane.

    Args:
        engines: the engines that take part, in the classifier's order.
        topic: where L2 records go.
        encode: the codec's ``encode``.
    """

    def __init__(self, engines: Sequence[EngineUse], *, topic: str, encode: Encode) -> None:
        self._engines = [asdict(engine) for engine in engines]
        self._identifiers = L2Identifiers(engines)
        self._topic = topic
        self._encode = encode

    def records(self, accepted: Sequence[Accepted], verdicts: Verdicts) -> list[dict[str, Any]]:
        """Return one L2 record (schema ``l2_classification``) per item.

        Raises:
            VerdictsMismatch: the verdicts are for another number of items.
        """
        n = len(accepted)
        if len(verdicts) != n:
            raise VerdictsMismatch(f"expected verdicts for {n} items, received {len(verdicts)}")
        columns = _records_of_columns(verdicts, n)
        names = verdicts.class_names
        top = [names[index] if index >= 0 else None for index in verdicts.top_class.tolist()]
        rows = zip(
            accepted,
            columns,
            verdicts.class_probabilities.tolist(),
            top,
            verdicts.zwarn.tolist(),
            verdicts.other_type,
            verdicts.unknown.tolist(),
            verdicts.unknown_reason,
            verdicts.quality_flags.tolist(),
            _alternatives(verdicts),
            _lines(verdicts.lines, n),
            strict=True,
        )
        return [
            {
                "l2_id": self._identifiers.make(item.message),
                "source": {
                    "topic": item.message.source.topic,
                    "partition": item.message.source.partition,
                    "offset": item.message.offset,
                    "schema": item.schema,
                },
                "lane": item.lane,
                **_identity_fields(item),
                **floats,
                "engines": self._engines,
                "class_scheme": verdicts.class_scheme,
                "class_probabilities": dict(zip(names, probabilities, strict=True)),
                "top_class": top_class,
                "other_type": other_type,
                "zwarn": zwarn if zwarn >= 0 else None,
                "redshift_alternatives": alternatives,
                "lines": lines,
                "unknown": unknown,
                "unknown_rate": verdicts.unknown_rate,
                "unknown_reason": unknown_reason,
                "quality_flags": quality_flags_of(item, flags),
            }
            for (
                item,
                floats,
                probabilities,
                top_class,
                zwarn,
                other_type,
                unknown,
                unknown_reason,
                flags,
                alternatives,
                lines,
            ) in rows
        ]

    def finish(self, accepted: Sequence[Accepted], verdicts: Verdicts, classified_ms: int) -> list[Finished]:
        """Return the L2 message of each item.

        Args:
            accepted: the items of a batch.
            verdicts: what the classifier said of them, in the same order.
            classified_ms: when it did, UTC [ms since 1970].
        """
        records = self.records(accepted, verdicts)
        values = [self._encode("l2_classification", record) for record in records]
        classified = str(classified_ms).encode()
        return [
            finished_l2(item, record, value, self._topic, classified)
            for item, record, value in zip(accepted, records, values, strict=True)
        ]


def finished_l2(item: Accepted, record: dict[str, Any], value: bytes, topic: str, classified: bytes) -> Finished:
    """Return the finished record of an encoded L2 record; ``classified`` is the time in ms as text."""
    message = item.message
    unknown_reason = record["unknown_reason"] if record["unknown"] else None
    if unknown_reason is not None and record["quality_flags"] & Quality.SKY_FIBRE:
        unknown_reason = SKY_FIBRE
    p_value = record["unknown_p_value"]
    return Finished(
        topic,
        (item.identity.object_id or item.identity.l1_id).encode(),
        value,
        (
            ("l2_id", record["l2_id"].encode()),
            ("lane", item.lane.encode()),
            ("l1_append_ms", str(message.timestamp_ms).encode()),
            ("classified_ms", classified),
        ),
        item.lane,
        item.identity.survey,
        message.timestamp_ms,
        None,
        record["top_class"] or "",
        unknown_reason,
        math.nan if p_value is None else p_value,
    )


def quality_flags_of(item: Accepted, flags: int) -> int:
    """Return the engines' quality flags, with NO_POSITION where the input has no coordinates."""
    return flags if item.identity.ra_deg is not None else flags | int(Quality.NO_POSITION)


def _identity_fields(item: Accepted) -> dict[str, Any]:
    identity = item.identity
    return {
        "l1_id": identity.l1_id,
        "survey": identity.survey,
        "instrument": identity.instrument,
        "spec_uid": identity.spec_uid,
        "object_uid": identity.object_uid,
        "object_id": identity.object_id,
        "cname": identity.cname,
        "programme_id": identity.programme_id,
        "ob_id": identity.ob_id,
        "fibre_id": identity.fibre_id,
        "fibre_use": identity.fibre_use,
        "product_level": identity.product_level,
        "supersedes": identity.supersedes,
        "ra_deg": identity.ra_deg,
        "dec_deg": identity.dec_deg,
        "mjd_start": identity.mjd_start,
        "mjd_end": identity.mjd_end,
    }


def _records_of_columns(verdicts: Verdicts, n: int) -> list[dict[str, float | None]]:
    """Turn float columns into one dictionary per row, NaN into None; each column is converted once."""
    unknown = sorted(verdicts.columns.keys() - set(FLOAT_COLUMNS))
    if unknown:
        raise VerdictsMismatch(f"expected columns of the L2 record, received {unknown[0]!r}")
    absent: list[float | None] = [None] * n
    columns = [
        nullable(verdicts.columns[name].tolist()) if name in verdicts.columns else absent for name in FLOAT_COLUMNS
    ]
    return [dict(zip(FLOAT_COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]


def nullable(values: list[float]) -> list[float | None]:
    """Return the values with None for NaN."""
    return [value if value == value else None for value in values]  # NaN differs from itself


def _alternatives(verdicts: Verdicts) -> list[list[dict[str, Any]]]:
    names = verdicts.class_names
    rows = []
    for classes, redshifts, probabilities in zip(
        verdicts.alternative_class.tolist(),
        verdicts.alternative_redshift.tolist(),
        verdicts.alternative_probability.tolist(),
        strict=True,
    ):
        row = []
        for index, redshift, probability in zip(classes, redshifts, probabilities, strict=True):
            if index < 0:
                break
            row.append({"class_name": names[index], "redshift": redshift, "probability": probability})
        rows.append(row)
    return rows


def _lines(lines: Lines | None, n: int) -> list[list[dict[str, Any]]]:
    if lines is None:
        return [[]] * n
    columns = (lines.flux, lines.flux_error, lines.equivalent_width, lines.velocity_width)
    return [
        [
            {"name": name, "flux": flux, "flux_error": error, "equivalent_width": width, "velocity_width": velocity}
            for name, flux, error, width, velocity in zip(lines.names, *map(nullable, row), strict=True)
            if flux is not None
        ]
        for row in zip(*(column.tolist() for column in columns), strict=True)
    ]
