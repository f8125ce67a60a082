"""Errors that LAMOST's first release overstates: they are three times as large within 10 Angstrom of eleven lines.

These are the lines that stars are measured by. In each of the 177 spectra of that release (pipeline 2.6.4) at hand
stated errors step up there by 2.7 to 4.6, as medians over a line, while neighbouring pixels differ as little as beside
it: the spectra are as good there as elsewhere. The record's own errors tell, so that no name of a survey is needed: at
1,831 of 1,831 lines they step in that release, at 1 of 4,199 in 382 spectra of later ones, of SDSS and of BOSS.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled
from classifiers.items import Spectrum
from classifiers.preprocess.axis import AxisKey, axis_key, pixel_edges

Floats = NDArray[np.float32]

LINES_ANGSTROM: Final = (4862.0, 5176.0, 6563.5, 4102.5, 4341.0, 4304.5, 3970.5, 3934.0, 8541.0, 8662.0, 8498.5)
"""In vacuum; those first that most spectra show, since three lines without a step tell a spectrum of another survey."""
OVERSTATED: Final = 3.0
"""Stated over true errors."""
_CORE, _REACH, _BESIDE = 8.0, 12.0, 22.0
_STEP = 2.0
_LEAST_SEEN, _MOST_WITHOUT = 5, 2
_POWER: Final = {"SIGMA": 1.0, "VARIANCE": 2.0, "IVAR": -2.0}


def with_measured_errors(spectrum: Spectrum) -> Spectrum:
    """Return a dispersed spectrum with errors as they were measured; itself where they are not overstated so."""
    measured = measured_errors(spectrum.uncertainty, spectrum.uncertainty_kind, axis_key(spectrum))
    return spectrum if measured is spectrum.uncertainty else replace(spectrum, uncertainty=measured)


def measured_errors(uncertainty: Floats, kind: str, key: AxisKey) -> Floats:
    """Return uncertainties as they were measured, (n,); the array that was given where they are not overstated so.

    Args:
        uncertainty: (n,), n at least 1.
        kind: SIGMA, VARIANCE or IVAR.
        key: of the axis of n pixels.
    """
    places, power = _places(key), _POWER[kind]
    if len(places) < _LEAST_SEEN or not _steps(uncertainty, places, power):
        return uncertainty
    measured = uncertainty.copy()
    _divide(measured, places, power)
    measured.setflags(write=False)
    return measured


@lru_cache(maxsize=256)
def _places(key: AxisKey) -> NDArray[np.int64]:
    """Return where the lines are on an axis that shows both sides of them: (line, 6) int64, pixels.

    Columns are where what lies beside begins, the reach, the core; and where core, reach and what lies beside end.
    """
    centres = pixel_edges(key).centres_angstrom
    bounds = np.array([-_BESIDE, -_REACH, -_CORE, _CORE, _REACH, _BESIDE])
    places = np.searchsorted(centres, np.array(LINES_ANGSTROM)[:, None] + bounds)
    seen = (np.diff(places, axis=1)[:, [0, 2, 4]] >= 1).all(axis=1)
    found = np.ascontiguousarray(places[seen], np.int64)
    found.setflags(write=False)
    return found


@compiled
def _steps(uncertainty: Floats, places: NDArray[np.int64], power: float) -> bool:
    """Return whether errors step up at the lines: at five or more, and at all but two of those that are known."""
    stepped, without = 0, 0
    for line in range(places.shape[0]):
        limit = _beside(uncertainty, places[line]) * _STEP**power
        known, larger = 0, 0
        for pixel in range(places[line, 2], places[line, 3]):
            if 0.0 < uncertainty[pixel] < np.inf:
                known += 1
                larger += (uncertainty[pixel] > limit) == (power > 0)
        if known == 0 or limit <= 0.0:
            continue
        if 2 * larger > known:
            stepped += 1
        else:
            without += 1
            if without > _MOST_WITHOUT:
                return False
    return stepped >= _LEAST_SEEN


@compiled
def _divide(uncertainty: Floats, places: NDArray[np.int64], power: float) -> None:
    """Divide errors that step up at a line, in place; where nothing beside it is known, it stays as it is."""
    factor = OVERSTATED**-power
    for line in range(places.shape[0]):
        limit = _beside(uncertainty, places[line]) * _STEP**power
        if limit <= 0.0:
            continue
        for pixel in range(places[line, 1], places[line, 4]):
            if 0.0 < uncertainty[pixel] < np.inf and (uncertainty[pixel] > limit) == (power > 0):
                uncertainty[pixel] *= factor


@compiled
def _beside(uncertainty: Floats, place: NDArray[np.int64]) -> float:
    """Return the mean of what is known beside a line, 0 where nothing is."""
    total, known = 0.0, 0
    for pixel in range(place[0], place[5]):
        if (pixel < place[1] or pixel >= place[4]) and 0.0 < uncertainty[pixel] < np.inf:
            total += uncertainty[pixel]
            known += 1
    return total / known if known else 0.0
