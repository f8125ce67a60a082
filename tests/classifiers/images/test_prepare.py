from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from classifiers.images.prepare import SIDE, PreparedStamps, prepare_stamps
from classifiers.items import Stamps
from classifiers.quality import Quality
from classifiers.training.stamps.simulate import simulate_stamps


def alert(*images: np.ndarray | None, flags: int = 0) -> Stamps:
    science, template, difference = images
    return Stamps(science=science, template=template, difference=difference, survey="TEST", flags=flags)


def slow_reference(image: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return one prepared image and its mask, pixel by pixel, in double precision."""
    out, mask = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    if image is None:
        return out, mask
    cropped: dict[tuple[int, int], float] = {}
    height, width = image.shape
    for row in range(height):
        for column in range(width):
            at_row, at_column = row - height // 2 + SIDE // 2, column - width // 2 + SIDE // 2
            if 0 <= at_row < SIDE and 0 <= at_column < SIDE and math.isfinite(image[row, column]):
                cropped[at_row, at_column] = float(image[row, column])
    if not cropped:
        return out, mask
    values = np.array(sorted(cropped.values()))
    low, sky, high = np.quantile(values, [0.15865525393145707, 0.5, 0.8413447460685429])
    noise = min(sky - low, high - sky)
    if noise <= 0:
        noise = math.sqrt(np.mean((values - sky) ** 2)) or 1.0
    for place, value in cropped.items():
        out[place] = math.asinh(max(-1e6, min(1e6, (value - sky) / noise)))
        mask[place] = 1
    return out, mask


@pytest.fixture(scope="module")
def simulated() -> list[Stamps]:
    items = simulate_stamps(24, np.random.default_rng(2)).items()
    odd = np.random.default_rng(3).normal(1000, 7, (81, 30)).astype(np.float32)
    even = np.random.default_rng(4).normal(1000, 7, (64, 90)).astype(np.float32)
    constant = np.full((61, 61), 3.0, np.float32)
    spiky = np.where(np.arange(3969).reshape(63, 63) % 17 == 0, np.float32(5), np.float32(0))
    return [*items, alert(odd, even, odd[::-1].copy()), alert(constant, constant, constant), alert(None, spiky, spiky)]


def test_fast_preparation_agrees_with_the_slow_reference(simulated: list[Stamps]) -> None:
    prepared = prepare_stamps(simulated)
    for row, item in enumerate(simulated):
        for channel, image in enumerate((item.science, item.template, item.difference)):
            expected, mask = slow_reference(image)
            assert np.array_equal(prepared.mask[row, channel], mask)
            assert np.allclose(prepared.stamps[row, channel], expected, rtol=2e-5, atol=2e-4), (row, channel)


@pytest.mark.parametrize("side", [30, 31, 62, 63, 64, 65, 80, 100, 101])
def test_the_middle_pixel_lies_in_the_middle_whatever_the_size(side: int) -> None:
    """Cropped or padded, even or odd: pixel n // 2 goes to 31, in rows and in columns alike."""
    image = np.random.default_rng(side).normal(0, 1, (side, side + 1)).astype(np.float32)
    image[side // 2, (side + 1) // 2] = 1e4
    stamp = prepare_stamps([alert(image, None, None)]).stamps[0, 0]
    assert np.unravel_index(stamp.argmax(), stamp.shape) == (SIDE // 2, SIDE // 2)


def same_rows(one: PreparedStamps, rows: list[int], other: PreparedStamps) -> bool:
    names = ("stamps", "mask", "snr", "coverage", "blank", "quality_flags")
    return all(getattr(one, name)[rows].tobytes() == getattr(other, name).tobytes() for name in names)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_row_is_the_same_bits_whatever_its_batch(simulated: list[Stamps], data: st.DataObject) -> None:
    everything = prepare_stamps(simulated)
    rows = data.draw(st.lists(st.integers(0, len(simulated) - 1), min_size=1, max_size=12))
    assert same_rows(everything, rows, prepare_stamps([simulated[row] for row in rows]))


@settings(max_examples=80, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 90), st.integers(1, 90)),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
        fill=st.floats(-100, 100, width=32),
    )
)
def test_any_image_gives_finite_bounded_arrays(image: np.ndarray) -> None:
    prepared = prepare_stamps([alert(image, None, image)])
    assert np.isfinite(prepared.stamps).all()
    assert np.abs(prepared.stamps).max() <= np.float32(math.asinh(1e6)) * 1.0001
    assert set(np.unique(prepared.mask)) <= {0.0, 1.0}
    assert (prepared.stamps[prepared.mask == 0] == 0).all()
    assert 0 <= prepared.coverage[0] <= 2 / 3 + 1e-12
    assert np.isfinite(prepared.snr[0])
    assert prepared.quality_flags[0] & Quality.CUTOUT_MISSING


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 100), st.floats(-1000, 1000))
def test_flux_scale_and_sky_level_do_not_matter(scale: float, sky: float) -> None:
    image = np.random.default_rng(5).normal(0, 1, (63, 63)).astype(np.float32)
    image[31, 31] = 40
    changed = (np.float64(scale) * image + sky).astype(np.float32)
    one, other = prepare_stamps([alert(image, image, image)]), prepare_stamps([alert(changed, changed, changed)])
    assert np.allclose(one.stamps, other.stamps, atol=2e-2 * max(1.0, abs(sky) / scale / 1e3))


