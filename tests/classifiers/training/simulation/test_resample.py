"""Resampling to instruments' pixels: errors where the axis has windows."""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.resample import (
    HRS_ARM_PIXELS,
    Resampling,
    high_resolution_wavelength,
    low_resolution_wavelength,
)


def test_pixels_at_the_ends_of_windows_are_as_wide_as_those_beside_them() -> None:
    """A pixel that reached over the gap would have a tenth of the error, and all weight."""
    factor = Resampling.to_air(high_resolution_wavelength()).error_factor
    for end in (HRS_ARM_PIXELS, 2 * HRS_ARM_PIXELS):
        for place, beside in ((end - 1, end - 2), (end, end + 1)):
            assert abs(factor[place] / factor[beside] - 1.0) < 0.02


def test_without_windows_errors_grow_as_pixels_shrink() -> None:
    wavelength = low_resolution_wavelength()
    factor = Resampling.to_air(wavelength).error_factor
    assert (factor > 1.5).all()
    np.testing.assert_allclose(factor[-1] / factor[0], np.sqrt(wavelength[-1] / wavelength[0]), rtol=0.05)
