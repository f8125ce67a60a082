"""For which records a calibration's rate is guaranteed: those like the labelled objects that made its tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration

Flags = NDArray[np.bool_]


def nominal_rows(calibration: Calibration, surveys: Sequence[str], short: Flags) -> Flags:
    """Return where a calibration of domain SURVEY guarantees nothing, (n,) bool; nowhere for one of SIMULATED.

    Objects of another survey are not exchangeable with the labelled ones, nor are those of the coverage that is judged
    by the tables of an earlier calibration. A file that names no surveys is of a time when none was asked for.

    Args:
        calibration: of the engine.
        surveys: n upper-case names.
        short: (n,) bool, which records lack wavelengths.
    """
    nominal = np.zeros(len(surveys), np.bool_)
    if calibration.domain == "SIMULATED":
        return nominal
    if calibration.surveys:
        nominal = np.array([survey not in calibration.surveys for survey in surveys], np.bool_)
    if calibration.kept_coverage is not None:
        nominal |= short if calibration.kept_coverage == "SHORT" else ~short
    return nominal
