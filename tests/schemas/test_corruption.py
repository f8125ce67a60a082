"""Damaged messages are refused or decode; nothing else happens, whatever is cut off or flipped."""

import random
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.errors import SchemasError, Undecodable

CODEC = Codec(Catalogue.embedded())
REASONS = {
    "EMPTY_MESSAGE",
    "UNKNOWN_FRAMING",
    "UNKNOWN_SCHEMA",
    "INVALID_SCHEMA",
    "UNDECODABLE",
    "WRONG_SCHEMA",
    "INVALID_TEXT",
    "LENGTH_MISMATCH",
    "INVALID_VALUE",
    "MESSAGE_TOO_LARGE",
    "UNSUPPORTED",
}
SPECTRUM = CODEC.encode(
    "l1_spectrum",
    {
        "l1_id": "spectrum",
        "survey": "SDSS",
        "ra_deg": 10.0,
        "medium": "AIR",
        "specsys": "TOPOCENT",
        "wavelength": np.linspace(4000, 9000, 40),
        "flux": np.ones(40, "<f4"),
        "flux_unit": "1e-17 erg/s/cm2/Angstrom",
        "flux_calibration": "ABSOLUTE",
        "uncertainty": np.ones(40, "<f4"),
        "uncertainty_kind": "SIGMA",
        "magnitudes": [{"band": "r", "value": 18.2}, {"band": "g", "value": 18.9, "error": 0.1}],
    },
)


def decode_or_reason(value: bytes) -> str | None:
    """Return the reason why a message does not decode, None when it does; any other error escapes."""
    try:
        CODEC.decode(value)
    except Undecodable as error:
        return error.reason
    except SchemasError as error:
        return type(error).__name__
    return None


@pytest.fixture(scope="module")
def samples(alerts: Path, ztf_messages: dict[str, bytes]) -> list[bytes]:
    """Return one real message of each kind."""
    paths = ["lsst_wire_matrix/lsst.v11_1.avro", "lsst_wire_matrix/lsst.v7_4.avro", "boom/7912941781254298.avro"]
    paths += ["boom/alert.avro", "winter/3608694.avro", "pgir/114297926.avro"]
    ztf = [value for name, value in sorted(ztf_messages.items())][::30]
    return [SPECTRUM, *((alerts / path).read_bytes() for path in paths), *ztf]


def test_every_truncation_of_a_spectrum_is_refused() -> None:
    for length in range(len(SPECTRUM)):
        assert decode_or_reason(SPECTRUM[:length]) in REASONS


def test_truncations_of_real_messages_are_refused(samples: list[bytes]) -> None:
    chance = random.Random(1)
    for value in samples:
        for length in {*range(min(64, len(value))), *(chance.randrange(len(value)) for _ in range(60))}:
            assert decode_or_reason(value[:length]) in REASONS


def test_every_flipped_bit_of_a_spectrum_is_refused_or_decodes() -> None:
    refused = 0
    for index in range(len(SPECTRUM)):
        for bit in range(8):
            damaged = bytearray(SPECTRUM)
            damaged[index] ^= 1 << bit
            reason = decode_or_reason(bytes(damaged))
            assert reason is None or reason in REASONS
            refused += reason is not None
    assert refused > 0


@pytest.mark.slow
def test_flipped_bits_of_real_messages_are_refused_or_decode(samples: list[bytes]) -> None:
    chance = random.Random(2)
    for value in samples:
        for trial in range(250):
            damaged = bytearray(value)
            # Where a message says how to be read, in its first bytes, damage is the most dangerous.
            span = min(len(value), 600 if trial % 2 else len(value))
            for _ in range(chance.choice((1, 1, 3, 20))):
                damaged[chance.randrange(span)] ^= 1 << chance.randrange(8)
            reason = decode_or_reason(bytes(damaged))
            assert reason is None or reason in REASONS


def test_damage_takes_neither_memory_nor_time(samples: list[bytes]) -> None:
    chance = random.Random(3)
    largest = max(samples, key=len)
    tracemalloc.start()
    began = time.process_time()
    try:
        for _ in range(60):
            damaged = bytearray(largest)
            for _ in range(5):
                damaged[chance.randrange(400)] = chance.choice((0x00, 0xFF, 0x7F, 0xFE, chance.randrange(256)))
            decode_or_reason(bytes(damaged))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 64 * 1024 * 1024
    assert time.process_time() - began < 30


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x00\x00\x00\x04\x4d", b"\x00\x00\x00\x02\xc0", SPECTRUM[:10], b"Obj\x01"]),
)
def test_any_bytes_behind_any_framing_are_refused_or_decode(body: bytes, framing: bytes) -> None:
    reason = decode_or_reason(framing + body)
    assert reason is None or reason in REASONS


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_spliced_messages_are_refused_or_decode(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SPECTRUM)))
    end = data.draw(st.integers(0, len(SPECTRUM)))
    reason = decode_or_reason(SPECTRUM[:start] + data.draw(st.binary(max_size=12)) + SPECTRUM[end:])
    assert reason is None or reason in REASONS
