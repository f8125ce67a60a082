"""Flux, uncertainty and calibration of 4MOST spectra, from the columns that state them.

High-resolution files add SENSFUNC beside a FLUX in counts. Which way it is to be applied is taken from its own unit and
never guessed: where FLUX x SENSFUNC is a flux density, that product is the spectrum, absolutely calibrated, and its
uncertainty becomes a SIGMA (inverse variances of 1e-17 erg/s/cm2/Angstrom reach the end of float32). Anything else
leaves FLUX in its own unit, UNCALIBRATED, and the record says why. A FLUX that is a flux density already was multiplied
by the pipeline (TUNIT, FLUXCAL ABSOLUTE) and is taken as it is.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.fits.joining import ivar_of_sigma
from stream.fits.opening import Extension
from stream.fits.records import flux_unit_of
from stream.fits.rows import Rows
from stream.fits.units import UnitError, canonical_flux_unit, is_flux_density

_CALIBRATIONS: Final = {"ABSOLUTE", "RELATIVE", "UNCALIBRATED"}


class FluxColumns:
    """The flux columns of a table of spectra, and what their header says of them."""

    def __init__(self, table: Extension) -> None:
        columns = table.columns
        flux, error = columns.require("FLUX"), columns.require("FLUX_IVAR", "ERR_FLUX")
        self._error = error.name
        self._kind = "IVAR" if error.name.upper() == "FLUX_IVAR" else "SIGMA"
        self._unit = flux_unit_of(table, f"TUNIT{flux.number}", flux.unit)
        self._assumptions: tuple[str, ...] = ()
        if flux.unit is None:
            self._assumptions = (f"flux unit: TUNIT{flux.number} is missing, taken as dimensionless",)
        self._sensitivity: str | None = None
        self._in_counts = False
        sensitivity = columns.find("SENSFUNC")
        if sensitivity is None or is_flux_density(self._unit):
            return
        calibrated = _product_unit(flux.unit, sensitivity.unit)
        if calibrated is None:
            why = "is missing" if sensitivity.unit is None else f"{sensitivity.unit!r} makes no flux density of FLUX"
            sentence = f"flux_calibration UNCALIBRATED: SENSFUNC is not applied, its TUNIT{sensitivity.number} {why}"
            self._assumptions = (*self._assumptions, sentence)
            self._in_counts = True
        else:
            self._sensitivity, self._unit = sensitivity.name, calibrated

    def of_row(self, rows: Rows, row: int, *, stated: Any, normalised: Any) -> dict[str, Any]:
        """Return the fields of one spectrum that concern its flux.

        Args:
            rows: rows of the table.
            row: which of them.
            stated: FLUXCAL, or None.
            normalised: CONTNORM, or None.
        """
        flux, uncertainty = np.ravel(rows.array("FLUX")[row]), np.ravel(rows.array(self._error)[row])
        calibration, assumptions = _calibration(stated, normalised, self._unit)
        if self._in_counts and calibration != "NORMALIZED":
            calibration, assumptions = "UNCALIBRATED", ()  # whatever FLUXCAL says of FLUX x SENSFUNC
        kind = self._kind
        if self._sensitivity is not None:
            factor = np.ravel(rows.array(self._sensitivity)[row]).astype(np.float64)
            flux, uncertainty = _calibrated(flux, uncertainty, kind, factor)
            kind, calibration, assumptions = "SIGMA", "ABSOLUTE", ("flux_calibration ABSOLUTE: FLUX x SENSFUNC",)
        return {
            "flux": flux,
            "flux_unit": self._unit,
            "uncertainty": uncertainty,
            "uncertainty_kind": kind,
            "flux_calibration": calibration,
            "assumptions": (*self._assumptions, *assumptions),
        }


def _product_unit(flux: str | None, sensitivity: str | None) -> str | None:
    """Return the canonical unit of flux x sensitivity where it is a flux density, else None."""
    if flux is None or sensitivity is None:
        return None
    try:
        unit = canonical_flux_unit(f"({flux}) * ({sensitivity})")
    except UnitError:
        return None
    return unit if is_flux_density(unit) else None


def _calibrated(
    flux: NDArray[Any], uncertainty: NDArray[Any], kind: str, factor: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return flux and sigma, (n,) float64 in flux x factor; NaN where the factor or the uncertainty is void."""
    ivar = np.asarray(uncertainty, dtype=np.float64) if kind == "IVAR" else ivar_of_sigma(uncertainty)
    usable = np.isfinite(factor) & (factor > 0)
    measured = usable & np.isfinite(ivar) & (ivar > 0)
    sigma = np.where(measured, factor / np.sqrt(np.where(measured, ivar, 1.0)), np.nan)
    return np.where(usable, flux * np.where(usable, factor, 1.0), np.nan), sigma


def _calibration(stated: Any, normalised: Any, unit: str) -> tuple[str, tuple[str, ...]]:
    """Return flux_calibration and assumptions from FLUXCAL, CONTNORM and the unit."""
    if normalised is True:
        return "NORMALIZED", ()
    word = str(stated or "").strip().upper()
    if word in _CALIBRATIONS:
        return word, ()
    guessed = "ABSOLUTE" if is_flux_density(unit) else "UNCALIBRATED"
    return guessed, (f"flux_calibration {guessed}: FLUXCAL is missing, taken from the flux unit",)
