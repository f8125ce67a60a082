"""Noise, mask and edge statistics of the basis, from inverse variances of real spectra and exposure-time data.

Fluxes and class labels of the real spectra are not read: they are kept for evaluation.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.items import GridAxis
from classifiers.preprocess.axis import AxisKey
from classifiers.preprocess.overstated import measured_errors
from classifiers.training.simulation.grid import (
    LOG10_START,
    LOG10_STEP,
    PIXELS,
    Float64,
    native_log10,
    native_wavelength,
)

_EXPOSURE_S = 1200.0
_READ_VARIANCE = 6 * 2.5**2
"""Electrons squared in a pixel of a 4MOST spectrum: of six pixels across the trace of a fibre (an assumption)."""


def noise_arrays(files: Mapping[str, Any], labels: Path) -> dict[str, Any]:
    """Derive noise shapes by survey, coverage edges, sky emission and telluric transmission on the native grid.

    Args:
        files: opened archives by file name.
        labels: the table that names the survey of each real spectrum.

    Returns:
        Arrays of the basis by name.
    """
    with labels.open(newline="", encoding="utf-8") as lines:
        surveys = np.array([row["survey"] for row in csv.DictReader(lines)])
    axis = GridAxis("LOG10", LOG10_START, LOG10_STEP, PIXELS)
    key = AxisKey(axis, "VACUUM", 0, axis)
    stated = files["real_spectra.npz"]["ivar"].astype(np.float32)
    inverse_variance = np.array([measured_errors(row, "IVAR", key) for row in stated], np.float64)
    arrays: dict[str, Any] = {}
    for group, survey in (("sdss", "SDSS"), ("boss", "BOSS"), ("lamost", "LAMOST-DR1"), ("lamost2", "LAMOST")):
        arrays |= _noise_group(group, inverse_variance[surveys == survey])
    native = native_wavelength()
    etc, sky = files["fourmost_etc.npz"], files["sky_models.npz"]
    coadds = [name for name in files["desi_real.npz"].files if not name.startswith("z_")]
    sigma = [
        _on_native(files["desi_real.npz"][name][0], _log_sigma(files["desi_real.npz"][name][2])) for name in coadds
    ]
    desi = np.array(sigma)
    covered = np.isfinite(desi).any(axis=0)
    arrays["noise_desi_mean"] = np.full(PIXELS, 3.0)
    arrays["noise_desi_mean"][covered] = np.nanmedian(desi[:, covered], axis=0)
    dark, grey = _fourmost_log_sigma(etc, "dark"), _fourmost_log_sigma(etc, "grey")
    arrays["noise_4most_mean"] = 0.5 * (dark + grey)
    arrays["noise_4most_vectors"] = 0.5 * (grey - dark)[None, :]
    arrays["noise_4most_spread"] = np.ones(1)
    paranal = np.interp(native, *_binned(sky["paranal_wave"], sky["paranal_flux"], 10))
    arrays["sky"] = np.log1p(paranal / np.median(paranal))
    arrays["telluric"] = np.interp(native, etc["trans__wave"][4::8], _means(etc["trans__t"], 8))
    return arrays


def _noise_group(group: str, inverse_variance: Float64) -> dict[str, Any]:
    good = inverse_variance > 0
    first = np.argmax(good, axis=1)
    last = PIXELS - 1 - np.argmax(good[:, ::-1], axis=1)
    logs = np.array([_log_sigma(row) for row in inverse_variance])
    logs[~good] = np.nan
    covered = np.flatnonzero(good.any(axis=0))
    mean = np.interp(np.arange(PIXELS), covered, np.nanmedian(logs[:, covered], axis=0))
    departures = np.clip(np.where(good, logs - mean, 0.0), -2.0, 2.0)
    _, values, right = np.linalg.svd(departures, full_matrices=False)
    vectors = right[:4] * np.sqrt(PIXELS)
    return {
        f"noise_{group}_mean": mean,
        f"noise_{group}_vectors": vectors,
        f"noise_{group}_spread": values[:4] / np.sqrt(len(logs) * PIXELS),
        f"noise_{group}_edges": np.percentile([first, last], np.linspace(0, 100, 21), axis=1).T / PIXELS,
    }


def _log_sigma(inverse_variance: Float64) -> Float64:
    """Return ln(sigma / median sigma), NaN where masked."""
    with np.errstate(divide="ignore"):
        logs = np.where(inverse_variance > 0, -0.5 * np.log(inverse_variance), np.nan)
    return np.asarray(logs - np.nanmedian(logs))


def _on_native(wavelength: Float64, values: Float64) -> Float64:
    native = native_wavelength()
    good = np.isfinite(values)
    return np.interp(native, wavelength[good], values[good], left=np.nan, right=np.nan)


def _fourmost_log_sigma(etc: Any, moon: str) -> Float64:
    """Return ln(sigma / median sigma) of a faint source's flux density in the low-resolution arms, on the native grid.

    ``moon`` is "dark" or "grey", a sky of the exposure-time data.

    Photons that are counted in a time t from a flux density F are F lambda Q t, with the throughput Q, but for a
    constant, and their variance is sky t + read noise: an error of flux density is the root of that over lambda Q.
    """
    native = native_wavelength()
    inverse = np.zeros(PIXELS)
    for arm in ("BLUE", "GREEN", "RED"):
        wave = etc[f"efficiency_4most__{arm}__WAVE"].astype(np.float64)  # vacuum, as the lines of the sky there say
        throughput = np.maximum(etc[f"efficiency_4most__{arm}__MID"], 1e-4)
        sky = np.maximum(etc[f"sky_model_{moon}__{arm}__MID"], 0.0)
        width = np.gradient(wave)
        variance = (sky * _EXPOSURE_S + _READ_VARIANCE) / (throughput * wave * width) ** 2
        # a native pixel, whose width grows with the wavelength, averages over this many of the detector's
        averaged = wave / width
        inverse += np.interp(native, wave, averaged / variance, left=0.0, right=0.0)
    inside = (native > 3705) & (native < 9495) & (inverse > 0)
    logs = np.interp(native_log10(), native_log10()[inside], -0.5 * np.log(inverse[inside]))
    return np.asarray(logs - np.median(logs))


def _means(values: Float64, width: int) -> Float64:
    return np.asarray(values[: values.size // width * width].reshape(-1, width).mean(axis=1))


def _binned(wavelength: Float64, values: Float64, width: int) -> tuple[Float64, Float64]:
    return _means(wavelength, width), _means(values, width)
