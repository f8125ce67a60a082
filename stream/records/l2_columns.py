"""Encodes the L2 records of a batch from columns: the codec's bytes without a dictionary per record; pure.

It is the largest cost per record after the engines: dictionaries and the codec's encoder take more than twice as long.

The order of the pieces is that of the fields of ``schemas/avro/l2_classification.avsc``. Whoever builds an encoder
compares probe records encoded both ways (``stream.records.l2``), so a changed schema cannot go unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import EngineUse, Lines, Verdicts
from stream.decoded import Accepted
from stream.records.avro_bytes import (
    NULL,
    double_map_rows,
    long_bytes,
    nullable_double_rows,
    nullable_long,
    pack_double,
    string_bytes,
)
from stream.records.l2_plain import LINE_COLUMNS, line_flux_units
from stream.transports.contract import TopicPartition

_BOOLEANS: Final = (b"\x00", b"\x01")
_MAX_REMEMBERED: Final = 4_096


class L2ColumnEncoder:
    """Encodes the records of one lane; ``header`` is the framing that stands before each datum."""

    def __init__(self, engines: Sequence[EngineUse], header: bytes) -> None:
        self._header_and_id = header + long_bytes(36)
        self._uses = tuple(engines)
        self._engines = _engines(self._uses)
        self._nominal: dict[tuple[bool, ...], bytes] = {}
        self._sources: dict[TopicPartition, bytes] = {}
        self._texts: dict[str, bytes] = {}

    def encode(
        self, accepted: Sequence[Accepted], l2_ids: Iterable[str], flags: Iterable[int], verdicts: Verdicts
    ) -> list[bytes]:
        """Return the framed message of each item.

        Args:
            accepted: n items.
            l2_ids: their identifiers.
            flags: their quality flags.
            verdicts: what the classifier said of them, in the same order.
        """
        n = len(accepted)
        columns = verdicts.columns

        def doubles(*names: str) -> list[bytes]:
            return nullable_double_rows([columns.get(name) for name in names], n)

        top = [None if index < 0 else verdicts.class_names[index] for index in verdicts.top_class.tolist()]
        scheme = string_bytes(verdicts.class_scheme)
        rate = pack_double(verdicts.unknown_rate)
        rows = zip(
            accepted,
            l2_ids,
            doubles("snr", "coverage"),
            self._named(verdicts, n),
            double_map_rows(verdicts.class_names, verdicts.class_probabilities),
            map(self._optional, top),
            doubles("p_other"),
            map(self._optional, verdicts.other_type),
            doubles("entropy", "aleatoric_entropy", "mutual_information", "redshift", "redshift_error"),
            (NULL if zwarn < 0 else nullable_long(zwarn) for zwarn in verdicts.zwarn.tolist()),
            self._alternatives(verdicts),
            doubles("radial_velocity_km_s", "radial_velocity_error_km_s"),
            _lines(verdicts.lines, n),
            map(self._optional, line_flux_units(verdicts.lines, n)),
            doubles("p_qso", "redshift_qso", "redshift_qso_error", "p_qso_high_z", "qso_z_threshold", "p_bal",
                    "anomaly_score", "anomaly_p_value", "anomaly_wavelength_angstrom", "anomaly_x_pixel",
                    "anomaly_y_pixel"),
            [NULL] * n if verdicts.anomaly_image is None else map(self._optional, verdicts.anomaly_image),
            verdicts.unknown.tolist(),
            doubles("unknown_p_value"),
            map(self._optional, verdicts.unknown_reason),
            doubles("map_x", "map_y"),
            flags,
            strict=True,
        )  # fmt: skip
        head, join, long = self._header_and_id, b"".join, long_bytes
        return [
            join(
                (
                    head, l2_id.encode(), self._source(item), item.identity.fields, quality, uses, scheme, classes,
                    top_class, p_other, other_type, redshift, zwarn, alternatives, velocity, lines, line_unit, scores,
                    image, _BOOLEANS[unknown], p_value, rate, reason, place, long(bits),
                )
            )
            for (
                item, l2_id, quality, uses, classes, top_class, p_other, other_type, redshift, zwarn, alternatives,
                velocity, lines, line_unit, scores, image, unknown, p_value, reason, place, bits,
            ) in rows
        ]  # fmt: skip

    def _named(self, verdicts: Verdicts, n: int) -> list[bytes]:
        """Return the field ``engines`` of each record."""
        if verdicts.nominal is None:
            return [self._engines] * n
        out = []
        for row, marks in enumerate(map(tuple, verdicts.nominal.tolist())):
            if marks not in self._nominal:
                self._nominal[marks] = _engines(verdicts.uses(self._uses, row))
            out.append(self._nominal[marks])
        return out

    def _source(self, item: Accepted) -> bytes:
        message = item.message
        source = self._sources.get(message.source)
        if source is None:
            source = string_bytes(message.source.topic) + long_bytes(message.source.partition)
            self._sources[message.source] = source
        return source + long_bytes(message.offset) + self._text(item.schema)

    def _text(self, text: str) -> bytes:
        """Encode a text that comes again and again."""
        known = self._texts.get(text)
        if known is None:
            known = string_bytes(text)
            if len(self._texts) < _MAX_REMEMBERED:
                self._texts[text] = known
        return known

    def _optional(self, text: str | None) -> bytes:
        return NULL if text is None else b"\x02" + self._text(text)

    def _alternatives(self, verdicts: Verdicts) -> list[bytes]:
        if verdicts.alternative_class.shape[1] == 0:
            return [NULL] * len(verdicts)
        names = [string_bytes(name) for name in verdicts.class_names]
        numbers = np.stack([verdicts.alternative_redshift, verdicts.alternative_probability], axis=2)
        joined = np.ascontiguousarray(numbers, dtype="<f8").tobytes()
        out = []
        width = 16 * verdicts.alternative_class.shape[1]
        for row, classes in enumerate(verdicts.alternative_class.tolist()):
            pieces: list[bytes] = []
            start = row * width
            for index in classes:
                if index < 0:
                    break
                pieces += (names[index], joined[start : start + 16])
                start += 16
            out.append(long_bytes(len(pieces) // 2) + b"".join(pieces) + NULL if pieces else NULL)
        return out


def _engines(uses: Sequence[EngineUse]) -> bytes:
    texts = b"".join(string_bytes(text) for use in uses for text in astuple(use))
    return long_bytes(len(uses)) + texts + NULL if uses else NULL


def _lines(lines: Lines | None, n: int) -> list[bytes]:
    if lines is None or not lines.names:
        return [NULL] * n
    names = [string_bytes(name) for name in lines.names]
    columns: list[NDArray[np.float64]] = [getattr(lines, name) for name in LINE_COLUMNS]
    flux: NDArray[np.float64] = np.ascontiguousarray(lines.flux, dtype="<f8")
    rest = nullable_double_rows([column.ravel() for column in columns], flux.size)
    raw = flux.tobytes()
    out = []
    for row, measured in enumerate((~np.isnan(flux)).tolist()):
        pieces = [
            name + raw[8 * place : 8 * place + 8] + rest[place]
            for place, (name, there) in enumerate(zip(names, measured, strict=True), row * len(names))
            if there
        ]
        out.append(long_bytes(len(pieces)) + b"".join(pieces) + NULL if pieces else NULL)
    return out
