"""Verdicts without classes: of engines that have none, of no engines at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Verdicts


def without_classes(
    columns: Mapping[str, NDArray[np.float64]],
    quality_flags: NDArray[np.int64],
    *,
    unknown: NDArray[np.bool_] | None = None,
    reasons: Sequence[str | None] | None = None,
    rate: float = 0.0,
) -> Verdicts:
    """Return verdicts that hold these columns and flags, and nothing else; unknown is False unless given."""
    n = len(quality_flags)
    return Verdicts(
        class_scheme="",
        class_names=(),
        class_probabilities=np.empty((n, 0)),
        top_class=np.full(n, -1, np.int64),
        columns=columns,
        zwarn=np.full(n, -1, np.int64),
        other_type=[None] * n,
        unknown=np.zeros(n, np.bool_) if unknown is None else unknown,
        unknown_reason=[None] * n if reasons is None else reasons,
        unknown_rate=rate,
        quality_flags=quality_flags,
        alternative_class=np.empty((n, 0), np.int64),
        alternative_redshift=np.empty((n, 0)),
        alternative_probability=np.empty((n, 0)),
    )
