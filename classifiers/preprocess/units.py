"""What a flux unit means: how to bring the flux to F_lambda, or that it is not calibrated.

Any unit that astropy parses is accepted if it is a flux density (per wavelength, per frequency, or photons per
wavelength), counts, or dimensionless. Everything else is refused by name; nothing is guessed.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from astropy import units as u
from numpy.typing import NDArray

from classifiers.errors import ClassifierError

C_ANGSTROM_PER_S = 2.99792458e18
HC_ERG_ANGSTROM = 1.986445857148929e-08
PIVOT_ANGSTROM = 5500.0
LONGEST_TEXT = 200
_F_LAMBDA = u.erg / u.s / u.cm**2 / u.AA
_F_NU = u.erg / u.s / u.cm**2 / u.Hz
_PHOTONS = u.ph / u.s / u.cm**2 / u.AA
_COUNTS = (u.ct, u.adu, u.electron, u.ph, u.DN)


class UnitError(ClassifierError):
    """The flux unit is not one that can be classified.

    Attributes:
        unit: the unit string as it came.
        expected: what is accepted.
    """

    def __init__(self, unit: str, why: str) -> None:
        self.unit = unit
        self.expected = "a flux density (for example 1e-17 erg/s/cm2/Angstrom or Jy), counts or a dimensionless unit"
        super().__init__(f"flux unit {unit!r} {why}; expected {self.expected}")


@dataclass(frozen=True, slots=True)
class FluxUnit:
    """How a flux unit is brought to F_lambda.

    ``F_lambda = flux x factor x (wavelength / 5500 Angstrom)^wavelength_power``. For power 0 the flux keeps its own
    unit (factor 1); otherwise F_lambda comes out in 1e-17 erg/s/cm2/Angstrom.

    Attributes:
        calibrated: False for counts and dimensionless flux.
        wavelength_power: 0 (F_lambda, counts, dimensionless), -2 (F_nu) or -1 (photons per wavelength).
        factor: see above.
    """

    calibrated: bool
    wavelength_power: int = 0
    factor: float = 1.0

    def per_pixel(self, wavelength_angstrom: NDArray[np.float64]) -> NDArray[np.float32] | None:
        """Return the wavelength-dependent part, of order 1: (n,) float32, or None where it is 1 everywhere."""
        if self.wavelength_power == 0:
            return None
        return ((wavelength_angstrom / PIVOT_ANGSTROM) ** self.wavelength_power).astype(np.float32)


@lru_cache(maxsize=1024)
def flux_unit(text: str) -> FluxUnit:
    """Return what a unit string means.

    Args:
        text: unit in FITS or astropy notation, for example ``1e-17 erg/s/cm2/Angstrom``; empty = dimensionless.

    Raises:
        UnitError: not parsed by astropy, or neither flux density, counts nor dimensionless.
    """
    if len(text) > LONGEST_TEXT:
        raise UnitError(text[:20] + "...", f"has {len(text)} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)  # "several slashes are discouraged": surveys write them
            unit = u.Unit(text)
    except (ValueError, TypeError) as error:
        raise UnitError(text, "is not a unit that astropy knows") from error
    if not isinstance(unit, u.UnitBase) or isinstance(unit, u.UnrecognizedUnit):
        raise UnitError(text, "is not a linear unit")
    scale = unit.decompose().scale
    if not (np.isreal(scale) and np.isfinite(scale) and scale > 0):
        raise UnitError(text, f"has the scale {scale}")
    if unit.is_equivalent(_F_LAMBDA):
        return FluxUnit(calibrated=True)
    if unit.is_equivalent(_F_NU):  # F_lambda = F_nu c / wavelength^2
        factor = float(unit.to(1e-17 * _F_NU)) * C_ANGSTROM_PER_S / PIVOT_ANGSTROM**2
        return FluxUnit(calibrated=True, wavelength_power=-2, factor=factor)
    if unit.is_equivalent(_PHOTONS):  # F_lambda = photons h c / wavelength
        factor = float(unit.to(_PHOTONS)) * 1e17 * HC_ERG_ANGSTROM / PIVOT_ANGSTROM
        return FluxUnit(calibrated=True, wavelength_power=-1, factor=factor)
    if unit.is_equivalent(u.dimensionless_unscaled) or _is_counts(unit):
        return FluxUnit(calibrated=False)
    hint = " (A is the ampere; write Angstrom)" if u.A in unit.bases else ""
    raise UnitError(text, f"is of type {unit.physical_type}{hint}")


def _is_counts(unit: u.UnitBase) -> bool:
    rates = (u.dimensionless_unscaled, 1 / u.s, 1 / u.AA, 1 / u.s / u.AA, 1 / u.pix, 1 / u.s / u.pix)
    return any(unit.is_equivalent(count * rate) for count in _COUNTS for rate in rates)
