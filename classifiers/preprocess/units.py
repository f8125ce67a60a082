"""What a flux unit means: how to bring the flux to F_lambda, or that it is not calibrated.

Any unit that astropy parses is accepted if it is a flux density (per wavelength, per frequency, or photons per
wavelength), counts, or dimensionless. Everything else is refused by name; nothing is guessed. What our FITS readers and
simulator write is known without astropy, whose units take half a second to import: a service that starts rarely needs
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.errors import ClassifierError

PIVOT_ANGSTROM = 5500.0
LONGEST_TEXT = 200
CONVERTED_LINE_FLUX: Final = "1e-17 erg / (cm2 s)"
"""Unit of the line fluxes of spectra that come per frequency or in photons."""


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

    A line's flux is measured in the unit of F_lambda times Angstrom. Both are written as one energy flux.

    Attributes:
        calibrated: False for counts and dimensionless flux.
        wavelength_power: 0 (F_lambda, counts, dimensionless), -2 (F_nu) or -1 (photons per wavelength).
        factor: see above.
        line_flux: unit of line fluxes, a number times erg / (cm2 s); None where the flux is not calibrated.
    """

    calibrated: bool
    wavelength_power: int = 0
    factor: float = 1.0
    line_flux: str | None = None

    def per_pixel(self, wavelength_angstrom: NDArray[np.float64]) -> NDArray[np.float32] | None:
        """Return the wavelength-dependent part, of order 1: (n,) float32, or None where it is 1 everywhere."""
        if self.wavelength_power == 0:
            return None
        return ((wavelength_angstrom / PIVOT_ANGSTROM) ** self.wavelength_power).astype(np.float32)


KNOWN: Final = {
    "": FluxUnit(calibrated=False),
    "ct": FluxUnit(calibrated=False),
    "adu": FluxUnit(calibrated=False),
    "1e-17 erg/s/cm2/Angstrom": FluxUnit(calibrated=True, line_flux=CONVERTED_LINE_FLUX),
    "1e-17 erg / (Angstrom cm2 s)": FluxUnit(calibrated=True, line_flux=CONVERTED_LINE_FLUX),
    "1e-16 erg / (Angstrom cm2 s)": FluxUnit(calibrated=True, line_flux="1e-16 erg / (cm2 s)"),
    "erg / (Angstrom cm2 s)": FluxUnit(calibrated=True, line_flux="erg / (cm2 s)"),
}
"""Units that need no parsing; the tests compare them with what astropy makes of them."""


@lru_cache(maxsize=1024)
def flux_unit(text: str) -> FluxUnit:
    """Return what a unit string means.

    Args:
        text: unit in FITS or astropy notation, for example ``1e-17 erg/s/cm2/Angstrom``; empty = dimensionless.

    Raises:
        UnitError: not parsed by astropy, or neither flux density, counts nor dimensionless.
    """
    known = KNOWN.get(text)
    if known is not None:
        return known
    if len(text) > LONGEST_TEXT:
        raise UnitError(text[:20] + "...", f"has {len(text)} characters")
    from classifiers.preprocess.unit_strings import parsed

    return parsed(text)
