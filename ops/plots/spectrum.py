"""One picture per spectrum: flux, smoothed line, error, lines at the found redshift, classes, and what is strange."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.preprocess.axis import axis_key, pixel_edges
from classifiers.quality import Quality
from ops.listing.columns import found_in
from ops.plots.expected_lines import observed_lines
from ops.plots.labels import decade, flux_label, label_rows, plain_number, wrapped
from ops.plots.smoothing import Smoothed, flux_range, jumps, kernel_sigma, smoothed
from stream.errors import ConfigurationError

INK, FLUX, SMOOTH, LINE, ALARM, BAR = "#1b1f24", "#b8c0cc", "#1f5fa8", "#6b7480", "#c8442b", "#7fa6d1"
ERROR = "#c98a2b"
REMARKABLE_P = 0.01  # an anomaly at least this rare is drawn in the colour of alarm
CHARACTER = 0.0072  # width of a label's character as a fraction of the flux axis
ROW_POINTS = 11.0
EXPECTED_CHI2 = 9.0  # of a bin: the least that the scale of contributions ends at, so that noise looks like noise
BESIDE = "beside these, which sum to 1:"
NAME_LENGTH, DIGEST_LENGTH = 120, 8
_DOTS_PER_INCH = 110


@dataclass(frozen=True, slots=True)
class Contributions:
    """What the n bins of the anomaly detector's grid add to a spectrum's score.

    Attributes:
        wavelength_angstrom: (n,) float64, vacuum.
        chi2: (n,) float64 >= 0, about 1 where the spectrum is as expected; NaN where nothing was seen.
    """

    wavelength_angstrom: NDArray[np.float64]
    chi2: NDArray[np.float64]


def verdict_line(l2: Mapping[str, Any]) -> str:
    """Return the verdict in one line for a picture's title; p is the one that the flag of unknowns is decided by."""
    parts = []
    if l2["top_class"] is not None:
        parts.append(f"{l2['top_class']}  P = {l2['class_probabilities'][l2['top_class']]:.2f}")
    if l2["redshift"] is not None:
        error = f" ± {l2['redshift_error']:.5f}" if l2["redshift_error"] is not None else ""
        parts.append(f"z = {l2['redshift']:.5f}{error}" + (f"  zwarn {l2['zwarn']}" if l2["zwarn"] else ""))
    velocity = l2.get("radial_velocity_km_s")
    if velocity is not None:
        error_km_s = l2.get("radial_velocity_error_km_s")
        error = f" ± {plain_number(error_km_s)}" if error_km_s is not None else ""
        parts.append(f"v = {plain_number(velocity)}{error} km/s")
    if l2["snr"] is not None:
        parts.append(f"S/N {plain_number(l2['snr'])}")
    if l2.get("unknown_p_value") is not None:
        parts.append(f"p = {l2['unknown_p_value']:.2g}")
    if l2["unknown"]:
        other = f" ({l2['other_type']})" if l2["unknown_reason"] == "OTHER_KNOWN" and l2["other_type"] else ""
        parts.append(f"unknown: {l2['unknown_reason']}{other}")
    for bit in found_in(l2):
        second = bit is Quality.SECOND_REDSHIFT and l2["redshift_alternatives"]
        parts.append(f"second z = {second[0]['redshift']:.4f}" if second else "broad absorption")
    return "   ".join(parts)


