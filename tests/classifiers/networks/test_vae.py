"""The autoencoder that ships draws what it is shown: lines of galaxies and quasars at their redshifts, too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from classifiers.networks.channels import box_matrix, interpolate_bins, normalise, sum_bins, tent_matrix
from classifiers.networks.vae import BIN_PIXELS, SpectralVae, bin_residual, pixel_residual
from classifiers.suite import MODELS
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.scheme import KINDS
from classifiers.training.simulation.simulator import Simulator
from classifiers.training.weights import load_autoencoder

LEAST_DRAWN = {"GALAXY": 0.4, "QSO": 0.5}
"""Median share of the light of strong lines; 0.00 before lines were drawn at rest."""
SEED = 4_000_037


@pytest.fixture(scope="module")
def network() -> SpectralVae:
    return load_autoencoder(MODELS / "spectral-anomaly")


@pytest.fixture(scope="module")
def samples() -> Samples:
    return draw_samples(Simulator.load(), 1024, SEED)


def above_continuum(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    box, tent = box_matrix(), tent_matrix()
    return x - interpolate_bins((sum_bins(weight * x) @ box) / (sum_bins(weight) @ box + 1e-6), tent)


@pytest.mark.parametrize("kind", LEAST_DRAWN)
def test_strong_lines_are_drawn(network: SpectralVae, samples: Samples, kind: str) -> None:
    rows = np.flatnonzero(samples.kind == KINDS.index(kind))
    with torch.no_grad():
        x, significance = normalise(*map(torch.from_numpy, samples.rows(rows).inputs()))
        shift = network.shift(network.read(network.channels.of(x, significance)))
        drawn = network.decode(network.encode(x, significance, shift)[0], shift).whole
        weight = significance**2
        line, made = above_continuum(x, weight), above_continuum(drawn, weight)
    strong = (line > 0.5) & (line * significance > 8.0)
    light, found = (line * strong).sum(dim=1), (made * strong).sum(dim=1)
    shares = (found / light)[light > 1.0].numpy()
    assert shares.size > 50
    assert LEAST_DRAWN[kind] < np.median(shares) < 1.2


def test_a_bin_of_noise_alone_has_a_chi_square_of_one(network: SpectralVae) -> None:
    """What the errors for the unforeseen add makes it smaller, never larger."""
    generator = torch.Generator().manual_seed(5)
    shift, significance = torch.zeros(64, 1), torch.full((64, 1557), 2.0)
    with torch.no_grad():
        drawn = network.decode(torch.zeros(64, network.latent), shift)
        x = drawn.whole + torch.randn(64, 1557, generator=generator) / significance
        bins = bin_residual(x, significance, drawn, shift, torch.full((3,), -20.0))
        pixels = pixel_residual(x, significance, drawn, shift, torch.full((3,), -20.0))
        wider = bin_residual(x, significance, drawn, shift, network.bin_floors)
    assert bins.chi2.shape == (64, 1557 // BIN_PIXELS)
    assert bins.chi2.mean().item() == pytest.approx(1.0, abs=0.05)
    assert pixels.chi2.mean().item() == pytest.approx(1.0, abs=0.02)
    assert (wider.chi2 <= bins.chi2).all()
    assert (wider.widened > 1.0).all()
