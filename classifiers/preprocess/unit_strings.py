"""Parses unit strings with astropy; ``units.flux_unit`` asks here for what it does not know."""

from __future__ import annotations

import warnings

import numpy as np
from astropy import units as u

from classifiers.preprocess.units import CONVERTED_LINE_FLUX, PIVOT_ANGSTROM, FluxUnit, UnitError

C_ANGSTROM_PER_S = 2.99792458e18
HC_ERG_ANGSTROM = 1.986445857148929e-08
_F_LAMBDA = u.erg / u.s / u.cm**2 / u.AA
_F_NU = u.erg / u.s / u.cm**2 / u.Hz
_PHOTONS = u.ph / u.s / u.cm**2 / u.AA
_LINE_FLUX = u.erg / u.s / u.cm**2
_COUNTS = (u.ct, u.adu, u.electron, u.ph, u.DN)


def parsed(text: str) -> FluxUnit:
    """Return what a unit string means; arguments and errors as of ``units.flux_unit``."""
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
        return FluxUnit(calibrated=True, line_flux=_line_flux(unit))
    if unit.is_equivalent(_F_NU):  # F_lambda = F_nu c / wavelength^2
        factor = float(unit.to(1e-17 * _F_NU)) * C_ANGSTROM_PER_S / PIVOT_ANGSTROM**2
        return FluxUnit(calibrated=True, wavelength_power=-2, factor=factor, line_flux=CONVERTED_LINE_FLUX)
    if unit.is_equivalent(_PHOTONS):  # F_lambda = photons h c / wavelength
        factor = float(unit.to(_PHOTONS)) * 1e17 * HC_ERG_ANGSTROM / PIVOT_ANGSTROM
        return FluxUnit(calibrated=True, wavelength_power=-1, factor=factor, line_flux=CONVERTED_LINE_FLUX)
    if unit.is_equivalent(u.dimensionless_unscaled) or _is_counts(unit):
        return FluxUnit(calibrated=False)
    hint = " (A is the ampere; write Angstrom)" if u.A in unit.bases else ""
    raise UnitError(text, f"is of type {unit.physical_type}{hint}")


def _line_flux(unit: u.UnitBase) -> str:
    """Return a flux density per wavelength times Angstrom as a number, unless 1, times ``erg / (cm2 s)``."""
    number = f"{float((unit * u.AA).to(_LINE_FLUX)):.12g}".replace("e-0", "e-").replace("e+0", "e+")
    return "erg / (cm2 s)" if number == "1" else f"{number} erg / (cm2 s)"


def _is_counts(unit: u.UnitBase) -> bool:
    rates = (u.dimensionless_unscaled, 1 / u.s, 1 / u.AA, 1 / u.s / u.AA, 1 / u.pix, 1 / u.s / u.pix)
    return any(unit.is_equivalent(count * rate) for count in _COUNTS for rate in rates)
