"""The unit in which a spectrum's line fluxes are published; it depends on the unit of its flux alone.

Lines are measured on F_lambda divided by ``scale`` (``classifiers.preprocess.prepare``) and multiplied by it. So they
come in the unit of the spectrum times Angstrom where it is per wavelength, whatever unit of wavelength it names, and
in 1e-17 erg / (cm2 s) where it is per frequency or in photons, pixel by pixel at the energy of its wavelength.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from classifiers.classifier import Lines
from classifiers.items import Spectrum
from classifiers.preprocess.units import flux_unit


def with_flux_units(lines: Lines, spectra: Sequence[Spectrum]) -> Lines:
    """Return the lines of n spectra with their flux units: None where none is measured or the flux not calibrated."""
    measured = np.logical_or.reduce(np.isfinite(lines.flux), axis=1)
    units = [flux_unit(spectrum.flux_unit).line_flux if measured[row] else None for row, spectrum in enumerate(spectra)]
    return replace(lines, flux_unit=units)
