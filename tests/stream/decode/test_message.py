"""Decoding of messages: each row of the bad-input table, and real spectra and alerts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.items import GridAxis, InlineAxis, Spectrum, Stamps
from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.errors import RegistryRefused, RegistryUnavailable
from stream.decode.message import MessageDecoder
from stream.decoded import Accepted, Decoded, Rejected
from stream.errors import ConfigurationError, Reason, Retryable
from stream.transports.contract import Message, TopicPartition

Decode = Callable[[bytes | None], Decoded]
SOURCE = TopicPartition("l1", 0)


def message(value: bytes | None, topic: str = "l1") -> Message:
    return Message(TopicPartition(topic, 0), 7, 1, b"key", value, (), 1_790_000_000_000)


@pytest.fixture
def decode(codec: Codec) -> Decode:
    decoder = MessageDecoder(codec, image_topics=("ztf",))
    return lambda value: decoder.decode(message(value))


@pytest.fixture
def decode_spectrum(decode: Decode, spectrum_value: Callable[..., bytes]) -> Callable[..., Decoded]:
    return lambda **changes: decode(spectrum_value(0, **changes))


def rejected(item: Decoded) -> Rejected:
    assert isinstance(item, Rejected), item
    return item


def spectrum(item: Decoded) -> Spectrum:
    assert isinstance(item, Accepted), item
    assert isinstance(item.item, Spectrum)
    return item.item


def test_a_valid_spectrum_is_accepted_with_its_identity(decode_spectrum: Any, identity_of: Any) -> None:
    """Identity, axis, arrays and writer schema arrive."""
    item = decode_spectrum(fibre_use="SKY", quality=np.array([0] * 99 + [3], dtype=np.int32))
    identity = identity_of(item)
    assert identity["l1_id"] == "spec-0"
    assert (identity["survey"], identity["ra_deg"], identity["fibre_use"]) == ("SDSS", 180.0, "SKY")
    assert (item.identity.survey, item.identity.placed) == ("SDSS", True)
    assert item.lane == "spectrum"
    assert item.schema.startswith("org.specstream.l1_spectrum:")
    decoded = spectrum(item)
    assert decoded.axis == GridAxis("LOG10", 3.58, 1e-4, 100)
    assert decoded.sky_fibre
    assert decoded.survey == "SDSS"
    assert decoded.quality is not None
    assert (decoded.quality == 0).sum() == 99
    assert decoded.velocity_correction_km_s == 0.0
    assert item.size_bytes == 1200


def test_a_pseudo_spectrum_goes_to_a_lane_of_its_own_and_is_published_as_a_spectrum(
    decode_spectrum: Any, identity_of: Any
) -> None:
    """The lane decides the engines; the record's field has the two values that it always had."""
    item = decode_spectrum(sampling="NARROWBAND")
    assert item.lane == "narrowband"
    assert identity_of(item)["lane"] == "spectrum"


def test_topocentric_wavelengths_carry_their_correction(decode_spectrum: Any) -> None:
    """The correction is passed on, not applied."""
    assert spectrum(decode_spectrum(specsys="TOPOCENT", helio_correction_km_s=-12.5)).velocity_correction_km_s == -12.5


def test_an_inline_axis_is_checked_once_and_shared(decode_spectrum: Any) -> None:
    """Equal axes are one object with one digest; another axis of the same length and ends is another."""
    wavelength = np.linspace(4000.0, 5000.0, 100)
    other = wavelength.copy()
    other[10] += 1.0
    first, second, third = (
        spectrum(decode_spectrum(grid=None, wavelength=axis)).axis for axis in (wavelength, wavelength, other)
    )
    assert isinstance(first, InlineAxis)
    assert isinstance(third, InlineAxis)
    assert first is second
    assert first.digest != third.digest


def test_the_survey_is_written_in_upper_case(decode_spectrum: Any) -> None:
    """Metric labels need one spelling."""
    assert decode_spectrum(survey=" sdss ").identity.survey == "SDSS"


@pytest.mark.parametrize("specsys", ["BARYCENT", "HELIOCEN"])
@pytest.mark.parametrize("medium", ["AIR", "VACUUM"])
def test_stated_frames_are_accepted(decode_spectrum: Any, specsys: str, medium: str) -> None:
    """Both media and both rest frames are known."""
    assert spectrum(decode_spectrum(specsys=specsys, medium=medium)).medium == medium


