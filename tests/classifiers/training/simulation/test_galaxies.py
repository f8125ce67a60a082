"""Simulated galaxies: how strong their lines are, how far they lie."""

from __future__ import annotations

import math

import numpy as np

from classifiers.networks.declared import GALAXY_BIN, GALAXY_BINS
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.emission import LINES
from classifiers.training.simulation.families import ACTIVE, STARBURST
from classifiers.training.simulation.galaxies import FARTHEST, Galaxies
from classifiers.training.simulation.grid import native_wavelength

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


def test_galaxies_are_drawn_as_far_as_their_oxygen_is_seen_and_no_farther_than_is_searched() -> None:
    """The network's redshifts end a little beyond; what is found there is flagged as at the edge."""
    _, truth = Galaxies(Basis.load()).draw(20_000, np.random.default_rng(3))
    assert 0.95 * FARTHEST < truth.redshift.max() < FARTHEST < math.expm1(GALAXY_BINS * GALAXY_BIN)
    assert 0.01 < np.mean(truth.redshift > 1.2) < 0.06


def test_far_galaxies_have_light_bluer_than_their_populations_reach_and_their_oxygen() -> None:
    flux, truth = Galaxies(Basis.load()).at(np.full(200, FARTHEST), np.full(200, STARBURST), np.random.default_rng(4))
    wavelength = native_wavelength()
    assert (flux[:, wavelength < 5000.0] > 0).all()
    at = int(np.searchsorted(wavelength, 3728.5 * (1.0 + FARTHEST)))
    peak = flux[:, at - 6 : at + 7].max(axis=1) / np.median(flux[:, at - 100 : at + 100], axis=1)
    assert np.median(peak) > 1.5
    assert (truth.redshift == FARTHEST).all()


def test_galaxies_without_lines_are_drawn_less_far() -> None:
    galaxies, rng = Galaxies(Basis.load()), np.random.default_rng(5)
    _, truth = galaxies.draw(20_000, rng)
    assert truth.redshift[truth.ew_halpha < 0.5].size > 1000
    assert truth.redshift[truth.ew_halpha < 0.5].max() <= 1.1
