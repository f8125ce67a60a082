"""How wide instruments make an emission line that has no width of its own."""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.grid import Float64, Integers
from classifiers.training.simulation.instruments import INSTRUMENTS


def line_spread_km_s(seen_by: Integers | None, wavelength_angstrom: Float64) -> Float64:
    """Return the standard deviation of lines as instruments see them, native pixels included.

    Args:
        seen_by: (n,) index into ``instruments.INSTRUMENTS``; None stands for the first, SDSS, in every row.
        wavelength_angstrom: (n, line) observed wavelengths, vacuum.

    Returns:
        (n, line) float64, km/s.
    """
    rows = np.zeros(len(wavelength_angstrom), np.int64) if seen_by is None else seen_by
    spread = np.empty_like(wavelength_angstrom)
    for index in np.unique(rows):
        of_it = rows == index
        spread[of_it] = np.interp(wavelength_angstrom[of_it], *np.transpose(INSTRUMENTS[index].line_spread))
    return spread
