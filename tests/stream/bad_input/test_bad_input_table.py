"""Every kind of bad input through the whole service, shipped bundles and all, on one folder.

Each row of the table goes in between good messages. What cannot be classified is a dead letter that says why and holds
the very message; what can is classified, flagged, and unknown where the bundle does not vouch for it; and the good
messages before and after it come out as ever.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from classifiers.quality import Quality
from schemas.wire import confluent_header, single_object_header

L1, ALERTS = "specstream.l1.spectrum", "alerts"
N_PIXELS = 4671
CUTOUTS = ("cutoutScience", "cutoutTemplate", "cutoutDifference")

Make = Callable[[Any], bytes | None]
"""Makes a message from what is given (``Given`` in conftest.py): a real spectrum, a real alert, and the codec."""


@dataclass(frozen=True)
class Dead:
    """A row that becomes a dead letter: reason, field, and words of what was expected and what came."""

    make: Make
    reason: str
    field: str | None = None
    expected: str = ""
    received: str = ""
    topic: str = L1


@dataclass(frozen=True)
class Classified:
    """A row that is classified: bits that are set, and why it is unknown ("" where nothing is claimed)."""

    make: Make
    flags: Quality = field(default=Quality(0))
    unknown_reason: str = ""
    topic: str = L1


def wave() -> Any:
    return np.linspace(4000.0, 9000.0, N_PIXELS)


def descending(wavelength: Any) -> Any:
    wavelength[1000], wavelength[1001] = wavelength[1001], wavelength[1000]
    return wavelength


def flipped(value: bytes, at: int) -> bytes:
    """Return the message with one bit flipped."""
    return value[:at] + bytes([value[at] ^ 0x40]) + value[at + 1 :]


def not_text(value: bytes) -> bytes:
    """Return the message with a byte of its first string that no UTF-8 text has."""
    at = value.index(b"real-0")
    return value[:at] + b"\xff" + value[at + 1 :]


TABLE: Mapping[str, Dead | Classified] = {
    # nothing that can be decoded
    "truncated spectrum": Dead(lambda g: g.spectrum()[:-100], "UNDECODABLE", None, "l1_spectrum"),
    "truncated header": Dead(lambda g: g.spectrum()[:7], "UNDECODABLE", None, "at least 10 bytes", "7 bytes"),
    "bit flip in the schema id": Dead(lambda g: flipped(g.spectrum(), 4), "UNKNOWN_SCHEMA", None, "fingerprint"),
    "bit flip in a length": Dead(lambda g: flipped(g.spectrum(), 10), "UNDECODABLE|INVALID_TEXT"),
    "unknown Confluent id": Dead(
        lambda g: confluent_header(999_999) + g.spectrum()[10:], "UNKNOWN_SCHEMA", None, "registry", "999999"
    ),
    "unknown fingerprint": Dead(
        lambda g: single_object_header(0x1234) + g.spectrum()[10:], "UNKNOWN_SCHEMA", None, "", "0000000000001234"
    ),
    "wrong schema id": Dead(
        lambda g: single_object_header(g.codec.catalogue.current("label").fingerprint) + g.spectrum()[10:],
        "UNDECODABLE|WRONG_SCHEMA|INVALID_TEXT",
    ),
    "bytes after the record": Dead(lambda g: g.spectrum() + b"\x00", "WRONG_SCHEMA", None, "bytes", "bytes"),
    "one of our outputs": Dead(
        lambda g: g.codec.encode("label", LABEL), "WRONG_SCHEMA", None, "l1_spectrum", "org.specstream.label"
    ),
    "foreign bytes": Dead(lambda _: b'{"ra": 1.0}', "UNKNOWN_FRAMING", None, "Confluent", b'{"ra": 1'.hex()),
    "a FITS file": Dead(
        lambda g: g.fits_bytes(np.ones((2, 2))), "UNKNOWN_FRAMING", None, "framing", "53494d504c452020"
    ),
    "empty message": Dead(lambda _: b"", "EMPTY_MESSAGE", None, "Avro"),
    "tombstone": Dead(lambda _: None, "EMPTY_MESSAGE", None, "Avro"),
    "invalid UTF-8": Dead(lambda g: not_text(g.spectrum()), "INVALID_TEXT", None, "UTF-8", "ff"),
    "deflate bomb": Dead(
        lambda g: g.container([{"x": bytes(1 << 27)}], codec="deflate"), "MESSAGE_TOO_LARGE", None, "at most", "deflate"
    ),
    "several records": Dead(lambda g: g.container([{"x": b""}] * 2), "UNSUPPORTED", None, "1 record", "2 or more"),
    "no alert": Dead(lambda g: g.container([{"x": b""}]), "UNSUPPORTED", "", "an alert of", "example"),
    # decodes, but cannot be a spectrum
    "flux too short": Dead(
        lambda g: g.spectrum(flux=np.ones(10, np.float32)), "LENGTH_MISMATCH", "flux", "4671 pixels", "10 pixels"
    ),
    "uncertainty too long": Dead(
        lambda g: g.spectrum(uncertainty=np.ones(4672, np.float32)), "LENGTH_MISMATCH", "uncertainty", "4671", "4672"
    ),
    "quality too short": Dead(
        lambda g: g.spectrum(quality=np.zeros(1, np.int32)), "LENGTH_MISMATCH", "quality", "4671 pixels", "1 pixels"
    ),
    "non-monotonic wavelength": Dead(
        lambda g: g.spectrum(grid=None, wavelength=descending(wave())),
        "INVALID_WAVELENGTH", "wavelength", "strictly increasing", "at pixel 1000",
    ),
    "all pixels masked": Dead(
        lambda g: g.spectrum(**g.masked(1.0)), "NO_VALID_PIXELS", "quality", "at least one pixel", "none of 4671"
    ),
    "all flux NaN": Dead(
        lambda g: g.spectrum(flux=np.full(N_PIXELS, np.nan, np.float32)), "NO_VALID_PIXELS", "flux", "finite", "none of"
    ),
    "unknown unit": Dead(lambda g: g.spectrum(flux_unit="furlong"), "UNKNOWN_UNIT", "flux_unit", "", "furlong"),
    "unknown medium": Dead(lambda g: g.spectrum(medium="UNKNOWN"), "UNKNOWN_FRAME", "medium", "AIR", "UNKNOWN"),
    "right ascension 400": Dead(lambda g: g.spectrum(ra_deg=400.0), "IMPLAUSIBLE_POSITION", "ra_deg", "0..360", "400"),
    "declination NaN": Dead(
        lambda g: g.spectrum(dec_deg=np.nan), "IMPLAUSIBLE_POSITION", "dec_deg", "-90..90", "nan"
    ),
    # classified with a flag
    "partly bad pixels": Classified(lambda g: g.spectrum(**g.masked(0.3)), Quality.MASKED_PIXELS),
    "some flux NaN": Classified(
        lambda g: g.spectrum(flux=np.where(np.arange(N_PIXELS) % 50, g.record["flux"], np.float32(np.nan))),
        Quality.NON_FINITE_INPUT,
    ),
    "negative inverse variance": Classified(
        lambda g: g.spectrum(uncertainty=np.where(np.arange(N_PIXELS) % 50, g.record["uncertainty"], np.float32(-1))),
        Quality.BAD_UNCERTAINTY,
    ),
    "half the coverage": Classified(lambda g: g.spectrum(**g.cut(2800)), Quality.SHORT_COVERAGE),
    "a tenth of the coverage": Classified(
        lambda g: g.spectrum(**g.cut(460)), Quality.SHORT_COVERAGE, "OUT_OF_DOMAIN"
    ),
    "low S/N": Classified(
        lambda g: g.spectrum(uncertainty=np.full(N_PIXELS, 1e-6, np.float32)), Quality.LOW_SNR
    ),
    "resolution too low": Classified(
        lambda g: g.spectrum(resolving_power=100.0), Quality.LOW_RESOLUTION, "OUT_OF_DOMAIN"
    ),
    "constant flux": Classified(
        lambda g: g.spectrum(flux=np.ones(N_PIXELS, np.float32)), unknown_reason="BAD_DATA"
    ),
    "huge flux": Classified(lambda g: g.spectrum(flux=np.full(N_PIXELS, 3e38, np.float32) * WAVY)),
    "two pixels": Classified(
        lambda g: g.spectrum(**g.cut(2) | {"uncertainty": np.ones(2, np.float32)}),
        Quality.SHORT_COVERAGE,
        "OUT_OF_DOMAIN",
    ),
    "one good pixel": Classified(
        lambda g: g.spectrum(quality=(np.arange(N_PIXELS) != 2000).astype(np.int32)),
        Quality.SHORT_COVERAGE,
        "OUT_OF_DOMAIN",
    ),
    "infinite variance": Classified(
        lambda g: g.spectrum(
            uncertainty=np.where(np.arange(N_PIXELS) % 2, np.float32(np.inf), np.float32(1.0)),
            uncertainty_kind="VARIANCE",
        )
    ),
    "no position": Classified(lambda g: g.spectrum(ra_deg=None, dec_deg=None), Quality.NO_POSITION),
    # alerts
    "truncated alert": Dead(lambda g: g.alert[:-3000], "UNDECODABLE", None, "bytes", "", ALERTS),
    "difference missing": Dead(
        lambda g: g.alert_with(cutoutDifference=None), "CUTOUT_MISSING", "cutoutDifference", "difference", "", ALERTS
    ),
    "difference truncated": Dead(
        lambda g: g.alert_with(cutoutDifference=g.stamp("cutoutDifference")[:-200]),
        "CUTOUT_INVALID", "cutoutDifference.stampData", "gzip", "", ALERTS,
    ),
    "science no FITS": Dead(
        lambda g: g.alert_with(cutoutScience=b"\xff\xd8\xff\xe0JFIF" + bytes(3000)),
        "CUTOUT_INVALID", "cutoutScience.stampData", "SIMPLE", "JPEG", ALERTS,
    ),
    "difference all NaN": Dead(
        lambda g: g.alert_with(cutoutDifference=np.full((63, 63), np.nan)),
        "NO_VALID_PIXELS", "cutoutDifference", "finite pixels", "none", ALERTS,
    ),
    "gzip bomb": Dead(
        lambda g: g.alert_with(cutoutDifference=gzip.compress(bytes(1 << 28), mtime=0)),
        "CUTOUT_TOO_LARGE", "cutoutDifference.stampData", "at most 4194304 bytes", "4194304", ALERTS,
    ),
    "science missing": Classified(
        lambda g: g.alert_with(cutoutScience=None), Quality.CUTOUT_MISSING, topic=ALERTS
    ),
    "template all NaN": Classified(
        lambda g: g.alert_with(cutoutTemplate=np.full((63, 63), np.nan)),
        Quality.CUTOUT_MISSING | Quality.CUTOUT_NON_FINITE, topic=ALERTS,
    ),
    "difference with a NaN": Classified(
        lambda g: g.alert_with(cutoutDifference=np.where(np.arange(63 * 63).reshape(63, 63) == 9, np.nan, NOISE)),
        Quality.CUTOUT_NON_FINITE, topic=ALERTS,
    ),
    "stamp too small": Classified(
        lambda g: g.alert_with(**dict.fromkeys(CUTOUTS, NOISE[:50])), Quality.CUTOUT_TRUNCATED, topic=ALERTS
    ),
    "stamp too large": Classified(
        lambda g: g.alert_with(**dict.fromkeys(CUTOUTS, np.pad(NOISE, 9))), Quality.CUTOUT_RESIZED, topic=ALERTS
    ),
}  # fmt: skip
LABEL = {"l2_id": "a", "l1_id": "b", "verdict": "WRONG", "author": "c", "labelled_ms": 1}
WAVY = np.sin(np.arange(N_PIXELS) / 100.0).astype(np.float32)
NOISE = np.random.default_rng(5).normal(0.0, 5.0, (63, 63))


@pytest.fixture(scope="module")
def night(given: Any, run_night: Callable[..., Any]) -> Any:
    return run_night({name: (row.topic, row.make(given)) for name, row in TABLE.items()})


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_each_row_has_its_outcome(night: Any, name: str) -> None:
    row = TABLE[name]
    if isinstance(row, Classified):
        assert name not in night.dead, night.dead[name]
        record = night.l2[name]
        assert Quality(record["quality_flags"]) & row.flags == row.flags, Quality(record["quality_flags"])
        if row.unknown_reason:
            assert (record["unknown"], record["unknown_reason"]) == (True, row.unknown_reason)
        return
    assert name not in night.l2
    letter = night.dead[name]
    assert letter["reason"] in row.reason.split("|"), letter
    assert letter["field"] == row.field, letter
    assert row.expected in letter["expected"]
    assert row.received in letter["received"]
    assert letter["message"]
    assert letter["original_value"] == night.sent[name]
    assert letter["original_key"] == name.encode()
    assert letter["original_headers"] == [{"name": "from", "value": b"table"}]


@pytest.mark.slow
def test_the_stream_goes_on(night: Any) -> None:
    """Good messages are untouched by their neighbours, and in = out + dead."""
    dead = {name for name, row in TABLE.items() if isinstance(row, Dead)}
    assert night.dead.keys() == dead
    assert night.l2.keys() == night.sent.keys() - dead
    assert night.report.drained
    assert (night.report.records_in, night.report.records_dead) == (len(night.sent), len(dead))
    assert night.imbalance == ""
    good = [record for key, record in night.l2.items() if key.startswith(("good spectrum", "last"))]
    assert len({(r["top_class"], r["redshift"], r["anomaly_score"], r["quality_flags"]) for r in good}) == 1
    alerts = [record for key, record in night.l2.items() if key.startswith("good alert")]
    assert len({(r["anomaly_score"], r["quality_flags"]) for r in alerts}) == 1
