"""What the fit of the lines gives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.table import LINES

Floats = NDArray[np.float64]


class Fit(NamedTuple):
    """What was fitted in n spectra; fluxes in units of the data times a bin.

    Attributes:
        flux, error: (n, K) float64, NaN where a line is not measured; the error is that of the whole fit.
        continuum, continuum_error: (n, K) float64, level of the straight continuum at the line; NaN as above.
        value, value_error: (n, 7) float64 non-linear parameters; inf where no line says anything.
        chi2: (n, K) float64, reduced chi-square of the line's complex; NaN where it is not seen.
    """

    flux: Floats
    error: Floats
    continuum: Floats
    continuum_error: Floats
    value: Floats
    value_error: Floats
    chi2: Floats

    @classmethod
    def blank(cls, value: Floats) -> Fit:
        """Return the fit of (n, 7) parameters in which no line is measured."""
        lines = np.full((5, len(value), len(LINES)), np.nan)
        return cls(lines[0], lines[1], lines[2], lines[3], value.copy(), np.full(value.shape, np.inf), lines[4])
