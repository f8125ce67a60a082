"""What measurements add to a classifier's answer: subclasses, redshifts, radial velocities, and lines themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Lines
from classifiers.verdict.probabilities import ClassProbabilities

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements of n spectra; NaN where the classifier's own answer stands.

    Attributes:
        share: (n, k) float64, probability of each class given its family; those of one family sum to 1, others are NaN.
        likelihood: (n, k) float64, what each class's probability is multiplied by before all are normalised; 1 where
            nothing speaks for or against it.
        p_other: (n,) float64, of a type outside the scheme.
        redshift, redshift_error: (n,) float64, of galaxies and quasars.
        radial_velocity_km_s, radial_velocity_error_km_s: (n,) float64, of stars, barycentric as the grid is.
        absorption: (n,) float64, evidence for broad absorption in quasars (``classifiers.quasars.absorption``).
        second_redshift: (n,) float64, of another galaxy or quasar in the same light; NaN where none was found.
        second_quasar: (n,) bool, whether that is a quasar.
        lines: measured lines.
    """

    share: Floats
    likelihood: Floats
    p_other: Floats
    redshift: Floats
    redshift_error: Floats
    radial_velocity_km_s: Floats
    radial_velocity_error_km_s: Floats
    absorption: Floats
    second_redshift: Floats
    second_quasar: NDArray[np.bool_]
    lines: Lines

    @classmethod
    def nothing(cls, n: int, classes: int, names: tuple[str, ...]) -> Measured:
        """Return what nothing was measured of."""
        lines = Lines(names, *np.full((6, n, len(names)), np.nan))
        other, redshift, redshift_error, velocity, velocity_error, absorption, second = np.full((7, n), np.nan)
        share = np.full((n, classes), np.nan)
        quasar = np.zeros(n, np.bool_)
        return cls(
            share, np.ones((n, classes)), other, redshift, redshift_error, velocity, velocity_error, absorption, second,
            quasar, lines,
        )  # fmt: skip


def with_measured_shares(probabilities: ClassProbabilities, measured: Measured) -> ClassProbabilities:
    """Weigh classes by what was measured, split each family's probability likewise, and take p_other as measured."""
    weighed = with_likelihood(probabilities.classes, measured.likelihood)
    shared = np.isfinite(measured.share)
    total = np.zeros(len(shared))
    for column in range(shared.shape[1]):
        total += np.where(shared[:, column], weighed[:, column], 0.0)
    classes = np.where(shared, total[:, None] * np.where(shared, measured.share, 0.0), weighed)
    return ClassProbabilities(classes, np.where(np.isfinite(measured.p_other), measured.p_other, probabilities.other))


def with_likelihood(classes: Floats, likelihood: Floats) -> Floats:
    """Return probabilities times a likelihood, (n, k) each, summing to 1; rows of which it says nothing stay."""
    rows = np.flatnonzero((likelihood != 1.0).any(axis=1))
    if rows.size == 0:
        return classes
    weighed = classes.copy()
    product = classes[rows] * likelihood[rows]
    total = np.zeros(rows.size)
    for column in range(product.shape[1]):
        total += product[:, column]
    weighed[rows] = product / total[:, None]
    return weighed


def measured_or(measured: Floats, own: Floats, present: NDArray[np.bool_]) -> Floats:
    """Return measured numbers where there are any and ``present`` (n,) says that there is something to measure."""
    return np.where(np.isfinite(measured) & present, measured, own)


def measured_velocities(measured: Measured, own: Mapping[str, Floats], still: NDArray[np.bool_]) -> dict[str, Floats]:
    """Return radial velocities and their errors by column: as measured where they are, elsewhere the graph's.

    Args:
        measured: of n spectra.
        own: the graph's columns.
        still: (n,) bool, what is no star and has no radial velocity.
    """
    names = "radial_velocity_km_s", "radial_velocity_error_km_s"
    found = np.isfinite(measured.radial_velocity_km_s) & ~still
    return {name: np.where(found, getattr(measured, name), own[name]) for name in names}
