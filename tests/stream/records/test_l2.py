"""L2 messages: the fast encoder writes what the plain form says, whatever the verdicts."""

from __future__ import annotations

import math
import uuid
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.classifier import EngineUse, Lines, Verdicts
from classifiers.items import Stamps
from classifiers.quality import Quality
from schemas.codec import Codec
from stream.decoded import Accepted, Identity
from stream.records.identifiers import NAMESPACE, L2Identifiers
from stream.records.identity import encode_identity
from stream.records.l2 import L2Writer, VerdictsMismatch
from stream.records.l2_plain import FLOAT_COLUMNS, l2_record
from stream.transports.contract import Message, TopicPartition

ENGINES = tuple(
    EngineUse(name, "1.0", digest * 64, "onnxruntime", "fp32", f"{name}-cal", "SIMULATED", "scheme", "flat")
    for name, digest in (("spectral", "a"), ("qso", "b"))
)
CLASSES = ("GALAXY", "QSO_nan", "STAR_K5")
NO_STAMPS = Stamps(None, None, None, "X", 0)

texts = st.none() | st.text(st.characters(codec="utf-8"), max_size=300)
floats = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def identities(draw: Any) -> Identity:
    names = ("spec_uid", "object_uid", "object_id", "cname", "programme_id", "ob_id", "fibre_use", "product_level")
    return Identity(
        l1_id=draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)),
        survey=draw(st.sampled_from(["SDSS", "4MOST", ""])),
        instrument=draw(st.sampled_from(["", "X"])),
        fibre_id=draw(st.none() | st.integers(-(2**31), 2**31 - 1)),
        supersedes=draw(texts),
        ra_deg=draw(st.none() | st.floats(0, 360)),
        dec_deg=draw(st.none() | st.floats(-90, 90)),
        mjd_start=draw(st.none() | floats.filter(lambda x: x == x)),
        **{name: draw(texts) for name in names},
    )


@st.composite
def batches(draw: Any) -> tuple[list[Accepted], list[Identity], Verdicts]:
    n = draw(st.integers(1, 5))
    k = draw(st.sampled_from([0, 3]))
    column = st.lists(floats, min_size=n, max_size=n).map(np.array)
    known = [draw(identities()) for _ in range(n)]
    lanes = [draw(st.sampled_from(["spectrum", "image"])) for _ in range(n)]
    items = [
        Accepted(
            Message(TopicPartition(draw(st.sampled_from(["a", "b"])), draw(st.integers(0, 300))),
                    draw(st.integers(0, 2**62)), 1, None, None, (), 5),
            lane, encode_identity(identity, lane), NO_STAMPS, "s:1", 0,
        )
        for identity, lane in zip(known, lanes, strict=True)
    ]  # fmt: skip
    present = draw(st.sets(st.sampled_from(FLOAT_COLUMNS)))
    lines = None
    if draw(st.booleans()):
        table = st.lists(floats, min_size=2 * n, max_size=2 * n).map(lambda v: np.array(v).reshape(n, 2))
        units = draw(st.sampled_from([(), [draw(texts) for _ in range(n)]]))
        lines = Lines(("Halpha", "[OIII]5007"), *(draw(table) for _ in range(6)), flux_unit=units)
    verdicts = Verdicts(
        class_scheme="scheme" if k else "",
        class_names=CLASSES[:k],
        class_probabilities=np.array([[draw(st.floats(0, 1)) for _ in range(k)] for _ in range(n)]).reshape(n, k),
        top_class=np.array([draw(st.integers(-1, k - 1)) for _ in range(n)]),
        columns={name: draw(column) for name in present},
        zwarn=np.array([draw(st.integers(-1, 15)) for _ in range(n)]),
        other_type=[draw(st.sampled_from([None, "WD", "CV"])) for _ in range(n)],
        unknown=np.array([draw(st.booleans()) for _ in range(n)]),
        unknown_reason=[draw(st.sampled_from([None, "NOVEL"])) for _ in range(n)],
        unknown_rate=0.01,
        quality_flags=np.array([draw(st.integers(0, 2**40)) for _ in range(n)]),
        alternative_class=np.array([[draw(st.integers(-1, k - 1)) for _ in range(2)] for _ in range(n)]),
        alternative_redshift=np.array([[draw(st.floats(0, 7)) for _ in range(2)] for _ in range(n)]),
        alternative_probability=np.array([[draw(st.floats(0, 1)) for _ in range(2)] for _ in range(n)]),
        lines=lines,
        anomaly_image=draw(st.none() | st.lists(st.sampled_from([None, "SCIENCE"]), min_size=n, max_size=n)),
    )
    return items, known, verdicts


@pytest.fixture(scope="module")
def writer(codec: Codec) -> L2Writer:
    return L2Writer(ENGINES, topic="l2", codec=codec)


