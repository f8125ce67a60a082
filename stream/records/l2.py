"""L2 messages of a batch: what was decoded and what the classifier said of it, encoded, with key and headers; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from classifiers.classifier import EngineUse, Lines, Verdicts
from classifiers.items import Stamps
from classifiers.quality import Quality
from schemas.codec import Codec
from stream.decoded import Accepted, Identity, Lane, published_lane
from stream.errors import Fatal
from stream.records.finished import SKY_FIBRE, Finished
from stream.records.identifiers import L2Identifiers
from stream.records.identity import encode_identity
from stream.records.l2_columns import L2ColumnEncoder
from stream.records.l2_plain import FLOAT_COLUMNS, LINE_COLUMNS, l2_record, quality_flags_of
from stream.transports.contract import Message, TopicPartition

SCHEMA: Final = "l2_classification"
_SKY_FIBRE: Final = Quality.SKY_FIBRE.value


class VerdictsMismatch(Fatal):
    """A classifier's answer does not fit the items that it was given or the L2 record: a defect, not the data."""


class L2SchemaMismatch(Fatal):
    """The L2 schema and the encoder of its columns are of different versions."""


class L2Writer:
    """Makes the L2 messages of one lane.

    Args:
        engines: the engines that take part, in the classifier's order.
        topic: where L2 records go.
        codec: gives the framing, and checks the encoder of columns once.

    Raises:
        L2SchemaMismatch: the encoder does not write what the schema says.
    """

    def __init__(self, engines: Sequence[EngineUse], *, topic: str, codec: Codec) -> None:
        self._identifiers = L2Identifiers(engines)
        self._topic = topic
        self._engines = len(engines)
        self._encoder = _checked_encoder(engines, codec)

    def finish(self, accepted: Sequence[Accepted], verdicts: Verdicts, classified_ms: int) -> list[Finished]:
        """Return the L2 message of each item.

        Args:
            accepted: the items of a batch.
            verdicts: what the classifier said of them, in the same order.
            classified_ms: when it did, UTC [ms since 1970].

        Raises:
            VerdictsMismatch: the verdicts are for another number of items or engines, or hold an unknown column.
        """
        _check_fit(accepted, verdicts, self._engines)
        flags = [
            quality_flags_of(item, bits) for item, bits in zip(accepted, verdicts.quality_flags.tolist(), strict=True)
        ]
        l2_ids = [self._identifiers.make(item.message) for item in accepted]
        values = self._encoder.encode(accepted, l2_ids, flags, verdicts)
        names = verdicts.class_names
        p_values = verdicts.columns.get("unknown_p_value")
        rows = zip(
            accepted,
            l2_ids,
            values,
            flags,
            verdicts.top_class.tolist(),
            verdicts.unknown.tolist(),
            verdicts.unknown_reason,
            [math.nan] * len(accepted) if p_values is None else p_values.tolist(),
            strict=True,
        )
        classified = ("classified_ms", str(classified_ms).encode())
        lanes = {lane: ("lane", published_lane(lane).encode()) for lane in {item.lane for item in accepted}}
        topic = self._topic
        finished = []
        for item, l2_id, value, bits, top, unknown, reason, p_value in rows:
            identity, append_ms = item.identity, item.message.timestamp_ms
            counted = None
            if unknown:
                counted = SKY_FIBRE if bits & _SKY_FIBRE else reason or "UNSTATED"
            headers = (
                ("l2_id", l2_id.encode()),
                lanes[item.lane],
                ("l1_append_ms", str(append_ms).encode()),
                classified,
            )
            top_class = names[top] if top >= 0 else ""
            if bits & _SKY_FIBRE:
                p_value = math.nan
            finished.append(
                Finished(
                    topic,
                    identity.key,
                    value,
                    headers,
                    item.lane,
                    identity.survey,
                    append_ms,
                    None,
                    top_class,
                    counted,
                    p_value,
                )
            )
        return finished


