"""In which medium and frame wavelengths are: from the header, or from the survey's documentation, never guessed.

Air and vacuum differ by 83 km/s at 5000 Angstrom, topocentric and barycentric wavelengths by up to 30 km/s. Where a
file does not say, the reader of its survey passes what the survey's documentation says, and the record carries that
sentence in ``assumptions``. Where neither says, the file is refused.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from astropy import units as u
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers
from astropy.utils.exceptions import AstropyWarning

from stream.fits.headers import Header
from stream.fits.opening import FitsFile

Medium: TypeAlias = Literal["AIR", "VACUUM"]

# Already free of the Earth's motion; both agree to 13 m/s, far below what classification resolves.
_CORRECTED: Final = {"HELIOCEN", "BARYCENT"}

# Geodetic longitude [deg, east], latitude [deg], height [m] of ESO's telescopes, as ESO publishes them.
_SITES: Final = {
    "ESO-VLT": (-70.4045, -24.6268, 2635.0),
    "ESO-VISTA": (-70.3976, -24.6157, 2518.0),
    "ESO-VST": (-70.4033, -24.6264, 2635.0),
    "ESO-NTT": (-70.7317, -29.2584, 2375.0),
    "ESO-3.6": (-70.7317, -29.2612, 2400.0),
    "ESO-2.2": (-70.7367, -29.2543, 2335.0),
    "MPI-2.2": (-70.7367, -29.2543, 2335.0),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """Medium and frame of a wavelength axis.

    Attributes:
        medium: AIR or VACUUM.
        specsys: FITS SPECSYS.
        helio_correction_km_s: velocity to add: wavelength x (1 + v/c) is barycentric; None when already applied.
        assumptions: one sentence for each part that the file itself does not state.
    """

    medium: Medium
    specsys: str
    helio_correction_km_s: float | None = None
    assumptions: tuple[str, ...] = ()

    def fields(self) -> dict[str, object]:
        """Return the fields of an l1_spectrum record."""
        return {
            "medium": self.medium,
            "specsys": self.specsys,
            "helio_correction_km_s": self.helio_correction_km_s,
        }


def medium_of_ucd(ucd: str) -> Medium | None:
    """Return the medium that a wavelength column's UCD states (ESO Phase 3: ``em.wl;obs.atmos`` is air), or None."""
    words = [word.strip() for word in ucd.lower().split(";")]
    if "em.wl" not in words:
        return None
    return "AIR" if "obs.atmos" in words else "VACUUM"


def medium_of_header(header: Header, *ctype_keywords: str) -> Medium | None:
    """Return the medium that keywords state: VACUUM, AIRORVAC, or a CTYPE of FITS Paper III (AWAV air, WAVE vacuum)."""
    vacuum = header.get("VACUUM")
    if isinstance(vacuum, bool):
        return "VACUUM" if vacuum else "AIR"
    air_or_vacuum = (header.text("AIRORVAC") or "").lower()
    if air_or_vacuum in {"air", "vac", "vacuum"}:
        return "AIR" if air_or_vacuum == "air" else "VACUUM"
    for keyword in ctype_keywords:
        match = re.fullmatch(r"(AWAV|WAVE)(-[A-Z0-9]{3})?", (header.text(keyword) or "").upper())
        if match:
            return "AIR" if match.group(1) == "AWAV" else "VACUUM"
    return None


def specsys_of(*headers: Header) -> str | None:
    """Return SPECSYS of the first header that has it; raises FitsError where it names an unsupported frame."""
    for header in headers:
        written = header.text("SPECSYS")
        if written is not None:
            name = written.upper()
            if name not in _CORRECTED | {"TOPOCENT"}:
                message = f"the frame {written!r} is not supported; expected TOPOCENT, HELIOCEN or BARYCENT"
                raise header.error(message, "SPECSYS")
            return name
    return None


def corrected_frame(
    stated: Medium | None, *headers: Header, medium: tuple[Medium, str], specsys: tuple[str, str]
) -> Frame:
    """Return the frame of a survey whose wavelengths are free of the Earth's motion.

    Args:
        stated: the medium that the file states, or None.
        headers: where SPECSYS may stand; the first one is named where it contradicts.
        medium: what the survey's documentation says where the file is silent, and the name of that documentation.
        specsys: the same for the frame.
    """
    assumptions = [] if stated is not None else [documented("medium", *medium)]
    written = specsys_of(*headers)
    if written is None:
        assumptions.append(documented("specsys", *specsys))
    if written == "TOPOCENT":
        raise headers[0].error(f"expected {specsys[0]}; TOPOCENT without a velocity is not supported", "SPECSYS")
    return Frame(stated or medium[0], written or specsys[0], assumptions=tuple(assumptions))


def documented(what: str, value: str, source: str) -> str:
    """Return the sentence for ``assumptions`` that a value comes from documentation."""
    return f"{what} {value}: not stated in the file, taken from {source}"


def barycentric_correction_km_s(
    *, ra_deg: float, dec_deg: float, mjd_mid: float, longitude_deg: float, latitude_deg: float, height_m: float
) -> float:
    """Return the velocity [km/s] to add to topocentric wavelengths to reach the barycentre.

    Wright & Eastman 2014 (PASP 126, 838) to the precision of a single multiplication, as astropy computes it. Earth
    orientation comes from the tables that ship with astropy: nothing is downloaded, and that they are old, or end
    before the date, is let go, since it concerns arcseconds of polar motion and milliseconds of UT1.
    """
    with (
        iers.conf.set_temp("auto_download", value=False),
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", AstropyWarning)
        warnings.filterwarnings("ignore", message="ERFA function")
        site = EarthLocation.from_geodetic(longitude_deg * u.deg, latitude_deg * u.deg, height_m * u.m)
        target = SkyCoord(ra_deg * u.deg, dec_deg * u.deg)
        time = Time(mjd_mid, format="mjd", scale="utc")
        correction = target.radial_velocity_correction("barycentric", obstime=time, location=site)
    return float(correction.to_value(u.km / u.s))


def site_of(file: FitsFile) -> tuple[float, float, float] | None:
    """Return longitude [deg], latitude [deg], height [m] of the telescope: from its own keywords, else TELESCOP."""
    header = file.primary
    for keywords in (
        ("ESO TEL GEOLON", "ESO TEL GEOLAT", "ESO TEL GEOELEV"),
        ("LONGITUD", "LATITUDE", "HEIGHT"),
    ):
        longitude, latitude, height = (header.number(keyword) for keyword in keywords)
        if longitude is not None and latitude is not None and height is not None:
            return longitude, latitude, height
    telescope = (header.text("TELESCOP") or "").upper()
    return next((place for name, place in _SITES.items() if telescope.startswith(name)), None)
