"""Colours of mocks in SDSS's g, r and i beside those that SDSS published of stars and quasars.

J-PAS has these broad bands, too, and colours in its narrow ones were published as pictures alone. A broad band is put
together from the narrow ones that lie in it: the combination of their throughputs that is nearest to its own. What was
published is of point sources brighter than the mocks' limit: quasars were chosen for their ultraviolet excess down to i
= 19 to 20, which leaves out those that dust or a host reddens, and colours are corrected for dust in the Galaxy, which
the mocks have.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from classifiers.training.evaluation.document import Cell, Curve, Item, Plot, Table
from classifiers.training.narrowband.bands import Photometry
from classifiers.training.narrowband.building import band_weights
from classifiers.training.narrowband.simulator import NarrowbandSimulator
from classifiers.training.simulation.grid import Float64

FILTERS = "jpas_filters.npz"
BANDS = ("gSDSS", "rSDSS", "iSDSS")
QUASAR_SOURCE = "Richards et al. 2001 (AJ 121, 2308), Table 3: 2,625 quasars"
STAR_SOURCE = "Covey et al. 2007 (AJ 134, 2398), Table 4: median locus"
QUASARS = (
    (0.1, 0.356, 0.156, 0.564, 0.453, 0.323, 0.705), (0.2, 0.397, 0.091, 0.826, 0.362, 0.158, 0.530),
    (0.3, 0.385, -0.056, 0.784, 0.154, -0.094, 0.339), (0.4, 0.095, -0.236, 0.725, 0.122, -0.133, 0.411),
    (0.5, -0.059, -0.306, 0.458, 0.214, 0.029, 0.512), (0.6, -0.068, -0.302, 0.458, 0.161, -0.087, 0.548),
    (0.7, 0.015, -0.132, 0.227, 0.019, -0.202, 0.216), (0.8, 0.041, -0.213, 0.342, -0.069, -0.220, 0.147),
    (0.9, 0.119, -0.107, 0.297, -0.069, -0.192, 0.091), (1.0, 0.239, 0.066, 0.418, -0.039, -0.211, 0.089),
    (1.1, 0.214, 0.064, 0.457, -0.042, -0.162, 0.079), (1.2, 0.268, 0.053, 0.500, 0.032, -0.107, 0.165),
    (1.3, 0.259, 0.035, 0.582, 0.025, -0.159, 0.309), (1.4, 0.247, 0.042, 0.437, 0.086, -0.031, 0.232),
    (1.5, 0.150, -0.003, 0.578, 0.182, 0.071, 0.365), (1.6, 0.070, -0.092, 0.240, 0.217, 0.102, 0.341),
    (1.7, 0.035, -0.101, 0.484, 0.251, 0.033, 0.504), (1.8, 0.044, -0.198, 0.344, 0.270, 0.133, 0.492),
    (1.9, 0.046, -0.171, 0.305, 0.251, 0.108, 0.423), (2.0, 0.064, -0.073, 0.276, 0.174, 0.031, 0.365),
    (2.1, 0.100, -0.351, 0.345, 0.112, -0.065, 0.321), (2.2, 0.072, -0.228, 0.421, 0.119, -0.085, 0.355),
    (2.4, 0.062, -0.218, 0.568, 0.077, -0.085, 0.354), (2.6, 0.172, -0.084, 0.649, 0.083, -0.072, 0.406),
    (2.8, 0.145, -0.050, 0.545, 0.107, -0.114, 0.437), (3.0, 0.245, 0.004, 0.804, 0.088, -0.126, 0.486),
    (3.2, 0.217, 0.123, 0.496, 0.104, -0.050, 0.337), (3.4, 0.414, 0.276, 0.829, 0.115, 0.004, 0.145),
    (3.6, 1.084, 0.570, 1.544, 0.093, -0.017, 0.252), (3.8, 1.257, 1.021, 1.815, 0.076, -0.043, 0.203),
    (4.0, 1.406, 1.069, 1.638, 0.145, -0.013, 0.270),
)  # fmt: skip
"""Redshift; median g-r and its 95 % range; median r-i and its 95 % range [mag]. Above z = 2.2 bins are 0.2 wide."""
STARS = (
    (0.2, 0.03, 0.03), (0.3, 0.06, 0.03), (0.4, 0.10, 0.03), (0.5, 0.13, 0.02), (0.6, 0.16, 0.02), (0.7, 0.19, 0.02),
    (0.8, 0.21, 0.02), (0.9, 0.24, 0.02), (1.0, 0.27, 0.03), (1.1, 0.30, 0.03), (1.2, 0.32, 0.02), (1.3, 0.35, 0.03),
    (1.4, 0.38, 0.03), (1.5, 0.41, 0.02), (1.6, 0.45, 0.03), (1.7, 0.49, 0.03), (1.8, 0.54, 0.03), (1.9, 0.59, 0.03),
    (2.0, 0.65, 0.03), (2.1, 0.71, 0.04), (2.2, 0.79, 0.04), (2.3, 0.88, 0.04), (2.4, 0.98, 0.04), (2.5, 1.08, 0.05),
    (2.6, 1.18, 0.06), (2.7, 1.28, 0.05), (2.8, 1.36, 0.05), (2.9, 1.45, 0.05), (3.0, 1.52, 0.04),
)  # fmt: skip
"""g-i; median r-i and its dispersion [mag]."""
N = 40_000
_BRIGHT_R, _LEAST = 20.0, 20
_WIDE_FROM, _NARROW, _WIDE, _STAR_WIDTH = 2.15, 0.025, 0.1, 0.02


class Broad(NamedTuple):
    """g, r and i from the narrow bands: weights (3, 56) of <F_lambda>, rows sum to 1; pivot wavelengths (3,)."""

    weights: Float64
    pivot_angstrom: Float64

    def magnitudes(self, flux: Float64) -> Float64:
        """Return AB magnitudes but for one constant, (n, 3), of <F_lambda> in the narrow bands (n, 56)."""
        mean = np.maximum(flux @ self.weights.T, 1e-30)
        return np.asarray(-2.5 * np.log10(mean * self.pivot_angstrom**2))


def broad_bands(photometry: Photometry, spectra_folder: Path) -> Broad:
    """Return the broad bands from the narrow ones and the measured curves in a folder (``FILTERS``)."""
    narrow = photometry.weights[:-1]
    with np.load(spectra_folder / FILTERS, allow_pickle=False) as curves:
        wanted = [band_weights(*curves[name].astype(np.float64).T) for name in BANDS]
    weights = np.maximum([np.linalg.lstsq(narrow.T, each, rcond=None)[0] for each in wanted], 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    # the pivot of what is put together, so that a source of constant F_nu has no colour
    inverse_square = weights @ photometry.pivot_angstrom[:-1] ** -2.0
    return Broad(weights, 1.0 / np.sqrt(inverse_square))


def broad_colours(simulator: NarrowbandSimulator, spectra_folder: Path, seed: int, n: int = N) -> dict[str, Any]:
    """Return by kind and colour what was published, the same of noiseless mocks, and how far they are apart.

    Of quasars of r < 20 median colours and their middle 95 %, by redshift; of stars the middle 68 % of r-i by g-i. Rows
    with fewer than 20 mocks are left out.

    Args:
        simulator: draws the mocks.
        spectra_folder: with the curves of the filters.
        seed: of the mocks.
        n: mocks of each kind, before those that are too faint are left out.
    """
    bands = broad_bands(simulator.photometry, spectra_folder)
    rng = np.random.default_rng(seed)
    mocks = simulator.draw({"QSO": n}, rng, flat=1.0)
    mocks = mocks.rows(mocks.r < _BRIGHT_R)
    g, r, i = bands.magnitudes(mocks.flux).T
    quasars: dict[str, Any] = {}
    for colour, values, first in (("g-r", g - r, 1), ("r-i", r - i, 4)):
        rows = []
        for row in QUASARS:
            near = np.abs(mocks.redshift - row[0]) < (_NARROW if row[0] < _WIDE_FROM else _WIDE)
            rows.append(_row(row[0], row[first : first + 3], values[near], (0.5, 0.025, 0.975)))
        quasars[colour] = _kept(rows)
    g, r, i = bands.magnitudes(simulator.draw({"STAR": n}, rng).flux).T
    locus = []
    for place, middle, spread in STARS:
        near = np.abs(g - i - place) < _STAR_WIDTH
        locus.append(_row(place, (middle, middle - spread, middle + spread), (r - i)[near], (0.5, 0.16, 0.84)))
    return {"QSO": quasars, "STAR": {"r-i": _kept(locus)}}


def _row(
    place: float, published: tuple[float, ...], values: Float64, quantiles: tuple[float, float, float]
) -> dict[str, Any]:
    found = np.quantile(values, quantiles).round(3).tolist() if values.size else []
    return {"at": place, "n": int(values.size), "published": [round(each, 3) for each in published], "mocks": found}


def _kept(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rows that have mocks enough, with the median and root mean square of mocks minus published [mag]."""
    kept = [row for row in rows if row["n"] >= _LEAST]
    difference = np.array([row["mocks"][0] - row["published"][0] for row in kept])
    return {
        "rows": kept,
        "median_difference_mag": round(float(np.median(difference)), 3),
        "rms_difference_mag": round(float(np.sqrt(np.mean(difference**2))), 3),
    }


def pictures(found: Mapping[str, Any]) -> list[Item]:
    """Return a picture for each colour of ``broad_colours``, and a table of the differences."""
    items: list[Item] = []
    rows: list[list[Cell]] = []
    for kind, source, along, share in (
        ("QSO", QUASAR_SOURCE, "redshift", "95 %"),
        ("STAR", STAR_SOURCE, "g-i [mag]", "68 %"),
    ):
        for colour, each in found[kind].items():
            places = [row["at"] for row in each["rows"]]
            curves = [
                Curve(f"{name}: median, middle {share}", places, *zip(*(row[key] for row in each["rows"]), strict=True))
                for name, key in (("published", "published"), ("mocks", "mocks"))
            ]
            items.append(Plot(f"{colour} of {kind} mocks beside published colours", along, f"{colour} [mag]", curves))
            rows.append([kind, colour, source, len(places), each["median_difference_mag"], each["rms_difference_mag"]])
    columns = (
        "kind",
        "colour",
        "published by",
        "bins",
        "mocks minus published, median [mag]",
        "root mean square [mag]",
    )
    return [*items, Table("Broad-band colours of mocks beside published ones", columns, rows)]
