"""One picture per spectrum: flux, smoothed line, expected lines at the found redshift, class bars, the anomaly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.preprocess.axis import axis_key, pixel_edges
from ops.plots.expected_lines import lines_of
from stream.errors import ConfigurationError

INK, FLUX, SMOOTH, LINE, ALARM, BAR = "#1b1f24", "#b8c0cc", "#1f5fa8", "#6b7480", "#c8442b", "#7fa6d1"
SMOOTHING_PIXELS = 400  # the smoothed line shows the spectrum at 1/400 of its length


def smoothed(flux: NDArray[np.float64], weight: NDArray[np.float64], half_width: int) -> NDArray[np.float64]:
    """Return the weighted running mean over 2 half_width + 1 pixels.

    Args:
        flux: (n,) any unit, finite.
        weight: (n,) >= 0; 0 leaves a pixel out.
        half_width: pixels on each side.

    Returns:
        (n,), NaN where no pixel in reach has weight.
    """
    sums = np.concatenate(([0.0], np.cumsum(flux * weight)))
    weights = np.concatenate(([0.0], np.cumsum(weight)))
    low = np.clip(np.arange(flux.size) - half_width, 0, flux.size)
    high = np.clip(np.arange(flux.size) + half_width + 1, 0, flux.size)
    total = weights[high] - weights[low]
    result = np.full(flux.size, np.nan)
    reached = total > 0
    result[reached] = (sums[high] - sums[low])[reached] / total[reached]
    return result


def verdict_line(l2: Mapping[str, Any]) -> str:
    """Return the verdict in one line for a picture's title."""
    parts = []
    if l2["top_class"] is not None:
        parts.append(f"{l2['top_class']}  P = {l2['class_probabilities'][l2['top_class']]:.2f}")
    if l2["redshift"] is not None:
        error = f" ± {l2['redshift_error']:.5f}" if l2["redshift_error"] is not None else ""
        parts.append(f"z = {l2['redshift']:.5f}{error}" + (f"  zwarn {l2['zwarn']}" if l2["zwarn"] else ""))
    if l2["snr"] is not None:
        parts.append(f"S/N {l2['snr']:.1f}")
    if l2["unknown"]:
        other = f" ({l2['other_type']})" if l2["unknown_reason"] == "OTHER_KNOWN" and l2["other_type"] else ""
        parts.append(f"unknown: {l2['unknown_reason']}{other}")
    return "   ".join(parts)


def load_matplotlib() -> Any:
    """Return matplotlib's Figure class.

    Raises:
        ConfigurationError: the extra ``plot`` is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigurationError("--plot: expected matplotlib, not found: pip install 'specstream[plot]'") from error
    return Figure


def inverse_variance_of(spectrum: Spectrum) -> NDArray[np.float64]:
    """Return the inverse variance of each pixel: (n,) float64 [flux_unit^-2], 0 where masked or not finite."""
    raw = spectrum.uncertainty.astype(np.float64)
    usable = np.isfinite(raw) & (raw > 0) & np.isfinite(spectrum.flux)
    if spectrum.good is not None:
        usable &= spectrum.good
    power = {"IVAR": 1, "VARIANCE": -1, "SIGMA": -2}[spectrum.uncertainty_kind]
    result = np.zeros(raw.size)
    result[usable] = raw[usable] ** power
    return result


def draw_spectrum(item: Spectrum, l2: Mapping[str, Any], title: str) -> Any:
    """Draw one classified spectrum in vacuum wavelengths and its own flux unit; masked pixels are not drawn.

    Args:
        item: the spectrum as it came.
        l2: its L2 record.
        title: name of the spectrum.

    Returns:
        A matplotlib Figure.
    """
    wavelength = pixel_edges(axis_key(item)).centres_angstrom
    flux = item.flux
    inverse_variance = inverse_variance_of(item)
    figure = load_matplotlib()(figsize=(13, 5.6), layout="constrained")
    spectrum, bars = figure.subplots(1, 2, width_ratios=(4.2, 1))
    good = inverse_variance > 0
    values = np.where(good, flux, 0).astype(np.float64)
    half_width = max(2, flux.size // SMOOTHING_PIXELS)
    line = smoothed(values, inverse_variance, half_width)
    spectrum.plot(wavelength, np.where(good, values, np.nan), color=FLUX, lw=0.5, rasterized=True)
    spectrum.plot(wavelength, line, color=SMOOTH, lw=1.2)
    shown = line[np.isfinite(line)]
    if shown.size:
        low, high = np.percentile(shown, (0.5, 99.7))
        peak = shown.max()
        high = peak if peak < high + 3 * (high - low) else high + 0.5 * (high - low)
        margin = 0.12 * max(high - low, 1e-30)
        spectrum.set_ylim(low - 1.5 * margin, high + 2.4 * margin)
    spectrum.set_xlim(wavelength[0], wavelength[-1])
    _draw_lines(spectrum, wavelength, l2)
    anomaly = l2["anomaly_wavelength_angstrom"]
    if anomaly is not None:
        spectrum.axvline(anomaly, color=ALARM, lw=1.1, ls=(0, (4, 3)), alpha=0.85)
        spectrum.annotate(
            f"largest anomaly {anomaly:.0f} Å  (p = {l2['anomaly_p_value']:.2g})",
            (anomaly, 0.015),
            xycoords=("data", "axes fraction"),
            xytext=(4 if anomaly < wavelength.mean() else -4, 0),
            textcoords="offset points",
            ha="left" if anomaly < wavelength.mean() else "right",
            color=ALARM,
            fontsize=8,
        )
    spectrum.set_xlabel("vacuum wavelength [Å]")
    spectrum.set_ylabel(f"flux [{item.flux_unit}]")
    spectrum.set_title(f"{title}\n{verdict_line(l2)}", loc="left", fontsize=10, color=ALARM if l2["unknown"] else INK)
    _draw_bars(bars, l2)
    for axes in (spectrum, bars):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_lines(axes: Any, wavelength: NDArray[np.float64], l2: Mapping[str, Any]) -> None:
    redshift = l2["redshift"] or 0.0
    last = -np.inf
    level = 0
    span = wavelength[-1] - wavelength[0]
    for name, rest in sorted(lines_of(l2["top_class"]), key=lambda item: item[1]):
        observed = rest * (1 + redshift)
        if not wavelength[0] < observed < wavelength[-1]:
            continue
        level = (level + 1) % 2 if observed - last < 0.035 * span else 0
        last = observed
        axes.axvline(observed, color=LINE, lw=0.7, ls=":", zorder=0)
        axes.annotate(
            name,
            (observed, 0.985 - 0.04 * level),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="top",
            fontsize=8,
            color=LINE,
            backgroundcolor="white",
        ).set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8})


def _draw_bars(axes: Any, l2: Mapping[str, Any]) -> None:
    probabilities: Mapping[str, float] = l2["class_probabilities"]
    names = list(probabilities)
    values = [probabilities[name] for name in names]
    colours = [SMOOTH if name == l2["top_class"] else BAR for name in names]
    if l2["p_other"] is not None:
        names.append(f"other{': ' + l2['other_type'] if l2['other_type'] else ''}")
        values.append(l2["p_other"])
        colours.append(ALARM)
    positions = np.arange(len(names))[::-1]
    axes.barh(positions, values, color=colours, height=0.72)
    axes.set_yticks(positions, names, fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_xlabel("probability")
    axes.tick_params(axis="y", length=0)


def file_name(l1_id: str) -> str:
    """Return a safe PNG file name for a spectrum."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", l1_id).strip("_.")[:120] + ".png"


def save(figure: Any, path: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=110)
