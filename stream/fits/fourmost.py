"""What the two kinds of 4MOST files share: codes of the data exchange unit, frame, names.

4MOST's L1 products (data exchange unit VIS-TNO-4MOST-47110-0143-0001) have air wavelengths and heliocentric velocities:
the full mock files state both (TUCD ``em.wl;obs.atmos``, SPECSYS HELIOCEN, HELIOCR as *applied*), bare ones neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from stream.fits.columns import Column
from stream.fits.frames import Frame, corrected_frame, medium_of_header, medium_of_ucd
from stream.fits.opening import Extension, FitsFile
from stream.fits.records import magnitude

SURVEY: Final = "4MOST"
INSTRUMENT: Final = "QMOST"

_DOCUMENT: Final = "4MOST's L1 data exchange unit (VIS-TNO-4MOST-47110-0143)"

# FIB_USE, as the header comments say: 1:OBJ 2:REF 3:SKY 4:CAL 5:ACT.GUID 6:INACT.GUID
_FIBRE_USE: Final = {1: "OBJECT", 2: "STANDARD", 3: "SKY"}
_SPECTROGRAPHS: Final = {1: "LRS-A", 2: "LRS-B", 3: "HRS"}
# Arms that estimate SDSS-like magnitudes of the catalogue: OBJ_BL, OBJ_GR, OBJ_RD.
_BANDS: Final = (("BL", "g"), ("GR", "r"), ("RD", "i"))
# File and provenance names hold resolution (L, H), arm (B, G, R, or J for joined) and stack level: LJ1, HB11.
_PRODUCT: Final = re.compile(r"(?P<before>(?:.*_)?[LH])(?P<arm>[BGRJ])(?P<after>\d+(?:[_.].*)?)")
_ARM_NAMES: Final = {"B": "BLUE", "G": "GREEN", "R": "RED"}


@dataclass(frozen=True, slots=True)
class Product:
    """What the name of a product states.

    Attributes:
        before, after: the name without the letter of the arm, which all arms of an exposure share.
        arm: BLUE, GREEN or RED; None for joined arms.
    """

    before: str
    arm: str | None
    after: str


def fibre_use(code: Any) -> str:
    """Return the Avro symbol of a FIB_USE code; OBJECT where there is no code."""
    return "OBJECT" if code is None else _FIBRE_USE.get(int(code), "OTHER")


def spectrograph(path: Any, root: Any) -> str | None:
    """Return the spectrograph from PATH, else from the FIB_ROOT code."""
    if path:
        return str(path)
    return None if root is None else _SPECTROGRAPHS.get(int(root))


def product_of(name: str) -> Product | None:
    """Return what the name of a product states, or None where it is none of 4MOST's."""
    match = _PRODUCT.fullmatch(name)
    if match is None:
        return None
    return Product(match["before"], _ARM_NAMES.get(match["arm"]), match["after"])


def arm_of(name: str) -> str | None:
    """Return the arm that the name of a product states; None for joined arms and other names."""
    product = product_of(name)
    return None if product is None else product.arm


def frame_of(file: FitsFile, table: Extension, wave: Column | None, *ctype_keywords: str) -> Frame:
    """Return the frame: from UCD, VACUUM, AIRORVAC or CTYPE and SPECSYS, else from 4MOST's documentation."""
    stated = None if wave is None else medium_of_ucd(wave.ucd)
    stated = stated or medium_of_header(table.header, *ctype_keywords) or medium_of_header(file.primary)
    return corrected_frame(
        stated, table.header, file.primary, medium=("AIR", _DOCUMENT), specsys=("HELIOCEN", _DOCUMENT)
    )


def magnitudes(value: Callable[[str], Any]) -> list[dict[str, Any]]:
    """Return the catalogue magnitudes of a target; ``value`` gives ``<code>`` and its error ``<code>ER``, or None."""
    return [entry for code, band in _BANDS for entry in magnitude(band, "AB", value(code), value(f"{code}ER"))]
