"""Stamps of any survey and size to normalised (3, 63, 63) arrays with masks, vectorised over the batch.

Each image is normalised alone: x = asinh((I - sky) / noise), the stretch of Lupton, Gunn & Szalay (1999, AJ 118, 1406,
eq. 3) with the image's own noise as softening, so that noise stays linear and a saturated star stays finite. Sky is
the median; noise is the smaller of the distances from the median to the 15.87 % and the 84.13 % quantile, each of
which is one sigma of a Gaussian: sources raise only the upper one, subtraction residuals of one sign only one of them.

Every row depends on its own item alone, bit for bit, whatever the batch. Stamps are cropped or padded in the middle,
never resampled: pixel scales differ between surveys, and resampling would correlate the noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Stamps
from classifiers.quality import Quality

SIDE = 63
"""Side of a prepared stamp [pixel]: ZTF's."""
N_STAMPS = 3
LOWER_QUANTILE, UPPER_QUANTILE = 0.15865525393145707, 0.8413447460685429
"""Cumulative probability of a Gaussian at minus and plus one sigma."""
MAX_SIGNIFICANCE = 1e6
"""Pixels beyond this many sigma are set to it; asinh of it is 14.5."""
ROUNDING = np.float32(1e-6)
"""An image whose values differ by no more than this fraction of the largest is constant; float32 holds 6e-8."""
PEAK_HALF_WIDTH = 7
"""The peak of the difference image is sought within this many pixels of the middle, where the alert is."""


@dataclass(frozen=True, slots=True)
class PreparedStamps:
    """A batch of n alerts as an image engine reads it.

    Attributes:
        stamps: (n, 3, 63, 63) float32, science, template, difference; asinh of sigmas above sky [1], 0 where masked.
        mask: (n, 3, 63, 63) float32, 1 = valid.
        snr: (n,) float64, largest deviation from the sky, of either sign, within 7 pixels of the middle of the
            difference image, over its noise [1]; 0 where it has no valid pixel there.
        coverage: (n,) float64, fraction of the 3 x 63 x 63 pixels with valid data [0..1].
        blank: (n,) bool, the difference image holds no measurement: no valid pixel, or one value to within rounding,
            which no image with noise has.
        quality_flags: (n,) int64, the items' flags and what was found here (``classifiers.quality.Quality``).
    """

    stamps: NDArray[np.float32]
    mask: NDArray[np.float32]
    snr: NDArray[np.float64]
    coverage: NDArray[np.float64]
    blank: NDArray[np.bool_]
    quality_flags: NDArray[np.int64]


