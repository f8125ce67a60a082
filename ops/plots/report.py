"""Pictures of an evaluation report, drawn from its plain values: curves, confusion matrices, example spectra."""

from __future__ import annotations

from typing import Any

import numpy as np

from classifiers.training.evaluation.document import Curve, Example, Matrix, Plot
from ops.plots.spectrum import ALARM, ERROR, INK, LINE, load_matplotlib, png

COLOURS = ("#1f5fa8", "#c8442b", "#2f8f5b", "#8a5fb0", "#c98a2b", "#4aa3b8", "#6b7480", "#b0508a", "#7a8f2b")
_TICKS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
_DECADES = (0.001, 0.01, 0.1, 1)


def draw(item: Plot | Matrix | Example) -> bytes:
    """Return the picture of an item as PNG."""
    if isinstance(item, Matrix):
        figure = _matrix(item)
    elif isinstance(item, Example):
        figure = _example(item)
    else:
        figure = _plot(item)
    return png(figure)


def _plot(item: Plot) -> Any:
    below = _legend_columns(item)
    height = 4.4 + 0.17 * -(-len(item.curves) // below) if below else 4.4
    figure = load_matplotlib()(figsize=(6.4, height), layout="constrained")
    axes = figure.subplots()
    if item.diagonal:
        ends = np.geomspace(1e-4, 1.0, 200) if item.x_log else np.array([0.0, 1.0])
        axes.plot(ends, ends, color=LINE, lw=0.8, ls=":", zorder=0)
    number = -1
    for curve in item.curves:
        number += not _marks_a_place(item, curve) or number < 0
        _curve(axes, item, curve, number)
    if item.x_log:
        axes.set_xscale("log")
        ticks = [tick for tick in _TICKS if _spans(item, tick)]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    if item.y_log:
        axes.set_yscale("log")
        axes.set_yticks(_DECADES, [f"{tick:g}" for tick in _DECADES])
    if item.x_range is not None:
        axes.set_xlim(*item.x_range)
    if item.x_line is not None:
        place, name = item.x_line
        axes.axvline(place, color=INK, lw=0.9, ls="--", label=name)
    if item.y_range is not None:
        axes.set_ylim(*item.y_range)
    elif item.style not in ("line", "scatter") and not item.y_log:
        axes.set_ylim(bottom=0.0)
    if item.x_names:
        axes.set_xticks(range(len(item.x_names)), item.x_names, rotation=40, ha="right", fontsize=8)
    axes.set_xlabel(item.x_label)
    axes.set_ylabel(item.y_label)
    axes.grid(color="#e6e9ee", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if item.curves:
        _legend(figure, axes, item)
    return figure


def _legend(figure: Any, axes: Any, item: Plot) -> None:
    """Draw the legend where it covers no curve."""
    looks = {"fontsize": 8, "frameon": True, "framealpha": 0.85, "edgecolor": "none"}
    if item.style == "marks":
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, **looks)
    elif below := _legend_columns(item):
        figure.legend(loc="outside lower center", ncols=below, **looks)
    else:
        axes.legend(**looks)


def _legend_columns(item: Plot) -> int:
    """Return how many columns the legend below the frame has; 0 where it stands elsewhere."""
    if item.style != "scatter" and item.x_line is None:
        return 0
    longest = max((len(each.name) for each in item.curves), default=0)
    return 1 if longest > 40 else 2 if longest > 18 or item.x_line is not None else 4


def _marks_a_place(item: Plot, curve: Curve) -> bool:
    """Return whether a curve is one point on the line before it, whose colour it has."""
    return item.style == "line" and len(curve.x) == 1


def _spans(item: Plot, tick: float) -> bool:
    if item.x_range is not None:
        return item.x_range[0] <= tick <= item.x_range[1]
    places = [x for curve in item.curves for x in curve.x]
    return bool(places) and min(places) / 1.6 <= tick <= max(places) * 1.6


def _curve(axes: Any, item: Plot, curve: Curve, number: int) -> None:
    colour = COLOURS[number % len(COLOURS)]
    x, y = np.asarray(curve.x, float), np.asarray(curve.y, float)
    low, high = np.asarray(curve.low, float), np.asarray(curve.high, float)
    if item.style == "steps":
        reference = not len(curve.n)
        drawn = {"color": INK, "lw": 1.0, "ls": ":"} if reference else {"color": colour, "lw": 1.4}
        axes.plot(x, y, drawstyle="default" if reference else "steps-mid", label=curve.name, **drawn)
        return
    if item.style == "scatter":
        colour = COLOURS[number // 2 % len(COLOURS)]
        if number % 2:
            axes.plot(x, y, ls="none", color=colour, marker="x", ms=4.5, mew=1.0, label=curve.name)
        else:
            axes.plot(x, y, ls="none", color=colour, marker="o", ms=2.6, mew=0, alpha=0.4)
        return
    if item.style in ("points", "marks") and low.size:
        dodge = 1.0 + 0.03 * (number - 1.5) if item.x_log else 1.0
        places = x * dodge + (0.12 * (number - 0.5 * (len(item.curves) - 1)) if item.x_names else 0.0)
        errors = np.stack([np.maximum(y - low, 0), np.maximum(high - y, 0)])
        axes.errorbar(
            places, y, yerr=errors, color=colour, marker="o", ms=4, elinewidth=0.9, capsize=2,
            ls="none" if item.style == "marks" else "-", lw=1.0, label=curve.name,
        )  # fmt: skip
        return
    if item.style in ("points", "marks"):
        axes.plot(x, y, color=INK, lw=1.0, ls="--", label=curve.name)
        return
    axes.plot(x, y, color=colour, lw=1.4, marker="X" if _marks_a_place(item, curve) else "", ms=8, label=curve.name)
    if low.size:
        axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)


def _matrix(item: Matrix) -> Any:
    counts = np.asarray(item.counts, float)
    total = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    height = max(2.6, 0.36 * len(item.rows) + 1.9)
    figure = load_matplotlib()(figsize=(max(6.4, 0.44 * len(item.columns) + 2.4), height), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts / total, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(counts), strict=True):
        share = counts[row, column] / total[row, 0]
        axes.text(
            column, row, f"{int(counts[row, column])}", ha="center", va="center", fontsize=8,
            color="white" if share > 0.55 else INK,
        )  # fmt: skip
    axes.set_xticks(range(len(item.columns)), item.columns, rotation=45, ha="right", fontsize=8)
    labels = [f"{name} ({int(number)})" for name, number in zip(item.rows, counts.sum(axis=1), strict=True)]
    axes.set_yticks(range(len(item.rows)), labels, fontsize=8)
    axes.set_xlabel("found")
    axes.set_ylabel("true (n)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _example(item: Example) -> Any:
    figure = load_matplotlib()(figsize=(13, 3.6), layout="constrained")
    axes = figure.subplots()
    wavelength, flux = np.asarray(item.wavelength_angstrom, float), np.asarray(item.flux, float)
    error, contribution = np.asarray(item.error, float), np.asarray(item.contribution, float)
    axes.plot(wavelength, flux, color=INK, lw=0.7)
    axes.plot(wavelength, error, color=ERROR, lw=0.6, alpha=0.8)
    if len(item.reconstruction):
        axes.plot(wavelength, np.asarray(item.reconstruction, float), color=COLOURS[0], lw=1.0, alpha=0.9)
    seen = flux[np.isfinite(flux)]
    if seen.size:
        low, high = np.percentile(seen, (0.5, 99.5))
        margin = 0.25 * max(high - low, 1e-6)
        axes.set_ylim(min(low, 0.0) - margin, high + margin)
    other = axes.twinx()
    filled = np.nan_to_num(contribution)
    other.fill_between(wavelength, 0, filled, color=ALARM, alpha=0.45, lw=0, step="mid")
    other.set_ylim(0, max(float(filled.max(initial=0.0)), 1e-6) * 2.5)
    other.set_ylabel("contribution to VAE χ²", color=ALARM, fontsize=8)
    other.tick_params(labelsize=7, colors=ALARM)
    axes.set_xlim(wavelength[0], wavelength[-1])
    axes.set_xlabel("vacuum wavelength [Å]")
    axes.set_ylabel("normalised flux")
    for each in (axes, other):
        each.spines[["top"]].set_visible(False)
    return figure
