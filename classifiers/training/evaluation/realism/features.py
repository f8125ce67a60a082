"""What could tell a simulated spectrum from a real one: numbers of each prepared spectrum, by group.

Everything is read off what the engines read (``classifiers.preprocess``): flux F, normalised, and inverse variance W on
the common grid, 0 where masked. With s = 1 / sqrt(W), the second difference at lag k,

    D_k(i) = (F(i - k) - 2 F(i) + F(i + k)) / sqrt(s(i - k)^2 + 4 s(i)^2 + s(i + k)^2),

has a spread of 1 where the errors are right, noise is white and the spectrum is straight over 2 k bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import PreparedBatch, prepare

Float = NDArray[np.float64]

POWER_LAGS = (1, 2, 5)
POWER_BANDS_ANGSTROM = (3800.0, 4500.0, 5300.0, 6300.0, 7400.0, 8600.0)
"""Edges of the bands of noise power and of noise autocorrelation, vacuum."""
SHAPE_BANDS_ANGSTROM = (3800.0, 4100.0, 4450.0, 4850.0, 5300.0, 5800.0, 6400.0, 7000.0, 7700.0, 8400.0, 9000.0)
"""Edges of the bands of continuum colours, noise shape and VAE residuals, vacuum."""
OUTLIER_SIGMA = 5.0
_LEAST_BINS = 20
_EDGE = 10  # bins: where a spectrum ends is told no better


@dataclass(frozen=True, slots=True)
class Features:
    """Numbers of n spectra.

    Attributes:
        groups: name of a group to its (n, k) float64 columns; NaN where a band holds too little.
        snr: (n,) float64, median S/N on the common grid.
    """

    groups: Mapping[str, Float]
    snr: Float

    def columns(self, names: Sequence[str] = ()) -> Float:
        """Return the columns of some groups side by side, (n, k); of all groups where none is named."""
        return np.concatenate([self.groups[name] for name in names or self.groups], axis=1)

    def rows(self, chosen: NDArray[np.int64]) -> Features:
        """Return some of the spectra."""
        return Features({name: values[chosen] for name, values in self.groups.items()}, self.snr[chosen])


def measure(spectra: Sequence[Spectrum], anomaly: LoadedEngine | None = None) -> Features:
    """Return the features of n >= 1 spectra.

    Args:
        spectra: real or simulated.
        anomaly: engine of role ``anomaly``; without it there is no group "VAE residuals".
    """
    prepared = prepare(spectra, COMMON_GRID)
    groups = {
        "noise power": noise_power(prepared),
        "noise autocorrelation": autocorrelation(prepared),
        "noise shape": _noise_shape(prepared),
        "masks": _masks(prepared),
        "continuum colours": _colours(prepared),
    }
    if anomaly is not None:
        outputs = anomaly.engine.run({"flux": prepared.flux, "inverse_variance": prepared.inverse_variance})
        groups["VAE residuals"] = _residuals(outputs["contribution"], prepared)
    return Features(groups, prepared.snr)


def second_differences(prepared: PreparedBatch, lag: int) -> Float:
    """Return D_k of n spectra, (n, pixel) float64, NaN where a bin of the three is masked."""
    seen = prepared.inverse_variance > 0
    flux = np.where(seen, prepared.flux, np.nan).astype(np.float64)
    variance = np.where(seen, 1.0 / np.where(seen, prepared.inverse_variance, 1.0), np.nan).astype(np.float64)
    found = np.full(flux.shape, np.nan)
    low, middle, high = flux[:, : -2 * lag], flux[:, lag:-lag], flux[:, 2 * lag :]
    spread = variance[:, : -2 * lag] + 4.0 * variance[:, lag:-lag] + variance[:, 2 * lag :]
    found[:, lag:-lag] = (low - 2.0 * middle + high) / np.sqrt(spread)
    return found


def in_bands(values: Float, edges_angstrom: Sequence[float]) -> list[Float]:
    """Return the columns of (n, pixel) values in each band of the common grid."""
    at = np.searchsorted(COMMON_GRID.centres_angstrom, edges_angstrom)
    return [values[:, low:high] for low, high in pairwise(at)]


def robust_spread(values: Float) -> Float:
    """Return 1.4826 times the median absolute value of each row, (n,); NaN where fewer than 20 are finite."""
    enough = np.isfinite(values).sum(axis=1) >= _LEAST_BINS
    found = np.full(len(values), np.nan)
    if enough.any():
        found[enough] = 1.4826 * np.nanmedian(np.abs(values[enough]), axis=1)
    return found


def noise_power(prepared: PreparedBatch) -> Float:
    """Return ln of the spread of D_k by lag and band, and the share of outliers, (n, 16) float64."""
    columns: list[Float] = []
    for lag in POWER_LAGS:
        differences = second_differences(prepared, lag)
        columns += [robust_spread(part) for part in in_bands(differences, POWER_BANDS_ANGSTROM)]
        if lag == 1:
            count = np.maximum(np.isfinite(differences).sum(axis=1), 1)
            outliers = (np.abs(np.nan_to_num(differences)) > OUTLIER_SIGMA).sum(axis=1) / count
    with np.errstate(divide="ignore"):
        logs = np.log(np.stack(columns, axis=1))
    return np.column_stack([np.where(np.isfinite(logs), logs, np.nan), np.sqrt(outliers)])


def autocorrelation(prepared: PreparedBatch) -> Float:
    """Return ln ratios of the spread of D_1 to D_2 and D_2 to D_5 by band, (n, 10) float64: 0 for white noise."""
    spreads = [
        np.stack([robust_spread(p) for p in in_bands(second_differences(prepared, lag), POWER_BANDS_ANGSTROM)], axis=1)
        for lag in POWER_LAGS
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = [np.log(near / far) for near, far in pairwise(spreads)]
    found = np.concatenate(ratios, axis=1)
    return np.where(np.isfinite(found), found, np.nan)


def _noise_shape(prepared: PreparedBatch) -> Float:
    """Return ln of the median error in each band over that of the whole spectrum, (n, 10)."""
    seen = prepared.inverse_variance > 0
    with np.errstate(divide="ignore"):
        logs = np.where(seen, -0.5 * np.log(np.where(seen, prepared.inverse_variance, 1.0)), np.nan).astype(np.float64)
    return _band_medians(logs) - _row_median(logs)


def _colours(prepared: PreparedBatch) -> Float:
    """Return the median flux in each band over that of the whole spectrum's typical flux, arcsinh, (n, 10)."""
    flux = np.where(prepared.inverse_variance > 0, prepared.flux, np.nan).astype(np.float64)
    return np.asarray(np.arcsinh(_band_medians(flux)) - np.arcsinh(_row_median(flux)), dtype=np.float64)


