"""Simulated galaxies: how strong their lines are."""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.emission import LINES
from classifiers.training.simulation.families import ACTIVE, STARBURST
from classifiers.training.simulation.galaxies import Galaxies

_HALPHA, _NII, _OIII, _HBETA = (LINES.index(name) for name in ("H alpha", "[N II] 6583", "[O III] 5007", "H beta"))


def test_a_few_galaxies_outshine_their_stars_in_lines() -> None:
    _, truth = Galaxies(Basis.load()).draw(4000, np.random.default_rng(1))
    share = np.mean(truth.ew_halpha > 300.0)
    assert 0.01 < share < 0.04
    assert truth.ew_halpha.max() > 1000.0


def test_extreme_starbursts_are_poor_in_metals_and_obscured_quasars_are_strongly_ionised() -> None:
    galaxies, rng = Galaxies(Basis.load()), np.random.default_rng(2)

    def ratios(family: int, above_angstrom: float) -> tuple[np.float64, np.float64]:
        _, truth = galaxies.at(np.full(3000, 0.1), np.full(3000, family), rng)
        lines = truth.line_flux[truth.ew_halpha > above_angstrom]
        return (
            np.median(np.log10(lines[:, _NII] / lines[:, _HALPHA])),
            np.median(np.log10(lines[:, _OIII] / lines[:, _HBETA])),
        )

    nitrogen, oxygen = ratios(STARBURST, 400.0)
    assert nitrogen < -1.2
    assert 0.5 < oxygen < 0.9
    nitrogen, oxygen = ratios(ACTIVE, 100.0)
    assert nitrogen > -0.4
    assert oxygen > 0.8
