"""The label that the survey would give each simulated spectrum, on the spectrum as it was observed.

Galaxies and quasars by SDSS's rules on lines, redshifts of quasars by a fit of its eigenspectra, stars of the scheme by
a fit of templates, which may call them M dwarfs. The label of a star is drawn from the fit's probabilities: what a
survey's own fit says depends on details that nobody knows. Types outside the scheme keep the names of their libraries:
most M0 and M1 dwarfs (PyHammer's) fit SDSS's K7 best, so that its fit has no early M stars, which people who type stars
by eye or by indices do have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classifiers.training.simulation import galaxies, quasar_labels
from classifiers.training.simulation.grid import Float32, Float64, Integers
from classifiers.training.simulation.scheme import CLASSES, KINDS, OTHER_INDEX, OTHER_TYPES
from classifiers.training.simulation.star_labels import StarTemplates
from classifiers.training.simulation.truth import Exposure, NoiselessBatch

_GALAXY, _QSO, _STAR, _OTHER, _NOVEL = range(len(KINDS))
_M = OTHER_TYPES.index("M")
_BROADLINE, _PLAIN = CLASSES.index("QSO_BROADLINE"), CLASSES.index("QSO_nan")


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of n simulated spectra, written instrument by instrument; columns as in ``SimulatedBatch``."""

    class_index: Integers
    target: Float32
    kind: Integers
    other_type: Integers
    redshift: Float64

    @staticmethod
    def blank(truth: NoiselessBatch) -> Labels:
        """Return the labels that no measurement changes, and none for the others."""
        n = truth.kind.size
        target = np.zeros((n, OTHER_INDEX + 1), np.float32)
        target[truth.kind == _OTHER, OTHER_INDEX] = 1.0
        index = np.where(truth.kind == _OTHER, OTHER_INDEX, -1).astype(np.int64)
        return Labels(index, target, truth.kind.copy(), truth.other_type.copy(), truth.redshift.copy())


class Labeller:
    """Labels spectra by the rules of the survey that took them."""

    def __init__(self, templates: StarTemplates) -> None:
        self._templates = templates

    def write(
        self,
        truth: NoiselessBatch,
        rows: Integers,
        seen: Exposure,
        labels: Labels,
        rng: np.random.Generator,
    ) -> None:
        """Write the labels of some rows.

        Args:
            truth: of all objects.
            rows: (m,) which of them.
            seen: the m exposures, with noise.
            labels: of all objects.
            rng: of the errors of galaxies' lines, and of the labels of stars.
        """
        kind = truth.kind[rows]
        local = np.flatnonzero(kind == _GALAXY)
        if local.size and truth.galaxy_truth is not None:
            part = truth.galaxy_truth.rows(rows[local] - int(np.argmax(truth.kind == _GALAXY)))
            index = galaxies.label(part, seen.factor[local], seen.inverse_variance[local], rng)
            labels.class_index[rows[local]] = index
            labels.target[rows[local], index] = 1.0
        local = np.flatnonzero(kind == _QSO)
        if local.size:
            noiseless, weight = _noiseless(truth, rows, local, seen), seen.inverse_variance[local]
            redshift = quasar_labels.published_redshift(noiseless, weight, truth.redshift[rows[local]])
            broad = quasar_labels.broadline(seen.flux[local], redshift, weight)
            labels.redshift[rows[local]] = redshift
            labels.class_index[rows[local]] = np.where(broad > 0.5, _BROADLINE, _PLAIN)
            labels.target[rows[local], _BROADLINE] = broad
            labels.target[rows[local], _PLAIN] = 1.0 - broad
        local = np.flatnonzero(kind == _STAR)
        if local.size:
            self._stars(truth, rows, local, seen, labels, rng)

    def _stars(
        self,
        truth: NoiselessBatch,
        rows: Integers,
        local: Integers,
        seen: Exposure,
        labels: Labels,
        rng: np.random.Generator,
    ) -> None:
        noiseless, rows = _noiseless(truth, rows, local, seen), rows[local]
        target = self._templates.label(seen.flux[local], seen.inverse_variance[local], noiseless, truth.redshift[rows])
        drawn = rng.random((rows.size, 1)) > np.cumsum(target, axis=1)[:, :OTHER_INDEX]
        labels.class_index[rows] = drawn.sum(axis=1)
        labels.target[rows] = target
        outside = labels.class_index[rows] == OTHER_INDEX
        labels.kind[rows] = np.where(outside, _OTHER, _STAR)
        labels.other_type[rows] = np.where(outside, _M, -1)


def _noiseless(truth: NoiselessBatch, rows: Integers, local: Integers, seen: Exposure) -> Float32:
    """Return what some of the exposures would be without noise or errors of calibration."""
    return truth.flux[rows[local]] * seen.factor[local].astype(np.float32)[:, None]
