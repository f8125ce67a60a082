"""Redshift warnings and alternative solutions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.manifest import Manifest
from classifiers.engine import Arrays

LOW_SNR, AMBIGUOUS, EDGE, SHORT_COVERAGE = 1, 2, 4, 8
"""Bits of ``zwarn``; 0 = good, -1 = no redshift."""
EDGE_WIDTH = 1e-3
"""A redshift within this times (1 + z) of an end of the searched range is at its edge."""


def warnings(
    manifest: Manifest,
    redshift: NDArray[np.float64],
    margin: NDArray[np.float32],
    snr: NDArray[np.float64],
    coverage: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Return the ``zwarn`` bits: (n,) int64, -1 where redshift is NaN."""
    zwarn = np.zeros(len(redshift), np.int64)
    if manifest.zwarn_snr is not None:
        zwarn[~(snr >= manifest.zwarn_snr)] |= LOW_SNR
    zwarn[margin < manifest.zwarn_margin] |= AMBIGUOUS
    if manifest.redshift_range is not None:
        lowest, highest = manifest.redshift_range
        width = EDGE_WIDTH * (1.0 + redshift)
        zwarn[(redshift < lowest + width) | (redshift > highest - width)] |= EDGE
    zwarn[coverage < manifest.zwarn_coverage] |= SHORT_COVERAGE
    zwarn[np.isnan(redshift)] = -1
    return zwarn


def alternatives(
    outputs: Arrays, absent: NDArray[np.bool_], classes: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return other solutions as (class, redshift, probability), each (n, a).

    A class that is none of the scheme's (OTHER, or -1) and a solution without a number end nothing: they are taken out,
    those after them move up, and class -1 ends the list.
    """
    chosen = outputs["alternative_class"].astype(np.int64)
    redshift = outputs["alternative_redshift"].astype(np.float64)
    probability = outputs["alternative_probability"].astype(np.float64)
    usable = (chosen >= 0) & (chosen < classes) & np.isfinite(redshift) & np.isfinite(probability) & ~absent[:, None]
    order = np.argsort(~usable, axis=1, kind="stable")
    usable = np.take_along_axis(usable, order, axis=1)
    return (
        np.where(usable, np.take_along_axis(chosen, order, axis=1), -1),
        np.where(usable, np.take_along_axis(redshift, order, axis=1), np.nan),
        np.where(usable, np.take_along_axis(probability, order, axis=1), np.nan),
    )
