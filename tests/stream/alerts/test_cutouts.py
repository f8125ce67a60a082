from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from classifiers.quality import Quality
from stream.alerts import decode_alert
from stream.errors import Reason, Rejectable

Maker = Callable[..., dict[str, Any]]


def rejection(record: dict[str, Any], name: str = "ztf.alert") -> Rejectable:
    with pytest.raises(Rejectable) as caught:
        decode_alert(record, name)
    return caught.value


def test_three_intact_cutouts_are_stamps_without_a_flag(ztf_record: Maker) -> None:
    _, stamps = decode_alert(ztf_record(), "ztf.alert")
    assert stamps.flags == 0
    assert {image.shape for image in (stamps.science, stamps.template, stamps.difference) if image is not None} == {
        (63, 63)
    }


@pytest.mark.parametrize("value", [None, b""])
def test_without_a_difference_image_nothing_can_be_classified(ztf_record: Maker, value: bytes | None) -> None:
    error = rejection(ztf_record(cutoutDifference=value))
    assert error.reason is Reason.CUTOUT_MISSING
    assert error.field == "cutoutDifference"
    assert error.survey == "ZTF"


@pytest.mark.parametrize("name", ["cutoutScience", "cutoutTemplate"])
@pytest.mark.parametrize("value", [None, b"", np.full((63, 63), np.nan, np.float32)])
def test_science_or_template_may_be_missing_and_is_flagged(ztf_record: Maker, name: str, value: Any) -> None:
    _, stamps = decode_alert(ztf_record(**{name: value}), "ztf.alert")
    assert stamps.flags & Quality.CUTOUT_MISSING
    assert (stamps.science if name == "cutoutScience" else stamps.template) is None
    assert stamps.difference is not None


def test_a_difference_image_without_a_finite_pixel_is_a_dead_letter(ztf_record: Maker) -> None:
    error = rejection(ztf_record(cutoutDifference=np.full((63, 63), np.inf, np.float32)))
    assert error.reason is Reason.NO_VALID_PIXELS


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, np.finfo(np.float32).min])
def test_pixels_without_a_measurement_become_nan_and_are_flagged(ztf_record: Maker, bad: float) -> None:
    image = np.ones((63, 63), np.float32)
    image[3, 4] = bad
    _, stamps = decode_alert(ztf_record(cutoutDifference=image), "ztf.alert")
    assert stamps.flags == Quality.CUTOUT_NON_FINITE
    assert stamps.difference is not None
    assert np.isnan(stamps.difference[3, 4])
    assert np.isfinite(stamps.difference).sum() == 63 * 63 - 1


@pytest.mark.parametrize(
    ("value", "reason", "received"),
    [
        (gzip.compress(bytes(100 << 20), mtime=0), Reason.CUTOUT_TOO_LARGE, "4194304"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(2000), Reason.CUTOUT_INVALID, "JPEG"),
        (gzip.compress(b"\xff\xd8\xff\xe0", mtime=0), Reason.CUTOUT_INVALID, "JPEG"),
        (b"\x1f\x8b\x08" + bytes(40), Reason.CUTOUT_INVALID, ""),
        (b"no image", Reason.CUTOUT_INVALID, "no image"),
    ],
)
@pytest.mark.parametrize("name", ["cutoutScience", "cutoutDifference"])
def test_a_cutout_that_cannot_be_read_is_a_dead_letter_that_names_it(
    ztf_record: Maker, name: str, value: bytes, reason: Reason, received: str
) -> None:
    error = rejection(ztf_record(**{name: value}))
    assert error.reason is reason
    assert error.field == f"{name}.stampData"
    assert error.expected
    assert received in (error.received or "")


def test_a_wrong_checksum_is_a_dead_letter(ztf_record: Maker) -> None:
    record = ztf_record()
    value = bytearray(record["cutoutTemplate"]["stampData"])
    value[-6] ^= 1
    record["cutoutTemplate"]["stampData"] = bytes(value)
    error = rejection(record)
    assert error.reason is Reason.CUTOUT_INVALID
    assert "check" in (error.received or "")


def test_cutouts_may_be_plain_bytes_as_brokers_flatten_them(ztf_record: Maker) -> None:
    record = ztf_record()
    flat = {name: v["stampData"] if name.startswith("cutout") else v for name, v in record.items()}
    nested, flattened = decode_alert(record, "ztf.alert")[1], decode_alert(flat, "broker.enriched")[1]
    assert np.array_equal(nested.difference, flattened.difference)  # type: ignore[arg-type]


def test_text_in_place_of_bytes_is_refused(ztf_record: Maker) -> None:
    record = ztf_record()
    record["cutoutDifference"] = "bytes"
    assert rejection(record).reason is Reason.CUTOUT_INVALID


def test_an_image_that_a_chip_edge_has_cut_keeps_its_source_in_the_middle(ztf_record: Maker) -> None:
    full = np.arange(63 * 63, dtype=np.float32).reshape(63, 63)
    # The source is on column 20 and row 3070 of a chip of 3072 x 3080: 12 columns are lost on the left, 21 rows on top.
    cut = full[:42, 12:]
    record = ztf_record(xpos=20.0, ypos=3070.2)
    for name in ("cutoutScience", "cutoutTemplate", "cutoutDifference"):
        record[name] = ztf_record(cutoutDifference=cut)["cutoutDifference"]
    _, stamps = decode_alert(record, "ztf.alert")
    assert stamps.flags == Quality.CUTOUT_TRUNCATED
    assert stamps.difference is not None
    assert stamps.difference.shape == (63, 63)
    assert np.array_equal(stamps.difference[:42, 12:], cut)
    assert np.isnan(stamps.difference).sum() == 63 * 63 - cut.size


@pytest.mark.parametrize("position", [None, float("nan")])
def test_a_cut_image_of_unknown_place_is_put_in_the_middle(ztf_record: Maker, position: float | None) -> None:
    record = ztf_record(cutoutDifference=np.ones((61, 63), np.float32), xpos=position, ypos=position)
    _, stamps = decode_alert(record, "ztf.alert")
    assert stamps.difference is not None
    assert np.isfinite(stamps.difference).all(axis=1).tolist() == [False, *[True] * 61, False]


def test_a_larger_image_is_left_to_preprocessing(ztf_record: Maker) -> None:
    _, stamps = decode_alert(ztf_record(side=81), "ztf.alert")
    assert stamps.difference is not None
    assert stamps.difference.shape == (81, 81)
    assert stamps.flags == 0
