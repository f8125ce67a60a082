"""Forms of simulated record: which instrument sees the spectrum, on which pixels, and what the record says of them.

``SDSS`` (3,872 px), ``BOSS`` (4,600 px) and ``LAMOST`` (3,909 px, as since DR8: relative flux, without a unit) lie on
parts of the native grid: LOG10, vacuum, heliocentric. ``DESI`` is three arms joined (7,781 px, LINEAR grid, vacuum),
``4MOST_LRS`` 23,201 px (LINEAR grid, air), ``WEAVE`` both low-resolution arms joined (23,721 px, LINEAR grid, air,
detector gaps masked) and ``4MOST_HRS`` three arms of 13,761 px with gaps (inline wavelengths, air). Records state the
resolving power that emission lines have in the middle of their range, native pixels included, since line widths are
corrected by it; LAMOST's state what its files do. Absorption lines are SDSS's (R of about 2,000) in every form. That of
the high-resolution form is the instrument's, since bundles decline a spectrum by it: its pixels, windows and noise are
the instrument's, too, its lines are no narrower than those of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, Float64
from classifiers.training.simulation.instruments import BY_NAME, Instrument
from classifiers.training.simulation.resample import (
    DESI_PIXELS,
    DESI_START_ANGSTROM,
    DESI_STEP_ANGSTROM,
    LRS_PIXELS,
    LRS_START_ANGSTROM,
    LRS_STEP_ANGSTROM,
    WEAVE_PIXELS,
    WEAVE_START_ANGSTROM,
    WEAVE_STEP_ANGSTROM,
    Resampling,
    desi_wavelength,
    high_resolution_wavelength,
    low_resolution_wavelength,
    weave_wavelength,
)

FLUX_UNIT: Final = "1e-17 erg/s/cm2/Angstrom"
EXPOSURE_S: Final = 1200.0


@dataclass(frozen=True, slots=True)
class _Form:
    """What makes a form.

    Attributes:
        instrument: name in ``instruments.NAMES``.
        chunk: how many spectra are drawn at a time.
        resolving_power: that records state.
        specsys: frame of the wavelengths that records state.
        fields: that differ from those of other forms.
    """

    instrument: str
    chunk: int
    resolving_power: float
    specsys: str = "BARYCENT"
    fields: tuple[tuple[str, Any], ...] = ()


_SLOAN: Final = 2000.0
"""Resolving power of SDSS and BOSS."""
# LAMOST's flux has no unit, and its documentation says nothing of telluric correction.
_LAMOST_FIELDS = (("flux_unit", ""), ("flux_calibration", "RELATIVE"), ("telluric_corrected", None))
_FORMS: Final[Mapping[str, _Form]] = {
    "SDSS": _Form("SDSS", 256, _SLOAN, "HELIOCEN"),
    "BOSS": _Form("BOSS", 256, _SLOAN, "HELIOCEN"),
    "LAMOST": _Form("LAMOST_BRIGHT", 256, 1800.0, "HELIOCEN", _LAMOST_FIELDS),
    "DESI": _Form("DESI", 128, 3000.0),
    "4MOST_LRS": _Form("4MOST_LRS", 64, 4400.0),
    "WEAVE": _Form("WEAVE", 64, 4000.0),
    "4MOST_HRS": _Form("4MOST_HRS", 32, 20_000.0),
}
FORMS: Final = tuple(_FORMS)
# First native pixel and number of pixels: the real spectra that the noise shapes come from lie within.
_NATIVE: Final[Mapping[str, tuple[int, int]]] = {"SDSS": (280, 3872), "BOSS": (40, 4600), "LAMOST": (182, 3909)}
_LINEAR: Final[Mapping[str, tuple[str, float, float, int, Callable[[], Float64]]]] = {
    "DESI": ("VACUUM", DESI_START_ANGSTROM, DESI_STEP_ANGSTROM, DESI_PIXELS, desi_wavelength),
    "4MOST_LRS": ("AIR", LRS_START_ANGSTROM, LRS_STEP_ANGSTROM, LRS_PIXELS, low_resolution_wavelength),
    "WEAVE": ("AIR", WEAVE_START_ANGSTROM, WEAVE_STEP_ANGSTROM, WEAVE_PIXELS, weave_wavelength),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a form of record lays out its pixels.

    Attributes:
        form: its name.
        instrument: that sees the spectrum.
        chunk: how many spectra are drawn at a time.
        fields: of ``l1_spectrum`` that all records of the form share.
        cut: native pixels that become the record's; of no meaning where there is a resampling.
        resampling: to the record's pixels; None where they are native ones.
    """

    form: str
    instrument: Instrument
    chunk: int
    fields: Mapping[str, Any]
    cut: slice
    resampling: Resampling | None

    @staticmethod
    def of(form: str) -> Layout:
        """Return the layout of a form.

        Raises:
            ValueError: there is no such form.
        """
        if form not in _FORMS:
            raise ValueError(f"form: expected one of {', '.join(FORMS)}, got {form!r}")
        made, cut, resampling, wavelength = _FORMS[form], slice(None), None, None
        if form in _NATIVE:
            first, n = _NATIVE[form]
            start = round(LOG10_START + first * LOG10_STEP, 6)
            medium, grid = "VACUUM", {"kind": "LOG10", "start": start, "step": LOG10_STEP, "n": n}
            cut = slice(first, first + n)
        elif form in _LINEAR:
            medium, start, step, n, axis = _LINEAR[form]
            grid = {"kind": "LINEAR", "start": start, "step": step, "n": n}
            resampling = Resampling.to_air(axis()) if medium == "AIR" else Resampling.to_vacuum(axis())
        else:
            medium, grid, wavelength = "AIR", None, high_resolution_wavelength()
            wavelength.setflags(write=False)
            resampling = Resampling.to_air(wavelength)
        fields = {
            "survey": "SIMULATED",
            "instrument": form,
            "product_level": "JOINED",
            "n_combine": 3,
            "pipeline_name": "specstream simulate",
            "exptime_s": EXPOSURE_S,
            "wavelength": wavelength,
            "grid": grid,
            "medium": medium,
            "specsys": made.specsys,
            "resolving_power": made.resolving_power,
            "flux_unit": FLUX_UNIT,
            "flux_calibration": "ABSOLUTE",
            "uncertainty_kind": "IVAR",
            "sky_subtracted": True,
            "telluric_corrected": True,
            "dereddened": False,
            "sampling": "DISPERSED",
            **dict(made.fields),
        }
        return Layout(form, BY_NAME[made.instrument], made.chunk, fields, cut, resampling)
