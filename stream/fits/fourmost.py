"""What the two kinds of 4MOST files share: codes of the data exchange unit, frame, names.

4MOST's L1 products (data exchange unit VIS-TNO-4MOST-47110-0143-0001) have air wavelengths and heliocentric velocities:
the full mock files state both (TUCD ``em.wl;obs.atmos``, SPECSYS HELIOCEN, HELIOCR as *applied*), bare ones neither.
"""

from __future__ import annotations

import re
from typing import Any, Final

from stream.fits.columns import Column
from stream.fits.frames import Frame, documented, medium_of_header, medium_of_ucd, specsys_of
from stream.fits.opening import Extension, FitsFile

SURVEY: Final = "4MOST"
INSTRUMENT: Final = "QMOST"

_DOCUMENT: Final = "4MOST's L1 data exchange unit (VIS-TNO-4MOST-47110-0143)"

# FIB_USE, as the header comments say: 1:OBJ 2:REF 3:SKY 4:CAL 5:ACT.GUID 6:INACT.GUID
_FIBRE_USE: Final = {1: "OBJECT", 2: "STANDARD", 3: "SKY"}
_SPECTROGRAPHS: Final = {1: "LRS-A", 2: "LRS-B", 3: "HRS"}
# File and provenance names hold resolution (L, H), arm (B, G, R, or J for joined) and stack level: LJ1, HB11.
_PRODUCT: Final = re.compile(r"(?:^|_)([LH])([BGRJ])(\d+)(?=_|\.|$)")
ARM_NAMES: Final = {"B": "BLUE", "G": "GREEN", "R": "RED"}


def fibre_use(code: Any) -> str:
    """Return the Avro symbol of a FIB_USE code; OBJECT where there is no code."""
    return "OBJECT" if code is None else _FIBRE_USE.get(int(code), "OTHER")


def spectrograph(path: Any, root: Any) -> str | None:
    """Return the spectrograph from PATH, else from the FIB_ROOT code."""
    if path:
        return str(path)
    return None if root is None else _SPECTROGRAPHS.get(int(root))


def product_of(name: str) -> tuple[str, str, str] | None:
    """Return resolution, arm and stack level that a file's name states, or None."""
    match = _PRODUCT.search(name)
    return None if match is None else (match.group(1), match.group(2), match.group(3))


def frame_of(file: FitsFile, table: Extension, wave: Column | None, *ctype_keywords: str) -> Frame:
    """Return the frame: from UCD, VACUUM, AIRORVAC or CTYPE and SPECSYS, else from 4MOST's documentation."""
    assumptions = []
    medium = None if wave is None else medium_of_ucd(wave.ucd)
    medium = medium or medium_of_header(table.header, *ctype_keywords) or medium_of_header(file.primary)
    if medium is None:
        medium = "AIR"
        assumptions.append(documented("medium", medium, _DOCUMENT))
    specsys = specsys_of(table.header, file.primary)
    if specsys is None:
        specsys = "HELIOCEN"
        assumptions.append(documented("specsys", specsys, _DOCUMENT))
    if specsys == "TOPOCENT":
        raise table.error("4MOST L1 spectra are heliocentric; TOPOCENT without a velocity is not supported", "SPECSYS")
    return Frame(medium, specsys, assumptions=tuple(assumptions))