def _check_fit(accepted: Sequence[Accepted], verdicts: Verdicts, engines: int) -> None:
    if len(verdicts) != len(accepted):
        raise VerdictsMismatch(f"expected verdicts for {len(accepted)} items, received {len(verdicts)}")
    if verdicts.nominal is not None and verdicts.nominal.shape != (len(accepted), engines):
        raise VerdictsMismatch(f"expected nominal for {engines} engines, received {verdicts.nominal.shape[1]}")
    unknown = sorted(verdicts.columns.keys() - set(FLOAT_COLUMNS))
    if unknown:
        raise VerdictsMismatch(f"expected columns of the L2 record, received {unknown[0]!r}")


def _checked_encoder(engines: Sequence[EngineUse], codec: Codec) -> L2ColumnEncoder:
    """Return an encoder of columns that writes the same bytes as the codec for a full and an empty record."""
    items, identities, verdicts = _probe(len(engines))
    records = [
        l2_record(item, identity, verdicts, row, engines)
        for row, (item, identity) in enumerate(zip(items, identities, strict=True))
    ]
    framed = [codec.encode(SCHEMA, record) for record in records]
    header = framed[0][: len(framed[0]) - len(codec.encode_datum(SCHEMA, records[0]))]
    encoder = L2ColumnEncoder(engines, header)
    l2_ids = [record["l2_id"] for record in records]
    flags = [record["quality_flags"] for record in records]
    if encoder.encode(items, l2_ids, flags, verdicts) != framed:
        raise L2SchemaMismatch(f"expected {SCHEMA} version 1.1, received a schema with other fields")
    return encoder


def _probe(engines: int) -> tuple[list[Accepted], tuple[Identity, Identity], Verdicts]:
    """Return two items, their identities and verdicts: all fields of the first record filled, few of the second."""
    stamps = Stamps(None, None, None, "PROBE", 0)
    text = {name: name for name in Identity.__dataclass_fields__ if name not in _NUMBERS}
    numbers = {name: index + 0.5 for index, name in enumerate(_NUMBERS[1:])}
    identities = (Identity(**text, fibre_id=300, **numbers), Identity("b", "B"))  # type: ignore[arg-type]
    lanes: tuple[Lane, Lane] = ("narrowband", "image")
    items = [
        Accepted(
            Message(TopicPartition("t", 1), 70_000, 1, None, None, (), 0),
            lane,
            encode_identity(identity, lane),
            stamps,
            "schema",
            0,
        )
        for lane, identity in zip(lanes, identities, strict=True)
    ]
    verdicts = Verdicts(
        class_scheme="scheme",
        class_names=("A", "B"),
        class_probabilities=np.array([[0.25, 0.75], [0.5, 0.5]]),
        top_class=np.array([1, -1]),
        columns={name: np.array([1.0 + index, np.nan]) for index, name in enumerate(FLOAT_COLUMNS)},
        zwarn=np.array([4, -1]),
        other_type=["WD", None],
        unknown=np.array([True, False]),
        unknown_rate=0.01,
        unknown_reason=["NOVEL", None],
        quality_flags=np.array([1 << 13, 0]),
        alternative_class=np.array([[0, -1], [-1, -1]]),
        alternative_redshift=np.array([[1.5, 0.0], [0.0, 0.0]]),
        alternative_probability=np.array([[0.125, 0.0], [0.0, 0.0]]),
        anomaly_image=["DIFFERENCE", None],
        nominal=np.array([[True] * engines, [False] * engines]),
        lines=Lines(
            ("C",),
            np.array([[0.5], [np.nan]]),
            **{name: np.array([[1.5 + index], [np.nan]]) for index, name in enumerate(LINE_COLUMNS)},
            flux_unit=("unit", None),
        ),
    )
    return items, identities, verdicts


_NUMBERS: Final = ("fibre_id", "ra_deg", "dec_deg", "mjd_start", "mjd_end")
