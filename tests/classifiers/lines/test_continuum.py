"""Lines of simulated galaxies above their stars: Balmer absorption takes nothing from the emission."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.lines.measure import measure_lines
from classifiers.lines.table import NAMES
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.emission import LINES
from classifiers.training.simulation.galaxies import Galaxies

N = 640


@pytest.mark.slow
def test_fluxes_above_stellar_absorption_are_right() -> None:
    rng = np.random.default_rng(3)
    redshift = rng.uniform(0.02, 0.3, N)
    flux, truth = Galaxies(Basis.load()).at(redshift, rng.integers(0, 4, N), rng)
    level = np.median(flux, axis=1)
    noisy = flux / level[:, None] + rng.standard_normal(flux.shape) / 20.0
    values = noisy.reshape(N, COMMON_GRID.n, 3).mean(axis=2).astype(np.float32)
    weight = np.full(values.shape, 3.0 * 20.0**2, np.float32)
    lines = measure_lines(values, weight, redshift, np.zeros(N, np.bool_), np.full(N, np.nan))
    for name in ("H beta", "[O III] 5007", "[N II] 6583"):
        expected = truth.line_flux[:, LINES.index(name)] * (1.0 + redshift) / level
        pull = (lines.flux[:, NAMES.index(name)] - expected) / lines.flux_error[:, NAMES.index(name)]
        assert abs(np.median(pull)) < 0.5, name
        assert np.quantile(np.abs(pull), 0.6827) < 1.5, name
