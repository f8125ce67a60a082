"""Spectra read side by side are what the decoder of one message at a time makes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.items import InlineAxis, Spectrum
from classifiers.training.simulation.l1_records import EXPOSURE, simulated_records
from classifiers.training.simulation.simulator import Simulator
from schemas.codec import Codec
from stream.decode.message import MIN_PLAIN_RECORDS, MessageDecoder
from stream.decode.walk import MAX_ITEMS
from stream.decoded import Accepted, Decoded
from stream.fits.reading import read_fits
from stream.transports.contract import Message, TopicPartition


def messages_of(values: Iterable[bytes]) -> list[Message]:
    return [Message(TopicPartition("l1", 0), row, 1, None, value, (), 5) for row, value in enumerate(values)]


def warm(codec: Codec, example: bytes) -> MessageDecoder:
    """Return a decoder that has met the framing."""
    decoder = MessageDecoder(codec)
    decoder.decode(messages_of([example])[0])
    return decoder


def assert_same(plain: Accepted, one: Decoded) -> None:
    assert isinstance(one, Accepted)
    assert plain._replace(item=one.item) == one
    assert isinstance(plain.item, Spectrum)
    for field in fields(Spectrum):
        left, right = getattr(plain.item, field.name), getattr(one.item, field.name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype
            assert left.tobytes() == right.tobytes()
        elif isinstance(left, InlineAxis):
            assert left.digest == right.digest
        else:
            assert left == right, field.name


def compare(codec: Codec, values: list[bytes], example: bytes) -> list[bool]:
    """Decode values side by side and one by one; return which were plain."""
    messages = messages_of(values)
    plain = warm(codec, example).decode_plain(messages)
    alone = MessageDecoder(codec)
    for found, message in zip(plain, messages, strict=True):
        if found is not None:
            assert_same(found, alone.decode(message))
    return [found is not None for found in plain]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["SDSS", *EXPOSURE])
def test_simulated_spectra_are_plain_and_the_same(codec: Codec, form: str) -> None:
    """A load of one survey takes the fast way in full."""
    values = [codec.encode("l1_spectrum", item.record) for item in simulated_records(Simulator.load(), 8, 3, form)]
    assert all(compare(codec, values, values[0]))


@pytest.mark.slow
def test_real_spectra_are_plain_and_the_same(codec: Codec, data_dir: Path) -> None:
    """Those of all sample files, in one batch; only coadds that list very many exposures go the other way."""
    records = [record for path in sorted((data_dir / "fits").glob("*.fits")) for record in read_fits(path)]
    values = [codec.encode("l1_spectrum", record) for record in records]
    assert len(values) >= 11
    short = [len(record["provenance"]) <= MAX_ITEMS for record in records]
    assert sum(short) >= 9
    assert compare(codec, values, values[0]) == short


CHANGES: dict[str, list[Any]] = {
    "l1_id": ["", "x" * 300, "x" * 2_000, "é", "a\tb"],
    "survey": ["sdss", " SDSS ", "", "ß", "x" * 40],
    "object_id": [None, "", "object", "é"],
    "fibre_id": [None, -1, 0, 70_000],
    "target_bits": [None, -(2**62), 2**40],
    "fibre_use": ["OBJECT", "SKY", "STANDARD", "OTHER"],
    "product_level": ["SINGLE", "COADD", "OTHER"],
    "ra_deg": [None, 0.0, 359.0, 361.0, float("nan"), 1e-300],
    "dec_deg": [None, -90.0, 91.0],
    "mjd_start": [None, 0.0, 60_000.5, 2e5, -1.0, float("inf")],
    "exptime_s": [None, 0.0, -5.0, 2e9],
    "ebv": [None, 1e31, 0.02],
    "provenance": [[], ["a.fits", "b.fits"], ["p"] * 40, ["é"]],
    "magnitudes": [[], [{"band": "r", "system": "AB", "value": 19.5, "error": 0.1}]],
    "wavelength": [None, np.linspace(4000.0, 5000.0, 100), np.linspace(5000.0, 4000.0, 100)],
    "grid": [
        None,
        {"kind": "LINEAR", "start": 4000.0, "step": 1.0, "n": 100},
        {"kind": "LINEAR", "start": 4000.0, "step": -1.0, "n": 100},
        {"kind": "LOG10", "start": 3.5, "step": 1e-4, "n": 101},
    ],
    "medium": ["AIR", "VACUUM", "UNKNOWN"],
    "specsys": ["BARYCENT", "TOPOCENT", "MOON"],
    "helio_correction_km_s": [None, 0.0, 12.5, 99.0],
    "resolving_power": [None, 2_000.0, -1.0],
    "lsf": [None, np.ones(4, np.float32)],
    "flux": [
        np.ones(99, np.float32),
        np.full(100, np.nan, np.float32),
        np.linspace(-1, 1, 100, dtype=np.float32),
        np.maximum(np.linspace(-1, 1, 100, dtype=np.float32), 0),
    ],
    "flux_unit": ["Jy", "erg/s/cm2/Angstrom", "bananas"],
    "uncertainty": [np.zeros(100, np.float32), np.ones(101, np.float32)],
    "uncertainty_kind": ["SIGMA", "VARIANCE", "IVAR"],
    "quality": [None, np.zeros(100, np.int32), np.ones(100, np.int32), np.zeros(9, np.int32)],
    "sky": [None, np.ones(100, np.float32)],
    "sampling": ["DISPERSED", "NARROWBAND"],
    "assumptions": [[], ["flat"]],
}


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_spectra_side_by_side_are_what_each_is_alone(
    codec: Codec, spectrum_value: Callable[..., bytes], data: st.DataObject
) -> None:
    """Whatever is wrong with one, or unusual: what is not left to the other way is the same as there."""
    values = []
    for number in range(data.draw(st.integers(MIN_PLAIN_RECORDS, 7))):
        changed = data.draw(st.sets(st.sampled_from(sorted(CHANGES)), max_size=3))
        value = spectrum_value(number, **{name: data.draw(st.sampled_from(CHANGES[name])) for name in sorted(changed)})
        if data.draw(st.integers(0, 9)) == 0:
            broken = bytearray(value)
            broken[data.draw(st.integers(10, len(value) - 1))] ^= data.draw(st.integers(1, 255))
            value = bytes(broken[: data.draw(st.integers(11, len(value)))])
        values.append(value)
    compare(codec, values, spectrum_value(0))


def test_padding_is_masked_but_not_between_bands(codec: Codec, spectrum_value: Callable[..., bytes]) -> None:
    """Flux 0 up to an end was not measured; a band of flux 0 may have been."""
    padded = np.maximum(np.linspace(-1, 1, 100, dtype=np.float32), 0)
    values = [spectrum_value(0, flux=padded), spectrum_value(1, flux=padded, sampling="NARROWBAND")]
    assert all(compare(codec, [*values, *values, *values], spectrum_value(0)))
    dispersed, bands = (item.item for value in values if isinstance(item := decoded(codec, value), Accepted))
    assert isinstance(dispersed, Spectrum)
    assert dispersed.quality is not None
    assert np.array_equal(dispersed.quality != 0, padded == 0)
    assert isinstance(bands, Spectrum)
    assert bands.quality is None or not bands.quality.any()


def decoded(codec: Codec, value: bytes) -> Decoded:
    return MessageDecoder(codec).decode(messages_of([value])[0])


def test_ordinary_variety_is_plain(codec: Codec, spectrum_value: Callable[..., bytes]) -> None:
    """Null or not, one axis or another, inline or a grid, and every frame that is known."""
    variety = [
        {},
        {"ra_deg": None, "dec_deg": None},
        {"grid": None, "wavelength": np.linspace(4000.0, 5000.0, 100)},
        {"specsys": "TOPOCENT", "helio_correction_km_s": -7.5, "medium": "AIR"},
        {"object_id": None, "fibre_use": "SKY", "quality": np.zeros(100, np.int32)},
        {"sampling": "NARROWBAND"},
        {"target_bits": 2**50, "fibre_id": 1_000, "provenance": ["a", "b"], "survey": "boss"},
    ]
    values = [spectrum_value(row, **changes) for row, changes in enumerate(variety)]
    assert all(compare(codec, values, values[0]))


def test_nothing_is_plain_before_its_framing_was_met(codec: Codec, spectrum_value: Callable[..., bytes]) -> None:
    """The first message of a framing shows that its schema is ours."""
    messages = messages_of(spectrum_value(row) for row in range(8))
    decoder = MessageDecoder(codec)
    assert decoder.decode_plain(messages) == [None] * 8
    decoder.decode(messages[0])
    assert all(decoder.decode_plain(messages))


def test_what_is_remembered_is_bounded(codec: Codec, spectrum_value: Callable[..., bytes], monkeypatch: Any) -> None:
    """A survey with a frame of its own for each spectrum costs checks, not memory, and is read all the same."""
    monkeypatch.setattr("stream.decode.plain.MAX_REMEMBERED", 3)
    values = [spectrum_value(row, specsys="TOPOCENT", helio_correction_km_s=row / 8) for row in range(16)]
    assert all(compare(codec, values, values[0]))
