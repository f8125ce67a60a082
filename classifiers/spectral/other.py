"""The probability of a type outside the scheme, as it is published: the network's, and what templates say of stars.

Calibration makes the threshold of OTHER_KNOWN from what this returns, so that it is of what is published.

Surveys call a star what template fits best. A network that learned from few libraries calls some A stars white dwarfs
or B stars; where it is not nearly sure, templates of both are fitted, and the probability falls
where those of the scheme fit better (``classifiers.stars.evidence``). Types without templates (L, T, cataclysmic
variables) and M dwarfs, for whose early types there is none, stay as they are.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.manifest import Manifest
from classifiers.engine import Arrays
from classifiers.spectral.stars import is_measured
from classifiers.stars.evidence import OUTSIDE, outside_probability
from classifiers.stars.outside import outside_misfits
from classifiers.stars.templates import OUTSIDE_TYPES
from classifiers.verdict.probabilities import ClassProbabilities, with_other

Float32 = NDArray[np.float32]

LOOKED_AT: Final = (0.2, 0.95)
"""Range of the network's probability in which templates are fitted: below, no threshold that holds a rate is reached;
above, the network is right of nearly all simulated stars."""


def published_probabilities(
    manifest: Manifest, temperature: float, outputs: Arrays, flux: Float32, inverse_variance: Float32
) -> ClassProbabilities:
    """Return calibrated probabilities of n spectra; those of the scheme's classes are the network's.

    Args:
        manifest: of the classifier.
        temperature: its calibration's.
        outputs: of the classifier, finite: ``class_logits`` and, with other types, ``other_type_probability``.
        flux: (n, pixel) float32 on the bundle's grid, as the engine reads it.
        inverse_variance: (n, pixel) float32.
    """
    probabilities = with_other(outputs["class_logits"], temperature)
    if not is_measured(manifest) or manifest.lines or "other_type_probability" not in outputs:
        return probabilities
    weighed = {name for name, (_, weight) in OUTSIDE.items() if weight > 0}
    kinds = np.array([OUTSIDE_TYPES.index(name) if name in weighed else -1 for name in manifest.other_types])
    likeliest = kinds[outputs["other_type_probability"].argmax(axis=1)]
    low, high = LOOKED_AT
    doubtful = (probabilities.other > low) & (probabilities.other < high) & (likeliest >= 0)
    rows = np.flatnonzero(doubtful & _is_star(manifest, probabilities.classes))
    if rows.size:
        misfits = outside_misfits(flux[rows], inverse_variance[rows])
        misfit = misfits[np.arange(rows.size), likeliest[rows]]
        probabilities.other[rows] = outside_probability(probabilities.other[rows], misfit, likeliest[rows])
    return probabilities


def _is_star(manifest: Manifest, classes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where, of the scheme's classes, the most probable one is a star's."""
    stars = np.array([name in manifest.star_classes for name in manifest.class_names])
    return np.asarray(stars[classes.argmax(axis=1)], np.bool_)
