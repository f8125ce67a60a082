"""What is measured of what looks like a quasar: its redshift, among those that the network offers."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.preprocess.plain import PlainMeans
from classifiers.quasars.redshift import measure_redshifts
from classifiers.verdict.answers import Answer
from classifiers.verdict.measured import Measured
from classifiers.verdict.redshift import alternatives

Floats = NDArray[np.float64]

FARTHEST: Final = 5.0
"""Beyond it the network's redshift stays. Lyman alpha and the forest are nearly all that the eigenspectra see there: of
471 simulated quasars of S/N above 3 their fit leaves 0.23 off by more than 0.0033 (1 + z), the network 0.13 (between
4.5 and 5 0.11 and 0.12 of 414)."""
LEAST_PROBABILITY: Final = 0.01
"""Of another redshift that is looked at: each costs as much as the first."""


def write_quasars(
    result: Measured,
    rows: NDArray[np.int64],
    quasar: NDArray[np.bool_],
    means: PlainMeans,
    answer: Answer,
    redshift: Floats,
    probability: Floats,
) -> None:
    """Measure some of m spectra as quasars, and write their redshifts.

    Args:
        result: n rows to write to.
        rows: (m,) of the spectra among n.
        quasar: (m,) which of them look like quasars.
        means: of the m spectra.
        answer: of the ``spectral_classifier`` for n spectra.
        redshift: (n,) the classifier's.
        probability: (n,) of a quasar.
    """
    places = np.flatnonzero(quasar)
    if places.size == 0:
        return
    rows = rows[places]
    names = answer.manifest.class_names
    chosen, others, shares = alternatives(answer.outputs, np.zeros(len(redshift), np.bool_), len(names))
    alike = np.array([*(name.startswith("QSO") for name in names), False])
    offered = np.where(alike[chosen[rows]] & (shares[rows] >= LEAST_PROBABILITY), others[rows], np.nan)
    own = np.maximum(probability[rows], LEAST_PROBABILITY)
    found = measure_redshifts(
        means.flux[places],
        means.inverse_variance[places],
        np.column_stack([redshift[rows], offered]),
        np.column_stack([own, np.where(np.isfinite(offered), shares[rows], 1.0)]),
    )
    near = found.redshift < FARTHEST
    result.redshift[rows] = np.where(near, found.redshift, np.nan)
    result.redshift_error[rows] = np.where(near, found.error, np.nan)
