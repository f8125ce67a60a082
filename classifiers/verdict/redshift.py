"""Which redshift is published, with which error, and the alternative solutions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration
from classifiers.engine import Arrays
from classifiers.verdict.measured import Measured

Floats = NDArray[np.float64]
Alternatives = tuple[NDArray[np.int64], Floats, Floats]
SAME = 0.01
"""Redshifts within this times (1 + z) of each other are one solution."""


def alternatives(outputs: Arrays, absent: NDArray[np.bool_], classes: int) -> Alternatives:
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


def error_factors(calibration: Calibration, families: NDArray[np.str_], snr: Floats) -> Floats:
    """Return what the network's redshift errors are multiplied by: (n,).

    A network reads galaxies off a few bins whatever their S/N, so its errors are too small where there is little light
    and too large where there is much.

    Args:
        calibration: of the classifier.
        families: (n,) GALAXY, QSO or STAR, of which the redshift is.
        snr: (n,) median S/N of a bin, NaN where there is none.
    """
    factors = np.full(len(snr), calibration.redshift_error_factor)
    if calibration.redshift_error_by_snr:
        places, known = np.array(calibration.redshift_error_by_snr).T
        of_snr = np.interp(np.log(np.fmax(snr, places[0])), np.log(places), known)
        factors = np.where(families == "GALAXY", of_snr, factors)
    return factors


class Own(NamedTuple):
    """The network's own solutions: class (n,) int64, redshift (n,), probability of the class's family (n,)."""

    chosen: NDArray[np.int64]
    redshift: Floats
    probability: Floats


def of_the_published(found: Alternatives, families: NDArray[np.str_], own: Own, published: NDArray[np.str_]) -> Floats:
    """Return redshifts for rows whose published family is not the one of the network's own solution: (n,).

    What is published sums and splits the network's probabilities, so that another family may lead than the one of its
    most probable class. There the family's most probable alternative counts, and the network's own solution takes its
    place. NaN where there is none, and elsewhere.

    Args:
        found: (class, redshift, probability) as of ``alternatives``, (n, a) each; written to.
        families: (k + 1,) of each class, and "" last, for class -1.
        own: the network's.
        published: (n,) family of the published top class.
    """
    chosen, redshift, probability = found
    taken = np.full(len(published), np.nan)
    for row in np.flatnonzero(families[own.chosen] != published).tolist():
        alike = np.flatnonzero(families[chosen[row]] == published[row])
        if alike.size:
            first = int(alike[0])
            taken[row] = redshift[row, first]
            chosen[row, first], redshift[row, first] = own.chosen[row], own.redshift[row]
            probability[row, first] = own.probability[row]
    return taken


def with_abandoned(
    found: Alternatives, own: Floats, published: Floats, margin: Floats, family: Floats, alike: NDArray[np.bool_]
) -> Floats:
    """Put the network's own redshift in the place of the alternative that was measured and is published instead.

    Args:
        found: (class, redshift, probability) as of ``alternatives``, (n, a) each; written to.
        own: (n,) the network's redshifts.
        published: (n,) redshifts as measured near one of the network's, or the network's.
        margin: (n,) how much more of the family's probability the network gives its own redshift than its next.
        family: (n,) the network's probability of the family.
        alike: (n, a) which alternatives are of the family of the published redshift.

    Returns:
        The margins, (n,), of what is published over what is not: negative where the network preferred the other.
    """
    _, redshift, probability = found
    if redshift.shape[1] == 0:
        return margin
    away = np.where(alike, np.abs(redshift - published[:, None]), np.inf)
    place = np.argmin(np.where(np.isfinite(away), away, np.inf), axis=1)
    moved = np.abs(own - published)
    nearest = np.take_along_axis(away, place[:, None], axis=1)[:, 0]
    rows = np.flatnonzero((nearest < moved) & (moved > SAME * (1.0 + published)))
    taken = place[rows]
    redshift[rows, taken] = own[rows]
    probability[rows, taken] += margin[rows] * family[rows]
    instead = margin.copy()
    instead[rows] = -margin[rows]
    return instead


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