WAVE = np.linspace(4000.0, 5000.0, 100)


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"flux": np.ones(99, np.float32)}, Reason.LENGTH_MISMATCH, "flux"),
        ({"uncertainty": np.ones(101, np.float32)}, Reason.LENGTH_MISMATCH, "uncertainty"),
        ({"quality": np.zeros(5, np.int32)}, Reason.LENGTH_MISMATCH, "quality"),
        ({"grid": None, "wavelength": WAVE[:50]}, Reason.LENGTH_MISMATCH, "flux"),
        ({"grid": None, "wavelength": WAVE[::-1].copy()}, Reason.INVALID_WAVELENGTH, "wavelength"),
        ({"grid": None, "wavelength": np.full(100, 5000.0)}, Reason.INVALID_WAVELENGTH, "wavelength"),
        ({"grid": None, "wavelength": np.where(WAVE > 4500, np.nan, WAVE)}, Reason.INVALID_WAVELENGTH, "wavelength"),
        ({"grid": None, "wavelength": WAVE / 1e4}, Reason.INVALID_WAVELENGTH, "wavelength"),
        ({"grid": None}, Reason.INVALID_WAVELENGTH, "wavelength"),
        ({"wavelength": WAVE}, Reason.INVALID_WAVELENGTH, "wavelength"),
        ({"grid": {"kind": "LINEAR", "start": 4000.0, "step": -1.0, "n": 100}}, Reason.INVALID_WAVELENGTH, "grid.step"),
        ({"grid": {"kind": "LOG10", "start": 4000.0, "step": 1.0, "n": 100}}, Reason.INVALID_WAVELENGTH, "grid.start"),
        ({"grid": {"kind": "LINEAR", "start": np.inf, "step": 1.0, "n": 100}}, Reason.INVALID_WAVELENGTH, "grid.step"),
        ({"grid": {"kind": "LINEAR", "start": 4000.0, "step": 1.0, "n": -5}}, Reason.LENGTH_MISMATCH, "grid.n"),
        ({"grid": {"kind": "LINEAR", "start": 4e3, "step": 1.0, "n": 2**30}}, Reason.MESSAGE_TOO_LARGE, "grid.n"),
        ({"flux": np.full(100, np.nan, np.float32)}, Reason.NO_VALID_PIXELS, "flux"),
        ({"uncertainty": np.zeros(100, np.float32)}, Reason.NO_VALID_PIXELS, "flux"),
        ({"quality": np.ones(100, np.int32)}, Reason.NO_VALID_PIXELS, "quality"),
        ({"flux_unit": "furlong per fortnight"}, Reason.UNKNOWN_UNIT, "flux_unit"),
        ({"flux_unit": "erg/cm^2/s/A"}, Reason.UNKNOWN_UNIT, "flux_unit"),
        ({"medium": "UNKNOWN"}, Reason.UNKNOWN_FRAME, "medium"),
        ({"specsys": "TOPOCENT"}, Reason.UNKNOWN_FRAME, "helio_correction_km_s"),
        ({"specsys": "LSRK"}, Reason.UNKNOWN_FRAME, "specsys"),
        ({"specsys": "BARYCENT", "helio_correction_km_s": 10.0}, Reason.UNKNOWN_FRAME, "helio_correction_km_s"),
        ({"specsys": "TOPOCENT", "helio_correction_km_s": 3e5}, Reason.INVALID_VALUE, "helio_correction_km_s"),
        ({"ra_deg": 400.0}, Reason.IMPLAUSIBLE_POSITION, "ra_deg"),
        ({"ra_deg": None}, Reason.IMPLAUSIBLE_POSITION, "ra_deg"),
        ({"dec_deg": np.nan}, Reason.IMPLAUSIBLE_POSITION, "dec_deg"),
        ({"dec_deg": -90.5}, Reason.IMPLAUSIBLE_POSITION, "dec_deg"),
        ({"resolving_power": 0.0}, Reason.INVALID_VALUE, "resolving_power"),
        ({"mjd_start": -1.0}, Reason.INVALID_VALUE, "mjd_start"),
        ({"l1_id": ""}, Reason.MISSING_FIELD, "l1_id"),
        ({"l1_id": "x" * 2000}, Reason.INVALID_VALUE, "l1_id"),
        ({"survey": ""}, Reason.MISSING_FIELD, "survey"),
        ({"survey": "a\nb"}, Reason.INVALID_VALUE, "survey"),
    ],
)
def test_a_spectrum_that_cannot_be_classified_names_what_is_wrong(
    decode_spectrum: Any, changes: dict[str, Any], reason: Reason, field: str
) -> None:
    """Reason, field, expected and received of each rejection."""
    item = rejected(decode_spectrum(**changes))
    assert (item.reason, item.field) == (reason, field)
    assert item.expected
    assert item.received is not None
    assert item.explanation
    assert item.schema_id


