"""What is to be said against a redshift: the bits of ``zwarn``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.manifest import Manifest
from classifiers.classifier import Lines
from classifiers.lines.table import C_KM_S

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LOW_SNR, AMBIGUOUS, EDGE, SHORT_COVERAGE, UNKNOWN_CLASS, UNCERTAIN, LONE_LINE = 1, 2, 4, 8, 16, 32, 64
"""Bits of ``zwarn``; 0 = good, -1 = no redshift.

``UNKNOWN_CLASS``: the record is ``unknown``, and a redshift that was read as if it were of the class that it looks like
most means nothing. ``UNCERTAIN``: twice the error is a catastrophic failure. ``LONE_LINE``: one line is all that there
is, where others should be.
"""
EDGE_WIDTH = 1e-3
"""A redshift within this times (1 + z) of an end of the searched range is at its edge."""
LARGEST_ERROR_KM_S: Mapping[str, float] = {"GALAXY": 500.0, "QSO": 1500.0}
"""Half of what is a catastrophic failure of a redshift of the family."""
LEAST_SIGNIFICANCE, LARGEST_OTHERS = 7.0, 4.0
"""A line of so many errors is alone where all others together (root of the sum of squares) have no more than that."""
OXYGEN, HYDROGEN, LEAST_RATIO = "[O II] 3727", "H alpha", 0.3
"""[O II] may be alone, as nothing near it is as strong; but not where H alpha is seen to be below this share of it. In
galaxies of all kinds it has 0.5 to 3 (Kewley, Geller & Jansen 2004, AJ 127, 2002, Fig. 5), and more behind dust."""


def warnings(
    manifest: Manifest,
    redshift: Floats,
    error: Floats,
    margin: Floats,
    snr: Floats,
    coverage: Floats,
    families: NDArray[np.str_],
    unknown: Flags,
    lines: Lines | None,
) -> NDArray[np.int64]:
    """Return the ``zwarn`` bits: (n,) int64, -1 where redshift is NaN.

    Args:
        manifest: with limits and the range that is searched.
        redshift: (n,) as published.
        error: (n,) of it, as published; NaN is not judged.
        margin: (n,) how much more probable than the next solution it is.
        snr: (n,) median S/N.
        coverage: (n,) fraction of the grid.
        families: (n,) what the names of the top classes begin with: GALAXY, QSO, STAR.
        unknown: (n,) bool, the flag.
        lines: of n spectra at that redshift; None where none is measured.
    """
    zwarn = np.zeros(len(redshift), np.int64)
    if manifest.zwarn_snr is not None:
        zwarn[~(snr >= manifest.zwarn_snr)] |= LOW_SNR
    zwarn[margin < manifest.zwarn_margin] |= AMBIGUOUS
    if manifest.redshift_range is not None:
        lowest, highest = (np.full(len(redshift), limit) for limit in manifest.redshift_range)
        for family, limits in manifest.family_redshift_ranges.items():
            lowest[families == family], highest[families == family] = limits
        width = EDGE_WIDTH * (1.0 + redshift)
        zwarn[(redshift < lowest + width) | (redshift > highest - width)] |= EDGE
    zwarn[coverage < manifest.zwarn_coverage] |= SHORT_COVERAGE
    zwarn[unknown] |= UNKNOWN_CLASS
    for family, limit in LARGEST_ERROR_KM_S.items():
        zwarn[(families == family) & (C_KM_S * error > limit * (1.0 + redshift))] |= UNCERTAIN
    if lines is not None:
        zwarn[(families == "GALAXY") & has_lone_line(lines)] |= LONE_LINE
    zwarn[np.isnan(redshift)] = -1
    return zwarn


def has_lone_line(lines: Lines) -> Flags:
    """Return where one line is all that a redshift has, and should not be: (n,) bool.

    Noise, a cosmic ray, or the Lyman alpha of something far away looks so. Of simulated galaxies with ``zwarn`` 0 else,
    0.006 have the bit, and one in six of these a wrong redshift, as one in 300 has of all.
    """
    significance = np.nan_to_num(lines.flux / np.where(lines.flux_error > 0, lines.flux_error, np.inf))
    evidence = np.maximum(significance, 0.0) ** 2
    if evidence.shape[1] == 0:
        return np.zeros(len(evidence), np.bool_)
    strongest, most = evidence.argmax(axis=1), evidence.max(axis=1)
    alone = evidence.sum(axis=1) - most < LARGEST_OTHERS**2
    if OXYGEN in lines.names:
        oxygen = lines.names.index(OXYGEN)
        contradicted = np.zeros(len(alone), np.bool_)
        if HYDROGEN in lines.names:
            hydrogen = lines.names.index(HYDROGEN)
            upper_limit = lines.flux[:, hydrogen] + 2.0 * lines.flux_error[:, hydrogen]
            contradicted = upper_limit < LEAST_RATIO * lines.flux[:, oxygen]
        alone = np.where(strongest == oxygen, contradicted, alone)
    return np.asarray(alone & (most > LEAST_SIGNIFICANCE**2), np.bool_)
