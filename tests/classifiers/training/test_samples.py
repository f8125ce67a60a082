"""Training samples: rebinning, level, determinism."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.items import GridAxis, Spectrum, quality_of
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.training.samples import draw_samples, level, rebin
from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, PIXELS
from classifiers.training.simulation.simulator import SimulatedBatch, Simulator


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator.load()


@pytest.fixture(scope="module")
def batch(simulator: Simulator) -> SimulatedBatch:
    return simulator.draw(32, np.random.default_rng(2))


def test_training_and_use_rebin_alike(batch: SimulatedBatch) -> None:
    """What networks are trained on is what preprocessing hands them, up to its scale."""
    axis = GridAxis("LOG10", LOG10_START, LOG10_STEP, PIXELS)
    items = [
        Spectrum(
            axis,
            "VACUUM",
            f,
            w,
            "IVAR",
            "1e-17 erg/s/cm2/Angstrom",
            quality_of(w > 0),
            0.0,
            2000.0,
            "DISPERSED",
            sky_fibre=False,
        )
        for f, w in zip(batch.flux, batch.inverse_variance, strict=True)
    ]
    prepared = prepare(items, COMMON_GRID)
    flux, weight = rebin(batch.flux, batch.inverse_variance)
    scale = prepared.scale[:, None]
    significance = np.sqrt(weight)
    np.testing.assert_allclose(prepared.flux * scale * significance, flux * significance, atol=2e-2, rtol=2e-3)
    valid = prepared.inverse_variance > 0
    ratio = (prepared.inverse_variance / scale**2)[valid] / weight[valid]
    assert np.median(np.abs(ratio - 1)) < 1e-3


@pytest.mark.slow
def test_level_in_the_graph_equals_level_of_the_samples(batch: SimulatedBatch) -> None:
    import torch  # takes seconds, so only where it is needed

    from classifiers.networks.channels import normalise

    flux, weight = rebin(batch.flux, batch.inverse_variance)
    x, significance = normalise(torch.from_numpy(flux), torch.from_numpy(weight))
    scale = level(flux, weight)
    np.testing.assert_allclose(x.numpy(), flux / scale, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(significance.numpy(), np.sqrt(weight) * scale, rtol=2e-3, atol=1e-4)


@pytest.mark.slow
def test_normalisation_does_not_depend_on_the_unit_of_flux(batch: SimulatedBatch) -> None:
    import torch

    from classifiers.networks.channels import normalise

    flux, weight = (torch.from_numpy(array) for array in rebin(batch.flux, batch.inverse_variance))
    x, significance = normalise(flux, weight)
    scaled_x, scaled_significance = normalise(flux * 64.0, weight / 4096.0)
    torch.testing.assert_close(scaled_x, x)
    torch.testing.assert_close(scaled_significance, significance)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_samples_and_a_prefix(simulator: Simulator) -> None:
    few = draw_samples(simulator, 10, seed=4)
    again = draw_samples(simulator, 20, seed=4)
    assert len(few) == 10
    assert few.flux.tobytes() == again.flux[:10].tobytes()
    assert few.significance.tobytes() == again.significance[:10].tobytes()