@pytest.mark.parametrize(
    "changes",
    [
        {"flux": np.where(np.arange(100) % 2, np.nan, 1.0).astype(np.float32)},
        {"uncertainty": np.where(np.arange(100) == 41, 1.0, 0.0).astype(np.float32)},
        {"quality": np.where(np.arange(100) == 57, 0, 1).astype(np.int32)},
        {"ra_deg": None, "dec_deg": None},
        {"resolving_power": 20_000.0},
    ],
)
def test_a_partly_bad_spectrum_is_accepted(decode_spectrum: Any, changes: dict[str, Any]) -> None:
    """One valid pixel is enough here; flags are the engines' matter."""
    assert isinstance(decode_spectrum(**changes), Accepted)


def test_one_valid_pixel_of_many_is_found(decode: Decode, spectrum_value: Any) -> None:
    """A sample without valid pixels does not decide; every pixel is looked at."""
    uncertainty = np.zeros(5000, np.float32)
    uncertainty[1234] = 1.0
    assert isinstance(decode(spectrum_value(0, 5000, uncertainty=uncertainty)), Accepted)


@pytest.mark.parametrize("value", [None, b""])
def test_a_message_without_value_is_rejected(decode: Decode, value: bytes | None) -> None:
    """Tombstones and empty messages."""
    assert rejected(decode(value)).reason is Reason.EMPTY_MESSAGE


def test_a_message_beyond_the_limit_is_rejected_unread(codec: Codec, spectrum_value: Any) -> None:
    """Size is looked at before anything else."""
    decoder = MessageDecoder(codec, max_message_bytes=100)
    item = decoder.decode(message(spectrum_value(0)))
    assert rejected(item).reason is Reason.MESSAGE_TOO_LARGE


@pytest.mark.parametrize("name", ["ledger", "label"])
def test_our_own_other_records_are_no_input(decode: Decode, codec: Codec, name: str) -> None:
    """A ledger entry in the input topic is a wrong schema, not an alert."""
    records = {
        "ledger": {
            "group": "g", "topic": "t", "partition": 0, "first_offset": 0, "last_offset": 0, "next_offset": 1,
            "records_in": 1, "records_out": 1, "records_dead": 0, "night": "2026-01-01", "program_version": "1",
        },
        "label": {"l2_id": "a", "l1_id": "b", "verdict": "WRONG", "author": "c", "labelled_ms": 1},
    }  # fmt: skip
    assert rejected(decode(codec.encode(name, records[name]))).reason is Reason.WRONG_SCHEMA


@given(cut=st.integers(0, 10_000), flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), max_size=4))
def test_damaged_messages_are_accepted_or_rejected_never_raised(
    codec: Codec, spectrum_value: Any, cut: int, flips: list[tuple[int, int]]
) -> None:
    """Truncation and bit flips end as one of the two outcomes."""
    value = bytearray(spectrum_value(0))
    for place, mask in flips:
        value[place % len(value)] ^= mask
    item = MessageDecoder(codec).decode(message(bytes(value[: cut % (len(value) + 1)])))
    assert isinstance(item, Accepted | Rejected)


def test_an_undecodable_message_counts_in_the_lane_of_its_topic(codec: Codec) -> None:
    """What cannot be read is told by where it stood."""
    decoder = MessageDecoder(codec, image_topics=("ztf",))
    assert decoder.decode(message(b"foreign", "ztf")).lane == "image"
    assert decoder.decode(message(b"foreign", "l1")).lane == "spectrum"


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (RegistryUnavailable("away", url="http://registry"), Retryable),
        (RegistryRefused("no", url="http://registry"), ConfigurationError),
    ],
)
def test_a_registry_that_is_away_is_not_the_messages_fault(error: Exception, raised: type[Exception]) -> None:
    """It passes through, and the message is decoded later."""

    class Away:
        catalogue = Catalogue.embedded()

        def decode(self, value: bytes) -> Any:  # noqa: ARG002 - the protocol's
            raise error

    with pytest.raises(raised):
        MessageDecoder(Away()).decode(message(b"\x00\x00\x00\x00\x01x"))


def test_real_alerts_arrive_in_the_image_lane(codec: Codec, data_dir: Path) -> None:
    """A ZTF alert becomes stamps."""
    path = next(iter(sorted((data_dir / "alerts" / "ztf_ocf").glob("*.avro"))))
    item = MessageDecoder(codec).decode(message(path.read_bytes(), "ztf"))
    assert isinstance(item, Accepted)
    assert (item.lane, item.identity.survey) == ("image", "ZTF")
    assert isinstance(item.item, Stamps)


def test_poison_files_are_rejected(codec: Codec, data_dir: Path) -> None:
    """Every naturally broken alert becomes a dead letter with a reason."""
    for path in sorted((data_dir / "alerts" / "poison").iterdir()):
        item = MessageDecoder(codec).decode(message(path.read_bytes(), "ztf"))
        assert isinstance(item, Rejected), path.name
