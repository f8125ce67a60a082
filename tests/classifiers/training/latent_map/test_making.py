"""Two trainings that differ in seed alone put the same spectra at nearby places."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.training.samples import draw_samples
from classifiers.training.simulation.simulator import Simulator

pytestmark = pytest.mark.slow
LARGEST_MEDIAN, LARGEST_TENTH = 0.2, 0.5
"""Distances on the map, whose scale is 1, that half and nine tenths of the spectra keep to; measured: 0.13 and 0.32."""


def test_another_seed_puts_the_same_spectra_at_nearby_places() -> None:
    """Autoencoders of 4,096 spectra and 30 epochs; the spectra are neither's training samples."""
    import torch

    from classifiers.training.autoencoder import fit_vae
    from classifiers.training.latent_map.making import latent_means, make_map, mapped_samples
    from classifiers.training.weights import SHIPPED_CLASSIFIER, load_classifier

    torch.set_num_threads(1)
    simulator = Simulator.load()
    samples, others = draw_samples(simulator, 4096, 1), mapped_samples(draw_samples(simulator, 1024, 2))
    shown = []
    for seed in (1, 2):
        network = fit_vae(samples, load_classifier(SHIPPED_CLASSIFIER).network, seed, 30)
        shown.append(make_map(network, samples).places(latent_means(network, others)))
    distance = np.linalg.norm(shown[0] - shown[1], axis=1)
    assert shown[0].std() == pytest.approx(1.0, abs=0.35)
    assert np.median(distance) < LARGEST_MEDIAN
    assert np.quantile(distance, 0.9) < LARGEST_TENTH
    rng = np.random.default_rng(1)
    assert np.median(np.linalg.norm(shown[0] - rng.permutation(shown[1]), axis=1)) > 1.0
