"""What looks like a star and recedes as none does is a galaxy next door; stars of any known speed stay stars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from classifiers.items import InlineAxis, Spectrum
from classifiers.spectral.recession import stars_likelihood
from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, PIXELS
from classifiers.training.simulation.scheme import FIRST_STAR
from tests.classifiers.spectral.test_stars import C_KM_S, answer, bright_stars, stage

OTHERS = ("GALAXY_AGN", "GALAXY_STARBURST", "GALAXY_STARFORMING", "QSO_BROADLINE", "QSO_nan")


def likelihood(velocity: list[float], error: float = 10.0, snr: float = 50.0) -> list[float]:
    n = len(velocity)
    return stars_likelihood(np.array(velocity), np.full(n, error), np.full(n, snr)).tolist()


def test_only_what_recedes_faster_than_stars_is_less_likely_one() -> None:
    """Falls with velocity; less so where that is not well known; bound at what fast stars there may be."""
    assert likelihood([-1500.0, -300.0, 0.0, 300.0, 600.0, np.nan]) == [1.0] * 6
    fast = likelihood([800.0, 900.0, 1000.0, 2000.0])
    assert fast == sorted(fast, reverse=True)
    assert 0.1 < fast[0] < 0.5
    assert 1e-3 < fast[-1] < 5e-3
    assert likelihood([1000.0], error=400.0)[0] > 10 * fast[2]
    assert likelihood([1000.0], error=np.nan) == [1.0]


def test_velocities_of_faint_stars_may_be_wrong() -> None:
    """Those of one in a hundred are, at S/N 3: as many as there are galaxies."""
    by_snr = [likelihood([1200.0], snr=snr)[0] for snr in (np.nan, 0.5, 3.0, 5.0, 8.0, 15.0, 50.0)]
    assert by_snr == sorted(by_snr, reverse=True)
    assert by_snr[2] == 1.0
    assert 0.1 < by_snr[4] < 0.3
    assert by_snr[-1] < 0.01


def receding(spectra: list[Spectrum], velocity_km_s: float) -> list[Spectrum]:
    """Return spectra as they would be of something that recedes faster by that."""
    wavelength = 10.0 ** (LOG10_START + LOG10_STEP * np.arange(PIXELS)) * (1.0 + velocity_km_s / C_KM_S)
    axis = InlineAxis(wavelength, str(velocity_km_s).encode())
    return [replace(each, axis=axis) for each in spectra]


def test_the_light_of_stars_that_recedes_is_a_galaxy_at_that_redshift() -> None:
    """At the velocity of its stars, with an error and no type of star."""
    spectra = bright_stars()
    given = answer([{"GALAXY_nan": 0.3, "STAR_A0": 0.6}] * len(spectra))
    at_rest, moved = stage(spectra, given), stage(receding(spectra, 1200.0), given)
    assert (at_rest.likelihood == 1.0).all()
    assert np.isnan(at_rest.redshift).all()
    measured = np.isfinite(moved.radial_velocity_km_s) & (np.abs(at_rest.radial_velocity_km_s) < 150.0)
    assert measured.mean() > 0.5
    assert (moved.likelihood[measured][:, FIRST_STAR:] < 0.03).all()
    assert (moved.likelihood[:, :FIRST_STAR] == 1.0).all()
    recession = C_KM_S * moved.redshift[measured] - at_rest.radial_velocity_km_s[measured]
    assert np.abs(recession - 1200.0).max() < 25.0
    assert (moved.redshift_error[measured] > 0).all()
    assert np.isnan(moved.share[measured][:, FIRST_STAR:]).all()


def test_a_network_that_is_nearly_sure_of_a_star_is_believed() -> None:
    """Stars that fast are known, and galaxies so near are few: it is a matter of odds."""
    spectra = receding(bright_stars()[:8], 1200.0)
    found = stage(spectra, answer([{"STAR_A0": 0.9999, "GALAXY_nan": 1e-7, **dict.fromkeys(OTHERS, 1e-8)}] * 8))
    assert (found.likelihood[:, FIRST_STAR] < 0.03).any()
    assert np.isnan(found.redshift).all()