def _masks(prepared: PreparedBatch) -> Float:
    """Return first and last bin seen, share masked in between, number and greatest length of masked runs, (n, 5)."""
    seen = prepared.inverse_variance > 0
    rows = []
    for row in seen:
        places = np.flatnonzero(row)
        if places.size == 0:
            rows.append((0.0, 0.0, 0.0, 0.0, 0.0))
            continue
        gaps = np.diff(places) - 1
        inside = places[-1] - places[0] + 1
        runs = np.count_nonzero(gaps)
        rows.append(
            (
                places[0] // _EDGE,
                places[-1] // _EDGE,
                gaps.sum() / inside,
                np.log1p(runs),
                np.log1p(gaps.max(initial=0)),
            )
        )
    return np.array(rows, dtype=np.float64)


def _residuals(contribution: NDArray[np.float32], prepared: PreparedBatch) -> Float:
    """Return ln of the mean contribution to the VAE's chi-square by band, relative to that of the grid, (n, 11)."""
    seen = prepared.inverse_variance > 0
    values = np.where(seen, contribution, np.nan).astype(np.float64) * seen.sum(axis=1, keepdims=True)
    columns = [_trimmed_mean(part) for part in in_bands(values, SHAPE_BANDS_ANGSTROM)]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.stack([*columns, np.nansum(contribution * seen, axis=1)], axis=1))
    return np.where(np.isfinite(logs), logs, np.nan)


def _trimmed_mean(values: Float) -> Float:
    count = np.isfinite(values).sum(axis=1)
    return np.where(count >= _LEAST_BINS, np.nansum(values, axis=1) / np.maximum(count, 1), np.nan)


def _band_medians(values: Float) -> Float:
    return np.stack([_row_median(part)[:, 0] for part in in_bands(values, SHAPE_BANDS_ANGSTROM)], axis=1)


def _row_median(values: Float) -> Float:
    enough = np.isfinite(values).sum(axis=1) >= _LEAST_BINS
    found = np.full((len(values), 1), np.nan)
    if enough.any():
        found[enough, 0] = np.nanmedian(values[enough], axis=1)
    return found
