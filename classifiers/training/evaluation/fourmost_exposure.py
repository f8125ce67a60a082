"""A simulated exposure of 4MOST's low-resolution spectrograph, and what the classifier says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifiers.items import Spectrum
from classifiers.training.evaluation.answers import Answers, Scored
from classifiers.training.evaluation.delivered import simulated_as_delivered, supernovae_as_delivered
from classifiers.training.evaluation.other_samples import (
    HELD_OUT_SEED,
    SUPERNOVA_SNR,
    double_redshifts,
    simulated,
    supernovae,
)

INSTRUMENT = "4MOST_LRS"
FIBRES = 1624
"""Low-resolution fibres of an exposure (de Jong et al. 2019, The Messenger 175, 3)."""
OUTSIDE, DELIVERED, PAIRS = 768, 640, 400
"""Further objects outside the scheme, spectra on the instrument's own pixels, and blended pairs."""
_SEED = HELD_OUT_SEED + 1


@dataclass(frozen=True, slots=True)
class FourmostExposure:
    """What was seen, and what was said of it.

    Attributes:
        spectra: of the exposure, on the native grid.
        scored: the same with their labels and answers.
        with_outside: these and further objects outside the scheme.
        delivered: other spectra, on 4MOST's own pixels.
        kinds: answers on what no class knows, by name.
        objects: whose spectrum each of a kind is, where objects have several.
    """

    spectra: Sequence[Spectrum]
    scored: Scored
    with_outside: Scored
    delivered: Scored
    kinds: Mapping[str, Answers]
    objects: Mapping[str, Sequence[str]]


def observe(
    spectra_folder: Path, classify: Callable[[Sequence[Spectrum], str], Answers], fibres: int = FIBRES
) -> FourmostExposure:
    """Simulate and classify.

    Args:
        spectra_folder: holds the supernovae.
        classify: classifies items; the second argument names the stage.
        fibres: spectra of the exposure; there are no more of any other sample.
    """
    stage = "4MOST exposure"
    spectra, labels = simulated(fibres, _SEED, INSTRUMENT)
    outside, outside_labels = simulated(min(fibres, OUTSIDE), _SEED + 1, INSTRUMENT, {"OTHER": 1.0})
    everything = Scored([*labels, *outside_labels], classify([*spectra, *outside], stage))
    scored = everything.first(fibres)
    delivered, delivered_labels = simulated_as_delivered(min(fibres, DELIVERED), _SEED + 2, INSTRUMENT)
    far = np.flatnonzero(np.isin(scored.group, ("GALAXY", "QSO")))[:PAIRS]
    own = [labels[row].object_id for row in far.tolist()]
    alone = [spectra[row] for row in far.tolist()]
    pairs = double_redshifts(alone, scored.redshift[far], own, np.random.default_rng(15))
    objects: dict[str, list[str]] = {}
    kinds = {"double redshifts (pairs of equal light)": classify(pairs, stage)}
    for number, snr in enumerate(SUPERNOVA_SNR):
        native = supernovae(spectra_folder, snr, np.random.default_rng((16, number)), INSTRUMENT)
        own_pixels = supernovae_as_delivered(spectra_folder, snr, np.random.default_rng((17, number)), INSTRUMENT)
        for where, (items, transients) in (("", native), (", own pixels", own_pixels)):
            kinds[f"supernovae, S/N {snr:g}{where}"] = classify(items, stage)
            objects[f"supernovae, S/N {snr:g}{where}"] = [label.object_id for label in transients]
    seen = Scored(delivered_labels, classify(delivered, stage))
    return FourmostExposure(spectra, scored, everything, seen, kinds, objects)
