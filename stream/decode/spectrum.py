"""From a decoded ``l1_spectrum`` record to identity and ``Spectrum``: every check that the engines rely on.

What is wrong with the record as a whole rejects it, naming field, expected and received. What is wrong with some pixels
(NaN, masked, zero uncertainty) is left to preprocessing, which masks them and sets quality flags; padding, flux exactly
0 up to an end, is masked here, whatever its uncertainty says, and errors that are known to be overstated are put right.
Nothing is guessed:
medium, reference frame and unit are stated by the record, or it is rejected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.preprocess.overstated import with_measured_errors
from classifiers.preprocess.padding import without_padding
from classifiers.preprocess.units import UnitError, flux_unit
from stream.decode.axes import AxisReader
from stream.decoded import Identity
from stream.errors import Reason, Rejectable

MAX_CORRECTION_KM_S: Final = 40.0
"""The Earth moves at 30.3 km/s around the Sun and 0.5 km/s at the equator at most: beyond 40 it is no correction."""
MAX_MJD: Final = 200_000
"""Observations have Modified Julian Dates below this (the year 2406) [d]."""
MAX_TEXT: Final = 1_024
"""Longest identifier [character]."""
_BARYCENTRIC: Final = frozenset({"BARYCENT", "HELIOCEN"})
_SURVEY = re.compile(r"[A-Z0-9][A-Z0-9_+./ -]{0,31}")


class Setting(NamedTuple):
    """In which frame and unit a spectrum is; the fields are those of ``Spectrum``."""

    medium: Literal["AIR", "VACUUM"]
    flux_unit: str
    velocity_correction_km_s: float
    resolving_power: float | None


class SpectrumDecoder:
    """Decodes ``l1_spectrum`` records; holds caches of checked axes, units and surveys, and no other state."""

    def __init__(self) -> None:
        self._units: dict[str, UnitError | None] = {}
        self._surveys: dict[str, str] = {}
        self.axes = AxisReader()

    def decode(self, record: Mapping[str, Any]) -> tuple[Identity, Spectrum, int]:
        """Return identity, spectrum and the bytes that its arrays hold.

        Raises:
            Rejectable: the record cannot be classified.
        """
        identity = self._identity(record)
        axis, n = self.axes.read(record)
        flux = np.asarray(record["flux"], dtype=np.float32)
        uncertainty = np.asarray(record["uncertainty"], dtype=np.float32)
        quality: NDArray[np.int32] | None = record["quality"]
        if flux.shape[0] != n:
            raise _length("flux", n, flux.shape[0])
        if uncertainty.shape[0] != n:
            raise _length("uncertainty", n, uncertainty.shape[0])
        if quality is not None and quality.shape[0] != n:
            raise _length("quality", n, quality.shape[0])
        if record["sampling"] == "DISPERSED":
            quality = without_padding(flux, uncertainty, quality)
        check_pixels(flux, uncertainty, quality)
        setting = self.setting(record)
        spectrum = Spectrum(
            axis,
            setting.medium,
            flux,
            uncertainty,
            record["uncertainty_kind"],
            setting.flux_unit,
            quality,
            setting.velocity_correction_km_s,
            setting.resolving_power,
            record["sampling"],
            record["fibre_use"] == "SKY",
            self.survey(record["survey"]),
        )
        if spectrum.sampling == "DISPERSED":
            spectrum = with_measured_errors(spectrum)
        return identity, spectrum, flux.nbytes + uncertainty.nbytes + (0 if quality is None else quality.nbytes)

    def setting(self, record: Mapping[str, Any]) -> Setting:
        """Return what the fields flux_unit, resolving_power, medium, specsys and helio_correction_km_s say.

        Raises:
            Rejectable: one of them is not known or not possible.
        """
        unit = record["flux_unit"]
        refused = self._units[unit] if unit in self._units else self._try_unit(unit)
        if refused is not None:
            raise Rejectable(
                Reason.UNKNOWN_UNIT, str(refused), field="flux_unit", expected=refused.expected, received=unit[:64]
            )
        resolving_power = record["resolving_power"]
        if resolving_power is not None and not 0 < resolving_power < math.inf:
            raise _value("resolving_power", "a finite number > 0", resolving_power)
        medium = record["medium"]
        if medium != "AIR" and medium != "VACUUM":
            raise Rejectable(
                Reason.UNKNOWN_FRAME,
                "the medium of the wavelengths is not known",
                field="medium",
                expected="AIR or VACUUM",
                received=str(medium),
            )
        velocity_km_s = _velocity_correction_km_s(record["specsys"], record["helio_correction_km_s"])
        return Setting(medium, unit, velocity_km_s, resolving_power)

    def _try_unit(self, unit: str) -> UnitError | None:
        """Return why a unit is refused, None when it is known; remembers both, because parsing costs milliseconds."""
        refused: UnitError | None = None
        try:
            flux_unit(unit)
        except UnitError as error:
            refused = error
        if len(self._units) < MAX_TEXT:
            self._units[unit] = refused
        return refused

    def _identity(self, record: Mapping[str, Any]) -> Identity:
        l1_id = record["l1_id"]
        if not l1_id or len(l1_id) > MAX_TEXT:
            raise Rejectable(
                Reason.MISSING_FIELD if not l1_id else Reason.INVALID_VALUE,
                "the spectrum has no usable identifier",
                field="l1_id",
                expected=f"1..{MAX_TEXT} characters",
                received=f"{len(l1_id)} characters",
            )
        ra_deg, dec_deg = record["ra_deg"], record["dec_deg"]
        if ra_deg is not None or dec_deg is not None:
            on_sky = ra_deg is not None and dec_deg is not None and 0 <= ra_deg <= 360 and -90 <= dec_deg <= 90
            if not on_sky:
                check_position(ra_deg, dec_deg)
        mjd_start, mjd_end = record["mjd_start"], record["mjd_end"]
        if mjd_start is not None and not 0 < mjd_start < MAX_MJD:
            raise _value("mjd_start", f"a Modified Julian Date in 0..{MAX_MJD}", mjd_start)
        if mjd_end is not None and not 0 < mjd_end < MAX_MJD:
            raise _value("mjd_end", f"a Modified Julian Date in 0..{MAX_MJD}", mjd_end)
        return Identity(
            l1_id,
            self.survey(record["survey"]),
            record["instrument"],
            record["spec_uid"],
            record["object_uid"],
            record["object_id"],
            record["cname"],
            record["programme_id"],
            record["ob_id"],
            record["fibre_id"],
            record["fibre_use"],
            record["product_level"],
            record["supersedes"],
            ra_deg,
            dec_deg,
            mjd_start,
            mjd_end,
        )

    def survey(self, text: str) -> str:
        """Return the survey's name in upper case.

        Raises:
            Rejectable: it is not a name, and so can be no metric label.
        """
        known = self._surveys.get(text)
        if known is not None:
            return known
        survey = text.strip().upper()
        if not _SURVEY.fullmatch(survey):
            raise Rejectable(
                Reason.MISSING_FIELD if not survey else Reason.INVALID_VALUE,
                "the survey is not named",
                field="survey",
                expected="an upper-case name of at most 32 characters",
                received=repr(text[:64]),
            )
        if len(self._surveys) < MAX_TEXT:
            self._surveys[text] = survey
        return survey


def check_position(ra_deg: float | None, dec_deg: float | None) -> None:
    """Check ICRS coordinates in degrees.

    Raises:
        Rejectable: one is missing, not finite or out of range.
    """
    for field, value, low, high in (("ra_deg", ra_deg, 0.0, 360.0), ("dec_deg", dec_deg, -90.0, 90.0)):
        if value is None or not low <= value <= high:
            raise Rejectable(
                Reason.IMPLAUSIBLE_POSITION,
                f"{field} is not on the sky",
                field=field,
                expected=f"{low:g}..{high:g}",
                received=str(value),
            )


def _velocity_correction_km_s(specsys: str, correction_km_s: float | None) -> float:
    """Return the velocity that brings the wavelengths to the barycentre.

    Heliocentric wavelengths are within 0.02 km/s of barycentric ones and are taken as they are.
    """
    if correction_km_s is not None and not abs(correction_km_s) <= MAX_CORRECTION_KM_S:
        raise _value("helio_correction_km_s", f"at most {MAX_CORRECTION_KM_S:g} km/s either way", correction_km_s)
    if specsys in _BARYCENTRIC:
        if correction_km_s:
            raise Rejectable(
                Reason.UNKNOWN_FRAME,
                f"specsys {specsys} says that the correction is applied, helio_correction_km_s that it is not",
                field="helio_correction_km_s",
                expected="null or 0 with BARYCENT or HELIOCEN",
                received=f"{correction_km_s:g}",
            )
        return 0.0
    if specsys == "TOPOCENT" and correction_km_s is not None:
        return correction_km_s
    raise Rejectable(
        Reason.UNKNOWN_FRAME,
        "the reference frame of the wavelengths is not known",
        field="helio_correction_km_s" if specsys == "TOPOCENT" else "specsys",
        expected="BARYCENT, HELIOCEN, or TOPOCENT with helio_correction_km_s",
        received="TOPOCENT without it" if specsys == "TOPOCENT" else repr(specsys[:64]),
    )


def check_pixels(
    flux: NDArray[np.float32], uncertainty: NDArray[np.float32], quality: NDArray[np.int32] | None
) -> None:
    """Check that one pixel at least is valid; looks at the middle one first, because nearly always it is.

    Valid means: not masked, finite flux, finite uncertainty above 0 (an infinite SIGMA or VARIANCE and a zero IVAR both
    say that nothing is known).
    """
    middle = flux.shape[0] // 2
    told = math.isfinite(flux.item(middle)) and 0 < uncertainty.item(middle) < math.inf
    if told and (quality is None or quality.item(middle) == 0):
        return
    valid = np.isfinite(flux) & (uncertainty > 0) & (uncertainty < np.inf)
    good = None if quality is None else quality == 0
    if good is not None:
        valid &= good
    if valid.any():
        return
    counts = f"{int(np.isfinite(flux).sum())} finite fluxes, {int((uncertainty > 0).sum())} positive uncertainties"
    if good is not None:
        counts += f", {int(good.sum())} pixels of good quality"
    raise Rejectable(
        Reason.NO_VALID_PIXELS,
        "no pixel of the spectrum is valid",
        field="flux" if good is None or good.any() else "quality",
        expected="at least one pixel with finite flux, finite uncertainty > 0 and quality 0",
        received=f"none of {flux.shape[0]}: {counts}",
    )


def _length(field: str, expected: int, received: int) -> Rejectable:
    return Rejectable(
        Reason.LENGTH_MISMATCH,
        f"{field} has another length than the wavelength axis",
        field=field,
        expected=f"{expected} pixels",
        received=f"{received} pixels",
    )


def _value(field: str, expected: str, received: float) -> Rejectable:
    return Rejectable(
        Reason.INVALID_VALUE,
        f"{field}: expected {expected}, received {received:g}",
        field=field,
        expected=expected,
        received=f"{received:g}",
    )
