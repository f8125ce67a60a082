"""Engine outputs made safe: which rows hold numbers that may be published."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.manifest import LINE_OUTPUTS
from classifiers.engine import Arrays

MAY_BE_NAN = frozenset(
    {"radial_velocity_km_s", "radial_velocity_error_km_s", "alternative_redshift", "alternative_probability"}
) | frozenset(LINE_OUTPUTS)
"""Outputs in which NaN means "not measured"; inf means a fault in them too."""


def faulty_rows(outputs: Arrays) -> NDArray[np.bool_]:
    """Return where an engine answered inf anywhere, or NaN where no measurement may be absent: (n,) bool."""
    n = len(next(iter(outputs.values())))
    faulty = np.zeros(n, np.bool_)
    for name, array in outputs.items():
        if array.dtype.kind != "f" or array.size == 0:
            continue
        rows = array.reshape(n, -1)
        wrong = np.isinf(rows) if name in MAY_BE_NAN else ~np.isfinite(rows)
        faulty |= wrong.any(axis=1)
    return faulty


def column(values: NDArray[np.generic], absent: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return values as float64 with NaN where they are absent."""
    converted = values.astype(np.float64)
    converted[absent] = np.nan
    return converted
