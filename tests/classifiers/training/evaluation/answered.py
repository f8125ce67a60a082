"""Labels and verdicts that say what a test wants, as the spectrum lane's classifier would."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from classifiers.classifier import Verdicts
from classifiers.training.evaluation.real_spectra import RealLabel
from classifiers.training.simulation.scheme import CLASSES


def label(row: int, name: str, redshift: float = 0.1) -> RealLabel:
    """Return the label of an object of one of the 13 classes, of a single spectrum."""
    group = name.split("_")[0]
    return RealLabel(
        row, "SDSS", group, name, exact_type=True, other_type=None, redshift=redshift, object_id=str(row), snr=9.0
    )


def verdicts(
    names: Sequence[str],
    *,
    probability: float = 0.95,
    reasons: Sequence[str | None] | None = None,
    zwarn: ArrayLike = 0,
    **columns: ArrayLike,
) -> Verdicts:
    """Return verdicts of n spectra.

    Args:
        names: n top classes, each of this probability; "" where there is none.
        probability: of the top class; the others share the rest.
        reasons: why each is unknown, None where it is not; None: of no spectrum.
        zwarn: (n,) or one for all.
        **columns: by name, (n,) or one for all.
    """
    n = len(names)
    top = np.array([CLASSES.index(name) if name else -1 for name in names], np.int64)
    probabilities = np.full((n, len(CLASSES)), (1.0 - probability) / (len(CLASSES) - 1))
    probabilities[np.arange(n), top] = probability
    probabilities[top < 0] = np.nan
    every = {"snr": 9.0, **columns}
    why = list(reasons) if reasons is not None else [None] * n
    none = np.zeros((n, 0))
    return Verdicts(
        "GaSNet-II", CLASSES, probabilities, top,
        {name: np.broadcast_to(np.asarray(values, np.float64), n).copy() for name, values in every.items()},
        np.broadcast_to(np.asarray(zwarn, np.int64), n).copy(), [None] * n,
        np.array([reason is not None for reason in why], np.bool_), why, 0.01, np.zeros(n, np.int64),
        none.astype(np.int64), none, none,
    )  # fmt: skip
