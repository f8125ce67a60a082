"""A redshift moves a spectrum by a shift, there and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from classifiers.networks.channels import PIXELS
from classifiers.networks.declared import LN_STEP
from classifiers.networks.rest_frame import BIN, OBSERVED_BINS, REST_BEFORE, REST_PIXELS, to_observed, to_rest
from classifiers.preprocess.grid import COMMON_GRID

O_III = 5008.24
REST_ANGSTROM = COMMON_GRID.centres_angstrom[0] * np.exp(LN_STEP * (np.arange(REST_PIXELS) - REST_BEFORE))


def shift_of(redshift: float) -> torch.Tensor:
    return torch.tensor([[math.log1p(redshift) / LN_STEP]])


@pytest.mark.parametrize("redshift", [0.0, 0.1234, 0.3, 0.77])
def test_a_line_at_rest_is_observed_at_its_redshift(redshift: float) -> None:
    line = torch.from_numpy(np.exp(-0.5 * (np.log(REST_ANGSTROM / O_III) / (2 * LN_STEP)) ** 2)).float()[None]
    moved = to_observed(line, shift_of(redshift))[0].double().numpy()
    found = np.exp((moved * np.log(COMMON_GRID.centres_angstrom)).sum() / moved.sum())
    assert found == pytest.approx(O_III * (1.0 + redshift), rel=1e-5)
    assert moved.sum() == pytest.approx(float(line.sum()), rel=1e-4)


@pytest.mark.parametrize("redshift", [0.0, 0.2, 1.5, 3.3, 5.8])
def test_bins_of_a_spectrum_are_found_at_rest(redshift: float) -> None:
    places = torch.arange(OBSERVED_BINS, dtype=torch.float32)[None] + 1.0
    shift = shift_of(redshift)
    moved = to_rest(places, shift)[0].numpy()
    inside = moved[1:-1][(moved[:-2] > 0) & (moved[2:] > 0)]
    expected = np.arange(moved.size) - REST_BEFORE / BIN + float(shift) / BIN + 1.0
    assert inside.size > 200
    np.testing.assert_allclose(inside, expected[1:-1][(moved[:-2] > 0) & (moved[2:] > 0)], atol=2e-3)


@pytest.mark.parametrize("shift", [0.0, 0.4, 17.0, 1933.7, 5000.0])
def test_beyond_the_ends_there_is_nothing(shift: float) -> None:
    place = np.arange(PIXELS) + REST_BEFORE - shift
    moved = to_observed(torch.ones(1, REST_PIXELS), torch.tensor([[shift]]))[0].numpy()
    assert (moved[(place <= -1) | (place >= REST_PIXELS)] == 0).all()
    assert (moved[(place >= 0) & (place <= REST_PIXELS - 1)] == 1).all()


def test_rows_move_by_themselves() -> None:
    generator = torch.Generator().manual_seed(3)
    rest, shift = torch.randn(9, REST_PIXELS, generator=generator), 900.0 * torch.rand(9, 1, generator=generator)
    together = to_observed(rest, shift)
    for row in range(9):
        assert torch.equal(together[row : row + 1], to_observed(rest[row : row + 1], shift[row : row + 1]))