def prepare_stamps(items: Sequence[Stamps]) -> PreparedStamps:
    """Prepare n >= 1 alerts.

    Args:
        items: stamps as decoded; None or NaN where there is no data.

    Returns:
        Arrays of n rows. Flags added: CUTOUT_MISSING for an image that is None or has no finite pixel, CUTOUT_RESIZED
        for one that is larger than 63 pixels and was cropped.
    """
    n = len(items)
    images = np.full((n, N_STAMPS, SIDE, SIDE), np.nan, dtype=np.float32)
    flags = np.empty(n, dtype=np.int64)
    for row, item in enumerate(items):
        flags[row] = item.flags
        for channel, image in enumerate((item.science, item.template, item.difference)):
            if image is not None and _place(images[row, channel], image):
                flags[row] |= Quality.CUTOUT_RESIZED
    pixels = images.reshape(n * N_STAMPS, SIDE * SIDE)
    valid = np.isfinite(pixels)
    count = valid.sum(axis=1)
    flags[(count == 0).reshape(n, N_STAMPS).any(axis=1)] |= int(Quality.CUTOUT_MISSING)
    ranked = np.where(valid, pixels, np.float32(np.inf))
    ranked.sort(axis=1)
    last = np.maximum(count - 1, 0)
    blank = (_constant(ranked, last) | (count == 0)).reshape(n, N_STAMPS)[:, 2]
    sky, noise = _sky_and_noise(pixels, valid, ranked, last)
    with np.errstate(over="ignore", invalid="ignore"):
        pixels -= sky[:, None]
        pixels /= noise[:, None]
    np.clip(pixels, -MAX_SIGNIFICANCE, MAX_SIGNIFICANCE, out=pixels)
    pixels[~valid] = 0.0
    middle = slice(SIDE // 2 - PEAK_HALF_WIDTH, SIDE // 2 + PEAK_HALF_WIDTH + 1)
    snr = np.abs(images[:, 2, middle, middle]).max(axis=(1, 2)).astype(np.float64)
    np.arcsinh(pixels, out=pixels)
    return PreparedStamps(
        stamps=images,
        mask=valid.reshape(images.shape).astype(np.float32),
        snr=snr,
        coverage=count.reshape(n, N_STAMPS).sum(axis=1) / (N_STAMPS * SIDE * SIDE),
        blank=blank,
        quality_flags=flags,
    )


def _place(target: NDArray[np.float32], image: NDArray[np.float32]) -> bool:
    """Copy the middle of ``image`` into the middle of ``target``; return True when something was cut off.

    Pixel n // 2 of n goes to SIDE // 2, cropped or padded, even or odd: the alert is there.
    """
    height, width = int(image.shape[0]), int(image.shape[1])
    cut_rows, cut_columns = max(height - SIDE + 1, 0) // 2, max(width - SIDE + 1, 0) // 2
    source = image[cut_rows : cut_rows + SIDE, cut_columns : cut_columns + SIDE]
    row, column = max(SIDE - height, 0) // 2, max(SIDE - width, 0) // 2
    target[row : row + source.shape[0], column : column + source.shape[1]] = source
    return height > SIDE or width > SIDE


def _constant(ranked: NDArray[np.float32], last: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where the first ``last + 1`` values of ascending rows differ by no more than rounding, (m,) bool."""
    lowest, highest = ranked[:, 0], ranked[np.arange(len(ranked)), last]
    with np.errstate(over="ignore", invalid="ignore"):  # inf in a row without valid pixels or of extreme range
        spread = highest - lowest
        return np.asarray(spread <= ROUNDING * np.maximum(np.abs(lowest), np.abs(highest)), dtype=np.bool_)


def _sky_and_noise(
    pixels: NDArray[np.float32], valid: NDArray[np.bool_], ranked: NDArray[np.float32], last: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return sky and noise of each image.

    Args:
        pixels: (m, pixel) float32.
        valid: (m, pixel) bool.
        ranked: (m, pixel) float32, valid pixels in ascending order, then inf.
        last: (m,) int, index of the last valid pixel in ``ranked``; 0 without one.

    Returns:
        Sky (m,) float32, 0 without valid pixels; noise (m,) float32, always positive and finite: where more than two
        thirds of the pixels are equal, the root mean square about the sky, and 1 for a constant image.
    """
    empty = ~valid.any(axis=1)
    sky = _quantile(ranked, last, 0.5)
    with np.errstate(over="ignore", invalid="ignore"):
        noise = np.minimum(sky - _quantile(ranked, last, LOWER_QUANTILE), _quantile(ranked, last, UPPER_QUANTILE) - sky)
    sky[empty] = 0.0
    noise[empty] = 1.0
    for row in np.flatnonzero(~(np.isfinite(noise) & (noise > 0))):
        deviation = pixels[row, valid[row]].astype(np.float64) - sky[row]
        spread = float(np.sqrt(np.mean(deviation * deviation)))
        noise[row] = min(spread, float(np.finfo(np.float32).max)) if spread > np.finfo(np.float32).tiny else 1.0
    return sky.astype(np.float32), noise.astype(np.float32)


def _quantile(ranked: NDArray[np.float32], last: NDArray[np.int64], probability: float) -> NDArray[np.float64]:
    """Return the quantile of each row's first ``last + 1`` values, linear between order statistics, (m,) float64."""
    position = last * probability
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, last)
    rows = np.arange(ranked.shape[0])
    at_low: NDArray[np.float64] = ranked[rows, low].astype(np.float64)
    at_high: NDArray[np.float64] = ranked[rows, high].astype(np.float64)
    fraction: NDArray[np.float64] = position - low
    with np.errstate(invalid="ignore"):  # inf - inf in a row without valid pixels, which the caller replaces
        quantile: NDArray[np.float64] = at_low + (at_high - at_low) * fraction
    return quantile