@given(batch=batches())
def test_the_fast_encoder_writes_the_bytes_of_the_plain_form(
    codec: Codec, writer: L2Writer, batch: tuple[list[Accepted], list[Identity], Verdicts]
) -> None:
    """For any identity and verdicts, both encoders agree to the byte, and the record reads back."""
    items, known, verdicts = batch
    finished = writer.finish(items, verdicts, 0)
    for row, (item, done) in enumerate(zip(items, finished, strict=True)):
        plain = l2_record(item, known[row], verdicts, row, ENGINES)
        assert done.value == codec.encode("l2_classification", plain)
        assert codec.decode(done.value).record["l2_id"] == plain["l2_id"]


def make(n: int = 2, **changes: Any) -> tuple[list[Accepted], Verdicts]:
    items = [
        Accepted(
            Message(TopicPartition("t", 0), offset, 1, None, None, (), 1_000 + offset),
            "spectrum",
            encode_identity(Identity(f"l1-{offset}", "SDSS", object_id=None if offset else "object"), "spectrum"),
            Stamps(None, None, None, "X", 0),
            "s",
            0,
        )
        for offset in range(n)
    ]
    fields: dict[str, Any] = {
        "class_scheme": "scheme",
        "class_names": CLASSES,
        "class_probabilities": np.full((n, 3), 1 / 3),
        "top_class": np.zeros(n, np.int64),
        "columns": {"unknown_p_value": np.linspace(0.001, 0.5, n)},
        "zwarn": np.zeros(n, np.int64),
        "other_type": [None] * n,
        "unknown": np.arange(n) == 0,
        "unknown_reason": ["NOVEL"] + [None] * (n - 1),
        "unknown_rate": 0.01,
        "quality_flags": np.zeros(n, np.int64),
        "alternative_class": np.zeros((n, 0), np.int64),
        "alternative_redshift": np.zeros((n, 0)),
        "alternative_probability": np.zeros((n, 0)),
    }
    return items, Verdicts(**{**fields, **changes})


def test_key_is_the_object_else_the_spectrum(writer: L2Writer) -> None:
    """Records of one object stay in one partition."""
    assert [done.key for done in writer.finish(*make(), 0)] == [b"object", b"l1-1"]


def test_headers_carry_identity_lane_and_times(writer: L2Writer) -> None:
    """Times stand in headers, as text."""
    done = writer.finish(*make(), 77)[1]
    headers = dict(done.headers)
    assert headers["l1_append_ms"] == b"1001"
    assert headers["classified_ms"] == b"77"
    assert headers["lane"] == b"spectrum"
    assert uuid.UUID((headers["l2_id"] or b"").decode()).version == 5


def test_records_without_coordinates_are_flagged(codec: Codec, writer: L2Writer) -> None:
    """NO_POSITION is added to the engines' flags."""
    done = writer.finish(*make(quality_flags=np.array([4, 0])), 0)
    flags = [codec.decode(item.value).record["quality_flags"] for item in done]
    assert flags == [4 | Quality.NO_POSITION, int(Quality.NO_POSITION)]


def test_sky_fibres_are_counted_apart(writer: L2Writer) -> None:
    """An unknown sky fibre is no novelty, and its p-value is no drift."""
    flags = np.array([int(Quality.SKY_FIBRE)] * 2)
    first, second = writer.finish(*make(quality_flags=flags), 0)
    assert first.unknown_reason == "SKY_FIBRE"
    assert second.unknown_reason is None
    assert math.isnan(first.unknown_p_value)
    assert math.isnan(second.unknown_p_value)


def test_verdicts_for_another_batch_are_a_defect(writer: L2Writer) -> None:
    """A classifier that answers for fewer items, or with an unknown column, stops the service."""
    items, verdicts = make(3)
    with pytest.raises(VerdictsMismatch, match="expected verdicts for 2 items, received 3"):
        writer.finish(items[:2], verdicts, 0)
    with pytest.raises(VerdictsMismatch, match="redshft"):
        writer.finish(*make(columns={"redshft": np.zeros(2)}), 0)


@given(topic=st.text("abc._-", min_size=1), partition=st.integers(0, 1000), offset=st.integers(0, 2**60))
def test_l2_id_is_a_uuid5_of_coordinates_and_bundles(topic: str, partition: int, offset: int) -> None:
    """The quick way equals the library's."""
    identifiers = L2Identifiers(ENGINES)
    message = Message(TopicPartition(topic, partition), offset, 1, None, None, (), 0)
    name = f"{topic}/{partition}/{offset}/{','.join(engine.bundle_sha256 for engine in ENGINES)}"
    assert [identifiers.make(message) for _ in range(2)] == [str(uuid.uuid5(NAMESPACE, name))] * 2


def test_other_bundles_give_other_ids(writer: L2Writer) -> None:
    """Reclassification with a new bundle is a new record."""
    message = Message(TopicPartition("t", 0), 0, 1, None, None, (), 0)
    assert L2Identifiers(ENGINES).make(message) != L2Identifiers(ENGINES[:1]).make(message)
