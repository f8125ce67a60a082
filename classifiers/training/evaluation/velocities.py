"""Radial velocities of stars: how many are published, bias and scatter, pulls, catastrophic failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from classifiers.training.evaluation.answers import Floats, Rows, Scored
from classifiers.training.evaluation.binned import SNR_EDGES, histogram, share, spread
from classifiers.training.evaluation.document import Cell, Curve, Item, Number, Plot, Proportion, Table
from classifiers.training.simulation.grid import SPEED_OF_LIGHT_KM_S

CATASTROPHIC_KM_S = 300.0
"""A velocity further off than this belongs to another peak: it is more than one and a half bins of the grid."""
LEAST_STARS = 20
"""Of a release, whose median difference then takes less than a twentieth from the variance about it."""
_COLUMNS = ("", "published", "bias [km/s]", "scatter [km/s]", "pull width", "|pull| < 1", "off by > 300 km/s")


def velocity_measures(scored: Scored) -> tuple[list[Proportion], list[Number]]:
    """Return what the headline says of radial velocities: shares and numbers.

    Releases of surveys differ by several km/s in where their velocities begin, so scatter and pulls are given with
    each release's own median difference taken out, too.
    """
    stars = _stars(scored)
    _, published, bias, scatter, pull, _, failures = _row("", scored, stars)
    shares = [each for each in (published, failures) if isinstance(each, Proportion)]
    numbers = [each for each in (bias, scatter, pull) if isinstance(each, Number)]
    numbers += _within_releases(scored, stars)
    return (
        [replace(each, name=f"STAR radial velocity {each.name}") for each in shares],
        [replace(each, name=f"STAR radial velocity {each.name}") for each in numbers],
    )


def velocities(samples: Mapping[str, Scored]) -> list[Item]:
    """Return tables and pictures; ``samples`` by what to call them.

    Of stars that were found to be stars. Bias is the median, scatter and pull width are normalised median absolute
    deviations. The truth of real stars is the survey's velocity, whose own error the pull does not know of.
    """
    rows = [_row(name, scored, _stars(scored)) for name, scored in samples.items()]
    items: list[Item] = [Table("Radial velocities of stars", _COLUMNS, rows)]
    for name, scored in samples.items():
        snr, stars = scored.answers.column("snr"), _stars(scored)
        parts = []
        for low, high in pairwise(SNR_EDGES):
            inside = stars[(snr[stars] >= low) & (snr[stars] < high)]
            if inside.size:
                parts.append(_row(f"S/N {low:g} to {high:g}", scored, inside))
        items.append(Table(f"Radial velocities against S/N per bin of 207 km/s, {name}", _COLUMNS, parts))
    releases = [
        _row(f"{release} ({name})", scored, stars[scored.release[stars] == release])
        for name, scored in samples.items()
        for stars in (_stars(scored),)
        for release in np.unique(scored.release[stars]).tolist()
    ]
    items.append(Table("Radial velocities by survey and release", _COLUMNS, releases))
    items.append(pull_histogram(samples))
    return items


def difference_km_s(scored: Scored, rows: Rows) -> Floats:
    """Return found less true velocity of some rows, NaN where either is missing."""
    truth = SPEED_OF_LIGHT_KM_S * scored.redshift[rows]
    return np.asarray(scored.answers.column("radial_velocity_km_s")[rows] - truth, np.float64)


def median_interval(values: Floats) -> tuple[float, float] | None:
    """Return the 95 % interval of a median from order statistics; None below six values.

    The ranks are n / 2 -+ 0.98 sqrt(n) (Conover 1999, Practical Nonparametric Statistics, Sect. 3.2).
    """
    n = values.size
    if n < 6:
        return None
    ordered, reach = np.sort(values), 0.98 * np.sqrt(n)
    low, high = int(np.floor(n / 2 - reach)), int(np.ceil(n / 2 + reach))
    return float(ordered[max(low - 1, 0)]), float(ordered[min(high, n - 1)])


def _stars(scored: Scored) -> Rows:
    return scored.with_redshift("STAR")


def _row(name: str, scored: Scored, stars: Rows) -> list[Cell]:
    everything = difference_km_s(scored, stars)
    published = np.isfinite(everything)
    difference = everything[published]
    pull = difference / scored.answers.column("radial_velocity_error_km_s")[stars][published]
    n = difference.size
    bias = float(np.median(difference)) if n else float("nan")
    return [
        name,
        share("published", published),
        Number("bias [km/s]", bias, n, median_interval(difference)),
        Number("scatter [km/s]", spread(difference), n, spread_interval(difference)),
        Number("pull width", spread(pull), n, spread_interval(pull)),
        share("within one error", np.abs(pull) < 1.0),
        share(f"off by > {CATASTROPHIC_KM_S:g} km/s", np.abs(difference) > CATASTROPHIC_KM_S),
    ]


def _within_releases(scored: Scored, stars: Rows) -> list[Number]:
    """Return scatter and pull width about each release's own median, of releases with enough stars to have one."""
    difference = difference_km_s(scored, stars)
    stars, difference = stars[np.isfinite(difference)], difference[np.isfinite(difference)]
    for release in np.unique(scored.release[stars]).tolist():
        own = scored.release[stars] == release
        difference[own] -= np.median(difference[own]) if np.count_nonzero(own) >= LEAST_STARS else np.nan
    counted = np.isfinite(difference)
    difference = difference[counted]
    pull = difference / scored.answers.column("radial_velocity_error_km_s")[stars][counted]
    return [
        Number(f"{name}, within releases", spread(values), values.size, spread_interval(values))
        for name, values in (("scatter [km/s]", difference), ("pull width", pull))
    ]


def spread_interval(values: Floats) -> tuple[float, float] | None:
    """Return the 95 % interval of a normalised median absolute deviation; None below six values."""
    if values.size == 0:
        return None
    found = median_interval(np.abs(values - np.median(values)))
    return None if found is None else (1.4826 * found[0], 1.4826 * found[1])


def pull_histogram(samples: Mapping[str, Scored]) -> Plot:
    """Return the distributions of velocity pulls; ``samples`` by what to call them."""
    edges = np.linspace(-6.0, 6.0, 49)
    curves = []
    for name, scored in samples.items():
        stars = _stars(scored)
        values = difference_km_s(scored, stars) / scored.answers.column("radial_velocity_error_km_s")[stars]
        values = values[np.isfinite(values)]
        curves.append(histogram(f"{name} (width {spread(values):.2f}, n = {values.size})", values, edges))
    centres = 0.5 * (edges[1:] + edges[:-1])
    normal = np.exp(-0.5 * centres**2) / np.sqrt(2.0 * np.pi)
    curves.append(Curve("unit normal", centres.tolist(), normal.tolist()))
    return Plot("Pulls of radial velocities", "(found - true) / error", "density", curves, "steps")
