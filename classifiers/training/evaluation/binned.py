"""Proportions and curves that sections share: shares in bins with exact bands, cumulative curves, histograms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from classifiers.training.evaluation.document import Curve, Proportion

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SNR_EDGES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 256.0)
FEWEST = 5
"""Spectra in a bin of a picture; thinner ones are joined with the next: one spectrum says nothing of a rate."""
LOW_RATES = (0.002, 1.0)
"""Range of a picture, logarithmic, of what is flagged falsely or taken wrongly: from one of 500 spectra."""


def share(name: str, hits: Flags) -> Proportion:
    """Return how many of the flags are set, of how many."""
    return Proportion(name, int(np.count_nonzero(hits)), int(hits.size))


def binned_share(
    name: str,
    x: Floats,
    hits: Flags,
    edges: Sequence[float],
    *,
    place: Literal["middle", "mean", "log mean"] = "middle",
    fewest: int = 1,
) -> Curve:
    """Return the share of hits in bins of x with exact 95 % bands; empty bins are left out.

    Args:
        name: of the curve.
        x: (n,), NaN falls in no bin.
        hits: (n,).
        edges: ascending; a bin holds its lower edge.
        place: of a point: the middle of its bin's edges, the mean of x in the bin, or that of log x (x > 0). Where
            bins are joined, the middle may lie far from all that is inside.
        fewest: a bin of fewer is joined with those after it, the last with those before it.
    """
    found: list[tuple[float, Proportion]] = []
    for low, high in pairwise(_joined(x, edges, fewest)):
        inside = (x >= low) & (x < high)
        if inside.any():
            centre = 0.5 * (low + high) if place == "middle" else _mean(x[inside], place == "log mean")
            found.append((centre, share(name, hits[inside])))
    bands = [each.interval for _, each in found]
    return Curve(
        name,
        [centre for centre, _ in found],
        [each.value for _, each in found],
        [band[0] for band in bands],
        [band[1] for band in bands],
        [each.n for _, each in found],
    )


def by_snr(name: str, snr: Floats, hits: Flags) -> Curve:
    """Return the share of hits in bins of S/N, each twice as wide as the one before, at the mean of log S/N inside."""
    return binned_share(name, snr, hits, SNR_EDGES, place="log mean", fewest=FEWEST)


def _mean(x: Floats, of_logarithm: bool) -> float:
    return float(np.exp(np.log(x).mean()) if of_logarithm else x.mean())


def _joined(x: Floats, edges: Sequence[float], fewest: int) -> list[float]:
    """Return the edges that are left when bins of fewer are joined."""
    kept = [float(edges[0])]
    for edge in edges[1:]:
        inside = int(np.count_nonzero((x >= kept[-1]) & (x < edge)))
        if inside == 0 and len(kept) == 1:
            kept = [float(edge)]
        elif inside >= fewest:
            kept.append(float(edge))
    left = np.count_nonzero((x >= kept[-1]) & (x < edges[-1])) if len(kept) > 1 else 0
    if len(kept) == 1 or left:
        kept[1 if len(kept) == 1 else -1 :] = [float(edges[-1])]
    return kept


def histogram(name: str, values: Floats, edges: Floats) -> Curve:
    """Return a histogram's density as a curve over bin centres; values beyond the edges count in the last bins."""
    inside = np.clip(values[np.isfinite(values)], edges[0], edges[-1])
    counts, _ = np.histogram(inside, edges)
    density = counts / max(1, inside.size) / np.diff(edges)
    return Curve(name, (0.5 * (edges[1:] + edges[:-1])).tolist(), density.tolist(), n=counts.tolist())


def spread(values: Floats) -> float:
    """Return the normalised median absolute deviation, 1.4826 median|x - median x|; NaN below two values."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values)))) if values.size > 1 else float("nan")


def operating_curve(name: str, known_score: Floats, outlier_score: Floats) -> Curve:
    """Return the share of outliers at or above each threshold over that of known objects (a ROC curve).

    Args:
        name: of the curve; the area under it is added.
        known_score: (n,) larger = more unusual.
        outlier_score: (m,).
    """
    thresholds = np.unique(np.concatenate([known_score, outlier_score]))[::-1]
    if thresholds.size > 400:
        thresholds = thresholds[np.unique(np.linspace(0, thresholds.size - 1, 400).astype(int))]
    false = np.array([0.0, *((known_score[None, :] >= thresholds[:, None]).mean(axis=1))])
    true = np.array([0.0, *((outlier_score[None, :] >= thresholds[:, None]).mean(axis=1))])
    return Curve(f"{name} (area {area_under(known_score, outlier_score):.3f})", false.tolist(), true.tolist())


def area_under(known_score: Floats, outlier_score: Floats) -> float:
    """Return the area under the ROC curve: P(outlier above known), ties count half (Mann & Whitney 1947)."""
    below = (outlier_score[:, None] > known_score[None, :]).mean()
    ties = (outlier_score[:, None] == known_score[None, :]).mean()
    return float(below + 0.5 * ties)


def area_interval(area: float, outliers: int, known: int) -> tuple[float, float]:
    """Return the 95 % interval of an area under the ROC curve (Hanley & McNeil 1982, Radiology 143, 29, Eq. 1)."""
    of_outliers, of_known = area / (2.0 - area), 2.0 * area**2 / (1.0 + area)
    variance = area * (1.0 - area) + (outliers - 1) * (of_outliers - area**2) + (known - 1) * (of_known - area**2)
    half = 1.96 * float(np.sqrt(max(variance, 0.0) / (outliers * known)))
    return max(0.0, area - half), min(1.0, area + half)
