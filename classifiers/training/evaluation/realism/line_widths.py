"""Widths of emission lines, measured alike on real and on simulated spectra at the redshifts of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.measure import measure_lines
from classifiers.lines.table import NAMES
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.plain import plain_means
from classifiers.preprocess.prepare import prepare
from classifiers.training.evaluation.realism.samples import Side

WIDTH_LINES: Final = {
    "GALAXY": ("[O III] 5007", "H alpha"),
    "QSO": ("H beta", "Mg II 2799", "C III] 1909", "C IV 1549"),
}
"""Lines whose widths are compared, by group, where their flux is above five sigma."""
_LEAST_SIGNIFICANCE: Final = 5.0


def line_widths(sides: Sequence[Side], group: str) -> NDArray[np.float64]:
    """Return log10 of the observed standard deviations [km/s] of all lines of ``WIDTH_LINES`` that stand out, (k,).

    Args:
        sides: samples, taken together.
        group: GALAXY or QSO.
    """
    spectra = [spectrum for side in sides for spectrum in side.spectra]
    redshift = np.concatenate([side.redshift for side in sides])
    groups = np.concatenate([side.group for side in sides])
    rows = np.flatnonzero((groups == group) & np.isfinite(redshift))
    if rows.size == 0:
        return np.zeros(0)
    members = [spectra[row] for row in rows.tolist()]
    scale = prepare(members, COMMON_GRID).scale
    means = plain_means(members, COMMON_GRID, scale)
    quasar, unknown = np.full(rows.size, group == "QSO"), np.full(rows.size, np.nan)
    found = measure_lines(means.flux, means.inverse_variance, redshift[rows], quasar, unknown)
    columns = [NAMES.index(name) for name in WIDTH_LINES[group]]
    flux, error, sigma = (values[:, columns] for values in (found.flux, found.published_error, found.sigma))
    solid = np.isfinite(sigma) & (sigma > 0) & (np.nan_to_num(flux) > _LEAST_SIGNIFICANCE * np.nan_to_num(error))
    return np.asarray(np.log10(sigma[solid & (np.nan_to_num(error) > 0)]), dtype=np.float64)