def load_matplotlib(option: str = "--plot") -> Any:
    """Return matplotlib's Figure class; ``option`` is what asks for pictures.

    Raises:
        ConfigurationError: the extra ``plot`` is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigurationError(
            f"{option}: expected matplotlib, not found: in specstream's checkout pip install '.[plot]'"
        ) from error
    return Figure


def inverse_variance_of(spectrum: Spectrum) -> NDArray[np.float64]:
    """Return the inverse variance of each pixel: (n,) float64 [flux_unit^-2], 0 where masked or not finite."""
    raw = spectrum.uncertainty.astype(np.float64)
    usable = np.isfinite(raw) & (raw > 0) & np.isfinite(spectrum.flux)
    if spectrum.quality is not None:
        usable &= spectrum.quality == 0
    power = {"IVAR": 1, "VARIANCE": -1, "SIGMA": -2}[spectrum.uncertainty_kind]
    result = np.zeros(raw.size)
    result[usable] = raw[usable] ** power
    return result


def draw_spectrum(item: Spectrum, l2: Mapping[str, Any], title: str, contributions: Contributions | None = None) -> Any:
    """Draw one classified spectrum in vacuum wavelengths and its own flux unit; masked pixels are not drawn.

    Args:
        item: the spectrum as it came.
        l2: its L2 record.
        title: name of the spectrum.
        contributions: what each bin adds to its anomaly score, drawn below the flux; None leaves them out.

    Returns:
        A matplotlib Figure.
    """
    wavelength = pixel_edges(axis_key(item)).centres_angstrom
    figure = load_matplotlib()(figsize=(13, 5.6), layout="constrained")
    if contributions is None:
        spectrum, bars = figure.subplots(1, 2, width_ratios=(4.2, 1))
        lowest = spectrum
    else:
        rooms = [["flux", "bars"], ["strange", "bars"]]
        panels = figure.subplot_mosaic(rooms, width_ratios=(4.2, 1), height_ratios=(5, 1))
        spectrum, bars, lowest = panels["flux"], panels["bars"], panels["strange"]
        _draw_contributions(lowest, contributions)
        lowest.sharex(spectrum)
        spectrum.tick_params(labelbottom=False)
    drawn = _draw_flux(spectrum, wavelength, item, l2["snr"])
    rows = _draw_lines(spectrum, wavelength, l2, drawn)
    _draw_anomaly(spectrum, wavelength, l2)
    spectrum.set_xlim(wavelength[0], wavelength[-1])
    lowest.set_xlabel("vacuum wavelength [Å]")
    spectrum.set_title(
        f"{wrapped(title)}\n{wrapped(verdict_line(l2))}",
        loc="left",
        fontsize=10,
        color=ALARM if l2["unknown"] else INK,
        pad=8.0 + ROW_POINTS * rows,
    )
    _draw_bars(bars, l2)
    handles, labels = spectrum.get_legend_handles_labels()
    above = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.2}
    bars.legend(handles, labels, **above, ncols=3, fontsize=8, frameon=False, columnspacing=1.2, handlelength=1.4)
    for axes in {spectrum, bars, lowest}:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_flux(axes: Any, wavelength: NDArray[np.float64], item: Spectrum, snr: float | None) -> Smoothed:
    """Draw the flux, its error and the smoothed line, none across a gap; return the line."""
    inverse_variance = inverse_variance_of(item)
    good = inverse_variance > 0
    values = np.where(good, item.flux, 0).astype(np.float64)
    starts = jumps(wavelength)
    line = smoothed(values, inverse_variance, kernel_sigma(values.size, snr), starts)
    shown = flux_range(line)
    exponent = decade(max(map(abs, shown))) if shown else 0
    scale = 10.0**-exponent
    sigma = np.full(values.size, np.nan)
    sigma[good] = inverse_variance[good] ** -0.5
    places = np.insert(wavelength, starts, wavelength[starts])

    def curve(y: NDArray[np.float64], **style: Any) -> None:
        axes.plot(places, np.insert(y * scale, starts, np.nan), **style)

    curve(np.where(good, values, np.nan), color=FLUX, lw=0.5, rasterized=True, label="flux")
    curve(sigma, color=ERROR, lw=0.5, alpha=0.6, rasterized=True, label="1σ error")
    curve(line.flux, color=SMOOTH, lw=1.1, label="smoothed")
    if shown:
        low, high = (scale * value for value in shown)
        margin = 0.08 * max(high - low, 1e-30)
        axes.set_ylim(low - margin, high + margin)
        if low < 0:
            axes.axhline(0.0, color=LINE, lw=0.4, zorder=0)
    axes.set_ylabel(flux_label(item.flux_unit, exponent))
    return line


def _on_data(wavelength: NDArray[np.float64], line: Smoothed, place: float) -> bool:
    """Return whether the smoothed line is drawn at a wavelength: both pixels around it have it, and no gap is there."""
    after = int(np.searchsorted(wavelength, place))
    if not 0 < after < wavelength.size:
        return False
    return after not in jumps(wavelength) and bool(np.isfinite(line.flux[after - 1 : after + 1]).all())


def _draw_lines(axes: Any, wavelength: NDArray[np.float64], l2: Mapping[str, Any], drawn: Smoothed) -> int:
    """Draw the expected lines that fall on data, names above the frame; return how many rows the names take."""
    low, high = wavelength[0], wavelength[-1]
    places = [(name, observed) for name, observed in observed_lines(l2) if _on_data(wavelength, drawn, observed)]
    rows = label_rows(places, high - low, CHARACTER)
    for (name, observed), row in zip(places, rows, strict=True):
        axes.axvline(observed, color=LINE, lw=0.7, ls=":", zorder=0)
        axes.annotate(
            name,
            (observed, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2 + ROW_POINTS * row),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
            color=LINE,
        )
    return max(rows, default=-1) + 1


def _draw_anomaly(axes: Any, wavelength: NDArray[np.float64], l2: Mapping[str, Any]) -> None:
    """Point from below at where the spectrum differs most from its reconstruction."""
    place, p_value = l2["anomaly_wavelength_angstrom"], l2["anomaly_p_value"]
    if place is None or not wavelength[0] <= place <= wavelength[-1]:
        return
    colour = ALARM if p_value is not None and p_value <= REMARKABLE_P else LINE
    left = place < wavelength.mean()
    axes.plot([place], [0.03], transform=axes.get_xaxis_transform(), marker="^", ms=7, color=colour, clip_on=False)
    axes.annotate(
        f"largest anomaly {place:.0f} Å" + (f"  (p(VAE) = {p_value:.2g})" if p_value is not None else ""),
        (place, 0.03),
        xycoords=("data", "axes fraction"),
        xytext=(7 if left else -7, 0),
        textcoords="offset points",
        ha="left" if left else "right",
        va="center",
        color=colour,
        fontsize=8,
    ).set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.75})


def _draw_contributions(axes: Any, found: Contributions) -> None:
    """Draw the chi-square of each bin against what the anomaly detector expects."""
    axes.fill_between(found.wavelength_angstrom, np.nan_to_num(found.chi2), step="mid", color=ALARM, lw=0, alpha=0.75)
    axes.set_ylim(0, max(float(np.nanmax(found.chi2)), EXPECTED_CHI2))
    axes.axhline(1.0, color=LINE, lw=0.4, zorder=0)
    axes.set_ylabel("anomaly χ²", fontsize=8)


def _draw_bars(axes: Any, l2: Mapping[str, Any]) -> None:
    probabilities: Mapping[str, float] = l2["class_probabilities"]
    names = list(probabilities)
    values = [probabilities[name] for name in names]
    colours = [SMOOTH if name == l2["top_class"] else BAR for name in names]
    positions = [float(len(names) - 1 - place) for place in range(len(names))]
    if l2["p_other"] is not None:
        positions.append(-2.0)
        names.append(f"other: {l2['other_type']}" if l2["other_type"] else "other")
        values.append(l2["p_other"])
        colours.append(ALARM)
        axes.axhline(-0.65, color=LINE, lw=0.6)
        axes.text(0.02, -1.15, BESIDE, fontsize=7, color=LINE, va="center")
    axes.barh(positions, values, color=colours, height=0.72)
    axes.set_yticks(positions, names, fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
    axes.set_xlabel("probability")
    axes.tick_params(axis="y", length=0)


def file_name(l1_id: str) -> str:
    """Return a safe PNG file name for a spectrum; what had to be changed is told apart by a digest."""
    safe = re.sub(r"[^A-Za-z0-9._+-]+", "_", l1_id).strip("_.")[:NAME_LENGTH]
    if not safe or re.sub(r"[:/ ]", "_", l1_id) != safe:
        safe = f"{safe}-{hashlib.sha256(l1_id.encode()).hexdigest()[:DIGEST_LENGTH]}".lstrip("-")
    return f"{safe}.png"


def save(figure: Any, path: Path) -> None:
    """Write a figure as PNG."""
    path.write_bytes(png(figure))


def png(figure: Any) -> bytes:
    """Return a figure as PNG, drawn once: ``savefig`` lays it out in a drawing of its own before."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(_DOTS_PER_INCH)
    buffer = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
