"""Wavelengths in air to wavelengths in vacuum.

The refractive index of standard air (15 C, 101,325 Pa, dry, 450 ppm CO2) is Ciddor (1996, Applied Optics 35, 1566),
equation 1, which SDSS and the IAU-recommended conversions follow to 2e-8. It is defined for vacuum wavelengths, so the
inverse is solved by fixed-point iteration, which gains four digits a step. Below 2000 Angstrom there is no air
wavelength: the value is passed through, as is the surveys' custom.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHORTEST_ANGSTROM = 2000.0


def refractive_index(vacuum_angstrom: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the refractive index of standard air.

    Args:
        vacuum_angstrom: any shape, float64, vacuum wavelength [Angstrom], above 2000.
    """
    s2 = (1e4 / vacuum_angstrom) ** 2  # (1 / micrometre)^2
    return np.asarray(1.0 + 5792105e-8 / (238.0185 - s2) + 167917e-8 / (57.362 - s2), dtype=np.float64)


def air_to_vacuum(air_angstrom: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vacuum wavelengths.

    Args:
        air_angstrom: any shape, float64, wavelength in standard air [Angstrom].
    """
    air = np.asarray(air_angstrom, dtype=np.float64)
    inside = air >= SHORTEST_ANGSTROM
    safe = np.where(inside, air, SHORTEST_ANGSTROM)
    vacuum = safe
    for _ in range(4):
        vacuum = safe * refractive_index(vacuum)
    return np.where(inside, vacuum, air)
