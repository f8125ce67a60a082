"""The lines that are measured, the complexes in which they are fitted, and where both lie in the rest frame.

Ties and windows follow SDSS's own line fit (``spZline``; Bolton et al. 2012, AJ 144, 144, and the data model of its
files): every line is one Gaussian; all share the redshift but Lyman alpha; widths are tied within a group; [O III] and
[N II] have fixed ratios; the continuum below the lines is a straight line over 0.030 dex around each line, windows that
overlap being one. Departures: C IV, He II 1640, C III] and Mg II have a width of their own instead of that of the
forbidden lines (``rule`` accounts for it), and weak lines are left out, with the windows that they add.

Wavelengths are vacuum Angstrom: forbidden and Balmer lines from the NIST Atomic Spectra Database (observed), lines of
quasars from the composite of Vanden Berk et al. (2001, AJ 122, 549, Table 2), so that their mean shifts against the
systemic redshift are in the wavelengths.

Positions are in bins of the common grid: rest-frame bin j is where the observed bin j + k lies for an object whose
log10(1 + z) is k bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.preprocess.grid import COMMON_GRID

C_KM_S = 299_792.458
STEP = COMMON_GRID.log10_step
BIN_KM_S = C_KM_S * np.log(10.0) * STEP
"""Width of a bin of the common grid [km/s]."""

NARROW, BALMER, ULTRAVIOLET, LYMAN, NITROGEN = range(5)
"""Width groups; the non-linear parameters 0 .. 4 are their log widths [ln bins]."""
WIDTHS = 5
SHIFT, LYMAN_SHIFT = 5, 6
"""Non-linear parameters: the shift of all lines but Lyman alpha, and that of Lyman alpha [bins]."""
PARAMETERS = 7

HALF_WINDOW = round(0.015 / STEP)
"""A complex reaches this many bins beyond its outer lines."""


@dataclass(frozen=True, slots=True)
class Line:
    """One amplitude of the fit.

    Attributes:
        name: as in the L2 record.
        group: width group.
        parts: (vacuum Angstrom, share) of the components whose ratio is fixed; the first names the line.
        reported: share of the total that ``name`` stands for.
    """

    name: str
    group: int
    parts: tuple[tuple[float, float], ...]
    reported: float = 1.0

    @property
    def shift(self) -> int:
        """Return the parameter that is its velocity shift."""
        return LYMAN_SHIFT if self.group == LYMAN else SHIFT


@dataclass(frozen=True, slots=True)
class Complex:
    """Lines that are fitted together with one straight continuum.

    Attributes:
        lines: its lines.
        first, n: rest-frame bins first .. first + n - 1.
        start: column of its first bin among ``COLUMNS``.
        line: place of its first line in ``LINES``.
        parameters: non-linear parameters that its lines depend on.
    """

    lines: tuple[Line, ...]
    first: int
    n: int
    start: int
    line: int
    parameters: tuple[int, ...]


def rest_bin(wavelength_angstrom: float) -> float:
    """Return the position of a rest wavelength [bins]."""
    return (float(np.log10(wavelength_angstrom)) - COMMON_GRID.log10_start) / STEP


# Fixed ratios: [O III] and [N II] from Storey & Zeippen (2000, MNRAS 312, 813), [O II] near its low-density limit
# (Osterbrock & Ferland 2006, Astrophysics of Gaseous Nebulae, Fig. 5.8).
_COMPLEXES = (
    (Line("Ly alpha", LYMAN, ((1216.25, 1.0),)), Line("N V 1240", NITROGEN, ((1239.85, 1.0),))),
    (Line("C IV 1549", ULTRAVIOLET, ((1546.15, 1.0),)), Line("He II 1640", ULTRAVIOLET, ((1637.85, 1.0),))),
    (Line("C III] 1909", ULTRAVIOLET, ((1905.97, 1.0),)),),
    (Line("Mg II 2799", ULTRAVIOLET, ((2800.26, 1.0),)),),
    (Line("[O II] 3727", NARROW, ((3727.10, 0.42), (3729.86, 0.58))),),
    (Line("H delta", BALMER, ((4102.892, 1.0),)),),
    (Line("H gamma", BALMER, ((4341.692, 1.0),)), Line("[O III] 4363", NARROW, ((4364.436, 1.0),))),
    (
        Line("H beta", BALMER, ((4862.71, 1.0),)),
        Line("[O III] 5007", NARROW, ((5008.240, 2.98 / 3.98), (4960.295, 1.0 / 3.98)), 2.98 / 3.98),
    ),
    (
        Line("H alpha", BALMER, ((6564.60, 1.0),)),
        Line("[N II] 6583", NARROW, ((6585.27, 3.05 / 4.05), (6549.86, 1.0 / 4.05)), 3.05 / 4.05),
        Line("[S II] 6716", NARROW, ((6718.294, 1.0),)),
        Line("[S II] 6731", NARROW, ((6732.674, 1.0),)),
    ),
)


def _placed() -> tuple[Complex, ...]:
    found: list[Complex] = []
    start = line = 0
    for lines in _COMPLEXES:
        centres = [rest_bin(wavelength) for each in lines for wavelength, _ in each.parts]
        first, last = round(min(centres)) - HALF_WINDOW, round(max(centres)) + HALF_WINDOW
        parameters = sorted({each.group for each in lines} | {each.shift for each in lines})
        found.append(Complex(lines, first, last - first + 1, start, line, tuple(parameters)))
        start += last - first + 1
        line += len(lines)
    return tuple(found)


COMPLEXES = _placed()
LINES = tuple(line for part in COMPLEXES for line in part.lines)
NAMES = tuple(line.name for line in LINES)
GROUPS: NDArray[np.int64] = np.array([line.group for line in LINES])
"""(K,) width group of each line."""
REST_ANGSTROM: NDArray[np.float64] = np.array([line.parts[0][0] for line in LINES])
"""(K,) vacuum Angstrom of what each line's name stands for."""
REPORTED: NDArray[np.float64] = np.array([line.reported for line in LINES])
"""(K,) share of each amplitude that the line's name stands for."""
COLUMNS: NDArray[np.int64] = np.concatenate([part.first + np.arange(part.n) for part in COMPLEXES])
"""Rest-frame bins of the gathered columns, complex by complex."""
