"""What is computed in a form that onnxruntime is fast at equals what it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from classifiers.networks.channels import PIXELS, compress, interpolate_bins, tent_matrix
from classifiers.networks.vae import BIN_PIXELS, spread_bins

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_compression_is_the_inverse_hyperbolic_sine(factor: float) -> None:
    x = torch.tensor([-1e6, -30.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 30.0, 1e6, 3e15])
    np.testing.assert_allclose(
        compress(x, factor).numpy(), factor * np.arcsinh(x.double().numpy()), rtol=1e-4, atol=1e-7
    )


def test_bins_are_interpolated_linearly_between_their_centres_and_flat_beyond() -> None:
    values = torch.from_numpy(np.random.default_rng(0).standard_normal((3, PIXELS // BIN_PIXELS)).astype(np.float32))
    centres = np.arange(PIXELS // BIN_PIXELS) * BIN_PIXELS + BIN_PIXELS // 2
    expected = [np.interp(np.arange(PIXELS), centres, row) for row in values.numpy()]
    np.testing.assert_allclose(interpolate_bins(values, tent_matrix()).numpy(), expected, atol=1e-6)


def test_each_pixel_gets_the_value_of_its_bin() -> None:
    values = torch.rand(2, PIXELS // BIN_PIXELS, generator=torch.Generator().manual_seed(1))
    np.testing.assert_array_equal(spread_bins(values).numpy(), np.repeat(values.numpy(), BIN_PIXELS, axis=1))
