"""Redshift warnings and alternative solutions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.manifest import Manifest
from classifiers.engine import Arrays
from classifiers.verdict.measured import Measured

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


SAME = 0.01
"""A solution within this times (1 + z) of a second object's redshift is that of the second object."""

Alternatives = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]


def with_second(found: Alternatives, measured: Measured, rows: NDArray[np.int64], names: tuple[str, ...]) -> None:
    """Put redshifts of second objects before the other solutions of some rows.

    One that the network named keeps its class and probability, another has the plain class of its kind and no
    probability: that is about what the first object may be. The last solution of a full list is lost for it.

    Args:
        found: (class, redshift, probability) as of ``alternatives``, (n, a) each; written to.
        measured: with the second redshifts.
        rows: that have one.
        names: of the classes.
    """
    chosen, redshift, probability = found
    last = redshift.shape[1] - 1
    for row in rows.tolist() if last >= 0 else []:
        second = float(measured.second_redshift[row])
        named = np.flatnonzero((chosen[row] >= 0) & (np.abs(redshift[row] - second) < SAME * (1.0 + second)))
        taken = int(named[0]) if named.size else last
        family = "QSO" if measured.second_quasar[row] else "GALAXY"
        alike = [name for name in names if name.startswith(family)]
        plain = names.index(f"{family}_nan" if f"{family}_nan" in alike else alike[0])
        new = (
            (chosen[row, taken], redshift[row, taken], probability[row, taken]) if named.size else (plain, second, 0.0)
        )
        for column, value in zip(found, new, strict=True):
            column[row, 1 : taken + 1] = column[row, :taken].copy()
            column[row, 0] = value
