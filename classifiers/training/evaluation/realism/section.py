"""Section of the report: how far simulated spectra are from real ones, survey by survey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import PreparedBatch, prepare
from classifiers.training.evaluation.binned import histogram
from classifiers.training.evaluation.document import Cell, Curve, Item, Number, Plot, Section, Table
from classifiers.training.evaluation.realism.features import (
    Float,
    in_bands,
    robust_spread,
    second_differences,
)
from classifiers.training.evaluation.realism.line_widths import WIDTH_LINES, line_widths
from classifiers.training.evaluation.realism.samples import A_REAL_ONE, Pair, Side
from classifiers.training.evaluation.realism.two_sample import Auroc, auroc, kolmogorov_smirnov

TITLE = "Simulated beside real"
_BANDS = 24
_LOWEST, _HIGHEST = 3650.0, 9900.0
_EDGES = np.geomspace(_LOWEST, _HIGHEST, _BANDS + 1)
_LEAST_SEEN = 10
_SIDES = ("real", "simulated")
_COARSE_LAG = 5
_LOWEST_SNR = 0.3  # of a histogram: what is fainter, or below zero, stands in its first bin
_TEXT = (
    "Each real object of a survey is set beside {number} simulated spectra of the same label and nearest in S/N, so "
    "that what differs is the simulator's physics, noise and masks and not its mix. Their distributions of S/N are "
    "alike for that reason; by themselves simulations are spread evenly in log S/N over what each instrument delivers. "
    "Noise power: spread of second differences of neighbouring bins in units of the reported error (1: white noise of "
    "the reported size). The two-sample test trains a logistic regression to tell real from simulated and scores it on "
    "spectra it was not fitted to: 0.5 is indistinguishable, 1 always told apart; intervals after Hanley and McNeil "
    "(1982). Noise statistics and masks of SDSS, BOSS and LAMOST were measured on these spectra, so agreement in them "
    "is no prediction. A quarter of the simulated spectra have masks made hard on purpose, which the test can see. "
    "DESI is left out, because its few coadds say too little."
)


def realism(found: Sequence[Pair]) -> Section:
    """Return the section on the samples of each survey, as ``pairs`` makes them."""
    widths = {group: [line_widths(_sides(found, side), group) for side in _SIDES] for group in WIDTH_LINES}
    items: list[Item] = [_told_apart(found), _statistics(found, widths)]
    for pair in found:
        prepared = {name: prepare(side.spectra, COMMON_GRID) for name, side in zip(_SIDES, _halves(pair), strict=True)}
        items += [_brightness(pair), _noise_power(pair.survey, prepared), _masked(pair.survey, prepared)]
    items += [_widths(group, *values) for group, values in widths.items() if all(each.size for each in values)]
    return Section(TITLE, _TEXT.format(number=A_REAL_ONE), items)


def _halves(pair: Pair) -> tuple[Side, Side]:
    return pair.real, pair.simulated


def _sides(found: Sequence[Pair], name: str) -> list[Side]:
    return [pair.real if name == "real" else pair.simulated for pair in found]


def _told_apart(found: Sequence[Pair]) -> Table:
    """Area under the ROC curve of telling simulated from real, by survey and group of features."""
    names = list(found[0].real.features.groups) if found else []
    rows: list[list[Cell]] = []
    for pair in found:
        real, simulated = pair.real.features, pair.simulated.features
        row: list[Cell] = [pair.survey, _number(auroc(real.columns(), simulated.columns()))]
        row += [_number(auroc(real.groups[name], simulated.groups[name])) for name in names]
        rows.append(row)
    return Table("Telling simulated from real: area under the ROC curve", ("survey", "all features", *names), rows)


def _number(found: Auroc) -> Number:
    return Number("AUROC", found.value, found.real + found.simulated, found.interval)


def _statistics(found: Sequence[Pair], widths: dict[str, list[Float]]) -> Table:
    """Kolmogorov-Smirnov statistics of single quantities."""
    rows: list[list[Cell]] = []
    for pair in found:
        values = [_quantities(side) for side in _halves(pair)]
        rows += [_compared(pair.survey, name, values[0][name], values[1][name]) for name in values[0]]
    for group, (real, simulated) in widths.items():
        rows.append(_compared("all", f"log10 line width [km/s], {group}", real, simulated))
    columns = ("survey", "quantity", "n real", "n simulated", "median, real", "median, simulated", "KS D", "p")
    return Table("Distributions: two-sample Kolmogorov-Smirnov statistics", columns, rows)


def _compared(survey: str, name: str, real: Float, simulated: Float) -> list[Cell]:
    statistic, p_value = kolmogorov_smirnov(real, simulated)
    middles = [_middle(values) for values in (real, simulated)]
    return [survey, name, int(np.isfinite(real).sum()), int(np.isfinite(simulated).sum()), *middles, statistic, p_value]


def _middle(values: Float) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")


def _quantities(side: Side) -> dict[str, Float]:
    prepared = prepare(side.spectra, COMMON_GRID)
    masks = side.features.groups["masks"]
    return {
        "S/N": side.features.snr,
        "noise power, neighbouring bins": robust_spread(second_differences(prepared, 1)),
        f"noise power, {_COARSE_LAG} bins apart": robust_spread(second_differences(prepared, _COARSE_LAG)),
        "share of masked bins inside": masks[:, 2],
    }


def _brightness(pair: Pair) -> Plot:
    values = [np.log10(np.maximum(side.features.snr, _LOWEST_SNR)) for side in _halves(pair)]
    edges = np.linspace(min(map(np.nanmin, values)), max(map(np.nanmax, values)), 16)
    dex = [histogram(name, each, edges) for name, each in zip(_SIDES, values, strict=True)]
    curves = [replace(curve, x=(10.0 ** np.asarray(curve.x)).tolist()) for curve in dex]
    label = f"median S/N per bin, {_LOWEST_SNR:g} and below together"
    return Plot(f"S/N, {pair.survey}", label, "density per dex", curves, style="steps", x_log=True)


def _noise_power(survey: str, prepared: dict[str, PreparedBatch]) -> Plot:
    curves = []
    for name, batch in prepared.items():
        differences = second_differences(batch, 1)
        bands = [robust_spread(part) for part in in_bands(differences, _EDGES.tolist())]
        curves.append(_by_wavelength(name, bands, lambda values: np.percentile(values, (16.0, 50.0, 84.0))))
    title = f"Noise power of neighbouring bins, {survey}: median and 16 to 84 %"
    return Plot(title, "vacuum wavelength [Å]", "true over reported error", curves)


def _masked(survey: str, prepared: dict[str, PreparedBatch]) -> Plot:
    curves = []
    for name, batch in prepared.items():
        parts = in_bands((batch.inverse_variance <= 0).astype(np.float64), _EDGES.tolist())
        shares = [part.mean(axis=1) for part in parts]
        curves.append(_by_wavelength(name, shares, lambda values: np.repeat(values.mean(), 3)))
    return Plot(f"Masked bins, {survey}", "vacuum wavelength [Å]", "share", curves, y_range=(0.0, 1.0))


def _by_wavelength(name: str, bands: Sequence[Float], summary: Callable[[Float], NDArray[np.float64]]) -> Curve:
    """Return low, middle and high of a number per spectrum in each band that enough spectra cover."""
    centres = np.sqrt(_EDGES[:-1] * _EDGES[1:])
    known = [values[np.isfinite(values)] for values in bands]
    kept = [index for index, values in enumerate(known) if values.size >= _LEAST_SEEN]
    low, middle, high = np.array([summary(known[index]) for index in kept]).reshape(-1, 3).T
    counts = [int(known[index].size) for index in kept]
    return Curve(name, centres[kept].round(1).tolist(), middle.tolist(), low.tolist(), high.tolist(), counts)


def _widths(group: str, real: Float, simulated: Float) -> Plot:
    together = np.concatenate([real, simulated])
    edges = np.linspace(float(together.min()), float(together.max()), 13)
    curves = [histogram(name, values, edges) for name, values in zip(_SIDES, (real, simulated), strict=True)]
    title = f"Line widths, {group}: {', '.join(WIDTH_LINES[group])}"
    return Plot(title, "log10 of the observed standard deviation [km/s]", "density", curves, style="steps")
