"""Simulated galaxies: how strong their lines are, how far they lie."""

from __future__ import annotations

import math

import numpy as np

from classifiers.networks.declared import GALAXY_BIN, GALAXY_BINS
from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.emission import LINES
from classifiers.training.simulation.families import ACTIVE, PASSIVE, STAR_FORMING, STARBURST
from classifiers.training.simulation.galaxies import FARTHEST, SSP_LOG10_START, Galaxies
from classifiers.training.simulation.grid import Float32, Float64, native_wavelength
from classifiers.training.simulation.newborn import add_newborn

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


def test_no_stellar_population_ends_before_the_others() -> None:
    """Those below 0.1 Gyr have no flux beyond 8956 Angstrom in the library: starbursts had a step of a third there."""
    flux = Basis.load()["ssp_flux"]
    wavelength = 10.0 ** (SSP_LOG10_START + 1e-4 * np.arange(flux.shape[1]))
    before, after = (
        np.median(flux[:, (wavelength > low) & (wavelength < low + 80.0)], axis=1) for low in (8850.0, 8970.0)
    )
    assert (flux > 0).all()
    np.testing.assert_allclose(after / before, 1.0, atol=0.06)


def newborn(family: int, *, extreme: bool, n: int = 400) -> tuple[Float64, Float32]:
    wavelength = np.arange(3000.0, 8000.0, 2.0)
    light = np.ones((n, wavelength.size), np.float32)
    add_newborn(light, wavelength, np.full(n, family), np.full(n, extreme), np.random.default_rng(6))
    return wavelength, light


def test_newest_stars_are_bluer_and_their_gas_jumps_at_the_balmer_edge() -> None:
    wavelength, light = newborn(STARBURST, extreme=True)
    at = {
        angstrom: light[:, int(np.searchsorted(wavelength, angstrom))] for angstrom in (3600.0, 3800.0, 5500.0, 7500.0)
    }
    np.testing.assert_allclose(at[5500.0], 1.0, atol=0.02)
    assert (at[3800.0] > at[5500.0]).all()
    assert (at[7500.0] < at[5500.0]).all()
    jump = at[3600.0] / at[3800.0]
    assert 1.15 < np.median(jump) < 2.0
    assert jump.min() > 1.0
    assert jump.max() < 3.5


def test_passive_galaxies_have_no_newest_stars_and_ordinary_ones_few() -> None:
    _, passive = newborn(PASSIVE, extreme=False)
    assert (passive == 1.0).all()
    for family in (STAR_FORMING, ACTIVE):
        _, light = newborn(family, extreme=False)
        touched = (light != 1.0).any(axis=1)
        assert 0.2 < touched.mean() < 0.5
        assert np.median(light[touched, 0]) < 2.0