def test_the_noise_of_a_blank_image_is_one_sigma() -> None:
    image = np.random.default_rng(7).normal(50, 3, (63, 63)).astype(np.float32)
    prepared = prepare_stamps([alert(image, image, image)])
    assert np.sinh(prepared.stamps[0, 0].astype(np.float64)).std() == pytest.approx(1, abs=0.03)


def test_sources_hardly_raise_the_noise() -> None:
    image = np.random.default_rng(8).normal(0, 1, (63, 63)).astype(np.float32)
    image[:12] += 500
    blank = prepare_stamps([alert(None, None, image[12:])]).stamps
    crowded = prepare_stamps([alert(None, None, image)]).stamps
    assert np.sinh(crowded[0, 2, 20:]).std() == pytest.approx(np.sinh(blank[0, 2, 20:50]).std(), rel=0.35)


def test_snr_is_the_peak_of_either_sign_in_the_middle_of_the_difference() -> None:
    image = np.random.default_rng(9).normal(0, 2, (63, 63)).astype(np.float32)
    image[31, 30] = -100
    image[5, 5] = 1000  # not the alert
    prepared = prepare_stamps([alert(None, None, image)])
    assert prepared.snr[0] == pytest.approx(50, rel=0.1)


@pytest.mark.parametrize(
    ("shape", "flag"),
    [
        ((63, 63), Quality(0)),
        ((61, 61), Quality(0)),
        ((81, 81), Quality.CUTOUT_RESIZED),
        ((64, 63), Quality.CUTOUT_RESIZED),
    ],
)
def test_only_what_was_cropped_is_flagged_as_resized(shape: tuple[int, int], flag: Quality) -> None:
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    prepared = prepare_stamps([alert(image, image, image)])
    assert prepared.quality_flags[0] == flag


def test_the_middle_pixel_stays_in_the_middle() -> None:
    for side in (31, 61, 63, 81, 101):
        image = np.random.default_rng(side).normal(size=(side, side)).astype(np.float32)
        image[side // 2, side // 2] = 1e4
        prepared = prepare_stamps([alert(image, image, image)])
        assert prepared.stamps[0, 2].argmax() == 31 * SIDE + 31


def test_flags_of_decoding_are_kept() -> None:
    image = np.ones((63, 63), np.float32)
    prepared = prepare_stamps([alert(image, None, image, flags=int(Quality.NO_POSITION))])
    assert prepared.quality_flags[0] == Quality.NO_POSITION | Quality.CUTOUT_MISSING


def test_the_items_are_left_as_they_were() -> None:
    image = np.random.default_rng(4).normal(size=(63, 63)).astype(np.float32)
    image.flags.writeable = False
    before = image.copy()
    prepare_stamps([alert(image, image, image)])
    assert np.array_equal(image, before)


@pytest.mark.parametrize("value", [0.0, 7.25, -3e4, 3e38])
def test_a_difference_of_one_value_is_blank(value: float) -> None:
    constant = np.full((63, 63), value, np.float32)
    constant[3, 4] = np.nan
    noise = np.random.default_rng(1).normal(size=(63, 63)).astype(np.float32)
    single = np.full((63, 63), np.nan, np.float32)
    single[31, 31] = value
    prepared = prepare_stamps([alert(noise, noise, constant), alert(noise, noise, single), alert(noise, noise, None)])
    assert prepared.blank.all()
    assert (prepared.stamps[:, 2] == 0).all()


def test_a_measurement_is_not_blank_whatever_its_level_and_range() -> None:
    noise = np.random.default_rng(1).normal(30_000, 1, (63, 63)).astype(np.float32)
    wide = np.linspace(-3e38, 3e38, 63 * 63, dtype=np.float64).astype(np.float32).reshape(63, 63)
    constant = np.ones((63, 63), np.float32)
    prepared = prepare_stamps([alert(None, None, noise), alert(constant, constant, wide)])
    assert not prepared.blank.any()
