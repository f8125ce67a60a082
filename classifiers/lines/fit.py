"""The fit: Gaussian fluxes and straight continua by linear least squares, shifts and widths by Gauss-Newton steps.

All complexes of a spectrum share the shift and, group by group, the widths. Steps are damped, as by Levenberg (1944,
Quart. Appl. Math. 2, 164), so that shift and widths stay where no line says anything. They are compiled (``steps``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.fitted import Fit
from classifiers.lines.layout import Given, Work, layout
from classifiers.lines.steps import fit_rows

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]


class Start(NamedTuple):
    """Where the fit of n rows starts, (n, 7), and how far it expects to move, (7,); bins and ln bins.

    A parameter that the lines know no better than ``expected`` makes half of a step.
    """

    value: Floats
    expected: Floats


def fit(flux: Float32, weight: Float32, phase: Floats, start: Start) -> Fit:
    """Fit n spectra.

    Args:
        flux: (n, column) float32 on ``table.COLUMNS``, what is no straight continuum subtracted; 0 where masked.
        weight: (n, column) float32 inverse variance; 0 where masked.
        phase: (n,) what log10(1 + z) is beyond a whole number of bins [bins].
        start: see ``Start``.
    """
    out = Fit.blank(start.value)
    fit_rows(Given(flux, weight, phase, start.expected**-2.0), layout(), Work.blank(), out)
    return out
