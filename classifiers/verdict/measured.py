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
        share: (n, k) float64, probability of each class given its family; a family's classes sum to 1 or are NaN.
        p_other: (n,) float64, of a type outside the scheme.
        redshift, redshift_error: (n,) float64, of galaxies and quasars.
        radial_velocity_km_s, radial_velocity_error_km_s: (n,) float64, of stars, barycentric as the grid is.
        absorption: (n,) float64, evidence for broad absorption in quasars (``classifiers.quasars.absorption``).
        second_redshift: (n,) float64, of another galaxy or quasar in the same light; NaN where none was found.
        second_quasar: (n,) bool, whether that is a quasar.
        lines: measured lines.
    """

    share: Floats
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
        return cls(share, other, redshift, redshift_error, velocity, velocity_error, absorption, second, quasar, lines)


def with_measured_shares(probabilities: ClassProbabilities, measured: Measured) -> ClassProbabilities:
    """Split each family's probability as measured, of which it keeps the sum, and take p_other as measured."""
    shared = np.isfinite(measured.share)
    total = np.zeros(len(shared))
    for column in range(shared.shape[1]):
        total += np.where(shared[:, column], probabilities.classes[:, column], 0.0)
    classes = np.where(shared, total[:, None] * np.where(shared, measured.share, 0.0), probabilities.classes)
    return ClassProbabilities(classes, np.where(np.isfinite(measured.p_other), measured.p_other, probabilities.other))


def measured_or(measured: Floats, own: Floats) -> Floats:
    """Return measured numbers where there are any, and where there is a number at all."""
    return np.where(np.isfinite(measured) & np.isfinite(own), measured, own)


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
